"""What chapter 6 says about the real four-muon events of CMS, in an exercise that no reader can run offline."""

from __future__ import annotations

import shutil

import awkward as ak
import numpy as np

from cmslabs.data.datasets import read_dataset
from cmslabs.selection.candidates import four_leptons


def test_our_pairing_is_the_published_one(real_data, data_cache):
    (data_cache / "cms-fourlepton-2011").mkdir()
    name = "4mu_2012.csv"
    shutil.copyfile(real_data / "cms-csv" / name, data_cache / "cms-fourlepton-2011" / name)
    events = read_dataset("cms-fourlepton-2011", file=name)
    found = four_leptons(events["Muon"])
    same = np.abs(ak.fill_none(found["z1", "mass"], 0.0) - events["mZ1"]) < 0.01
    assert len(events) == 95
    assert ak.sum(same) == 95
    # A single Z that becomes four muons, which no bundled sample has.
    assert ak.sum((events["M"] > 80) & (events["M"] < 100)) == 25
