"""Measured speeds of a selection."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field

from cmslabs.config import StrictModel, validate
from cmslabs.errors import ConfigError
from cmslabs.io import read_json

__all__ = ["Rates", "bundled_benchmark", "read_rates"]

Positive = Annotated[float, Field(gt=0)]


class Rates(StrictModel):
    """Measured speeds of one core, for one analysis.

    Attributes
    ----------
    by_codec : dict
        Compression of the NanoAOD files -> events per second of the selection.
    skimmed : float
        Events per second of the same selection on a skim.
    skim : dict
        Compression -> events per second of making the skim.
    skim_bytes_per_event : float
    source : str
        Where this was measured: machine, commit, sample.
    """

    by_codec: dict[str, Positive] = Field(min_length=1)
    skimmed: Positive
    skim: dict[str, Positive]
    skim_bytes_per_event: Positive
    source: str


def read_rates(path: str | os.PathLike) -> Rates:
    """Rates as ``benchmarks/selection.py`` stores them: under ``numbers.rates`` of its result.

    Raises
    ------
    DataError
        If the file is missing or no JSON.
    ConfigError
        If it holds no rates.
    """
    content: Any = read_json(path)
    for key in ("numbers", "rates"):
        content = content.get(key) if isinstance(content, dict) else None
    if not isinstance(content, dict):
        raise ConfigError(
            "holds no 'numbers.rates'.", where=path, remedy="Take the result of: python benchmarks/selection.py"
        )
    return validate(Rates, content, where=path)


def bundled_benchmark() -> dict[str, Any]:
    """The committed result of ``benchmarks/selection.py``, as it comes with the package.

    Returns
    -------
    dict
        ``numbers``, and the ``commit``, ``config``, ``machine`` and ``versions`` that they come from.

    Examples
    --------
    >>> rates = Rates(**bundled_benchmark()["numbers"]["rates"])
    >>> sorted(rates.by_codec)
    ['LZ4', 'LZMA', 'ZSTD']
    """
    return read_json(str(files("cmslabs.data") / "filesets" / "selection-benchmark.json"))
