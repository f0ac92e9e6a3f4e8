"""A sweep in jobs of a real SLURM, where one can be started: Debian's slurm-wlm, and root."""

import contextlib
import random
import subprocess
import threading
from pathlib import Path

import pytest

from linrep.cli import execute
from linrep.slurm import LOGS
from linrep.store import Store
from slurm_node import jobs, one_node
from test_cluster import assert_same, command, sweep, until

pytest.importorskip("dask_jobqueue")

CELLS = 4


@pytest.fixture(scope="module", autouse=True)
def _slurm(tmp_path_factory: pytest.TempPathFactory):
    with one_node(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.mark.slow
def test_jobs_that_are_cancelled_lose_nothing(tmp_path: Path) -> None:
    file = sweep(tmp_path, CELLS, 4000)
    serial, out = tmp_path / "serial", tmp_path / "on slurm"
    assert execute(["sweep", str(file), "--out", str(serial), "--quiet"]) == 0
    cancelled: list[str] = []

    def cancel() -> None:
        with contextlib.suppress(AssertionError):
            until(lambda: list(out.glob(".partial/*/checkpoint*")) and jobs())
            cancelled.append(random.choice(jobs()))
            subprocess.run(["scancel", cancelled[0]], check=True)

    killer = threading.Thread(target=cancel)
    killer.start()
    options = ["--executor", "slurm", "--workers", "2", "--slurm", "memory=1GB"]
    subprocess.run(command(file, "--out", out, *options, "--quiet"), check=True, timeout=300)
    killer.join()
    assert_same(out, serial, CELLS)
    said = {path.stem for path in (out / LOGS).glob("*.out")}
    assert cancelled
    assert set(cancelled) < said, "another job took the place of the one that was cancelled"
    until(lambda: not jobs())


def test_a_job_that_slurm_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = sweep(tmp_path, 2, 10), tmp_path / "out"
    options = ["--executor", "slurm", "--workers", "1", "--slurm", "queue=nosuch"]
    assert execute(["sweep", str(file), "--out", str(out), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "sbatch refuses the job (invalid partition specified: nosuch" in line
    assert Store(out).finished() == []


def test_jobs_that_end_at_once_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As where the environment is missing on the nodes: nothing would ever come, and nothing be said."""
    file, out = sweep(tmp_path, 2, 10), tmp_path / "out"
    options = ["--executor", "slurm", "--workers", "2", "--slurm", "memory=1GB"]
    broken = ["--slurm", "prologue=echo no python on this node; exit 1"]
    assert execute(["sweep", str(file), "--out", str(out), *options, *broken, "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "every job ended before a worker of it was at work" in line
    assert "said: no python on this node" in line
    assert Store(out).finished() == []
    subprocess.run(command(file, "--out", out, *options, "--quiet"), check=True, timeout=300)
    assert len(Store(out).finished()) == 2
