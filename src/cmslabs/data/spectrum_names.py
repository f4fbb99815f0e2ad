"""What the columns of a table with a spectrum are called: bins, values, errors, and masses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from cmslabs.errors import DataError

__all__ = ["binned_columns", "mass_columns", "quantity_of", "unit_of", "weight_columns"]

#: Masses by what they are the mass of; names in lower case, words joined by underscores.
_MASSES = {
    "Mass": "m mass invariant_mass inv_mass invmass minv m_inv",
    "Dijet mass": "mjj m_jj mass_jj dijet_mass m_dijet",
    "Trijet mass": "mjjj m_jjj trijet_mass",
    "Dilepton mass": "mll m_ll mass_ll dilepton_mass",
    "Dimuon mass": "mmumu m_mumu mmm mumu_mass dimuon_mass m_mu_mu",
    "Dielectron mass": "mee m_ee ee_mass dielectron_mass",
    "Diphoton mass": "mgg m_gg mgamgam mgammagamma diphoton_mass m_gamma_gamma myy m_yy",
    "Four-lepton mass": "m4l m_4l mllll four_lepton_mass mass_4l m4mu m_4mu",
    "Top-quark pair mass": "mtt m_tt mttbar m_ttbar",
}
_QUANTITY = {name: quantity for quantity, names in _MASSES.items() for name in names.split()}
_COUNTS = ("count", "counts", "events", "entries", "n_events", "nevents", "number_of_events")
_WORDS = {
    "centre": "x centre center centres centers bin_centre bin_center bincentre bincenter bin_centres bin_centers "
    "x_centre x_center mid middle midpoint bin_mid",
    "low": "low lo left lower low_edge left_edge lower_edge edge_low bin_low bin_lo bin_left bin_min xlow x_low xlo "
    "xmin x_min min from",
    "high": "high hi right upper high_edge right_edge upper_edge edge_high bin_high bin_hi bin_right bin_max xhigh "
    "x_high xhi xmax x_max max to",
    "width": "width widths bin_width bin_widths binwidth bin_widths_1d dx delta_x x_width",
    "value": "y value values n observed data n_obs nobs content bin_content yield",
    "up": "up plus",
    "down": "down dn minus",
    "error": "error errors err yerr y_err y_error yerror ey dy sigma unc uncertainty stat stat_error stat_err stat_unc "
    "error_stat value_error count_error",
}
_ROLES = {role: set(words.split()) for role, words in _WORDS.items()}
_ROLES["value"] |= set(_COUNTS)
_ROLES["up"] |= {f"{of}{way}" for of, way in product(("y", "y_", "value_"), ("up", "plus"))}
_ROLES["down"] |= {f"{of}{way}" for of, way in product(("y", "y_", "value_"), ("down", "dn", "minus"))}
for _of in ("err_", "error_", "yerr_", "y_err_", "y_error_", "stat_", "unc_", "uncertainty_"):
    _ROLES["up"] |= {f"{_of}{way}" for way in ("up", "plus", "high", "hi", "upper")}
    _ROLES["down"] |= {f"{_of}{way}" for way in ("down", "dn", "minus", "low", "lo", "lower")}
#: Columns of a table without such names: by position, if the reader is told that it holds bins.
_BY_POSITION = {3: ("centre", "width", "value"), 5: ("centre", "width", "value", "up", "down")}


def _plain(name: str) -> str:
    """A column's name in lower case, without its unit: "M(jj) [GeV] LOW" is "m_jj_low", "stat +" is "stat_plus"."""
    name = re.sub(r"\[.*?\]|\(\s*[TGM]eV[^)]*\)", " ", name.replace("\ufeff", ""), flags=re.IGNORECASE).lower()
    name = re.sub(r"\+\s*$", " plus", re.sub(r"-\s*$", " minus", name))
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")


def _role(name: str) -> str | None:
    plain = _plain(name)
    found = next((role for role, names in _ROLES.items() if plain in names), None)
    if found is None and (ending := re.fullmatch(r"(\w+)_(low|lo|min|high|hi|max)", plain)):
        # HEPData calls the edges of its bins by the quantity: "M [GeV] LOW".
        return ("low" if ending[2] in ("low", "lo", "min") else "high") if ending[1] in _QUANTITY else None
    return "centre" if found is None and plain in _QUANTITY else found


def binned_columns(names: Sequence[str], path, *, told: bool = False) -> dict[str, str]:
    """Which column plays which role: centre, low, high, width, value, up, down, error.

    Parameters
    ----------
    names : sequence of str
        The table's columns.
    path : path-like
        For the message.
    told : bool
        The reader is told that the table holds bins.  Then three columns are centre, width, count, and five are
        centre, width, value, up, down, if their names say nothing.  Otherwise the names must leave no doubt.

    Returns
    -------
    dict
        Role to column; empty where the names make no spectrum.

    Raises
    ------
    DataError
        If two columns may play the same role.

    Examples
    --------
    >>> binned_columns(["Bin centre [GeV]", "Events"], "x.csv")
    {'centre': 'Bin centre [GeV]', 'value': 'Events'}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        if (role := _role(name)) is not None:
            found.setdefault(role, []).append(name)
    roles = set(found)
    if "value" not in roles or not ("centre" in roles or {"low", "high"} <= roles):
        return dict(zip(_BY_POSITION.get(len(names), ()), names, strict=False)) if told else {}
    # A mass and a "y" may be anything; with a width, edges or errors they are a spectrum.
    clear = {"low", "high"} <= roles or roles & {"width", "up", "down", "error"}
    if not (told or clear or (len(names) == 2 and _plain(found["value"][0]) in _COUNTS)):
        return {}
    for role, several in found.items():
        if len(several) > 1:
            raise DataError(
                f"the columns {' and '.join(map(repr, several))} may both be the bins' {role}.",
                where=path,
                remedy="Rename or remove one of them.",
            )
    return {role: several[0] for role, several in found.items()}


def mass_columns(names: Sequence[str]) -> list[str]:
    """The columns that are called like a mass of the whole event."""
    return [name for name in names if _plain(name) in _QUANTITY]


def weight_columns(names: Sequence[str]) -> list[str]:
    """The columns that are called like a weight of the whole event.

    Examples
    --------
    >>> weight_columns(["mjj", "weight", "genWeight", "lightweight"])
    ['weight', 'genWeight']
    """
    return [name for name in names if re.fullmatch(r"((gen|event|evt|mc)_?)?(weights?|wgt)", _plain(name))]


def quantity_of(name: str) -> str:
    """What a column holds, as it stands on an axis; a name that we do not know stands for itself.

    Examples
    --------
    >>> quantity_of("mjj"), quantity_of("M [GeV]"), quantity_of("bin_centre"), quantity_of("MET")
    ('Dijet mass', 'Mass', 'Mass', 'MET')
    """
    plain = re.sub(r"_(low|lo|min)$", "", _plain(name))
    if plain in _QUANTITY:
        return _QUANTITY[plain]
    return "Mass" if _role(name) in ("centre", "low") else name


def unit_of(name: str) -> str | None:
    """The unit in brackets behind a column's name: TeV, GeV or MeV; None where there is none.

    Examples
    --------
    >>> unit_of("M(jj) [TeV]"), unit_of("mjj")
    ('TeV', None)
    """
    found = re.search(r"[\[(]\s*([TGM]eV)", name, flags=re.IGNORECASE)
    return None if found is None else f"{found[1][0].upper()}eV"
