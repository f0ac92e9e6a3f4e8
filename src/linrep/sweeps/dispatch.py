"""Cells over any executor: sent, told how they ended, sent again when a worker died under them."""

import contextlib
import queue
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import Any

from linrep.errors import FolderError, LostError
from linrep.runs.config import Config
from linrep.runs.world_config import NetworkWorld
from linrep.sweeps import worker
from linrep.sweeps.board import Board, hung
from linrep.sweeps.worker import End
from linrep.worlds.network_file import network_path

Task = Future[tuple[str, str]]

DEATHS = 3
"""How many workers may die under a cell before it is given up."""
PULSE = 0.5
"""Seconds between two looks at what is under way."""
PAUSE = 2.0
"""Seconds before a cell that another process trains is asked for again."""
PATIENCE = 60.0
"""Seconds that cells under way get to leave their checkpoints when a sweep stops."""


def dispatch(
    configs: Mapping[str, Config],
    *,
    out: Path,
    executor: Executor,
    look: Callable[[Mapping[str, float]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[tuple[str, End, str], None, None]:
    """Train every config once, on whatever workers an executor has.

    Args:
        configs: Resolved, by key.
        out: Folder of runs; all workers must see it.
        executor: Any.
        look: Given the cells at work and the share of each that is done, twice a second.
        stop: Asked twice a second; when true, cells at work are left resumable.

    Yields:
        Key, end (done, diverged or failed) and one line of error, as cells end.

    Raises:
        FolderError: The folder cannot be written. Other cells at work are left resumable.
        LostError: The executor is gone, or its workers do not see the folder.
        KeyboardInterrupt: When stopped.
    """
    deaths: Counter[str] = Counter()
    wanted = dict(configs)
    if not wanted:
        return
    with hung(out) as board, _crew(board, executor, out) as crew:
        for key, config in configs.items():
            crew.send(key, config)
        while wanted:
            if stop():
                raise KeyboardInterrupt
            look(board.shares())
            for key, end, text in crew.back():
                board.clear(key)  # a worker that died did not
                deaths[key] += end == End.DIED
                if end == End.BUSY:
                    crew.postpone(key, wanted[key])
                elif end == End.DIED and deaths[key] < DEATHS:
                    crew.send(key, wanted[key])
                else:
                    del wanted[key]
                    yield key, End.FAILED if end == End.DIED else end, text


class _Crew:
    """Cells in the hands of an executor."""

    def __init__(self, board: Board, executor: Executor, out: Path) -> None:
        self._board, self._executor, self._out = board, executor, out
        self._tasks: dict[Task, str] = {}
        self._ended: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._postponed: list[tuple[float, str, Config]] = []

    def send(self, key: str, config: Config) -> None:
        """Hand a cell over."""
        arguments = (_plain(config), str(self._out), str(self._board.folder), key)
        try:
            task: Task = self._executor.submit(worker.train, *arguments)
        except Exception as error:
            raise _lost(f"it takes no cells ({_words(error)})") from None
        self._tasks[task] = key
        task.add_done_callback(self._ended.put)

    def postpone(self, key: str, config: Config) -> None:
        """Hand a cell over a little later."""
        self._postponed.append((time.monotonic() + PAUSE, key, config))

    def back(self) -> Iterator[tuple[str, End, str]]:
        """The cells that have ended; waits a moment for the first."""
        for entry in [each for each in self._postponed if each[0] <= time.monotonic()]:
            self._postponed.remove(entry)
            self.send(*entry[1:])
        with contextlib.suppress(queue.Empty):
            task = self._ended.get(timeout=PULSE)
            while True:
                yield (self._tasks.pop(task), *_end(task, self._out))
                task = self._ended.get_nowait()

    def dismiss(self) -> None:
        """Take back what has not begun, and let what has begun leave its checkpoint."""
        self._board.halt()
        at_work = self._board.shares()
        # What has not begun has no sign on the board; some executors let a running task be cancelled too.
        left = [task for task, key in self._tasks.items() if key in at_work or not task.cancel()]
        wait(left, timeout=PATIENCE)


@contextlib.contextmanager
def _crew(board: Board, executor: Executor, out: Path) -> Generator[_Crew, None, None]:
    crew = _Crew(board, executor, out)
    try:
        yield crew
    finally:
        crew.dismiss()


def _end(task: Task, out: Path) -> tuple[End, str]:
    """How a task ended, when that concerns its cell alone.

    Raises:
        FolderError, LostError: When it concerns every cell.
    """
    if task.cancelled():
        raise _lost("it dropped its cells, as one does whose scheduler is gone")
    error = task.exception()
    if isinstance(error, LostError):
        raise error
    if error is not None:
        # Dask's word for a task under which workers died; imported by whoever made the executor, if at all.
        if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":
            return End.DIED, f"its worker died {DEATHS} times: killed, or out of memory; use fewer workers"
        return End.FAILED, _words(error)
    end, text = End(task.result()[0]), task.result()[1]
    if end == End.FOLDER:
        raise FolderError(text)
    if end in (End.STOPPED, End.UNSEEN):
        raise LostError(
            f"{out}: the worker on {text} does not see this sweep there; name a folder with --out that all "
            "machines share"
        )
    return end, text


def _plain(config: Config) -> dict[str, Any]:
    """A config as plain data that means the same in another working directory."""
    fields = config.model_dump(mode="json")
    if isinstance(config.world, NetworkWorld):
        path = network_path(config.world.network)
        if path == Path(config.world.network):  # a file of the user's, not one that ships
            fields["world"]["network"] = str(path.absolute())
    return fields


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _lost(what: str) -> LostError:
    return LostError(f"executor: {what}; the same command goes on from here, finished cells are kept")
