"""What is under way in a sweep, told through the folder that all its workers share.

A sweep's board is a folder of its own, ``<root>/.partial/board.…/``. As long as the file ``go`` lies there,
cells are worked on; a worker puts a file for its cell there, with the share that is done, and takes it away
at the end. Nothing else is needed to show or to stop workers, whatever engine runs them, on any machine.
The sweep holds a lock in it: a board whose lock nobody holds was left by one that was killed.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from linrep.errors import BusyError
from linrep.files import make_folder, new_folder, one_line_errors
from linrep.runs.store import BOARD, LOCK, PARTIAL, locked

GO = "go"
PULSE = 1.0
"""Seconds between two looks at the board, or two words on it, by a worker."""


@dataclass(frozen=True, slots=True)
class Board:
    """A sweep's folder for signs of life."""

    folder: Path

    def going(self) -> bool:
        """Whether work is wanted."""
        return (self.folder / GO).exists()

    def halt(self) -> None:
        """Have every worker leave its cell, resumable, and take no other."""
        (self.folder / GO).unlink(missing_ok=True)

    def shares(self) -> dict[str, float]:
        """Keys of the cells at work, and the share of each that is done."""
        found: dict[str, float] = {}
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.folder):
                if entry.name not in (GO, LOCK):
                    with contextlib.suppress(OSError, ValueError):
                        found[entry.name] = float(Path(entry.path).read_text() or 0)
        return found

    def tell(self, key: str, share: float) -> None:
        """Say how far a cell is. A full disk is no matter here: what counts is written elsewhere."""
        with contextlib.suppress(OSError):
            (self.folder / key).write_text(f"{share:.4f}")

    def clear(self, key: str) -> None:
        """Take a cell off the board."""
        with contextlib.suppress(OSError):
            (self.folder / key).unlink(missing_ok=True)


class Pulse:
    """A worker's side of the board: asked and told at every step, it touches the disk once in a while."""

    def __init__(self, board: Board, key: str) -> None:
        self._board, self._key = board, key
        self._looked = self._told = float("-inf")
        self._halted = False

    def stop(self) -> bool:
        """Whether the sweep was halted."""
        now = time.monotonic()
        if not self._halted and now - self._looked >= PULSE:
            self._looked = now
            self._halted = not self._board.going()
        return self._halted

    def advance(self, done: int, steps: int, loss: float) -> None:
        """Tell the board how far training is."""
        del loss
        now = time.monotonic()
        if now - self._told >= PULSE:
            self._told = now
            self._board.tell(self._key, done / max(steps, 1))


@contextlib.contextmanager
def hung(root: Path) -> Generator[Board, None, None]:
    """A new board in a folder of runs, taken down at the end.

    Raises:
        InputError: The folder cannot be written.
    """
    with one_line_errors(root):
        make_folder(root / PARTIAL)
        folder = new_folder(root / PARTIAL, BOARD)
    with locked(folder, BusyError(f"{folder}: another process holds it")):
        with one_line_errors(root):
            (folder / GO).touch()
        board = Board(folder)
        try:
            yield board
        finally:
            board.halt()
            # Out of reach first: what a worker tells while the folder is emptied would keep it there.
            over = folder.with_suffix(f"{folder.suffix}-over")
            with contextlib.suppress(OSError):
                folder.rename(over)
            shutil.rmtree(over, ignore_errors=True)
