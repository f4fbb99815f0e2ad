"""The bump hunt behind a selection, calibrated there again.

A selection that knows the mass leaves a spectrum that no smooth family may describe.  The hunt's own toys are drawn
from the family that fitted best, and know nothing of this: excesses are then promised to be rarer than they are.  So
toys are drawn once more, from the spectrum *before* the selection times the share of events that pass, and each of
them goes through the whole hunt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cmslabs.errors import DataError
from cmslabs.evaluation.bumphunt import BumpHunt, bump_hunt
from cmslabs.evaluation.lookelsewhere import ENOUGH, Toys, run_toys
from cmslabs.evaluation.validation.common import checked_pair, permutation_p, plain, require_resolution, tail_size
from cmslabs.evaluation.validation.efficiency_curve import STIFF, EfficiencyCurve, fit_efficiency
from cmslabs.jobs import chunk_seed
from cmslabs.plotting.binned import as_spectrum

__all__ = ["TailHunt", "hunt_in_tail"]

#: Around the best window, in its widths, events do not say which share passes: there might be a signal.
_MASK = 3.0
#: Parameters of the share that passes, where events without a signal show it.
FLEXIBLE = (20,)
#: Variations of the share that passes, and toys of all of them together after which there is a pause to count.
_CURVES, _ROUND = 20, 200


@dataclass(frozen=True)
class TailHunt:
    """Result of `hunt_in_tail`.

    Attributes
    ----------
    before, behind : BumpHunt
        The hunts in all events and in those that pass; `behind.global_p` is not calibrated.
    threshold : float
        An event passes if its score is this or more.
    n_pass : int
    efficiency : EfficiencyCurve
        Share of the events that pass.
    expected : ndarray, shape (n_bins,)
        Spectrum of passing events without a signal.
    toys : Toys
        Drawn from it, and from variations within the uncertainty of `efficiency`.
    alpha : float
        Probability of a false alarm.
    """

    before: BumpHunt
    behind: BumpHunt
    threshold: float
    n_pass: int
    efficiency: EfficiencyCurve
    expected: np.ndarray
    toys: Toys = field(repr=False)
    alpha: float

    @property
    def n_above(self) -> int:
        """Toys with an excess like the one behind the selection, or a stronger one."""
        return int((self.toys.largest >= self.behind.local_significance).sum())

    @property
    def p_value(self) -> float:
        """The calibrated global p-value: counted, never extrapolated, and so not below 1 / (toys + 1).

        The asymptotic formula that continues the hunt's own p-value holds for spectra that a family describes.
        """
        return permutation_p(self.behind.local_significance, self.toys.largest)

    @property
    def is_bound(self) -> bool:
        """Whether fewer than 100 toys are beyond: the p-value may be smaller, and n_toys >= 100 / p does not hold."""
        return self.n_above < ENOUGH

    @property
    def verdict(self) -> str:
        """ "excess", or "nothing"."""
        return "excess" if self.p_value <= self.alpha else "nothing"

    @property
    def alarm(self) -> bool:
        """Whether there is an excess that background with this selection does not explain."""
        return self.verdict == "excess"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON."""
        facts = {name: getattr(self, name) for name in ("verdict", "p_value", "alpha", "threshold", "n_pass")}
        hunts = {"before": self.before.summary(), "behind": self.behind.summary()}
        toys = {"n_toys": len(self.toys), "n_above": self.n_above, "is_bound": self.is_bound}
        curve = {"efficiency_parameters": self.efficiency.n_parameters}
        return plain({"study": "hunt", **facts, **toys, **curve, **hunts})


def hunt_in_tail(
    scores: Any,
    mass: Any,
    edges: Any,
    *,
    threshold: float | None = None,
    fraction: float = 0.01,
    reference: tuple[Any, Any] | None = None,
    n_parameters: Sequence[int] | None = None,
    max_toys: int = 2000,
    alpha: float = 0.05,
    seed: int = 0,
    **options: Any,
) -> TailHunt:
    """Look for a bump among the events with the highest scores.

    Parameters
    ----------
    scores, mass : array_like, shape (n_events,)
        Masses in GeV.
    edges : array_like, shape (n_bins + 1,)
        Mass bins [GeV]; events outside are left out.
    threshold : float, optional
        From validation events (`cmslabs.evaluation.validation.tails`); by default the one that the top `fraction` of
        these events passes.
    reference : (scores, mass), optional
        Events without a signal that say which share passes at which mass: simulation, for example.  By default the
        events themselves, without those around the strongest excess.
    n_parameters : sequence of int, optional
        How flexible the share of passing events may be, as a function of the mass: by default the best of 1 to 4
        parameters, which cannot follow a peak, or 20 if there are reference events.
    max_toys : int
        Of each hunt, and of the calibration.
    alpha : float
    seed : int
    **options
        For `cmslabs.evaluation.bumphunt.bump_hunt`, which also names its errors.

    Returns
    -------
    TailHunt

    Raises
    ------
    DataError
        If the arrays are no finite numbers of the same events, or nothing is left of them.

    Notes
    -----
    Without `reference`, a selection with a sharp turn-on in the mass is not calibrated: four parameters do not follow
    it, and it looks like an excess.  That is what `cmslabs.evaluation.validation.sculpting` is to be asked first.

    The threshold, the families and the bins must not have been chosen by what the tail looks like; a hunt after a look
    is exploratory, and should be called so.
    """
    require_resolution(max_toys, alpha)
    scores, mass = checked_pair(scores, mass)
    edges = np.asarray(edges, dtype=float)
    inside = (mass >= edges[0]) & (mass < edges[-1])
    scores, mass = scores[inside], mass[inside]
    if threshold is None:
        k = tail_size(fraction, len(scores))
        if k < 1:
            raise DataError(
                f"the top {100 * fraction:g} % of {len(scores)} events is empty.", remedy="Use more events."
            )
        threshold = float(np.sort(scores)[-k])
    passes = scores >= threshold
    before = bump_hunt(as_spectrum(mass, edges), max_toys=max_toys, seed=seed, **options)
    behind = bump_hunt(as_spectrum(mass[passes], edges), max_toys=max_toys, seed=seed, **options)
    if reference is None:
        beside = np.abs(mass - behind.mass) > _MASK * behind.width
        curve = fit_efficiency(mass[beside], passes[beside], n_parameters or STIFF)
    else:
        known_scores, known_mass = checked_pair(*reference)
        used = (known_mass >= edges[0]) & (known_mass < edges[-1])
        curve = fit_efficiency(known_mass[used], known_scores[used] >= threshold, n_parameters or FLEXIBLE)
    expected = _expected(before, behind, curve)
    toys = _toys(before, behind, curve, max_toys, seed)
    return TailHunt(
        before=before,
        behind=behind,
        threshold=float(threshold),
        n_pass=int(passes.sum()),
        efficiency=curve,
        expected=expected,
        toys=toys,
        alpha=alpha,
    )


def _expected(before: BumpHunt, behind: BumpHunt, curve: EfficiencyCurve) -> np.ndarray:
    """The background before the selection times the share that passes, with as many events as there are behind it."""
    expected = before.background * curve.in_bins(np.asarray(behind.spectrum.edges, dtype=float))
    return expected * (behind.visible.sum() / expected[behind.analysis.used].sum())


def _toys(before: BumpHunt, behind: BumpHunt, curve: EfficiencyCurve, max_toys: int, seed: int) -> Toys:
    """Spectra behind the selection, without a signal; the share that passes varies among them as its fit allows."""
    rng = np.random.default_rng(chunk_seed(seed, 0))
    curves = [curve.varied(rng) for _ in range(min(_CURVES, max_toys))]
    found: list[Toys] = []
    done = number = 0
    while done < max_toys:
        for one in curves:
            size = min(max(1, _ROUND // len(curves)), max_toys - done)
            if size < 1:
                break
            number += 1
            expected = _expected(before, behind, one)
            found.append(run_toys(behind.analysis, expected, chunk_seed(seed, number), size))
            done += size
        if sum(int((toys.largest >= behind.local_significance).sum()) for toys in found) >= ENOUGH:
            break
    weights = [len(toys) for toys in found]
    return Toys(
        np.concatenate([toys.largest for toys in found]),
        np.concatenate([toys.fit_p for toys in found]),
        np.average([toys.excursions for toys in found], axis=0, weights=weights),
    )
