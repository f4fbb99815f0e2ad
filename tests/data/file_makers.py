"""Small files of every format that the readers know, for tests to break."""

import awkward as ak
import h5py
import hdf5plugin
import numpy as np
import uproot

from cmslabs.data.lhco import FEATURE_UNITS

BLOSC = dict(hdf5plugin.Blosc(cname="blosclz", clevel=5, shuffle=1))


def write_fixed(path, values, columns, *, key="df", block=0):
    """What pandas.DataFrame.to_hdf(path, key="df", complib="blosc") leaves on disk, in blocks of rows."""
    n_rows = values.shape[0] if isinstance(values, np.ndarray) else sum(part.shape[0] for part in values)
    parts = [values] if isinstance(values, np.ndarray) else values
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        names = np.array(columns, dtype="S" if isinstance(columns[0], str) else "i8")
        for name, content in {"axis0": names, "axis1": np.arange(n_rows), f"block{block}_items": names}.items():
            group.create_dataset(name, data=content, chunks=(8192,), maxshape=(None,), **BLOSC)
        chunks = (min(7, max(1, n_rows)), len(columns))
        matrix = group.create_dataset(
            f"block{block}_values", (n_rows, len(columns)), "f8", chunks=chunks, maxshape=(None, len(columns)), **BLOSC
        )
        start = 0
        for part in parts:
            matrix[start : start + len(part)] = part
            start += len(part)
    return path


def particles(n, seed=1, labelled=True, most=700):
    """Events with 0 to `most` particles in no order, zeros behind the last one."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, 2100 + labelled))
    for row, count in zip(rows, rng.integers(0, most + 1, n), strict=True):
        row[: 3 * count] = np.stack(
            [rng.exponential(5, count) + 0.1, rng.normal(0, 1, count), rng.uniform(-np.pi, np.pi, count)], axis=1
        ).ravel()
    if labelled:
        rows[:, 2100] = rng.integers(0, 2, n)
    return rows


FEATURES = [*FEATURE_UNITS, "label"]


def features(n=50):
    rng = np.random.default_rng(3)
    table = rng.normal(500, 100, (n, 15))
    table[:, 14] = rng.integers(0, 2, n)
    return table


def muons(n=5, **more):
    counts = np.arange(n) % 3
    flat = np.arange(counts.sum(), dtype=np.float32)
    branches = {
        "run": np.ones(n, dtype=np.uint32),
        "luminosityBlock": np.ones(n, dtype=np.uint32),
        "event": np.arange(n, dtype=np.uint64),
        "Muon_pt": ak.unflatten(flat + 20, counts),
        "Muon_eta": ak.unflatten(flat / 10, counts),
        "Muon_phi": ak.unflatten(flat / 20, counts),
        "Muon_mass": ak.unflatten(np.full_like(flat, 0.1057), counts),
        "Muon_charge": ak.unflatten(np.ones(len(flat), dtype=np.int32), counts),
    }
    return {name: value for name, value in (branches | more).items() if value is not None}


def write_tree(path, branches):
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "Events",
            {
                name: ak.type(value).content if isinstance(value, ak.Array) else value.dtype
                for name, value in branches.items()
            },
        )
        if len(next(iter(branches.values()))):
            tree.extend(branches)
    return path


def write_ntuple(path, branches):
    with uproot.recreate(path) as file:
        file["Events"] = branches
    return path


def dark_machines_lines(n, seed=5):
    """Lines in the Dark Machines format (MeV), with 0 to 8 objects."""
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        words = [
            f"{i + 1000};njets;{rng.uniform(0.1, 1):.4f};{rng.exponential(5e4):.2f};{rng.uniform(-3.14, 3.14):.5f}"
        ]
        for _ in range(rng.integers(0, 9)):
            symbol = rng.choice(["j", "b", "e-", "e+", "m-", "m+", "g"])
            pt, eta, phi = rng.exponential(4e4) + 1e4, rng.normal(), rng.uniform(-3.14, 3.14)
            energy = np.hypot(pt * np.cosh(eta), rng.exponential(5e3) if symbol in "jb" else 0.0)
            words.append(f"{symbol},{energy:.6g},{pt:.6g},{eta:.6g},{phi:.6g}")
        lines.append(";".join(words))
    return lines
