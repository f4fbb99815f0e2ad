"""Which events each systematic selects, with their weights and columns.

Variations of weights share the nominal events.  A shift of the muons' pT moves objects: the selection runs again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import awkward as ak
import numpy as np

from cmslabs.objects.access import get
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.channels import CHANNELS, Selected
from cmslabs.selection.corrections import Corrections
from cmslabs.selection.inputs import DatasetInfo
from cmslabs.selection.weights import EventWeights, event_weights

__all__ = ["IDENTIFIERS", "Choice", "generator_weight", "make_choices", "near_threshold"]

#: Columns that say which event a row of the table is.
IDENTIFIERS = ("run", "luminosityBlock", "event")


@dataclass(frozen=True)
class Choice:
    """The selected events of one systematic.

    Attributes
    ----------
    systematic : str
        ``nominal``, ``muonScaleUp`` or ``muonScaleDown``.
    events : ak.Array, shape (n_events,)
        The events that were looked at.
    selected : Selected
        What the channel made of them.
    rows : ndarray of int, shape (n_selected,)
        Those that pass everything.
    event_weights : EventWeights
        Of the rows, without any scale.
    scale : float
        L x sigma x K / sum of weights.
    """

    systematic: str
    events: ak.Array
    selected: Selected
    rows: np.ndarray
    event_weights: EventWeights
    scale: float

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """Systematic -> full weights of the rows; a variation that moved objects has only its own nominal ones."""
        varied = self.event_weights.variations if self.systematic == "nominal" else {}
        whole = {self.systematic: self.event_weights.nominal, **varied}
        return {name: weight * self.scale for name, weight in whole.items()}

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return {}

    def column(self, name: str) -> np.ndarray:
        """A column of the channel, at the rows; 32 bits, as in NanoAOD, for histograms and table alike."""
        if name not in self._columns:
            values = self.selected.columns[name][self.rows]
            self._columns[name] = values.astype(np.float32) if values.dtype.kind == "f" else values
        return self._columns[name]

    def table(self, columns: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Identifiers, weights and columns of the rows, and their units; all columns if `columns` is empty."""
        wanted = columns or tuple(self.selected.units)
        values = {name: ak.to_numpy(get(self.events, name))[self.rows] for name in IDENTIFIERS}
        for name, weight in self.weights.items():
            values["weight" if name == self.systematic else f"weight_{name}"] = weight
        units = dict.fromkeys(values, "1") | {name: self.selected.units[name] for name in wanted}
        return values | {name: self.column(name) for name in wanted}, units


def make_choices(
    events: ak.Array,
    before: Mapping[str, np.ndarray],
    selected: Selected,
    analysis: Analysis,
    info: DatasetInfo,
    corrections: Corrections | None = None,
) -> list[Choice]:
    """What the nominal selection takes, and what it takes with muons of more and of less pT.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    before : mapping of str to ndarray of bool, shape (n_events,)
        Cuts that do not depend on objects.
    selected : Selected
        The channel's nominal answer.
    analysis, info, corrections
        As in `SelectionProcessor`.

    Returns
    -------
    list of Choice
        The nominal one first; data has no other.
    """
    passed = np.logical_and.reduce([np.ones(len(events), dtype=bool), *before.values()])
    nominal = _choose("nominal", events, selected, passed, analysis, info, corrections)
    return [nominal, *_varied(events, selected, passed, analysis, info, corrections)]


def generator_weight(events: ak.Array, analysis: Analysis, info: DatasetInfo) -> np.ndarray:
    """genWeight of every event, or 1 for data and where nobody asks for it; shape (n_events,)."""
    if info.is_data:
        return np.ones(len(events))
    alone = analysis.model_copy(update={"weights": tuple({"genWeight"} & set(analysis.weights))})
    return event_weights(events, alone, None, None).nominal


def _choose(
    systematic: str,
    events: ak.Array,
    selected: Selected,
    passed: np.ndarray,
    analysis: Analysis,
    info: DatasetInfo,
    corrections: Corrections | None,
) -> Choice:
    rows = np.flatnonzero(passed & selected.mask)
    kind = "data" if info.is_data else "simulation"
    weights = event_weights(events[rows], analysis, corrections, selected.muons[rows], kind)
    return Choice(systematic, events, selected, rows, weights, info.scale)


def _varied(
    events: ak.Array,
    selected: Selected,
    passed: np.ndarray,
    analysis: Analysis,
    info: DatasetInfo,
    corrections: Corrections | None,
) -> Iterator[Choice]:
    shift = analysis.systematics.muon_scale
    if shift is None or info.is_data:
        return
    counted = next(iter(selected.cuts.values()))
    rows = np.flatnonzero(passed & (counted | near_threshold(events, analysis.muons.pt, shift)))
    inside, all_of_them = events[rows], np.ones(len(rows), dtype=bool)
    for systematic, factor in (("muonScaleUp", 1 + shift), ("muonScaleDown", 1 - shift)):
        varied = CHANNELS[analysis.channel].apply(inside, analysis, factor)
        yield _choose(systematic, inside, varied, all_of_them, analysis, info, corrections)


def near_threshold(events: ak.Array, threshold: float, shift: float) -> np.ndarray:
    """Events with a muon that a relative `shift` of its pT, up or down, can carry over the `threshold` [GeV].

    All others have the same muons whatever the shift, so that the first cut of a channel, which counts objects,
    decides as it does without: only these and the events that pass that cut have to be looked at again.

    Examples
    --------
    >>> events = ak.Array([{"Muon": [{"pt": 5.005}]}, {"Muon": [{"pt": 5.2}, {"pt": 4.0}]}, {"Muon": []}])
    >>> near_threshold(events, 5.0, 0.002)
    array([ True, False, False])
    """
    pt = get(events, "Muon", "pt")
    # A little wider: pT has 32 bits.
    near = (pt * (1 + shift) > threshold * (1 - 1e-6)) & (pt * (1 - shift) < threshold * (1 + 1e-6))
    return ak.to_numpy(ak.any(near, axis=1))
