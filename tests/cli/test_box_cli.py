"""`cmslabs box`: results on stdout, remarks on stderr, exit status, and what is said about wrong use."""

from __future__ import annotations

import itertools
import json

import pytest

from cmslabs.io import sha256
from cmslabs.simulation.box_bundle import bundled_box
from cmslabs.simulation.box_file import box_commitment, read_box
from cmslabs.simulation.box_log import LOG_NAME, read_log
from cmslabs.simulation.box_truth import box_truth, commitment, read_statement, statement_of

SECRET = "three red herrings"
MARK = commitment(statement_of(SECRET))


@pytest.fixture
def simulation():
    """Skips where events cannot be simulated."""
    pytest.importorskip("pythia8mc", reason="the extra 'sim' is not installed")


@pytest.fixture
def box(tmp_path):
    """A small file with the metadata of SECRET's box: opening does not look at events."""
    import numpy as np

    from cmslabs.simulation.box_events import BOX_COLUMNS, BoxEvents
    from cmslabs.simulation.box_file import write_box

    path = tmp_path / "box.parquet"
    write_box(path, BoxEvents.rounded({name: np.ones(60) for name in BOX_COLUMNS}), MARK, None)
    return path


def test_commit_check_and_open(call, tmp_path, box):
    code, out, err = call("box", "commit", "--seed", SECRET, "--out", tmp_path / "commitment.json")
    assert (code, out, err) == (0, f"{MARK}\n", "")
    assert json.loads((tmp_path / "commitment.json").read_text()) == {"commitment": MARK}

    statement = tmp_path / "statement.json"
    code, out, err = call("box", "open", box, "--seed", SECRET, "--statement", statement)
    assert code == 0
    assert out == f"{box_truth(SECRET).describe()}\n"
    assert sha256(box) in err
    assert read_statement(statement) == statement_of(SECRET)

    for published in (MARK, tmp_path / "commitment.json", box):
        code, out, err = call("box", "check", statement, published)
        assert (code, err) == (0, "")
        assert box_truth(SECRET).describe() in out


def test_a_wrong_secret_and_a_changed_statement_exit_with_1(call, tmp_path, box):
    code, out, err = call("box", "open", box, "--seed", "three red herring", "--statement", tmp_path / "statement.json")
    assert (code, out) == (1, "")
    assert "not made with this secret" in err
    assert not (tmp_path / "statement.json").exists()

    call("box", "open", box, "--seed", SECRET, "--statement", tmp_path / "statement.json")
    content = json.loads((tmp_path / "statement.json").read_text())
    kind = "nothing" if box_truth(SECRET).kind != "nothing" else "hot-cell"
    more = {} if kind == "nothing" else {"eta": 0.1, "phi": 0.1, "pt": 200.0, "share": 0.02}
    (tmp_path / "statement.json").write_text(json.dumps(content | {"truth": {"kind": kind, **more}}))
    code, out, err = call("box", "check", tmp_path / "statement.json", MARK)
    assert (code, out) == (1, "")
    assert "is not what was committed to" in err
    code, out, _ = call("box", "check", tmp_path / "statement.json", MARK, "--json")
    assert code == 1
    assert json.loads(out)["fits"] is False


def test_json_is_all_of_stdout(call, tmp_path, box):
    _, out, _ = call("box", "commit", "--seed", SECRET, "--json")
    assert json.loads(out) == {"commitment": MARK}
    _, out, _ = call("box", "open", box, "--seed", SECRET, "--json")
    assert json.loads(out)["truth"]["kind"] == box_truth(SECRET).kind
    assert json.loads(out)["sha256"] == sha256(box)
    _, out, _ = call(
        "box", "note", "a guess", "--p", 1, "--signal-probability", 0.3, "--log", tmp_path / "l.json", "--json"
    )
    assert json.loads(out)["signal_probability"] == 0.3


def test_a_secret_that_is_not_given_is_asked_for(call, box, monkeypatch):
    import typer

    asked = []
    monkeypatch.setattr(typer, "prompt", lambda text, **options: asked.append(options) or SECRET)
    assert call("box", "commit")[1] == f"{MARK}\n"
    assert call("box", "open", box)[0] == 0
    assert [options["hide_input"] for options in asked] == [True, True]
    assert [options["confirmation_prompt"] for options in asked] == [True, False]


def test_short_secrets_are_remarked_on(call):
    code, out, err = call("box", "commit", "--seed", "12345")
    assert code == 0
    assert len(out.strip()) == 64
    assert "fewer than 12 characters" in err


def test_make(call, tmp_path, simulation):
    arguments = ("box", "make", "--seed", SECRET, "--events", 50, "--out")
    code, out, err = call(*arguments, tmp_path / "box.parquet", "--constituents")
    assert code == 0
    assert len(read_box(tmp_path / "box.parquet")) == 50
    assert box_commitment(tmp_path / "box.parquet") == MARK
    assert out.splitlines() == [
        f"{tmp_path / 'box.parquet'}: features, 50 events",
        f"{tmp_path / 'box-constituents.parquet'}: constituents, 50 events",
        f"commitment: {MARK}",
        f"sha256 of the file: {sha256(tmp_path / 'box.parquet')}",
    ]
    for word in ("wprime", "W'", "hot", "cell", "nothing", "signal"):
        assert word not in out + err


def test_make_class(call, tmp_path, simulation, monkeypatch):
    from cmslabs.simulation import box_class

    empty = (secret for secret in map("lemon tree {}".format, itertools.count()) if box_truth(secret).kind == "nothing")
    monkeypatch.setattr(box_class.secrets, "token_urlsafe", lambda n: next(empty))
    assert call("simulate", "qcd-dijets", "--events", 120, "--out", tmp_path / "pool")[0] == 0
    arguments = ("box", "make-class", "--background", tmp_path / "pool", "--events", 50)
    code, out, err = call(*arguments, "--students", 2, "--out", tmp_path / "two")
    assert code == 0
    assert "small seed" in err
    assert "share" not in err
    assert out.splitlines()[-2:] == [
        f"{tmp_path / 'two' / 'commitments.json'}: publish it with the boxes",
        f"{tmp_path / 'two' / 'secrets.json'}: keep it",
    ]
    code, out, err = call(*arguments, "--students", 3, "--out", tmp_path / "three")
    assert (code, out) == (2, "")
    assert "3 boxes of 50 need 150" in err
    code, out, err = call(*arguments, "--students", 3, "--out", tmp_path / "three", "--shared", "--json")
    assert code == 0
    assert "p-values of empty boxes are correlated" in err
    answer = json.loads(out)
    assert answer["shared_events"] is True
    assert [box_commitment(entry["file"]) for entry in answer["boxes"]] == [
        entry["commitment"] for entry in answer["boxes"]
    ]


def test_an_interruption_says_how_to_go_on(call, tmp_path, monkeypatch):
    from cmslabs.simulation import boxes

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(boxes, "run_ingredients", interrupt)
    code, out, err = call("box", "make", "--seed", SECRET, "--out", tmp_path / "box.parquet")
    assert code != 0
    assert out == ""
    assert "the same command goes on" in err


def test_notes_go_to_the_log_of_this_folder(call, box, monkeypatch):
    monkeypatch.chdir(box.parent)
    arguments = ("box", "note", "bump hunt", "--p", 0.03, "--mass", 3150, "--signal-probability", 0.4, "--remark", "hm")
    assert call(*arguments, "--box", box) == (0, "box-log.json: claim 1, bump hunt\n", "")
    assert call(*arguments)[1] == "box-log.json: claim 2, bump hunt\n"
    first, second = read_log(box.parent / LOG_NAME)
    assert (first.p, first.mass, first.signal_probability, first.remark) == (0.03, 3150, 0.4, "hm")
    assert (first.box, second.box) == (MARK, None)


def test_a_note_on_the_bundled_box(call, tmp_path):
    log = tmp_path / "log.json"
    claim = ("--p", 0.5, "--signal-probability", 0.33, "--log", log, "--box", bundled_box())
    assert call("box", "note", "looking at it", *claim)[0] == 0
    assert read_log(log)[0].box == box_commitment(bundled_box())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("make", "--out", "box.csv", "--seed", SECRET), "end in .parquet"),
        (("make", "--out", "box.parquet", "--seed", " "), "secret is empty"),
        (("make", "--out", "box.parquet", "--seed", SECRET, "--events", 10), "--events"),
        (("make", "--seed", SECRET), "--out"),
        (("make", "--out", "box.parquet", "--seed", SECRET, "--background", "nowhere"), "no such file"),
        (("commit", "--seed", ""), "secret is empty"),
        (("open", "missing.parquet", "--seed", SECRET), "no such file"),
        (("check", "missing.json", MARK), "no such file"),
        (("make-class", "--students", 0, "--background", "x", "--out", "y"), "--students"),
        (("make-class", "--students", 2, "--background", "nowhere", "--out", "y"), "no such file"),
        (("note", "guess", "--p", 0, "--signal-probability", 0.5), "p: "),
        (("note", "guess", "--p", 0.5, "--signal-probability", 50), "signal_probability: "),
        (("note", "guess", "--p", 0.5), "--signal-probability"),
        (("note", "guess", "--p", 0.5, "--signal-probability", 0.5, "--box", "missing.parquet"), "no such file"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_to_do(call, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("box", *arguments)
    assert code == 2
    assert out == ""
    assert reason in err
    assert list(tmp_path.iterdir()) == []


def test_wrong_files_exit_with_2(call, tmp_path, box):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    for arguments in (
        ("check", wrong, MARK),
        ("open", wrong, "--seed", SECRET),
        ("note", "guess", "--p", 0.5, "--signal-probability", 0.5, "--log", wrong),
    ):
        code, out, err = call("box", *arguments)
        assert (code, out) == (2, "")
        assert "wrong.json" in err
    call("box", "open", box, "--seed", SECRET, "--statement", tmp_path / "statement.json")
    for mark, reason in (("abc", "no commitment"), (wrong, "holds no commitment")):
        code, _, err = call("box", "check", tmp_path / "statement.json", mark)
        assert code == 2
        assert reason in err


@pytest.mark.parametrize("command", ["make", "commit", "check", "open", "make-class", "note"])
def test_help_shows_an_example(call, command):
    code, out, _ = call("box", command, "--help")
    assert code == 0
    assert f"cmslabs box {command}" in " ".join(out.split())
