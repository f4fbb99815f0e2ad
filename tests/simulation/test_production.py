"""Chunks: the same bytes from any number of workers, after any interruption; none that is not whole counts."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from cmslabs.errors import ConfigError, MissingExtraError, SimulationError
from cmslabs.io import sha256
from cmslabs.jobs import Chunk, chunk_seed
from cmslabs.simulation import production
from cmslabs.simulation.chunkfile import is_whole, pack, unpack
from cmslabs.simulation.generator import simulate
from cmslabs.simulation.process import COMMON
from cmslabs.simulation.processes import PROCESSES, get_process
from cmslabs.simulation.production import Recipe, generate_chunk, run_recipe, summarise
from cmslabs.simulation.pythia import batches, cross_section, pythia_seed, start

W_PRIME = PROCESSES["wprime-2prong"]
#: Three chunks of 25 events: enough to be interrupted in, a second or two of work.
SMALL = {"events": 75, "seed": 4, "chunk_size": 25, "constituents": True, "particles": True}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What one process makes without interruption, its chunks kept."""
    return simulate(W_PRIME, out=tmp_path_factory.mktemp("one"), keep_chunks=True, **SMALL)


@pytest.fixture(scope="module")
def reference(whole):
    """Hashes of these files."""
    return hashes(whole.files)


@pytest.fixture
def chunks_only(whole, tmp_path):
    """A folder as it was before the chunks were put together."""
    (chunks,) = whole.files["features"].parent.glob("*-chunks-*")
    shutil.copytree(chunks, tmp_path / chunks.name)
    return tmp_path


def hashes(files):
    return {kind: sha256(path) for kind, path in files.items()}


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(reference, tmp_path):
    assert hashes(simulate(W_PRIME, out=tmp_path, workers=2, **SMALL).files) == reference


@pytest.mark.slow
def test_an_executor_of_dask_makes_the_same_bytes(reference, tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        made = simulate(W_PRIME, out=tmp_path, executor=client.get_executor(), **SMALL)
    assert hashes(made.files) == reference


def test_another_seed_makes_other_bytes(reference, tmp_path):
    other = hashes(simulate(W_PRIME, out=tmp_path, **(SMALL | {"seed": 5})).files)
    assert not set(other.values()) & set(reference.values())


@pytest.mark.slow
def test_lepton_files_are_the_same_bytes_too(tmp_path):
    options = {"events": 3, "seed": 3}
    one = simulate("zz-4l", out=tmp_path / "1", workers=1, **options).files
    time.sleep(1.1)  # ROOT's dates count seconds: a file written later must not differ.
    two = simulate("zz-4l", out=tmp_path / "2", workers=1, **options).files
    assert hashes(one) == hashes(two)


KILLED = """
import sys
from cmslabs.simulation import generator, processes
generator.simulate("wprime-2prong", events=75, seed=4, out=sys.argv[1], chunk_size=25, constituents=True,
                   particles=True)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_makes_the_same_bytes(reference, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/chunk-*.arrow")):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = sorted(tmp_path.glob("*/chunk-*.arrow"))
    assert 1 <= len(done) < 3, "it was to die with work left over"
    before = {path: path.stat().st_mtime_ns for path in done}
    assert not (tmp_path / "wprime-2prong.json").exists()

    made = simulate(W_PRIME, out=tmp_path, keep_chunks=True, **SMALL)
    assert hashes(made.files) == reference
    assert {path: path.stat().st_mtime_ns for path in done} == before, "a finished chunk was made again"


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped"])
def test_a_chunk_that_is_not_whole_never_counts(reference, chunks_only, damage):
    victim = sorted(chunks_only.glob("*/chunk-*.arrow"))[1]
    content = bytearray(victim.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    victim.write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage, len(content))])
    assert not is_whole(victim)
    assert hashes(simulate(W_PRIME, out=chunks_only, **SMALL).files) == reference


def test_a_half_written_file_beside_the_chunks_is_ignored(reference, chunks_only):
    first = sorted(chunks_only.glob("*/chunk-*.arrow"))[0]
    (first.parent / ".part-abc-chunk-00002.arrow").write_bytes(first.read_bytes()[:100])
    assert hashes(simulate(W_PRIME, out=chunks_only, **SMALL).files) == reference


def test_the_chunks_are_deleted_at_the_end_unless_they_are_wanted(tmp_path):
    simulate(W_PRIME, out=tmp_path, events=2, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wprime-2prong-features.parquet", "wprime-2prong.json"]


def test_a_short_chunk_is_the_beginning_of_a_long_one(generated):
    long, _ = generated("wprime-2prong", 150)
    short, _ = generated("wprime-2prong", 40)
    for name in long.table.fields:
        np.testing.assert_array_equal(ak.to_numpy(short.table[name]), ak.to_numpy(long.table[name])[:40])


def test_chunks_have_independent_events():
    """Neighbouring chunks and neighbouring seeds share no event, and their masses do not follow each other."""
    seeds = [chunk_seed(seed, index) for seed in range(40) for index in range(40)]
    assert len({pythia_seed(seed) for seed in seeds}) == len(seeds)
    recipe = Recipe(W_PRIME)
    blocks = [unpack(generate_chunk(recipe, Chunk(i, 0, 100, chunk_seed(1, i))))[0].table for i in range(2)]
    masses = [ak.to_numpy(block.mjj) for block in blocks]
    assert not set(masses[0]) & set(masses[1])
    assert abs(np.corrcoef(masses)[0, 1]) < 4 / np.sqrt(100)


def test_tries_count_up_to_the_last_kept_event(generated):
    """300 events in one go and in pieces give the same efficiency within its error."""
    _, record = generated("wprime-2prong", 150)
    assert record["kept"] == 150
    efficiency = 150 / record["tried"]
    error = np.sqrt(efficiency * (1 - efficiency) / record["tried"])
    assert abs(efficiency - 0.74) < 4 * error


def test_the_summary_adds_up(tmp_path):
    paths = run_recipe(Recipe(W_PRIME), 30, 6, tmp_path, chunk_size=10)
    records = [unpack(path.read_bytes())[1] for path in paths]
    summary = summarise(paths)
    assert summary["events"] == 30
    assert summary["tried"] == sum(record["tried"] for record in records)
    assert summary["efficiency"] == 30 / summary["tried"]
    assert min(r["sigma_pb"] for r in records) <= summary["sigma_pb"] <= max(r["sigma_pb"] for r in records)
    assert 0 < summary["sigma_error_pb"] < max(record["sigma_error_pb"] for record in records)


def test_a_selection_that_nothing_passes_ends_with_an_error(monkeypatch):
    monkeypatch.setattr(production, "LEAST_TRIES", 400)
    monkeypatch.setattr(production, "TRIES_PER_EVENT", 10)
    blind = replace(W_PRIME, selection={"jet_pt": 20_000.0, "jet_eta": 2.5})
    with pytest.raises(SimulationError, match=r"chunk 3: only 0 of 5 events passed the selection after 400 tries"):
        generate_chunk(Recipe(blind), Chunk(3, 0, 5, 1))


def test_bytes_that_are_no_chunk_are_refused():
    content = pack(ak.Array([{"x": 1.0}]), {})
    for broken in (b"", b"short", content[:-1], content[:40] + b"x" + content[41:]):
        with pytest.raises(SimulationError, match="not a whole chunk"):
            unpack(broken, "chunk-00000.arrow")


@pytest.mark.parametrize(
    ("process", "options", "match"),
    [
        ("qcd-dijets", {"format": "root"}, "cannot be written as 'root'"),
        ("zz-4l", {"format": "csv"}, "cannot be written as 'csv'"),
        ("zz-4l", {"particles": True}, "dijet processes only"),
        ("qcd-dijets", {"seed": -1}, "negative"),
        ("qcd-dijets", {"events": 0}, "cannot split 0 items"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, process, options, match):
    with pytest.raises(ConfigError, match=match):
        simulate(process, out=tmp_path, **({"events": 5, "seed": 1} | options))


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet", "numba"])
def test_a_missing_package_is_named_before_anything_starts(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*cmslabs\[sim\]"):
        simulate("qcd-dijets", 5, 1, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_chunks_of_other_code_are_refused(tmp_path, monkeypatch):
    run_recipe(Recipe(W_PRIME), 2, 1, tmp_path)
    monkeypatch.setattr(production, "EVENT_CODE", ("simulation/tracker",))
    with pytest.raises(ConfigError, match=r"chunks of another job \(different: code\)"):
        run_recipe(Recipe(W_PRIME), 2, 1, tmp_path)


def test_every_module_that_a_chunk_runs_through_is_part_of_its_identity():
    """What `generate_chunk` imports, directly or not, is hashed or stands in the identity as data."""
    code = "import sys, cmslabs.simulation.production; print(*(m for m in sys.modules if m.startswith('cmslabs.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    rooms = {name.removeprefix("cmslabs.").replace(".", "/") for name in loaded if name.count(".") == 2}
    needed = {name for name in rooms if name.startswith(("simulation/", "features/"))}
    # A process is in the identity as its settings, a chunk file is checked when it is read.
    assert needed - {"simulation/process", "simulation/chunkfile"} == set(production.EVENT_CODE)


def test_the_task_travels_to_workers():
    import pickle

    recipe = Recipe(get_process("qcd-dijets"), content=("constituents",))
    assert pickle.loads(pickle.dumps(partial(generate_chunk, recipe))).args == (recipe,)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ratio"), [("jpsi", 0.0596), ("upsilon", 0.0248)])
def test_cross_sections_contain_the_forced_decay(tmp_path, name, ratio):
    """Pythia's own cross-section of the same settings does not know that the decay to muons is forced."""
    summary = simulate(name, events=1, seed=9, out=tmp_path).summary
    pythia = start((*get_process(name).settings, *COMMON, "PartonLevel:all = off"), 4)
    for _ in range(3000):
        pythia.next()
    sigma, error = cross_section(pythia)
    assert abs(summary["sigma_pb"] - ratio * sigma) < 4 * ratio * error + 4 * summary["sigma_error_pb"]


@pytest.mark.slow
def test_the_three_upsilons_decay_to_muons_in_the_true_proportions():
    """Counted among the decays of Pythia's events: 1.93 / 2.48 and 2.18 / 2.48 of the first state's."""
    pythia = start(get_process("upsilon").lines(mpi=False), 8)
    made, to_muons = dict.fromkeys((553, 100553, 200553), 0), dict.fromkeys((553, 100553, 200553), 0)
    for batch in itertools.islice(batches(pythia, 500), 6):
        first = batch.offsets[:-1][batch.event]
        mother = batch.id[first + batch.mother1]
        for state in made:
            daughters = np.abs(batch.id[(mother == state) & (batch.id != state)])
            made[state] += np.isin(daughters, (12, 13)).sum() / 2
            to_muons[state] += (daughters == 13).sum() / 2
    assert to_muons[553] == made[553] > 500
    for state, share in ((100553, 0.0193 / 0.0248), (200553, 0.0218 / 0.0248)):
        n = made[state]
        assert n > 100
        assert abs(to_muons[state] / n - share) < 4 * np.sqrt(share * (1 - share) / n), state


def test_tries_say_which_collision_an_event_was(generated):
    """Rising, one for each event, the last of them the last try; and the same for a shorter chunk."""
    _, record = generated("wprime-2prong", 150)
    _, short = generated("wprime-2prong", 40)
    assert len(record["tries"]) == 150
    assert (np.diff(record["tries"]) > 0).all()
    assert record["tries"][-1] == record["tried"] - 1
    assert record["tries"][:40] == short["tries"]


def test_the_record_says_what_was_done(tmp_path):
    made = simulate(W_PRIME, events=3, seed=9, out=tmp_path, mpi=True)
    assert made.files["features"].name == "wprime-2prong-mpi-features.parquet"
    record = json.loads(made.files["record"].read_text())
    assert record["kind"] == "simulation"
    assert record["n_events"] == 3
    assert record["files"]["features"]["sha256"] == sha256(made.files["features"])
    provenance = record["provenance"]
    assert provenance["source"] == "simulation"
    assert provenance["simulation"] is True
    assert provenance["seed"] == 9
    assert provenance["versions"]["pythia8mc"]
    assert "PartonLevel:MPI = on" in provenance["details"]["settings"]
    assert str(Path.home()) not in json.dumps(record)
    assert os.getcwd() not in json.dumps(record)
