"""The bundled samples: what is in them and how they are made (`make samples`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from cmslabs.data.catalog import samples_folder, update_bundled_card
from cmslabs.errors import ConfigError
from cmslabs.io import write_json
from cmslabs.simulation.observable_sample import make_observables
from cmslabs.simulation.production import run_recipe
from cmslabs.simulation.pseudo_data import DataTaking, make_pseudo_data
from cmslabs.simulation.sample_files import Part, make_dijets, make_leptons
from cmslabs.simulation.worlds import PSEUDO_DATA

__all__ = [
    "CERTIFIED",
    "DIJETS",
    "DIMUON",
    "FOUR_LEPTON",
    "GROUPS",
    "OBSERVABLES",
    "PSEUDO_DIMUON",
    "PSEUDO_FOUR_LEPTON",
    "RUNS",
    "certified_sections",
    "generate",
    "make_samples",
]

#: The list of certified luminosity sections of the pseudo-data.
CERTIFIED = samples_folder().parent / "filesets" / "pseudo-data-certified.json"

DIJETS = (
    Part("qcd-dijets", 40_000, seed=101, constituents=5_000),
    Part("wprime-2prong", 8_000, seed=102, constituents=1_000),
    Part("wprime-3prong", 3_000, seed=103, constituents=300),
    Part("zprime-tt", 3_000, seed=104, constituents=300),
    Part("graviton-ww", 3_000, seed=105, constituents=300),
)
#: The first events of `DIJETS`: the same seeds, and whole chunks of a thousand.
OBSERVABLES = tuple(
    Part(part.process, events, seed=part.seed, objects=True)
    for part, events in zip(DIJETS, (34_000, 2_000, 1_000, 1_000, 1_000), strict=True)
)
#: Chosen so that every peak can be seen: the shares are not those of nature.
DIMUON = (
    Part("drell-yan", 14_000, seed=201),
    Part("drell-yan", 2_000, seed=202, variant="low-mass"),
    Part("jpsi", 2_000, seed=203),
    Part("upsilon", 2_500, seed=204),
)
FOUR_LEPTON = (Part("zz-4l", 1_500, seed=301), Part("higgs-4l", 500, seed=302))
#: Of these as many events are taken as the luminosity asks for; softer Upsilons fire no trigger.  J/psi and Drell-Yan
#: below 10 GeV are left out: of about 300 collisions one fires a trigger, too few to be worth their simulation.
PSEUDO_DIMUON = (
    Part("drell-yan", 4_300, seed=401, world=PSEUDO_DATA.name),
    Part("upsilon", 700, seed=404, variant="hard", world=PSEUDO_DATA.name),
)
PSEUDO_FOUR_LEPTON = (
    Part("zz-4l", 400, seed=501, world=PSEUDO_DATA.name),
    Part("higgs-4l", 50, seed=502, world=PSEUDO_DATA.name),
)
#: Run numbers that no experiment has used; luminosities in 1/fb.
RUNS = {"pseudo-dimuon": DataTaking(2, luminosity_fb=0.005), "pseudo-fourlepton": DataTaking(3, luminosity_fb=16.39)}


def generate(
    part: Part, work: str | os.PathLike, *, workers: int = 1, executor: Executor | None = None, progress: bool = False
) -> list[Path]:
    """Chunks of one part, in the folder `work`; what is there already is used."""
    folder = Path(work) / f"{part.name}-{part.seed}{'-objects' if part.objects else ''}"
    options = {"workers": workers, "executor": executor, "progress": progress}
    return run_recipe(part.recipe, part.events, part.seed, folder, **options)


#: Sample -> its parts.
GROUPS = {
    "dimuon": DIMUON,
    "fourlepton": FOUR_LEPTON,
    "pseudo-dimuon": PSEUDO_DIMUON,
    "pseudo-fourlepton": PSEUDO_FOUR_LEPTON,
    "dijets": DIJETS,
    "observables": OBSERVABLES,
}


def make_samples(
    names: Sequence[str], out: str | os.PathLike | None, work: str | os.PathLike, workers: int
) -> Iterator[str]:
    """Make the bundled samples and bring their cards up to date; one line of report per file.

    Parameters
    ----------
    names : sequence of str
        Some of `GROUPS`; empty for all.
    out : path-like or None
        Where the samples go; None is the package's own folder, whose cards and list of certified sections are
        then brought up to date.
    work : path-like
        For the chunks: an interrupted run goes on from there.
    workers : int

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    unknown = sorted(set(names) - set(GROUPS))
    if unknown:
        raise ConfigError(f"there is no sample '{unknown[0]}'.", remedy=f"Choose from: {', '.join(GROUPS)}.")
    folder = samples_folder() if out is None else Path(out)
    if out is None:
        write_json(CERTIFIED, certified_sections())
    for name, parts in GROUPS.items():
        if names and name not in names:
            continue
        chunks = {part: generate(part, work, workers=workers, progress=True) for part in parts}
        for (card, n_events), path in _write(name, chunks, folder):
            if out is None:
                update_bundled_card(card, path, n_events)
            yield f"{path.name}: {n_events} events, {path.stat().st_size / 1e6:.2f} MB"


def certified_sections() -> dict[str, list[list[int]]]:
    """Certified luminosity sections of the pseudo-data: run -> ranges, as in CMS's golden JSON."""
    return {str(taking.run): taking.certified for taking in RUNS.values()}


def _write(name: str, chunks: dict[Part, list[Path]], folder: Path) -> list[tuple[tuple[str, int], Path]]:
    """Write one group: card and number of events, and path, of each of its files."""
    if name == "dijets":
        paths = {key: folder / f"dijet-{key}.parquet" for key in ("features", "constituents")}
        counts = make_dijets(chunks, paths["features"], paths["constituents"])
        return [((f"sim-dijet-{key}", n), path) for (key, path), n in zip(paths.items(), counts, strict=True)]
    if name == "observables":
        path = folder / "dijet-observables.parquet"
        return [(("sim-dijet-observables", make_observables(chunks, path, DIJETS)), path)]
    path = folder / f"{name}.root"
    if name in RUNS:
        return [((name, make_pseudo_data(chunks, RUNS[name], path)), path)]
    return [((f"sim-{name}", make_leptons(chunks, path)), path)]
