"""What the chapter "Scaling out" shows but does not run: jobs for batch systems, a cluster, a picture, numbers."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import subprocess

import dask
import nbformat
import pytest
import yaml
from chapter_rules import BOOK, ROOT
from PIL import Image

import cmslabs
from cmslabs.selection.rates import Rates, bundled_benchmark, read_rates
from cmslabs.selection.runner import select

CHAPTER = BOOK / "02-selecting" / "08-scaling-out.ipynb"


def blocks(language: str) -> list[str]:
    """Code that stands in the text."""
    cells = nbformat.read(CHAPTER, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    fenced = re.findall(r"(?ms)^```(?!`)([^\n]*)\n(.*?)^```$", text)
    return [body for name, body in fenced if name == language]


def one_block(language: str, word: str) -> str:
    (found,) = [block for block in blocks(language) if word in block]
    return found


def job_script(name: str) -> tuple[str, str]:
    """What the chapter's cluster would send, and the address of its scheduler; nothing is sent."""
    pytest.importorskip("dask_jobqueue")
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    key = name.removesuffix("Cluster").lower()
    names: dict = {}
    with dask.config.set({f"jobqueue.{key}.scheduler-options": local}):
        exec(one_block("python", f"{name}("), names)
    with names["cluster"] as cluster:
        return cluster.job_script(), cluster.scheduler_address


def worker_of(script: str) -> list[str]:
    """The worker's command line, as a shell would take it apart."""
    (line,) = [line for line in script.splitlines() if "dask_worker" in line]
    return shlex.split(line[line.index("python -m") :].rstrip("'\""))


def test_slurm_job():
    script, scheduler = job_script("SLURMCluster")
    assert {"#SBATCH -n 1", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=2G", "#SBATCH -t 02:00:00"} <= set(
        script.splitlines()
    )
    command = worker_of(script)
    assert scheduler in command
    assert command[command.index("--nthreads") + 1] == "1"
    assert script.index("source ~/course/.venv/bin/activate") < script.index("python -m")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_condor_job():
    script, scheduler = job_script("HTCondorCluster")
    settings = dict(line.split(" = ", 1) for line in script.splitlines() if " = " in line)
    assert settings["MY.DaskWorkerMemory"] == settings["MY.DaskWorkerDisk"] == "2000000000"
    assert settings["MY.DaskWorkerCores"] == "1"
    assert script.rstrip().endswith("Queue")
    # The shell that Condor starts has no `source`.
    assert settings["Executable"] == "/bin/sh"
    command = re.fullmatch(r"\"-c '(.*)'\"", settings["Arguments"])[1]
    assert command.startswith(". ~/course/.venv/bin/activate; python -m")
    assert "source" not in command
    assert scheduler in worker_of(script)
    subprocess.run(["sh", "-n"], input=command, text=True, check=True)


def test_the_call_for_a_cluster_is_one_that_select_takes():
    tree = ast.parse(one_block("python", "cluster.scale"))
    (call,) = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "select"]
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    inspect.signature(select).bind(*map(ast.unparse, call.args), **keywords)
    assert keywords == {"executor": "'dask'", "scheduler": "cluster.scheduler_address"}


def test_kubernetes_cluster():
    content = yaml.safe_load(one_block("yaml", "DaskCluster"))
    assert content["apiVersion"] == "kubernetes.dask.org/v1"
    worker, scheduler = content["spec"]["worker"], content["spec"]["scheduler"]
    (starts,) = worker["spec"]["containers"]
    assert starts["command"][:2] == ["dask", "worker"]
    assert starts["args"] == ["--name", "$(DASK_WORKER_NAME)"]
    (runs,) = scheduler["spec"]["containers"]
    assert runs["image"] == starts["image"]
    assert runs["image"].endswith(f":{cmslabs.__version__}")
    offered = {port["name"]: port["containerPort"] for port in runs["ports"]}
    assert offered == {port["targetPort"]: port["port"] for port in scheduler["service"]["ports"]}
    assert offered["comm"] == 8786
    assert scheduler["service"]["selector"]["dask.org/cluster-name"] == content["metadata"]["name"]


def test_the_commands_of_the_text_exist():
    """``dask worker`` and ``dask scheduler`` with the options that the chapter gives them."""
    text = "\n".join(blocks(""))
    for command in ("scheduler", "worker"):
        (line,) = re.findall(rf"(?m)^dask {command} .*$", text)
        module = __import__(f"distributed.cli.dask_{command}", fromlist=["main"])
        known = {option for parameter in module.main.params for option in parameter.opts}
        assert set(re.findall(r"--\w+", line)) <= known


def test_numbers_are_those_of_the_committed_benchmark():
    result = ROOT / "benchmarks" / "results" / "selection.json"
    assert bundled_benchmark() == json.loads(result.read_text(encoding="utf-8"))
    assert Rates(**bundled_benchmark()["numbers"]["rates"]) == read_rates(result)


def test_picture_is_small_and_fits_a_phone():
    path = BOOK / "_static" / "dask-dashboard.png"
    assert path.stat().st_size < 300_000
    with Image.open(path) as picture:
        # Twice the 480 pixels at which it is shown: letters of 12 pixels are 9 on a phone of 390.
        assert picture.width == 960
        assert picture.height < 1200
