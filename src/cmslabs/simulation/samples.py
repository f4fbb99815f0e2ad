"""The bundled samples: what is in them and how they are made (`make samples`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from cmslabs.data.catalog import samples_folder, update_bundled_card
from cmslabs.errors import ConfigError
from cmslabs.simulation.production import run_recipe
from cmslabs.simulation.sample_files import Part, make_dijets, make_leptons

__all__ = ["DIJETS", "DIMUON", "FOUR_LEPTON", "generate", "make_samples"]

DIJETS = (
    Part("qcd-dijets", 40_000, seed=101, constituents=5_000),
    Part("wprime-2prong", 8_000, seed=102, constituents=1_000),
    Part("wprime-3prong", 3_000, seed=103, constituents=300),
    Part("zprime-tt", 3_000, seed=104, constituents=300),
    Part("graviton-ww", 3_000, seed=105, constituents=300),
)
#: Chosen so that every peak can be seen: the shares are not those of nature.
DIMUON = (
    Part("drell-yan", 14_000, seed=201),
    Part("drell-yan", 2_000, seed=202, variant="low-mass"),
    Part("jpsi", 2_000, seed=203),
    Part("upsilon", 2_500, seed=204),
)
FOUR_LEPTON = (Part("zz-4l", 1_500, seed=301), Part("higgs-4l", 500, seed=302))


def generate(
    part: Part, work: str | os.PathLike, *, workers: int = 1, executor: Executor | None = None, progress: bool = False
) -> list[Path]:
    """Chunks of one part, in the folder `work`; what is there already is used."""
    folder = Path(work) / f"{part.name}-{part.seed}"
    options = {"workers": workers, "executor": executor, "progress": progress}
    return run_recipe(part.recipe, part.events, part.seed, folder, **options)


def make_samples(
    names: Sequence[str], out: str | os.PathLike | None, work: str | os.PathLike, workers: int
) -> Iterator[str]:
    """Make the bundled samples and bring their cards up to date; one line of report per file.

    Parameters
    ----------
    names : sequence of str
        Some of ``dijets``, ``dimuon``, ``fourlepton``; empty for all.
    out : path-like or None
        Where the samples go; None is the package's own folder, whose cards are then brought up to date.
    work : path-like
        For the chunks: an interrupted run goes on from there.
    workers : int

    Raises
    ------
    ConfigError
        If a name is unknown.
    """
    groups = {"dimuon": DIMUON, "fourlepton": FOUR_LEPTON, "dijets": DIJETS}
    unknown = sorted(set(names) - set(groups))
    if unknown:
        raise ConfigError(f"there is no sample '{unknown[0]}'.", remedy=f"Choose from: {', '.join(groups)}.")
    folder = samples_folder() if out is None else Path(out)
    for name, parts in groups.items():
        if names and name not in names:
            continue
        chunks = {part: generate(part, work, workers=workers, progress=True) for part in parts}
        if name == "dijets":
            paths = {key: folder / f"dijet-{key}.parquet" for key in ("features", "constituents")}
            counts = make_dijets(chunks, paths["features"], paths["constituents"])
            made = {"sim-dijet-features": counts[0], "sim-dijet-constituents": counts[1]}
            files = list(paths.values())
        else:
            files = [folder / f"{name}.root"]
            made = {f"sim-{name}": make_leptons(chunks, files[0])}
        for (card, n_events), path in zip(made.items(), files, strict=True):
            if out is None:
                update_bundled_card(card, path, n_events)
            yield f"{path.name}: {n_events} events, {path.stat().st_size / 1e6:.2f} MB"
