"""Ctrl-C and SIGTERM as a wish to stop soon."""

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


@contextlib.contextmanager
def stop_on_signal(*, patient: bool = False) -> Generator[Callable[[], bool], None, None]:
    """Catch the first Ctrl-C or SIGTERM as a wish to stop soon; a second Ctrl-C stops at once.

    Args:
        patient: However many come, stop soon: torchrun passes on a Ctrl-C, then SIGTERM, then kills.

    Yields:
        A function that says whether a stop was asked for. Signals are the main thread's: in another it always
        says no, and whoever runs that thread stops it.
    """
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if asked and not patient:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A handler that was not set from Python is None here, and could not be given back.
    ours = threading.current_thread() is threading.main_thread() and None not in before.values()
    for number in before if ours else ():
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items() if ours else ():
            signal.signal(number, handler)
