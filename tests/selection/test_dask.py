"""A real Dask cluster: the same result, also when a worker is killed, and files that break."""

import os
import signal
import threading

import pytest
from executor_tasks import die, square
from run_files import DIMUON, corrupt, data, fileset, result_files, simulation, write_events

from cmslabs.errors import DataError, JobError, MissingBranchError
from cmslabs.selection.executors import open_executor
from cmslabs.selection.runner import select

distributed = pytest.importorskip("distributed")
pytest.importorskip("coffea")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write_events(folder / f"{i}.root", 300, first=300 * i, basket=100) for i in range(4)]


@pytest.fixture(scope="module")
def chosen(files):
    return fileset(zz=simulation(*files[:2]), dy=simulation(files[2], pb=30.0), observed=data(files[3]))


@pytest.fixture(scope="module")
def expected(chosen, tmp_path_factory):
    """The result of one process."""
    out = tmp_path_factory.mktemp("iterative") / "out"
    select(DIMUON, chosen, out, chunk_size=100)
    return result_files(out)


@pytest.fixture(scope="module")
def shared_cluster():
    """A cluster of two processes; their nannies start them again when they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster):
    """The cluster, with two workers whatever has happened to the last test's."""
    with distributed.Client(shared_cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return shared_cluster


def test_a_cluster_of_our_own_gives_the_very_result_and_is_closed(chosen, expected, tmp_path):
    started = []
    original = distributed.LocalCluster

    class Watched(original):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "LocalCluster", Watched)
        report = select(DIMUON, chosen, tmp_path / "out", chunk_size=100, executor="dask", workers=2)
    assert result_files(tmp_path / "out") == expected
    assert (report.executor["kind"], report.executor["workers"]) == ("dask", 2)
    assert report.executor["scheduler"].startswith("tcp://127.0.0.1:")
    assert [cluster.status for cluster in started] == [distributed.Status.closed]


def test_a_cluster_of_somebody_else_is_used_and_left_alone(chosen, expected, cluster, tmp_path):
    options = {"chunk_size": 100, "executor": "dask", "scheduler": cluster.scheduler_address}
    report = select(DIMUON, chosen, tmp_path / "out", **options)
    assert result_files(tmp_path / "out") == expected
    assert report.executor == {"kind": "dask", "workers": 2, "scheduler": cluster.scheduler_address}
    assert cluster.status == distributed.Status.running
    # The cluster may remember results: the second run must do its work all the same.
    select(DIMUON, chosen, tmp_path / "out", **options)
    assert result_files(tmp_path / "out") == expected


class Assassin(threading.Thread):
    """Kills a worker that has finished chunks in its memory and is working on another one; once."""

    def __init__(self, address):
        super().__init__()
        self.address, self.victim, self.error, self.over = address, None, None, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        try:
            with distributed.Client(self.address, set_as_default=False) as client:
                processes = client.run(os.getpid)
                while self.victim is None and not self.over.wait(0.01):
                    self.victim = client.run_on_scheduler(find_victim)
                    if self.victim is not None:
                        os.kill(processes[self.victim], signal.SIGKILL)
        except Exception as error:  # noqa: BLE001 - a thread's own error would be lost; the test looks at it
            self.error = error


def find_victim(dask_scheduler):
    for worker in dask_scheduler.workers.values():
        if is_chunk(worker.processing) and is_chunk(worker.has_what):
            return worker.address
    return None


def is_chunk(tasks):
    return any("SelectionProcessor" in str(getattr(task, "key", task)) for task in tasks)


def test_a_worker_that_is_killed_changes_nothing(chosen, expected, cluster, tmp_path):
    with Assassin(cluster.scheduler_address) as assassin:
        report = select(
            DIMUON, chosen, tmp_path / "out", chunk_size=100, executor="dask", scheduler=cluster.scheduler_address
        )
    assert assassin.error is None
    with distributed.Client(cluster, set_as_default=False) as client:
        removed = [event for _, event in client.get_events("all") if event.get("action") == "remove-worker"]
    # What the scheduler wrote down when it noticed: unfinished chunks, and finished ones that died with the worker.
    assert [event["worker"] for event in removed] == [assassin.victim]
    assert is_chunk(removed[0]["processing-tasks"])
    assert is_chunk(removed[0]["lost-computed-tasks"])
    assert not removed[0]["expected"]
    assert result_files(tmp_path / "out") == expected
    assert report.n_events == 1200
    assert report.skipped_files == ()


@pytest.fixture
def broken(files, tmp_path):
    """A copy of the second file whose second basket of Muon_pt is damaged."""
    return corrupt(files[1], target=tmp_path / "broken.root")


def test_a_corrupted_file_in_the_middle_of_a_fileset(files, broken, cluster, tmp_path, capfd):
    """First it stops with its name; then it is left out, and the result is the one without it."""
    chosen = fileset(
        luminosity_fb=16.2, zz=simulation(files[0], broken, files[2]), observed=data(files[3], broken, files[1])
    )
    options = {"chunk_size": 100, "executor": "dask", "scheduler": cluster.scheduler_address}
    with pytest.raises(DataError, match="cannot be decoded") as caught:
        select(DIMUON, chosen, tmp_path / "out", **options)
    assert caught.value.where.startswith(f"{broken}, Events/Muon_pt, events 100-200")
    assert "Traceback" not in capfd.readouterr().err

    report = select(DIMUON, chosen, tmp_path / "out", skip_bad_files=True, **options)
    assert [(file.dataset, file.path) for file in report.skipped_files] == [
        ("observed", str(broken)),
        ("zz", str(broken)),
    ]
    assert report.luminosity.used_fb == pytest.approx(10.8, rel=1e-15)
    without = fileset(
        luminosity_fb=report.luminosity.used_fb,
        zz=simulation(files[0], files[2]),
        observed=data(files[3], files[1]),
    )
    select(DIMUON, without, tmp_path / "without", chunk_size=100)
    assert result_files(tmp_path / "out") == result_files(tmp_path / "without")


def test_errors_of_the_analysis_come_home_whole(files, cluster, tmp_path):
    path = write_events(tmp_path / "a.root", 100, drop=("Flag_goodVertices",))
    with pytest.raises(MissingBranchError, match="Flag_goodVertices") as caught:
        select(
            DIMUON,
            fileset(zz=simulation(path)),
            tmp_path / "out",
            executor="dask",
            scheduler=cluster.scheduler_address,
        )
    assert str(path) in caught.value.where
    assert caught.value.remedy


def test_a_task_that_kills_every_worker_ends_the_run(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 1))
    with open_executor("dask", scheduler=cluster.scheduler_address) as opened:
        assert opened.each(square, range(5), what="Squares", unit="number") == [0, 1, 4, 9, 16]
        with pytest.raises(JobError, match="the workers gave up"):
            opened.each(die, range(3), what="Dying", unit="number")
