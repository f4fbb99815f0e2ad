"""`cmslabs doctor`: what is installed here and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys

from cmslabs.cli.common import JsonOption, result, result_json
from cmslabs.data.download import cache_folder

__all__ = ["doctor", "report"]

#: What shows that an extra is installed: distribution names.
EXTRAS = {
    "torch": ["torch", "nflows"],
    "cms": ["coffea", "correctionlib", "dask", "distributed"],
    "xrootd": ["xrootd", "fsspec-xrootd"],
    "jets": ["fastjet", "numba"],
    "sim": ["pythia8mc", "fastjet", "numba"],
    "tune": ["optuna"],
    "app": ["ipywidgets", "voila"],
    "book": ["jupyter-book", "sphinx-book-theme", "jupytext"],
    "grade": ["nbgrader"],
    "dev": ["pytest", "nbval", "ruff"],
}
CORE = [
    "cmslabs",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "awkward",
    "vector",
    "uproot",
    "hist",
    "mplhep",
    "scikit-learn",
]


def doctor(as_json: JsonOption = False) -> None:
    """Show versions, extras, cores, memory, the data cache and the GPU.

    Example: cmslabs doctor
    """
    found = report()
    if as_json:
        result_json(found)
        return
    for section, entries in found.items():
        result(section)
        for name, value in entries.items():
            result(f"  {name:16} {value}")


def report() -> dict[str, dict[str, str]]:
    """The same as plain data."""
    return {
        "system": {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "cores": str(os.cpu_count()),
            "memory": _memory(),
            "gpu": _gpu(),
        },
        "versions": {name: _version(name) or "missing" for name in CORE},
        "extras": {extra: _extra(extra, names) for extra, names in EXTRAS.items()},
        "data": _cache(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _extra(extra: str, names: list[str]) -> str:
    missing = [name for name in names if _version(name) is None]
    if not missing:
        return "installed"
    return f'not installed ({", ".join(missing)}); pip install "cmslabs[{extra}]"'


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB"


def _gpu() -> str:
    if _version("torch") is None:
        return "unknown (torch is not installed)"
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return "none (not needed)"


def _cache() -> dict[str, str]:
    folder = cache_folder()
    place = folder if folder.exists() else next(parent for parent in folder.parents if parent.exists())
    writable = place.is_dir() and os.access(place, os.W_OK)
    note = "" if writable else " (cannot be written: set CMSLABS_DATA to a folder of your own)"
    return {
        "cache": f"{folder}{note}",
        "free space": f"{shutil.disk_usage(place).free / 1e9:.1f} GB",
        "offline": "yes" if os.environ.get("CMSLABS_OFFLINE", "") not in ("", "0") else "no",
    }
