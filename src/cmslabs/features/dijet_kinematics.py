"""The 17 observables that are functions of the other 44."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from cmslabs.errors import MissingBranchError
from cmslabs.features.observables import observable
from cmslabs.features.substructure import tau_ratio

__all__ = ["delta_phi", "derive", "rapidity"]

Columns = Mapping[str, np.ndarray]


def derive(base: Columns, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Compute observables that follow from others.

    Parameters
    ----------
    base : mapping of str to ndarray, shape (n,)
        Measured observables, a dict or a DataFrame; GeV, rad.
    names : iterable of str
        Any observables; those that are measured are passed on.

    Returns
    -------
    dict of ndarray, float64
        In the order of `names`.

    Raises
    ------
    MissingBranchError
        If an input is not in `base`; observable and input are named.

    Examples
    --------
    >>> import numpy as np
    >>> two = {"met": np.array([60.0, 5.0]), "ht": np.array([900.0, 0.0])}
    >>> derive(two, ["met_over_sqrt_ht"])["met_over_sqrt_ht"].tolist()
    [2.0, 0.0]
    """
    result = {}
    for name in names:
        row = observable(name)
        for needed in row.inputs or (name,):
            if needed not in base:
                raise MissingBranchError(
                    f"the observable {name} needs {needed}, which is not there.",
                    remedy="Give it, or leave out what depends on it.",
                )
        result[name] = _compute(name, base) if row.inputs else np.asarray(base[name], dtype=np.float64)
    return result


def _compute(name: str, base: Columns) -> np.ndarray:
    values = {key: np.asarray(base[key], dtype=np.float64) for key in observable(name).inputs}
    kind, _, jet = name.rpartition("_")
    if jet in ("j1", "j2"):
        return _PER_JET[kind]({key.removesuffix(f"_{jet}"): value for key, value in values.items()})
    return _EVENT[name](values)


def rapidity(pt: np.ndarray, eta: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Rapidity from pT, pseudorapidity and mass [GeV]: ``asinh(pz / mT)``, exact also for large momenta.

    Examples
    --------
    >>> float(rapidity(100.0, 1.5, 0.0))
    1.5
    """
    return np.arcsinh(pt * np.sinh(eta) / np.hypot(pt, mass))


def delta_phi(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance in azimuth, in [0, pi] rad.

    Examples
    --------
    >>> round(float(delta_phi(3.1, -3.1)), 4)
    0.0832
    """
    return np.abs((np.asarray(first) - np.asarray(second) + np.pi) % (2 * np.pi) - np.pi)


def _rapidities(v: Columns) -> tuple[np.ndarray, np.ndarray]:
    first, second = (rapidity(v[f"pt_{j}"], v[f"eta_{j}"], v[f"mass_{j}"]) for j in ("j1", "j2"))
    return first, second


def _mjj(v: Columns) -> np.ndarray:
    # In transverse masses and rapidities: no difference of two large numbers.
    first, second = _rapidities(v)
    transverse = np.hypot(v["pt_j1"], v["mass_j1"]) * np.hypot(v["pt_j2"], v["mass_j2"])
    product = transverse * np.cosh(first - second) - v["pt_j1"] * v["pt_j2"] * np.cos(v["phi_j1"] - v["phi_j2"])
    return np.sqrt(np.maximum(v["mass_j1"] ** 2 + v["mass_j2"] ** 2 + 2 * product, 0.0))


def _pt_jj(v: Columns) -> np.ndarray:
    cosine = np.cos(v["phi_j1"] - v["phi_j2"])
    squared = v["pt_j1"] ** 2 + v["pt_j2"] ** 2 + 2 * v["pt_j1"] * v["pt_j2"] * cosine
    return np.sqrt(np.maximum(squared, 0.0))


def _asymmetry(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total), where=total != 0)


def _over_root(v: Columns) -> np.ndarray:
    met, ht = v["met"], v["ht"]
    return np.divide(met, np.sqrt(ht, where=ht > 0, out=np.ones_like(ht)), out=np.zeros_like(met), where=ht > 0)


_PER_JET = {
    "mass_over_pt": lambda v: np.divide(v["mass"], v["pt"], out=np.full_like(v["pt"], np.nan), where=v["pt"] > 0),
    "tau21": lambda v: tau_ratio(v["tau2"], v["tau1"]),
    "tau32": lambda v: tau_ratio(v["tau3"], v["tau2"]),
}
_EVENT = {
    "mjj": _mjj,
    "delta_eta": lambda v: np.abs(v["eta_j1"] - v["eta_j2"]),
    "delta_phi": lambda v: delta_phi(v["phi_j1"], v["phi_j2"]),
    "delta_r": lambda v: np.hypot(v["eta_j1"] - v["eta_j2"], delta_phi(v["phi_j1"], v["phi_j2"])),
    "pt_jj": _pt_jj,
    "y_boost": lambda v: sum(_rapidities(v)) / 2,
    "y_star": lambda v: np.subtract(*_rapidities(v)) / 2,
    "chi": lambda v: np.exp(np.abs(np.subtract(*_rapidities(v)))),
    "pt_asymmetry": lambda v: _asymmetry(v["pt_j1"], v["pt_j2"]),
    "mass_asymmetry": lambda v: np.abs(_asymmetry(v["mass_j1"], v["mass_j2"])),
    "met_over_sqrt_ht": _over_root,
}
