"""What the processor has to know about a data set, besides its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cmslabs.data.fileset import Dataset

__all__ = ["DatasetInfo"]


@dataclass(frozen=True)
class DatasetInfo:
    """One data set as the processor sees it.

    Attributes
    ----------
    name : str
        Its key in the fileset; also the partition ``dataset=NAME`` of the table.
    is_data : bool
        Treated as data (golden JSON, no weights), pseudo-data too.
    simulated : bool
        Whether no detector recorded these events: goes into the table's provenance.
    era : str or None
        Chooses the trigger paths.
    primary : str or None
        Primary dataset of data: a key of the analysis' ``triggers``.
    only : mapping
        Branch -> value: the other events of the files do not belong to this data set.
    scale : float
        L x sigma x K / sum of weights, so that weights add up to a yield; 1 for data.
    """

    name: str
    is_data: bool
    simulated: bool
    era: str | None = None
    primary: str | None = None
    only: Mapping[str, int] = field(default_factory=dict, hash=False)
    scale: float = 1.0

    @classmethod
    def of(cls, name: str, dataset: Dataset, scale: float = 1.0) -> DatasetInfo:
        """From the entry `name` of a fileset; `scale` comes from the survey.

        Examples
        --------
        >>> DatasetInfo.of("zz", Dataset(kind="simulation"), scale=0.5).simulated
        True
        """
        return cls(
            name=name,
            is_data=dataset.kind == "data",
            simulated=dataset.is_simulated,
            era=dataset.era,
            primary=dataset.primary,
            only=dict(dataset.only),
            scale=scale,
        )
