"""The dijet table: its columns, its conventions for missing jets, and the real file's known answers."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pandas as pd
import pytest

from cmslabs.errors import DataError
from cmslabs.features.clustering import cluster_jets
from cmslabs.features.dijets import DIJET_COLUMNS, count_degenerate, dijet_table
from cmslabs.features.substructure import nsubjettiness, soft_drop_mass

pytest.importorskip("fastjet", reason="needs the extra jets")
pytest.importorskip("numba", reason="needs the extra jets")

#: The names and their order in the feature files of the LHC Olympics.
LHCO_NAMES = [name + jet for jet in ("j1", "j2") for name in ("px", "py", "pz", "m", "tau1", "tau2", "tau3")]


def test_names_order_and_units(particles):
    table = dijet_table(ak.Array({"particles": particles(1, [60, 80])}))
    assert list(table.columns) == list(DIJET_COLUMNS)
    assert list(table.columns)[:16] == ["event", *LHCO_NAMES, "mjj"]
    assert {name for name, unit in DIJET_COLUMNS.items() if unit == "GeV"} == {
        name for name in DIJET_COLUMNS if name.startswith(("p", "m"))
    }
    assert table["event"].tolist() == [0, 1]
    assert table.dtypes.value_counts().to_dict() == {
        np.dtype("float64"): 19,
        np.dtype("int32"): 2,
        np.dtype("int64"): 1,
    }


def test_rows_are_what_the_jets_say(particles):
    events = ak.Array({"particles": particles(2, [60, 80, 40]), "label": [0, 1, 1], "event": [7, 5, 6]})
    table, jets = dijet_table(events), cluster_jets(events.particles)
    assert table["event"].tolist() == [7, 5, 6]
    assert table["label"].tolist() == [0, 1, 1]
    for row, found in zip(table.to_dict("records"), jets, strict=True):
        vectors = []
        for j, jet in enumerate(found[:2], start=1):
            px, py, pz = jet.pt * np.cos(jet.phi), jet.pt * np.sin(jet.phi), jet.pt * np.sinh(jet.eta)
            vectors.append([px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + jet.mass**2)])
            constituents = jet.constituents[np.newaxis]
            expected = [px, py, pz, jet.mass, *nsubjettiness(constituents)[0], soft_drop_mass(constituents)[0]]
            names = [*(f"{name}j{j}" for name in ["px", "py", "pz", "m", "tau1", "tau2", "tau3", "tau4", "msoftdrop"])]
            np.testing.assert_allclose([row[name] for name in names], expected, rtol=1e-9, atol=1e-9)
            assert row[f"nconstj{j}"] == len(jet.constituents)
        px, py, pz, energy = np.sum(vectors, axis=0)
        assert row["mjj"] == pytest.approx(np.sqrt(energy**2 - px**2 - py**2 - pz**2), rel=1e-9)


def test_missing_jets_are_zeros_and_counted():
    hard, other = {"pt": 300.0, "eta": 0.1, "phi": 0.0}, {"pt": 200.0, "eta": -0.3, "phi": 3.0}
    near, soft = {"pt": 50.0, "eta": 0.2, "phi": 0.1}, {"pt": 19.9, "eta": -2.0, "phi": -1.0}
    table = dijet_table(ak.Array({"particles": [[hard, near, other], [hard, near], [], [soft], [hard, other]]}))
    assert table["nconstj1"].tolist() == [2, 2, 0, 0, 1]
    assert table["nconstj2"].tolist() == [1, 0, 0, 0, 1]
    assert table["mj1"][1] > 10
    assert (table["mjj"] > 0).tolist() == [True, False, False, False, True]
    assert np.isfinite(table.to_numpy()).all()
    second = [name for name in DIJET_COLUMNS if name.endswith("j2")]
    assert (table.loc[1:3, second] == 0).all(axis=None)
    assert count_degenerate(table) == {"n_events": 5, "n_two_jets": 2, "n_degenerate": 3}


def test_jets_can_be_given(particles):
    events = ak.Array({"particles": particles(3, [60, 5, 80])})
    jets = cluster_jets(events.particles)
    pd.testing.assert_frame_equal(dijet_table(events, jets=jets), dijet_table(events))
    with pytest.raises(DataError, match="2 events of jets do not belong to 3"):
        dijet_table(events, jets=jets[:2])


def test_events_without_particles_are_refused():
    with pytest.raises(DataError, match=r"no field 'particles' \(they have: Muon\)"):
        dijet_table(ak.Array({"Muon": [[1.0]]}))


def test_known_answers_of_the_real_file(real_data):
    from cmslabs.data.lhco import read_particles

    table = dijet_table(read_particles(real_data / "lhco" / "events_anomalydetection_tiny.h5"))
    assert count_degenerate(table) == {"n_events": 1000, "n_two_jets": 1000, "n_degenerate": 0}
    assert table["event"].tolist() == list(range(1000))
    pt1, pt2 = np.hypot(table["pxj1"], table["pyj1"]), np.hypot(table["pxj2"], table["pyj2"])
    assert pt1.min() > 1200
    assert (pt1 >= pt2).all()
    assert (pt2 > 20).all()
    signal = table[table["label"] == 1]
    assert len(signal) == 93
    masses = signal[["mj1", "mj2"]]
    medians = [signal["mjj"].median(), masses.max(axis=1).median(), masses.min(axis=1).median()]
    assert medians == pytest.approx([3466, 497, 109], abs=0.51)
    # Grooming keeps the signal's masses and takes most of the background's away.
    background = table[table["label"] == 0]
    assert signal[["msoftdropj1", "msoftdropj2"]].max(axis=1).median() == pytest.approx(497, rel=0.03)
    assert background["msoftdropj1"].median() < 0.5 * background["mj1"].median()


def test_soft_drop_of_the_real_file_agrees_with_fastjet(real_data):
    from cmslabs.data.lhco import read_particles
    from cmslabs.features.clustering import load_fastjet
    from cmslabs.features.particles import flatten_particles, momentum_array

    events = read_particles(real_data / "lhco" / "events_anomalydetection_tiny.h5", stop=300)
    constituents = ak.flatten(cluster_jets(events.particles)[:, :2].constituents, axis=1)
    fastjet = load_fastjet()
    sequence = fastjet.ClusterSequence(
        momentum_array(flatten_particles(constituents, "jet")),
        fastjet.JetDefinition(fastjet.cambridge_algorithm, 1000.0),
    )
    expected = ak.to_numpy(sequence.exclusive_jets_softdrop_grooming(beta=0.0, symmetry_cut=0.1, R0=1.0).msoftdrop)
    np.testing.assert_allclose(soft_drop_mass(constituents), expected, rtol=1e-5, atol=1e-3)
