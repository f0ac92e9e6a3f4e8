"""A grid of configs, run through the store: found again, resumed, and one failure does not stop the rest.

A cell is one config; all its seeds train together. Cells run one after another here, or on the workers of any
``concurrent.futures.Executor``; a cell ends in the same bits wherever it runs.
"""

import contextlib
import copy
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from linrep import failures, run_folder
from linrep.config import Config
from linrep.config_file import parse
from linrep.dispatch import dispatch
from linrep.errors import BusyError, FolderError, InputError, LostError
from linrep.experiment import require_device
from linrep.failures import Failure
from linrep.laboratory import data_hash, resolve, worlds
from linrep.result import Result
from linrep.store import Store, run_key
from linrep.sweep_file import Axis, Sweep, set_key
from linrep.worker import End, attempt

Watch = Callable[["Standing"], None]
"""Told how things are, every now and then."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a sweep is."""

    cells: int
    done: int
    """Finished now or before."""
    failed: int
    running: Mapping[str, float]
    """Labels of the cells at work, and the share of each that is done."""
    share: float
    """Of the work that there was to do, by the estimate of each cell's cost."""


def cells(sweep: Sweep, *, threads: int | None = None) -> tuple[Cell, ...]:
    """Every cell of a sweep, checked before anything is trained.

    Args:
        sweep: As read from a file.
        threads: For cells whose config names none; by default all that this process may use. They are part
            of a run's key, so sweeps over the same threads find each other's runs, on however many workers.

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
        config = parse(fields, source=f"{sweep.source}: cell {words}")
        if config.compute.threads is None and threads is not None:
            config = config.model_copy(
                update={"compute": config.compute.model_copy(update={"threads": threads})}
            )
        found.append(_cell(config, coordinates))
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
    executor: Executor | None = None,
    retry: bool = False,
) -> Generator[Outcome, None, None]:
    """Run cells, finished ones found again and interrupted ones continued.

    Args:
        grid: What to run.
        out: Folder of runs; all workers must see it.
        watch: Told how far things are.
        stop: Asked between steps; when true, cells at work are left resumable, and KeyboardInterrupt raised.
        executor: Workers to run on: a process pool (under ``if __name__ == "__main__":``), Dask's
            ``client.get_executor(pure=False)``, any other. Without one, cells run here, one after another.
        retry: Train again even what diverged before.

    Yields:
        Each cell's outcome, in the order of the grid. A cell that fails yields its error, which is kept in
        the folder; the rest go on. One that diverged would do so again: it is not trained again unless told.

    Raises:
        InputError: A folder that cannot be written.
        LostError: The executor is gone, or its workers do not see the folder.
        KeyboardInterrupt: When stopped.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from linrep.sweep_file import parse_sweep
        >>> base = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 5}}
        >>> grid = cells(parse_sweep({"base": base, "axes": {"model.dim": [1, 2]}}), threads=1)
        >>> with tempfile.TemporaryDirectory() as out, ThreadPoolExecutor() as pool:
        ...     [outcome.error for outcome in run_cells(grid, out=out, executor=pool)]
        ['', '']
    """
    store = Store(Path(out).absolute())
    ended: dict[str, str] = {}
    for cell in grid:
        known = None if retry else failures.find(store.root, cell.key)
        if store.find(cell.key) is not None:
            ended[cell.key] = ""
        elif known is not None and known.final:
            ended[cell.key] = known.error
    tally = _Tally(grid, ended, watch)
    todo = {cell.key: cell for cell in grid if cell.key not in ended}
    if executor is None:
        run = _here(todo, store.root, tally, stop)
    else:
        configs = {key: cell.config for key, cell in todo.items()}
        run = dispatch(configs, out=store.root, executor=executor, look=tally.look, stop=stop)
    with contextlib.closing(run):
        for cell in grid:
            while cell.key not in ended:
                key, end, text = next(run)
                _remember(store.root, todo[key], end, text)
                ended[key] = text
                tally.end(key, text)
            yield _outcome(store, cell, ended[cell.key])


def _here(
    todo: Mapping[str, Cell], root: Path, tally: "_Tally", stop: Callable[[], bool]
) -> Generator[tuple[str, End, str], None, None]:
    """Cells one after another in this process; the twin of :func:`linrep.dispatch.dispatch`."""
    for device in {cell.config.compute.device for cell in todo.values()}:
        require_device(device)
    for key, cell in todo.items():
        if stop():
            raise KeyboardInterrupt
        tally.look({key: 0.0})

        def advance(done: int, steps: int, loss: float, key: str = key) -> None:
            del loss
            tally.look({key: done / max(steps, 1)})

        end, text = attempt(cell.config, root, advance, stop)
        if end == End.STOPPED:
            raise KeyboardInterrupt
        if end in (End.FOLDER, End.BUSY):
            raise (FolderError if end == End.FOLDER else BusyError)(text)
        yield key, end, text


class _Tally:
    """Counts cells by what has become of them."""

    def __init__(self, grid: Sequence[Cell], ended: Mapping[str, str], watch: Watch | None) -> None:
        self._watch = watch
        self._todo = {cell.key: cell for cell in grid if cell.key not in ended}
        self._cells = len(grid)
        self._failed = sum(bool(error) for error in ended.values())
        self._done = len(ended) - self._failed
        self._work, self._worked = sum(cell.cost for cell in self._todo.values()), 0.0

    def end(self, key: str, error: str) -> None:
        """Count a cell that has ended."""
        self._failed += bool(error)
        self._done += not error
        self._worked += self._todo[key].cost
        self.look({})

    def look(self, shares: Mapping[str, float]) -> None:
        """Tell whoever watches, given the cells at work and the share of each that is done."""
        if self._watch is None:
            return
        running = [(self._todo[key], share) for key, share in shares.items() if key in self._todo]
        worked = self._worked + sum(cell.cost * share for cell, share in running)
        self._watch(
            Standing(
                cells=self._cells,
                done=self._done,
                failed=self._failed,
                running={cell.label: share for cell, share in running},
                share=worked / self._work if self._todo else 1.0,
            )
        )


def _remember(root: Path, cell: Cell, end: End, error: str) -> None:
    if end == End.DONE:
        failures.forget(root, cell.key)
    else:
        failures.keep(root, Failure(key=cell.key, label=cell.label, error=error, final=end == End.DIVERGED))


def _outcome(store: Store, cell: Cell, error: str) -> Outcome:
    if error:
        return Outcome(cell=cell, result=None, error=error)
    folder = store.find(cell.key)
    if folder is None:
        raise LostError(
            f"{store.root}: a worker finished {cell.key}, which is not there; workers must share --out"
        )
    return Outcome(cell=cell, result=run_folder.read(folder))


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
