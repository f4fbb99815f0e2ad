"""What every test stands on: no network, its own cache, the folder of real files."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Scripts are tested as modules; they import what lies beside them.  Tests of several rooms share what lies here.
sys.path[:0] = [str(ROOT / "data_scripts"), str(ROOT / "tests")]

#: Where the real collider files lie, if `CMSLABS_TEST_DATA` does not say otherwise.
DEFAULT_REAL_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real collider files (``nanoaod/``, ``lhco/``, ``cms-csv/``), or a skip that says why."""
    folder = Path(os.environ.get("CMSLABS_TEST_DATA") or DEFAULT_REAL_DATA)
    if not (folder / "nanoaod").is_dir():
        pytest.skip(f"no real files in {folder}: set CMSLABS_TEST_DATA to the folder that holds them")
    return folder


@pytest.fixture(autouse=True)
def data_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own empty data cache, also in the processes that it starts."""
    folder = tmp_path_factory.mktemp("cmslabs-data")
    monkeypatch.setenv("CMSLABS_DATA", str(folder))
    monkeypatch.delenv("CMSLABS_OFFLINE", raising=False)
    return folder


class NetworkBlocked(RuntimeError):
    """A test tried to reach another machine."""


def _is_here(address: object) -> bool:
    """Whether a socket address is this machine: a Unix socket or a loopback address."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Only this machine can be reached: a test that downloads fails at once instead of now and then."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(address: object) -> None:
        if not _is_here(address):
            raise NetworkBlocked(f"tests may not reach {address!r}; start a server on 127.0.0.1 instead")

    def guarded_connect(self, address):
        refuse(address)
        return connect(self, address)

    def guarded_connect_ex(self, address):
        refuse(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host, *args, **kwargs):
        if host is not None:
            name = host.decode() if isinstance(host, bytes) else host
            # The machine's own name is looked up by some libraries and needs no network.
            if name != socket.gethostname():
                refuse((name, None))
        return getaddrinfo(host, *args, **kwargs)

    socket.socket.connect = guarded_connect
    socket.socket.connect_ex = guarded_connect_ex
    socket.getaddrinfo = guarded_getaddrinfo
    try:
        yield
    finally:
        socket.socket.connect = connect
        socket.socket.connect_ex = connect_ex
        socket.getaddrinfo = getaddrinfo
