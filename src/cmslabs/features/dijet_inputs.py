"""Which branches the dijet observables need, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import awkward as ak

from cmslabs.data.nanoaod_names import remark
from cmslabs.errors import MissingBranchError
from cmslabs.features.dijet_config import DijetConfig
from cmslabs.features.observable_table import ENERGY_FRACTIONS
from cmslabs.features.observables import base_observables, observable
from cmslabs.objects.access import has, source_of

__all__ = ["CANDIDATE_LISTS", "candidate_list", "check_inputs", "missing_inputs", "needed_branches"]

PLACE = ("Jet_pt", "Jet_eta", "Jet_phi")
#: Where a file may keep the candidates of its AK8 jets: (list of links, its index of candidates, candidates).
#: The first is PFNano's, the second that of newer private productions.
CANDIDATE_LISTS = (
    ("FatJetPFCands", "pFCandsIdx", "PFCands"),
    ("FatJetPFCand", "pfCandIdx", "PFCand"),
)
INSIDE = "FatJet_constituents"
#: Named in the error where a file has no candidates at all.
NO_CANDIDATES = f"{INSIDE} or FatJetPFCands_pFCandsIdx"

Has = Callable[[str], bool]


def needed_branches(names: Iterable[str], config: DijetConfig, present: Has) -> dict[str, list[str]]:
    """Branch -> the observables among `names` that need it.

    Parameters
    ----------
    names : iterable of str
        Observables; functions of others need what those need.
    config : DijetConfig
        Decides between sources.
    present : callable
        Whether the input has a branch (``"FatJet_pt"``): candidates are looked for where they are.

    Examples
    --------
    >>> list(needed_branches(["n_pv"], DijetConfig(), lambda branch: True))
    ['FatJet_pt', 'FatJet_eta', 'PV_npvs']
    """
    names = list(names)
    needed: dict[str, list[str]] = dict.fromkeys(("FatJet_pt", "FatJet_eta"), names)
    for base in base_observables(names):
        users = [name for name in names if base == name or base in observable(name).inputs]
        for branch in _branches(base, config, present):
            known = needed.setdefault(branch, [])
            if known is not names:
                known += [user for user in users if user not in known]
    return needed


def _branches(base: str, config: DijetConfig, present: Has) -> tuple[str, ...]:
    """Branches of one measured observable."""
    kind = base.removesuffix("_j1").removesuffix("_j2")
    around = ("FatJet_eta", "FatJet_phi")
    if kind in ENERGY_FRACTIONS and config.energy_fractions == "matched_jet":
        return (*around, *PLACE, f"Jet_{kind}")
    if kind in ENERGY_FRACTIONS:
        return (f"FatJet_{kind}",)
    if kind == "n_constituents" and config.n_constituents == "matched_jet":
        return (*around, *PLACE, "Jet_nConstituents")
    candidates = kind == "n_constituents" and config.n_constituents == "candidates"
    if candidates or kind in ("width", "ptd", "leading_fraction"):
        return (*around, *_candidate_branches(config, present))
    if kind in ("met", "min_dphi_met"):
        return tuple(branch.replace("MET_", f"{config.met}_") for branch in observable(base).branches)
    return (*around, *PLACE) if kind == "third_jet_pt" else observable(base).branches


def candidate_list(present: Has) -> tuple[str, str, str] | None:
    """Which of `CANDIDATE_LISTS` the input has; None where the jets hold their constituents, or there are none."""
    if present(INSIDE):
        return None
    return next((names for names in CANDIDATE_LISTS if present(f"{names[0]}_{names[1]}")), None)


def _candidate_branches(config: DijetConfig, present: Has) -> tuple[str, ...]:
    found = candidate_list(present)
    if found is None:
        return (INSIDE,) if present(INSIDE) else (NO_CANDIDATES,)
    links, index, candidates = found
    fields = ("pt", "eta", "phi", *(("puppiWeight",) if config.puppi_weights else ()))
    return (f"{links}_jetIdx", f"{links}_{index}", *(f"{candidates}_{field}" for field in fields))


def check_inputs(events: ak.Array, names: Iterable[str], config: DijetConfig) -> list[str]:
    """The needed branches, if the events have all of them.

    Raises
    ------
    MissingBranchError
        Names the missing branches and, for each, the observables that need it, and what can be done.
    """
    needed = needed_branches(names, config, lambda branch: _in_events(events, branch))
    missing = {branch: users for branch, users in needed.items() if not _in_events(events, branch)}
    if missing:
        raise missing_inputs(missing, f"{source_of(events)}, Events")
    return list(needed)


def _in_events(events: ak.Array, branch: str) -> bool:
    collection, _, field = branch.partition("_")
    return has(events, collection, field)


def missing_inputs(missing: dict[str, list[str]], where: str) -> MissingBranchError:
    """The error: observable and branch, and a remedy for each kind of branch."""
    parts = [f"{_some(users)} need{'s' if len(users) == 1 else ''} '{branch}'" for branch, users in missing.items()]
    remedies = dict.fromkeys(_remedy(branch) for branch in missing)
    return MissingBranchError(
        f"observables cannot be computed, because branches are missing: {'; '.join(parts)}.",
        where=where,
        remedy=" ".join(remedies),
    )


def _some(names: list[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _remedy(branch: str) -> str:
    collection, _, field = branch.partition("_")
    if collection == "FatJet" and field in ENERGY_FRACTIONS:
        return (
            "Take the fractions of the matched AK4 jet: energy_fractions: matched_jet, as the set dijet_nanoaod does."
        )
    if branch == "FatJet_nConstituents":
        return (
            "FatJet_nConstituents is there from NanoAODv9 on; before, count the matched AK4 jet's: "
            "n_constituents: matched_jet."
        )
    if branch == NO_CANDIDATES:
        return "NanoAODv9 has no candidates: use the set dijet_nanoaod, or a file with them (PFNano)."
    if field == "puppiWeight":
        return "Count the candidates without weights: puppi_weights: false."
    return (
        remark(f"{collection}.{field}")
        or "Leave these observables out, or use a file that has the branch ('cmslabs data check FILE')."
    )
