"""The folder of a run: one result at a time, and nothing of anybody else is removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cmslabs.data.fileset import Fileset
from cmslabs.errors import ConfigError, JobError
from cmslabs.io import read_json, write_json
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.histograms import HISTOGRAMS_FILE
from cmslabs.selection.report import REPORT_FILE
from cmslabs.selection.table import TABLE_FOLDER

__all__ = ["ANALYSIS_FILE", "FILESET_FILE", "RunFolder"]

ANALYSIS_FILE, FILESET_FILE = "analysis.json", "fileset.json"
_CUTFLOW = ("cutflow.json", "cutflow.csv", "cutflow.txt")
#: The report goes first: without it the folder holds no finished run.
_RESULTS = (REPORT_FILE, "report.txt", HISTOGRAMS_FILE, *_CUTFLOW, FILESET_FILE, ANALYSIS_FILE)
_LOCK, _STOP = ".lock", ".stop"


class RunFolder:
    """Where a run writes.

    Parameters
    ----------
    path : path-like
    analysis, fileset
        What is run: a folder with the result of something else is refused.
    """

    def __init__(self, path: str | os.PathLike, analysis: Analysis, fileset: Fileset):
        self.path = Path(path)
        self._identity: dict[str, Any] = {
            ANALYSIS_FILE: analysis.model_dump(mode="json"),
            FILESET_FILE: fileset.model_dump(mode="json"),
        }

    @property
    def stop(self) -> Path:
        """A file that tells the workers that the run has failed."""
        return self.path / _STOP

    @contextmanager
    def claimed(self, overwrite: bool = False) -> Iterator[None]:
        """Keep other runs out.

        Raises
        ------
        ConfigError
            If the folder holds another run's result, or something else, and `overwrite` is not given.
        JobError
            If another run is working in it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError("is a file, but a folder is needed.", where=self.path, remedy="Choose another name.")
        if not overwrite:
            self._refuse_others()
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise JobError(
                "another run is working in this folder.", where=self.path, remedy="Wait for it, or choose another."
            ) from error
        try:
            yield
        finally:
            self.stop.unlink(missing_ok=True)
            lock.release()

    def begin(self) -> None:
        """Remove the last result, and write down what is run now."""
        for name in _RESULTS:
            (self.path / name).unlink(missing_ok=True)
        if (self.path / TABLE_FOLDER).exists():
            shutil.rmtree(self.path / TABLE_FOLDER)
        for name, content in self._identity.items():
            # The order of triggers is their priority, that of data sets the order of the report.
            write_json(self.path / name, content, sort_keys=False)

    def tidy(self) -> None:
        """Remove what workers that were killed had begun to write."""
        for path in (self.path / TABLE_FOLDER).glob("**/.part-*"):
            path.unlink(missing_ok=True)

    def _refuse_others(self) -> None:
        there = [] if not self.path.exists() else [path.name for path in self.path.iterdir() if path.name != _LOCK]
        if not there:
            return
        if not all((self.path / name).is_file() for name in self._identity):
            raise ConfigError(
                f"holds other files ({', '.join(sorted(there)[:5])}).",
                where=self.path,
                remedy="Choose an empty folder, or write into this one with --overwrite.",
            )
        changed = [
            f"{name}: {key}"
            for name, wanted in self._identity.items()
            for key in _different(read_json(self.path / name), wanted)
        ]
        if changed:
            raise ConfigError(
                f"holds the result of another run (different: {', '.join(changed[:5])}).",
                where=self.path,
                remedy="Choose another folder, or replace the result with --overwrite.",
            )


def _different(old: Any, new: dict[str, Any]) -> list[str]:
    if not isinstance(old, dict):
        return ["everything"]
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
