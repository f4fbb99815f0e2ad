"""The two hardest AK8 jets of each event, and what is read of them: flat arrays, no loop over events."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from cmslabs.errors import DataError
from cmslabs.features.dijet_config import DijetConfig
from cmslabs.features.dijet_inputs import candidate_list
from cmslabs.features.dijet_kinematics import delta_phi
from cmslabs.objects.access import flat, get, has, objects, source_of

__all__ = ["Candidates", "Jets", "LeadingJets", "leading_candidates", "nearby_jets", "pick_leading"]


@dataclass(frozen=True)
class LeadingJets:
    """Which events are dijets, and which of their AK8 jets are the two.

    Attributes
    ----------
    events : ndarray of int64, shape (n,)
        Positions of the dijets among all events.
    index : ndarray of int64, shape (n, 2)
        The two jets in the event's list, the harder one first.
    row : ndarray of int64, shape (n, 2)
        The same in the list of all jets of all events.
    """

    events: np.ndarray
    index: np.ndarray
    row: np.ndarray

    def read(self, events: ak.Array, field: str) -> np.ndarray:
        """A field of ``FatJet`` for the two jets, float64, shape (n, 2)."""
        return flat(events, "FatJet", field).astype(np.float64)[self.row]


def pick_leading(events: ak.Array, config: DijetConfig) -> LeadingJets:
    """Find the two hardest AK8 jets that pass; events with fewer are no dijets.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    config : DijetConfig

    Raises
    ------
    MissingBranchError
        If ``FatJet_pt`` or ``FatJet_eta`` is not there.
    """
    jets = objects(events, "FatJet", "pt", "eta")
    counts = ak.to_numpy(ak.num(jets)).astype(np.int64)
    pt, eta = (flat(events, "FatJet", name).astype(np.float64) for name in ("pt", "eta"))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    event = np.repeat(np.arange(len(counts)), counts)
    rows = np.flatnonzero((pt > config.fat_jet_pt) & (np.abs(eta) < config.fat_jet_eta))
    # By event, then by falling pT; equal pT keep the order of the file.
    rows = rows[np.lexsort((-pt[rows], event[rows]))]
    passing = np.bincount(event[rows], minlength=len(counts))
    dijets = np.flatnonzero(passing >= 2)
    first = np.concatenate([[0], np.cumsum(passing)])[dijets]
    row = rows[np.stack([first, first + 1], axis=1)] if len(dijets) else np.zeros((0, 2), dtype=np.int64)
    return LeadingJets(dijets, row - offsets[dijets][:, None], row)


@dataclass(frozen=True)
class Jets:
    """AK4 jets of the dijets as flat columns.

    Attributes
    ----------
    dijet : ndarray of int64, shape (n_jets,)
        Which dijet each belongs to.
    pt, eta, phi : ndarray
        GeV, rad.
    distance : ndarray, shape (n_jets, 2)
        Distance from each of the two leading jets in the eta-phi plane; infinite where it was not asked for.
    n : int
        Number of dijets.
    rows : ndarray of int64
        Place in the list of all AK4 jets of all events.
    """

    dijet: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    distance: np.ndarray
    n: int
    rows: np.ndarray

    def largest(self, values: np.ndarray, chosen: np.ndarray, default: float) -> np.ndarray:
        """Largest value among the chosen jets of each dijet, or the default; shape (n,)."""
        best = np.full(self.n, -np.inf)
        np.maximum.at(best, self.dijet[chosen], values[chosen])
        return np.where(np.isfinite(best), best, default)

    def matched(self, events: ak.Array, field: str, within: float) -> np.ndarray:
        """A field of the hardest AK4 jet within a distance of each leading jet, NaN without one; shape (n, 2)."""
        values = flat(events, "Jet", field).astype(np.float64)[self.rows]
        result = np.full((self.n, 2), np.nan)
        order = np.argsort(self.pt, kind="stable")
        for jet in (0, 1):
            rising = order[self.distance[order, jet] < within]
            # The last assignment wins: that of the hardest.
            result[self.dijet[rising], jet] = values[rising]
        return result


def nearby_jets(events: ak.Array, leading: LeadingJets, with_distance: bool = True) -> Jets:
    """The AK4 jets of the dijets, and how far they are from the leading jets.

    Without `with_distance` the branches ``FatJet_phi`` and ``Jet_phi`` are not needed.
    """
    jets = objects(events, "Jet", "pt", "eta")
    counts = ak.to_numpy(ak.num(jets)).astype(np.int64)
    place = np.full(len(counts), -1)
    place[leading.events] = np.arange(len(leading.events))
    dijet = np.repeat(place, counts)
    rows = np.flatnonzero(dijet >= 0)
    dijet = dijet[rows]
    pt, eta = (flat(events, "Jet", name).astype(np.float64)[rows] for name in ("pt", "eta"))
    phi = flat(events, "Jet", "phi").astype(np.float64)[rows] if has(events, "Jet", "phi") else np.zeros(len(rows))
    distance = np.full((len(rows), 2), np.inf)
    if with_distance:
        axis_eta, axis_phi = leading.read(events, "eta")[dijet], leading.read(events, "phi")[dijet]
        distance = np.hypot(eta[:, None] - axis_eta, delta_phi(phi[:, None], axis_phi))
    return Jets(dijet, pt, eta, phi, distance, len(leading.events), rows)


@dataclass(frozen=True)
class Candidates:
    """Particles of the leading jets as flat columns.

    Attributes
    ----------
    jet : ndarray of int64, shape (n_particles,)
        ``2 * dijet`` for the harder, ``2 * dijet + 1`` for the softer jet.
    pt, eta, phi : ndarray
        GeV, rad; pT includes a weight.
    n : int
        Number of dijets.
    """

    jet: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    n: int

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum over the particles of each jet; shape (n, 2)."""
        total = np.bincount(self.jet, weights=values, minlength=2 * self.n)
        # Of an empty list numpy makes integers.
        return total.astype(np.float64).reshape(self.n, 2)

    def max(self, values: np.ndarray) -> np.ndarray:
        """Largest value in each jet, 0 without particles; shape (n, 2)."""
        best = np.zeros(2 * self.n)
        np.maximum.at(best, self.jet, values)
        return best.reshape(self.n, 2)


def leading_candidates(events: ak.Array, leading: LeadingJets, config: DijetConfig) -> Candidates:
    """The particles of the two leading jets, from the jets themselves or from a separate list.

    Particles whose pT (times weight) is 0 do not count.

    Raises
    ------
    DataError
        If a link leads to no candidate.
    """
    found = candidate_list(lambda branch: has(events, *branch.split("_", 1)))
    if found is None:
        inside = ak.flatten(events["FatJet"]["constituents"], axis=1)[leading.row.reshape(-1)]
        jet = np.repeat(np.arange(2 * len(leading.events)), ak.to_numpy(ak.num(inside)))
        columns = [ak.to_numpy(ak.flatten(inside[name])).astype(np.float64) for name in ("pt", "eta", "phi")]
    else:
        jet, columns = _linked(events, leading, found, config)
    keep = columns[0] > 0
    return Candidates(jet[keep], *(column[keep] for column in columns), len(leading.events))


def _linked(events: ak.Array, leading: LeadingJets, found: tuple[str, str, str], config: DijetConfig):
    """Follow the links jet -> candidate of a separate list."""
    links, index, candidates = found
    n_links = ak.to_numpy(ak.num(objects(events, links, "jetIdx", index)))
    n_candidates = ak.to_numpy(ak.num(objects(events, candidates, "pt", "eta", "phi")))
    event = np.repeat(np.arange(len(n_links)), n_links)
    owner, target = (flat(events, links, name).astype(np.int64) for name in ("jetIdx", index))
    bad = np.flatnonzero((target < 0) | (target >= n_candidates[event]))
    if len(bad):
        raise DataError(
            f"{len(bad)} links lead to no candidate, first in event {event[bad[0]]}.",
            where=f"{source_of(events)}, Events/{links}_{index}",
            remedy="The lists of jets and candidates do not belong together: write the file again.",
        )
    chosen = np.full((len(n_links), 2), -1)
    chosen[leading.events] = leading.index
    place = np.full(len(n_links), -1)
    place[leading.events] = np.arange(len(leading.events))
    link, jet = np.nonzero(owner[:, None] == chosen[event])
    row = (np.cumsum(n_candidates) - n_candidates)[event[link]] + target[link]
    pt, eta, phi = (flat(events, candidates, name).astype(np.float64)[row] for name in ("pt", "eta", "phi"))
    if config.puppi_weights:
        pt = pt * ak.to_numpy(ak.flatten(get(events, candidates, "puppiWeight")))[row]
    return 2 * place[event[link]] + jet, [pt, eta, phi]
