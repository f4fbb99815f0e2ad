"""Build the site: vendor its scripts, run the pages in parallel, then render with every warning an error.

Executed notebooks are kept in a cache whose key is a hash of the code, the data and the pinned versions:
the cache itself would not notice that `src/cmslabs` has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import vendor_assets
import yaml

try:
    import resource
except ImportError:  # Windows
    resource = None

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"
CACHE = BUILD / ".jupyter_cache"

#: What an executed page depends on besides itself.
EXECUTION_INPUTS = ("src", "constraints.txt", "pyproject.toml")
#: What the site depends on besides that.
SITE_INPUTS = ("book", "labs/release", "_config.yml", "_toc.yml", "package-lock.json", "data_scripts/build_book.py")
#: Pages that start several processes themselves and measure them.
NEED_ALL_CORES = {"08-scaling-out"}
#: Folders that are made, not written.
MADE = {"__pycache__", "vendor", ".ipynb_checkpoints", "cmslabs.egg-info"}


def files_below(names: tuple[str, ...]) -> list[Path]:
    """All source files in these files and folders, sorted."""
    found = []
    for path in (ROOT / name for name in names):
        inside = [path] if path.is_file() else sorted(path.rglob("*"))
        found += [file for file in inside if file.is_file() and not MADE & set(file.relative_to(ROOT).parts)]
    return found


def content_hash(names: tuple[str, ...]) -> str:
    """One hash of names and contents of all these files, and of the Python version."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in files_below(names):
        digest.update(f"\0{path.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def site_hash() -> str:
    """What `_build/html/.source-hash` holds if the site was built from the files as they are now."""
    return content_hash(EXECUTION_INPUTS + SITE_INPUTS)


def prepare_cache() -> None:
    """Forget executed pages if code, data or versions have changed since."""
    key_file, key = CACHE / "KEY", content_hash(EXECUTION_INPUTS)
    if not key_file.is_file() or key_file.read_text() != key:
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        key_file.write_text(key)


def notebooks_of_the_toc() -> list[Path]:
    """Pages of the site that have code, in order, without those that are not executed."""

    def entries(node):
        for value in node.values() if isinstance(node, dict) else node:
            if isinstance(value, dict | list):
                yield from entries(value)
        if isinstance(node, dict) and "file" in node:
            yield node["file"]

    skipped = yaml.safe_load((ROOT / "_config.yml").read_text())["execute"]["exclude_patterns"]
    names = (f"{name}.ipynb" for name in entries(yaml.safe_load((ROOT / "_toc.yml").read_text())))
    return [ROOT / n for n in names if (ROOT / n).is_file() and not any(fnmatch(n, p) for p in skipped)]


def execute_page(path: Path) -> tuple[Path, float, str]:
    """Run one notebook into the cache; return its path, seconds and the traceback (empty if it went well).

    The seconds are those on a computer that has nothing else to do: of clock and processor time the smaller one.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from jupyter_cache.executors.utils import single_nb_execution

    cache = get_cache(CACHE)
    record = cache.add_nb_to_project(str(path))
    notebook = cache.get_project_notebook(record.pk).nb
    # At its usual level the kernel warns of the transport that every local notebook uses.
    quiet = {"extra_arguments": ["--log-level=ERROR"]}
    before = processor_seconds()
    result = single_nb_execution(notebook, cwd=str(path.parent), timeout=120, allow_errors=False, **quiet)
    seconds = min(result.time, processor_seconds() - before) if before else result.time
    if result.err is None:
        data = {"execution_seconds": seconds}
        cache.cache_notebook_bundle(CacheBundleIn(notebook, str(path), data=data), check_validity=False, overwrite=True)
    return path, seconds, result.exc_string or ""


def processor_seconds() -> float:
    """Processor time of the kernels that this process has started and ended; 0 where the system does not count it."""
    if resource is None:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Never 0 where it is counted: a first page has no kernel before it.
    return used.ru_utime + used.ru_stime + 1e-9


def is_cached(path: Path) -> bool:
    """Whether the result of this notebook, as it is now, is in the cache."""
    from jupyter_cache import get_cache

    cache = get_cache(CACHE)
    try:
        cache.match_cache_notebook(cache.get_project_notebook(cache.add_nb_to_project(str(path)).pk).nb)
    except KeyError:
        return False
    return True


def executed(pages: list[Path], workers: int) -> Iterator[tuple[Path, float, str]]:
    """Execute pages side by side, then, one by one, those that want all cores."""
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(execute_page, [path for path in pages if path.stem not in NEED_ALL_CORES])
        for path in pages:
            if path.stem in NEED_ALL_CORES:
                yield pool.submit(execute_page, path).result()


def execute_pages(workers: int) -> bool:
    """Run all pages that are not in the cache, some at a time; return whether all went well."""
    # The cache makes its database at the first touch: before several processes want to.
    pages = [path for path in notebooks_of_the_toc() if not is_cached(path)]
    good = True
    # Pages that run side by side have a core each.  Libraries that take all cores would wait for each other.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    for path, seconds, traceback in executed(pages, workers):
        name = path.relative_to(ROOT)
        print(f"  {name}: {seconds:.1f} s{' FAILED' if traceback else ''}", file=sys.stderr, flush=True)
        if traceback:
            good = False
            print(traceback, file=sys.stderr)
    return good


def render() -> int:
    """Run jupyter-book on a fresh environment; return its exit status."""
    shutil.rmtree(HTML, ignore_errors=True)
    # A kept environment hides warnings: a second strict build exits 0 although a page shows a traceback.
    shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    strict = ["-W", "-n", "--keep-going", "--quiet"]
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", *strict, str(ROOT)]
    return subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode


def pages_with_traceback() -> list[Path]:
    """Pages that show an error of their code to the reader."""
    pages = sorted(HTML.rglob("*.html"))
    return [page for page in pages if 'class="output traceback' in page.read_text(encoding="utf-8")]


def main() -> int:
    """Build everything; 0 if the site is good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="pages that run at the same time (default 2)")
    parser.add_argument("--pages", action="store_true", help="run the pages only; nothing is rendered")
    parser.add_argument("--clean", action="store_true", help="forget all results first")
    arguments = parser.parse_args()
    if arguments.clean:
        shutil.rmtree(BUILD, ignore_errors=True)
    start = time.monotonic()
    vendor_assets.vendor()
    prepare_cache()
    source = site_hash()
    print("Running the pages ...", file=sys.stderr, flush=True)
    if not execute_pages(arguments.workers):
        print("error: a page failed; its traceback stands above.", file=sys.stderr)
        return 1
    if arguments.pages:
        return 0
    ran = time.monotonic()
    print("Rendering ...", file=sys.stderr, flush=True)
    status = render()
    if status:
        print(f"error: jupyter-book ended with status {status}; its warnings stand above.", file=sys.stderr)
        return 1
    if bad := pages_with_traceback():
        print(f"error: pages with a traceback: {', '.join(map(str, bad))}", file=sys.stderr)
        return 1
    (HTML / ".source-hash").write_text(source)
    minutes = (ran - start) / 60, (time.monotonic() - ran) / 60
    print(f"Pages {minutes[0]:.1f} min, rendering {minutes[1]:.1f} min.", file=sys.stderr)
    print(f"The site is in {HTML.relative_to(ROOT)}/index.html")
    print("Serve it with: make serve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
