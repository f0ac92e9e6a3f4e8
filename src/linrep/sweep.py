"""A grid of configs, run through the store: found again, resumed, and one failure does not stop the rest.

A cell is one config; all its seeds train together. :func:`train_cell` takes a config and a folder and nothing
else, so that whoever runs cells may do so in another process or on another machine.
"""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linrep import experiment
from linrep.config import Config
from linrep.config_file import parse
from linrep.errors import DivergedError, InputError
from linrep.laboratory import data_hash, resolve, worlds
from linrep.result import Result
from linrep.store import run_key
from linrep.sweep_file import Axis, Sweep, set_key

Watch = Callable[["Cell", float], None]
"""Called with the cell at work and the share of all work that is done, by the estimate of :func:`cost`."""

STEP_COST, LOGIT_COST, LOOK_COST = 5e-4, 1.2e-8, 2e-3
"""Seconds for a step, for a logit of each run in it, and for measuring a run once: a rough estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid."""

    coordinates: tuple[tuple[str, str], ...]
    """Axis and label, in the order of the axes."""
    config: Config
    """As it will run: every default filled in."""
    key: str
    """Of its run in the store."""
    cost: float
    """Seconds to expect, roughly."""

    @property
    def label(self) -> str:
        """The coordinates in words."""
        return ", ".join(f"{axis} {label}" for axis, label in self.coordinates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A cell that was run: what came of it, or why nothing did."""

    cell: Cell
    result: Result | None
    error: str = ""


def cells(sweep: Sweep) -> tuple[Cell, ...]:
    """Every cell of a sweep, checked before anything is trained.

    Args:
        sweep: As read from a file.

    Returns:
        The cells, the last axis varying fastest.

    Raises:
        InputError: An unknown key or a bad value in any config, an axis that varies nothing, or two cells
            that are the same run.

    Example:
        >>> from linrep.sweep_file import parse_sweep
        >>> plain = {"base": {"world": {"kind": "chain"}}, "axes": {"world.concepts": [2, 3]}}
        >>> [cell.label for cell in cells(parse_sweep(plain))]
        ['world.concepts 2', 'world.concepts 3']
    """
    found: list[Cell] = []
    for points in itertools.product(*(axis.points for axis in sweep.axes)):
        fields = copy.deepcopy(dict(sweep.base))
        for key, value in (change for point in points for change in point.changes):
            set_key(fields, key, value, sweep.source)
        coordinates = tuple((axis.name, point.label) for axis, point in zip(sweep.axes, points, strict=True))
        words = ", ".join(f"{axis} = {label}" for axis, label in coordinates)
        found.append(_cell(parse(fields, source=f"{sweep.source}: cell {words}"), coordinates))
    for axis in sweep.axes:
        if _varies_nothing(axis, found):
            raise InputError(
                f"{sweep.source}: axis {axis.name!r} varies nothing: whatever its value, the runs are the "
                "same; "
                "remove it or correct its key"
            )
    seen: dict[str, Cell] = {}
    for cell in found:
        other = seen.setdefault(cell.key, cell)
        if other is not cell:
            raise InputError(
                f"{sweep.source}: two cells are the same run: ({other.label}) and ({cell.label}) both have "
                "the "
                f"key {cell.key}; vary what matters to both, or name the points of one axis"
            )
    return tuple(found)


def run_cells(
    grid: Sequence[Cell],
    *,
    out: Path | str,
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Run cells one after another, finished ones found again and interrupted ones continued.

    Args:
        grid: What to run.
        out: Folder of runs.
        watch: Told how far things are.
        stop: Asked between steps; when true the cell is left resumable and KeyboardInterrupt is raised.

    Yields:
        Each cell's outcome as it ends. A cell whose every run diverged yields its error; the rest go on.

    Raises:
        InputError: A folder that cannot be written.
        KeyboardInterrupt: When stopped.
    """
    total = sum(cell.cost for cell in grid)
    before = 0.0
    for cell in grid:
        if stop():
            raise KeyboardInterrupt
        if watch is not None:
            watch(cell, before / total)
        yield _outcome(cell, out, _within(cell, before, total, watch), stop)
        before += cell.cost
    if watch is not None and grid:
        watch(grid[-1], 1.0)


def train_cell(
    config: Config,
    out: Path | str,
    progress: experiment.Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Run one cell through the store."""
    return experiment.run(config, out=out, progress=progress, stop=stop)


def _outcome(
    cell: Cell, out: Path | str, progress: experiment.Progress | None, stop: Callable[[], bool]
) -> Outcome:
    try:
        return Outcome(cell=cell, result=train_cell(cell.config, out, progress, stop))
    except DivergedError as error:
        return Outcome(cell=cell, result=None, error=str(error))


def _within(cell: Cell, before: float, total: float, watch: Watch | None) -> experiment.Progress | None:
    if watch is None:
        return None

    def advance(done: int, steps: int, loss: float) -> None:
        del loss
        watch(cell, (before + cell.cost * done / max(steps, 1)) / total)

    return advance


def _cell(config: Config, coordinates: tuple[tuple[str, str], ...]) -> Cell:
    # Without a width the widest of all runs' worlds gives it; with one, a single world tells the cost.
    built = worlds(config if config.model.dim is None else config.model_copy(update={"runs": 1}))
    resolved = resolve(config, built)
    contexts = max(len(world.codes) for world in built)
    tokens = max(len(world.tokens) for world in built)
    rows = config.training.batch_size or contexts
    step = STEP_COST + LOGIT_COST * config.runs * rows * tokens
    look = LOOK_COST * config.runs * (1 + contexts / 300)
    return Cell(
        coordinates=coordinates,
        config=resolved,
        key=run_key(resolved, data_hash(resolved)),
        cost=config.training.steps * step + config.training.snapshots * look,
    )


def _varies_nothing(axis: Axis, grid: Sequence[Cell]) -> bool:
    """Whether the cells that differ in this axis alone are the same runs, all over the grid."""
    keys: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for cell in grid:
        rest = tuple(each for each in cell.coordinates if each[0] != axis.name)
        keys.setdefault(rest, set()).add(cell.key)
    return all(len(each) == 1 for each in keys.values())


def where(cell: Cell) -> Mapping[str, str]:
    """A cell's coordinates by axis."""
    return dict(cell.coordinates)
