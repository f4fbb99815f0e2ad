"""Boxes for a class: disjoint events from one pass over a pool, secrets that stay secret, and what is refused."""

from __future__ import annotations

import itertools
import json
import stat
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmslabs.data.tables import read_events, read_provenance, read_table, write_table
from cmslabs.errors import ConfigError, DataError, SimulationError
from cmslabs.io import sha256
from cmslabs.simulation import box_class, box_pool
from cmslabs.simulation.box_class import make_class
from cmslabs.simulation.box_events import BoxEvents
from cmslabs.simulation.box_pool import open_pool, windows
from cmslabs.simulation.boxes import box_truth, commitment, make_box, open_box, read_box, statement_of
from cmslabs.simulation.generator import simulate

#: Nothing, a hot cell and a W', in this order.
SECRETS = ["lemon tree 9", "lemon tree 1", "lemon tree 0"]
EVENTS, POOL = 90, 290


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A small background with constituents; its seed is a large one."""
    folder = tmp_path_factory.mktemp("pool")
    simulate("qcd-dijets", POOL, 2**45 + 1, folder, constituents=True)
    return folder


@pytest.fixture
def known_secrets(monkeypatch):
    """What the system's random source gives: a class with a box of every kind."""
    given = itertools.cycle(SECRETS)
    monkeypatch.setattr(box_class.secrets, "token_urlsafe", lambda n: next(given))


@pytest.fixture(scope="module")
def school(pool, tmp_path_factory):
    """A class of three, with constituents."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = iter(SECRETS)
        patch.setattr(box_class.secrets, "token_urlsafe", lambda n: next(drawn))
        return make_class(3, tmp_path_factory.mktemp("class"), pool, events=EVENTS, constituents=True)


def rows(frame) -> list[tuple]:
    return list(map(tuple, frame.drop(columns="event").to_numpy().tolist()))


@pytest.fixture(scope="module")
def known(pool) -> dict[tuple, int]:
    """The pool's events as a box would round them -> their place in the pool."""
    table = read_table(pool / "qcd-dijets-features.parquet")
    return {row: place for place, row in enumerate(map(tuple, BoxEvents.rounded(table).frame.to_numpy().tolist()))}


def test_every_student_has_other_events(school, known):
    used = []
    for box, secret in zip(school.boxes, SECRETS, strict=True):
        places = [known.get(row) for row in rows(read_box(box.features))]
        assert len(places) == EVENTS
        hidden = places.count(None)
        assert (hidden > 0) == (box_truth(secret).kind != "nothing")
        # Hidden events stand in place of the last ones of the student's part.
        part = sorted(place for place in places if place is not None)
        assert part == list(range(part[0], part[0] + EVENTS - hidden))
        used += part
    assert len(set(used)) == len(used)


def test_nothing_tells_which_events_are_hidden(school, known):
    """In the box with a W' the hidden events are somewhere, and files of all kinds have the same columns."""
    schemas = {str(read_table(box.features).dtypes.to_dict()) for box in school.boxes}
    layouts = {str(ak.type(read_events(box.constituents)).content) for box in school.boxes}
    details = [read_provenance(box.features).details for box in school.boxes]
    for one in details:
        one["box"].pop("commitment")
    assert len(schemas) == len(layouts) == 1
    assert details[0] == details[1] == details[2]


def test_constituents_are_dealt_with_their_events(school):
    for box in school.boxes:
        frame, jets = read_box(box.features), read_events(box.constituents)
        assert jets.event.to_list() == frame.event.tolist()
        for jet in ("j1", "j2"):
            assert ak.num(jets[jet]).to_list() == np.minimum(frame[f"nconst{jet}"], 100).tolist()


def test_what_is_published_and_what_is_kept(school, pool):
    public, private = json.loads(school.commitments.read_text()), json.loads(school.secrets.read_text())
    assert [box.features.name for box in school.boxes] == [f"student-0{n}.parquet" for n in (1, 2, 3)]
    assert private == dict(zip(("student-01", "student-02", "student-03"), SECRETS, strict=True))
    for box, secret in zip(school.boxes, SECRETS, strict=True):
        entry = public["boxes"][box.features.name]
        assert entry["commitment"] == commitment(statement_of(secret)) == box.commitment
        assert entry["sha256"] == sha256(box.features)
        assert entry["constituents_sha256"] == sha256(box.constituents)
        assert open_box(box.features, secret) == box_truth(secret)
        assert read_provenance(box.features).details["box"]["background"] == public["background"]["sha256"]
    assert public["background"] == {"sha256": sha256(pool / "qcd-dijets-features.parquet"), "events": POOL}
    assert public["shared_events"] is False
    assert public["remarks"] == []
    assert not any(secret in school.commitments.read_text() for secret in SECRETS)
    # What was simulated for the boxes names their kinds: it is gone.
    assert not [path for path in school.secrets.parent.iterdir() if path.is_dir()]


@pytest.mark.skipif(sys.platform == "win32", reason="file modes of POSIX")
def test_the_secrets_are_for_their_owner_only(school):
    assert stat.S_IMODE(school.secrets.stat().st_mode) == 0o600


def test_an_interrupted_class_keeps_its_secrets(school, pool, tmp_path, known_secrets, monkeypatch):
    real = box_class.run_ingredients

    def stop(*arguments, **options):
        raise SimulationError("seen enough.")

    monkeypatch.setattr(box_class, "run_ingredients", stop)
    with pytest.raises(SimulationError):
        make_class(3, tmp_path, pool, events=EVENTS)
    monkeypatch.setattr(box_class, "run_ingredients", real)
    monkeypatch.setattr(box_class.secrets, "token_urlsafe", lambda n: pytest.fail("new secrets were drawn"))
    made = make_class(3, tmp_path, pool, events=EVENTS)
    # The table of a box is the same with and without constituents.
    for box, other in zip(made.boxes, school.boxes, strict=True):
        pd.testing.assert_frame_equal(read_box(box.features), read_box(other.features))
    with pytest.raises(ConfigError, match="secrets of another class"):
        make_class(2, tmp_path, pool, events=EVENTS)


def test_a_pool_that_is_too_small_is_refused_with_the_number(pool, tmp_path):
    with pytest.raises(DataError, match=r"290 events, but 4 boxes of 90 need 360.*--shared"):
        make_class(4, tmp_path, pool, events=90)
    with pytest.raises(DataError, match=r"290 events, but 4 boxes of 300 need 1200. Simulate more\.$"):
        make_class(4, tmp_path, pool, events=300)
    with pytest.raises(DataError, match="need 300"):
        make_class(4, tmp_path, pool, events=300, shared=True)
    with pytest.raises(DataError, match="a box needs 300"):
        make_box("lemon tree 9", tmp_path / "box.parquet", events=300, background=pool)
    assert list(tmp_path.iterdir()) == []


def test_boxes_that_share_events_say_so(pool, tmp_path, monkeypatch, known):
    empty = [secret for secret in map("lemon tree {}".format, range(60)) if box_truth(secret).kind == "nothing"]
    monkeypatch.setattr(box_class.secrets, "token_urlsafe", lambda n: empty.pop())
    made = make_class(5, tmp_path, pool, events=EVENTS, shared=True)
    public = json.loads(made.commitments.read_text())
    assert made.shared
    assert public["shared_events"] is True
    assert "p-values" in public["remarks"][0]
    places = [{known[row] for row in rows(read_box(box.features))} for box in made.boxes]
    assert [min(one) for one in places] == [0, 50, 100, 150, 200]
    assert all(len(one) == EVENTS for one in places)


def test_enough_events_are_not_shared_even_if_they_may_be(pool, tmp_path, known_secrets):
    assert not make_class(1, tmp_path, pool, events=EVENTS, shared=True).shared


def test_a_single_box_takes_a_part_of_the_pool_that_its_secret_chooses(pool, tmp_path, known):
    first = make_box("lemon tree 9", tmp_path / "one.parquet", events=80, background=pool)
    again = make_box(
        "lemon tree 9", tmp_path / "two.parquet", events=80, background=pool / "qcd-dijets-features.parquet"
    )
    assert first.features.read_bytes() == again.features.read_bytes()
    places = sorted(known[row] for row in rows(read_box(first.features)))
    assert places == list(range(places[0], places[0] + 80))
    assert read_provenance(first.features).details["box"]["background"] == open_pool(pool).sha256


def test_small_seeds_are_called_guessable(pool, tmp_path):
    assert not open_pool(pool).is_guessable
    table, record = copy_of(pool)
    write_table(tmp_path / "pool.parquet", table, record.model_copy(update={"seed": 1}))
    assert open_pool(tmp_path / "pool.parquet").is_guessable


def copy_of(pool):
    path = pool / "qcd-dijets-features.parquet"
    return read_table(path).head(5), read_provenance(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"script": "data_scripts/make_samples.py"}, "no background that"),
        ({"details.process": "wprime-2prong"}, "no background that"),
        ({"details.settings": ["HardQCD:all = on"]}, "simulated otherwise .*settings"),
        ({"details.selection": {"jet_pt": 500.0}}, "simulated otherwise .*selection"),
        ({"details.code": "0123"}, "simulated otherwise .*code"),
        ({"details.versions": {"pythia8mc": "8.1"}}, "simulated otherwise .*pythia8mc, fastjet"),
    ],
)
def test_background_of_another_kind_is_refused(pool, tmp_path, change, reason):
    table, record = copy_of(pool)
    content = record.model_dump(mode="json")
    for key, value in change.items():
        *parents, last = key.split(".")
        (content[parents[0]] if parents else content)[last] = value
    write_table(tmp_path / "pool.parquet", table, type(record).model_validate(content))
    with pytest.raises(DataError, match=reason):
        open_pool(tmp_path / "pool.parquet")


def test_wrong_files_are_refused(pool, tmp_path):
    from cmslabs.data.catalog import samples_folder

    with pytest.raises(DataError, match="no background that 'cmslabs simulate"):
        open_pool(samples_folder() / "dijet-features.parquet")
    with pytest.raises(DataError, match="no such file"):
        open_pool(tmp_path)
    with pytest.raises(DataError, match="no Parquet table"):
        open_pool(pool / "qcd-dijets.json")
    table, record = copy_of(pool)
    write_table(tmp_path / "qcd-dijets-features.parquet", table, record)
    with pytest.raises(DataError, match="no constituents beside it"):
        open_pool(tmp_path, constituents=True)
    with pytest.raises(ConfigError, match="0 students"):
        make_class(0, tmp_path, pool)
    with pytest.raises(ConfigError, match="too few"):
        make_class(1, tmp_path, pool, events=10)


def test_constituents_of_other_events_are_noticed(pool, tmp_path):
    table, record = copy_of(pool)
    write_table(tmp_path / "qcd-dijets-features.parquet", table.assign(event=table.event + 3), record)
    (tmp_path / "qcd-dijets-constituents.parquet").write_bytes((pool / "qcd-dijets-constituents.parquet").read_bytes())
    with pytest.raises(DataError, match="other events than the table"):
        list(open_pool(tmp_path, constituents=True).deal([0], 3))


def test_a_secrets_file_that_is_none_is_refused(pool, tmp_path):
    (tmp_path / "secrets.json").write_text('{"student-01": 5}')
    with pytest.raises(ConfigError, match="another class"):
        make_class(1, tmp_path, pool, events=EVENTS)


def numbered(first, n) -> BoxEvents:
    return BoxEvents(pd.DataFrame({"x": np.arange(first, first + n)}))


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    size=st.integers(1, 40),
    steps=st.lists(st.integers(0, 50), min_size=1, max_size=6),
)
def test_windows_are_slices(sizes, size, steps):
    total, starts = sum(sizes), np.cumsum(steps)
    blocks = (numbered(end - n, n) for n, end in zip(sizes, np.cumsum(sizes), strict=True))
    good = [int(start) for start in starts if start + size <= total]
    found = windows(blocks, [int(start) for start in starts], size, "pool")
    for start in good:
        assert next(found).frame.x.tolist() == list(range(start, start + size))
    if len(good) < len(starts):
        with pytest.raises(DataError, match="pool: ends after"):
            next(found)


def test_windows_hold_no_more_than_they_need(monkeypatch):
    """A thousand blocks go through; what is held stays within a window and a block."""
    joined = []
    real = BoxEvents.join.__func__
    monkeypatch.setattr(
        BoxEvents, "join", classmethod(lambda cls, parts: joined.append(sum(map(len, parts))) or real(cls, parts))
    )
    blocks = (numbered(10 * number, 10) for number in range(1000))
    assert sum(len(window) for window in windows(blocks, range(0, 10_000, 25), 25)) == 10_000
    assert max(joined) <= 25 + 10


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pool(pool, tmp_path, monkeypatch):
    """Constituents of a pool ten times as large take no more memory: it is dealt in pieces."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "data")
    from peak_memory import peak_megabytes

    code = (
        "import sys; from cmslabs.simulation.box_pool import open_pool; pool = open_pool(sys.argv[1], True)\n"
        "size = 290\nfor part in pool.deal(range(0, pool.n_events, size), size): assert len(part) == size\n"
    )
    peaks = [peak_megabytes(code, tiled(pool, tmp_path / str(n), n))[0] for n in (10, 100)]
    assert peaks[1] < peaks[0] + 60


def tiled(pool, folder, times):
    """A pool that repeats the events of another one."""
    from cmslabs.data.tables import event_writer

    folder.mkdir()
    name = "qcd-dijets-features.parquet"
    table = read_table(pool / name)
    parts = [table.assign(event=table.event + number * len(table)) for number in range(times)]
    write_table(folder / name, pd.concat(parts, ignore_index=True), read_provenance(pool / name))
    name = "qcd-dijets-constituents.parquet"
    jets = read_events(pool / name)
    with event_writer(folder / name, read_provenance(pool / name)) as write:
        for number in range(times):
            write(ak.with_field(jets, jets.event + number * len(jets), "event"))
    return folder


def test_the_pool_is_read_once(pool, monkeypatch):
    seen = []
    real = box_pool.open_parquet
    monkeypatch.setattr(box_pool, "open_parquet", lambda path: seen.append(path) or real(path))
    background = open_pool(pool)
    seen.clear()
    assert sum(len(part) for part in background.deal(range(0, 240, 60), 60)) == 240
    assert len(seen) == 1
