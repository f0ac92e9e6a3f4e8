"""One cell, wherever it is sent: plain data in, plain data out, everything else through the shared folder."""

import socket
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from linrep.errors import BusyError, DivergedError, FolderError
from linrep.laboratory import run as experiment
from linrep.runs.config import Config
from linrep.runs.toml import parse
from linrep.sweeps.board import Board, Pulse

_turn = threading.Lock()
"""Tensor threads belong to a process: it trains one cell at a time, however many an engine hands it."""


class End(StrEnum):
    """How a cell ended."""

    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    """Something else went wrong with this cell."""
    DIED = "died"
    """Its worker did, whatever killed it."""
    BUSY = "busy"
    """Another process is training it."""
    FOLDER = "folder"
    """The folder of runs cannot be written."""
    STOPPED = "stopped"
    UNSEEN = "unseen"
    """The worker does not see the sweep's folder."""


def attempt(
    config: Config,
    out: Path | str,
    progress: experiment.Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[End, str]:
    """Run a config through the store; whatever goes wrong is told, not raised.

    A sweep sends the cells that it wants trained: a finished run that cannot be read is no reason not to.

    Args:
        config: Resolved.
        out: Folder of runs.
        progress: As of :func:`linrep.run`.
        stop: As of :func:`linrep.run`.

    Returns:
        How it ended, and one line where something went wrong.
    """
    try:
        experiment.run(config, out=out, repair=True, progress=progress, stop=stop)
    except KeyboardInterrupt:
        return End.STOPPED, ""
    except BusyError as error:
        return End.BUSY, str(error)
    except FolderError as error:
        return End.FOLDER, str(error)
    except DivergedError as error:
        return End.DIVERGED, str(error)
    except Exception as error:  # one cell's mishap, whatever it is, must not end the others
        line = " ".join(str(error).split())
        return End.FAILED, line if isinstance(
            error, ValueError
        ) and line else f"{type(error).__name__}: {line}"
    return End.DONE, ""


def train(fields: Mapping[str, Any], out: str, board: str, key: str) -> tuple[str, str]:
    """What an executor is given: train one cell of a sweep, unless the sweep was halted.

    Args:
        fields: The cell's config as plain data.
        out: Folder of runs, absolute.
        board: Folder of the sweep's board.
        key: Of the cell.

    Returns:
        As of :func:`attempt`, as plain words.
    """
    with _turn:
        seen = Board(Path(board))
        if not seen.going():
            return (End.STOPPED if seen.folder.exists() else End.UNSEEN).value, socket.gethostname()
        pulse = Pulse(seen, key)
        seen.tell(key, 0.0)
        try:
            end, text = attempt(parse(fields), out, pulse.advance, pulse.stop)
        finally:
            seen.clear(key)
        return end.value, text
