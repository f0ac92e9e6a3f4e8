"""What is told while work goes on: bars on stderr with the time left; other libraries' words held back."""

import contextlib
import logging
import re
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from types import FrameType

Advance = Callable[[int, int, float], None]
NOTEBOOK_SECONDS = 0.25
"""Between two looks of a bar in a notebook: each is sent to the browser."""


@contextlib.contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Generator[Advance | None, None, None]:
    """A bar for one run: steps done, excess loss so far, time left.

    Args:
        title: What is under way.
        quiet: Show nothing.

    Yields:
        A function of (steps done, steps in all, excess loss in nats), or None when nothing is shown.
    """
    with _bar(title, "excess …", quiet=quiet) as advance:
        if advance is None:
            yield None
        else:
            yield lambda done, total, loss: advance(done, total, f"excess {loss:.3g} nats")


@contextlib.contextmanager
def counting_bar(title: str, *, quiet: bool = False) -> Generator[Callable[..., None] | None, None, None]:
    """A bar for work that is counted, such as contexts read or models trained.

    Args:
        title: What is counted.
        quiet: Show nothing.

    Yields:
        A function of (done, in all, what is under way), or None when nothing is shown.
    """
    with _bar(title, "", quiet=quiet) as advance:
        yield advance


@contextlib.contextmanager
def _bar(title: str, now: str, *, quiet: bool) -> Generator[Callable[..., None] | None, None, None]:
    if quiet:
        yield None
        return
    from rich.console import Console

    console = Console(file=sys.stderr)
    if console.is_jupyter:
        with _notebook_bar(title, now) as advance:
            yield advance
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, now=now)

        def advance(done: int, total: int, now: str = "") -> None:
            bar.update(task, completed=done, total=total, now=now)

        yield advance


@contextlib.contextmanager
def _notebook_bar(title: str, now: str) -> Generator[Callable[..., None], None, None]:
    """One output of a notebook's cell, rewritten a few times a second, empty at the end; without widgets."""
    import time
    from html import escape
    from importlib import import_module

    notebook = import_module("IPython.display")
    began = shown = time.monotonic()

    def bar(done: int, total: int, now: str) -> object:
        left = (time.monotonic() - began) * (total - done) / done if done else float("nan")
        words = f"{done:,}/{total:,} {now}" + (f", {left:,.0f} s left" if done else "") if total else now
        size = f' value="{done}" max="{total}"' if total else ""
        return notebook.HTML(f"<span>{escape(title)} <progress{size}></progress> {escape(words)}</span>")

    place = notebook.display(bar(0, 0, now), display_id=True)

    def advance(done: int, total: int, now: str = "") -> None:
        nonlocal shown
        if time.monotonic() - shown > NOTEBOOK_SECONDS:
            shown = time.monotonic()
            place.update(bar(done, total, now))

    try:
        yield advance
    finally:
        place.update(notebook.HTML(""))


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


class _Silence:
    """What is held back for several threads at once comes back when the last of them is through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: Counter[logging.Logger | None] = Counter()  # None: the warnings
        self._levels: dict[logging.Logger, int] = {}
        self._warnings = contextlib.ExitStack()

    def begin(self, loggers: Sequence[logging.Logger]) -> None:
        with self._lock:
            for each in loggers:
                if not self._holders[each]:
                    self._levels[each] = each.level
                    each.setLevel(logging.CRITICAL + 1)
            if not self._holders[None]:
                self._warnings.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            self._holders.update([*loggers, None])

    def end(self, loggers: Sequence[logging.Logger]) -> None:
        with self._lock:
            self._holders.subtract([*loggers, None])
            for each in loggers:
                if not self._holders[each]:
                    each.setLevel(self._levels.pop(each))
            if not self._holders[None]:
                self._warnings.close()


_silence = _Silence()


@contextlib.contextmanager
def silenced(libraries: str) -> Generator[None, None, None]:
    """Keep the log lines and warnings of libraries from the user while we use them, and only then.

    What matters of them is told by us, in one line. In several threads at once, until the last is through.

    Args:
        libraries: A regular expression for how the names of their loggers begin; import them first.

    Example:
        >>> with silenced("pgmpy|formulaic"):
        ...     warnings.warn("nobody reads this", stacklevel=1)
    """
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if re.match(libraries, name)
    ]
    _silence.begin(loggers)
    try:
        yield
    finally:
        _silence.end(loggers)
