"""Where the cells of a sweep run: processes of this machine, a Dask cluster, or jobs on SLURM.

Nothing heavy is imported here, so that a new process can be told its threads before it loads tensors.
"""

import contextlib
import importlib.util
import os
import re
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from linrep.errors import InputError
from linrep.sweeps.dask import SECONDS_TO_CONNECT, local_cluster, require_scheduler, silent_dask
from linrep.sweeps.processes import Processes
from linrep.sweeps.slurm import KEYS, LOGS, Queue, Watched, slurm_cluster

Kind = Literal["processes", "dask", "slurm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the user chose."""

    kind: Kind
    workers: int | None = None
    """Processes, each training one cell at a time."""
    scheduler: str | None = None
    """Address of a Dask scheduler that runs already."""
    slurm: tuple[tuple[str, str], ...] = ()

    @property
    def share(self) -> int:
        """Threads for a cell that names none: an equal share of this machine, or one on other machines."""
        here = self.workers is not None and self.kind != "slurm"
        return max(1, cores() // (self.workers or 1)) if here else 1


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine(
    kind: str | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    slurm: Sequence[str] = (),
) -> Engine | None:
    """Check a choice of engine.

    Args:
        kind: "processes", "dask" or "slurm"; without it the other options tell, and without those it is None.
        workers: How many.
        scheduler: Address of a Dask scheduler.
        slurm: Each ``key=value``, the keys being those of :data:`linrep.sweeps.slurm.KEYS`.

    Raises:
        InputError: Options that do not go together, or a package that is not there.

    Example:
        >>> engine(workers=4).kind, engine(scheduler="tcp://node1:8786").kind, engine()
        ('processes', 'dask', None)
    """
    if kind is None:
        kind = "slurm" if slurm else "dask" if scheduler else "processes" if workers is not None else None
    if kind is None:
        return None
    if kind not in get_args(Kind):
        raise InputError(f"--executor: expected one of {', '.join(get_args(Kind))}, got {kind!r}")
    if workers is not None and workers < 1:
        raise InputError(f"--workers: expected at least 1, got {workers}")
    if scheduler is not None and kind != "dask":
        raise InputError(f"--scheduler: only goes with --executor dask, got {kind}; leave one of them out")
    if scheduler is not None and workers is not None:
        raise InputError(
            "--workers, --scheduler: a running scheduler has its own workers; give one of the two"
        )
    if scheduler is not None and not re.fullmatch(r"(\w+://)?[^\s:/]+:\d+", scheduler):
        raise InputError(f"--scheduler: expected an address such as tcp://node1:8786, got {scheduler!r}")
    if slurm and kind != "slurm":
        raise InputError(f"--slurm: only goes with --executor slurm, got {kind}; leave one of them out")
    if kind == "slurm" and workers is None:
        raise InputError("--executor slurm: how many workers? add --workers N")
    _require(kind)
    pairs = tuple(_pair(text) for text in slurm)
    return Engine(kind=cast("Kind", kind), workers=workers, scheduler=scheduler, slurm=pairs)


@contextlib.contextmanager
def executor(chosen: Engine, threads: int, *, out: Path) -> Generator[Executor, None, None]:
    """Workers, for as long as they are needed.

    Args:
        chosen: As checked.
        threads: The most that any cell uses; without a number of workers, as many as fill the cores.
        out: Folder of runs; what SLURM's jobs say goes into its ``.slurm``.

    Raises:
        LostError: The scheduler cannot be reached, or a cluster cannot start here.
        InputError: SLURM is not here, or refuses the job.
    """
    workers = chosen.workers or max(1, cores() // threads)
    if chosen.kind == "processes":
        with Processes(workers, threads) as pool:
            yield pool
        return
    with silent_dask(), contextlib.ExitStack() as stack:
        from distributed import Client

        if chosen.scheduler is not None:
            require_scheduler(chosen.scheduler)
            place: Any = chosen.scheduler
        elif chosen.kind == "dask":
            place = stack.enter_context(local_cluster(workers))
        else:
            place = stack.enter_context(slurm_cluster(chosen.slurm, threads, out / LOGS))
            place.adapt(minimum=workers, maximum=workers)
        client = Client(place, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        stack.callback(client.close, timeout=5)
        pool: Executor = client.get_executor(pure=False)
        if chosen.kind == "slurm":
            pool = stack.enter_context(Watched(pool, Queue(place, out / LOGS).trouble))
        yield pool


def _require(kind: str) -> None:
    for package in {"processes": (), "dask": ("distributed",), "slurm": ("distributed", "dask_jobqueue")}[
        kind
    ]:
        if importlib.util.find_spec(package) is None:
            raise InputError(
                f'--executor {kind}: the package {package} is not installed; pip install "linrep[cluster]"'
            )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if key not in KEYS or not equals or not value:
        raise InputError(f"--slurm: expected KEY=VALUE with a key out of {', '.join(KEYS)}, got {text!r}")
    return key, value
