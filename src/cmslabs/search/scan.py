"""How small a signal could be seen?  Injections times seeds times methods, one row per training."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cmslabs.config import config_hash
from cmslabs.data.tables import write_table
from cmslabs.errors import DataError
from cmslabs.evaluation.significance import p_bi, z_bi
from cmslabs.io import Provenance, sha256, versions
from cmslabs.jobs import Chunk, run_chunks
from cmslabs.search.attempt import attempt
from cmslabs.search.counting import closure_residual
from cmslabs.search.problem import check_injection, control_region, inject
from cmslabs.search.regions import Overlap, overlap_of
from cmslabs.search.scaler import FeatureScaler
from cmslabs.search.scan_config import SearchConfig, TableSettings, make_problem
from cmslabs.search.table_problem import is_file

__all__ = ["Scan", "calibrate", "run_search", "summarise"]

#: Raised when a try gives other numbers than it did: what older code has left in a folder is then not mixed with new.
ATTEMPT = 2
_COUNTS = ("n_on", "background", "statistical")
PACKAGES = ("numpy", "scikit-learn", "torch", "nflows")
#: Column -> unit, of the table of rows.
UNITS = dict.fromkeys(
    (
        *("method", "injection", "seed", "permutation", "s_over_b", "s_over_sqrt_b", "n_signal", "n_background"),
        *("contamination", "auc", "max_sic", "sic_1e3", "sic_1e4", "n_on", "background", "statistical", "expected"),
        *("effective", "clipped", "closure_auc", "residual", "z", "p"),
    ),
    "1",
) | {"seconds": "s"}


@dataclass(frozen=True)
class Scan:
    """Result of `run_search`.

    Attributes
    ----------
    config : SearchConfig
    rows : DataFrame
        One row per training: see `cmslabs.search.attempt.attempt`, with ``residual``, ``z`` and ``p`` of `calibrate`.
    overlap : Overlap or None
        How far the control region supports the signal region's contexts; None for a window between two sidebands.
    path : Path
        The Parquet file with the rows.
    """

    config: SearchConfig
    rows: pd.DataFrame
    overlap: Overlap | None
    path: Path


def run_search(
    config: SearchConfig,
    out: str | os.PathLike,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> Scan:
    """Run a scan; tries that are in `out` already are not run again.

    Parameters
    ----------
    config : SearchConfig
    out : path-like
        Folder: the scale of the first seed's simulation (``scaler.json``), chunks, and in the end ``NAME.parquet``.
    workers, executor, progress
        As in `cmslabs.jobs.run_chunks`.

    Returns
    -------
    Scan

    Raises
    ------
    ConfigError
        If the folder holds another scan, or the configuration does not fit the events.
    DataError
        If the control region does not support the signal region, or a region is empty.
    JobError
        If a worker fails; finished tries are kept.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    problem = make_problem(config.problem)
    scaler, overlap = _prepare(config, problem)
    tries = [(injection, config.first_seed + k) for k in range(config.seeds) for injection in config.injections]
    source = _source_hash(config)
    chunks = [Chunk(index, index, 1, seed) for index, (_, seed) in enumerate(tries)]
    paths = run_chunks(
        partial(_chunk, config.model_dump(mode="json"), source),
        chunks,
        out / "tries",
        identity={"config": config_hash(config), "source": source, "attempt": ATTEMPT},
        suffix=".json",
        workers=workers,
        executor=executor,
        progress=progress,
        unit="tries",
        # Not before: the folder might be another scan's.
        begin=None if scaler is None else partial(scaler.save, out / "scaler.json"),
    )
    rows = pd.DataFrame([row for path in paths for row in json.loads(path.read_text())])
    rows = calibrate(rows)
    path = out / f"{config.name}.parquet"
    details = {
        "config": config.model_dump(mode="json"),
        "config_hash": config_hash(config),
        "source_sha256": source,
        "overlap": None if overlap is None else vars(overlap),
    }
    units = {name: UNITS[name] for name in rows.columns}
    record = Provenance(
        source="simulation",
        simulation=True,
        script="cmslabs search",
        seed=config.first_seed,
        versions=versions(*PACKAGES),
        units=units,
        details=details,
    )
    write_table(path, rows, record)
    return Scan(config, rows, overlap, path)


def _prepare(config: SearchConfig, problem: Any) -> tuple[FeatureScaler | None, Overlap | None]:
    """The scale and the overlap, before anything is trained; and whether there is signal enough."""
    sample = problem.draw(config.first_seed)
    check_injection(sample, problem.regions, max(config.injections))
    injected = inject(sample, problem.regions, 0.0, np.random.default_rng(0))
    control, simulation = control_region(injected, sample, problem.regions)
    if simulation is None:
        return None, None
    scaler = problem.columns.scaler(control.needed_simulation("scan"))
    return scaler, overlap_of(control.data, injected.signal_region, problem.columns.context)


def _chunk(plain: Mapping[str, Any], source: str | None, chunk: Chunk) -> bytes:
    config = SearchConfig.model_validate(plain)
    injection = config.injections[chunk.index % len(config.injections)]
    rows = attempt(_problem(config.model_dump_json(), source), config, injection, chunk.seed)
    return json.dumps(rows, allow_nan=False).encode()


@lru_cache(maxsize=1)
def _problem(plain: str, source: str | None) -> Any:
    """A worker reads its events once, and again where the file is another one."""
    return make_problem(SearchConfig.model_validate_json(plain).problem)


def _source_hash(config: SearchConfig) -> str | None:
    if not isinstance(config.problem, TableSettings):
        return None
    source = config.problem.source
    if is_file(source):
        return sha256(source)
    from cmslabs.data.catalog import load_card

    return load_card(source).files[0].sha256


def calibrate(rows: pd.DataFrame) -> pd.DataFrame:
    """Add each method's closure residual, and the significance that contains it.

    A try is judged with the residual that all *other* seeds have at S = 0, so that no try without signal helps to
    forgive itself.

    Parameters
    ----------
    rows : DataFrame
        As `cmslabs.search.attempt.attempt` gives them.

    Returns
    -------
    DataFrame
        With ``residual`` (relative), ``z`` and ``p``; NaN where nothing was counted.
    """
    rows = rows.copy()
    for name in ("residual", "z", "p"):
        rows[name] = np.nan
    if "n_on" not in rows:
        return rows
    counted = rows[rows["n_on"].notna() & (rows["permutation"] == 0)]
    for (method, seed), mine in counted.groupby(["method", "seed"]):
        nulls = counted[(counted["method"] == method) & (counted["injection"] == 0)]
        others = nulls[nulls["seed"] != seed]
        # A scan of one seed has no others.
        from_these = nulls if others.empty else others
        residual = closure_residual(*(from_these[name] for name in _COUNTS))
        n_on, b, statistical = (mine[name].to_numpy(dtype=float) for name in _COUNTS)
        sigma = np.hypot(statistical, residual * b)
        rows.loc[mine.index, "residual"] = residual
        rows.loc[mine.index, "z"], rows.loc[mine.index, "p"] = z_bi(n_on, b, sigma), p_bi(n_on, b, sigma)
    return rows


def summarise(rows: pd.DataFrame, column: str = "max_sic") -> pd.DataFrame:
    """Median and middle 68 % over the seeds, for each method and injection.

    Parameters
    ----------
    rows : DataFrame
        Of a scan.
    column : str

    Returns
    -------
    DataFrame
        ``method``, ``injection``, ``s_over_sqrt_b`` (median), ``tries``, ``median``, ``low``, ``high``.

    Raises
    ------
    DataError
        If there is no such number.
    """
    if column not in rows:
        raise DataError(f"the rows of a scan have no '{column}'.", remedy=f"They have: {', '.join(rows.columns)}.")
    names = ["method", "injection", "s_over_sqrt_b", "tries", "median", "low", "high"]
    kept = rows[(rows["permutation"] == 0) & rows[column].notna()]
    if not len(kept):
        return pd.DataFrame(columns=names)
    groups = kept.groupby(["method", "injection"], sort=False)
    # Z of a count of 0 is minus infinity: between it and a number lies no number.
    with np.errstate(invalid="ignore"):
        table = groups[column].quantile([0.16, 0.5, 0.84]).unstack().set_axis(["low", "median", "high"], axis=1)
    table = table.fillna(-np.inf)
    table["s_over_sqrt_b"], table["tries"] = groups["s_over_sqrt_b"].median(), groups.size()
    return table.reset_index()[names]
