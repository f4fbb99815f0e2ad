"""Corrections as JSON in the structure of CMS's files, so that the same code reads both.

Schema version 2 of correctionlib: https://cms-nanoaod.github.io/correctionlib
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cmslabs.io import Provenance, atomic_write, canonical_json
from cmslabs.selection.efficiency import ABSETA_EDGES, PT_EDGES, ScaleFactors
from cmslabs.selection.pileup import CROSS_SECTION_ERROR

__all__ = ["PILEUP_NAME", "correction_set", "write_set"]

PILEUP_NAME = "CollisionsPseudoData_goldenJSON"


def correction_set(
    weights: Mapping[str, np.ndarray], factors: Mapping[str, ScaleFactors], record: Provenance
) -> dict[str, Any]:
    """The JSON of both kinds of corrections, in schema version 2 of correctionlib."""
    return {
        "schema_version": 2,
        "description": canonical_json(record.model_dump(mode="json")),
        "corrections": [_pileup_json(weights), *(_muon_json(name, one) for name, one in factors.items())],
    }


def write_set(path: str | os.PathLike, content: Mapping[str, Any]) -> None:
    """Write ``.json.gz`` without a name or a time in it: the same content gives the same bytes."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    # gzip.compress would leave one byte of the header to the version of Python.
    with (
        atomic_write(path) as temporary,
        open(temporary, "wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
    ):
        packed.write(text.encode("ascii"))


def _pileup_json(weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    edges = [float(edge) for edge in range(len(weights["nominal"]) + 1)]
    content = [
        {
            "key": key,
            "value": {
                "nodetype": "binning",
                "input": "NumTrueInteractions",
                "edges": edges,
                "content": _rounded(values, 6),
                "flow": "clamp",
            },
        }
        for key, values in weights.items()
    ]
    return {
        "name": PILEUP_NAME,
        "description": "Pile-up of the pseudo-data over that of the simulation; up and down: inelastic cross-section "
        f"+- {100 * CROSS_SECTION_ERROR:g} %.",
        "version": 1,
        "inputs": [
            {"name": "NumTrueInteractions", "type": "real", "description": "Number of true interactions"},
            {"name": "weights", "type": "string", "description": "nominal, up, or down"},
        ],
        "output": {"name": "weight", "type": "real", "description": "Event weight for pile-up"},
        "data": {"nodetype": "category", "input": "weights", "content": content},
    }


def _muon_json(name: str, factors: ScaleFactors) -> dict[str, Any]:
    columns = {
        "nominal": factors.value,
        "stat": factors.stat,
        "syst": factors.syst,
        "systup": factors.value + factors.total,
        "systdown": factors.value - factors.total,
    }
    rounded = {key: [_rounded(row, 5) for row in values] for key, values in columns.items()}
    rows = [
        _binning("pt", PT_EDGES, [_category({key: table[i][j] for key, table in rounded.items()}) for j in range(n_pt)])
        for i, n_pt in enumerate([len(PT_EDGES) - 1] * (len(ABSETA_EDGES) - 1))
    ]
    return {
        "name": name,
        "description": "Pseudo-data over simulation, by tag and probe on the Z peak; systup and systdown: statistical "
        "error and background model in quadrature.",
        "version": 1,
        "inputs": [
            {"name": "abseta", "type": "real", "description": "Muon abs(eta)"},
            {"name": "pt", "type": "real", "description": "Muon pT [GeV]"},
            {"name": "scale_factors", "type": "string", "description": "nominal, stat, syst, systup, or systdown"},
        ],
        "output": {"name": "weight", "type": "real", "description": "Scale factor (or its error, for stat and syst)"},
        "data": _binning("abseta", ABSETA_EDGES, rows),
    }


def _binning(name: str, edges: Sequence[float], content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"nodetype": "binning", "input": name, "edges": list(edges), "content": content, "flow": "error"}


def _category(values: Mapping[str, float]) -> dict[str, Any]:
    content = [{"key": key, "value": value} for key, value in values.items()]
    return {"nodetype": "category", "input": "scale_factors", "content": content}


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
