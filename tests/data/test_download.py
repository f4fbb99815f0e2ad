"""Downloads against a local server: interrupted, wrong, refused, full, and twice at once."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from cmslabs.data import catalog, download, transfer, verification
from cmslabs.data.download import cache_folder, dataset_path, fetch, is_available
from cmslabs.data.transfer import Part, Retry
from cmslabs.errors import ChecksumError, DataError, DownloadError, OfflineError

CONTENT = np.random.default_rng(1).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No long pauses, and nothing remembered from the test before."""
    monkeypatch.setattr(download, "RETRY", Retry(attempts=3, pause=0.01))
    monkeypatch.setattr(verification, "_verified", {})


@pytest.fixture
def make_card(make_toy_card):
    return make_toy_card


def leftovers(target: Path) -> list[str]:
    """What lies beside the target, apart from its lock and its record."""
    extra = {target.name, f".{target.name}.lock", f"{target.name}.sha256"}
    return sorted(path.name for path in target.parent.iterdir() if path.name not in extra)


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CMSLABS_DATA", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.setenv("CMSLABS_DATA", "~/there")
    assert cache_folder() == Path.home() / "there"
    monkeypatch.setenv("CMSLABS_DATA", "")
    assert cache_folder().name == "cmslabs"


def test_fetch_then_use(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256, size_bytes=len(CONTENT))
    assert not is_available("toy")
    with pytest.raises(DownloadError, match=r"cmslabs data fetch toy$"):
        dataset_path("toy")
    assert fetch("toy", progress=False) == [target]
    assert target.read_bytes() == CONTENT
    assert is_available("toy")
    assert dataset_path("toy") == target
    assert fetch("toy", progress=False) == [target]
    assert len(web_server.requests) == 1
    assert leftovers(target) == []
    assert not (target.parent / "events.bin.sha256").exists()


def test_cut_connection_is_continued_without_fetching_bytes_twice(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000), ("cut", 700_000)]
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert [request[1] for request in web_server.requests] == [None, "bytes=1000000-", "bytes=1700000-"]
    assert web_server.bytes_sent["/events.bin"] == len(CONTENT)


def test_second_run_goes_on_where_the_first_gave_up(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT))
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000), 503, 503, 503]
    with pytest.raises(DownloadError, match=r"failed 3 times in a row: .*503.*1\.0 MB\) is kept"):
        fetch("toy", progress=False)
    assert not is_available("toy")
    assert leftovers(target) == [".events.bin.part", ".events.bin.part.json"]
    fetch("toy", progress=False)
    path, asked, version = web_server.requests[-1]
    assert asked == "bytes=1000000-"
    assert version == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    assert target.read_bytes() == CONTENT
    assert web_server.bytes_sent[path] == len(CONTENT)
    assert leftovers(target) == []


def test_cuts_do_not_count_while_bytes_arrive(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [("cut", 300_000)] * 9
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert web_server.bytes_sent["/events.bin"] == len(CONTENT)


def test_file_that_changed_on_the_server_is_fetched_anew(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT))
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000), 500, 500, 500]
    with pytest.raises(DownloadError):
        fetch("toy", progress=False)
    changed = CONTENT[::-1]
    web_server.put("/events.bin", changed)
    fetch("toy", progress=False)
    assert target.read_bytes() == changed


def test_file_that_became_shorter_on_the_server_is_fetched_anew(web_server, make_card):
    web_server.etags = False
    short = CONTENT[:500_000]
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=hashlib.sha256(short).hexdigest())
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000), 500, 500, 500]
    with pytest.raises(DownloadError):
        fetch("toy", progress=False)
    web_server.put("/events.bin", short)
    fetch("toy", progress=False)
    assert target.read_bytes() == short


def test_without_validator_and_checksum_nothing_is_continued(web_server, make_card):
    web_server.etags = False
    target = make_card(web_server.put("/events.bin", CONTENT))
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000)]
    fetch("toy", progress=False)
    assert [request[1] for request in web_server.requests] == [None, None]
    assert target.read_bytes() == CONTENT


def test_server_without_ranges_starts_anew(web_server, make_card):
    web_server.ranges = False
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000)]
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT


def test_part_that_is_whole_already_is_taken(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    target.parent.mkdir(parents=True)
    Part(target, checked=True).path.write_bytes(CONTENT)
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert web_server.bytes_sent["/events.bin"] == 0


def test_empty_file(web_server, make_card):
    target = make_card(web_server.put("/events.bin", b""), sha256=hashlib.sha256(b"").hexdigest())
    fetch("toy", progress=False)
    assert target.read_bytes() == b""


@pytest.mark.parametrize("kind", ["sha256", "md5", "adler32", "size_bytes"])
def test_wrong_checksum_is_refused_and_thrown_away(web_server, make_card, kind):
    wrong = {"sha256": "0" * 64, "md5": "0" * 32, "adler32": "0" * 8, "size_bytes": 17}[kind]
    target = make_card(web_server.put("/events.bin", CONTENT), **{kind: wrong})
    with pytest.raises(ChecksumError, match=r"events\.bin: the file is broken or was changed.*its card says"):
        fetch("toy", progress=False)
    assert not target.exists()
    assert leftovers(target) == []


def test_right_checksums_of_every_kind_are_accepted(web_server, make_card):
    target = make_card(
        web_server.put("/events.bin", CONTENT),
        sha256=SHA256,
        md5=hashlib.md5(CONTENT).hexdigest(),
        adler32=f"{zlib.adler32(CONTENT):08x}",
        size_bytes=len(CONTENT),
    )
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT


def test_file_that_is_missing_on_the_server_is_not_asked_for_again(web_server, make_card):
    make_card(web_server.url("/nothing.bin"))
    with pytest.raises(DownloadError, match=r"/nothing\.bin: the server has no such file \(404"):
        fetch("toy", progress=False)
    assert len(web_server.requests) == 1


def test_forbidden_is_not_asked_for_again(web_server, make_card):
    make_card(web_server.put("/events.bin", CONTENT))
    web_server.mishaps["/events.bin"] = [403]
    with pytest.raises(DownloadError, match="refused \\(403"):
        fetch("toy", progress=False)
    assert len(web_server.requests) == 1


def test_server_error_then_success(web_server, make_card, caplog):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [500, 503]
    with caplog.at_level(logging.WARNING, "cmslabs.data"):
        fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert "the server answered 500" in caplog.text
    assert "the server answered 503" in caplog.text


def test_nobody_listens(web_server, make_card):
    make_card("http://127.0.0.1:9/events.bin")
    with pytest.raises(DownloadError, match="failed 3 times in a row"):
        fetch("toy", progress=False)


def test_insecure_connection_is_not_tried_again(web_server, make_card, caplog):
    target = make_card(web_server.url("/a.bin").replace("http:", "https:"), web_server.put("/b.bin", CONTENT))
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert "no secure connection" in caplog.text
    assert "next attempt" not in caplog.text


def test_mirrors_are_tried_in_their_order(web_server, make_card, caplog):
    bad = web_server.put("/bad.bin", b"something else")
    target = make_card(web_server.url("/gone.bin"), bad, web_server.put("/good.bin", CONTENT), sha256=SHA256)
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert [request[0] for request in web_server.requests] == ["/gone.bin", "/bad.bin", "/good.bin"]
    assert caplog.text.count("Trying the next address") == 2


def test_mirror_continues_the_part_of_another_where_a_checksum_guards_it(web_server, make_card):
    first, second = web_server.put("/a.bin", CONTENT), web_server.put("/b.bin", CONTENT)
    web_server.mishaps["/a.bin"] = [("cut", 2_000_000), 404]
    target = make_card(first, second, sha256=SHA256)
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert web_server.bytes_sent == {"/a.bin": 2_000_000, "/b.bin": 1_000_000}


def test_mirror_starts_anew_where_nothing_guards_it(web_server, make_card):
    first, second = web_server.put("/a.bin", CONTENT), web_server.put("/b.bin", CONTENT[::-1])
    web_server.mishaps["/a.bin"] = [("cut", 2_000_000), 404]
    target = make_card(first, second)
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT[::-1]


def test_all_mirrors_fail(web_server, make_card):
    make_card(web_server.url("/a.bin"), web_server.url("/b.bin"))
    with pytest.raises(DownloadError, match=r"(?s)none of 2 addresses.*/a\.bin.*/b\.bin"):
        fetch("toy", progress=False)


class TestNullChecksum:
    def test_is_recorded_and_told(self, web_server, make_card, caplog):
        target = make_card(web_server.put("/events.bin", CONTENT))
        fetch("toy", progress=False)
        record = target.with_name("events.bin.sha256")
        assert record.read_text() == f"{SHA256}  events.bin\n"
        assert f"no checksum is published; its SHA-256 {SHA256} is recorded in {record}" in caplog.text

    def test_weak_checksum_is_told_too(self, web_server, make_card, caplog):
        make_card(web_server.put("/events.bin", CONTENT), adler32=f"{zlib.adler32(CONTENT):08x}")
        fetch("toy", progress=False)
        assert "only a weaker checksum" in caplog.text

    def test_later_change_is_noticed(self, web_server, make_card):
        target = make_card(web_server.put("/events.bin", CONTENT))
        fetch("toy", progress=False)
        target.write_bytes(CONTENT[:-1] + b"x")
        with pytest.raises(ChecksumError, match="record of its first download"):
            dataset_path("toy")

    def test_other_content_at_the_second_download_is_refused(self, web_server, make_card):
        target = make_card(web_server.put("/events.bin", CONTENT))
        fetch("toy", progress=False)
        target.unlink()
        web_server.put("/events.bin", b"new")
        with pytest.raises(ChecksumError, match="if the publisher has changed the file, delete"):
            fetch("toy", progress=False)
        target.with_name("events.bin.sha256").unlink()
        assert fetch("toy", progress=False)[0].read_bytes() == b"new"

    def test_file_that_was_put_there_by_hand_is_recorded(self, make_card, caplog):
        target = make_card()
        target.parent.mkdir(parents=True)
        target.write_bytes(CONTENT)
        assert dataset_path("toy") == target
        assert SHA256 in target.with_name("events.bin.sha256").read_text()

    def test_broken_record_is_named(self, make_card):
        target = make_card()
        target.parent.mkdir(parents=True)
        target.write_bytes(CONTENT)
        target.with_name("events.bin.sha256").write_text("nonsense\n")
        with pytest.raises(ChecksumError, match=r"events\.bin\.sha256: is no record"):
            dataset_path("toy")


class TestVerificationOnUse:
    def test_changed_file_is_refused_by_use_and_by_fetch(self, web_server, make_card):
        target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
        fetch("toy", progress=False)
        assert dataset_path("toy") == target
        times = target.stat()
        with open(target, "r+b") as file:
            file.seek(1_234_567)
            file.write(bytes([CONTENT[1_234_567] ^ 1]))
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))  # Same size, same date: still noticed.
        for use in (lambda: dataset_path("toy"), lambda: fetch("toy", progress=False)):
            with pytest.raises(ChecksumError, match=rf"{target}: .*Delete {target} and fetch it again"):
                use()
        assert target.exists()
        assert len(web_server.requests) == 1

    def test_unchanged_file_is_read_once_per_process(self, web_server, make_card, monkeypatch):
        make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
        fetch("toy", progress=False)
        monkeypatch.setattr(verification, "sha256", lambda path: pytest.fail("read again"))
        dataset_path("toy")


class TestOffline:
    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch):
        monkeypatch.setenv("CMSLABS_OFFLINE", "1")

    def test_missing_file_is_named_and_the_network_not_touched(self, web_server, make_card):
        make_card(web_server.put("/events.bin", CONTENT))
        with pytest.raises(OfflineError, match=r"events\.bin.*unset CMSLABS_OFFLINE.*cmslabs data fetch toy"):
            fetch("toy")
        assert web_server.requests == []

    def test_what_is_there_is_used(self, make_card):
        target = make_card("http://127.0.0.1:9/events.bin", sha256=SHA256)
        target.parent.mkdir(parents=True)
        target.write_bytes(CONTENT)
        assert fetch("toy") == [target]

    def test_zero_means_online(self, web_server, make_card, monkeypatch):
        monkeypatch.setenv("CMSLABS_OFFLINE", "0")
        make_card(web_server.put("/events.bin", CONTENT))
        assert len(fetch("toy", progress=False)) == 1


class TestDiskFull:
    def test_disk_that_fills_during_the_transfer(self, web_server, make_card, monkeypatch):
        """A quota of 1 MB: the write that does not fit is done in part, as a real disk does, then refused."""
        target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
        honest = transfer._write_all
        room = [1_000_000]

        def write_within_quota(file, block):
            honest(file, block[: room[0]])
            if len(block) > room[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            room[0] -= len(block)

        monkeypatch.setattr(transfer, "_write_all", write_within_quota)
        with pytest.raises(DownloadError, match=r"the disk is full.*CMSLABS_DATA.*1\.0 MB\) is kept"):
            fetch("toy", progress=False)
        assert not target.exists()
        monkeypatch.setattr(transfer, "_write_all", honest)
        fetch("toy", progress=False)
        assert target.read_bytes() == CONTENT
        assert web_server.requests[-1][1] == "bytes=1000000-"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
    def test_the_kernel_says_so(self, web_server, make_card):
        target = make_card(web_server.put("/events.bin", CONTENT))
        part = Part(target, checked=True)
        target.parent.mkdir(parents=True)
        part.path.symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left"):
            part.append(iter([b"x"]), lambda n: None)

    def test_file_that_cannot_fit_is_refused_before_its_first_byte(self, web_server, make_card, monkeypatch):
        target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
        usage = shutil.disk_usage("/")
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage._replace(free=2_000_000))
        with pytest.raises(DownloadError, match=r"3\.0 MB are needed, 2\.0 MB are free"):
            fetch("toy", progress=False)
        assert not target.exists()

    def test_full_disk_is_no_reason_to_ask_the_next_mirror(self, web_server, make_card, monkeypatch):
        make_card(web_server.put("/a.bin", CONTENT), web_server.put("/b.bin", CONTENT))
        usage = shutil.disk_usage("/")
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage._replace(free=0))
        with pytest.raises(DownloadError, match="disk is full"):
            fetch("toy", progress=False)
        assert len(web_server.requests) == 1


def test_cache_that_cannot_be_made(web_server, make_card, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CMSLABS_DATA", str(tmp_path / "file"))
    make_card(web_server.put("/events.bin", CONTENT))
    with pytest.raises(DownloadError, match="cache folder cannot be made"):
        fetch("toy", progress=False)


def test_file_without_address(make_card):
    make_card()
    with pytest.raises(DownloadError, match="knows no address"):
        fetch("toy")


def test_chosen_files_only(web_server, make_card):
    files = [
        {"name": name, "urls": [web_server.put(f"/{name}", name.encode())], "source_seen": "this test"}
        for name in ("a.csv", "b.csv")
    ]
    make_card(files=files)
    assert [path.name for path in fetch("toy", progress=False, files=["b.csv"])] == ["b.csv"]
    assert is_available("toy", "b.csv")
    assert not is_available("toy")
    with pytest.raises(DownloadError, match=r"cmslabs data fetch toy --file a\.csv"):
        dataset_path("toy")
    assert [path.name for path in fetch("toy", progress=False)] == ["a.csv", "b.csv"]
    with pytest.raises(DataError, match=r"no file 'c\.csv'"):
        fetch("toy", files=["c.csv"])


def test_progress_bar_on_stderr_shows_where_it_resumes(web_server, make_card, capsys):
    make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [("cut", 1_500_000)]
    fetch("toy")
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "events.bin: 100%" in seen.err
    assert "events.bin:  50%|█████     | 1.50M/3.00M [00:00<?" in seen.err


SCRIPT = """
import sys
from pathlib import Path
from cmslabs.data import catalog
from cmslabs.data.download import fetch
catalog.CARDS = Path(sys.argv[1])
print(fetch("toy", progress=False)[0])
"""


def test_two_processes_fetch_the_file_once(web_server, make_card):
    web_server.delay = 2.5
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    command = [sys.executable, "-c", SCRIPT, str(catalog.CARDS)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert [out.strip() for out, _ in ends] == [str(target)] * 2
    assert target.read_bytes() == CONTENT
    assert len(web_server.requests) == 1
    assert web_server.full_downloads["/events.bin"] == 1


def test_killed_process_leaves_a_part_that_the_next_continues(web_server, make_card):
    target = make_card(web_server.put("/events.bin", CONTENT), sha256=SHA256)
    web_server.mishaps["/events.bin"] = [("cut", 1_000_000), 503]
    script = SCRIPT.replace("print(", "import cmslabs.data.transfer as t, os, signal\n"
                            "t.time.sleep = lambda s: os.kill(os.getpid(), signal.SIGKILL)\nprint(")  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", script, str(catalog.CARDS)], capture_output=True, timeout=60)
    assert killed.returncode == -9
    assert not target.exists()
    web_server.mishaps.clear()
    fetch("toy", progress=False)
    assert target.read_bytes() == CONTENT
    assert web_server.bytes_sent["/events.bin"] == len(CONTENT)
