"""Small files, filesets and folders for tests of whole runs."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import awkward as ak
import uproot

from cmslabs.data.download import dataset_path
from cmslabs.data.fileset import Fileset
from cmslabs.selection.analysis import load_analysis

#: The bundled sample has no correction file of its own here: what is tested is the run, not the weights.
DIMUON = load_analysis("dimuon", ["weights=[genWeight, prefiring]"])
#: Without muons of another pT a chunk takes two thirds of the time: for tests of what does not depend on the analysis.
QUICK = load_analysis("dimuon", ["weights=[genWeight, prefiring]", "systematics.muon_scale=null"])


def sample() -> Path:
    return Path(dataset_path("sim-dimuon", "dimuon.root"))


def write_events(path, n_events=600, first=0, compression=None, basket=200, drop=(), runs=True):
    """`n_events` events of the bundled sample from the `first` on, `basket` of them at a time, and its ``Runs``."""
    with uproot.open(sample()) as file:
        arrays = file["Events"].arrays(entry_start=first, entry_stop=first + n_events, how=dict)
        sums = file["Runs"].arrays(library="np")
    counters = [name for name in arrays if name.startswith("n") and f"{name[1:]}_pt" in arrays]
    columns = {}
    for counter in counters:
        fields = [name for name in arrays if name.startswith(counter[1:] + "_")]
        columns[counter[1:]] = ak.zip({name.split("_", 1)[1]: arrays.pop(name) for name in fields})
        del arrays[counter]
    columns |= {name: values for name, values in arrays.items() if name not in drop}
    with uproot.recreate(path, compression=compression or uproot.LZMA(1)) as file:
        tree = file.mktree("Events", {name: column.type.content for name, column in columns.items()})
        for start in range(0, n_events, basket):
            tree.extend({name: column[start : start + basket] for name, column in columns.items()})
        if runs:
            file.mktree("Runs", {name: values.dtype for name, values in sums.items()}).extend(sums)
    return Path(path)


def simulation(*paths, pb=2.0, **more):
    return {
        "kind": "simulation",
        "cross_section": {"pb": pb, "order": "LO", "source": "invented"},
        "files": [{"path": str(path)} for path in paths],
        **more,
    }


def data(*paths, primary="DoubleMuon", **more):
    return {
        "kind": "data",
        "simulated": True,
        "primary": primary,
        "files": [{"path": str(path)} for path in paths],
        **more,
    }


def fileset(luminosity_fb=16.0, golden_json="none", **datasets):
    return Fileset.model_validate(
        {
            "name": "test",
            "version": 1,
            "luminosity_fb": luminosity_fb,
            "golden_json": golden_json,
            "datasets": {name.replace("_", "-"): entry for name, entry in datasets.items()},
        }
    )


def result_files(folder, datasets=None):
    """Every byte of a result, but for the report with its times: name -> content."""
    folder = Path(folder)
    names = ["histograms.json", "cutflow.json", "cutflow.csv", "cutflow.txt"] if datasets is None else []
    parts = sorted(folder.glob("table/**/*.parquet"))
    if datasets is not None:
        parts = [part for part in parts if part.parts[-3].removeprefix("dataset=") in datasets]
    assert parts
    return {str(path.relative_to(folder)): path.read_bytes() for path in [*(folder / n for n in names), *parts]}


def corrupt(path, branch="Muon_pt", basket=1, target=None, at=0.5, new=None):
    """Overwrite bytes inside one basket of a branch, at this share of its length; the rest of the file stays whole."""
    target = Path(target or path)
    with uproot.open(path) as file:
        key = file["Events"][branch].basket_key(basket)
        start, length = key.fSeekKey + key.fKeylen, key.fNbytes - key.fKeylen
    content = bytearray(Path(path).read_bytes())
    place = start + int(length * at) // 4 * 4
    new = bytes(byte ^ 0xFF for byte in content[place : place + 8]) if new is None else new
    content[place : place + len(new)] = new
    target.write_bytes(content)
    return target


def copy(path, target):
    shutil.copyfile(path, target)
    return target


class _Ranges(SimpleHTTPRequestHandler):
    """Serves files and parts of them, as uproot and fsspec ask for."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, wanted = path.read_bytes(), self.headers.get("Range")
        if wanted is None or "," in wanted:
            self._answer(200, content)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(content) - 1) + 1, len(content))
        self._answer(206, content[start:stop], f"bytes {start}-{stop - 1}/{len(content)}")

    def _answer(self, status, content, content_range=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(content)


class Server:
    """A web server on this machine for a folder; a context manager that gives its address."""

    def __init__(self, folder):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=str(folder)))

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
