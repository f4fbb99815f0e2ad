"""Take the picture of Dask's dashboard in the chapter "Scaling out", in the middle of a real run.

Two workers select events; one of them is killed on the way, and its replacement joins.  Needs bokeh, which draws the
dashboard (`pip install bokeh`), and a chromium (named in CMSLABS_CHROMIUM, or found by its usual names).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import uproot
from distributed import LocalCluster
from PIL import Image
from playwright.sync_api import sync_playwright

from cmslabs.data.download import dataset_path
from cmslabs.data.nanoaod import read_nanoaod

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "book" / "_static" / "dask-dashboard.png"
#: Copies of the sample in one file, and events in a chunk: long enough to look at, tasks wide enough to be seen.
COPIES, CHUNK = 60, 10_000
#: Share of the chunks that are done when a worker is killed, and when the picture is taken.
KILL_AT, LOOK_AT = 0.25, 0.75
#: Pages of the dashboard from top to bottom, with their height and how much of it is shown: below are empty rows.
#: They are so narrow that a phone can show them.
PANELS = {"individual-task-stream": (380, 380), "individual-progress": (240, 105)}
WIDTH = 480
PATIENCE = 300.0


def write_fileset(folder: Path) -> tuple[Path, int]:
    """A fileset with one large file, and how many chunks it has."""
    events = read_nanoaod(dataset_path("sim-dimuon"))
    columns = {name: events[name] for name in events.fields}
    with uproot.recreate(folder / "events.root", compression=uproot.ZSTD(5)) as file:
        tree = file.mktree("Events", {name: column.type.content for name, column in columns.items()})
        for _ in range(COPIES):
            tree.extend(columns)
    entry = {"kind": "simulation", "files": [{"path": str(folder / "events.root")}]}
    path = folder / "fileset.yaml"
    path.write_text(json.dumps({"name": "copies", "version": 1, "datasets": {"drell-yan": entry}}))
    return path, -(-COPIES * len(events) // CHUNK)


def wait_until(true: Callable[[], bool], run: subprocess.Popen) -> None:
    """Wait for something that happens during the run."""
    start = time.monotonic()
    while not true():
        if run.poll() is not None or time.monotonic() - start > PATIENCE:
            sys.exit("error: the run was over, or stood still, before the picture was taken")
        time.sleep(0.2)


def take(dashboard: str, run: subprocess.Popen, done: Callable[[], float], kill: Callable[[], None]) -> Image.Image:
    """The panels, one above the other."""
    chromium = os.environ.get("CMSLABS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pages = []
        for name, (height, _) in PANELS.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": height}, device_scale_factor=2)
            page.goto(dashboard.replace("/status", f"/{name}"))
            pages.append(page)
        wait_until(lambda: done() > KILL_AT, run)
        kill()
        wait_until(lambda: done() > LOOK_AT, run)
        clips = [{"x": 0, "y": 0, "width": WIDTH, "height": shown} for _, shown in PANELS.values()]
        shots = [
            Image.open(BytesIO(page.screenshot(clip=clip))).convert("RGB")
            for page, clip in zip(pages, clips, strict=True)
        ]
        browser.close()
    picture = Image.new("RGB", (shots[0].width, sum(shot.height for shot in shots)), "white")
    top = 0
    for shot in shots:
        picture.paste(shot, (0, top))
        top += shot.height
    return picture


def main() -> None:
    """Start a cluster and a run on it, look at the dashboard, and wait for the end of the run."""
    if importlib.util.find_spec("bokeh") is None:
        sys.exit("error: Dask draws its dashboard with bokeh; install it with: pip install bokeh")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fileset, n_chunks = write_fileset(folder)
        parts = folder / "out" / "table" / "dataset=drell-yan" / "systematic=nominal"
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with LocalCluster(**options, silence_logs="ERROR") as cluster:
            command = [sys.executable, "-m", "cmslabs.cli", "select", "dimuon", "--fileset", fileset, "--unnormalised"]
            command += ["--set", "weights=[genWeight]", "--chunk-size", CHUNK, "--out", folder / "out"]
            command += ["--executor", "dask", "--scheduler", cluster.scheduler_address]
            run = subprocess.Popen([str(word) for word in command])
            victim = cluster.workers[0].pid
            picture = take(
                cluster.dashboard_link,
                run,
                done=lambda: len(list(parts.glob("*.parquet"))) / n_chunks,
                kill=lambda: os.kill(victim, signal.SIGKILL),
            )
            if run.wait() != 0:
                sys.exit("error: the run failed")
    picture.quantize(64).save(OUT, optimize=True)
    print(f"{OUT.relative_to(ROOT)}: {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
