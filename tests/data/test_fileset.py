"""Filesets: what a file may say, which data sets go together, the open data of 2016."""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import pytest
import yaml
from portal_files import FILESET

from cmslabs.data.fileset import bundled_filesets, exclusive_pairs, load_fileset
from cmslabs.errors import ConfigError

FILE = {"path": "a.root"}


@pytest.fixture
def make(tmp_path):
    """Write a fileset with changes ``{"datasets.four.files": [...]}`` and load it; a value of None removes a key."""

    def write(changes: dict | None = None):
        content = copy.deepcopy(FILESET)
        for key, value in (changes or {}).items():
            *parents, last = key.split(".")
            place = content
            for parent in parents:
                place = place[parent]
            if value is None:
                del place[last]
            else:
                place[last] = value
        path = tmp_path / "toy.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return load_fileset(path)

    return write


def with_files(*names: str) -> dict:
    return {f"datasets.{name}.files": [FILE] for name in names}


def test_paths_are_relative_to_the_fileset(make, tmp_path):
    files = [FILE, {"path": "root://eospublic.cern.ch//eos/opendata/x.root"}, {"path": "/data/b.root"}]
    fileset = make({"datasets.four.files": files})
    assert [file.path for file in fileset.datasets["four"].files] == [
        str(tmp_path / "a.root"),
        "root://eospublic.cern.ch//eos/opendata/x.root",
        "/data/b.root",
    ]
    assert fileset.golden_json == str(tmp_path / "toy_golden.txt")


def test_unknown_fileset():
    with pytest.raises(ConfigError, match=r"no fileset 'cms-2015'.*cms-2016"):
        load_fileset("cms-2015")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"datasets.muons-h.era": "Run2016I"}, "not in eras"),
        ({"datasets.four.excludes": ["five"]}, "excludes 'five'"),
        ({"datasets.muons-h.source_seen": None}, "'record' has no source"),
        ({"datasets.four.source_seen": None}, "'record' has no source"),
        ({"datasets.muons-g.n_events": 5}, "'n_events' has no source"),
        ({"datasets.muons-g.size_gb": 5.0}, "'size_gb' has no source"),
        ({"datasets.muons-h.primary": None}, "needs 'primary'"),
        ({"datasets.muons-h.cross_section": {"pb": 1, "order": "LO", "source": "-"}}, "no cross-section"),
        ({"datasets.four.cross_section": {"pb": 1}}, "order: this key is required"),
        ({"datasets.four.cross_section": {"pb": -1, "order": "LO", "source": "-"}}, "greater than 0"),
        ({"datasets.muons-f.files": [FILE]}, "not public has no files"),
        ({"eras.Run2016H.runs": [284044, 281613]}, "first run comes after the last"),
        ({"datasets.four.doi": "7483/x"}, "doi"),
        ({"datasets.four.crosssection": 1}, "did you mean 'cross_section'"),
    ],
)
def test_mistakes_are_named(make, changes, what):
    with pytest.raises(ConfigError, match=what):
        make(changes)


def test_choice_by_name_and_by_files(make):
    fileset = make(with_files("muons-g", "muons-h", "four"))
    assert list(fileset.choose().datasets) == ["muons-g", "muons-h", "four"]
    assert list(fileset.choose(["four"]).datasets) == ["four"]
    for names, what in [(["for"], "Try: four"), (["muons-f"], "not public"), (["four-too"], "no files yet")]:
        with pytest.raises(ConfigError, match=what):
            fileset.choose(names)
    with pytest.raises(ConfigError, match="cmslabs data fileset toy-2016"):
        make().choose()


def test_two_samples_of_one_process_are_refused_whichever_of_them_says_so(make):
    fileset = make(with_files("four", "four-too"))
    assert exclusive_pairs(fileset, ["four-too", "four"]) == [("four", "four-too")]
    with pytest.raises(ConfigError, match="'four' and 'four-too' describe the same process"):
        fileset.choose()
    assert list(fileset.choose(["four-too"]).datasets) == ["four-too"]


def test_luminosity_is_that_of_the_chosen_eras(make):
    fileset = make(with_files("muons-g", "muons-h", "four"))
    assert fileset.choose().luminosity_fb == 16.0
    assert fileset.choose(["muons-g", "muons-h"]).luminosity_fb == 16.0
    only_h = fileset.choose(["muons-h", "four"])
    assert only_h.luminosity_fb == 9.0
    assert "Run2016H" in only_h.luminosity_source
    assert fileset.choose(["four"]).luminosity_fb == 16.0  # No data: simulation is scaled to the whole.


def test_luminosity_that_nobody_knows_is_refused(make):
    changes = with_files("muons-g", "muons-h") | {"eras.Run2016G.luminosity_fb": None}
    fileset = make(changes)
    assert fileset.choose().luminosity_fb == 16.0
    with pytest.raises(ConfigError, match="luminosity of Run2016G alone is not known"):
        fileset.choose(["muons-g"])


def test_primary_datasets_of_different_eras_are_refused(make):
    electrons = {"kind": "data", "primary": "TwoElectrons", "era": "Run2016H", "files": [FILE]}
    fileset = make(with_files("muons-g", "muons-h") | {"datasets.electrons-h": electrons})
    assert fileset.choose(["muons-h", "electrons-h"]).luminosity_fb == 9.0
    with pytest.raises(ConfigError, match="TwoElectrons lack Run2016G"):
        fileset.choose()


@pytest.mark.parametrize("name", bundled_filesets())
def test_bundled_filesets_load(name):
    fileset = load_fileset(name)
    assert fileset.name == name
    assert fileset.datasets


@pytest.fixture(scope="module")
def cms():
    return load_fileset("cms-2016")


def test_eras_add_up_to_the_luminosity(cms):
    public = [era.luminosity_fb for era in cms.eras.values() if era.public]
    assert len(public) == 2
    assert math.isclose(math.fsum(public), cms.luminosity_fb, abs_tol=5e-4)
    assert math.isclose(cms.luminosity_fb, 16.39, abs_tol=0.005)
    # All of 2016: what CMS quotes for the whole year.
    assert math.isclose(math.fsum(era.luminosity_fb for era in cms.eras.values()), 36.33, abs_tol=0.005)


def test_eras_do_not_overlap(cms):
    runs = sorted(era.runs for era in cms.eras.values() if era.runs)
    assert all(first[1] < second[0] for first, second in pairwise(runs))
    assert cms.eras["Run2016G"].runs == (278820, 280385)
    assert cms.eras["Run2016H"].runs == (281613, 284044)


def test_what_is_not_released_says_so(cms):
    for name, dataset in cms.datasets.items():
        assert dataset.public == (dataset.era is None or cms.eras[dataset.era].public), name
    hidden = [name for name, dataset in cms.datasets.items() if not dataset.public]
    assert [name[-1] for name in hidden if name.startswith("doublemuon")] == ["b", "c", "d", "e", "m", "f"]
    with pytest.raises(ConfigError, match="not public"):
        cms.choose(["doublemuon-2016b"])


def test_every_fact_has_a_source(cms):
    for name, dataset in cms.datasets.items():
        if dataset.public:
            assert dataset.record, name
            assert dataset.source_seen, name
        if dataset.kind == "simulation":
            assert dataset.cross_section.order, name
            assert len(dataset.cross_section.source) > 10, name
            assert "RunIISummer20UL16NanoAODv9" in dataset.name, name
        else:
            assert dataset.cross_section is None
    records = [dataset.record for dataset in cms.datasets.values() if dataset.record]
    assert len(set(records)) == len(records)
    for era in cms.eras.values():
        assert era.source_seen


@pytest.mark.parametrize(
    ("name", "pb", "k"),
    [
        ("dy-m10to50", 18610, 1),
        ("dy-m50", 6077.22, 1),
        ("ttto2l2nu", 88.29, 1),
        ("ttjets", 831.76, 1),
        ("wzto3lnu", 4.42965, 1),
        ("zzto4l", 1.256, 1),
        *((f"ggzz-{state}", 0.00319, 1.7) for state in ("2e2mu", "2e2tau", "2mu2tau")),
        *((f"ggzz-{state}", 0.00159, 1.7) for state in ("4e", "4mu", "4tau")),
    ],
)
def test_cross_sections(cms, name, pb, k):
    assert math.isclose(cms.datasets[name].effective_pb, pb * k, rel_tol=1e-12)


def test_top_samples_never_go_together(cms):
    assert exclusive_pairs(cms, cms.datasets) == [("ttto2l2nu", "ttjets")]
    # Two lepton pairs of three flavours each: the branching fraction that leads from one to the other.
    ratio = cms.datasets["ttto2l2nu"].effective_pb / cms.datasets["ttjets"].effective_pb
    assert math.isclose(ratio, 0.3272**2, rel_tol=0.02)


def test_names_lead_to_folders_of_the_portal(cms):
    from cmslabs.data.portal_index import location_of

    assert location_of(cms.datasets["zzto4l"].name).endswith(
        "/ZZTo4L_TuneCP5_13TeV_powheg_pythia8/NANOAODSIM/106X_mcRun2_asymptotic_v17-v1/"
    )
    for dataset in cms.datasets.values():
        if dataset.name:
            assert location_of(dataset.name).startswith("/eos/opendata/cms/")


def test_folders_are_those_of_the_cards(cms):
    """The recommended files of the cards lie where the fileset looks."""
    from cmslabs.data.catalog import load_card
    from cmslabs.data.portal_index import location_of

    for card, name in (("cms-doublemuon-2016h", "doublemuon-2016h"), ("cms-zzto4l-2016", "zzto4l")):
        urls = load_card(card).file().urls
        assert all(location_of(cms.datasets[name].name) in url for url in urls)
