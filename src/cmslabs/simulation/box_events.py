"""The events of a box: background and what hides in it, told apart by nothing but physics.

Whatever is in a box, it has the same number of events, the same columns, the same rounding and a random order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import awkward as ak
import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError, SimulationError
from cmslabs.features.dijets import DIJET_COLUMNS
from cmslabs.simulation.box_truth import Truth
from cmslabs.simulation.writers import round_floats

__all__ = [
    "BITS",
    "BOX_COLUMNS",
    "BoxEvents",
    "check_size",
    "half_precision",
    "mix",
]

#: Column -> unit: the sample of dijet features without process and label.
BOX_COLUMNS = DIJET_COLUMNS | {"met": "GeV"}
#: Mantissa bits of the float32 columns: 10 round by at most 5e-4, below any resolution here.  Dijet masses are put
#: into bins, and steps of 2 GeV would beat with the bins' edges: 15 bits are steps of 0.06 GeV at 3 TeV.
BITS = {"": 10, "mjj": 15}
#: The signal window: dijet masses within this of the W' mass, relatively.
WINDOW = 0.06
#: With fewer events there is no place for a signal of 3 % in its window.
LEAST_EVENTS = 50


@dataclass(frozen=True)
class BoxEvents:
    """Events with their rounded columns and, if wanted, their constituents.

    Attributes
    ----------
    frame : pandas.DataFrame
        `BOX_COLUMNS` without ``event``.
    jets : ak.Array or None
        ``j1`` and ``j2``: the 100 hardest constituents as float16 ``pt`` [GeV], ``eta``, ``phi`` [rad].
    """

    frame: pd.DataFrame
    jets: ak.Array | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: np.ndarray | slice) -> BoxEvents:
        """Some of the events, as a copy: a slice of jets would keep all of them in memory."""
        frame = self.frame.iloc[index].reset_index(drop=True)
        return BoxEvents(frame, None if self.jets is None else ak.to_packed(self.jets[index]))

    @classmethod
    def join(cls, parts: Sequence[BoxEvents]) -> BoxEvents:
        """All events of the parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        jets = None if parts[0].jets is None else ak.concatenate([part.jets for part in parts])
        return cls(pd.concat([part.frame for part in parts], ignore_index=True), jets)

    @classmethod
    def rounded(cls, columns: Mapping[str, np.ndarray], jets: ak.Array | None = None) -> BoxEvents:
        """Events as a box has them, from full numbers: everything passes through here, signal and background.

        Parameters
        ----------
        columns : mapping
            `BOX_COLUMNS`; others are left out.
        jets : ak.Array, optional
            Records with ``j1`` and ``j2``.
        """
        frame = {}
        for name in BOX_COLUMNS:
            if name.startswith("nconst"):
                frame[name] = np.asarray(columns[name]).astype(np.int16)
            elif name != "event":
                frame[name] = round_floats(columns[name], BITS.get(name, BITS[""]))
        return cls(pd.DataFrame(frame), None if jets is None else half_precision(jets))


def half_precision(events: ak.Array) -> ak.Array:
    """``j1`` and ``j2`` as a box has them: float16, in one layout wherever they come from."""
    jets = {}
    for jet in ("j1", "j2"):
        counts = ak.to_numpy(ak.num(events[jet]))
        flat = {name: ak.to_numpy(ak.flatten(events[jet][name])) for name in ("pt", "eta", "phi")}
        jets[jet] = ak.unflatten(ak.zip({name: values.astype(np.float16) for name, values in flat.items()}), counts)
    return ak.zip(jets, depth_limit=1)


def check_size(events: int) -> None:
    """Refuse a box that is too small.

    Raises
    ------
    ConfigError
    """
    if events < LEAST_EVENTS:
        raise ConfigError(f"{events} events are too few for a box.", remedy=f"Use at least {LEAST_EVENTS}.")


def mix(background: BoxEvents, hidden: BoxEvents | None, truth: Truth, rng: np.random.Generator) -> BoxEvents:
    """Put what hides in place of the last background events, and shuffle.

    Parameters
    ----------
    background : BoxEvents
        As many as the box is to have.
    hidden : BoxEvents or None
        From `hidden_ingredient`; None if the box holds nothing.
    truth : Truth
    rng : numpy.random.Generator
        Draws the order.

    Raises
    ------
    SimulationError
        If there are too few hidden events for the share.
    """
    total, n = len(background), 0
    if hidden is not None:
        fired = round(truth.share * total)
        n = max(1, fired) if truth.kind == "hot-cell" else _signal_events(background, hidden, truth)
    parts = [background.take(slice(0, total - n))] + ([hidden.take(slice(0, n))] if n else [])
    return BoxEvents.join(parts).take(rng.permutation(total))


def _signal_events(background: BoxEvents, signal: BoxEvents, truth: Truth) -> int:
    """The least number of W' events that make up their share of the signal window."""
    low, high = (1 - WINDOW) * truth.mass, (1 + WINDOW) * truth.mass
    taken = np.arange(min(len(background), len(signal)) + 1)
    n_signal = _running_count(signal.frame["mjj"].between(low, high))[taken]
    n_background = _running_count(background.frame["mjj"].between(low, high))[len(background) - taken]
    enough = n_signal >= truth.share * (n_signal + n_background)
    # The share is met by at least one event, also where the background has none there.
    enough &= n_signal > 0
    if not enough.any():
        raise SimulationError(
            f"{len(signal)} W' events are too few for {100 * truth.share:.1f} % of the signal window.",
            remedy="Make the box with more events.",
        )
    return int(np.argmax(enough))


def _running_count(inside: pd.Series) -> np.ndarray:
    """How many of the first 0, 1, 2 ... events are inside."""
    return np.concatenate([[0], np.cumsum(inside)])
