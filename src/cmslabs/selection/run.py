"""The stages of a run, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cmslabs.data.fileset import Fileset
from cmslabs.errors import DataError, JobError
from cmslabs.io import versions
from cmslabs.objects.golden import GoldenRuns
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.cutflow import Cutflow
from cmslabs.selection.executors import Workers
from cmslabs.selection.failures import Failure
from cmslabs.selection.histograms import HISTOGRAMS_FILE, merge_histograms, save_histograms
from cmslabs.selection.inputs import DatasetInfo
from cmslabs.selection.normalisation import corrected_luminosity, scale_of
from cmslabs.selection.report import DatasetReport, LuminosityReport, Report, SkippedFile
from cmslabs.selection.run_folder import RunFolder
from cmslabs.selection.survey import FileSurvey, SumOfWeights, sum_of_weights, survey_fileset
from cmslabs.selection.table import remove_parts

__all__ = ["Run"]

_REMEDY = "Fetch it again, or leave such files out with --skip-bad-files."


@dataclass
class Run:
    """What a run knows; its methods are its stages, and `go` is all of them.

    Attributes
    ----------
    analysis, fileset, folder, chunk_size, skip, retries, golden, corrections
        What is asked for; see `cmslabs.selection.runner.select`.
    workers : Workers
        The open executor.
    files : dict of list of FileSurvey
        Data set -> files that are read, as far as the run has come.
    skipped : list of FileSurvey
        Files that were left out.
    sums : dict of SumOfWeights
    luminosity : LuminosityReport
    results : dict
        Data set -> what the processor gave.
    seconds : dict
        Stage -> wall time.
    bytes_read : int
    branches : set of str
    """

    analysis: Analysis
    fileset: Fileset
    folder: RunFolder
    chunk_size: int
    skip: bool
    retries: int
    golden: GoldenRuns | str | None = None
    corrections: Corrections | None = None
    workers: Workers | None = None
    files: dict[str, list[FileSurvey]] = field(default_factory=dict)
    skipped: list[FileSurvey] = field(default_factory=list)
    sums: dict[str, SumOfWeights] = field(default_factory=dict)
    luminosity: LuminosityReport = field(default_factory=LuminosityReport)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    bytes_read: int = 0
    branches: set[str] = field(default_factory=set)

    def go(self) -> Report:
        """All stages."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        with self._stage("total"):
            with self._stage("survey"):
                self.survey()
            self.folder.begin()
            with self._stage("data"):
                self.process(self._names("data"), "Data")
            self.luminosity = corrected_luminosity(self.fileset, self.files, self.skipped)
            with self._stage("simulation"):
                self.process(self._names("simulation"), "Simulation")
            with self._stage("writing"):
                self.folder.tidy()
                cutflow = Cutflow.sum(self.results[name]["cutflow"] for name in self.fileset.datasets)
                cutflow.write(self.folder.path)
                histograms = merge_histograms(self.results[name]["histograms"] for name in self.fileset.datasets)
                save_histograms(self.folder.path / HISTOGRAMS_FILE, histograms)
        report = self.report(started)
        report.write(self.folder.path)
        return report

    def survey(self) -> None:
        """Open every file; stop at one that cannot be read, or leave it out."""
        weighted = "genWeight" in self.analysis.weights
        found = survey_fileset(self.fileset, self.workers, weighted=weighted, retries=self.retries)
        bad = [file for files in found.values() for file in files if file.problem is not None]
        if bad and not self.skip:
            more = f" {len(bad) - 1} more of {sum(map(len, found.values()))} files cannot be read." if bad[1:] else ""
            raise DataError(bad[0].problem, where=f"{bad[0].path} ({bad[0].dataset})", remedy=_REMEDY + more)
        self.files = found
        self._leave_out(bad)

    def process(self, names: Sequence[str], what: str) -> None:
        """Select in these data sets; again in those that lost a file on the way."""
        from cmslabs.selection.chunks import Guard, make_items, run_items

        guard = Guard(self.folder.stop, self.retries, self.skip)
        todo = list(names)
        while todo:
            items = [item for name in todo for item in make_items(self.files[name], self.chunk_size)]
            totals, failures, metrics = run_items(self.workers, self.processor(), items, guard, what=what)
            self.bytes_read += metrics.get("bytesread", 0)
            # coffea names buffers: Muon_pt-data, nMuon-offsets.
            self.branches |= {name.partition("-")[0] for name in metrics.get("columns", ())}
            self._judge(failures)
            failed = {failure.dataset for failure in failures}
            self.results |= {name: totals[name][name] for name in todo if name not in failed}
            todo = [name for name in todo if name in failed]
            for name in todo:
                remove_parts(self.folder.path, name)
        self._check_parts(names)

    def _check_parts(self, names: Sequence[str]) -> None:
        """Workers on other machines write into a folder of that name, wherever that is."""
        parts = [part for name in names for part in self.results[name]["parts"]]
        lost = [part for part in parts if not (self.folder.path / part).is_file()]
        if lost:
            raise JobError(
                f"{len(lost)} of {len(parts)} parts of the table did not arrive: the workers do not see this folder.",
                where=self.folder.path.resolve(),
                remedy="Choose a folder on a file system that all workers share.",
            )

    def processor(self) -> Any:
        """The processor with the scales as they are known now."""
        from cmslabs.selection.processor import SelectionProcessor

        infos = {}
        for name, dataset in self.fileset.datasets.items():
            scale = 1.0
            if name in self.files and dataset.kind == "simulation":
                self.sums[name] = sum_of_weights(self.files[name], name)
                scale = scale_of(dataset, self.luminosity.used_fb, self.sums[name].value)
            infos[name] = DatasetInfo.of(name, dataset, scale)
        return SelectionProcessor(
            self.analysis, infos, golden=self.golden, corrections=self.corrections, folder=self.folder.path.resolve()
        )

    def report(self, started: str) -> Report:
        """What is to be told about the run."""
        results = self.results.values()
        return Report(
            analysis=self.analysis.name,
            fileset=f"{self.fileset.name} {self.fileset.version}",
            started=started,
            executor={"kind": self.workers.kind, "workers": self.workers.n, "scheduler": self.workers.scheduler},
            chunk_size=self.chunk_size,
            n_events=sum(result["n_read"] for result in results),
            bytes_read=self.bytes_read,
            table_bytes=sum(result["table_bytes"] for result in results),
            seconds={name: round(value, 3) for name, value in self.seconds.items()},
            luminosity=self.luminosity,
            datasets={name: self._dataset_report(name) for name in self.fileset.datasets},
            skipped_files=tuple(
                SkippedFile(dataset=file.dataset, path=file.path, reason=file.problem, n_events=file.n_events)
                for file in self.skipped
            ),
            remarks=tuple(self._remarks()),
            branches=tuple(sorted(self.branches)),
            corrections={} if self.corrections is None else self.corrections.files,
            versions=versions("coffea", "awkward", "uproot", "numpy", "hist", "correctionlib", "dask"),
        )

    def _dataset_report(self, name: str) -> DatasetReport:
        dataset, result, total = self.fileset.datasets[name], self.results[name], self.sums.get(name)
        return DatasetReport(
            kind=dataset.kind,
            simulated=dataset.is_simulated,
            n_files=len(self.files[name]),
            n_events=result["n_read"],
            n_own=result["n_events"],
            n_selected=result["n_selected"],
            sum_weights=None if total is None else total.value,
            sum_of=None if total is None else total.quantity,
            sum_from={} if total is None else dict(total.sources),
            cross_section_pb=dataset.effective_pb,
            scale=1.0 if total is None else scale_of(dataset, self.luminosity.used_fb, total.value),
            skipped=result["skipped"],
            counts=result["counts"],
        )

    def _remarks(self) -> Iterable[str]:
        simulation = self._names("simulation")
        if simulation and self.luminosity.used_fb is None:
            yield "The fileset has no luminosity: simulated events have their generated weights, not yields."
        elif without := [name for name in simulation if self.fileset.datasets[name].cross_section is None]:
            yield f"Without a cross-section, {', '.join(without)} have their generated weights, not yields."
        for name, total in self.sums.items():
            if len(total.sources) > 1:
                sources = " and ".join(f"{source} of {n}" for source, n in total.sources.items())
                yield f"The sum of weights of {name} comes from {sources} files."

    def _judge(self, failures: Sequence[Failure]) -> None:
        """Stop at the first failure, in the order of the fileset; or leave out the files that cannot be read."""
        places = {(file.dataset, file.path): file for files in self.files.values() for file in files}
        order = {place: number for number, place in enumerate(places)}
        failures = sorted(failures, key=lambda one: (order[one.dataset, one.path], one.start))
        for failure in failures:
            if not failure.damage:
                raise failure.error
        if failures and not self.skip:
            error = failures[0].error
            raise DataError(error.what, where=error.where, remedy=_REMEDY)
        reasons = {(one.dataset, one.path): str(one.error.what) for one in reversed(failures)}
        self._leave_out([replace(places[place], problem=reasons[place]) for place in sorted(reasons, key=order.get)])

    def _leave_out(self, bad: Sequence[FileSurvey]) -> None:
        self.skipped += bad
        gone = {(file.dataset, file.path) for file in bad}
        self.files = {
            name: [file for file in files if (name, file.path) not in gone] for name, files in self.files.items()
        }
        for file in bad:
            if not self.files[file.dataset]:
                raise DataError(
                    f"none of the files of '{file.dataset}' can be read; the last one {file.problem}",
                    where=file.path,
                    remedy="Fetch them again, or leave the data set out.",
                )
        # Known as early as possible, not after hours.
        self.luminosity = corrected_luminosity(self.fileset, self.files, self.skipped)

    def _names(self, kind: str) -> list[str]:
        return [name for name, dataset in self.fileset.datasets.items() if dataset.kind == kind]

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
