"""A fileset: which data sets an analysis reads, and what turns simulated events into a yield.

A fileset is one YAML file, versioned like code: cross-sections stand there with order and source, eras
with their luminosity, and what is not public is an entry that says so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from cmslabs.config import StrictModel, bundled_names, config_path, load_config
from cmslabs.data.download import dataset_path
from cmslabs.data.fileset_parts import Count, CrossSection, Dataset, Era, File, KFactor, Positive
from cmslabs.errors import ConfigError, close_names

__all__ = [
    "CrossSection",
    "Dataset",
    "Era",
    "File",
    "Fileset",
    "KFactor",
    "bundled_filesets",
    "exclusive_pairs",
    "load_fileset",
]


class Fileset(StrictModel):
    """One fileset file.

    Attributes
    ----------
    name, version, title
    luminosity_fb : float or None
        Integrated luminosity [1/fb] of all data sets of data together, with the golden JSON applied.
    luminosity_source : str or None
    luminosity_uncertainty : float or None
        Relative.
    golden_json : str or None
        The list of certified luminosity sections: a path as in `File`, relative to the fileset's folder.
        Needed to run on data; ``none`` says that all sections are good.
    golden_json_record : int or None
        Record of the CERN Open Data portal that has it.
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
    luminosity_uncertainty: Annotated[float, Field(gt=0, lt=1)] | None = None
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

        Where the chosen data are of some eras only, `luminosity_fb` is that of these eras.

        Raises
        ------
        ConfigError
            If a name is unknown, not public, without files, if two of the chosen ones exclude each other,
            or if it is not known what luminosity the chosen data have.
        """
        self.check_names(names)
        for name in names:
            if not self.datasets[name].files:
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
        for first, second in exclusive_pairs(self, chosen):
            raise ConfigError(
                f"'{first}' and '{second}' describe the same process and would count it twice.",
                where=self.name,
                remedy="Choose one of them with --dataset.",
            )
        return self.model_copy(update={"datasets": chosen, **self._luminosity_of(chosen)})

    def check_names(self, names: Iterable[str]) -> None:
        """Make sure that these data sets exist and are public.

        Raises
        ------
        ConfigError
        """
        for name in names:
            if name not in self.datasets:
                close = close_names(name, self.datasets) or list(self.datasets)
                raise ConfigError(
                    f"there is no data set '{name}'.", where=self.name, remedy=f"Try: {', '.join(close)}."
                )
            if not self.datasets[name].public:
                raise ConfigError(f"'{name}' is not public.", where=self.name, remedy="Leave it out.")

    def _luminosity_of(self, chosen: dict[str, Dataset]) -> dict[str, object]:
        """What changes about the luminosity if only these data sets are read."""
        data = [dataset for dataset in chosen.values() if dataset.kind == "data"]
        if not data or self.luminosity_fb is None:
            return {}
        eras_of: dict[str | None, set[str | None]] = {}
        for dataset in data:
            eras_of.setdefault(dataset.primary, set()).add(dataset.era)
        eras = {dataset.era for dataset in data}
        for primary, own in eras_of.items():
            if own != eras:
                missing = ", ".join(sorted(str(era) for era in eras - own))
                raise ConfigError(
                    f"the data of {primary} lack {missing}, which another primary dataset has.",
                    where=self.name,
                    remedy="Choose the same eras of every primary dataset: all need the same luminosity.",
                )
        if eras == {dataset.era for dataset in self.datasets.values() if dataset.kind == "data" and dataset.public}:
            return {}
        parts = {era: self.eras[era].luminosity_fb if era is not None else None for era in eras}
        unknown = sorted(str(era) for era, value in parts.items() if value is None)
        if unknown:
            raise ConfigError(
                f"the luminosity of {', '.join(unknown)} alone is not known.",
                where=self.name,
                remedy="Add luminosity_fb to these eras, or choose the data of all of them.",
            )
        source = f"sum of {', '.join(sorted(parts))}; {self.luminosity_source or 'no source given'}"
        return {"luminosity_fb": math.fsum(parts.values()), "luminosity_source": source}


def exclusive_pairs(fileset: Fileset, names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of these data sets that describe the same process, each in the fileset's order.

    It is enough that one of the two says so.
    """
    wanted = set(names)
    chosen = [name for name in fileset.datasets if name in wanted]
    return [
        (first, second)
        for i, first in enumerate(chosen)
        for second in chosen[i + 1 :]
        if second in fileset.datasets[first].excludes or first in fileset.datasets[second].excludes
    ]


def bundled_filesets() -> list[str]:
    """Names of the filesets that come with the package."""
    return bundled_names("cmslabs.data", "filesets")


def load_fileset(source: str | os.PathLike) -> Fileset:
    """Read a fileset, or a bundled one by its name; every local path in it becomes absolute.

    Raises
    ------
    ConfigError
        With one line per mistake.

    Examples
    --------
    >>> load_fileset("cms-2016").version
    1
    """
    path = config_path(source, "fileset", "cmslabs.data", "filesets")
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
