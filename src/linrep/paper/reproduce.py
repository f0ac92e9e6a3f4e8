"""Run experiments through the store, and write their pages as each becomes whole."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from linrep.paper.catalogue import experiment
from linrep.paper.extra_numbers import extra_rows
from linrep.paper.record import Experiment
from linrep.paper.report import Report
from linrep.sweeps.file import Sweep, load_sweep
from linrep.sweeps.grid import Cell, cells
from linrep.sweeps.result import collected
from linrep.sweeps.sweep import Watch, run_cells

Plan = tuple[Experiment, Sweep, tuple[Cell, ...], str]
"""An experiment, its sweep and cells, and the command that makes it."""


def sweep_of(name: str, *, quick: bool = False, device: str | None = None) -> Sweep:
    """The sweep that ships with an experiment.

    Args:
        name: Of the experiment.
        quick: Smaller and shorter.
        device: Where its runs train; by default where it says.

    Example:
        >>> sweep_of("dimension").axes[1].name
        'model.dim'
    """
    with as_file(files("linrep.paper") / f"{name}.toml") as path:
        settings = [] if device is None else [f"compute.device={device}"]
        return replace(load_sweep(path, settings, quick=quick), source=f"experiment {name}")


def plan(
    names: Sequence[str], *, quick: bool = False, options: str = "", device: str | None = None
) -> list[Plan]:
    """Everything that is to be run, checked before anything is.

    Args:
        names: Of experiments.
        quick: Smaller and shorter.
        options: What else stood in the command.
        device: Where runs train; by default where each experiment says.

    Raises:
        InputError: An unknown name.
    """
    found: list[Plan] = []
    for name in dict.fromkeys(names):
        sweep = sweep_of(name, quick=quick, device=device) if experiment(name) else None
        assert sweep is not None, "experiment() refuses unknown names"
        command = f"linrep reproduce {name}{' --quick' if quick else ''}{options}"
        found.append((experiment(name), sweep, cells(sweep), command))
    return found


def reports(
    plans: Sequence[Plan],
    runs: Path,
    *,
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
    executor: Executor | None = None,
    retry: bool = False,
) -> Iterator[Report]:
    """Run plans, one after another, under one measure of progress.

    Args:
        plans: What to run.
        runs: Folder of runs.
        watch: Told which cells are at work and how much of everything is done.
        stop: Asked between steps.
        executor: Workers; see :func:`linrep.sweeps.sweep.run_cells`.
        retry: Train again what diverged before.

    Yields:
        Each experiment when its last cell ends; finished cells are found again, interrupted ones go on.

    Raises:
        KeyboardInterrupt: When stopped; the same call continues.
    """
    grid = [cell for plan in plans for cell in plan[2]]
    running = run_cells(grid, out=runs, watch=watch, stop=stop, executor=executor, retry=retry)
    with contextlib.closing(running) as outcomes:
        for study, sweep, grid, command in plans:
            extra = None if study.extra is None else partial(extra_rows, study, runs=runs)
            found = collected(sweep, grid, outcomes, extra)
            yield Report(
                experiment=study,
                sweep=sweep,
                numbers=found.numbers,
                outcomes=found.outcomes,
                seconds=found.seconds,
                command=command,
            )
