"""Nothing but physics tells what is in a box, and the tests that say so notice boxes that do tell.

The boxes are made from the bundled sample, so that many can be made quickly; hot cells are simulated once.  What is
mixed and how it is written is the code of real boxes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cmslabs.data.catalog import samples_folder
from cmslabs.data.parquet import PROVENANCE_KEY
from cmslabs.data.tables import read_table, write_table
from cmslabs.io import Provenance
from cmslabs.jobs import Chunk
from cmslabs.simulation.box_events import BITS, BOX_COLUMNS, BoxEvents, mix
from cmslabs.simulation.box_file import read_box, write_box
from cmslabs.simulation.box_leaks import (
    box_bookkeeping,
    event_bookkeeping,
    physics,
    separate_boxes,
    separate_events,
    zero_bits,
)
from cmslabs.simulation.box_recipe import hidden_ingredient
from cmslabs.simulation.box_truth import Truth
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.production import generate_chunk
from cmslabs.simulation.writers import round_floats

TRUTHS = {
    "nothing": Truth(kind="nothing"),
    "wprime": Truth(kind="wprime", mass=3500, mass_x=500, mass_y=100, share=0.05),
    "hot-cell": Truth(kind="hot-cell", eta=0.3045, phi=1.2, pt=200, share=0.02),
}
N_BOXES, N_EVENTS = 36, 1_100
#: Up to this p-value it is a leak.
ALARM = 0.01
#: Precision of the bundled sample, which all events of these tests get.
SAMPLE_BITS = 13


@dataclass
class Case:
    """A box, and which of its rows are hidden events."""

    path: Path
    kind: str
    hidden: np.ndarray


@pytest.fixture(scope="module")
def ingredients() -> dict[str, dict[str, np.ndarray]]:
    """Columns of background, W' and hot-cell events, all of the sample's precision."""
    sample = read_table(samples_folder() / "dijet-features.parquet")
    kinds = {"nothing": "qcd-dijets", "wprime": "wprime-2prong"}
    made = {kind: sample[sample.process == name] for kind, name in kinds.items()}
    part = hidden_ingredient(TRUTHS["hot-cell"], N_EVENTS * N_BOXES // 3, 1, False)
    wanted = round(TRUTHS["hot-cell"].share * N_EVENTS) * N_BOXES // 3
    events = unpack(generate_chunk(part.recipe, Chunk(0, 0, wanted, 11)))[0]
    cell = {name: round_floats(ak.to_numpy(events.table[name]), SAMPLE_BITS) for name in events.table.fields}
    columns = {name: made["nothing"][name].to_numpy() for name in BOX_COLUMNS}
    return {
        "nothing": columns,
        "wprime": {name: made["wprime"][name].to_numpy() for name in BOX_COLUMNS},
        "hot-cell": {"event": np.arange(wanted), **cell},
    }


class Ordered:
    """A random generator that does not shuffle: one of the planted faults."""

    def permutation(self, n: int) -> np.ndarray:
        return np.arange(n)


def make_boxes(ingredients, folder: Path, n=18, *, shuffle=True, bits=None, write=write_box) -> list[Case]:
    """Boxes, a third of each kind; no two share an event.  For a planted fault, half of them are enough.

    Parameters
    ----------
    shuffle : bool
        Whether the order is random, as it must be.
    bits : dict, optional
        Another rounding of the hidden events than of the background.
    write : callable
        Instead of `write_box`; its last argument says what is inside.
    """
    rng = np.random.default_rng(7)
    everything = {kind: rounded(columns, bits if kind != "nothing" else None) for kind, columns in ingredients.items()}
    used = dict.fromkeys(everything, 0)
    cases = []
    for number in range(n):
        kind = list(TRUTHS)[number % 3]
        plain = everything["nothing"].take(slice(number * N_EVENTS, (number + 1) * N_EVENTS))
        left = None if kind == "nothing" else everything[kind].take(slice(used[kind], None))
        order = np.random.default_rng([number, 4]) if shuffle else Ordered()
        mixed = mix(plain, left, TRUTHS[kind], order)
        hidden = rows_of_hidden(plain, mixed)
        used[kind] += int(hidden.sum())
        path = folder / f"box-{number:02d}.parquet"
        mark = rng.bytes(32).hex()
        write(path, mixed, mark, 64 * "a") if write is write_box else write(path, mixed, mark, hidden)
        cases.append(Case(path, kind, hidden))
    return cases


def rounded(columns, bits) -> BoxEvents:
    if bits is None:
        return BoxEvents.rounded(columns)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bits.items():
            patch.setitem(BITS, name, value)
        return BoxEvents.rounded(columns)


def rows_of_hidden(plain: BoxEvents, mixed: BoxEvents) -> np.ndarray:
    """Which rows of a mixed box are not among the background's, by their values: an oracle of its own."""
    known = set(map(tuple, plain.frame.to_numpy().tolist()))
    return np.array([tuple(row) not in known for row in mixed.frame.to_numpy().tolist()])


@pytest.fixture(scope="module")
def boxes(ingredients, tmp_path_factory) -> list[Case]:
    """Sealed as real ones are."""
    return make_boxes(ingredients, tmp_path_factory.mktemp("boxes"), N_BOXES)


def box_level(cases: list[Case], kind: str) -> tuple[float, float]:
    """Can boxes of this kind be told from the others by what is no physics?"""
    return separate_boxes([box_bookkeeping(case.path) for case in cases], [case.kind == kind for case in cases])


def event_level(cases: list[Case], kind: str, features=event_bookkeeping) -> tuple[float, float]:
    """Can hidden events of this kind be found by what is no physics?"""
    chosen = [case for case in cases if case.kind == kind]
    return separate_events([features(read_box(case.path)) for case in chosen], [case.hidden for case in chosen])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nothing", "wprime", "hot-cell"])
def test_a_classifier_cannot_tell_boxes_apart(boxes, kind):
    auc, p = box_level(boxes, kind)
    assert p > ALARM, f"AUC {auc:.2f}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wprime", "hot-cell"])
def test_a_classifier_cannot_find_hidden_events(boxes, kind):
    auc, p = event_level(boxes, kind)
    assert p > ALARM, f"AUC {auc:.3f}"
    assert auc < 0.56


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("wprime", 0.9), ("hot-cell", 0.75)])
def test_physics_does_tell(boxes, kind, least):
    """The same classifier with the same events: it is able to find something where there is something."""
    auc, p = event_level(boxes, kind, physics)
    assert auc > least
    assert p < 1e-6


def test_boxes_have_the_same_length(boxes):
    """Column by column; only a page's checksum is a number whose length is random, not given by what is inside."""
    books = pd.DataFrame([box_bookkeeping(case.path) for case in boxes])
    columns = [name for name in books if name.startswith(("bytes of", "plain bytes of"))]
    assert len(columns) == 2 * len(BOX_COLUMNS)
    assert (books[columns].max() - books[columns].min()).max() <= 2
    assert books.file_bytes.max() - books.file_bytes.min() <= 2 * len(BOX_COLUMNS)
    for name in ("rows", "columns", "row_groups", "schema", "metadata cmslabs", "first event", "last event"):
        assert books[name].nunique() == 1, name


def test_metadata_differ_in_the_commitment_only(boxes):
    records = [read_box(case.path).attrs["provenance"] for case in boxes]
    marks = [record["details"]["box"].pop("commitment") for record in records]
    assert len(set(marks)) == N_BOXES
    assert all(record == records[0] for record in records)
    assert records[0]["seed"] is None
    assert set(records[0]["details"]) == {"box", "mantissa_bits", "detector", "platform"}


def test_all_numbers_are_rounded_alike(boxes):
    for case in boxes[:6]:
        for name, values in read_box(case.path).items():
            if values.dtype == np.float32:
                assert zero_bits(values.to_numpy()).min() >= 23 - BITS.get(name, BITS[""]), name


def test_zero_bits_by_a_slow_loop():
    values = np.random.default_rng(1).normal(size=300).astype("f4")
    values[:3] = 0.0, 1.0, -1.5
    for value, found in zip(values, zero_bits(values), strict=True):
        mantissa = f"{value.view(np.uint32) & 0x7FFFFF:023b}"
        assert found == len(mantissa) - len(mantissa.rstrip("0"))


# Faults: each is one that a careless author of boxes could make.


def test_rows_that_were_not_shuffled_are_noticed(ingredients, tmp_path):
    auc, p = event_level(make_boxes(ingredients, tmp_path, shuffle=False), "wprime")
    assert p <= ALARM
    assert auc > 0.95


@pytest.mark.slow
def test_hidden_events_that_were_rounded_otherwise_are_noticed(ingredients, tmp_path):
    """In the dijet mass; the other numbers are stored in 16 bits, which leave no place for more."""
    cases = make_boxes(ingredients, tmp_path, bits=BITS | {"mjj": 8})
    for kind in ("wprime", "hot-cell"):
        auc, p = event_level(cases, kind)
        assert p <= ALARM
        assert auc > 0.95


def test_event_numbers_from_before_the_shuffle_are_noticed(ingredients, tmp_path):
    def write(path, mixed, mark, hidden):
        write_box(path, mixed, mark, 64 * "a")
        number = np.empty(len(hidden), dtype=np.int32)
        number[np.argsort(hidden, kind="stable")] = np.arange(len(hidden))
        rewrite(path, read_table(path).assign(event=number))

    auc, p = event_level(make_boxes(ingredients, tmp_path, write=write), "wprime")
    assert p <= ALARM
    assert auc > 0.95


def rewrite(path: Path, frame: pd.DataFrame, **details) -> None:
    """Write a box's table again, with more in its metadata."""
    record = Provenance.model_validate(json.loads(pq.read_schema(path).metadata[PROVENANCE_KEY]))
    write_table(path, frame, record.model_copy(update={"details": {**record.details, **details}}))


def only_signal_has_a_key(path, mixed, mark, hidden):
    write_box(path, mixed, mark, 64 * "a")
    rewrite(path, read_table(path), **({"signal": 1} if hidden.any() else {}))


def signal_adds_events(path, mixed, mark, hidden):
    rows = np.flatnonzero(hidden)
    more = BoxEvents.join([mixed, mixed.take(rows)]) if len(rows) else mixed
    write_box(path, more, mark, 64 * "a")


def signal_has_a_seed(path, mixed, mark, hidden):
    write_box(path, mixed, mark, 64 * "a")
    record = Provenance.model_validate(json.loads(pq.read_schema(path).metadata[PROVENANCE_KEY]))
    write_table(path, read_table(path), record.model_copy(update={"seed": 123456 if hidden.any() else None}))


def test_low_order_bits_are_counted_in_the_file_as_it_is_stored(boxes):
    """Columns of 16 and of 32 bits: a number with ten random bits ends with 13 zero bits of float32 and one more."""
    book = box_bookkeeping(boxes[0].path)
    assert book["zero bits in tau1j1"] == pytest.approx(14, abs=0.3)
    assert "zero bits in nconstj1" not in book


@pytest.mark.slow
@pytest.mark.parametrize("write", [only_signal_has_a_key, signal_adds_events, signal_has_a_seed])
def test_a_file_that_tells_is_noticed(ingredients, tmp_path, write):
    auc, p = box_level(make_boxes(ingredients, tmp_path, write=write), "nothing")
    assert p <= ALARM
    assert auc > 0.9
