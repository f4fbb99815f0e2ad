"""Small histograms of a selection, filled by hand."""

from __future__ import annotations

import hist

EDGES = [0.0, 1.0, 2.0, 4.0]


def empty(order=("dataset", "systematic", "x")) -> hist.Hist:
    axes = {
        "dataset": hist.axis.StrCategory([], growth=True, name="dataset"),
        "systematic": hist.axis.StrCategory([], growth=True, name="systematic"),
        "x": hist.axis.Variable(EDGES, name="x"),
    }
    return hist.Hist(*(axes[name] for name in order), storage=hist.storage.Weight())


def filled(entries, order=("dataset", "systematic", "x")) -> hist.Hist:
    """Entries are (dataset, systematic, x, weight)."""
    histogram = empty(order)
    for dataset, systematic, x, weight in entries:
        histogram.fill(dataset=dataset, systematic=systematic, x=[x], weight=[weight])
    return histogram


def simple() -> hist.Hist:
    """Two processes and their variations: up is 10 % more, down 20 % less; data; events beyond both ends."""
    entries = [("data", "nominal", x, 1.0) for x in (-3, 0.5, 0.6, 3, 9, 10)]
    for name, weight in (("dy", 2.0), ("zz", 0.5)):
        for systematic, factor in (("nominal", 1), ("idUp", 1.1), ("idDown", 0.8)):
            entries += [(name, systematic, x, factor * weight) for x in (-1, 0.5, 1.5, 1.7, 3, 3.5, 7)]
    return filled(entries)


STACK = {"Other": ["zz"], "Drell-Yan": "dy"}
