"""Ctrl-C kept from workers: it is for the process that leads them."""

import contextlib
import signal
from collections.abc import Generator


@contextlib.contextmanager
def interrupts_held() -> Generator[None, None, None]:
    """Threads and processes begun in here never hear of Ctrl-C: it is for this process, which tells them.

    They inherit what the thread that starts them has blocked. A Ctrl-C meanwhile is heard afterwards.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # first: starting it lifts the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
