"""Three executors behind one option: this process, several processes, or a Dask cluster.

The executors are coffea's; here they are chosen, opened, watched and closed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cmslabs.errors import CmslabsError, ConfigError, JobError, require

__all__ = ["EXECUTORS", "Workers", "check_executor", "open_executor"]

logger = logging.getLogger("cmslabs.selection")

Kind = Literal["iterative", "futures", "dask"]
EXECUTORS: tuple[str, ...] = ("iterative", "futures", "dask")
#: How long a scheduler may take to answer: seconds.
PATIENCE = 10.0


@dataclass
class Workers:
    """An open executor.

    Attributes
    ----------
    kind : str
        ``iterative``, ``futures`` or ``dask``.
    n : int
        Workers at the start; a Dask cluster may grow and shrink.
    executor
        coffea's, for `coffea.processor.Runner`.
    scheduler : str or None
        Address of the Dask scheduler.
    dashboard : str or None
        Address of the Dask dashboard.
    """

    kind: str
    n: int
    executor: Any
    scheduler: str | None = None
    dashboard: str | None = None

    def each(self, function: Callable[[Any], Any], items: Sequence[Any], *, what: str, unit: str) -> list[Any]:
        """``function(item)`` of every item, in the order of the items.

        Raises
        ------
        JobError
            If a worker dies.
        """
        numbered = list(enumerate(items))
        if not numbered:
            return []
        executor = self.executor.copy(desc=what, unit=unit, function_name=what, compression=None)
        with self.watched():
            found, _ = executor(numbered, _Numbered(function), None)
        return [found[index] for index, _ in numbered]

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn the death of a worker, and all else that is no mistake of a task, into a `JobError`."""
        noise = io.StringIO()
        try:
            # coffea prints the stack of an error of its processes besides raising it.
            with contextlib.redirect_stderr(noise) if self.kind == "futures" else contextlib.nullcontext():
                yield
        except Exception as error:
            if self.kind == "iterative" or isinstance(error, CmslabsError):
                raise
            reason = (str(error).strip().splitlines() or [""])[0].partition(". ")[0].rstrip(".")
            raise JobError(
                f"the workers gave up ({type(error).__name__}: {reason}).",
                remedy="One was killed or ran out of memory: use smaller chunks or fewer workers.",
            ) from error
        sys.stderr.write(noise.getvalue())


class _Numbered:
    """Calls a function on a numbered item, in a form that coffea's executors can add up."""

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function

    def __call__(self, item: tuple[int, Any]) -> dict[int, Any]:
        return {item[0]: self.function(item[1])}


def check_executor(kind: str, workers: int | None, scheduler: str | None) -> None:
    """Refuse options that do not fit together.

    Raises
    ------
    ConfigError
    """
    if kind not in EXECUTORS:
        raise ConfigError(f"there is no executor '{kind}'.", remedy=f"Choose one of: {', '.join(EXECUTORS)}.")
    if workers is not None and workers < 1:
        raise ConfigError(f"{workers} workers cannot do anything.", remedy="Give at least 1, or leave it out.")
    if kind == "iterative" and workers not in (None, 1):
        raise ConfigError("'iterative' works in this process alone.", remedy="Choose the executor futures or dask.")
    if scheduler is not None and kind != "dask":
        raise ConfigError(f"a scheduler's address is of no use to '{kind}'.", remedy="Choose the executor dask.")
    if scheduler is not None and workers is not None:
        raise ConfigError(
            "the scheduler's cluster has its own workers.", remedy="Leave the number of workers out, or the address."
        )


@contextlib.contextmanager
def open_executor(
    kind: str = "iterative", *, workers: int | None = None, scheduler: str | None = None, progress: bool = False
) -> Iterator[Workers]:
    """Open an executor; what was started here is closed at the end, what was there before is left alone.

    Parameters
    ----------
    kind : "iterative", "futures" or "dask"
        One chunk after the other in this process; `workers` processes; Dask.
    workers : int, optional
        Processes for futures, or for a Dask cluster on this machine; as many as there are cores if not given.
    scheduler : str, optional
        Address of a running Dask scheduler (``"tcp://10.0.0.1:8786"``); without it ``dask`` starts a cluster of
        processes with one thread each.  A script that does so needs ``if __name__ == "__main__":``.
    progress : bool
        Show bars on stderr.

    Raises
    ------
    ConfigError
        If the options do not fit together, or no scheduler answers at the address.
    """
    check_executor(kind, workers, scheduler)
    processor = require("coffea.processor", "cms")
    n = 1 if kind == "iterative" else workers or _cores()
    with bars(progress) as console:
        if kind == "iterative":
            yield Workers(kind, 1, processor.IterativeExecutor(status=progress, retries=0))
        elif kind == "futures":
            with _pool(n) as pool:
                yield Workers(kind, n, processor.FuturesExecutor(workers=n, pool=pool, status=progress, retries=0))
        else:
            with _client(n, scheduler) as client:
                if scheduler is not None or importlib.util.find_spec("bokeh"):
                    console.print(f"Dask dashboard: {client.dashboard_link}")
                yield Workers(
                    kind,
                    n if scheduler is None else len(client.scheduler_info(n_workers=-1)["workers"]),
                    processor.DaskExecutor(client=client, status=progress, retries=0),
                    scheduler=client.scheduler.address,
                    dashboard=client.dashboard_link,
                )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _pool(n: int) -> Iterator[Any]:
    """Processes that do not inherit threads or memory (loky starts a fresh interpreter each)."""
    pool = require("loky", "cms").ProcessPoolExecutor(n)
    try:
        yield pool
    except BaseException:
        # What is still queued would be computed for nobody.
        pool.shutdown(wait=True, kill_workers=True)
        raise
    pool.shutdown(wait=True)


@contextlib.contextmanager
def _client(n: int, scheduler: str | None) -> Iterator[Any]:
    distributed = require("distributed", "cms")
    if scheduler is not None:
        with _connect(distributed, scheduler) as client:
            yield client
        return
    with _local_cluster(distributed, n) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


def _local_cluster(distributed: Any, n: int) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=n, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        )
    except RuntimeError as error:
        raise JobError(
            f"a Dask cluster on this machine did not start ({error}).",
            remedy="A script must call it below 'if __name__ == \"__main__\":', since every worker imports the script.",
        ) from error


def _connect(distributed: Any, address: str) -> Any:
    """A client of a running scheduler."""
    remedy = "Start one with 'dask scheduler' and give the address that it prints, such as tcp://10.0.0.1:8786."
    place = re.fullmatch(r"(?:(?:tcp|tls)://)?\[?([^\[\]/]+?)\]?:(\d{1,5})", address)
    if place is None:
        raise ConfigError("is no address of a Dask scheduler.", where=address, remedy=remedy)
    try:
        # A Client that fails to connect is left half open, and blocks the next one when it is collected.
        socket.create_connection((place[1], int(place[2])), timeout=PATIENCE).close()
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, OverflowError, ImportError) as error:
        raise ConfigError(
            f"no Dask scheduler answers ({type(error).__name__}).", where=address, remedy=remedy
        ) from error
    if not client.scheduler_info(n_workers=-1)["workers"]:
        logger.warning("%s: the scheduler has no workers yet; waiting for them", address)
    return client


@contextlib.contextmanager
def bars(show: bool) -> Iterator[Any]:
    """coffea draws its progress bars on stdout, which is for results: on stderr, or nowhere."""
    console = require("coffea.util", "cms").coffea_console
    file, quiet, jupyter = console.file, console.quiet, console.is_jupyter
    own_file = None if file is sys.stdout else file  # None follows sys.stdout, which may change.
    # In a notebook even a quiet bar would leave an empty widget.
    console.file, console.quiet, console.is_jupyter = sys.stderr, not show, jupyter and show
    try:
        yield console
    finally:
        console.file, console.quiet, console.is_jupyter = own_file, quiet, jupyter
