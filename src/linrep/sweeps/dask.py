"""Dask as the engine of a sweep: a scheduler that runs already, or processes here; trouble in one line."""

import asyncio
import contextlib
import logging
from collections.abc import Generator
from typing import Any, cast

from linrep.errors import LostError
from linrep.sweeps.interrupts import interrupts_held
from linrep.sweeps.processes import script_hidden
from linrep.sweeps.silence import silenced

SECONDS_TO_CONNECT = 15
"""For a scheduler to say its first word."""


def require_scheduler(address: str) -> None:
    """Make sure that a scheduler answers; a client of Dask would wait for ever for a port that is mute.

    Args:
        address: Such as ``tcp://node1:8786``.

    Raises:
        LostError: None does.
    """
    from distributed.core import rpc
    from distributed.security import Security
    from distributed.utils import LoopRunner

    keys = Security().get_connection_args("client")  # as a client has them, for tls://

    async def who() -> str:
        async with (
            asyncio.timeout(SECONDS_TO_CONNECT),
            rpc(address, timeout=SECONDS_TO_CONNECT, connection_args=keys) as peer,
        ):
            answer: Any = await peer.identity()
            return str(answer["type"])

    try:
        # On a loop in a thread of its own: here one may run already, as in every notebook.
        found = cast("str", LoopRunner().run_sync(who))
    except (OSError, ValueError, TimeoutError) as error:
        reason = _words(error) or f"not a word in {SECONDS_TO_CONNECT} s"
        raise LostError(f"scheduler {address}: cannot be reached ({reason}); is it running?") from None
    if found != "Scheduler":
        raise LostError(f"scheduler {address}: is no scheduler but a {found.lower()}; give the scheduler's")


@contextlib.contextmanager
def local_cluster(workers: int) -> Generator[Any, None, None]:
    """A Dask cluster of processes on this machine.

    Args:
        workers: How many processes, each training one cell at a time.

    Yields:
        The cluster.

    Raises:
        LostError: It cannot be started.
    """
    from distributed import LocalCluster

    try:
        with interrupts_held(), script_hidden():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=cast("str", None),
                # Any port, as the usual one may be taken; for nobody who is not on this machine.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError) as error:
        raise LostError(f"executor: a Dask cluster cannot start here ({_words(_root(error))})") from None
    with cluster:
        yield cluster


@contextlib.contextmanager
def silent_dask() -> Generator[None, None, None]:
    """Keep Dask's own words about lost workers off the screen."""
    import distributed  # its loggers must be there to be silenced

    del distributed
    with silenced("distributed|tornado|asyncio"):
        yield


def _root(error: BaseException) -> BaseException:
    """What it all began with: Dask wraps it several times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())
