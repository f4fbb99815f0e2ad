"""Small backgrounds and studies for the tests of tuning, and a table whose truth must not be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cmslabs.config import validate
from cmslabs.models.tuning_config import TuningConfig


class Truth:
    """A label that nobody may look at."""

    def _read(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("the truth was read")

    __eq__ = __ne__ = __lt__ = __gt__ = __bool__ = __int__ = __index__ = __float__ = __array__ = __hash__ = _read
    __add__ = __radd__ = __mul__ = __sub__ = __str__ = __repr__ = __iter__ = __len__ = _read


def background(n: int, seed: int = 0) -> pd.DataFrame:
    """Three columns, two of which belong together."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    columns = {"a": common + 0.1 * rng.normal(size=n), "b": -common + 0.1 * rng.normal(size=n), "c": rng.normal(size=n)}
    return pd.DataFrame(columns)


def study(**changes: Any) -> TuningConfig:
    """A study of quick trials."""
    content = {
        "name": "small",
        "model": "autoencoder",
        "data": {"source": "table.parquet", "features": ["a", "b", "c"]},
        "objective": "validation-loss",
        "trials": 5,
        "fixed": {"latent": 1, "epochs": 4, "batch_size": 64},
        "search": {"learning_rate": {"low": 1e-5, "high": 0.1, "log": True}, "widths": [[4], [8, 4]]},
        "pruning": {"trials": 2, "epochs": 1},
    }
    return validate(TuningConfig, content | changes)
