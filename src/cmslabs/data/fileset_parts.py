"""What a fileset is made of: files, cross-sections, eras and data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmslabs.config import StrictModel

__all__ = ["CrossSection", "Dataset", "Era", "File", "KFactor"]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]

#: Facts about a data set that nobody may state without saying where they were read.
_FACTS_WITH_SOURCE = ("record", "doi", "n_events", "n_files", "size_gb")


class File(StrictModel):
    """One file of a data set.

    Attributes
    ----------
    path : str
        A local path (relative to the fileset's own folder), ``sample:CARD`` for a bundled sample, or a
        ``root://`` or ``https://`` address.
    n_events : int or None
        Events in it, if known: without it a skipped data file leaves the luminosity unknown.
    size_bytes, adler32
        As the portal's index gives them.
    """

    path: str
    n_events: Count | None = None
    size_bytes: Count | None = None
    adler32: str | None = None


class CrossSection(StrictModel):
    """Cross-section [pb], its order in perturbation theory, and where it was seen."""

    pb: Positive
    order: str
    source: str


class KFactor(StrictModel):
    """A factor from one order to a higher one: its value, name and source."""

    value: Positive
    name: str
    source: str


class Era(StrictModel):
    """A period of data taking.

    Attributes
    ----------
    runs : tuple of int or None
        First and last run number.
    luminosity_fb : float or None
        Integrated luminosity [1/fb] of this era alone.
    public : bool
        Whether its data are released.
    source_seen : str or None
        Where runs and luminosity were read.
    note : str
    """

    runs: tuple[Count, Count] | None = None
    luminosity_fb: Positive | None = None
    public: bool = True
    source_seen: str | None = None
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Era:
        if self.runs is not None and self.runs[0] > self.runs[1]:
            raise ValueError("the first run comes after the last")
        return self


class Dataset(StrictModel):
    """One data set.

    Attributes
    ----------
    kind : "data" or "simulation"
        How it is treated.  Pseudo-data are treated as data; `simulated` says what they are.
    title : str
    simulated : bool
        True for everything that no detector recorded, pseudo-data too.
    public : bool
        False: not released as open data; such an entry has no files and is never run.
    era : str or None
        Key of the fileset's `eras`; also chooses the trigger paths.
    primary : str or None
        Primary dataset of data (``DoubleMuon``): key of the analysis' `triggers`.
    name : str or None
        The official name, ``/DoubleMuon/Run2016G-.../NANOAOD``.
    record : int or None
        Record of the CERN Open Data portal.
    doi : str or None
    n_events, n_files : int or None
        Of the whole data set, as published.
    size_gb : float or None
        Of the whole data set [10^9 bytes], as rounded by the source.
    group : str or None
        What it is drawn as; data sets of one group are stacked as one.
    cross_section : CrossSection or None
        Of what was generated, before any filter.
    k_factor : KFactor or None
    other_values : tuple of CrossSection
        What others use for the same process; shown to the reader, never used.
    only : dict
        Branch -> value: use these events (and rows of ``Runs``) of a file that holds several processes.
    excludes : tuple of str
        Data sets that describe the same process: never to be used together with this one.
    files : tuple of File
    source_seen : str or None
        Where record, DOI, numbers and size were read.
    notes : str
    """

    kind: Literal["data", "simulation"]
    title: str = ""
    simulated: bool | None = None
    public: bool = True
    era: str | None = None
    primary: str | None = None
    name: str | None = None
    record: Count | None = None
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$")
    n_events: Count | None = None
    n_files: Count | None = None
    size_gb: Positive | None = None
    group: str | None = None
    cross_section: CrossSection | None = None
    k_factor: KFactor | None = None
    other_values: tuple[CrossSection, ...] = ()
    only: dict[str, int] = Field(default_factory=dict)
    excludes: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    source_seen: str | None = None
    notes: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        if self.kind == "data" and self.cross_section is not None:
            raise ValueError("data has no cross-section")
        if self.kind == "data" and self.primary is None:
            raise ValueError("data needs 'primary', the name of its primary dataset")
        if self.kind == "simulation" and self.simulated is False:
            raise ValueError("a data set of kind 'simulation' is simulated")
        if not self.public and self.files:
            raise ValueError("a data set that is not public has no files")
        for fact in _FACTS_WITH_SOURCE:
            if getattr(self, fact) is not None and not self.source_seen:
                raise ValueError(f"'{fact}' has no source: say in source_seen where it was read, or leave it out")
        return self

    @property
    def is_simulated(self) -> bool:
        """Whether no detector recorded these events: what plots and tables have to say."""
        return self.kind == "simulation" if self.simulated is None else self.simulated

    @property
    def effective_pb(self) -> float | None:
        """Cross-section times K factor [pb]."""
        if self.cross_section is None:
            return None
        return self.cross_section.pb * (1.0 if self.k_factor is None else self.k_factor.value)
