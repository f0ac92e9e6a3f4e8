"""An executor whose workers come as jobs, and the queue they wait in, on stand-ins for what SLURM answers."""

import subprocess
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from linrep.errors import LostError
from linrep.sweeps import slurm
from linrep.sweeps.slurm import Queue, Watched


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "PULSE", 0.01)


class Waiting(Executor):
    """Has no worker: one task at most, which ends when the test says so."""

    def __init__(self) -> None:
        self.task: Future[int] = Future()

    def submit(self, *_: object, **__: object) -> Future[int]:
        return self.task


def test_results_errors_and_cancelling_pass_through() -> None:
    hold = threading.Event()
    with ThreadPoolExecutor(1) as inner, Watched(inner, lambda: None) as watched:
        assert watched.submit(pow, 2, 3).result(5) == 8
        with pytest.raises(ZeroDivisionError):
            watched.submit(divmod, 1, 0).result(5)
        busy, waiting = watched.submit(hold.wait), watched.submit(print, "never")
        assert waiting.cancel()
        hold.set()
        assert busy.result(5)


def test_tasks_fail_while_there_is_trouble_early_and_late() -> None:
    with Watched(Waiting(), lambda: "no worker will come") as watched:
        for _ in range(2):
            with pytest.raises(LostError, match="no worker will come"):
                watched.submit(print).result(5)


def test_one_moment_of_trouble_is_none() -> None:
    answers = ["a moment", None, "a moment", None]
    heard, inner = threading.Event(), Waiting()

    def trouble() -> str | None:
        if not answers:
            heard.set()
            return None
        return answers.pop(0)

    with Watched(inner, trouble) as watched:
        ours = watched.submit(print)
        assert heard.wait(5)
        inner.task.set_result(3)
        assert ours.result(5) == 3


def cluster(*, workers: tuple[str, ...] = (), jobs: tuple[str, ...] = ("7", "8")) -> SimpleNamespace:
    return SimpleNamespace(
        scheduler_info={"workers": {name: {"name": name} for name in workers}},
        workers={job: SimpleNamespace(job_id=job, name=f"slurm-{job}") for job in jobs},
    )


def answer(monkeypatch: pytest.MonkeyPatch, stdout: str = "", stderr: str = "") -> None:
    done = subprocess.CompletedProcess([], int(bool(stderr)), stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)


@pytest.mark.parametrize(
    ("stdout", "stderr", "lost"),
    [
        ("FAILED\nCOMPLETED\n", "", True),
        ("FAILED\nPENDING\n", "", False),
        ("FAILED\nCONFIGURING\n", "", False),
        ("", "slurm_load_jobs error: Unable to contact slurm controller", False),
        ("", "slurm_load_jobs error: Invalid job id specified", False),  # another cluster's, for all we know
    ],
)
def test_trouble_is_that_every_job_has_ended(
    stdout: str, stderr: str, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, stdout, stderr)
    (tmp_path / "8.out").write_text("loading\nno such module\n\n")
    found = Queue(cluster(), tmp_path).trouble()
    assert (found is not None and "job 8 said: no such module" in found) == lost
    assert Queue(cluster(workers=("slurm-7-1",)), tmp_path).trouble() is None
    assert Queue(cluster(jobs=()), tmp_path).trouble() is None


def test_jobs_that_had_a_worker_or_that_slurm_forgot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "FAILED\nFAILED\n")
    place = cluster(workers=("slurm-7",))
    queue = Queue(place, tmp_path)
    assert queue.trouble() is None
    place.scheduler_info["workers"].clear()
    assert queue.trouble() is None, "one had a worker: Dask will notice, and submit another"
    place.workers = cluster(jobs=("9",)).workers
    assert "and wrote nothing" in str(queue.trouble())
    answer(monkeypatch, stderr="slurm_load_jobs error: Invalid job id specified")
    assert queue.trouble() is not None, "known a moment ago"


@pytest.mark.parametrize("error", [FileNotFoundError("squeue"), subprocess.TimeoutExpired("squeue", 1)])
def test_a_squeue_that_fails_says_nothing(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert Queue(cluster(), tmp_path).trouble() is None
