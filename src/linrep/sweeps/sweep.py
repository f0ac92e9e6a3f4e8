"""A grid of configs, run through the store: found again, resumed, and one failure does not stop the rest.

A cell is one config; all its seeds train together. Cells run one after another here, or on the workers of any
``concurrent.futures.Executor``; a cell ends in the same bits wherever it runs.
"""

import contextlib
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from linrep.errors import DamagedError, FolderError, InputWarning, LostError
from linrep.files import require_writable
from linrep.laboratory.machine import require_device
from linrep.runs import failures
from linrep.runs import folder as run_folder
from linrep.runs.failures import Failure
from linrep.runs.finished import Finished, read_finished
from linrep.runs.result import Result
from linrep.runs.store import Store
from linrep.sweeps.dispatch import dispatch
from linrep.sweeps.grid import Cell
from linrep.sweeps.worker import End, attempt

PAUSE, PULSE = 1.0, 0.1
"""Seconds before cells that another process trains are asked for again, and between two looks meanwhile."""
Watch = Callable[["Standing"], None]
"""Told how things are, every now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A cell that was run: what came of it, or why nothing did."""

    cell: Cell
    folder: Path | None = None
    """Of its run; None where there is an error."""
    finished: Finished | None = None
    """The run's numbers."""
    error: str = ""

    @property
    def result(self) -> Result | None:
        """All of the run, read from its folder each time; None where there is an error.

        Raises:
            DamagedError: What is no part of its numbers cannot be read.
        """
        return None if self.folder is None else run_folder.read(self.folder)


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
        retry: Train again even what diverged before, and finished cells that cannot be read.

    Yields:
        Each cell's outcome, in the order of the grid. A cell that fails yields its error, which is kept in
        the folder; the rest go on. One that diverged would do so again: it is not trained again unless told.
        Nor is a finished one that is damaged; that is its error then.

    Raises:
        InputError: A folder that cannot be written.
        LostError: The executor is gone, or its workers do not see the folder.
        KeyboardInterrupt: When stopped.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from linrep.sweeps.grid import cells
        >>> from linrep.sweeps.file import parse_sweep
        >>> base = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 5}}
        >>> grid = cells(parse_sweep({"base": base, "axes": {"model.dim": [1, 2]}}), threads=1)
        >>> with tempfile.TemporaryDirectory() as out, ThreadPoolExecutor() as pool:
        ...     [outcome.error for outcome in run_cells(grid, out=out, executor=pool)]
        ['', '']
    """
    store = Store(Path(out).absolute())
    store.sweep_up()
    ended: dict[str, str] = {}
    for cell in grid:
        error = _known(store, cell.key, retry=retry)
        if error is not None:
            ended[cell.key] = error
    tally = _Tally(grid, ended, watch)
    todo = {cell.key: cell for cell in grid if cell.key not in ended}
    if todo:
        require_writable(store.root)
    if executor is None:
        run = _here(todo, store, tally, stop, retry=retry)
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


def _known(store: Store, key: str, *, retry: bool) -> str | None:
    """How a cell ended before, as its error or "" where it has none; None where it is to be trained."""
    folder = store.find(key)
    if folder is not None and (not retry or run_folder.is_whole(folder)):
        return ""
    failure = None if retry else failures.find(store.root, key)
    return failure.error if failure is not None and failure.final else None


def _here(
    todo: Mapping[str, Cell],
    store: Store,
    tally: "_Tally",
    stop: Callable[[], bool],
    *,
    retry: bool,
) -> Generator[tuple[str, End, str], None, None]:
    """Cells one after another in this process; the twin of :func:`linrep.sweeps.dispatch.dispatch`."""
    for device in {cell.config.compute.device for cell in todo.values()}:
        require_device(device)
    left = dict(todo)
    while left:
        busy: dict[str, Cell] = {}
        for key, cell in left.items():
            if stop():
                raise KeyboardInterrupt
            end, text = _met(store, key, retry=retry) or _tried(cell, store.root, tally, stop)
            if end == End.BUSY:
                busy[key] = cell
            else:
                yield key, end, text
        if len(busy) == len(left):
            _wait(busy, stop)
        left = busy


def _met(store: Store, key: str, *, retry: bool) -> tuple[End, str] | None:
    """How another process, which shares the folder, has ended a cell since it was planned."""
    error = None if retry else _known(store, key, retry=False)
    return None if error is None else (End.DIVERGED if error else End.DONE, error)


def _tried(cell: Cell, root: Path, tally: "_Tally", stop: Callable[[], bool]) -> tuple[End, str]:
    """Train a cell, unless another process does.

    Raises:
        FolderError: The folder cannot be written.
        KeyboardInterrupt: When stopped.
    """
    tally.look({cell.key: 0.0})

    def advance(done: int, steps: int, loss: float) -> None:
        del loss
        tally.look({cell.key: done / max(steps, 1)})

    end, text = attempt(cell.config, root, advance, stop)
    if end == End.STOPPED:
        raise KeyboardInterrupt
    if end == End.FOLDER:
        raise FolderError(text)
    return end, text


def _wait(busy: Mapping[str, Cell], stop: Callable[[], bool]) -> None:
    """Nothing is left to do here but what others do."""
    many = len(busy)
    warnings.warn(
        f"{'the last cell is' if many == 1 else f'the last {many} cells are'} being trained by another "
        "process that shares the folder; waiting for it",
        InputWarning,
        stacklevel=2,
    )
    until = time.monotonic() + PAUSE
    while time.monotonic() < until and not stop():
        time.sleep(PULSE)


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
        return Outcome(cell=cell, error=error)
    folder = store.find(cell.key)
    if folder is None:
        raise LostError(
            f"{store.root}: a worker finished {cell.key}, which is not there; workers must share --out"
        )
    try:
        return Outcome(cell=cell, folder=folder, finished=read_finished(folder))
    except DamagedError as damage:
        return Outcome(cell=cell, error=as_error(damage))


def as_error(damage: DamagedError) -> str:
    """What becomes of a cell whose run cannot be read."""
    return f"{damage.what}; train it again with --retry"
