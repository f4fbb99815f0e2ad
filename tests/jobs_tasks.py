"""Tasks for test_jobs.py; workers in other processes import them by name."""

import os
import time
from pathlib import Path

import numpy as np


def numbers(chunk):
    """Random numbers that depend on the chunk's seed alone."""
    return np.random.default_rng(chunk.seed).normal(size=chunk.size).tobytes()


def tell(folder, chunk):
    """Leave a note that this chunk was worked on, and by whom."""
    (Path(folder) / f"{chunk.index}-{os.getpid()}").touch()
    return numbers(chunk)


def fail_at(index, chunk):
    if chunk.index == index:
        raise ValueError("a planted fault")
    return numbers(chunk)


def wait_for(gate, folder, slow, chunk):
    """Tell that the work has begun; the slow chunks go on only when the gate is open."""
    (Path(folder) / f"{chunk.index}-{os.getpid()}").touch()
    while chunk.index in slow and not Path(gate).exists():
        time.sleep(0.02)
    return numbers(chunk)
