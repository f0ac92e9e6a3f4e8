"""Worker processes on this machine, each a pool of its own, told its threads before it loads tensors."""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from types import ModuleType
from typing import Any

from linrep.sweeps.interrupts import interrupts_held

_starting = threading.Lock()


class Processes(Executor):
    """Worker processes on this machine, each a pool of its own: one that dies fails its own task, no other's.

    They run functions of modules only: the script that was started is not run again in each, so that one
    without ``if __name__ == "__main__":`` does no harm.

    Args:
        workers: How many.
        threads: Of each, for whatever counts its threads when it is loaded.
    """

    def __init__(self, workers: int, threads: int = 1) -> None:
        self._threads = threads
        self._hands = ThreadPoolExecutor(workers)
        self._idle: queue.SimpleQueue[ProcessPoolExecutor | None] = queue.SimpleQueue()
        for _ in range(workers):
            self._idle.put(None)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in the next process that is free."""
        return self._hands.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more; wait for what is under way, and end the processes."""
        self._hands.shutdown(wait, cancel_futures=cancel_futures)
        with contextlib.suppress(queue.Empty):
            while True:
                pool = self._idle.get_nowait()
                if pool is not None:
                    pool.shutdown(wait)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pool = self._idle.get() or self._process()
        try:
            with interrupts_held(), script_hidden():  # the process begins with its first task
                task = pool.submit(fn, *args, **kwargs)
            return task.result()
        except BrokenExecutor:
            pool.shutdown(wait=False)
            pool = None
            raise
        finally:
            self._idle.put(pool)

    def _process(self) -> ProcessPoolExecutor:
        import multiprocessing

        # Spawned, not forked: a fork copies locks of tensor threads in whatever state they are.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_settle, initargs=(self._threads,))


@contextlib.contextmanager
def script_hidden() -> Generator[None, None, None]:
    """A process that begins in here finds nothing to run again."""
    with _starting:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script


def _settle(threads: int) -> None:
    """First thing in a new process: its threads, and an end with its parent's, however that comes."""
    import multiprocessing

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
