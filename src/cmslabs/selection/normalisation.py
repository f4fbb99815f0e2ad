"""What turns sums of weights into yields: luminosity x cross-section / sum of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cmslabs.data.fileset import Dataset, Fileset
from cmslabs.errors import ConfigError
from cmslabs.selection.report import LuminosityReport
from cmslabs.selection.survey import FileSurvey

__all__ = ["check_cross_sections", "corrected_luminosity", "scale_of"]

#: 1 pb in units of 1 fb.
FB_PER_PB = 1000.0


def check_cross_sections(fileset: Fileset, unnormalised: bool = False) -> None:
    """Refuse simulation that has no cross-section where there is a luminosity to scale it to.

    Raises
    ------
    ConfigError
    """
    without = [
        name
        for name, dataset in fileset.datasets.items()
        if dataset.kind == "simulation" and dataset.cross_section is None
    ]
    if fileset.luminosity_fb is not None and without and not unnormalised:
        raise ConfigError(
            f"has no cross-section for {', '.join(without)}, so that the number of expected events is unknown.",
            where=fileset.name,
            remedy="Add cross_section with its order and source, or let weights be as generated: --unnormalised.",
        )


def scale_of(dataset: Dataset, luminosity_fb: float | None, sum_weights: float) -> float:
    """L x sigma x K / sum of weights; 1 for data, and where luminosity or cross-section is missing.

    Examples
    --------
    >>> zz = Dataset.model_validate({"kind": "simulation", "cross_section": {"pb": 2.0, "order": "LO", "source": "us"}})
    >>> scale_of(zz, luminosity_fb=10.0, sum_weights=50_000.0)
    0.4
    """
    if dataset.kind == "data" or luminosity_fb is None or dataset.effective_pb is None:
        return 1.0
    return luminosity_fb * FB_PER_PB * dataset.effective_pb / sum_weights


def corrected_luminosity(
    fileset: Fileset, read: Mapping[str, Iterable[FileSurvey]], skipped: Iterable[FileSurvey]
) -> LuminosityReport:
    """The luminosity of the data that were read: that of all, times the share of their events.

    Parameters
    ----------
    fileset : Fileset
        With the data sets of the run.
    read : mapping
        Data set -> files that were read.
    skipped : iterable of FileSurvey
        Files that were left out, of data and simulation.

    Raises
    ------
    ConfigError
        If a skipped file of data makes the luminosity unknown: nobody knows how many events it has, or there are
        several primary datasets, which share collisions.
    """
    data = {name: dataset for name, dataset in fileset.datasets.items() if dataset.kind == "data"}
    lost = [file for file in skipped if file.dataset in data]
    given, source = fileset.luminosity_fb, fileset.luminosity_source
    if not lost or given is None:
        return LuminosityReport(given_fb=given, used_fb=given, source=source)
    primaries = sorted({str(dataset.primary) for dataset in data.values()})
    if len(primaries) > 1:
        raise ConfigError(
            f"was left out, and {' and '.join(primaries)} see the same collisions: the luminosity that is left "
            "cannot be found from numbers of events.",
            where=lost[0].path,
            remedy="Fetch the file again, or run on one primary dataset.",
        )
    unknown = next((file for file in lost if file.n_events is None), None)
    if unknown is not None:
        raise ConfigError(
            "was left out, and nobody knows how many events it has: the luminosity that is left is unknown.",
            where=unknown.path,
            remedy="Write its n_events into the fileset, as the portal's index gives it.",
        )
    there = math.fsum(file.n_events for name in data for file in read[name])
    share = there / (there + math.fsum(file.n_events for file in lost))
    return LuminosityReport(given_fb=given, used_fb=given * share, share=share, source=source)
