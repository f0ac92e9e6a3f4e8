"""Workers in jobs of SLURM, submitted by dask-jobqueue; told in one line where the jobs come to nothing.

Not by submitit: there every cell is a job of its own that waits in the queue, imports torch and hands its
result over as a pickle, while a worker here takes cell after cell; and to tell whether jobs still come, the
queue would have to be asked there too.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from concurrent.futures import Executor, Future, InvalidStateError
from pathlib import Path
from typing import Any

from linrep.errors import InputError, LostError

KEYS = ("queue", "account", "walltime", "memory", "cores", "interface", "dashboard", "directive", "prologue")
"""Of ``--slurm``; the last two may be given several times."""
LOGS = ".slurm"
"""In a folder of runs: what the jobs say."""
NOWHERE = "127.0.0.1:0"
"""Where a dashboard that was not asked for listens, as Dask has no way not to: not to other machines."""
PULSE, PATIENCE = 5.0, 30.0
"""Seconds between two looks at the queue, and for SLURM to answer."""
ENDED = (
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"),
    *("NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"),
)
"""States of a job that will not run again."""

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
    with _own_interrupt():
        from dask_jobqueue.slurm import SLURMCluster

    if shutil.which("sbatch") is None:
        raise InputError("--executor slurm: no sbatch here; run this on a machine that submits SLURM jobs")
    given = dict(options)
    text = given.get("cores", str(threads))
    if not text.isdigit() or int(text) < threads:
        raise InputError(f"--slurm: cores: expected at least {threads}, the threads of a cell, got {text!r}")
    from dask.config import get

    configured: Sequence[str] = get("jobqueue.slurm.worker-extra-args", None) or []
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
            worker_extra_args=[*configured, "--no-dashboard", "--dashboard-address", NOWHERE],
            scheduler_options={
                "dashboard": "dashboard" in given,
                "dashboard_address": given.get("dashboard", NOWHERE),
            },
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


@contextlib.contextmanager
def _own_interrupt() -> Generator[None, None, None]:
    """Ctrl-C stays ours: dask-jobqueue, when imported, makes it a silent exit; in a thread it would fail."""
    setter = signal.signal
    signal.signal = lambda signalnum, handler: signal.getsignal(signalnum)  # noqa: ARG005
    try:
        yield
    finally:
        signal.signal = setter


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
        inner = self._inner.submit(fn, *args, **kwargs)
        # One of our own: Dask complains of a future that another has ended.
        ours: Future[Any] = Future()
        self._pending.add(ours)
        ours.add_done_callback(self._pending.discard)
        ours.add_done_callback(lambda done: inner.cancel() if done.cancelled() else None)
        inner.add_done_callback(lambda done: _pass_on(done, ours))
        return ours

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
            before = trouble


def _pass_on(done: Future[Any], to: Future[Any]) -> None:
    # The other may have ended meanwhile, cancelled or given up.
    with contextlib.suppress(InvalidStateError):
        if done.cancelled():
            to.cancel()
        elif (error := done.exception()) is not None:
            to.set_exception(error)
        else:
            to.set_result(done.result())


class Queue:
    """Looks whether any job of a cluster still waits or runs.

    Args:
        cluster: Of :func:`slurm_cluster`.
        logs: The folder for what its jobs write.
    """

    def __init__(self, cluster: Any, logs: Path) -> None:
        self._cluster, self._logs = cluster, logs
        self._worked: set[str] = set()
        self._listed: set[str] = set()
        self._came = _arrivals(cluster)

    def trouble(self) -> str | None:
        """Why no worker will come, in one line: every job has ended, and never had a worker.

        Returns:
            None while a worker is connected, a job waits or runs, or SLURM does not say; and after jobs that
            had a worker, as at their walltime: Dask finds out in a while, and submits others.
        """
        workers: Mapping[str, Mapping[str, Any]] = self._cluster.scheduler_info["workers"]
        # Also those that came and went between two looks.
        names = [*self._came, *(str(each["name"]) for each in workers.values())]
        jobs = {str(job.job_id): str(job.name) for job in list(self._cluster.workers.values()) if job.job_id}
        self._worked |= {job for job, name in jobs.items() if any(_of(each, name) for each in names)}
        if workers or not jobs or self._worked & jobs.keys() or not self._all_ended(jobs.keys()):
            return None
        return (
            "--executor slurm: every job ended before a worker of it was at work "
            f"({_last_words(self._logs)}); see {self._logs} and --slurm, then go on with the same command"
        )

    def _all_ended(self, jobs: Set[str]) -> bool:
        states = _states(jobs)
        if states:
            self._listed |= jobs
            return all(each in ENDED for each in states)
        # SLURM forgets a job minutes after its end; one it never knew may be another cluster's.
        return states is not None and jobs <= self._listed


def _arrivals(cluster: Any) -> set[str]:
    """The names of all workers that ever come to a cluster's scheduler, where it lies in this process."""
    from distributed import Scheduler, SchedulerPlugin

    names: set[str] = set()

    class Arrivals(SchedulerPlugin):
        def add_worker(self, scheduler: Any, worker: str) -> None:
            names.add(str(scheduler.workers[worker].name))

    if isinstance(scheduler := getattr(cluster, "scheduler", None), Scheduler):
        scheduler.add_plugin(Arrivals(), name="linrep: workers that came")
    return names


def _of(worker: str, job: str) -> bool:
    """Whether a worker is a job's own, or one of its several."""
    return worker == job or worker.startswith(f"{job}-")


def _states(jobs: Set[str]) -> list[str] | None:
    """Of the jobs that SLURM knows; None where it does not answer."""
    # The user's own settings of squeue might hide jobs that wait.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SQUEUE_")}
    command = ["squeue", "--noheader", "--all", "--states=all", "--format=%T", f"--jobs={','.join(jobs)}"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE
        )
    except (OSError, subprocess.SubprocessError):
        return None
    known = asked.returncode == 0 or "Invalid job id" in asked.stderr
    return asked.stdout.split() if known else None


def _last_words(logs: Path) -> str:
    try:
        last = max(logs.glob("*.out"), key=lambda path: path.stat().st_mtime)
        lines = [line.strip() for line in last.read_text(errors="replace").splitlines()]
    except (OSError, ValueError):
        return "and wrote nothing"
    said = next((line for line in reversed(lines) if line), "nothing")
    return f"job {last.stem} said: {said}"
