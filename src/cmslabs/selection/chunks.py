"""Chunks of events on their way through coffea's Runner: retried, guarded, and added up in a fixed order.

Imported only by who needs coffea.
"""

from __future__ import annotations

import itertools
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmslabs.errors import require
from cmslabs.selection.executors import Workers
from cmslabs.selection.failures import Failure, explain
from cmslabs.selection.ordered import Ordered
from cmslabs.selection.survey import FileSurvey

__all__ = ["Guard", "GuardedRunner", "make_items", "run_items"]

executor_module = require("coffea.processor.executor", "cms")


@dataclass(frozen=True)
class Guard:
    """Runs one chunk; what goes wrong becomes a result, so that one bad file does not cost the others.

    It takes the place of `coffea.processor.Runner.automatic_retries`.

    Attributes
    ----------
    stop : Path
        A file that says that the run has failed: chunks that come later are not computed.
    retries : int
        How often a file that cannot be read is tried again.
    keep_going : bool
        Whether a file that cannot be read is no reason to stop.
    """

    stop: Path
    retries: int = 1
    keep_going: bool = False

    def __call__(self, _retries: int, _skip: Any, work: Callable[[Any], dict], item: Any, **_: Any) -> dict[str, Any]:
        chunk = item[0] if isinstance(item, tuple) else item  # Dask joins the processor to it.
        if self.stop.exists():
            return {"out": Ordered()}
        for attempt in range(self.retries + 1):
            try:
                result = work(item)
            except Exception as error:  # noqa: BLE001 - it is reported with file and events, and ends the run
                failure = explain(chunk, error)
                if not failure.damage:
                    break
                if "://" in chunk.filename and attempt < self.retries:
                    time.sleep(2.0**attempt)
            else:
                return {**result, "out": Ordered({(chunk.dataset, 0, chunk.usermeta["chunk"]): result["out"]})}
        if not (self.keep_going and failure.damage):
            self.stop.touch()
        return {"out": Ordered(failures=[failure])}


@dataclass
class GuardedRunner(executor_module.Runner):
    """coffea's Runner with a `Guard`, and with the skims that `cmslabs skim` writes beside ROOT files."""

    guard: Guard | None = None

    @property
    def automatic_retries(self) -> Guard:
        """What calls the function of a chunk."""
        return self.guard

    @staticmethod
    def _work_function(*arguments: Any, **options: Any) -> dict[str, Any]:
        item = next(a for a in arguments if isinstance(a, tuple | executor_module.WorkItem))
        chunk = item[0] if isinstance(item, tuple) else item
        if not chunk.filename.endswith(".parquet"):
            return executor_module.Runner._work_function(*arguments, **options)
        from cmslabs.selection.skim_events import process_skim

        processor = item[1] if isinstance(item, tuple) else options["processor_instance"]
        return process_skim(chunk, processor)


def make_items(files: Iterable[FileSurvey], chunk_size: int) -> list[Any]:
    """The chunks of the files of one data set: equal parts of a file, none above `chunk_size` events.

    A file without events is one empty chunk, so that its data set is in the results.
    """
    # Dask takes equal tasks for the same task: a second run must not find the results of the first.
    run = uuid.uuid4().hex
    ranges = [(file, start, stop) for file in files for start, stop in _ranges(file.n_events, chunk_size)]
    return [
        executor_module.WorkItem(
            dataset=file.dataset,
            filename=file.path,
            treename="Events",
            entrystart=start,
            entrystop=stop,
            fileuuid=bytes.fromhex(file.uuid),
            usermeta={"chunk": number, "run": run},
        )
        for number, (file, start, stop) in enumerate(ranges)
    ]


def _ranges(n_events: int, chunk_size: int) -> Iterator[tuple[int, int]]:
    n = max(1, math.ceil(n_events / chunk_size))
    edges = [i * n_events // n for i in range(n + 1)]
    yield from itertools.pairwise(edges)


def run_items(
    workers: Workers, processor: Any, items: Sequence[Any], guard: Guard, *, what: str
) -> tuple[dict[str, Any], list[Failure], dict[str, Any]]:
    """Process the chunks.

    Returns
    -------
    totals : dict
        Data set -> the sum of its chunks' results.
    failures : list of Failure
    metrics : dict
        coffea's: ``bytesread``, ``entries``, ``processtime`` [s], ``columns``.

    Raises
    ------
    JobError
        If the workers die.
    """
    from cmslabs.objects.schema import CmslabsSchema

    guard.stop.unlink(missing_ok=True)
    runner = GuardedRunner(
        executor=workers.executor.copy(desc=what),
        schema=CmslabsSchema,
        savemetrics=True,
        metadata_cache={},
        guard=guard,
    )
    with workers.watched():
        # Each chunk is read once: uproot's cache would only keep 100 MB of them in every worker.
        result = runner.run(list(items), processor, uproot_options={"array_cache": None})
    return result["out"].totals(), result["out"].failures, result.get("metrics", {})
