"""Where cells run: options that go together, processes that die alone, the job script, the live table."""

import contextlib
import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, wait
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from linrep.cli import execute
from linrep.cli.views.live import table
from linrep.errors import InputError
from linrep.sweeps import engines as executors
from linrep.sweeps.engines import Engine, cores, engine
from linrep.sweeps.processes import Processes
from linrep.sweeps.slurm import slurm_cluster
from linrep.sweeps.sweep import Standing
from tests.support.small_sweep import BASE

MISTAKES: list[tuple[list[str], str]] = [
    (["--workers", "0"], "--workers: expected at least 1, got 0"),
    (["--executor", "threads"], "expected one of processes, dask, slurm, got 'threads'"),
    (["--workers", "2", "--scheduler", "tcp://a:1"], "give one of the two"),
    (["--executor", "processes", "--scheduler", "tcp://a:1"], "only goes with --executor dask"),
    (["--executor", "slurm", "--workers", "1", "--scheduler", "tcp://a:1"], "only goes with --executor dask"),
    (["--scheduler", "nowhere"], "expected an address such as tcp://node1:8786"),
    (["--executor", "slurm"], "add --workers N"),
    (["--executor", "dask", "--slurm", "queue=long"], "only goes with --executor slurm"),
    (["--slurm", "colour=red", "--workers", "1"], "a key out of queue, account"),
    (["--slurm", "queue", "--workers", "1"], "expected KEY=VALUE"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_options_that_cannot_be_used_are_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text('base = { world = { kind = "chain" } }\naxes = { seed = [1, 2] }')
    assert execute(["sweep", str(path), "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()
    assert execute(["reproduce", "dimension", "--quick", "--out", str(out), *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "package"), [("dask", "distributed"), ("slurm", "dask_jobqueue")])
def test_a_package_that_is_not_there_is_one_line(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(InputError, match=rf'{package} is not installed; pip install "linrep\[cluster\]"'):
        engine(kind, workers=1)


def test_threads_are_shared_out_where_a_cell_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "cores", lambda: 8)
    shares = [Engine(kind="processes", workers=n).share for n in (None, 1, 3, 8, 20)]
    assert shares == [1, 8, 2, 1, 1]
    assert Engine(kind="dask", scheduler="tcp://a:1").share == 1
    assert Engine(kind="slurm", workers=2).share == 1
    assert cores() >= 1


def test_a_process_that_dies_fails_its_own_task_only() -> None:
    with Processes(2) as pool:
        sleepers = [pool.submit(time.sleep, 1.0) for _ in range(2)]
        victim, other = pool.submit(os.abort), pool.submit(os.getenv, "OMP_NUM_THREADS")
        wait([*sleepers, victim, other])
        assert isinstance(victim.exception(), BrokenExecutor)
        assert [each.exception() for each in sleepers] == [None, None]
        assert other.result() == "1"
        assert pool.submit(abs, -3).result() == 3, "its place is filled again"


def test_an_interrupt_is_for_the_parent_alone() -> None:
    with Processes(1) as pool:
        child = pool.submit(os.getpid).result()
        os.kill(child, signal.SIGINT)
        assert pool.submit(os.getpid).result() == child


@pytest.mark.parametrize("where", ["workers=1", 'workers=1, executor="dask"'])
def test_a_script_without_its_guard_runs_once(where: str, tmp_path: Path) -> None:
    """A new process usually runs the script again, which would sweep again where no process may start."""
    script = tmp_path / "mine.py"
    script.write_text(
        "import linrep\n"
        "print('begun')\n"
        f"found = linrep.sweep({BASE}, {{'seed': [1, 2]}}, out='runs', progress=False, {where})\n"
        "print(found.failed)\n"
    )
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("begun\n[]\n", "")


def test_processes_end_with_their_parent_however_it_ends() -> None:
    code = (
        "import os, time\n"
        "from linrep.sweeps.processes import Processes\n"
        "if __name__ == '__main__':\n"
        "    pool = Processes(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    pool.submit(time.sleep, 600)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    deadline = time.monotonic() + 60
    with contextlib.suppress(psutil.NoSuchProcess):
        # An orphan lies there dead where nobody waits for orphans.
        while psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "the worker outlived its parent"
            time.sleep(0.05)


def test_the_job_script_of_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster here: what would be submitted is read, not run; ``test_slurm.py`` runs it."""
    given = ["queue=long", "account=lab", "walltime=02:30:00", "memory=6GB", "cores=8"]
    chosen = engine(
        "slurm", workers=4, slurm=[*given, "directive=--gres=gpu:1", "prologue=module load python"]
    )
    assert chosen is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    logs = tmp_path / "of jobs"
    with pytest.raises(InputError, match="no sbatch here"):
        slurm_cluster(chosen.slurm, 2, logs)
    sbatch = tmp_path / "sbatch"
    sbatch.write_text('#!/bin/sh\necho "sbatch: error: no such partition" >&2\nexit 1\n')
    sbatch.chmod(0o755)
    with pytest.raises(InputError, match="cores: expected at least 9"):
        slurm_cluster(chosen.slurm, 9, logs)
    with pytest.raises(InputError, match=r"refuses the job \(no such partition\)"):
        slurm_cluster(chosen.slurm, 2, logs)
    assert not logs.exists()
    sbatch.write_text("#!/bin/sh\nexit 0\n")
    with slurm_cluster(chosen.slurm, 2, logs) as cluster:
        script = cluster.job_script()
    assert f'#SBATCH --output="{logs}/%j.out"' in script
    for line in ("-p long", "-A lab", "-t 02:30:00", "--mem=6G", "--cpus-per-task=8", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    assert "module load python" in script
    assert sys.executable in script
    assert "--nthreads 2 " in script
    assert "--nworkers 4 " in script, "a worker for every two of the eight cores"


def test_the_live_table_counts_and_names_what_runs() -> None:
    standing = Standing(
        cells=40, done=10, failed=2, running={f"seed {each}": each / 20 for each in range(11)}, share=0.25
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(table(standing, 100.0))
    file: Any = console.file
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert lines[0] == ["cells", "done", "running", "failed", "time", "left"]
    assert lines[1] == ["40", "10", "11", "2", "5:00"]
    assert lines[3] == ["5%", "seed", "1"]
    assert lines[-1] == ["and", "3", "more"]
