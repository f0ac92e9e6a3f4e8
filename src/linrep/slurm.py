"""Workers in jobs of SLURM, submitted by dask-jobqueue; told in one line where the jobs come to nothing."""

import contextlib
import getpass
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, InvalidStateError
from pathlib import Path
from typing import Any

from linrep.errors import InputError, LostError

KEYS = ("queue", "account", "walltime", "memory", "cores", "interface", "directive", "prologue")
"""Of ``--slurm``; the last two may be given several times."""
LOGS = ".slurm"
"""In a folder of runs: what the jobs say."""
PULSE = 5.0
"""Seconds between two looks at the queue."""

Pairs = Sequence[tuple[str, str]]


def slurm_cluster(options: Pairs, threads: int, logs: Path) -> Any:
    """A dask-jobqueue cluster, no job submitted yet; a job has one worker for every ``threads`` of its cores.

    Args:
        options: Pairs of a key and its value, as the user gave them.
        threads: Of a cell.
        logs: Folder for what the jobs write, made if it is not there.

    Raises:
        InputError: SLURM is not on this machine, or it would not take the job.
    """
    from dask_jobqueue.slurm import SLURMCluster

    if shutil.which("sbatch") is None:
        raise InputError("--executor slurm: no sbatch here; run this on a machine that submits SLURM jobs")
    given = dict(options)
    text = given.get("cores", str(threads))
    if not text.isdigit() or int(text) < threads:
        raise InputError(f"--slurm: cores: expected at least {threads}, the threads of a cell, got {text!r}")
    said = [f'--{name}="{logs.resolve() / "%j.out"}"' for name in ("output", "error")]
    try:
        cluster = SLURMCluster(
            cores=int(text),
            processes=int(text) // threads,
            memory=given.get("memory", "4GB"),
            queue=given.get("queue"),
            account=given.get("account"),
            walltime=given.get("walltime", "01:00:00"),
            interface=given.get("interface"),
            job_extra_directives=[*said, *(value for key, value in options if key == "directive")],
            job_script_prologue=[value for key, value in options if key == "prologue"],
            scheduler_options={"dashboard": False, "dashboard_address": ":0"},
        )
    except (ValueError, OSError) as error:
        raise InputError(f"--slurm: {' '.join(str(error).split())}") from None
    try:
        _require_welcome(cluster.job_script())
        logs.mkdir(parents=True, exist_ok=True)
    except BaseException:
        cluster.close()
        raise
    return cluster


def _require_welcome(script: str) -> None:
    """Ask SLURM whether it would take this job: later, one refused would only be submitted again."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        asked = subprocess.run(
            ["sbatch", "--test-only", file.name], capture_output=True, text=True, check=False
        )
    if asked.returncode:
        reason = " ".join(asked.stderr.replace("sbatch: error: ", "").split())
        raise InputError(f"--executor slurm: sbatch refuses the job ({reason}); see --slurm")


class Watched(Executor):
    """An executor whose workers come as jobs: where none is left, and none comes, its tasks fail.

    Args:
        inner: What tasks go to; it waits for ever for workers.
        trouble: Asked every few seconds; what it answers, if anything, is why no worker will come.
    """

    def __init__(self, inner: Executor, trouble: Callable[[], str | None]) -> None:
        self._inner, self._trouble = inner, trouble
        self._pending: set[Future[Any]] = set()
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a task to the inner executor."""
        future = self._inner.submit(fn, *args, **kwargs)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Stop watching; whoever made the inner executor ends it."""
        self._over.set()

    def _watch(self) -> None:
        before = None
        while not self._over.wait(PULSE):
            trouble = self._trouble()
            # Twice in a row: between the end of a job and the next there may be a moment without any.
            if trouble is not None and before is not None:
                for future in list(self._pending):
                    with contextlib.suppress(InvalidStateError):
                        future.set_exception(LostError(trouble))
                return
            before = trouble


def no_job_left(cluster: Any, logs: Path) -> str | None:
    """Why no worker will come, in one line: every job of a cluster has ended, and no worker is there.

    Args:
        cluster: Of :func:`slurm_cluster`.
        logs: The folder for what its jobs write.

    Returns:
        None while a worker is connected, a job waits or runs, none has been submitted, or SLURM says nothing.
    """
    workers: Mapping[str, Any] = cluster.scheduler_info["workers"]
    ours = {job.job_id for job in list(cluster.workers.values()) if getattr(job, "job_id", None)}
    if workers or not ours:
        return None
    asked = subprocess.run(
        ["squeue", "-h", "-o", "%i", "--user", getpass.getuser()], capture_output=True, text=True, check=False
    )
    if asked.returncode or ours & set(asked.stdout.split()):
        return None
    return (
        f"--executor slurm: every job ended before a worker of it was at work ({_last_words(logs)}); "
        f"see {logs} and --slurm, then the same command goes on from here"
    )


def _last_words(logs: Path) -> str:
    written = sorted(logs.glob("*.out"), key=lambda path: path.stat().st_mtime)
    if not written:
        return "and wrote nothing"
    lines = [line.strip() for line in written[-1].read_text(errors="replace").splitlines()]
    said = next((line for line in reversed(lines) if line), "nothing")
    return f"job {written[-1].stem} said: {said}"
