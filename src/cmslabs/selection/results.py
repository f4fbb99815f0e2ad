"""What a run has left behind, read again: for plots, for tables of yields, and for learning."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import hist
import pandas as pd

from cmslabs.config import Model, validate
from cmslabs.data.fileset import Fileset
from cmslabs.errors import DataError
from cmslabs.io import read_json
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.cutflow import Cutflow, read_cutflow
from cmslabs.selection.histograms import load_histograms
from cmslabs.selection.report import REPORT_FILE, Report, read_report
from cmslabs.selection.run_folder import ANALYSIS_FILE, FILESET_FILE
from cmslabs.selection.table import read_selected

__all__ = ["Results", "read_results"]


@dataclass(frozen=True)
class Results:
    """A finished run of ``cmslabs select``.

    Attributes
    ----------
    folder : Path
    analysis : Analysis
    fileset : Fileset
        As they were run, with all overrides.
    cutflow : Cutflow
    histograms : dict of hist.Hist
        Axes ``dataset``, ``systematic`` and the variable; cells hold yields with their variance.
    report : Report
    """

    folder: Path
    analysis: Analysis
    fileset: Fileset
    cutflow: Cutflow
    histograms: dict[str, hist.Hist]
    report: Report

    def table(
        self,
        dataset: str | Iterable[str] | None = None,
        systematic: str = "nominal",
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The selected events: see `cmslabs.selection.table.read_selected`.

        Raises
        ------
        DataError
            Also if there are not as many as the cutflow says: a part of the table was lost, or came later.
        """
        frame = read_selected(self.folder, dataset, systematic, columns)
        found = frame["dataset"].value_counts().to_dict()
        expected = {
            # Data does not vary.
            name: flow.selected.get(systematic, flow.selected.get("nominal", (0,)))[0]
            for name, flow in self.cutflow.flows.items()
            if dataset is None or name in found
        }
        for name in {**expected, **found}:
            if found.get(name) != expected.get(name):
                raise DataError(
                    f"the table of '{name}' has {found.get(name, 'no')} rows, the cutflow {expected.get(name, 'no')}.",
                    where=self.folder,
                    remedy="Files of the table were removed or added: run it again.",
                )
        return frame

    @property
    def simulated(self) -> bool:
        """Whether anything in it was not recorded by a detector: what a plot of it has to say."""
        return any(dataset.is_simulated for dataset in self.fileset.datasets.values())


def read_results(folder: str | os.PathLike) -> Results:
    """Read the folder of a finished run.

    Raises
    ------
    DataError
        If it holds none, an unfinished one, or a damaged file.
    ConfigError
        If its analysis or fileset is not of this version of cmslabs.
    """
    folder = Path(folder)
    if not (folder / REPORT_FILE).is_file():
        raise DataError(
            "holds no finished run: there is no report.", where=folder, remedy="Run cmslabs select --out FOLDER first."
        )
    return Results(
        folder=folder,
        analysis=_read(Analysis, folder / ANALYSIS_FILE),
        fileset=_read(Fileset, folder / FILESET_FILE),
        cutflow=read_cutflow(folder / "cutflow.json"),
        histograms=load_histograms(folder),
        report=read_report(folder),
    )


def _read(model: type[Model], path: Path) -> Model:
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError("is not what cmslabs select writes.", where=path, remedy="Run it again.")
    return validate(model, content, where=path)
