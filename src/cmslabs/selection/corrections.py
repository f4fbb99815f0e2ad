"""Which correction an analysis needs, and what its value is for muons and events: nominal, up and down.

The official files of CMS and the set that comes with the bundled samples have the same structure:

- pile-up (LUM): ``Collisions16_UltraLegacy_goldenJSON`` of ``NumTrueInteractions`` and ``weights``
  ("nominal", "up", "down");
- muons (MUO): ``NUM_MediumID_DEN_TrackerMuons``, ``NUM_LooseRelIso_DEN_MediumID`` and the like, of
  ``abseta``, ``pt`` and ``scale_factors`` ("nominal", "systup", "systdown"); in older files of ``year``,
  ``abseta``, ``pt`` and ``ValType`` ("sf", "systup", "systdown"); in the newest ``eta`` stands for ``abseta``.

Rules where a muon lies outside of the map, of which every use is counted:

- pT below the first bin (15 GeV in CMS): the value of the first bin with twice its uncertainty;
- pT above the last bin: the value of the last bin;
- abs(eta) beyond the last bin: an error, because there nobody measured anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cmslabs.errors import ConfigError, DataError, close_names
from cmslabs.io import sha256
from cmslabs.objects.cuts import MuonCuts
from cmslabs.selection.analysis import Analysis
from cmslabs.selection.correction_file import Correction, check_finite, read_corrections

__all__ = ["Corrections", "MissingCorrectionError", "Varied"]

_PILEUP = re.compile(r"Collisions.*golden", re.IGNORECASE)
_ID = {"looseId": "LooseID", "mediumId": "MediumID", "tightId": "TightID"}
#: Cut on pfRelIso04_all -> working point.
_ISOLATION = {0.25: "LooseRelIso", 0.15: "TightRelIso"}
#: What the isolation was measured on: the muons that pass this identification.
_ISOLATION_DENOMINATOR = {"looseId": "LooseID", "mediumId": "MediumID", "tightId": "TightIDandIPCut"}


class MissingCorrectionError(ConfigError):
    """None of the files of corrections has what the analysis asks for."""


@dataclass(frozen=True)
class Varied:
    """A factor, up and down; shape (n,) each, and how often a rule for values outside of the map was used."""

    nominal: np.ndarray
    up: np.ndarray
    down: np.ndarray
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Corrections:
    """Corrections from one or several files: `known`, name -> `Correction`, and `files`, path -> SHA-256."""

    known: dict[str, Correction]
    files: dict[str, str]

    @classmethod
    def load(cls, source: str | os.PathLike | Sequence[str | os.PathLike]) -> Corrections:
        """Read a file, several files, or all ``.json`` and ``.json.gz`` files of a folder.

        Raises
        ------
        DataError
            If a file is malformed, a folder has none, or two files hold a correction of the same name.
        """
        known: dict[str, Correction] = {}
        files = {}
        for path in _paths([source] if isinstance(source, str | os.PathLike) else source):
            for correction in read_corrections(path):
                if correction.name in known:
                    raise DataError(
                        f"'{correction.name}' stands there and in {known[correction.name].file}.",
                        where=path,
                        remedy="Name the files that are wanted one by one.",
                    )
                known[correction.name] = correction
            files[str(path)] = sha256(path)
        return cls(known, files)

    def chosen(self, analysis: Analysis) -> Corrections:
        """Only what `analysis` needs: small enough to be sent to every worker.

        Raises
        ------
        MissingCorrectionError
            If a correction that the analysis needs is not there.
        ConfigError
            If the muons' scale factors end before the analysis' muons do.
        """
        needed = []
        if "pileup" in analysis.weights:
            needed.append(self._pileup())
        if "muon" in analysis.weights:
            needed += [one for one in (self._identification(analysis.muons), self._isolation(analysis.muons)) if one]
        for correction in needed:
            high = _eta_limit(correction)
            if analysis.muons.eta > high:
                raise ConfigError(
                    f"ends at abs(eta) = {high:g}, the muons of '{analysis.name}' at {analysis.muons.eta:g}.",
                    where=correction.where,
                    remedy=f"Set muons.eta to {high:g} or less.",
                )
        return Corrections({correction.name: correction for correction in needed}, self.files)

    def pileup(self, n_true: np.ndarray) -> Varied:
        """Weights by the true number of interactions, shape (n_events,).

        Numbers outside of the file's bins get the weight of the nearest bin, and are counted.
        """
        correction = self._pileup()
        kind = _other_input(correction, ("NumTrueInteractions",))
        inside, low, high = _clip(n_true, correction, "NumTrueInteractions")
        nominal, up, down = (correction(NumTrueInteractions=inside, **{kind: key}) for key in ("nominal", "up", "down"))
        return Varied(nominal, up, down, _counts(outside=low | high))

    def muon_id(self, cuts: MuonCuts, pt: np.ndarray, eta: np.ndarray) -> Varied | None:
        """Scale factors of the identification for muons of pT [GeV] and eta; None if `cuts` asks for none."""
        correction = self._identification(cuts)
        return None if correction is None else _muon_factor(correction, pt, eta)

    def muon_iso(self, cuts: MuonCuts, pt: np.ndarray, eta: np.ndarray) -> Varied | None:
        """Scale factors of the isolation for identified muons; None if `cuts` asks for none."""
        correction = self._isolation(cuts)
        return None if correction is None else _muon_factor(correction, pt, eta)

    def _pileup(self) -> Correction:
        found = [name for name in self.known if _PILEUP.match(name)]
        if len(found) > 1:
            raise ConfigError(
                f"several corrections of pile-up are there: {', '.join(found)}.",
                where=", ".join(self.files),
                remedy="Give the file of one period only.",
            )
        return self._get(found[0] if found else "Collisions16_UltraLegacy_goldenJSON")

    def _identification(self, cuts: MuonCuts) -> Correction | None:
        return None if cuts.id is None else self._get(f"NUM_{_ID[cuts.id]}_DEN_TrackerMuons")

    def _isolation(self, cuts: MuonCuts) -> Correction | None:
        if cuts.isolation is None:
            return None
        if cuts.isolation not in _ISOLATION or cuts.id is None:
            raise ConfigError(
                f"nobody measures scale factors for an isolation below {cuts.isolation:g} with id: {cuts.id}.",
                where="muons.isolation",
                remedy=f"Choose from {', '.join(map(str, _ISOLATION))} with an identification, or leave 'muon' out "
                "of weights.",
            )
        return self._get(f"NUM_{_ISOLATION[cuts.isolation]}_DEN_{_ISOLATION_DENOMINATOR[cuts.id]}")

    def _get(self, name: str) -> Correction:
        if name not in self.known:
            close = close_names(name, self.known) or sorted(self.known)[:5]
            raise MissingCorrectionError(
                f"there is no correction '{name}' (there are: {', '.join(close) or 'none'}).",
                where=", ".join(self.files) or "corrections",
                remedy="Name the file that has it under 'corrections' in the fileset, take its weight out of the "
                "analysis' weights, or set missing.weights to skip.",
            )
        return self.known[name]


def _paths(sources: Sequence[str | os.PathLike]) -> list[Path]:
    paths = []
    for source in map(Path, sources):
        inside = [source]
        if source.is_dir():
            inside = sorted(path for path in source.iterdir() if path.name.endswith((".json", ".json.gz")))
            if not inside:
                raise DataError("has no .json or .json.gz file.", where=source, remedy="Name the files themselves.")
        paths += inside
    return list(dict.fromkeys(paths))


def _muon_factor(correction: Correction, pt: np.ndarray, eta: np.ndarray) -> Varied:
    angle = "eta" if "eta" in correction.inputs else "abseta"
    kind = _other_input(correction, ("year", angle, "pt"))
    eta = np.asarray(eta, dtype=float)
    high = _eta_limit(correction)
    if (np.abs(eta) >= high).any():
        raise DataError(
            f"{int((np.abs(eta) >= high).sum())} muon(s) lie beyond abs(eta) = {high:g}, where nobody measured.",
            where=correction.where,
            remedy=f"Set muons.eta to {high:g} or less.",
        )
    inside, below, above = _clip(pt, correction, "pt")
    inputs = {angle: eta if correction.range(angle)[0] < 0 else np.abs(eta), "pt": inside}
    if "year" in correction.inputs:
        inputs["year"] = _only_year(correction)
    nominal_key = "nominal" if "nominal" in correction.keys(kind) else "sf"
    nominal, up, down = (correction(**inputs, **{kind: key}) for key in (nominal_key, "systup", "systdown"))
    up = np.where(below, nominal + 2 * (up - nominal), up)
    down = np.where(below, nominal + 2 * (down - nominal), down)
    return Varied(nominal, up, down, _counts(below_pt=below, above_pt=above))


def _eta_limit(correction: Correction) -> float:
    """Where the map of scale factors ends in abs(eta)."""
    low, high = correction.range("eta" if "eta" in correction.inputs else "abseta")
    return min(-low, high) if low < 0 else high


def _clip(values: np.ndarray, correction: Correction, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values moved into the range [low, high) of the input `name`, and which were below and above."""
    values = np.asarray(values, dtype=float)
    check_finite(values, f"the input '{name}'", correction.where)
    low, high = correction.range(name)
    return np.clip(values, low, np.nextafter(high, -np.inf)), values < low, values >= high


def _counts(**masks: np.ndarray) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in masks.items()}


def _other_input(correction: Correction, known: Sequence[str]) -> str:
    """The one input besides `known`: the one that chooses nominal, up or down."""
    others = [name for name in correction.inputs if name not in known]
    needed = [name for name in known if name != "year"]
    if len(others) != 1 or any(name not in correction.inputs for name in needed):
        raise DataError(
            f"takes ({', '.join(correction.inputs)}), expected ({', '.join(needed)}, and what chooses the variation).",
            where=correction.where,
            remedy="Use a file of Run 2 (UL) in schema version 2.",
        )
    return others[0]


def _only_year(correction: Correction) -> str:
    years = correction.keys("year")
    if len(years) != 1:
        raise DataError(
            f"is for several years ({', '.join(years) or 'none named'}).",
            where=correction.where,
            remedy="Use the file of one year.",
        )
    return years[0]
