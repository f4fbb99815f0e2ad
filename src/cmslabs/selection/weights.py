"""Event weights of simulation: what an event counts, and what it would count if a factor were up or down.

weight = genWeight x pile-up x prefiring x product over muons (identification x isolation)

Luminosity x cross-section / sum of weights is no property of an event and comes later, in the runner.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError, MissingBranchError
from cmslabs.objects.access import branch_name, get, source_of
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.correction_file import check_finite
from cmslabs.selection.corrections import Corrections, MissingCorrectionError, Varied

__all__ = ["EventWeights", "WeightSums", "event_weights"]


@dataclass(frozen=True)
class WeightSums:
    """Sums over the weights of some events; they can be added.

    Attributes
    ----------
    events, negative : int
        How many events there are, and how many of them have a negative weight.
    sumw, sumw2 : float
        Sum of the weights and of their squares.
    """

    events: int = 0
    negative: int = 0
    sumw: float = 0.0
    sumw2: float = 0.0

    @classmethod
    def of(cls, weights: np.ndarray) -> WeightSums:
        """Sums over an array of shape (n_events,)."""
        weights = np.asarray(weights, dtype=float)
        # fsum does not depend on the order of the events, and so not on the size of the chunks of one call.
        return cls(len(weights), int((weights < 0).sum()), math.fsum(weights), math.fsum(weights**2))

    def __add__(self, other: WeightSums) -> WeightSums:
        return WeightSums(
            self.events + other.events,
            self.negative + other.negative,
            self.sumw + other.sumw,
            self.sumw2 + other.sumw2,
        )

    @property
    def effective(self) -> float:
        """Effective number of events, (sum w)^2 / sum w^2: so many events of weight 1 have the same relative error.

        With a share f of weights -1 among weights +1 it is (1 - 2 f)^2 of the number of events.

        Examples
        --------
        >>> WeightSums.of([1, 1, 1, -1]).effective
        1.0
        """
        return 0.0 if self.sumw2 == 0 else self.sumw**2 / self.sumw2


@dataclass(frozen=True)
class EventWeights:
    """Weights of one chunk of events.

    Attributes
    ----------
    nominal : ndarray, shape (n_events,)
    variations : dict of ndarray
        ``pileupUp``, ``pileupDown``, ...: full weights, `nominal` with one factor replaced.  Those of a weight that
        was left out are `nominal`: files with it and files without it can then be added.
    steps : dict of ndarray
        The factors, whose product is `nominal`.
    skipped : dict of str
        Weight -> why it was left out, where the analysis allows that.
    counts : dict of int
        How often a rule for values outside of a map was used, over all events of the chunk.
    """

    nominal: np.ndarray
    variations: dict[str, np.ndarray] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def event_weights(
    events: Any,
    analysis: Analysis,
    corrections: Corrections | None,
    muons: ak.Array | None,
    kind: Literal["simulation", "data"] = "simulation",
) -> EventWeights:
    """Weights of a chunk of events.

    Parameters
    ----------
    events : ak.Array or NanoEvents, shape (n_events,)
    analysis : Analysis
        Its `weights` says which there are, its `muons` which scale factors, its `missing.weights` whether a
        weight that cannot be had is an error.
    corrections : Corrections or None
        None is as good as an empty file.
    muons : ak.Array, shape (n_events, var), or None
        The selected muons of the candidate, with ``pt`` [GeV] and ``eta``.  Only their efficiencies enter: an
        event without any gets the factor 1.
    kind : "simulation" or "data"
        Data gets weight 1 and no variations.

    Raises
    ------
    MissingBranchError, MissingCorrectionError
        If a weight lacks its branch or correction and `missing.weights` is ``error``.
    DataError
        If a branch holds a value that is not finite, or a muon lies beyond the scale factors.
    """
    if kind == "data":
        return EventWeights(np.ones(len(events)))
    makers: dict[str, Callable[[], Varied | np.ndarray | None]] = {
        "genWeight": lambda: _read(events, "genWeight"),
        "pileup": lambda: _need(corrections).pileup(_read(events, "Pileup", "nTrueInt")),
        "prefiring": lambda: _prefiring(events),
        "muonId": lambda: _per_event(muons, lambda pt, eta: _need(corrections).muon_id(analysis.muons, pt, eta)),
        "muonIso": lambda: _per_event(muons, lambda pt, eta: _need(corrections).muon_iso(analysis.muons, pt, eta)),
    }
    asked = [name for one in analysis.weights for name in (("muonId", "muonIso") if one == "muon" else (one,))]
    steps: dict[str, Varied | np.ndarray] = {}
    skipped: dict[str, str] = {}
    for name in dict.fromkeys(asked):
        try:
            made = makers[name]()
        except (MissingBranchError, MissingCorrectionError) as error:
            if analysis.missing.weights == "error":
                raise
            skipped[name] = str(error)
            continue
        if made is not None:
            steps[name] = made
    varied = [name for name in dict.fromkeys(asked) if name != "genWeight" and (name in steps or name in skipped)]
    return _combine(steps, skipped, varied, len(events))


def _combine(
    steps: dict[str, Varied | np.ndarray], skipped: dict[str, str], varied: list[str], n_events: int
) -> EventWeights:
    """Multiply the factors; in a variation one of them is replaced, if it is there."""
    factors = {name: step.nominal if isinstance(step, Varied) else step for name, step in steps.items()}
    variations, counts = {}, {}
    for name in varied:
        step = steps.get(name)
        for label in ("Up", "Down"):
            other = {} if step is None else {name: step.up if label == "Up" else step.down}
            variations[f"{name}{label}"] = _product(factors | other, n_events)
        if step is not None:
            counts |= {f"{name} {rule}": count for rule, count in step.counts.items()}
    return EventWeights(_product(factors, n_events), variations, factors, skipped, counts)


def _product(factors: dict[str, np.ndarray], n_events: int) -> np.ndarray:
    result = np.ones(n_events)
    for values in factors.values():
        result = result * values
    return result


def _need(corrections: Corrections | None) -> Corrections:
    return Corrections({}, {}) if corrections is None else corrections


def _read(events: Any, collection: str, name: str | None = None) -> np.ndarray:
    """One number per event, finite."""
    values = np.asarray(ak.to_numpy(get(events, collection, name)), dtype=float)
    check_finite(values, "the value", f"{source_of(events)}, Events/{branch_name(collection, name)}")
    return values


def _prefiring(events: Any) -> Varied:
    """Probability that no trigger of the wrong bunch crossing took the event's place, as CMS stores it.

    ``Up`` is the probability of prefiring varied up: the weight is lower.

    Source: CMS, "Performance of the CMS Level-1 trigger in proton-proton collisions at 13 TeV", JINST 15
    (2020) P10017, arXiv:2006.10165.
    """
    return Varied(*(_read(events, "L1PreFiringWeight", name) for name in ("Nom", "Up", "Dn")))


def _per_event(muons: ak.Array | None, factor: Callable[[np.ndarray, np.ndarray], Varied | None]) -> Varied | None:
    """Product of the factors of an event's muons.

    All muons and all bins are varied together.  That is right for what the bins have in common, and more than
    enough for their statistical errors.
    """
    if muons is None:
        raise ConfigError(
            "the weight 'muon' needs the selected muons.",
            where="weights",
            remedy="Take 'muon' out of the weights of an analysis without muons.",
        )
    counts = ak.num(muons["pt"])
    found = factor(*(ak.to_numpy(ak.flatten(muons[name])) for name in ("pt", "eta")))
    if found is None:
        return None
    products = (
        ak.to_numpy(ak.prod(ak.unflatten(values, counts), axis=1)) for values in (found.nominal, found.up, found.down)
    )
    return Varied(*products, found.counts)
