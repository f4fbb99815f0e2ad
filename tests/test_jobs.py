"""Chunks: the same result for any number of workers, after interruptions, and after a killed worker."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from cmslabs.errors import ConfigError, DataError, JobError
from cmslabs.jobs import Chunk, chunk_seed, make_chunks, run_chunks

# Worker processes import the tasks by name: they must find this folder too.
sys.path[:0] = [str(Path(__file__).parent)]
from jobs_tasks import fail_at, numbers, tell, wait_for  # noqa: E402

WHO = {"task": "numbers", "seed": 1}
SEEDS = [4215923173971654960, 2021340933837429789, 1945321144695561289]


@pytest.fixture(autouse=True)
def workers_find_the_tasks(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def content(paths):
    return [path.read_bytes() for path in paths]


@pytest.fixture
def expected(tmp_path):
    return content(run_chunks(numbers, make_chunks(23, 4, seed=1), tmp_path / "expected", identity=WHO))


@given(st.integers(1, 500), st.integers(1, 60), st.integers(0, 2**40))
def test_chunks_cover_everything_once(total, size, seed):
    chunks = make_chunks(total, size, seed)
    items = [item for chunk in chunks for item in range(chunk.start, chunk.start + chunk.size)]
    assert items == list(range(total))
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.seed for chunk in chunks}) == len(chunks)


@pytest.mark.parametrize(("total", "size"), [(0, 1), (1, 0), (-1, 5)])
def test_nothing_to_split(total, size):
    with pytest.raises(ConfigError, match="at least 1"):
        make_chunks(total, size, seed=1)


def test_seeds_are_fixed_and_independent():
    # Fixed for ever: samples in the repository were made with them.
    assert [chunk_seed(1, 0), chunk_seed(1, 1), chunk_seed(2, 0)] == SEEDS
    seeds = {chunk_seed(seed, index) for seed in range(100) for index in range(100)}
    assert len(seeds) == 10_000
    assert all(0 <= seed < 2**63 for seed in seeds)
    draws = [np.random.default_rng(chunk_seed(7, index)).normal(size=2000) for index in range(20)]
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert abs(correlations).max() < 5 / np.sqrt(2000)


def test_the_first_chunk_does_not_depend_on_how_many_follow(tmp_path):
    short = run_chunks(numbers, make_chunks(4, 4, seed=1), tmp_path / "a", identity=WHO)
    assert (
        content(short)[0] == content(run_chunks(numbers, make_chunks(40, 4, seed=1), tmp_path / "b", identity=WHO))[0]
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_the_result_does_not_depend_on_the_workers(tmp_path, expected, workers):
    paths = run_chunks(numbers, make_chunks(23, 4, seed=1), tmp_path / "w", identity=WHO, workers=workers)
    assert content(paths) == expected
    assert [path.name for path in paths] == [f"chunk-{i:05d}.bin" for i in range(6)]


def test_two_workers_are_two_processes(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    run_chunks(partial(tell, str(notes)), make_chunks(40, 1, seed=1), tmp_path / "w", identity=WHO, workers=2)
    pids = {int(note.name.split("-")[1]) for note in notes.iterdir()}
    assert os.getpid() not in pids
    assert len(pids) == 2


def test_going_on_after_a_failure(tmp_path, expected):
    chunks = make_chunks(23, 4, seed=1)
    with pytest.raises(JobError, match=r"chunk 3 \(items 12-15, seed \d+\) failed: ValueError: a planted fault"):
        run_chunks(partial(fail_at, 3), chunks, tmp_path / "w", identity=WHO)
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w").glob("chunk-*.bin")}
    assert len(done) == 3
    notes = tmp_path / "notes"
    notes.mkdir()
    paths = run_chunks(partial(tell, str(notes)), chunks, tmp_path / "w", identity=WHO)
    assert content(paths) == expected
    assert {int(note.name.split("-")[0]) for note in notes.iterdir()} == {3, 4, 5}  # Only what was missing.
    assert {path.name: path.stat().st_mtime_ns for path in paths if path.name in done} == done


def test_a_failure_in_another_process_names_the_chunk(tmp_path):
    with pytest.raises(JobError, match=r"chunk 2 .* a planted fault"):
        run_chunks(partial(fail_at, 2), make_chunks(23, 4, seed=1), tmp_path / "w", identity=WHO, workers=2)


def test_half_written_files_never_count(tmp_path, expected):
    chunks = make_chunks(23, 4, seed=1)
    folder = tmp_path / "w"
    paths = run_chunks(numbers, chunks, folder, identity=WHO)
    paths[2].unlink()
    half = folder / ".part-abc-chunk-00002.bin"  # What a process leaves that was killed while it wrote.
    half.write_bytes(b"half")
    assert content(run_chunks(numbers, chunks, folder, identity=WHO)) == expected
    assert half not in paths


def test_a_full_disk_leaves_no_chunk(tmp_path, monkeypatch):
    def full(self, data):
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        run_chunks(numbers, make_chunks(8, 4, seed=1), tmp_path / "w", identity=WHO)
    assert not list((tmp_path / "w").glob("*.bin"))


def test_a_job_begins_when_the_folder_is_its_own_and_before_the_first_chunk(tmp_path):
    chunks = make_chunks(8, 4, seed=1)
    seen = []

    def begin():
        seen.append(sorted(path.name for path in (tmp_path / "w").glob("[!.]*")))

    run_chunks(numbers, chunks, tmp_path / "w", identity=WHO, begin=begin)
    assert seen == [["job.json"]]
    with pytest.raises(ConfigError, match="another job"):
        run_chunks(numbers, chunks, tmp_path / "w", identity=WHO | {"seed": 2}, begin=begin)
    assert len(seen) == 1


def test_the_folder_of_another_job(tmp_path):
    chunks = make_chunks(8, 4, seed=1)
    run_chunks(numbers, chunks, tmp_path / "w", identity=WHO)
    with pytest.raises(ConfigError, match=r"holds chunks of another job \(different: seed\)"):
        run_chunks(numbers, chunks, tmp_path / "w", identity=WHO | {"seed": 2})
    record = json.loads((tmp_path / "w" / "job.json").read_text())
    assert record["identity"] == WHO
    (tmp_path / "w" / "job.json").write_text("{")
    with pytest.raises(DataError, match=r"job\.json: is not valid JSON"):
        run_chunks(numbers, chunks, tmp_path / "w", identity=WHO)
    for spoiled in ("[]", "{}", '{"identity": 3}'):
        (tmp_path / "w" / "job.json").write_text(spoiled)
        with pytest.raises(ConfigError, match=r"job\.json: is no record of a job"):
            run_chunks(numbers, chunks, tmp_path / "w", identity=WHO)


def test_the_folder_of_another_division(tmp_path):
    """Forty items in the folder of twenty-three would keep a short chunk in the middle."""
    run_chunks(numbers, make_chunks(23, 4, seed=1), tmp_path / "w", identity=WHO)
    for other in (make_chunks(40, 4, seed=1), make_chunks(23, 5, seed=1), make_chunks(23, 4, seed=2)):
        with pytest.raises(ConfigError, match="different: the division into chunks"):
            run_chunks(numbers, other, tmp_path / "w", identity=WHO)


def test_a_task_that_cannot_be_sent(tmp_path):
    with pytest.raises(JobError, match=r"the executor failed while 2 of 2 chunks were unfinished: .*[Pp]ickl"):
        run_chunks(lambda chunk: b"", make_chunks(8, 4, seed=1), tmp_path / "w", identity=WHO, workers=2)


def test_chunks_without_a_record_are_refused(tmp_path):
    """Somebody deleted job.json: nothing says what the chunks are."""
    chunks = make_chunks(8, 4, seed=1)
    run_chunks(numbers, chunks, tmp_path / "w", identity=WHO)
    (tmp_path / "w" / "job.json").unlink()
    with pytest.raises(ConfigError, match="nothing says what they are"):
        run_chunks(numbers, chunks, tmp_path / "w", identity=WHO | {"seed": 2})


def test_two_at_once(tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(JobError, match="another process is working in this folder"):
        run_chunks(numbers, make_chunks(8, 4, seed=1), folder, identity=WHO)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker(tmp_path, expected):
    """The worker is killed while it demonstrably holds unfinished chunks; the same call then completes the job."""
    notes, gate, folder = tmp_path / "notes", tmp_path / "gate", tmp_path / "w"
    notes.mkdir()
    chunks = make_chunks(23, 4, seed=1)
    slow = (2, 3)
    task = partial(wait_for, str(gate), str(notes), slow)
    outcome = []

    def work():
        try:
            run_chunks(task, chunks, folder, identity=WHO, workers=2)
        except JobError as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    begun = wait_until(
        lambda: {int(n.name.split("-")[0]): int(n.name.split("-")[1]) for n in notes.iterdir()}, has=slow
    )
    victim = begun[2]
    assert not (folder / "chunk-00002.bin").exists()  # It holds chunk 2 and cannot finish it: the gate is shut.
    os.kill(victim, signal.SIGKILL)
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert "a worker died while" in str(outcome[0])
    assert "Run the same call again" in str(outcome[0])
    finished = sorted(path.name for path in folder.glob("chunk-*.bin"))
    assert finished == ["chunk-00000.bin", "chunk-00001.bin"]
    gate.touch()
    assert content(run_chunks(task, chunks, folder, identity=WHO, workers=2)) == expected


def wait_until(look, has, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if set(has) <= set(found := look()):
            return found
        time.sleep(0.02)
    raise AssertionError(f"never saw {has}, only {look()}")


WHOLE_JOB = """
import sys
from functools import partial
from jobs_tasks import wait_for
from cmslabs.jobs import make_chunks, run_chunks
if __name__ == "__main__":
    gate, notes, folder = sys.argv[1:]
    task = partial(wait_for, gate, notes, (3,))
    run_chunks(task, make_chunks(23, 4, seed=1), folder, identity={"task": "numbers", "seed": 1})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_whole_job_is_killed(tmp_path, expected):
    notes, gate, folder = tmp_path / "notes", tmp_path / "gate", tmp_path / "w"
    notes.mkdir()
    script = tmp_path / "job.py"
    script.write_text(WHOLE_JOB)
    process = subprocess.Popen([sys.executable, script, gate, notes, folder])
    try:
        wait_until(lambda: {int(n.name.split("-")[0]) for n in notes.iterdir()}, has={3})
    finally:
        process.kill()
        process.wait()
    assert sorted(path.name for path in folder.glob("chunk-*.bin")) == [f"chunk-{i:05d}.bin" for i in range(3)]
    paths = run_chunks(numbers, make_chunks(23, 4, seed=1), folder, identity=WHO)  # The lock died with its owner.
    assert content(paths) == expected


def test_on_a_dask_cluster(tmp_path, expected):
    distributed = pytest.importorskip("distributed", reason="needs the extra cms")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        paths = run_chunks(
            numbers, make_chunks(23, 4, seed=1), tmp_path / "w", identity=WHO, executor=client.get_executor()
        )
        assert content(paths) == expected
        with pytest.raises(JobError, match=r"chunk 2 .* a planted fault"):
            run_chunks(
                partial(fail_at, 2),
                make_chunks(23, 4, seed=1),
                tmp_path / "v",
                identity=WHO,
                executor=client.get_executor(),
            )


def test_nothing_left_to_do_starts_no_process(tmp_path, expected):
    chunks = make_chunks(23, 4, seed=1)
    run_chunks(numbers, chunks, tmp_path / "w", identity=WHO)

    class Refuses:
        def submit(self, *args):
            raise AssertionError("nothing was to be done")

    assert content(run_chunks(numbers, chunks, tmp_path / "w", identity=WHO, executor=Refuses())) == expected


def test_progress_goes_to_stderr(tmp_path, capsys):
    run_chunks(numbers, make_chunks(8, 4, seed=1), tmp_path / "w", identity=WHO, progress=True, unit="events")
    out, err = capsys.readouterr()
    assert out == ""
    assert "8/8" in err
    assert "events" in err


def test_a_chunk_is_plain_data():
    assert Chunk(0, 0, 1, 2) == Chunk(0, 0, 1, 2)
    with pytest.raises(AttributeError):
        Chunk(0, 0, 1, 2).size = 3
