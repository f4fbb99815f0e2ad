"""Which events of a data set count at all: certified, clean, triggered, and in no other data set already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError
from cmslabs.objects.access import get
from cmslabs.objects.golden import GoldenRuns
from cmslabs.objects.quality import Decision, event_filters, trigger
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.inputs import DatasetInfo

__all__ = ["Preselected", "belonging", "check_triggers", "preselect", "trigger_paths", "unread_primaries"]


@dataclass(frozen=True)
class Preselected:
    """One mask per cut, in the order of the cutflow, and the branches that were not there.

    Attributes
    ----------
    cuts : dict of ndarray of bool, shape (n_events,)
    skipped : dict of tuple of str
        ``filters`` and ``triggers`` -> names of missing branches, where the analysis allows that.
    """

    cuts: dict[str, np.ndarray] = field(default_factory=dict)
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict)


def belonging(events: ak.Array, only: Mapping[str, int]) -> ak.Array:
    """The events of the data set, in a file of several processes: those where every branch of `only` has its value."""
    mask = np.ones(len(events), dtype=bool)
    for branch, value in only.items():
        mask &= ak.to_numpy(get(events, branch)) == value
    return events if mask.all() else events[np.flatnonzero(mask)]


def trigger_paths(analysis: Analysis, primary: str, era: str | None) -> tuple[str, ...]:
    """The paths of a primary dataset in an era."""
    eras = analysis.triggers[primary]
    return eras.get(era, eras["default"])


def check_triggers(analysis: Analysis, datasets: Iterable[DatasetInfo]) -> None:
    """Make sure that the analysis knows the triggers of all data, and no event can be counted twice.

    Raises
    ------
    ConfigError
    """
    primaries = {info.primary: info.name for info in datasets if info.is_data}
    if not analysis.triggers and len(primaries) > 1:
        raise ConfigError(
            f"without triggers, an event of {' and '.join(map(str, primaries))} would be counted twice.",
            where=analysis.name,
            remedy="Give each primary dataset its paths under 'triggers', or use one of them only.",
        )
    for primary, name in primaries.items():
        if analysis.triggers and primary not in analysis.triggers:
            raise ConfigError(
                f"triggers has no primary dataset '{primary}', which '{name}' belongs to.",
                where=analysis.name,
                remedy=f"Add its paths to the analysis, or leave '{name}' out.",
            )


def unread_primaries(analysis: Analysis, datasets: Iterable[DatasetInfo]) -> tuple[str, ...]:
    """Primary datasets that have triggers in the analysis, but no data in a run that has data of others.

    Their events are still left out of the data of later ones, since they may be read in another run, and their
    triggers still let simulation pass: in a comparison of this run's data and simulation, the data are too few.

    Examples
    --------
    >>> from cmslabs.selection.analysis import load_analysis
    >>> paths = {name: {"default": (name,)} for name in ("DoubleMuon", "SingleMuon")}
    >>> two = load_analysis("dimuon").model_copy(update={"triggers": paths})
    >>> unread_primaries(two, [DatasetInfo("data", is_data=True, simulated=False, primary="SingleMuon")])
    ('DoubleMuon',)
    """
    there = {info.primary for info in datasets if info.is_data}
    return tuple(primary for primary in analysis.triggers if primary not in there) if there else ()


def preselect(events: ak.Array, analysis: Analysis, info: DatasetInfo, golden: GoldenRuns | None = None) -> Preselected:
    """Decide on everything that does not depend on objects.

    Data of a primary dataset needs one of its own paths and none of an earlier one's: those events are taken from
    the earlier one.  Simulation, which has no primary datasets, needs any path.

    Parameters
    ----------
    events : ak.Array, shape (n_events,)
    analysis : Analysis
    info : DatasetInfo
    golden : GoldenRuns or None
        For data; None means that all luminosity sections are good.

    Raises
    ------
    MissingBranchError
        As `cmslabs.objects.quality` says.
    """
    result = Preselected()
    if info.is_data and golden is not None:
        sections = (ak.to_numpy(get(events, name)) for name in ("run", "luminosityBlock"))
        result.cuts["certified"] = golden.mask(*sections)
    if analysis.filters:
        _add(result, "event filters", "filters", event_filters(events, analysis.filters, analysis.missing.filters))
    if analysis.triggers:
        own, earlier = _own_and_earlier(analysis, info)
        _add(result, "trigger", "triggers", trigger(events, own, analysis.missing.triggers))
        if earlier:
            found = trigger(events, earlier, analysis.missing.triggers)
            _add(result, "in no earlier data set", "triggers", Decision(~found.mask, found.used, found.skipped))
    return result


def _own_and_earlier(analysis: Analysis, info: DatasetInfo) -> tuple[list[str], list[str]]:
    primaries = list(analysis.triggers)
    place = primaries.index(info.primary) if info.is_data else None
    own = primaries if place is None else [primaries[place]]
    earlier = [] if place is None else primaries[:place]
    return _union(analysis, own, info.era), _union(analysis, earlier, info.era)


def _union(analysis: Analysis, primaries: Iterable[str], era: str | None) -> list[str]:
    return list(dict.fromkeys(path for primary in primaries for path in trigger_paths(analysis, primary, era)))


def _add(result: Preselected, cut: str, kind: str, decision: Decision) -> None:
    result.cuts[cut] = decision.mask
    if decision.skipped:
        result.skipped[kind] = tuple(dict.fromkeys((*result.skipped.get(kind, ()), *decision.skipped)))
