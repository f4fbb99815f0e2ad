"""The catalogue of 61 dijet observables, the sets that are chosen from it, and its table for people.

The list is this course's own.  Many of its entries are functions of others: a density on all 61 does not
exist.  The set ``dijet_flow`` is a subset on which one does.
"""

from __future__ import annotations

from collections.abc import Iterable

from cmslabs.errors import ConfigError, close_names
from cmslabs.features.observable_table import CANDIDATES, ROWS, Observable

__all__ = [
    "CATALOGUE",
    "FLOW_CONTEXT",
    "SETS",
    "Observable",
    "base_observables",
    "flagged",
    "observable",
    "observable_names",
    "observables_markdown",
]

#: Name -> record, in the order of the columns.
CATALOGUE: dict[str, Observable] = {row.name: row for row in ROWS}

#: Named sets.  ``dijet61``: the whole catalogue.  ``dijet_nanoaod``: what the standard branches of NanoAODv9 give,
#: the energy fractions being those of the matched AK4 jet.  ``dijet_flow``: an independent subset for densities.
SETS: dict[str, tuple[str, ...]] = {
    "dijet61": tuple(CATALOGUE),
    "dijet_nanoaod": tuple(row.name for row in ROWS if row.source != CANDIDATES),
    "dijet_flow": tuple(row.name for row in ROWS if row.flow in ("feature", "integer", "atom")),
}
#: What a conditional density of ``dijet_flow`` is given; the two together are independent, too.
FLOW_CONTEXT: tuple[str, ...] = tuple(row.name for row in ROWS if row.flow == "context")


def observable(name: str) -> Observable:
    """The record of one observable.

    Raises
    ------
    ConfigError
        If there is none of this name; close names are given.

    Examples
    --------
    >>> observable("tau21_j2").inputs
    ('tau2_j2', 'tau1_j2')
    """
    if name not in CATALOGUE:
        close = close_names(name, CATALOGUE)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See cmslabs.features.observables.CATALOGUE."
        raise ConfigError(f"there is no dijet observable '{name}'.", remedy=hint)
    return CATALOGUE[name]


def observable_names(chosen: str | Iterable[str]) -> tuple[str, ...]:
    """Names of a set, or the given names if all of them exist and none stands twice.

    Raises
    ------
    ConfigError
        If a set or a name is unknown, or a name is repeated.

    Examples
    --------
    >>> len(observable_names("dijet61")), len(observable_names("dijet_nanoaod"))
    (61, 55)
    """
    if isinstance(chosen, str):
        if chosen not in SETS:
            raise ConfigError(f"there is no set '{chosen}'.", remedy=f"Choose from: {', '.join(SETS)}.")
        return SETS[chosen]
    names = tuple(observable(name).name for name in chosen)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        what = f"the observable '{twice[0]}' is chosen twice." if twice else "no observable is chosen."
        raise ConfigError(what, remedy="Name each observable that you want once.")
    return names


def base_observables(names: Iterable[str] = tuple(CATALOGUE)) -> tuple[str, ...]:
    """The observables that are measured on their own and from which the given ones follow; in catalogue order.

    Examples
    --------
    >>> base_observables(["tau21_j1", "met_over_sqrt_ht"])
    ('tau1_j1', 'tau2_j1', 'ht', 'met')
    >>> len(base_observables())
    44
    """
    needed = {one for name in names for one in (observable(name).inputs or (name,))}
    return tuple(name for name in CATALOGUE if name in needed)


def flagged(names: Iterable[str], flag: str) -> tuple[str, ...]:
    """Those of the names that are ``"integer"``, or have an ``"atom"``.

    Raises
    ------
    ConfigError
        If the flag is another word, or a name is unknown.

    Examples
    --------
    >>> flagged(SETS["dijet_flow"], "integer")
    ('n_constituents_j1', 'n_constituents_j2', 'n_jets')
    >>> flagged(SETS["dijet_flow"], "atom")
    ('msoftdrop_j1', 'msoftdrop_j2', 'third_jet_pt')
    """
    if flag not in ("integer", "atom"):
        raise ConfigError(f"there is no flag '{flag}'.", remedy="Ask for integer or atom.")
    rows = [observable(name) for name in names]
    return tuple(row.name for row in rows if (row.integer if flag == "integer" else row.atom is not None))


def observables_markdown(names: str | Iterable[str] = "dijet61") -> str:
    """The catalogue as a Markdown table, one line per observable; the book shows it.

    Rows that differ only in the jet stand in one line, ``_j1`` and ``_j2`` as ``_j``.

    Parameters
    ----------
    names : str or iterable of str
        A set, or names.

    Returns
    -------
    str
        Columns: observable, unit, range, formula, reference, source in CMS UL2016 NanoAODv9, flags, role in
        ``dijet_flow``.
    """
    head = "| observable | unit | range | definition | reference | in UL2016 NanoAODv9 | flags | in `dijet_flow` |"
    lines = [head, "|" + "---|" * 8]
    seen: set[str] = set()
    for name in observable_names(names):
        line = _line(CATALOGUE[name])
        if line not in seen:
            seen.add(line)
            lines.append(line)
    return "\n".join(lines) + "\n"


def _line(row: Observable) -> str:
    per_jet = row.name.endswith(("_j1", "_j2"))
    name = row.name[:-1] if per_jet else row.name
    meaning = row.meaning.partition(" of the harder jet")[0].partition(" of the softer jet")[0]
    flags = ["integer"] * row.integer + ([] if row.atom is None else [f"atom at {row.atom:g}"])
    role = f"left out: {row.why}" if row.why else row.flow
    cells = (f"`{name}`", row.unit, f"{row.low:.4g} to {row.high:.4g}", f"{meaning}: {row.formula}", row.reference)
    return f"| {' | '.join((*cells, row.source, ', '.join(flags) or '-', role))} |"
