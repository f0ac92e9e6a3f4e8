"""Sweeps on real workers: killed, cut off from their scheduler, out of disk, interrupted; nothing is lost.

``LINREP_CELLS=200 pytest tests/faults/test_cluster.py`` makes the sweep under which workers are killed large.
"""

import asyncio
import contextlib
import gc
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linrep.cli import execute
from linrep.runs import failures
from linrep.runs.store import Store

psutil = pytest.importorskip("psutil")
pytest.importorskip("distributed")

CELLS = int(os.environ.get("LINREP_CELLS", "8"))
KILLS = max(2, CELLS // 10)
SWEEP = """
[base]
runs = 2
world = {{ kind = "chain", concepts = 2 }}
training = {{ steps = {steps}, snapshots = 3, step_size = 0.5, optimizer = "gd" }}
measure = {{ bootstrap = 100, null_draws = 2 }}
compute = {{ threads = 1 }}
output = {{ checkpoint_seconds = 0.1 }}

[axes]
seed = {seeds}
"""
FILES = (
    "config.json",
    "result.json",
    "tables.safetensors",
    "trace.parquet",
    "snapshots.safetensors",
    "worlds.json",
)
NAMESPACE = ["unshare", "-rm", "sh", "-c"]


def sweep(folder: Path, cells: int, steps: int) -> Path:
    path = folder / "s.toml"
    path.write_text(SWEEP.format(steps=steps, seeds=list(range(cells))))
    return path


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "linrep", "sweep", *(str(word) for word in words)]


def swept(path: Path, out: Path) -> None:
    """Sweep here, one cell after another; in a new process, where no types are checked at every step."""
    subprocess.run(command(path, "--out", out, "--quiet"), check=True)


def assert_same(out: Path, serial: Path, cells: int) -> None:
    """Every cell once, its bits those of the serial sweep, and nothing else lying about."""
    keys = Store(serial).finished()
    assert len(keys) == cells
    assert Store(out).finished() == keys
    for key in keys:
        for name in FILES:
            assert (out / key / name).read_bytes() == (serial / key / name).read_bytes(), f"{key}/{name}"
    assert (out / "s.csv").read_bytes() == (serial / "s.csv").read_bytes()
    assert failures.kept(out) == []
    assert not list(out.glob(".partial/board.*"))


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _of_group(process: psutil.Process, group: int) -> bool:
    """Whether it lives; one that is dead may lie there for ever, where nobody waits for orphans."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and os.getpgid(process.pid) == group
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


@dataclass(frozen=True)
class Cluster:
    """A scheduler and two workers, each a process of its own."""

    address: str
    scheduler: subprocess.Popen[bytes]
    nanny: subprocess.Popen[bytes]

    def workers(self) -> list[psutil.Process]:
        """Those alive: any may end, or lie dead and not yet waited for, while it is looked at."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [each for each in psutil.Process(self.nanny.pid).children(recursive=True) if _works(each)]
        return []

    def kill_workers(self) -> None:
        """All, and first the nanny, who would start others; her children are nobody's once she is dead."""
        workers = self.workers()
        for process in [self.nanny, *workers]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _works(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def cluster() -> Generator[Cluster, None, None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = [*dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    with subprocess.Popen(scheduler, **silent) as first, subprocess.Popen(worker, **silent) as second:
        made = Cluster(address, first, second)
        try:
            until(lambda: len(made.workers()) >= 2)
            yield made
        finally:
            first.kill()
            made.kill_workers()


@pytest.mark.slow
def test_workers_killed_at_random_and_a_lost_scheduler_change_no_bit(
    cluster: Cluster, tmp_path: Path
) -> None:
    path, serial, out = sweep(tmp_path, CELLS, 400), tmp_path / "serial", tmp_path / "out"
    swept(path, serial)
    draw, killed, over = random.Random(0), list[int](), threading.Event()

    def kill() -> None:
        """A worker at a random time between every two tenths of the sweep."""
        while not over.wait(0.02) and len(killed) < KILLS:
            if len(Store(out).finished()) >= (len(killed) + 0.5) * CELLS / (KILLS + 1):
                time.sleep(draw.uniform(0.0, 0.3))
                with contextlib.suppress(psutil.NoSuchProcess, IndexError):
                    victim = draw.choice(cluster.workers())
                    victim.kill()
                    killed.append(victim.pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert (
            execute(["sweep", str(path), "--out", str(out), "--scheduler", cluster.address, "--quiet"]) == 0
        )
    finally:
        over.set()
        killer.join()
    assert len(killed) == KILLS
    assert_same(out, serial, CELLS)

    lost = tmp_path / "lost"
    words = ["--out", lost, "--scheduler", cluster.address]
    with subprocess.Popen(command(path, *words), stderr=subprocess.PIPE, text=True) as run:
        until(lambda: Store(lost).finished())
        cluster.scheduler.kill()
        assert run.stderr is not None
        said = run.stderr.read()
        assert run.wait() == 1
    assert said.startswith("linrep: error: executor:")
    assert said.count("\n") == 1
    assert 0 < len(Store(lost).finished()) < CELLS
    cluster.kill_workers()
    swept(path, lost)
    assert_same(lost, serial, CELLS)


@pytest.mark.parametrize("scheme", ["tcp", "foo"])
def test_a_scheduler_that_does_not_answer_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Not even a connection is enough: this port takes one, and is mute."""
    monkeypatch.setattr("linrep.sweeps.dask.SECONDS_TO_CONNECT", 1)
    path = sweep(tmp_path, 2, 10)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}"
        assert execute(["sweep", str(path), "--out", str(tmp_path / "o"), "--scheduler", address]) == 1
    gc.collect()
    error = capfd.readouterr().err
    assert f"scheduler {address}: cannot be reached" in error
    assert error.count("\n") == 1


def test_a_worker_is_no_scheduler(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed.utils import LoopRunner

    # A test in a browser leaves a running loop in this thread, where asyncio.run is refused.
    address = LoopRunner().run_sync(_address_of_a_worker, cluster.address)
    path = sweep(tmp_path, 2, 10)
    assert execute(["sweep", str(path), "--out", str(tmp_path / "o"), "--scheduler", address]) == 1
    assert "is no scheduler but a worker" in capsys.readouterr().err


async def _address_of_a_worker(scheduler: str) -> str:
    from distributed.core import rpc

    async with rpc(scheduler) as peer:
        while not (workers := (await peer.identity())["workers"]):
            await asyncio.sleep(0.05)
        return next(iter(workers))


def test_a_cluster_that_cannot_start_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask.config

    path = sweep(tmp_path, 2, 10)
    words = ["sweep", str(path), "--out", str(tmp_path / "o"), "--executor", "dask", "--workers", "1"]
    with dask.config.set({"temporary-directory": "/proc/nope"}):
        assert execute(words) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("linrep: error: executor: a Dask cluster cannot start here (")
    assert "/proc/nope" in line


@pytest.mark.slow
def test_an_interrupt_while_workers_of_dask_start_is_one_line(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to workers too, which would die of it half born."""
    words = command(sweep(tmp_path, 2, 10), "--out", tmp_path / "o", "--executor", "dask", "--workers", "2")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        until(lambda: len(psutil.Process(run.pid).children(recursive=True)) >= 3)
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr is not None
        assert run.stderr.read() == "linrep: interrupted; the same command goes on from here\n"
        assert run.wait() == 130


@pytest.mark.slow
def test_interrupted_processes_stop_resumable_and_go_on_to_the_same_bits(tmp_path: Path) -> None:
    cells = 12  # Whoever looks may be seconds late on a busy machine, and must still come before the end.
    path, serial, out = sweep(tmp_path, cells, 4000), tmp_path / "serial", tmp_path / "out"
    swept(path, serial)
    words = command(path, "--out", out, "--workers", "2")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        until(lambda: list(out.glob(".partial/*/checkpoint.safetensors")))
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr is not None
        said = run.stderr.read()
        assert run.wait() == 130
    assert said == "linrep: interrupted; the same command goes on from here\n"
    until(lambda: not [each for each in psutil.process_iter() if _of_group(each, run.pid)])
    assert len(Store(out).finished()) < cells
    assert not list(out.glob(".partial/board.*"))
    swept(path, out)
    assert_same(out, serial, cells)


def _mounts() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run([*NAMESPACE, "mount -t tmpfs none /mnt"], check=False, capture_output=True).returncode
        == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(not _mounts(), reason="no file system can be mounted here")
def test_a_full_disk_and_a_read_only_folder_are_one_line_and_lose_nothing(tmp_path: Path) -> None:
    """Real ones: a small file system in memory, and a read-only mount that not even root may write."""
    cells = 6
    path, serial, out, kept = (
        sweep(tmp_path, cells, 20),
        tmp_path / "serial",
        tmp_path / "out",
        tmp_path / "kept",
    )
    swept(path, serial)
    some = next(iter(Store(serial).finished()))
    blocks = sum(-(-each.stat().st_size // 4096) for each in (serial / some).iterdir())
    out.mkdir()
    for mount, finished, remedy in (
        (f'mount -t tmpfs -o size={4 * blocks * 4096} none "$0"', range(1, cells), "free space or "),
        ('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"', range(1), ""),
    ):
        script = f'{mount} || exit 9; "$@"; code=$?; rm -rf {kept}; cp -a "$0" {kept}; exit $code'
        words = [*NAMESPACE, script, out, *command(path, "--out", out, "--workers", "1")]
        ran = subprocess.run(words, check=False, capture_output=True, text=True)
        assert ran.returncode == 2, ran.stderr
        assert "cannot be written" in ran.stderr
        assert ran.stderr.endswith(f"); {remedy}choose another place\n")
        assert ran.stderr.count("\n") == 1
        assert len(Store(kept).finished()) in finished
        assert execute(["sweep", str(path), "--out", str(kept), "--quiet"]) == 0
        assert_same(kept, serial, cells)
