"""A fileset: which data sets an analysis reads, and what turns simulated events into a yield.

A fileset is one YAML file, versioned like code: cross-sections stand there with order and source, eras
with their luminosity, and what is not public is an entry that says so.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cmslabs.config import StrictModel, load_config
from cmslabs.data.download import dataset_path
from cmslabs.errors import ConfigError, close_names
from cmslabs.io import existing_file

__all__ = [
    "CrossSection",
    "Dataset",
    "Era",
    "File",
    "Fileset",
    "KFactor",
    "bundled_filesets",
    "load_fileset",
]

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


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
    note : str
    """

    runs: tuple[Count, Count] | None = None
    luminosity_fb: Positive | None = None
    public: bool = True
    note: str = ""


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
    group : str or None
        What it is drawn as; data sets of one group are stacked as one.
    cross_section : CrossSection or None
        Of what was generated, before any filter.
    k_factor : KFactor or None
    only : dict
        Branch -> value: use these events (and rows of ``Runs``) of a file that holds several processes.
    excludes : tuple of str
        Data sets that describe the same process: never to be used together with this one.
    files : tuple of File
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
    group: str | None = None
    cross_section: CrossSection | None = None
    k_factor: KFactor | None = None
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


class Fileset(StrictModel):
    """One fileset file.

    Attributes
    ----------
    name, version, title
    luminosity_fb : float or None
        Integrated luminosity [1/fb] of all data sets of data together, with the golden JSON applied.
    luminosity_source : str or None
    golden_json : str or None
        The list of certified luminosity sections: a path as in `File`, relative to the fileset's folder.
        Needed to run on data; ``none`` says that all sections are good.
    corrections : str or None
        Default file of corrections (`correctionlib` JSON) for the simulated data sets.
    eras : dict of Era
    datasets : dict of Dataset
        In the order in which they are reported.
    """

    name: str
    version: Annotated[int, Field(ge=1)]
    title: str = ""
    luminosity_fb: Positive | None = None
    luminosity_source: str | None = None
    golden_json: str | None = None
    golden_json_record: Count | None = None
    corrections: str | None = None
    eras: dict[str, Era] = Field(default_factory=dict)
    datasets: dict[str, Dataset]
    notes: str = ""

    @model_validator(mode="after")
    def _known_names(self) -> Fileset:
        for name, dataset in self.datasets.items():
            if dataset.era is not None and dataset.era not in self.eras:
                raise ValueError(f"datasets.{name} names the era '{dataset.era}', which is not in eras")
            for other in dataset.excludes:
                if other not in self.datasets:
                    raise ValueError(f"datasets.{name} excludes '{other}', which is not there")
        return self

    def choose(self, names: tuple[str, ...] | list[str] = ()) -> Fileset:
        """The fileset with some of its data sets; without names those that are public and have files.

        Raises
        ------
        ConfigError
            If a name is unknown, not public, without files, or if two of the chosen ones exclude each other.
        """
        for name in names:
            if name not in self.datasets:
                close = close_names(name, self.datasets) or list(self.datasets)
                raise ConfigError(
                    f"there is no data set '{name}'.", where=self.name, remedy=f"Try: {', '.join(close)}."
                )
            dataset = self.datasets[name]
            if not dataset.public:
                raise ConfigError(f"'{name}' is not public.", where=self.name, remedy="Leave it out.")
            if not dataset.files:
                raise ConfigError(
                    f"'{name}' has no files yet.",
                    where=self.name,
                    remedy=f"Fill them in with: cmslabs data fileset {self.name} --out my-fileset.yaml",
                )
        chosen = {
            name: dataset
            for name, dataset in self.datasets.items()
            if (name in names if names else dataset.public and dataset.files)
        }
        if not chosen:
            raise ConfigError(
                "no data set has files.",
                where=self.name,
                remedy=f"Fill them in with: cmslabs data fileset {self.name} --out my-fileset.yaml",
            )
        for name, dataset in chosen.items():
            for other in dataset.excludes:
                if other in chosen:
                    raise ConfigError(
                        f"'{name}' and '{other}' describe the same process and would count it twice.",
                        where=self.name,
                        remedy="Choose one of them with --dataset.",
                    )
        return self.model_copy(update={"datasets": chosen})


def bundled_filesets() -> list[str]:
    """Names of the filesets that come with the package."""
    folder = files("cmslabs.data") / "filesets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_fileset(source: str | os.PathLike) -> Fileset:
    """Read a fileset, or a bundled one by its name; every local path in it becomes absolute.

    Raises
    ------
    ConfigError
        With one line per mistake.

    Examples
    --------
    >>> load_fileset("samples").version
    1
    """
    text = os.fspath(source)
    if text in bundled_filesets():
        path = Path(str(files("cmslabs.data") / "filesets" / f"{text}.yaml"))
    elif Path(text).suffix in (".yaml", ".yml"):
        path = existing_file(text)
    else:
        close = close_names(text, bundled_filesets()) or bundled_filesets()
        raise ConfigError(f"there is no fileset '{text}'.", remedy=f"Give a YAML file, or one of: {', '.join(close)}.")
    fileset = load_config(path, Fileset)
    folder = path.resolve().parent
    datasets = {
        name: dataset.model_copy(
            update={"files": tuple(f.model_copy(update={"path": _resolve(f.path, folder)}) for f in dataset.files)}
        )
        for name, dataset in fileset.datasets.items()
    }
    places = {
        key: value if value in (None, "none") else _resolve(value, folder)
        for key, value in (("golden_json", fileset.golden_json), ("corrections", fileset.corrections))
    }
    return fileset.model_copy(update={"datasets": datasets, **places})


def _resolve(path: str, folder: Path) -> str:
    """The path or address that can be opened, from what stands in the file."""
    if path.startswith("sample:"):
        card, _, name = path.removeprefix("sample:").partition("/")
        return str(dataset_path(card, name or None))
    if "://" in path:
        return path
    return str(folder / path)
