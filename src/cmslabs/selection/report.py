"""The report of a run: what was read, what was left out and why, and how the yields were scaled."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from cmslabs.config import StrictModel, validate
from cmslabs.io import atomic_write, read_json, write_json

__all__ = ["REPORT_FILE", "DatasetReport", "LuminosityReport", "Report", "SkippedFile", "read_report"]

#: Name of the file in a run's folder; it is written last, so that it is there only if the run is whole.
REPORT_FILE = "report.json"


class SkippedFile(StrictModel):
    """A file that was left out, why, and how many events it has as far as that is known."""

    dataset: str
    path: str
    reason: str
    n_events: int | None = None


class LuminosityReport(StrictModel):
    """Integrated luminosity [1/fb]: of the fileset, and of the data that were read.

    `share` is the share of the data's events that were read; without data it is 1.
    """

    given_fb: float | None = None
    used_fb: float | None = None
    share: float = 1.0
    source: str | None = None


class DatasetReport(StrictModel):
    """One data set.

    Attributes
    ----------
    kind : "data" or "simulation"
    simulated : bool
        Whether no detector recorded the events.
    n_files, n_events, n_own, n_selected : int
        Files read; events in them; events that belong to the data set; events that were selected.
    sum_weights : float or None
        Sum over the generated events, of genWeight or of 1.
    sum_of : "genWeight", "events" or None
    sum_from : dict
        How many files gave their part from ``Runs`` and how many from their ``events``.
    cross_section_pb : float or None
        With the K factor [pb].
    scale : float
        What every weight was multiplied with: L x sigma / sum of weights; 1 for data and what is not normalised.
    skipped : dict
        ``filters``, ``triggers``, ``weights``, ``columns`` -> name -> events for which it was not there.
    counts : dict
        Rule of the corrections -> how often it was used.
    """

    kind: str
    simulated: bool
    n_files: int
    n_events: int
    n_own: int
    n_selected: int
    sum_weights: float | None = None
    sum_of: str | None = None
    sum_from: dict[str, int] = Field(default_factory=dict)
    cross_section_pb: float | None = None
    scale: float = 1.0
    skipped: dict[str, dict[str, int]] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)


class Report(StrictModel):
    """One run of `cmslabs.selection.runner.select`.

    Attributes
    ----------
    analysis, fileset : str
        Names; the whole files are in ``analysis.json`` and ``fileset.json`` beside the report.
    started : str
        UTC.
    executor : dict
        ``kind``, ``workers``, ``scheduler``.
    chunk_size : int
    n_events : int
        Events read.
    bytes_read : int
        Compressed bytes of the columns that were read.
    table_bytes : int
        Size of the table of selected events.
    seconds : dict
        Wall time of the stages survey, data, simulation, writing, and the total.
    luminosity : LuminosityReport
    datasets : dict of DatasetReport
    skipped_files : tuple of SkippedFile
    remarks : tuple of str
        What a reader of the result has to know.
    branches : tuple of str
        Branches that were read.
    corrections : dict
        File of corrections -> SHA-256.
    versions : dict
    """

    analysis: str
    fileset: str
    started: str
    executor: dict[str, str | int | None]
    chunk_size: int
    n_events: int
    bytes_read: int
    table_bytes: int
    seconds: dict[str, float]
    luminosity: LuminosityReport
    datasets: dict[str, DatasetReport]
    skipped_files: tuple[SkippedFile, ...] = ()
    remarks: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    corrections: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def events_per_second(self) -> float:
        """Events read per second of the stages that read them."""
        busy = self.seconds.get("data", 0.0) + self.seconds.get("simulation", 0.0)
        return self.n_events / busy if busy > 0 else 0.0

    def text(self) -> str:
        """The report for people."""
        return "\n".join([*_summary(self), "", *_table(self), *_left_out(self), *self.remarks])

    def write(self, folder: str | os.PathLike) -> None:
        """Write ``report.txt`` and ``report.json``."""
        folder = Path(folder)
        with atomic_write(folder / "report.txt") as temporary:
            temporary.write_text(self.text() + "\n", encoding="utf-8")
        write_json(folder / REPORT_FILE, self.as_json(), sort_keys=False)

    def as_json(self) -> dict:
        """Plain JSON, with the rate."""
        return {**self.model_dump(mode="json"), "events_per_second": self.events_per_second}


def read_report(folder: str | os.PathLike) -> Report:
    """The report of a run's folder.

    Raises
    ------
    DataError
        If there is none, because the run is not finished or this is no run's folder.
    ConfigError
        If it is no report.
    """
    path = Path(folder) / REPORT_FILE
    content = read_json(path)
    if isinstance(content, dict):
        content.pop("events_per_second", None)
    return validate(Report, content if isinstance(content, dict) else {}, where=path)


def _summary(report: Report) -> list[str]:
    kind, workers = report.executor["kind"], report.executor["workers"]
    how = kind if kind == "iterative" else f"{kind}, {workers} worker{'s' if workers != 1 else ''}"
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.seconds.items() if name != "total")
    lines = [
        f"{report.analysis} on {report.fileset}: {report.n_events:,} events, {report.bytes_read / 1e6:.1f} MB read, "
        f"{report.events_per_second:,.0f} events/s ({how})",
        f"{report.seconds.get('total', 0.0):.1f} s: {stages}",
    ]
    luminosity = report.luminosity
    if luminosity.given_fb is not None:
        line = f"luminosity {luminosity.used_fb:.6g}/fb"
        if luminosity.share != 1.0:
            line += f" = {luminosity.given_fb:.6g}/fb x {luminosity.share:.6g}, the share of the data's events read"
        lines.append(line)
    return lines


def _table(report: Report) -> list[str]:
    head = ("data set", "kind", "files", "events", "selected", "sum of weights", "from", "scale")
    rows = [head, *(_row(name, entry) for name, entry in report.datasets.items())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    left = {0, 1, 6}
    return [
        "  ".join(
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(name: str, entry: DatasetReport) -> tuple[str, ...]:
    kind = "pseudo-data" if entry.kind == "data" and entry.simulated else entry.kind
    files = f"{entry.n_files}"
    if entry.sum_weights is None:
        return (name, kind, files, f"{entry.n_own:,}", f"{entry.n_selected:,}", "", "", "")
    sources = ", ".join(
        f"{source} ({n})" if len(entry.sum_from) > 1 else source for source, n in entry.sum_from.items()
    )
    total = f"{entry.sum_weights:.8g}"
    return (name, kind, files, f"{entry.n_own:,}", f"{entry.n_selected:,}", total, sources, f"{entry.scale:.4g}")


def _left_out(report: Report) -> list[str]:
    lines = [f"left out: {file.path} ({file.dataset}): {file.reason}" for file in report.skipped_files]
    for name, entry in report.datasets.items():
        for kind, found in entry.skipped.items():
            for branch, events in found.items():
                lines.append(f"not there: {branch} ({kind}), for {events:,} events of {name}")
        lines += [f"{name}: rule '{rule}' used {count:,} times" for rule, count in entry.counts.items() if count]
    return ["", *lines] if lines else []
