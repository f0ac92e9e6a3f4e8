"""What is told while work goes on: bars on stderr with the time left.

Work says what it is about, wherever it is done: :func:`stage` around it, or :func:`counted` around its items.
Whoever has a reader shows it, with :func:`told`; where nobody does, nothing is shown and nothing is lost.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Item = TypeVar("Item")
Advance = Callable[[int, int, float], None]
Stage = Callable[..., None]
"""Told (done, in all, what is under way)."""
PATIENCE = 1.0
"""Seconds that work takes before it is shown in a terminal."""
LINES_SECONDS = 30.0
"""Between two lines where there is no terminal."""
BAR = 20
"""Characters of a bar."""
NOTEBOOK_SECONDS = 0.25
"""Between two looks of a bar in a notebook: each is sent to the browser."""


@runtime_checkable
class Overview(Protocol):
    """What is shown over the work that is told of."""

    def drawn(self) -> "RenderableType":
        """In a terminal."""
        ...

    @property
    def words(self) -> str:
        """In a line of a file; empty where there is nothing to say yet."""
        ...


@dataclass(slots=True, eq=False)
class _Work:
    """What is under way: how much of it is done, and since when."""

    title: str
    now: str = ""
    done: int = 0
    total: int | None = None
    began: float = field(default_factory=time.monotonic)
    first: tuple[int, float] | None = None
    """What was done when it was first told of, and when: what was done before tells nothing of the pace."""

    def advance(self, done: int, total: int, now: str = "") -> None:
        self.first = self.first or (done, time.monotonic())
        self.done, self.total, self.now = done, total, now

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def time(self) -> str:
        """The time left, or where that is not known the time it has taken."""
        before, since = self.first or (self.done, self.began)
        if not self.total or self.done <= before:
            return clock(self.elapsed)
        pace = (time.monotonic() - since) / (self.done - before)
        return f"{clock(pace * (self.total - self.done))} left"

    @property
    def words(self) -> str:
        """In a line, without a bar."""
        counts = f"{self.done:,}/{self.total:,}" if self.total else ""
        return ", ".join(filter(None, (counts, self.now, self.time)))


class _Display:
    """All work under way, outermost first; something is on the screen only while there is any."""

    def __init__(self, over: Overview | None) -> None:
        self.over, self.work = over, list[_Work]()
        self.looked = time.monotonic()
        self._look: Callable[[], None] | None = None

    def look(self) -> None:
        """Told that something has changed."""
        if self._look is not None:
            self._look()

    @contextlib.contextmanager
    def shown(self) -> Generator[None, None, None]:
        """What is printed within comes out above it, and what is printed later as it is."""
        if self._look is not None:
            yield
            return
        from rich.console import Console

        console = Console(file=sys.stderr)
        kind = _in_notebook if console.is_jupyter else _in_terminal if console.is_terminal else _in_lines
        with kind(self, console) as self._look:
            try:
                yield
            finally:
                self._look = None

    @contextlib.contextmanager
    def stage(self, work: _Work) -> Generator[Stage, None, None]:
        def advance(done: int, total: int, now: str = "") -> None:
            work.advance(done, total, now)
            self.look()

        self.work.append(work)
        try:
            with self.shown():
                self.look()
                yield advance
        finally:
            self.work.remove(work)
            self.look()


_display: ContextVar[_Display | None] = ContextVar("_display", default=None)


@contextlib.contextmanager
def told(
    *, quiet: bool = False, over: Overview | None = None
) -> Generator[Callable[[], None] | None, None, None]:
    """Show on stderr what work says of itself from here on; without a terminal, a line at times.

    Args:
        quiet: Show nothing.
        over: What is shown over it, all the time.

    Yields:
        A function that looks again, or None when nothing is shown.
    """
    display = _display.get()
    if quiet:
        yield None
    elif display is not None and over is None:
        yield display.look
    else:
        display = _Display(over)
        token = _display.set(display)
        try:
            with contextlib.nullcontext() if over is None else display.shown():
                yield display.look
        finally:
            _display.reset(token)


@contextlib.contextmanager
def _in_terminal(display: _Display, console: "Console") -> Generator[Callable[[], None], None, None]:
    """Redrawn by a thread, so that the clock goes on while a solver does not speak."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    def shown() -> "RenderableType":
        bars = Table.grid(padding=(0, 1))
        for work in tuple(display.work):
            if work.elapsed >= PATIENCE:
                counts = f"{work.done:,}/{work.total:,}" if work.total else ""
                texts = (work.title, counts, work.now, work.time)
                title, *rest = (Text(text, no_wrap=True, overflow="ellipsis") for text in texts)
                bars.add_row(
                    title, ProgressBar(work.total, work.done, width=BAR, pulse=not work.total), *rest
                )
        return Group(*(() if display.over is None else (display.over.drawn(),)), bars)

    to_screen = sys.stdout.isatty()  # a file or a pipe is to get what is printed, not this screen
    with Live(get_renderable=shown, console=console, transient=True, redirect_stdout=to_screen):
        yield lambda: None


@contextlib.contextmanager
def _in_lines(display: _Display, console: "Console") -> Generator[Callable[[], None], None, None]:
    """A line every :data:`LINES_SECONDS`."""

    def look() -> None:
        words = [] if display.over is None else [display.over.words]
        words += [f"{work.title}: {work.words}" for work in display.work]
        if time.monotonic() - display.looked >= LINES_SECONDS and words and words[0]:
            display.looked = time.monotonic()
            console.file.write("; ".join(words) + "\n")
            console.file.flush()

    yield look


@contextlib.contextmanager
def _in_notebook(display: _Display, console: "Console") -> Generator[Callable[[], None], None, None]:
    """One output of a notebook's cell, rewritten a few times a second, empty at the end; without widgets."""
    from html import escape
    from importlib import import_module

    del console
    notebook = import_module("IPython.display")
    place: Any = None
    looked = float("-inf")

    def bar(work: _Work) -> str:
        size = f' value="{work.done}" max="{work.total}"' if work.total else ""
        return f"<span>{escape(work.title)} <progress{size}></progress> {escape(work.words)}</span>"

    def look() -> None:
        nonlocal place, looked
        if display.work and time.monotonic() - looked > NOTEBOOK_SECONDS:
            looked = time.monotonic()
            shown = notebook.HTML("<br>".join(map(bar, display.work)))
            if place is None:
                place = notebook.display(shown, display_id=True)
            else:
                place.update(shown)

    try:
        yield look
    finally:
        if place is not None:
            place.update(notebook.HTML(""))


@contextlib.contextmanager
def stage(title: str) -> Generator[Stage, None, None]:
    """Say what is under way, for as long as it is: with the time it takes, or the time left if it counts.

    Args:
        title: Of the work, as in "solving for the limit".

    Yields:
        A function of (done, in all, what is under way); calling it is optional.

    Example:
        >>> with stage("weighing") as advance:
        ...     advance(1, 2)
    """
    display = _display.get()
    if display is None:
        yield lambda *_: None
        return
    with display.stage(_Work(title)) as advance:
        yield advance


def counted(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """The items, told of as they are taken.

    Args:
        items: Of the work.
        title: Of the work.
        total: How many they are; needed where they have no length.

    Example:
        >>> [2 * each for each in counted([1, 2], "doubling")]
        [2, 4]
    """
    number = len(items) if total is None and isinstance(items, Sized) else total
    with stage(title) as advance:
        if number is not None:
            advance(0, number)
        for done, item in enumerate(items, start=1):
            yield item
            if number is not None:
                advance(done, number)


@contextlib.contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Generator[Advance | None, None, None]:
    """A bar for one run: steps done, excess loss so far, time left.

    Args:
        title: What is under way.
        quiet: Show nothing.

    Yields:
        A function of (steps done, steps in all, excess loss in nats), or None when nothing is shown.
    """
    with counting_bar(title, quiet=quiet) as advance:
        yield None if advance is None else with_excess(advance)


def with_excess(advance: Stage) -> Advance:
    """As training tells of itself: (steps done, steps in all, excess loss in nats)."""
    return lambda done, total, loss: advance(done, total, f"excess {loss:.3g} nats")


@contextlib.contextmanager
def counting_bar(title: str, *, quiet: bool = False) -> Generator[Stage | None, None, None]:
    """A bar for work that is counted, such as contexts read or models trained.

    Args:
        title: What is counted.
        quiet: Show nothing.

    Yields:
        A function of (done, in all, what is under way), or None when nothing is shown.
    """
    with told(quiet=quiet) as shown:
        if not shown:
            yield None
            return
        with stage(title) as advance:
            yield advance


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    Example:
        >>> clock(3725.4), clock(65.0)
        ('1:02:05', '1:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
