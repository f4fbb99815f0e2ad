"""The cards: complete, honest, and true for the files that we have."""

from __future__ import annotations

import csv
import shutil

import pytest
import yaml

from cmslabs.config import validate
from cmslabs.data import catalog
from cmslabs.data.catalog import Card, card_markdown, card_names, list_cards, load_card, update_bundled_card
from cmslabs.errors import ConfigError, DataError
from cmslabs.io import adler32, sha256

WANTED = {
    "cms-doublemuon-2016h",
    "cms-zzto4l-2016",
    "cms-dimuon-2011",
    "cms-fourlepton-2011",
    "lhco-rnd-particles",
    "lhco-rnd-features",
    "lhco-blackbox-1",
    "lhco-blackbox-2",
    "lhco-blackbox-3",
    "darkmachines",
    "extrapolation-2311.12924",
    "sim-dijet-features",
    "sim-dijet-constituents",
    "sim-dimuon",
    "sim-fourlepton",
    "pseudo-dimuon",
    "pseudo-fourlepton",
}

REAL = {"cms-doublemuon-2016h", "cms-dimuon-2011", "cms-fourlepton-2011"}


def minimal(**changes) -> dict:
    """The smallest card that is accepted, with changes."""
    card = {"name": "toy", "title": "A toy", "kind": "real", "content": "Nothing.", "selection": "none"}
    return card | changes


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A folder of cards of our own."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(catalog, "CARDS", folder)
    return folder


def test_all_wanted_datasets_have_a_card():
    assert set(card_names()) >= WANTED
    assert [card.name for card in list_cards()] == card_names()


@pytest.mark.parametrize("name", sorted(WANTED))
def test_card_is_complete_and_reads_well(name):
    card = load_card(name)
    assert card.kind == (
        "real" if name in {"cms-doublemuon-2016h", "cms-dimuon-2011", "cms-fourlepton-2011"} else "simulation"
    )
    assert card.bundled == name.startswith(("sim-", "pseudo-"))
    assert card.simulation or "simulat" not in card.title.lower()
    assert card.citation
    assert card.known_traps
    assert all(column.unit and column.meaning for column in card.columns)
    text = card_markdown(card)
    assert text.startswith(f"# {card.title}\n")
    assert ("**Simulation**" in text) == card.simulation
    for part in [*card.known_traps, *(file.name for file in card.files), *(column.name for column in card.columns)]:
        assert " ".join(part.split()) in text
    assert "None" not in text


@pytest.mark.parametrize("name", ["cms-dimuon-2011", "cms-fourlepton-2011"])
def test_checksums_and_counts_are_those_of_the_real_files(name, real_data):
    card = load_card(name)
    counts = []
    for file in card.files:
        path = real_data / "cms-csv" / file.name
        assert (sha256(path), adler32(path), path.stat().st_size) == (file.sha256, file.adler32, file.size_bytes)
        with open(path, newline="") as stream:
            counts.append(sum(1 for _ in csv.reader(stream)) - 1)
        assert counts[-1] == file.n_events
    assert sum(counts) == card.n_events


def test_schema_names_the_columns_of_the_real_files(real_data):
    with open(real_data / "cms-csv" / "4mu_2011.csv", newline="") as stream:
        found = next(csv.reader(stream))
    named = " ".join(column.name for column in load_card("cms-fourlepton-2011").columns)
    assert {name.rstrip("1234") for name in found} <= {word.rstrip("1234") for word in named.split()} | {
        "py",
        "pz",
        "px",
    }


@pytest.mark.parametrize("card", [card for card in list_cards() if card.bundled], ids=lambda card: card.name)
def test_bundled_sample_and_its_card_agree(card):
    (file,) = card.files
    path = catalog.samples_folder() / file.name
    assert path.is_file() == (file.sha256 is not None), "run data_scripts/make_samples.py"
    if path.is_file():
        assert (sha256(path), path.stat().st_size) == (file.sha256, file.size_bytes)
        assert card.n_events > 0


def test_unknown_dataset_gets_close_names():
    with pytest.raises(DataError, match="lhco-blackbox-1"):
        load_card("lhco-blackbox1")
    with pytest.raises(DataError, match="cmslabs data list"):
        load_card("qqqqqq")
    with pytest.raises(DataError):
        load_card("../cards/darkmachines")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doi": "10.1/x"}, "doi"),
        ({"doi": "10.5281/zenodo.1"}, "'doi' has no entry in source_seen"),
        ({"licence": "CC0"}, "'licence' has no entry in source_seen"),
        ({"n_events": 5}, "'n_events' has no entry in source_seen"),
        ({"kind": "fake"}, "kind"),
        ({"size": 3}, "unknown key"),
        ({"files": [{"name": "a", "size_bytes": 3}]}, "'a' has no source_seen"),
        ({"files": [{"name": "a", "sha256": "xyz", "source_seen": "s"}]}, "sha256"),
        ({"files": [{"name": "a", "urls": ["ftp://x/a"], "source_seen": "s"}]}, "begins neither"),
        ({"files": [{"name": "../a"}]}, "plain name"),
        ({"files": [{"name": "/a"}]}, "plain name"),
        ({"files": [{"name": ".."}]}, "plain name"),
        ({"files": [{"name": ".a.lock"}]}, "plain name"),
        ({"files": [{"name": "c:\\a"}]}, "plain name"),
        ({"files": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"name": "../toy"}, "name"),
        ({"schema": [{"name": "pt", "type": "float", "meaning": "no unit"}]}, "unit"),
    ],
)
def test_card_with_a_mistake_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        validate(Card, minimal(**changes))


def test_facts_with_their_source_are_accepted():
    card = validate(Card, minimal(n_events=5, source_seen={"n_events": "counted"}))
    assert card.n_events == 5


def test_size_is_known_only_if_all_files_are():
    file = {"name": "a", "size_bytes": 3, "source_seen": "s"}
    assert validate(Card, minimal(files=[file, file | {"name": "b"}])).size_bytes == 6
    assert validate(Card, minimal(files=[file, {"name": "b"}])).size_bytes is None
    assert validate(Card, minimal()).size_bytes is None


def test_file_of_a_card_by_name():
    card = validate(Card, minimal(files=[{"name": "events.root"}, {"name": "more.root"}]))
    assert card.file().name == "events.root"
    assert card.file("more.root").name == "more.root"
    with pytest.raises(DataError, match=r"There is: events\.root"):
        card.file("event.root")
    with pytest.raises(DataError, match="names no file"):
        load_card("extrapolation-2311.12924").file()


def test_card_and_file_name_must_agree(cards):
    (cards / "other.yaml").write_text(yaml.safe_dump(minimal()))
    with pytest.raises(ConfigError, match="name: other"):
        load_card("other")


def test_markdown_escapes_and_says_what_is_not_known():
    column = {"name": "x", "type": "float", "unit": "1", "meaning": "a | b"}
    text = card_markdown(validate(Card, minimal(schema=[column], files=[{"name": "a.csv"}])), level=3)
    assert text.startswith("### A toy")
    assert "a \\| b" in text
    assert "checksum not published" in text
    assert "| DOI | not known" in text


class TestUpdateBundledCard:
    @pytest.fixture
    def sample(self, cards, tmp_path):
        shutil.copy(catalog.Path(catalog.__file__).parent / "cards" / "sim-dimuon.yaml", cards)
        path = cards / "sim-dimuon.yaml"
        path.write_text(path.read_text() + "# a remark that must stay\n")
        sample = tmp_path / "dimuon.root"
        sample.write_bytes(b"some events")
        return sample

    def test_only_the_measured_lines_change(self, cards, sample):
        before = (cards / "sim-dimuon.yaml").read_text().splitlines()
        card = update_bundled_card("sim-dimuon", sample, 321)
        assert card.n_events == 321
        assert card.files[0].sha256 == sha256(sample)
        assert card.files[0].size_bytes == 11
        after = (cards / "sim-dimuon.yaml").read_text().splitlines()
        changed = [new.split(":")[0].strip() for old, new in zip(before, after, strict=True) if old != new]
        assert set(changed) <= {"n_events", "size_bytes", "sha256"}
        assert after[-1] == "# a remark that must stay"

    def test_a_second_time_gives_the_same_text(self, cards, sample):
        update_bundled_card("sim-dimuon", sample, 321)
        before = (cards / "sim-dimuon.yaml").read_text()
        update_bundled_card("sim-dimuon", sample, 321)
        assert (cards / "sim-dimuon.yaml").read_text() == before

    def test_wrong_file_is_refused(self, sample):
        with pytest.raises(ConfigError, match=r"describes 'dimuon\.root'"):
            update_bundled_card("sim-dimuon", sample.rename(sample.with_name("other.root")), 1)

    def test_card_that_is_not_bundled_is_refused(self, cards, sample):
        (cards / "toy.yaml").write_text(yaml.safe_dump(minimal(files=[{"name": "dimuon.root"}])))
        with pytest.raises(ConfigError, match="bundled"):
            update_bundled_card("toy", sample, 1)

    def test_missing_line_is_named(self, cards, sample):
        path = cards / "sim-dimuon.yaml"
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "sha256" not in line))
        with pytest.raises(ConfigError, match="no line 'sha256:'"):
            update_bundled_card("sim-dimuon", sample, 1)
