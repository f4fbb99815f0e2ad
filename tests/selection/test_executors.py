"""Choosing, opening and closing executors."""

import os
import socket
import sys
import time

import psutil
import pytest
from executor_tasks import die, fail, process_id, square
from run_files import DIMUON, fileset, result_files, simulation, write_events

from cmslabs.errors import ConfigError, JobError
from cmslabs.selection import executors
from cmslabs.selection.executors import check_executor, open_executor
from cmslabs.selection.runner import select

pytest.importorskip("coffea")


@pytest.mark.parametrize(
    ("kind", "workers", "scheduler", "message"),
    [
        ("spark", None, None, "there is no executor 'spark'"),
        ("futures", 0, None, "0 workers"),
        ("dask", -2, None, "-2 workers"),
        ("iterative", 2, None, "this process alone"),
        ("futures", 2, "tcp://127.0.0.1:1", "of no use to 'futures'"),
        ("iterative", None, "tcp://127.0.0.1:1", "of no use to 'iterative'"),
        ("dask", 2, "tcp://127.0.0.1:1", "has its own workers"),
    ],
)
def test_options_that_do_not_fit_together(kind, workers, scheduler, message):
    with pytest.raises(ConfigError, match=message):
        check_executor(kind, workers, scheduler)
    with pytest.raises(ConfigError, match=message), open_executor(kind, workers=workers, scheduler=scheduler):
        pass


@pytest.mark.parametrize(("kind", "workers"), [("iterative", None), ("futures", 2)])
def test_answers_come_in_the_order_of_the_items(kind, workers, capfd):
    with open_executor(kind, workers=workers) as opened:
        assert opened.each(square, range(30), what="Squares", unit="number") == [x * x for x in range(30)]
        assert opened.each(square, [], what="Nothing", unit="number") == []
    assert capfd.readouterr() == ("", "")


def test_futures_are_other_processes_and_end():
    with open_executor("futures", workers=2) as opened:
        found = set(opened.each(process_id, range(6), what="Processes", unit="number"))
    assert len(found) == 2
    assert os.getpid() not in found
    wait_until(lambda: not any(map(psutil.pid_exists, found)))


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_worker_that_dies(capfd):
    with open_executor("futures", workers=2) as opened, pytest.raises(JobError, match="the workers gave up"):
        opened.each(die, range(4), what="Dying", unit="number")
    assert "Traceback" not in capfd.readouterr().err


def test_mistakes_of_our_own_are_not_hidden():
    with open_executor() as opened, pytest.raises(KeyError):
        opened.each(fail, [1], what="Failing", unit="number")


def test_progress_is_drawn_on_stderr(capfd):
    from coffea.util import coffea_console

    with open_executor(progress=True) as opened:
        opened.each(square, range(3), what="Squares", unit="number")
    out, err = capfd.readouterr()
    assert out == ""
    assert "Squares" in err
    assert "3/3" in err
    assert coffea_console.file is sys.stdout
    assert not coffea_console.quiet


def test_no_scheduler_answers(monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.5)
    with socket.socket() as taken:  # Bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        opening = open_executor("dask", scheduler=address)
        with pytest.raises(ConfigError, match="no Dask scheduler answers") as caught, opening:
            pass
    assert time.monotonic() - started < 10
    assert caught.value.where == address
    assert "dask scheduler" in caught.value.remedy


@pytest.mark.parametrize("address", ["nowhere", "spark://127.0.0.1:7077", "tcp://", "tcp://127.0.0.1", "8786"])
def test_an_address_that_is_none(address):
    with pytest.raises(ConfigError, match="is no address"), open_executor("dask", scheduler=address):
        pass


def test_an_unreachable_scheduler_leaves_the_old_result(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.5)
    chosen = fileset(zz=simulation(write_events(tmp_path / "a.root", 200)))
    select(DIMUON, chosen, tmp_path / "out")
    before = result_files(tmp_path / "out")
    with pytest.raises(ConfigError, match="no Dask scheduler"):
        select(DIMUON, chosen, tmp_path / "out", executor="dask", scheduler="tcp://127.0.0.1:9")
    assert result_files(tmp_path / "out") == before
    assert (tmp_path / "out" / "report.json").exists()


@pytest.mark.slow
def test_futures_give_the_very_result_of_one_process(tmp_path):
    files = [write_events(tmp_path / f"{i}.root", 300, first=300 * i) for i in range(3)]
    chosen = fileset(zz=simulation(*files[:2]), dy=simulation(files[2], pb=30.0))
    one = select(DIMUON, chosen, tmp_path / "one", chunk_size=150)
    two = select(DIMUON, chosen, tmp_path / "two", chunk_size=150, executor="futures", workers=2)
    assert result_files(tmp_path / "one") == result_files(tmp_path / "two")
    assert one.n_events == two.n_events == 900
    assert (two.executor["kind"], two.executor["workers"]) == ("futures", 2)
