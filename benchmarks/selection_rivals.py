"""What the selection is compared with: reading alone, and coffea's Runner with the same cuts and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from coffea import processor
from coffea.nanoevents import NanoAODSchema

from cmslabs.selection.analysis import Analysis


def read_only(path: Path, branches: Sequence[str], chunk_size: int) -> int:
    """Rival (a): the branches that our selection has read, chunk by chunk, and nothing done with them."""
    n = 0
    with uproot.open({path: "Events"}, array_cache=None) as tree:
        for start in range(0, tree.num_entries, chunk_size):
            arrays = tree.arrays(branches, entry_start=start, entry_stop=start + chunk_size, how=dict)
            n += len(next(iter(arrays.values())))
    return n


class Bare(processor.ProcessorABC):
    """Rival (b): the cuts of the four-muon analysis as one would write them by hand, and two numbers as the result.

    No cutflow, no weights, no variations, no table, no histograms with systematics; events are dropped as early
    as possible and combinations are made for the rest only.
    """

    def __init__(self, analysis: Analysis):
        self.analysis = analysis

    def process(self, events: ak.Array) -> dict[str, float]:
        """Number of selected events, and the sum of their masses [GeV]."""
        a = self.analysis
        keep = np.ones(len(events), dtype=bool)
        for name in a.filters:
            keep &= ak.to_numpy(events.Flag[name])
        fired = np.zeros(len(events), dtype=bool)
        for path in a.triggers["DoubleMuon"]["default"]:
            fired |= ak.to_numpy(events.HLT[path])
        muons = events.Muon
        good = (muons.pt > a.muons.pt) & (abs(muons.eta) < a.muons.eta) & muons[a.muons.id]
        good = good & (muons.pfRelIso04_all < a.muons.isolation) & (muons.sip3d < a.muons.sip3d)
        keep &= fired & (ak.to_numpy(ak.sum(good, axis=1)) >= 4)
        muons = events[keep].Muon[good[keep]]
        muons = ak.zip(
            {name: muons[name] for name in ("pt", "eta", "phi", "mass", "charge")},
            with_name="PtEtaPhiMCandidate",
            behavior=events.behavior,
        )
        best = self._best_pairs(muons)
        selected = ak.to_numpy(best.m4l)[self._passes(best)]
        return {"n": len(events), "n_selected": len(selected), "sum_m4l": float(np.sum(selected, dtype=np.float64))}

    def _best_pairs(self, muons: ak.Array) -> ak.Array:
        """Of every event the two Z candidates without a common muon whose first is nearest to the Z mass."""
        z = self.analysis.z
        four = ak.combinations(muons, 4, fields=["a", "b", "c", "d"])
        ways = []
        for one, two, three, other in (("a", "b", "c", "d"), ("a", "c", "b", "d"), ("a", "d", "b", "c")):
            pairs = (four[one], four[two]), (four[three], four[other])
            masses = [(x + y).mass for x, y in pairs]
            good = (pairs[0][0].charge == -pairs[0][1].charge) & (pairs[1][0].charge == -pairs[1][1].charge)
            for mass in masses:
                good = good & (mass > z.mass[0]) & (mass < z.mass[1])
            far = [abs(mass - z.nominal) for mass in masses]
            near, far = ak.where(far[0] < far[1], far[0], far[1]), ak.where(far[0] < far[1], far[1], far[0])
            total = (four.a + four.b + four.c + four.d).mass
            way = {"near": near, "far": far, "m4l": total, "pt1": four.a.pt, "pt2": four.b.pt}
            ways.append(ak.zip(way)[good])
        ways = ak.concatenate(ways, axis=1)
        ways = ways[ways.near == ak.min(ways.near, axis=1)]
        return ak.drop_none(ak.firsts(ways[ak.argmin(ways.far, axis=1, keepdims=True)]))

    def _passes(self, best: ak.Array) -> np.ndarray:
        first, second = self.analysis.lepton_pt
        passes = (best.m4l > self.analysis.four_lepton.min_mass) & (best.pt1 > first) & (best.pt2 > second)
        return ak.to_numpy(passes)

    def postprocess(self, accumulator: dict) -> dict:
        """Nothing."""
        return accumulator


class QuietSchema(NanoAODSchema):
    """coffea's schema without a page of warnings about references that the file lacks."""

    warn_missing_crossrefs = False


def bare_coffea(path: Path, analysis: Analysis, chunk_size: int) -> dict[str, float]:
    """Run `Bare` with coffea's own Runner, one chunk after the other."""
    runner = processor.Runner(
        executor=processor.IterativeExecutor(status=False),
        schema=QuietSchema,
        chunksize=chunk_size,
        metadata_cache={},
    )
    fileset = {"big": {"treename": "Events", "files": [str(path)]}}
    return dict(runner(fileset, processor_instance=Bare(analysis)))
