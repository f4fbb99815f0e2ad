"""Large NanoAOD files made of few events, repeated."""

from __future__ import annotations

import awkward as ak
import numpy as np
import uproot


def repeat_events(source, target, n_events, compression=None, basket=50_000, leave_out=(), keep_runs=True):
    """Write `n_events` events: those of `source` again and again, `basket` of them at a time; without some branches."""
    with uproot.open(source) as file:
        tree = file["Events"]
        branches = tree.arrays([branch.name for branch in tree.branches if branch.name not in leave_out], how=dict)
        counters = [name for name in branches if name.startswith("n") and f"{name[1:]}_pt" in branches]
        runs = file["Runs"].arrays(library="np") if keep_runs and "Runs" in file else None
    columns = {}
    for counter in counters:
        fields = [name for name in branches if name.startswith(counter[1:] + "_")]
        columns[counter[1:]] = ak.zip({name.split("_", 1)[1]: branches.pop(name) for name in fields})
        del branches[counter]
    columns |= branches
    n_source = len(columns["run"])
    with uproot.recreate(target, compression=compression or uproot.LZ4(1)) as file:
        out = file.mktree("Events", {name: column.type.content for name, column in columns.items()})
        for start in range(0, n_events, basket):
            rows = np.arange(start, min(start + basket, n_events)) % n_source
            out.extend({name: column[rows] for name, column in columns.items()})
        if runs is not None:
            file.mktree("Runs", {name: values.dtype for name, values in runs.items()}).extend(runs)
    return target
