"""Efficiencies of muons from the Z peak, by tag and probe, and scale factors between data and simulation.

One muon of a Z, the tag, passes tight cuts.  The other one, the probe, is a muon because the pair has the
mass of the Z, whatever it looks like: the share of probes that pass a cut is the cut's efficiency.
Source of the method: CMS, "Performance of the CMS muon detector and muon reconstruction with
proton-proton collisions at sqrt(s) = 13 TeV", JINST 13 (2018) P06015, arXiv:1804.04528.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import awkward as ak
import numpy as np

from cmslabs.errors import DataError
from cmslabs.objects.access import get

__all__ = [
    "ABSETA_EDGES",
    "PT_EDGES",
    "Efficiency",
    "Probes",
    "ScaleFactors",
    "find_probes",
    "measure_efficiency",
    "scale_factors",
]

#: Bins of the probes: abs(eta) as CMS has them for muons; pT [GeV], few, since the bundled samples are small.
ABSETA_EDGES = (0.0, 0.9, 1.2, 2.1, 2.4)
PT_EDGES = (15.0, 35.0, 120.0)
#: Mass windows [GeV]: the peak, and the sidebands from which the background under it is estimated.
PEAK = (81.0, 101.0)
SIDEBANDS = ((71.0, 81.0), (101.0, 111.0))
TAG_PT, TAG_ISOLATION = 25.0, 0.15


@dataclass(frozen=True)
class Probes:
    """Pairs of a tag and a probe, flat; shape (n_pairs,).

    Attributes
    ----------
    mass : ndarray
        Of the pair [GeV].
    pt, abseta : ndarray
        Of the probe; pT in GeV.
    passes : ndarray of bool
        Whether the probe passes the cut.
    weight : ndarray
    """

    mass: np.ndarray
    pt: np.ndarray
    abseta: np.ndarray
    passes: np.ndarray
    weight: np.ndarray

    def select(self, mask: np.ndarray) -> Probes:
        """Some of the pairs."""
        return replace(self, **{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})


def find_probes(
    events: ak.Array, identification: str, isolation: float | None = None, weight: np.ndarray | None = None
) -> Probes:
    """Pairs of a tag and a probe of opposite charge.

    Each muon of a pair may be the tag of the other one.  If both are, both pairs count: this is what keeps
    the probes unbiased.

    Parameters
    ----------
    events : ak.Array
        With a trigger applied already.  In CMS the tag alone fires a single-muon trigger.  Two-muon paths see
        the probe, too: then the efficiency is that of muons which the trigger took, and data and simulation
        have to have the same trigger applied.
    identification : str
        A boolean branch of ``Muon``.
    isolation : float or None
        None measures the identification.  A number measures the cut ``pfRelIso04_all < isolation`` on probes
        that pass the identification.
    weight : ndarray, shape (n_events,), optional

    Returns
    -------
    Probes
    """
    muon = get(events, "Muon")
    # Probes below the first bin are of no use; this keeps the number of pairs small.
    muon = muon[muon["pt"] > PT_EDGES[0]]
    columns = {name: muon[name] for name in ("pt", "eta", "phi", "mass", "charge")}
    columns |= {"id": muon[identification], "isolation": muon["pfRelIso04_all"]}
    columns["weight"] = ak.broadcast_arrays(np.ones(len(muon)) if weight is None else weight, muon["pt"])[0]
    first, second = ak.unzip(ak.combinations(ak.zip(columns), 2))
    tag, probe = (ak.flatten(ak.concatenate(pair, axis=1)) for pair in ((first, second), (second, first)))
    good = tag["id"] & (tag["pt"] > TAG_PT) & (tag["isolation"] < TAG_ISOLATION) & (tag["charge"] != probe["charge"])
    if isolation is not None:
        good = good & probe["id"]
    tag, probe = tag[good], probe[good]
    passes = probe["id"] if isolation is None else probe["isolation"] < isolation
    return Probes(
        mass=_mass(tag, probe),
        pt=_array(probe["pt"]),
        abseta=np.abs(_array(probe["eta"])),
        passes=ak.to_numpy(passes).astype(bool),
        weight=_array(probe["weight"]),
    )


def _array(values: ak.Array) -> np.ndarray:
    return ak.to_numpy(values).astype(float)


def _mass(first: ak.Array, second: ak.Array) -> np.ndarray:
    """Invariant mass of two light particles [GeV]: m^2 = 2 pT1 pT2 (cosh(eta1 - eta2) - cos(phi1 - phi2))."""
    pt, eta, phi = (tuple(_array(one[name]) for one in (first, second)) for name in ("pt", "eta", "phi"))
    return np.sqrt(np.maximum(2 * pt[0] * pt[1] * (np.cosh(eta[0] - eta[1]) - np.cos(phi[0] - phi[1])), 0.0))


@dataclass(frozen=True)
class Efficiency:
    """Efficiency in bins of abs(eta) and pT.

    Attributes
    ----------
    value, error : ndarray, shape (n_abseta, n_pt)
        Efficiency and its statistical error, with the background subtracted.
    counted : ndarray, shape (n_abseta, n_pt)
        The same by counting in the peak, without a subtraction: another model of the background.
    probes : ndarray, shape (n_abseta, n_pt)
        Number of probes in the peak.
    """

    value: np.ndarray
    error: np.ndarray
    counted: np.ndarray
    probes: np.ndarray


def measure_efficiency(
    probes: Probes, abseta_edges: tuple[float, ...] = ABSETA_EDGES, pt_edges: tuple[float, ...] = PT_EDGES
) -> Efficiency:
    """Efficiency in bins.

    In each bin, with sums of weights in the peak (P passing, F failing) and in the sidebands (p, f), and the ratio
    k of the widths of peak and sidebands (a background that is linear in mass)::

        P' = P - k p,  F' = F - k f,  N = P' + F',  e = P' / N
        var(e) = var_W(e, N_eff) + (k + k^2) [(1 - e)^2 p2 + e^2 f2] / N^2

    p2 and f2 are sums of squared weights: the second term is what the background and its subtraction add.
    N_eff = (P + F)^2 / (sum of squared weights) x N / (P + F) is the effective number of probes, and the first term is
    Wilson's, (e (1 - e) / N_eff + 1 / (4 N_eff^2)) / (1 + 1 / N_eff)^2, which does not vanish where no probe fails
    (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, doi:10.1080/01621459.1927.10502953).

    Raises
    ------
    DataError
        If a bin has no probes left after the subtraction.
    """
    shape = (len(abseta_edges) - 1, len(pt_edges) - 1)
    bins = _bins(probes.abseta, abseta_edges) * shape[1] + _bins(probes.pt, pt_edges)
    inside = (_bins(probes.abseta, abseta_edges) >= 0) & (_bins(probes.pt, pt_edges) >= 0)
    peak = _between(probes.mass, PEAK)
    side = np.logical_or.reduce([_between(probes.mass, window) for window in SIDEBANDS])

    def total(mask: np.ndarray, power: int = 1) -> np.ndarray:
        mask = mask & inside
        return np.bincount(bins[mask], probes.weight[mask] ** power, shape[0] * shape[1]).reshape(shape)

    k = (PEAK[1] - PEAK[0]) / sum(high - low for low, high in SIDEBANDS)
    passing, failing = total(peak & probes.passes), total(peak & ~probes.passes)
    passing_side, failing_side = total(side & probes.passes), total(side & ~probes.passes)
    number = passing + failing - k * (passing_side + failing_side)
    if (number <= 0).any():
        where = np.argwhere(number <= 0)[0]
        low, high = abseta_edges[where[0]], abseta_edges[where[0] + 1]
        raise DataError(
            f"no probes are left at abs(eta) {low:g} to {high:g}, pT {pt_edges[where[1]]:g} to "
            f"{pt_edges[where[1] + 1]:g} GeV.",
            remedy="Use more events or wider bins.",
        )
    value = np.clip((passing - k * passing_side) / number, 0.0, 1.0)
    effective = (passing + failing) * number / total(peak, 2)
    wilson = (value * (1 - value) / effective + 1 / (4 * effective**2)) / (1 + 1 / effective) ** 2
    subtraction = (1 - value) ** 2 * total(side & probes.passes, 2) + value**2 * total(side & ~probes.passes, 2)
    error = np.sqrt(wilson + (k + k**2) * subtraction / number**2)
    return Efficiency(value, error, passing / (passing + failing), total(peak, 0).astype(int))


def _bins(values: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """Index of the bin of each value; -1 outside."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where(index < len(edges) - 1, index, -1)


def _between(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    return (values >= window[0]) & (values < window[1])


@dataclass(frozen=True)
class ScaleFactors:
    """Data over simulation in bins of abs(eta) and pT; shape (n_abseta, n_pt) each.

    Attributes
    ----------
    value : ndarray
    stat : ndarray
        Statistical error of both samples.
    syst : ndarray
        How much the value moves if the background is not subtracted.
    """

    value: np.ndarray
    stat: np.ndarray
    syst: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Both errors in quadrature: what `up` and `down` mean."""
        return np.hypot(self.stat, self.syst)


def scale_factors(data: Efficiency, simulation: Efficiency) -> ScaleFactors:
    """SF = e_data / e_sim, with (stat / SF)^2 = (s_data / e_data)^2 + (s_sim / e_sim)^2."""
    value = data.value / simulation.value
    stat = value * np.hypot(data.error / data.value, simulation.error / simulation.value)
    return ScaleFactors(value, stat, np.abs(data.counted / simulation.counted - value))
