"""Large NanoAOD files made of a bundled one, that compress as badly as the original.

Events that stand in a file twice would be found by the compression: a copy of them costs nearly nothing, and reading
it is fast.  So every copy has another order, and the last bits of its numbers are drawn anew.
"""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import uproot

CODECS = {"LZ4": uproot.LZ4(4), "ZSTD": uproot.ZSTD(5), "LZMA": uproot.LZMA(9)}
#: Copies in one basket: NanoAOD's baskets hold some thousand events.
COPIES, JITTER_BITS = 4, 5


def repeat_events(source: Path, target: Path, n_events: int, codec: str, seed: int = 1) -> Path:
    """Write `n_events` events made of those in `source`; events are numbered anew, ``Runs`` is copied.

    The tree ``Runs`` is scaled, so that the sum of weights belongs to the number of events.
    """
    rng = np.random.default_rng(seed)
    with uproot.open(source) as file:
        columns = _columns(file["Events"])
        runs = file["Runs"].arrays(library="np")
    n_source = len(columns["run"])
    types = {name: column.type.content for name, column in columns.items()}
    noisy = {name: _noisy_fields(column) for name, column in columns.items()}
    with uproot.recreate(target, compression=CODECS[codec]) as file:
        out = file.mktree("Events", types)
        for start in range(0, n_events, COPIES * n_source):
            n = min(COPIES * n_source, n_events - start)
            rows = np.concatenate([rng.permutation(n_source) for _ in range(COPIES)])[:n]
            copy = {name: _jittered(column[rows], noisy[name], rng) for name, column in columns.items()}
            copy["event"] = np.arange(start + 1, start + n + 1, dtype=np.uint64)
            out.extend(copy)
        factor = n_events / n_source
        scaled = {name: (values * factor).astype(values.dtype) for name, values in runs.items() if name[:3] == "gen"}
        file.mktree("Runs", {name: values.dtype for name, values in runs.items()}).extend({**runs, **scaled})
    return target


def bytes_per_event(path: Path) -> dict[str, float]:
    """Compressed and not, of the tree ``Events``."""
    with uproot.open({path: "Events"}) as tree:
        sizes = {"compressed": tree.compressed_bytes, "uncompressed": tree.uncompressed_bytes}
        return {name: size / tree.num_entries for name, size in sizes.items()}


def _columns(tree: uproot.TTree) -> dict[str, ak.Array]:
    """Collections as records, as `mktree` wants them."""
    branches = tree.arrays(how=dict)
    columns = {}
    for counter in [name for name in branches if name[0] == "n" and f"{name[1:]}_pt" in branches]:
        fields = [name for name in branches if name.startswith(f"{counter[1:]}_")]
        columns[counter[1:]] = ak.zip({name.partition("_")[2]: branches.pop(name) for name in fields})
        del branches[counter]
    return columns | branches


def _noisy_fields(column: ak.Array) -> dict[str, np.uint32]:
    """Fields that are measurements, with a mask of their last kept bits; constants and codes are left as they are."""
    found = {}
    for name in column.fields or [""]:
        values = ak.to_numpy(ak.flatten(column[name] if name else column, axis=None))
        if values.dtype != np.float32 or len(np.unique(values)) < len(values) / 10:
            continue
        bits = np.bitwise_or.reduce(values.view(np.uint32))
        lowest = int(bits & -bits.astype(np.int64)).bit_length() - 1
        found[name] = np.uint32((2**JITTER_BITS - 1) << lowest)
    return found


def _jittered(column: ak.Array, noisy: dict[str, np.uint32], rng: np.random.Generator) -> ak.Array:
    for name, mask in noisy.items():
        values = column[name] if name else column
        counts = ak.num(values) if values.ndim > 1 else None
        flat = ak.to_numpy(ak.flatten(values, axis=None)).copy()
        bits = flat.view(np.uint32)
        bits ^= np.where(flat != 0, rng.integers(0, 2**32, len(flat), dtype=np.uint32) & mask, np.uint32(0))
        fresh = flat if counts is None else ak.unflatten(flat, counts)
        column = ak.with_field(column, fresh, name) if name else ak.Array(fresh)
    return column
