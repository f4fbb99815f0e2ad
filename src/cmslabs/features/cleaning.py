"""Cleaning a table of dijet observables, with a report of what was dropped and why.

Four steps, in this order: values that are not finite, values out of their range, jets that fail the
identification, events that were there before.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from cmslabs.config import StrictModel
from cmslabs.errors import DataError, MissingBranchError
from cmslabs.features.observables import CATALOGUE
from cmslabs.io import write_json

__all__ = ["Cleaner", "CleaningConfig", "CleaningReport", "CleaningStep", "clean_dijets"]

KEY = ("run", "luminosityBlock", "event")


class CleaningConfig(StrictModel):
    """What a good event is.

    Attributes
    ----------
    ranges : bool
        Whether values have to lie in the ranges of the catalogue.
    slack : float
        By how much a value may lie outside, in units of the range: formats with few digits round.
    jet_id : int
        Bits of ``FatJet_jetId`` that both jets need: 2 is tight, 6 tight with lepton veto; 0 asks for nothing.
    duplicates : bool
        Whether an event that stands twice is kept once.  Events are the same if run, luminosity block and number
        are; where a table has none of these, if all observables are.
    """

    ranges: bool = True
    slack: Annotated[float, Field(ge=0, le=0.1)] = 1e-3
    jet_id: Annotated[int, Field(ge=0, le=7)] = 2
    duplicates: bool = True


@dataclass(frozen=True)
class CleaningStep:
    """One step: its name, events before and after, and how many events each cause concerns (one may have several)."""

    name: str
    before: int
    after: int
    causes: dict[str, int] = field(default_factory=dict)

    @property
    def removed(self) -> int:
        """Events that the step dropped."""
        return self.before - self.after


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning did.

    Attributes
    ----------
    steps : tuple of CleaningStep
        In order; the events after one are those before the next.
    identity : str
        By what equal events were recognised.
    """

    steps: tuple[CleaningStep, ...]
    identity: str

    @property
    def n_before(self) -> int:
        """Events that came in."""
        return self.steps[0].before if self.steps else 0

    @property
    def n_after(self) -> int:
        """Events that are left."""
        return self.steps[-1].after if self.steps else 0

    def text(self) -> str:
        """The report for people: one line per step, one per cause.

        Examples
        --------
        >>> print(CleaningReport((CleaningStep("finite", 10, 8, {"width_j2": 2}),), "all observables").text())
        step              before     after   removed
        finite                10         8         2
            width_j2: 2
        kept 8 of 10 events (80.00 %); equal events: all observables
        """
        lines = [f"{'step':<14} {'before':>9} {'after':>9} {'removed':>9}"]
        for step in self.steps:
            lines.append(f"{step.name:<14} {step.before:>9} {step.after:>9} {step.removed:>9}")
            lines += [f"    {cause}: {count}" for cause, count in step.causes.items()]
        share = 100 * self.n_after / self.n_before if self.n_before else 100.0
        kept = f"kept {self.n_after} of {self.n_before} events ({share:.2f} %)"
        return "\n".join([*lines, f"{kept}; equal events: {self.identity}"])

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON."""
        steps = [
            {"name": s.name, "before": s.before, "after": s.after, "removed": s.removed, "causes": dict(s.causes)}
            for s in self.steps
        ]
        return {"n_before": self.n_before, "n_after": self.n_after, "identity": self.identity, "steps": steps}

    def write(self, path: str | os.PathLike) -> None:
        """Write the report as JSON."""
        write_json(path, self.to_dict(), sort_keys=False)


def clean_dijets(
    table: pd.DataFrame, identity: pd.DataFrame | None = None, config: CleaningConfig | None = None
) -> tuple[pd.DataFrame, CleaningReport]:
    """Drop the events that are no good.

    Parameters
    ----------
    table : DataFrame
        Observables of the catalogue, as `cmslabs.features.dijet61.dijet_observables` gives them.
    identity : DataFrame, optional
        Of the same events, as `cmslabs.features.dijet61.dijet_identity` gives it; by default the columns of `table`
        that have such names (a table that was read from a file).
    config : CleaningConfig, optional

    Returns
    -------
    table : DataFrame
        The rows that are left, unchanged, with their index.
    report : CleaningReport

    Raises
    ------
    MissingBranchError
        If the jet identification is asked for and not there.
    DataError
        If `identity` does not belong to `table`, or no column is an observable.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"tau21_j1": [0.3, float("nan"), 0.3, 9.0], "mjj": [2e3, 3e3, 2e3, 3e3]})
    >>> kept, report = clean_dijets(table, config=CleaningConfig(jet_id=0))
    >>> kept.index.tolist(), [step.removed for step in report.steps]
    ([0], [1, 1, 0, 1])
    """
    cleaner = Cleaner(config)
    kept = cleaner(table, identity)
    return kept, cleaner.report()


class Cleaner:
    """Cleans a table that comes in pieces: duplicates are found across them, and there is one report.

    Parameters
    ----------
    config : CleaningConfig, optional
    """

    STEPS = ("finite", "ranges", "jet id", "duplicates")

    def __init__(self, config: CleaningConfig | None = None):
        self.config = CleaningConfig() if config is None else config
        self._before = dict.fromkeys(self.STEPS, 0)
        self._after = dict.fromkeys(self.STEPS, 0)
        self._causes: dict[str, dict[str, int]] = {step: {} for step in self.STEPS}
        self._seen: set[bytes] = set()
        self._identity = "not looked for"

    def __call__(self, table: pd.DataFrame, identity: pd.DataFrame | None = None) -> pd.DataFrame:
        """The good rows of one piece; see `clean_dijets`."""
        identity = table if identity is None else identity
        if not table.index.equals(identity.index):
            raise DataError(
                f"{len(table)} rows of observables and {len(identity)} rows of identity are not of the same events.",
                remedy="Compute both from the same events with the same configuration.",
            )
        names = [name for name in table.columns if name in CATALOGUE]
        if not names:
            raise DataError("the table has no column of the catalogue.", remedy="Make it with cmslabs features.")
        checks = {"finite": self._finite, "ranges": self._ranges, "jet id": self._jet_id, "duplicates": self._repeated}
        alive = np.ones(len(table), dtype=bool)
        for step, check in checks.items():
            self._before[step] += int(alive.sum())
            bad = np.zeros(len(table), dtype=bool)
            for cause, failing in check(table, identity, names, alive).items():
                failing = failing & alive
                bad |= failing
                if failing.any():
                    causes = self._causes[step]
                    causes[cause] = causes.get(cause, 0) + int(failing.sum())
            alive &= ~bad
            self._after[step] += int(alive.sum())
        return table[alive]

    def report(self) -> CleaningReport:
        """What was done so far."""
        steps = tuple(CleaningStep(s, self._before[s], self._after[s], dict(self._causes[s])) for s in self.STEPS)
        return CleaningReport(steps, self._identity)

    def _finite(self, table, identity, names, alive) -> dict[str, np.ndarray]:
        return {name: ~np.isfinite(table[name].to_numpy(dtype=np.float64)) for name in names}

    def _ranges(self, table, identity, names, alive) -> dict[str, np.ndarray]:
        if not self.config.ranges:
            return {}
        failing = {}
        for name in names:
            row, values = CATALOGUE[name], table[name].to_numpy(dtype=np.float64)
            slack = self.config.slack * (row.high - row.low)
            failing[name] = ~((values >= row.low - slack) & (values <= row.high + slack))
        return failing

    def _jet_id(self, table, identity, names, alive) -> dict[str, np.ndarray]:
        wanted = self.config.jet_id
        if wanted == 0:
            return {}
        failing = {}
        for name in ("jet_id_j1", "jet_id_j2"):
            if name not in identity:
                raise MissingBranchError(
                    f"the jet identification needs {name} (branch 'FatJet_jetId'), which is not there.",
                    remedy="Ask for none: jet_id: 0.  NanoAODv15 stores none.",
                )
            failing[name] = (identity[name].to_numpy() & wanted) != wanted
        return failing

    def _repeated(self, table, identity, names, alive) -> dict[str, np.ndarray]:
        if not self.config.duplicates:
            return {}
        by_number = all(name in identity for name in KEY)
        self._identity = ", ".join(KEY) if by_number else "all observables"
        rows = identity[list(KEY)] if by_number else table[names]
        again = np.zeros(len(table), dtype=bool)
        columns = [rows[name].to_numpy() for name in rows]
        for place in np.flatnonzero(alive):
            key = b"|".join(column[place].tobytes() for column in columns)
            again[place] = key in self._seen
            self._seen.add(key)
        return {"repeated": again}
