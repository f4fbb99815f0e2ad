"""Resumable parallel work: many independent chunks, any executor, one folder.

A chunk is known by its index.  Its random seed follows from the job's seed and that index alone,
so that the result does not depend on how many workers there are or in which order they finish.
A worker returns bytes; only the caller writes, in one atomic step, so that a chunk's file is
either whole or absent and workers need no file system in common.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from cmslabs.errors import CmslabsError, ConfigError, JobError
from cmslabs.io import atomic_write, json_hash, read_json, write_json

__all__ = ["Chunk", "chunk_seed", "make_chunks", "run_chunks"]


@dataclass(frozen=True)
class Chunk:
    """One piece of a job: its index, the first item, the number of items, and its own seed."""

    index: int
    start: int
    size: int
    seed: int


def chunk_seed(seed: int, index: int) -> int:
    """The seed of chunk `index` of a job with seed `seed`: 63 bits, independent between chunks."""
    words = np.random.SeedSequence(entropy=seed, spawn_key=(index,)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def make_chunks(total: int, size: int, seed: int) -> list[Chunk]:
    """Split `total` items into chunks of `size` (the last may be smaller).

    Examples
    --------
    >>> [(chunk.start, chunk.size) for chunk in make_chunks(5, 2, seed=1)]
    [(0, 2), (2, 2), (4, 1)]
    """
    if total < 1 or size < 1:
        raise ConfigError(f"cannot split {total} items into chunks of {size}.", remedy="Both must be at least 1.")
    starts = range(0, total, size)
    return [
        Chunk(index, start, min(size, total - start), chunk_seed(seed, index)) for index, start in enumerate(starts)
    ]


def run_chunks(
    task: Callable[[Chunk], bytes],
    chunks: list[Chunk],
    folder: str | os.PathLike,
    *,
    identity: dict[str, Any],
    suffix: str = ".bin",
    workers: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
    unit: str = "events",
    begin: Callable[[], object] | None = None,
) -> list[Path]:
    """Run `task` on every chunk that has no file yet; return all files in the order of the chunks.

    Parameters
    ----------
    task : callable
        ``task(chunk) -> bytes``.  It must be picklable (a module-level function or a
        `functools.partial` of one) where it runs in another process.
    chunks : list of Chunk
        From `make_chunks`.
    folder : path-like
        Where the chunks' files and ``job.json`` are kept.
    identity : dict
        Plain JSON that says what the job computes.  A folder that holds another job's chunks is refused.
    suffix : str
        Ending of the chunk files.
    workers : int
        Number of processes, if no executor is given; 1 runs in this process.
    executor : concurrent.futures.Executor, optional
        Anything with ``submit``; ``distributed.Client(...).get_executor()`` gives one on a Dask cluster.
    progress : bool
        Show a bar with the rate on stderr.
    unit : str
        What is counted in the bar.
    begin : callable, optional
        Called when the folder is this job's, before the first chunk.

    Raises
    ------
    ConfigError
        If the folder belongs to another job.
    JobError
        If a chunk fails or a worker dies.  Finished chunks are kept: the same call goes on from there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        _claim(folder, identity, chunks)
        if begin is not None:
            begin()
        paths = [folder / f"chunk-{chunk.index:05d}{suffix}" for chunk in chunks]
        todo = [(chunk, path) for chunk, path in zip(chunks, paths, strict=True) if not path.exists()]
        with _progress(chunks, todo, unit, progress) as bar:
            if executor is None and workers <= 1:
                for chunk, path in todo:
                    _write(path, _guard(task, chunk))
                    bar.update(chunk.size)
            elif todo:
                with _executor(executor, min(workers, len(todo))) as pool:
                    _drain(pool, task, todo, bar, window=4 * max(workers, 4))
    return paths


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise JobError(
            "another process is working in this folder.", where=folder, remedy="Wait for it, or choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _claim(folder: Path, identity: dict[str, Any], chunks: list[Chunk]) -> None:
    """Write down whose chunks these are; refuse a folder that holds others.

    The division into chunks belongs to the identity: 40 events in the folder of 23 would keep its short last chunk.
    """
    record = folder / "job.json"
    layout = json_hash([[chunk.start, chunk.size, chunk.seed] for chunk in chunks])
    wanted = {"identity": identity, "chunks": layout, "hash": json_hash([identity, layout])}
    if not record.exists():
        if any(folder.glob("chunk-*")):
            raise ConfigError(
                "holds chunks but no job.json, so nothing says what they are.",
                where=folder,
                remedy="Choose another folder, or delete this one.",
            )
        write_json(record, wanted)
        return
    found = read_json(record)
    old = found.get("identity") if isinstance(found, dict) else None
    if not isinstance(old, dict):
        raise ConfigError("is no record of a job.", where=record, remedy="Choose another folder, or delete this one.")
    if found.get("hash") == wanted["hash"]:
        return
    changed = sorted(key for key in {*old, *identity} if old.get(key) != identity.get(key))
    changed = changed or ["the division into chunks"]
    raise ConfigError(
        f"holds chunks of another job (different: {', '.join(changed)}).",
        where=folder,
        remedy="Choose another folder, or delete this one.",
    )


class _Silent:
    def update(self, n: int) -> None:
        """Show nothing."""


@contextmanager
def _progress(chunks, todo, unit: str, show: bool) -> Iterator[Any]:
    if not show:
        yield _Silent()
        return
    from tqdm import tqdm

    total = sum(chunk.size for chunk in chunks)
    done = total - sum(chunk.size for chunk, _ in todo)
    with tqdm(total=total, initial=done, unit=f" {unit}", unit_scale=False, smoothing=0.1) as bar:
        yield bar


@contextmanager
def _executor(executor: Executor | None, workers: int) -> Iterator[Executor]:
    if executor is not None:
        yield executor  # The caller made it and will close it.
        return
    # "spawn": a fork would copy threads and generator state that the libraries below do not survive.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool


def _guard(task: Callable[[Chunk], bytes], chunk: Chunk) -> bytes:
    """Run one chunk; an unexpected error says which one it was."""
    try:
        return task(chunk)
    except CmslabsError:
        raise
    except Exception as error:
        raise JobError(
            f"chunk {chunk.index} (items {chunk.start}-{chunk.start + chunk.size - 1}, seed {chunk.seed}) failed: "
            f"{type(error).__name__}: {error}.",
            remedy="Finished chunks are kept; correct the cause and run the same call again.",
        ) from error


def _drain(pool: Executor, task, todo, bar, window: int) -> None:
    """Keep at most `window` chunks under way, so that results do not pile up in memory."""
    waiting = list(reversed(todo))
    running: dict[Future, tuple[Chunk, Path]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < window:
                chunk, path = waiting.pop()
                running[pool.submit(_guard, task, chunk)] = (chunk, path)
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                chunk, path = running.pop(future)
                _write(path, future.result())
                bar.update(chunk.size)
    except BrokenProcessPool as error:
        raise JobError(
            f"a worker died while {len(running) + len(waiting) + 1} of {len(todo)} chunks were unfinished.",
            remedy="It was killed or ran out of memory. Run the same call again: finished chunks are kept.",
        ) from error
    except (CmslabsError, OSError):
        raise
    except Exception as error:
        # The task's own errors arrive as ours (see _guard): this one is the executor's, for example
        # a task that cannot be pickled, or a worker that Dask gave up.
        raise JobError(
            f"the executor failed while {len(running) + len(waiting) + 1} of {len(todo)} chunks were unfinished: "
            f"{type(error).__name__}: {error}.",
            remedy="Correct the cause and run the same call again: finished chunks are kept.",
        ) from error
    finally:
        for future in running:
            future.cancel()


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
