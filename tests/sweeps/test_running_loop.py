"""Sweeps from where an event loop runs already, as in every notebook, and from threads beside it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import linrep
from linrep.cli import execute
from linrep.errors import LostError
from linrep.runs.store import Store
from linrep.sweeps import dask
from tests.support.small_sweep import BASE

distributed = pytest.importorskip("distributed")

SEEDS = [0, 1]


def swept(out: Path, **where: Any) -> dict[str, bytes]:
    """Trained tables by key; without a choice of workers here, one cell after another."""
    found = linrep.sweep(BASE, {"seed": SEEDS}, out=out, progress=False, **where)
    assert found.failed == []
    return {key: (out / key / "tables.safetensors").read_bytes() for key in Store(out).finished()}


def in_a_fresh_thread(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A loop of its own: a browser test before may have left one running in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def in_the_loop(work: Callable[[], Any]) -> Any:
    """Called as a cell of a notebook is: in the thread whose loop runs."""

    async def main() -> Any:
        assert asyncio.get_running_loop().is_running()
        return work()

    return in_a_fresh_thread(main())


def beside_the_loop(work: Callable[[], Any]) -> Any:
    return in_a_fresh_thread(asyncio.to_thread(work))


CALLERS = pytest.mark.parametrize("called", [in_the_loop, beside_the_loop])


@pytest.fixture(scope="module")
def scheduler() -> Generator[str, None, None]:
    """Of a real cluster: one worker, a process of its own."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@CALLERS
def test_a_scheduler_is_asked_and_trains_the_same_bits(
    called: Callable[[Callable[[], Any]], Any], scheduler: str, tmp_path: Path
) -> None:
    serial = swept(tmp_path / "serial")
    assert len(serial) == len(SEEDS)
    assert called(lambda: swept(tmp_path / "out", scheduler=scheduler)) == serial


@pytest.mark.parametrize(
    ("called", "kind"), [(in_the_loop, "dask"), (in_the_loop, "processes"), (beside_the_loop, "dask")]
)
def test_workers_of_this_machine_start_from_there_too(
    called: Callable[[Callable[[], Any]], Any], kind: str, tmp_path: Path
) -> None:
    assert called(lambda: swept(tmp_path / "out", executor=kind, workers=1)) == swept(tmp_path / "serial")


@CALLERS
def test_a_mute_scheduler_is_given_up_there_too(
    called: Callable[[Callable[[], Any]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one that this very loop would have to serve."""
    monkeypatch.setattr(dask, "SECONDS_TO_CONNECT", 0.2)
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(LostError, match=f"scheduler {address}: cannot be reached"):
            called(lambda: dask.require_scheduler(address))
    assert threading.active_count() <= before + 1, "its thread is gone; Dask keeps one of its own"


@CALLERS
def test_commands_run_there_and_leave_the_signals_alone(
    called: Callable[[Callable[[], Any]], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    world = '{ kind = "chain", concepts = 2 }'
    path.write_text(
        f"base = {{ runs = 1, world = {world}, training = {{ steps = 2 }} }}\naxes = {{ seed = [1, 2] }}"
    )
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert called(lambda: execute(["sweep", str(path), "--out", str(tmp_path / "out"), "--quiet"])) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capsys.readouterr().err == ""
    assert len(Store(tmp_path / "out").finished()) == 2


IN_A_THREAD = """
import asyncio, json, signal
from pathlib import Path
from linrep.errors import InputError
from linrep.sweeps.slurm import slurm_cluster

def ask():
    try:
        slurm_cluster((), 1, Path("logs"))
    except InputError as error:
        return str(error)

before = signal.getsignal(signal.SIGINT), signal.signal
said = {call}
print(json.dumps([said, (signal.getsignal(signal.SIGINT), signal.signal) == before]))
"""


@pytest.mark.parametrize("call", ["ask()", "asyncio.run(asyncio.to_thread(ask))"])
def test_slurm_is_loaded_in_any_thread_and_ctrl_c_stays_ours(call: str, tmp_path: Path) -> None:
    """dask-jobqueue takes Ctrl-C for itself when it is first imported, so in a process of its own."""
    pytest.importorskip("dask_jobqueue")
    words = [sys.executable, "-c", IN_A_THREAD.format(call=call)]
    ran = subprocess.run(
        words, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    said, untouched = json.loads(ran.stdout)
    assert "no sbatch here" in said
    assert untouched
