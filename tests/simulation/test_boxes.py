"""Boxes from a secret: the same bytes always, the same number of events whatever is inside, and the right share."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.data.catalog import load_card, samples_folder
from cmslabs.data.tables import read_events, read_provenance, read_table, write_table
from cmslabs.errors import CheckFailed, ConfigError, DataError, MissingExtraError, SimulationError
from cmslabs.io import Provenance, sha256
from cmslabs.jobs import Chunk, chunk_seed
from cmslabs.simulation import box_recipe, boxes
from cmslabs.simulation.box_bundle import ENVELOPE, seal, unseal
from cmslabs.simulation.box_events import BOX_COLUMNS, BoxEvents, mix
from cmslabs.simulation.box_recipe import background_ingredient, hidden_ingredient
from cmslabs.simulation.box_secret import secret_key, stream_seed
from cmslabs.simulation.box_truth import Truth, box_truth, commitment, possible_truths, statement_of
from cmslabs.simulation.boxes import (
    bundled_box,
    bundled_commitment,
    make_box,
    open_box,
    open_bundled_box,
    read_box,
)
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.production import generate_chunk

#: Chunks of 40 events: two of background, one of each kind of hidden events.
SMALL = {"events": 80, "chunk_size": 40, "constituents": True}
#: A secret of every kind, found by trying.
SECRETS = {"nothing": "lemon tree 9", "wprime": "lemon tree 0", "hot-cell": "lemon tree 1"}
SECRET = SECRETS["wprime"]


def contents(files) -> tuple[bytes, bytes]:
    return files.features.read_bytes(), files.constituents.read_bytes()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """One small box, with constituents, made without interruption."""
    return make_box(SECRET, tmp_path_factory.mktemp("box") / "box.parquet", **SMALL)


def test_the_secrets_of_these_tests_are_of_every_kind():
    assert {kind: box_truth(secret).kind for kind, secret in SECRETS.items()} == {kind: kind for kind in SECRETS}


def test_a_box_has_the_columns_of_the_sample_without_labels(reference):
    frame = read_box(reference.features)
    sample = read_table(samples_folder() / "dijet-features.parquet").drop(columns=["process", "label"])
    assert frame.dtypes.to_dict() == sample.dtypes.to_dict()
    assert frame.event.tolist() == list(range(80))
    assert np.isfinite(frame.to_numpy(dtype=float)).all()
    record = frame.attrs["provenance"]
    assert record["simulation"] is True
    assert record["source"] == "simulation"
    assert set(record["units"]) == set(frame.columns)
    assert reference.commitment == commitment(statement_of(SECRET)) == record["details"]["box"]["commitment"]
    assert reference.sha256 == sha256(reference.features)


def test_no_path_time_or_seed_is_in_the_file(reference):
    for path in (reference.features, reference.constituents):
        text = json.dumps(read_provenance(path).model_dump(mode="json"))
        for word in (str(Path.home()), os.getcwd(), "tried", "composition", "wprime", "time"):
            assert word not in text
        assert read_provenance(path).seed is None


def test_constituents_are_those_of_the_events(reference):
    frame, jets = read_box(reference.features), read_events(reference.constituents)
    assert jets.event.to_list() == frame.event.tolist()
    for jet in ("j1", "j2"):
        counts = frame[f"nconst{jet}"].to_numpy()
        assert ak.all(ak.num(jets[jet]) == np.minimum(counts, 100))
        parts = ak.values_astype(jets[jet], "float64")
        px = ak.to_numpy(ak.sum(parts.pt * np.cos(parts.phi), axis=1))
        whole = counts <= 100
        assert whole.mean() > 0.7
        np.testing.assert_allclose(px[whole], frame[f"px{jet}"].to_numpy()[whole], atol=5)


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(reference, tmp_path):
    again = make_box(SECRET, tmp_path / "other-name.parquet", **SMALL, workers=2)
    assert contents(again) == contents(reference)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other-name-constituents.parquet", "other-name.parquet"]


@pytest.mark.slow
def test_an_interrupted_box_goes_on_and_has_the_same_bytes(reference, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "box.parquet", [], box_recipe.generate_chunk

    def stop_after_two(recipe, chunk):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(chunk.index)
        return real(recipe, chunk)

    monkeypatch.setattr(box_recipe, "generate_chunk", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        make_box(SECRET, out, **SMALL)
    assert not out.exists()
    done = sorted(tmp_path.glob("*/chunk-*.arrow"))
    assert len(done) == 2
    done[1].write_bytes(done[1].read_bytes()[:100])

    calls.clear()
    monkeypatch.setattr(
        box_recipe, "generate_chunk", lambda recipe, chunk: calls.append(chunk.index) or real(recipe, chunk)
    )
    assert contents(make_box(SECRET, out, **SMALL)) == contents(reference)
    assert calls == [1, 2, 3], "whole chunks are kept, broken ones made again"


def stop(*arguments, **options):
    """In place of a simulation."""
    raise SimulationError("seen enough.")


def test_the_work_does_not_tell_what_is_inside(tmp_path, monkeypatch):
    """For every secret the same processes with the same numbers of events are simulated."""
    seen = []

    def look(ingredients, folder, **options):
        seen.append([(one.recipe.process.name, one.recipe.process.hot_cell is None, one.events) for one in ingredients])
        stop()

    monkeypatch.setattr(boxes, "run_ingredients", look)
    for secret in SECRETS.values():
        with pytest.raises(SimulationError, match="seen enough"):
            make_box(secret, tmp_path / "box.parquet")
    assert seen[0] == seen[1] == seen[2]
    assert [entry[2] for entry in seen[0]] == [40_000, 812, 1_200]


def test_another_secret_makes_other_events(reference, tmp_path):
    other = make_box(SECRET + "0", tmp_path / "box.parquet", events=60)
    assert not set(read_box(other.features).mjj) & set(read_box(reference.features).mjj)
    assert other.constituents is None


def test_opening_needs_the_secret(reference, tmp_path):
    assert open_box(reference.features, SECRET) == box_truth(SECRET)
    assert open_box(reference.constituents, f" {SECRET}") == box_truth(SECRET)
    with pytest.raises(CheckFailed, match="not made with this secret") as failure:
        open_box(reference.features, SECRET.upper())
    assert failure.value.exit_code == 1
    with pytest.raises(ConfigError, match="secret is empty"):
        open_box(reference.features, "")


def test_other_files_are_no_boxes(reference, tmp_path):
    for name in ("dijet-features.parquet", "dijet-constituents.parquet"):
        with pytest.raises(DataError, match="is no sealed box"):
            read_box(samples_folder() / name)
    with pytest.raises(DataError, match="Read it with read_events"):
        read_box(reference.constituents)
    less = tmp_path / "less.parquet"
    write_table(less, read_box(reference.features).drop(columns="met"), read_provenance(reference.features))
    with pytest.raises(DataError, match="no table of a box's events"):
        read_box(less)
    with pytest.raises(DataError, match="no such file"):
        read_box(tmp_path / "box.parquet")
    pd.DataFrame({"mjj": [1.0]}).to_parquet(tmp_path / "plain.parquet")
    with pytest.raises(DataError, match="no provenance"):
        read_box(tmp_path / "plain.parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(reference.features.read_bytes()[:5000])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        read_box(cut)


def test_nothing_is_written_over(reference, tmp_path, monkeypatch):
    out = tmp_path / "box.parquet"
    write_table(out, pd.DataFrame({"x": [1]}), Provenance(source="me", simulation=False, script="test"))
    with pytest.raises(ConfigError, match="there already, and is no box"):
        make_box(SECRET, out)
    out.write_bytes(reference.features.read_bytes())
    with pytest.raises(ConfigError, match="is another box already"):
        make_box(SECRETS["nothing"], out)
    # The same box again may take its place: it would be the same.
    monkeypatch.setattr(
        boxes, "run_ingredients", lambda *arguments, **options: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        make_box(SECRET, out)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"secret": " "}, "secret is empty"),
        ({"out": "box.csv"}, "end in .parquet"),
        ({"events": 49}, "49 events are too few"),
    ],
)
def test_wrong_use_is_refused_before_anything_starts(tmp_path, options, reason):
    arguments = {"secret": SECRET, "out": "box.parquet"} | options
    with pytest.raises(ConfigError, match=reason):
        make_box(arguments.pop("secret"), tmp_path / arguments.pop("out"), **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet", "numba"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package):
    monkeypatch.setitem(
        box_recipe.sys.modules if hasattr(box_recipe, "sys") else __import__("sys").modules, package, None
    )
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*cmslabs\[sim\]"):
        make_box(SECRET, tmp_path / "box.parquet")
    assert list(tmp_path.iterdir()) == []


def fake_events(mjj, first) -> BoxEvents:
    """Events that are known by their first column."""
    columns = {name: np.zeros(len(mjj)) for name in BOX_COLUMNS}
    columns |= {"mjj": np.asarray(mjj, dtype=float), "nconstj1": first + np.arange(len(mjj))}
    return BoxEvents.rounded(columns)


@settings(max_examples=60, deadline=None)
@given(
    background=st.lists(st.floats(2000, 6000), min_size=20, max_size=200),
    signal=st.lists(st.floats(2700, 3300), min_size=20, max_size=60),
    share=st.floats(0.03, 0.05),
)
def test_the_share_is_met_with_the_fewest_signal_events(background, signal, share):
    """By a slow loop that puts in one event after the other."""
    truth = Truth(kind="wprime", mass=3000, mass_x=300, mass_y=150, share=share)
    plain, hidden = fake_events(background, 0), fake_events(signal, 1000)
    total, wanted = len(background), None
    inside = {name: [2820 <= value <= 3180 for value in part.frame.mjj] for name, part in (("b", plain), ("s", hidden))}
    for n in range(1, min(total, len(signal)) + 1):
        s, b = sum(inside["s"][:n]), sum(inside["b"][: total - n])
        if s > 0 and s >= share * (s + b):
            wanted = n
            break
    if wanted is None:
        with pytest.raises(SimulationError, match="too few for"):
            mix(plain, hidden, truth, np.random.default_rng(1))
        return
    mixed = mix(plain, hidden, truth, np.random.default_rng(1))
    assert len(mixed) == total
    assert sorted(mixed.frame.nconstj1) == [*range(total - wanted), *range(1000, 1000 + wanted)]


def test_a_hot_cell_fires_in_its_share():
    truth = Truth(kind="hot-cell", eta=0.1, phi=0.1, pt=200, share=0.025)
    plain, fired = fake_events(np.full(400, 3000.0), 0), fake_events(np.full(12, 3000.0), 1000)
    mixed = mix(plain, fired, truth, np.random.default_rng(2))
    assert sorted(mixed.frame.nconstj1)[-11:] == [389, *range(1000, 1010)]
    empty = mix(plain, None, Truth(kind="nothing"), np.random.default_rng(2)).frame.nconstj1
    assert sorted(empty) == list(range(400))
    assert empty.tolist() != list(range(400))


def test_enough_signal_is_simulated_for_any_box():
    """The most that the bundled background could ask for, against what is simulated and lies in the window."""
    mjj = read_table(samples_folder() / "dijet-features.parquet", ["mjj", "process"])
    mjj = mjj.mjj[mjj.process == "qcd-dijets"].to_numpy()
    part = hidden_ingredient(possible_truths("x")["wprime"], 40_000, 1, False)
    worst = max(np.sum(np.abs(mjj / mass - 1) < 0.06) for mass in range(3000, 4301, 50))
    in_window = 0.75  # measured: 0.80 to 0.81 for the lightest and the heaviest W'
    assert 0.05 / 0.95 * worst / in_window < 0.9 * part.events


def test_a_hot_cell_is_generated_with_softer_collisions():
    truth = Truth(kind="hot-cell", eta=0.1, phi=0.1, pt=180, share=0.025)
    part = hidden_ingredient(truth, 40_000, 1, True)
    lines = [line for line in part.recipe.lines if "pTHatMin" in line]
    assert lines == ["PhaseSpace:pTHatMin = 1000.", "PhaseSpace:pTHatMin = 820"]
    assert background_ingredient(5, 1, True).recipe.identity()["settings"] != part.recipe.identity()["settings"]
    assert part.events == 1200


# The bundled box.  Nothing here prints or depends on what is in it.


def test_the_bundled_box_and_its_envelope_belong_together():
    frame = read_box(bundled_box())
    assert len(frame) == 40_000 == load_card("sealed-box").n_events
    assert frame.event.tolist() == list(range(40_000))
    envelope = json.loads((samples_folder() / ENVELOPE).read_text())
    assert envelope["commitment"] == bundled_commitment()
    assert "not encryption" in envelope["remark"]
    secret = unseal(samples_folder() / ENVELOPE)
    assert not boxes.is_guessable(secret)
    assert secret not in (samples_folder() / ENVELOPE).read_text()
    assert isinstance(open_bundled_box(), Truth)


def test_the_card_describes_the_bundled_box():
    card = load_card("sealed-box")
    types = {name: column.type for column in card.columns for name in column.name.split(", ")}
    assert types == {name: str(kind) for name, kind in read_table(bundled_box()).dtypes.items()}
    assert set(read_box(bundled_box()).dtypes.astype(str)) == {"float32", "int32", "int16"}
    assert card.file().sha256 == sha256(bundled_box())


def test_an_envelope_keeps_its_secret(tmp_path):
    path = tmp_path / "envelope.json"
    seal(path, "grüne Heringe")
    assert unseal(path) == "grüne Heringe"
    content = json.loads(path.read_text())
    for broken in ({"secret_base64": "!!"}, {"secret_base64": 5}, {"secret_base64": "/w=="}):
        path.write_text(json.dumps(content | broken))
        with pytest.raises(DataError, match="is no envelope"):
            unseal(path)
    path.write_text(json.dumps(content | {"commitment": 64 * "0"}))
    with pytest.raises(DataError, match="does not fit its commitment"):
        unseal(path)


@pytest.mark.slow
def test_a_piece_of_the_bundled_box_made_again_is_in_it():
    """The first background events of its secret, where they were made; the whole takes minutes."""
    if read_provenance(bundled_box()).details["platform"] != f"{platform.system()} {platform.machine()}":
        pytest.skip("bytes are promised where the box was made")
    key = secret_key(unseal(samples_folder() / ENVELOPE))
    part = background_ingredient(40_000, stream_seed(key, "background"), False)
    events = unpack(generate_chunk(part.recipe, Chunk(0, 0, 30, chunk_seed(part.seed, 0))))[0]
    again = BoxEvents.rounded({name: ak.to_numpy(events.table[name]) for name in events.table.fields}).frame
    stored = read_box(bundled_box()).drop(columns="event")
    assert len(again.merge(stored, how="inner")) == 30
