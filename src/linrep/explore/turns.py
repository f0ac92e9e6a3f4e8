"""Turns at the processors: first come, first served, each for a slice, so that no tab starves another."""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator

SLICE = 0.03
"""Seconds that a tab trains before it lets the next one."""


class Turns:
    """So many at once; whoever waits longest is next.

    A lock would do for one processor, but a lock is no queue: who gives it back may take it again at once.

    Args:
        places: How many may train at the same time; by default one for each processor.

    Example:
        >>> turns = Turns(1)
        >>> with turns.turn():
        ...     turns.waiting
        0
    """

    def __init__(self, places: int | None = None) -> None:
        self._free = places or os.cpu_count() or 1
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self._queue)

    @contextlib.contextmanager
    def turn(self) -> Generator[None, None, None]:
        """A place, once it is ours; given to the next in the queue at the end."""
        mine = threading.Event()
        with self._lock:
            if self._free:
                self._free -= 1
                mine.set()
            else:
                self._queue.append(mine)
        mine.wait()
        try:
            yield
        finally:
            with self._lock:
                if self._queue:
                    self._queue.popleft().set()
                else:
                    self._free += 1
