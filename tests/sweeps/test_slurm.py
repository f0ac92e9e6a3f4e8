"""A sweep in jobs of a real SLURM, where one can be started: Debian's slurm-wlm, and root."""

import contextlib
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from linrep.cli import execute
from linrep.runs.store import Store
from linrep.sweeps.slurm import LOGS
from tests.faults.test_cluster import assert_same, command, sweep, swept, until
from tests.support.slurm_node import jobs, one_node

pytest.importorskip("dask_jobqueue")

CELLS = 4
OPTIONS = ["--executor", "slurm", "--workers", "2", "--slurm", "memory=1GB"]
BROKEN = ["--slurm", "prologue=echo no python on this node; exit 1"]


@pytest.fixture(scope="module", autouse=True)
def _slurm(tmp_path_factory: pytest.TempPathFactory):
    with one_node(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.mark.slow
def test_jobs_that_are_cancelled_lose_nothing(tmp_path: Path) -> None:
    """All at once, as at their walltime: for a while there is neither worker nor job."""
    file = sweep(tmp_path, CELLS, 4000)
    serial, out = tmp_path / "serial", tmp_path / "on slurm"
    swept(file, serial)
    cancelled: list[str] = []

    def cancel() -> None:
        with contextlib.suppress(AssertionError):
            until(lambda: list(out.glob(".partial/*/checkpoint*")) and jobs())
            cancelled.extend(jobs())
            subprocess.run(["scancel", *cancelled], check=True)

    killer = threading.Thread(target=cancel)
    killer.start()
    subprocess.run(command(file, "--out", out, *OPTIONS, "--quiet"), check=True, timeout=300)
    killer.join()
    assert_same(out, serial, CELLS)
    said = {path.stem for path in (out / LOGS).glob("*.out")}
    assert cancelled
    assert said - set(cancelled), "other jobs took the place of those that were cancelled"
    assert said & set(cancelled)
    until(lambda: not jobs())


def test_a_job_that_slurm_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = sweep(tmp_path, 2, 10), tmp_path / "out"
    options = ["--executor", "slurm", "--workers", "1", "--slurm", "queue=nosuch"]
    assert execute(["sweep", str(file), "--out", str(out), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "sbatch refuses the job (invalid partition specified: nosuch" in line
    assert Store(out).finished() == []


def test_jobs_that_end_at_once_are_one_line(tmp_path: Path) -> None:
    """As where the environment is missing on the nodes: nothing would ever come, and nothing be said."""
    file, out = sweep(tmp_path, 2, 10), tmp_path / "out"
    ended = subprocess.run(
        command(file, "--out", out, *OPTIONS, *BROKEN, "--quiet"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "every job ended before a worker of it was at work" in line
    assert "said: no python on this node" in line
    assert Store(out).finished() == []
    subprocess.run(command(file, "--out", out, *OPTIONS, "--quiet"), check=True, timeout=300)
    assert len(Store(out).finished()) == 2


def test_an_interrupt_is_ours(tmp_path: Path) -> None:
    """dask-jobqueue makes it a silent exit with code 0."""
    file, out = sweep(tmp_path, 2, 10), tmp_path / "out"
    process = subprocess.Popen(
        command(file, "--out", out, *OPTIONS, *BROKEN, "--quiet"), stderr=subprocess.PIPE, text=True
    )
    until(lambda: list(out.glob(f"{LOGS}/*.out")))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == ["linrep: interrupted; the same command goes on from here"]
