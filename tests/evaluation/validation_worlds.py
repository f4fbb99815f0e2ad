"""Events without a signal, and with planted faults, for the tests of the validation studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

NAMES = ("mj_light", "dmj", "tau21_light", "tau21_heavy")
N_NULLS = 400


def background(n: int, seed: int) -> pd.DataFrame:
    """Independent Gaussian columns."""
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 4)), columns=list(NAMES))


def with_signal(n: int, seed: int, n_signal: int) -> pd.DataFrame:
    """The same, with a clump of signal in place of the last events."""
    X = background(n, seed)
    rng = np.random.default_rng(seed + 1_000_000)
    X.iloc[n - n_signal :] = rng.normal([3.0, 3.0, 0.0, 0.0], 0.3, size=(n_signal, 4))
    return X


def masses(n: int, seed: int) -> np.ndarray:
    """A falling spectrum [GeV]."""
    return 2000 + np.random.default_rng(seed + 77).exponential(600, n)


def random_scores(X, seed):
    """A trainer whose scorer knows nothing: every seed gives other numbers."""
    return lambda events: np.random.default_rng(seed).random(len(events))
