"""Files that cannot be read: the run stops with their name, or goes on as if they had never been there."""

import json

import numpy as np
import pytest
import uproot
from run_files import DIMUON, QUICK, copy, corrupt, data, fileset, result_files, sample, simulation, write_events

from cmslabs.errors import ConfigError, DataError, JobError
from cmslabs.io import adler32
from cmslabs.selection import failures
from cmslabs.selection.cutflow import read_cutflow
from cmslabs.selection.report import read_report
from cmslabs.selection.runner import select
from cmslabs.selection.table import read_selected

pytest.importorskip("coffea")

CODECS = {"lzma": uproot.LZMA(1), "zlib": uproot.ZLIB(1), "lz4": uproot.LZ4(1), "zstd": uproot.ZSTD(3)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write_events(folder / f"{i}.root", 200, first=200 * i, basket=100) for i in range(3)]


@pytest.fixture
def broken(files, tmp_path):
    """A copy of the second file whose second basket of Muon_pt is damaged."""
    return corrupt(files[1], target=tmp_path / "broken.root")


UNREADABLE = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("run,event\n1,2\n" * 50),
    "truncated": lambda path: path.write_bytes(sample().read_bytes()[:-20_000]),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_cannot_be_opened(files, tmp_path, kind):
    bad = tmp_path / "bad.root"
    UNREADABLE[kind](bad)
    chosen = fileset(zz=simulation(files[0], bad, files[2]), dy=simulation(files[1]))
    with pytest.raises(DataError) as caught:
        select(QUICK, chosen, tmp_path / "out")
    assert str(bad) in caught.value.where
    assert "--skip-bad-files" in caught.value.remedy
    assert not (tmp_path / "out" / "report.json").exists()

    report = select(QUICK, chosen, tmp_path / "out", skip_bad_files=True)
    assert [(file.dataset, file.path) for file in report.skipped_files] == [("zz", str(bad))]
    assert report.skipped_files[0].reason == caught.value.what
    without = fileset(zz=simulation(files[0], files[2]), dy=simulation(files[1]))
    expected = select(QUICK, without, tmp_path / "without")
    assert result_files(tmp_path / "out") == result_files(tmp_path / "without")
    assert report.datasets == expected.datasets


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("branch", ["Muon_pt", "genWeight"])
def test_a_damaged_basket_is_found(files, tmp_path, codec, branch):
    path = write_events(tmp_path / "a.root", 2000, compression=CODECS[codec], basket=1000)
    with uproot.open(path) as file:
        # uproot leaves small baskets as they are; then there is nothing that could notice.
        key = file["Events"][branch].basket_key(1)
        assert key.fNbytes - key.fKeylen < key.fObjlen
    corrupt(path, branch, basket=1, at=0.0 if codec == "zstd" else 0.5)
    with pytest.raises(DataError, match="cannot be decoded") as caught:
        select(QUICK, fileset(zz=simulation(path)), tmp_path / "out", chunk_size=1000)
    assert str(path) in caught.value.where
    assert branch in caught.value.where or branch == "genWeight"


def test_zstd_has_no_checksum_but_the_fileset_may_have_one(tmp_path):
    path = write_events(tmp_path / "a.root", 2000, compression=CODECS["zstd"], basket=1000)
    original = simulation(path)
    original["files"][0]["adler32"] = adler32(path)
    select(QUICK, fileset(zz=original), tmp_path / "out")
    corrupt(path, "Muon_pt", basket=1)
    with pytest.raises(DataError, match="as its Adler-32, but the fileset says"):
        select(QUICK, fileset(zz=original), tmp_path / "out")


def test_a_file_that_breaks_in_the_middle_stops_with_its_name(files, broken, tmp_path):
    chosen = fileset(zz=simulation(files[0], broken, files[2]))
    with pytest.raises(DataError, match="cannot be decoded") as caught:
        select(QUICK, chosen, tmp_path / "out", chunk_size=100)
    assert caught.value.where.startswith(f"{broken}, Events/Muon_pt, events 100-200")
    assert "--skip-bad-files" in caught.value.remedy
    assert not (tmp_path / "out" / "report.json").exists()
    assert not (tmp_path / "out" / ".stop").exists()


@pytest.mark.slow
def test_a_file_that_breaks_in_the_middle_counts_not_at_all(files, broken, tmp_path):
    chosen = fileset(zz=simulation(files[0], broken, files[2]), dy=simulation(files[1]), observed=data(files[2]))
    report = select(DIMUON, chosen, tmp_path / "out", chunk_size=100, skip_bad_files=True)
    assert [(file.path, file.n_events) for file in report.skipped_files] == [(str(broken), 200)]
    assert "cannot be decoded" in report.skipped_files[0].reason
    assert report.datasets["zz"].n_events == 400
    assert report.luminosity.share == 1.0

    without = fileset(zz=simulation(files[0], files[2]), dy=simulation(files[1]), observed=data(files[2]))
    expected = select(DIMUON, without, tmp_path / "without", chunk_size=100)
    assert result_files(tmp_path / "out") == result_files(tmp_path / "without")
    assert report.datasets == expected.datasets
    assert report.datasets["zz"].sum_weights == pytest.approx(2 / 3 * _sum_of_three(files), rel=1e-12)
    assert f"left out: {broken}" in (tmp_path / "out" / "report.txt").read_text()


def _sum_of_three(files):
    with uproot.open(files[0]) as file:
        return 3 * float(np.sum(file["Runs"]["genEventSumw"].array()))


@pytest.mark.slow
def test_two_files_break(files, broken, tmp_path):
    other = corrupt(files[2], "run", 1, target=tmp_path / "other.root")
    chosen = fileset(zz=simulation(broken, files[0], other), dy=simulation(files[1], other))
    report = select(QUICK, chosen, tmp_path / "out", chunk_size=100, skip_bad_files=True)
    found = [(file.dataset, file.path) for file in report.skipped_files]
    assert found == [("zz", str(broken)), ("zz", str(other)), ("dy", str(other))]
    without = fileset(zz=simulation(files[0]), dy=simulation(files[1]))
    select(QUICK, without, tmp_path / "without", chunk_size=100)
    assert result_files(tmp_path / "out") == result_files(tmp_path / "without")


def test_no_file_of_a_data_set_is_left(files, broken, tmp_path):
    chosen = fileset(zz=simulation(broken), dy=simulation(files[0]))
    with pytest.raises(DataError, match="none of the files of 'zz' can be read"):
        select(QUICK, chosen, tmp_path / "out", skip_bad_files=True)
    with pytest.raises(DataError, match="none of the files of 'zz' can be read"):
        select(QUICK, fileset(zz=simulation("gone.root")), tmp_path / "out", skip_bad_files=True, overwrite=True)


@pytest.mark.parametrize("breaks", ["in the middle", "at once"])
def test_luminosity_is_that_of_the_data_that_were_read(files, broken, tmp_path, breaks):
    """The simulation is scaled to the luminosity that is left: the very result of a run with that luminosity."""
    bad = {"path": str(broken)} if breaks == "in the middle" else {"path": str(tmp_path / "gone.root"), "n_events": 200}
    observed = data(files[0], files[2])
    observed["files"].insert(1, bad)
    chosen = fileset(luminosity_fb=16.2, observed=observed, zz=simulation(files[1]))
    report = select(DIMUON, chosen, tmp_path / "out", chunk_size=100, skip_bad_files=True)
    assert report.luminosity.share == pytest.approx(2 / 3, rel=1e-15)
    assert report.luminosity.used_fb == pytest.approx(10.8, rel=1e-15)
    assert "10.8/fb = 16.2/fb x 0.666667" in report.text()

    corrected = fileset(
        luminosity_fb=report.luminosity.used_fb, observed=data(files[0], files[2]), zz=simulation(files[1])
    )
    expected = select(DIMUON, corrected, tmp_path / "corrected", chunk_size=100)
    assert result_files(tmp_path / "out") == result_files(tmp_path / "corrected")
    assert report.datasets == expected.datasets

    full = select(DIMUON, fileset(luminosity_fb=16.2, zz=simulation(files[1])), tmp_path / "full", chunk_size=100)
    assert full.datasets["zz"].scale * 2 / 3 == pytest.approx(report.datasets["zz"].scale, rel=1e-14)


def test_a_lost_file_of_unknown_size_leaves_the_luminosity_unknown(files, tmp_path):
    chosen = fileset(observed=data(files[0], tmp_path / "gone.root"), zz=simulation(files[1]))
    with pytest.raises(ConfigError, match="luminosity that is left is unknown") as caught:
        select(QUICK, chosen, tmp_path / "out", skip_bad_files=True)
    assert "n_events" in caught.value.remedy
    # Without a luminosity there is nothing to correct.
    free = fileset(luminosity_fb=None, observed=data(files[0], tmp_path / "gone.root"), zz=simulation(files[1]))
    assert len(select(QUICK, free, tmp_path / "free", skip_bad_files=True).skipped_files) == 1


def test_several_primary_datasets_share_collisions(files, broken, tmp_path):
    two = QUICK.model_copy(
        update={"triggers": {**QUICK.triggers, "SingleMuon": {"default": QUICK.triggers["DoubleMuon"]["default"]}}}
    )
    chosen = fileset(first=data(files[0], broken), second=data(files[2], primary="SingleMuon"), zz=simulation(files[1]))
    with pytest.raises(ConfigError, match="DoubleMuon and SingleMuon see the same collisions"):
        select(two, chosen, tmp_path / "out", skip_bad_files=True)


def test_counts_that_lie(files, tmp_path):
    """A branch of counts without compression: it can be decoded, and breaks the arrays instead."""
    path = write_events(tmp_path / "a.root", 100, compression=uproot.ZLIB(0), basket=100)
    corrupt(path, "nMuon", basket=0, new=b"\x00\x00\xff\xff")
    with pytest.raises(DataError, match="nMuon counts other objects than Muon_") as caught:
        select(QUICK, fileset(zz=simulation(path)), tmp_path / "out")
    assert str(path) in caught.value.where
    report = select(QUICK, fileset(zz=simulation(files[0], path)), tmp_path / "skip", skip_bad_files=True)
    assert [file.path for file in report.skipped_files] == [str(path)]


def test_what_is_no_file_s_fault_stops_always(files, tmp_path, monkeypatch):
    def clumsy(*_, **__):
        return {}["nothing"]

    monkeypatch.setattr("cmslabs.selection.processor.preselect", clumsy)
    with pytest.raises(JobError, match=r"the selection failed \(KeyError: 'nothing'; test_bad_files.py") as caught:
        select(QUICK, fileset(zz=simulation(files[0])), tmp_path / "out", skip_bad_files=True)
    assert str(files[0]) in caught.value.where


def test_memory_that_runs_out_is_not_the_files_fault(files, tmp_path, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr("uproot.TTree.arrays", greedy)
    monkeypatch.setattr("cmslabs.selection.processor.preselect", greedy)
    with pytest.raises(JobError, match="MemoryError") as caught:
        select(QUICK, fileset(zz=simulation(files[0])), tmp_path / "out", skip_bad_files=True)
    assert "Smaller chunks" in caught.value.remedy


def test_a_file_is_tried_again(files, tmp_path, monkeypatch):
    """A file that reads at the second time is no bad file; one that needs more tries than allowed is."""
    from coffea.processor.executor import Runner

    original, tries = Runner._work_function, []

    def flaky(*arguments, **options):
        tries.append(1)
        if len(tries) % 3:
            with uproot.open(files[0]) as file:
                file["no such tree"]
        return original(*arguments, **options)

    monkeypatch.setattr(Runner, "_work_function", staticmethod(flaky))
    chosen = fileset(zz=simulation(files[0]))
    with pytest.raises(DataError, match="cannot be decoded"):
        select(QUICK, chosen, tmp_path / "out", retries=1)
    tries.clear()
    assert select(QUICK, chosen, tmp_path / "out", retries=2).datasets["zz"].n_events == 200
    assert len(tries) == 3


def test_after_a_failure_no_more_chunks_are_computed(files, broken, tmp_path, monkeypatch):
    done = []
    from cmslabs.selection import processor

    original = processor.preselect
    monkeypatch.setattr(processor, "preselect", lambda *a, **o: done.append(1) or original(*a, **o))
    with pytest.raises(DataError):
        select(QUICK, fileset(zz=simulation(broken, files[0], files[2])), tmp_path / "out", chunk_size=100)
    assert len(done) <= 4  # Two chunks of the broken file, one of them twice; never one of the others.


def test_a_changed_file_is_read_anew(files, tmp_path):
    """coffea keeps the number of events by the name of a file; a run must not."""
    path = copy(files[0], tmp_path / "a.root")
    chosen = fileset(zz=simulation(path))
    assert select(QUICK, chosen, tmp_path / "out").n_events == 200
    write_events(path, 120)
    assert select(QUICK, chosen, tmp_path / "out").n_events == 120


def test_bad_files_are_in_the_report_on_disk(files, broken, tmp_path):
    select(QUICK, fileset(zz=simulation(files[0], broken)), tmp_path / "out", skip_bad_files=True)
    assert read_report(tmp_path / "out").skipped_files[0].path == str(broken)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["skipped_files"][0]["dataset"] == "zz"
    assert set(read_selected(tmp_path / "out")["dataset"]) == {"zz"}
    assert read_cutflow(tmp_path / "out" / "cutflow.json").flows["zz"].sequential[0][0] == 200


def test_errors_inside_readers_are_damage():
    def chain(inner):
        try:
            try:
                inner()
            except Exception as error:
                raise RuntimeError("wrapped") from error
        except RuntimeError as error:
            return error

    assert not any(failures._inside_reader(e) for e in failures._chain(chain(lambda: {}["a"])))
    assert any(failures._inside_reader(e) for e in failures._chain(chain(lambda: uproot.open("gone.root"))))
