"""root:// downloads from a real XRootD server on 127.0.0.1."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from cmslabs.data import verification, xrootd
from cmslabs.data.catalog import CardFile
from cmslabs.data.download import fetch
from cmslabs.data.transfer import Part, Retry
from cmslabs.data.verification import verify
from cmslabs.data.xrootd import ResumingXRootD
from cmslabs.errors import ChecksumError, DownloadError, MissingExtraError

pytestmark = pytest.mark.xrootd

CONTENT = np.random.default_rng(2).bytes(9_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server():
    """Start a server; gives its address and the folder that it serves under ``/data``."""
    binary = shutil.which("xrootd")
    if binary is None:
        pytest.skip("no program xrootd here (Debian: apt-get install xrootd-server)")
    pytest.importorskip("fsspec_xrootd", reason="the extra xrootd is not installed")
    # Not in pytest's own folder: that is private, and the server gives up root's rights.
    root = Path(tempfile.mkdtemp(prefix="cmslabs-xrootd-"))
    for folder in (root, root / "data", root / "admin"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = root / "server.cfg"
    config.write_text(
        f"xrd.port {port}\nxrd.network nodnr\nall.export /data\noss.localroot {root}\n"
        f"all.adminpath {root}/admin\nall.pidpath {root}/admin\n"
    )
    command = [binary, "-c", str(config), "-l", str(root / "log")]
    if os.getuid() == 0:
        command += ["-R", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process, root / "log")
        yield f"root://127.0.0.1:{port}//data", root / "data"
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(root)


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"xrootd does not answer:\n{log.read_text() if log.exists() else '(no log)'}")


@pytest.fixture
def url(server, request):
    """Address of a file of the server that no other test uses."""
    address, folder = server
    name = f"{request.node.name.replace('[', '-').replace(']', '')}.bin"
    path = folder / name
    path.write_bytes(CONTENT)
    path.chmod(0o644)
    return f"{address}/{name}"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "events.bin"


def download(url: str, target: Path, **facts) -> None:
    """One transfer, without a card around it."""
    file = CardFile(name=target.name, urls=[url], **facts)
    part = Part(target, checked=file.has_checksum)
    transfer = ResumingXRootD(
        part, lambda path: verify(path, file, recorded_at=target), Retry(2, 0.01), progress=False, timeout=10
    )
    transfer(url, str(target))


def test_fetch_by_a_card(url, make_toy_card, monkeypatch):
    monkeypatch.setattr(verification, "_verified", {})
    make_toy_card(url, sha256=SHA256)
    (path,) = fetch("toy", progress=False)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("checked", [True, False])
def test_continues_where_it_stopped(url, target, monkeypatch, checked):
    """The first attempt breaks after two blocks; the second asks only for the rest."""
    asked, honest, broken = [], xrootd._blocks, []

    def breaking(system, path, offset, size, url):
        asked.append(offset)
        for count, block in enumerate(honest(system, path, offset, size, url)):
            if count == 1 and not broken:
                broken.append(True)
                raise xrootd.TransferCut("cut by the test")
            yield block

    monkeypatch.setattr(xrootd, "_blocks", breaking)
    download(url, target, **({"sha256": SHA256} if checked else {}))
    assert target.read_bytes() == CONTENT
    assert asked == [0, xrootd._BLOCK]


def test_file_that_changed_meanwhile_is_fetched_anew(url, target):
    part = Part(target, checked=False)
    part.begin(url, "9000000-1")
    part.path.write_bytes(b"x" * 1_000_000)
    download(url, target)
    assert target.read_bytes() == CONTENT


def test_wrong_checksum(url, target):
    with pytest.raises(ChecksumError, match="SHA-256"):
        download(url, target, sha256="0" * 64)
    assert list(target.parent.iterdir()) == []


def test_missing_file_is_not_asked_for_again(server, target, caplog):
    address, _ = server
    with pytest.raises(DownloadError, match=r"nothing\.bin: the server has no such file"):
        download(f"{address}/nothing.bin", target)
    assert "next attempt" not in caplog.text


def test_folder_is_no_file(server, target):
    address, _ = server
    with pytest.raises(DownloadError, match="is a folder"):
        download(address, target)


def test_missing_extra_is_named(monkeypatch, target):
    monkeypatch.setitem(__import__("sys").modules, "fsspec_xrootd", None)
    with pytest.raises(MissingExtraError, match=r"cmslabs\[xrootd\]"):
        download("root://127.0.0.1:1//data/x", target)
