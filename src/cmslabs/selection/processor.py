"""One processor for data and simulation: from a chunk of events to cutflow, histograms and a part of the table.

This module needs coffea; import it where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import awkward as ak
import numpy as np
from coffea.processor import ProcessorABC

from cmslabs.config import config_hash
from cmslabs.errors import ConfigError
from cmslabs.io import Provenance, versions
from cmslabs.objects.golden import GoldenRuns
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.channels import CHANNELS
from cmslabs.selection.choice import Choice, generator_weight, make_choices
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.cutflow import Cutflow, Flow, count_cuts, totals
from cmslabs.selection.histograms import empty_histogram, fill_histogram
from cmslabs.selection.inputs import DatasetInfo
from cmslabs.selection.materialise import reading_lazily
from cmslabs.selection.preselection import belonging, check_triggers, preselect
from cmslabs.selection.table import Part, write_part

__all__ = ["SelectionProcessor"]


class SelectionProcessor(ProcessorABC):
    """Applies an analysis to chunks of events.

    Parameters
    ----------
    analysis : Analysis
    datasets : mapping of str to DatasetInfo
        All data sets of the run by name, with the scale that turns weights into yields.
    golden : GoldenRuns, "none" or None
        Certified luminosity sections, for data; "none" says that all are good.
    corrections : Corrections or None
        For simulation.
    folder : path-like or None
        The run's folder, which all workers see; parts of the table are written below.  None: no table.

    Raises
    ------
    ConfigError
        If data comes without `golden`, the analysis lacks triggers of a data set, or asks for a column that the
        channel does not have.

    Notes
    -----
    `process` gives ``{data set: result}``; results of chunks are added (`coffea.processor.accumulate`):

    - ``cutflow``: `Cutflow` of this data set;
    - ``histograms``: name -> `hist.Hist` with the axes dataset, systematic and the variable;
    - ``n_read``, ``n_events``: events of the files, and those of them that belong to the data set (`Dataset.only`);
    - ``n_selected``: events that pass all cuts;
    - ``sum_weights``: sum of genWeight over `n_events`, without any scale (data: the number of events);
    - ``skipped``: ``filters``, ``triggers``, ``weights``, ``columns`` -> name -> events for which it was not there;
    - ``counts``: rule of the corrections (``"muonId below"``) -> how often it was used, for selected events;
    - ``parts``: path relative to `folder` -> rows, of every part of the table;
    - ``table_bytes``: size of these parts.
    """

    def __init__(
        self,
        analysis: Analysis,
        datasets: Mapping[str, DatasetInfo],
        *,
        golden: GoldenRuns | str | None = None,
        corrections: Corrections | None = None,
        folder: str | os.PathLike | None = None,
    ):
        CHANNELS[analysis.channel].check(analysis)
        check_triggers(analysis, datasets.values())
        data = [info.name for info in datasets.values() if info.is_data]
        if data and golden is None:
            raise ConfigError(
                f"'{data[0]}' is data, but there is no list of certified luminosity sections.",
                where="golden_json",
                remedy="Name the file in the fileset, or write 'golden_json: none' if all sections are good.",
            )
        self.analysis = analysis
        self.datasets = dict(datasets)
        self.golden = golden if isinstance(golden, GoldenRuns) else None
        self.corrections = corrections
        self.folder = None if folder is None else os.fspath(folder)

    def process(self, events: ak.Array) -> dict[str, dict[str, Any]]:
        """Select the events of one chunk.

        Parameters
        ----------
        events : NanoEvents, shape (n_events,)
            Lazy, with ``dataset``, ``filename``, ``entrystart`` and ``entrystop`` in its metadata.

        Raises
        ------
        DataError
            If a branch cannot be read: names file, branch and range of events.
        CmslabsError
            If the analysis cannot be made of these events.
        """
        chunk = _Chunk.of(events, self.datasets)
        # Selected events know their file no more, unless it stands in the attributes, too.
        events.attrs["filename"] = chunk.filename
        with reading_lazily(chunk.filename, chunk.start, chunk.stop):
            return {chunk.info.name: self._select(events, chunk)}

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing is left to do: results of chunks are sums."""
        return accumulator

    def _select(self, everything: ak.Array, chunk: _Chunk) -> dict[str, Any]:
        analysis, info = self.analysis, chunk.info
        events = belonging(everything, info.only)
        before = preselect(events, analysis, info, self.golden)
        selected = CHANNELS[analysis.channel].apply(events, analysis)
        generator = generator_weight(events, analysis, info)
        flow = count_cuts(before.cuts | selected.cuts, generator * info.scale)
        choices = make_choices(events, before.cuts, selected, analysis, info, self.corrections)
        nominal = choices[0]
        skipped = {kind: dict.fromkeys(names, len(events)) for kind, names in before.skipped.items()}
        result = {
            "histograms": self._histograms(choices, info),
            **self._write(choices, chunk),
            "cutflow": Cutflow({info.name: _finished(flow, choices, info.scale)}),
            "n_read": len(everything),
            "n_events": len(events),
            "n_selected": len(nominal.rows),
            "sum_weights": float(np.sum(generator)),
            "counts": dict(nominal.event_weights.counts),
        }
        skipped["weights"] = dict.fromkeys(nominal.event_weights.skipped, len(events))
        skipped["columns"] = dict.fromkeys(selected.columns.skipped, len(events))
        return result | {"skipped": {kind: names for kind, names in skipped.items() if names}}

    def _histograms(self, choices: list[Choice], info: DatasetInfo) -> dict[str, Any]:
        systematics = [name for choice in choices for name in choice.weights]
        made = {}
        for name, definition in self.analysis.histograms.items():
            made[name] = empty_histogram(name, definition, [info.name], systematics)
            for choice in choices:
                fill_histogram(made[name], info.name, choice.column(definition.variable), choice.weights)
        return made

    def _write(self, choices: list[Choice], chunk: _Chunk) -> dict[str, Any]:
        parts, size = {}, 0
        for choice in choices if self.folder is not None else ():
            # Every file leaves a table, even an empty one, so that the columns are known.
            if len(choice.rows) or chunk.start == 0:
                part = Part(chunk.info.name, choice.systematic, chunk.filename, chunk.start, chunk.stop)
                columns, units = choice.table(self.analysis.table)
                size += write_part(self.folder, part, columns, self._provenance(chunk, choice, units))
                parts[part.path] = len(choice.rows)
        return {"parts": parts, "table_bytes": size}

    def _provenance(self, chunk: _Chunk, choice: Choice, units: dict[str, str]) -> Provenance:
        return Provenance(
            source=chunk.info.name,
            simulation=chunk.info.simulated,
            script="cmslabs select",
            versions=_versions(),
            units=units,
            details={
                "analysis": self.analysis.name,
                "analysis_hash": config_hash(self.analysis),
                "kind": "data" if chunk.info.is_data else "simulation",
                "systematic": choice.systematic,
                "file": chunk.filename,
                "file_uuid": chunk.uuid,
                "events": [chunk.start, chunk.stop],
                "scale": chunk.info.scale,
            },
        )


@dataclass(frozen=True)
class _Chunk:
    """Where the events come from."""

    info: DatasetInfo
    filename: str
    uuid: str
    start: int
    stop: int

    @classmethod
    def of(cls, events: ak.Array, datasets: Mapping[str, DatasetInfo]) -> _Chunk:
        told = events.metadata
        return cls(
            info=datasets[told["dataset"]],
            filename=told["filename"],
            uuid=told.get("fileuuid", ""),
            start=int(told["entrystart"]),
            stop=int(told["entrystop"]),
        )


def _finished(flow: Flow, choices: list[Choice], scale: float) -> Flow:
    """The cutflow with what the weights do after the cuts, and what every systematic selects."""
    selected = {name: totals(weight) for choice in choices for name, weight in choice.weights.items()}
    steps = dict(choices[0].event_weights.steps)
    product, lines = np.ones(len(choices[0].rows)) * steps.pop("genWeight", 1.0), {}
    for name, factor in steps.items():
        product = product * factor
        lines[name] = totals(product * scale)
    return Flow(flow.cuts, flow.sequential, flow.n_minus_1, lines, selected)


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    return versions("coffea", "awkward", "numpy", "uproot", "correctionlib")
