"""Files: whole or not at all, checksums against known values, provenance, paths that stay inside."""

import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cmslabs import io
from cmslabs.errors import DataError
from cmslabs.io import (
    Provenance,
    adler32,
    atomic_write,
    canonical_json,
    existing_file,
    inside,
    json_hash,
    read_json,
    sha256,
    versions,
    write_json,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_an_atomic_write_replaces_the_file(tmp_path):
    target = tmp_path / "deep" / "down" / "answer.txt"
    with atomic_write(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".txt"
        temporary.write_text("42")
        assert not target.exists()
    assert target.read_text() == "42"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "answer.txt"
    target.write_text("old")

    def fails():
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fails()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_old_file_stays_if_the_new_one_does_not_reach_the_disk(tmp_path, monkeypatch):
    target = tmp_path / "answer.txt"
    target.write_text("old")

    def broken(handle):
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(io.os, "fsync", broken)
    with pytest.raises(OSError, match="I/O"):
        write_json(target, 1)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


KILLED = """
import os, signal, sys
from cmslabs.io import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "answer.txt"
    target.write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, target], check=False).returncode == -9
    assert target.read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_modes_follow_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_json(tmp_path / "x.json", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == mode


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_checksums(tmp_path, size):
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    path = tmp_path / "x"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()
    assert adler32(path) == f"{zlib.adler32(content):08x}"


def test_known_checksums(tmp_path):
    (tmp_path / "x").write_bytes(b"Wikipedia")
    assert adler32(tmp_path / "x") == "11e60398"  # The example of the algorithm's encyclopaedia article.
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2.


@given(JSON)
def test_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("j") / "x.json"
    write_json(path, value)
    assert read_json(path) == value
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2, max_size=6))
def test_the_hash_does_not_depend_on_the_order(value):
    turned = dict(reversed(list(value.items())))
    assert json_hash(value) == json_hash(turned)
    assert json_hash(value) != json_hash(value | {next(iter(value)): -1.5})
    assert len(json_hash(value, digits=8)) == 8


def test_json_without_nan(tmp_path):
    for write in (canonical_json, lambda value: write_json(tmp_path / "x.json", value)):
        with pytest.raises(ValueError, match="JSON compliant"):
            write(float("nan"))
    assert not (tmp_path / "x.json").exists()


def test_bad_json(tmp_path):
    path = tmp_path / "x.json"
    for content in (b"{", b"", b"\xff\xfe", b"{'a': 1}"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.json: is not valid JSON"):
            read_json(path)


def test_existing_file(tmp_path):
    with pytest.raises(DataError, match=r"absent: there is no such file\. Check the name"):
        existing_file(tmp_path / "absent")
    with pytest.raises(DataError, match="is a folder"):
        existing_file(tmp_path)
    (tmp_path / "x").touch()
    assert existing_file(str(tmp_path / "x")) == tmp_path / "x"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="no plain file"):
        existing_file(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a/../..", "link/x"])
def test_names_that_lead_out(tmp_path, name):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    if name.startswith("link"):
        (folder / "link").symlink_to(elsewhere)
    with pytest.raises(DataError, match="leads out of the folder"):
        inside(folder, name)


@pytest.mark.parametrize("name", ["x", "a/b", "a/../x", ".", "..x"])
def test_names_that_stay(tmp_path, name):
    path = inside(tmp_path, name)
    assert path == tmp_path.resolve() or tmp_path.resolve() in path.parents


def test_a_folder_whose_name_begins_alike_is_outside(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data-secret").mkdir()
    with pytest.raises(DataError):
        inside(tmp_path / "data", "../data-secret/x")


def test_versions():
    found = versions("numpy", "no-such-package-x")
    assert set(found) == {"python", "cmslabs", "numpy"}
    assert found["python"].count(".") == 2


def test_provenance():
    origin = Provenance(source="simulation", simulation=True, script="test", details={"a": [1, {"b": 2}]})
    assert Provenance.model_validate_json(origin.model_dump_json()) == origin
    with pytest.raises(ValidationError):
        origin.seed = 3
    with pytest.raises(ValidationError):
        Provenance(source="x", simulation=True, script="x", sede=1)
    with pytest.raises(ValidationError):
        Provenance(source="x", script="x")  # Nobody may forget to say whether it is simulated.


def test_two_writers_at_once(tmp_path):
    target = tmp_path / "x"
    with atomic_write(target) as first, atomic_write(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # The outer block ends last.
    assert [Path(path).name for path in os.listdir(tmp_path)] == ["x"]
