"""For tests and doctests alike: figures are closed, and in continuous integration only the listed tests may skip."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec

import pytest

#: Pattern of a test's name -> why it may skip where everything is installed.
ALLOWED_SKIPS = {
    r"test_.*_gpu\b": "there is no GPU in continuous integration",
}

#: What needs the extras `jets` and `sim`, which have no wheels on Windows.  Elsewhere everything is collected.
collect_ignore_glob = []
if sys.platform == "win32" and find_spec("fastjet") is None:
    collect_ignore_glob += [
        f"{folder}/{room}*" for folder in ("src/cmslabs", "tests") for room in ("features", "simulation")
    ]
    collect_ignore_glob += ["tests/cli/test_features_cli.py", "tests/cli/test_simulate_cli.py"]

_unexpected: list[str] = []


@pytest.fixture(autouse=True)
def no_figures_left():
    """A figure that a test leaves open would warn in some later test, twenty figures on."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


def pytest_collection_modifyitems(items):
    """Files with slow tests first: a long file that begins last would leave the other workers idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _strict() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def _allowed(node: str, reason: str) -> bool:
    if os.environ.get("CMSLABS_ALLOW_MISSING_DATA") == "1" and "CMSLABS_TEST_DATA" in reason:
        return True
    return any(re.search(pattern, node) for pattern in ALLOWED_SKIPS)


def pytest_runtest_logreport(report):
    """Note skips; runs in the process that collects the workers' reports."""
    if not report.skipped or hasattr(report, "wasxfail") or not _strict():
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not _allowed(report.nodeid, reason):
        _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session, exitstatus):
    """Turn unexpected skips into a failure of the run."""
    if _unexpected and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    """Name them."""
    if _unexpected:
        terminalreporter.section("skipped, but continuous integration must run them")
        for line in _unexpected:
            terminalreporter.line(line)
