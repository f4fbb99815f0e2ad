"""Files behind addresses: the same result as beside us."""

import pytest
from run_files import DIMUON, Server, fileset, simulation, write_events
from test_xrootd import server as xrootd_server  # noqa: F401 - a fixture

from cmslabs.errors import DataError
from cmslabs.selection.runner import select
from cmslabs.selection.skim import skim
from cmslabs.selection.table import read_selected

pytest.importorskip("coffea")


def compare(local, address, out):
    for name, path in (("local", local), ("remote", address)):
        report = select(DIMUON, fileset(zz=simulation(path)), out / name, chunk_size=150)
        assert report.n_events == 300
    near, far = (read_selected(out / name) for name in ("local", "remote"))
    assert len(near) > 30
    assert far.equals(near)
    for name in ("histograms.json", "cutflow.json"):
        assert (out / "local" / name).read_bytes() == (out / "remote" / name).read_bytes()


def test_web_server(tmp_path):
    (tmp_path / "served").mkdir()
    path = write_events(tmp_path / "served" / "a.root", 300)
    with Server(path.parent) as address:
        compare(path, f"{address}/a.root", tmp_path)
        with pytest.raises(DataError) as caught:
            select(DIMUON, fileset(zz=simulation(f"{address}/gone.root")), tmp_path / "gone", retries=0)
    assert f"{address}/gone.root" in caught.value.where


@pytest.mark.xrootd
def test_xrootd_server(xrootd_server, tmp_path):  # noqa: F811
    address, folder = xrootd_server
    path = write_events(folder / "a.root", 300)
    path.chmod(0o644)
    compare(path, f"{address}/a.root", tmp_path)
    near, far = (
        skim([source], tmp_path / name, analysis=DIMUON)[0]
        for name, source in (("near", path), ("far", f"{address}/a.root"))
    )
    assert (tmp_path / "near" / "a.parquet").read_bytes() == (tmp_path / "far" / "a.parquet").read_bytes()
    assert (near["bytes_in"], far["bytes_in"]) == (path.stat().st_size, None)
