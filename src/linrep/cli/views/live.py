"""The live table of a sweep: how many cells are done, running and failed, and the time left."""

import contextlib
import sys
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linrep.sweeps.sweep import Standing, Watch

SECONDS = 30.0
"""Between two lines where there is no terminal."""
SHOWN = 8
"""Most running cells that are named."""


@contextlib.contextmanager
def live_table(quiet: bool) -> "Generator[Watch | None, None, None]":
    """A table on stderr that follows a sweep; where that is no terminal, a line now and then.

    Args:
        quiet: Show nothing.

    Yields:
        What a sweep tells how it stands, or None when nothing is shown.
    """
    from rich.console import Console

    console = Console(file=sys.stderr)
    began = time.monotonic()
    if quiet:
        yield None
        return
    if not console.is_terminal:
        yield _in_lines(began)
        return
    from rich.live import Live

    with Live(console=console, transient=True, auto_refresh=False) as live:
        shown = float("-inf")

        def watch(standing: "Standing") -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.25:  # it is told at every step
                shown = now
                live.update(table(standing, now - began), refresh=True)

        yield watch


def _in_lines(began: float) -> "Watch":
    """Says how things are every :data:`SECONDS`."""
    said = began

    def watch(standing: "Standing") -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SECONDS:
            said = now
            sys.stderr.write(f"{sentence(standing, now - began)}\n")
            sys.stderr.flush()

    return watch


def sentence(standing: "Standing", elapsed: float) -> str:
    """How a sweep stands, in a line.

    Args:
        standing: As told.
        elapsed: Seconds since it began.

    Example:
        >>> from linrep.sweeps.sweep import Standing
        >>> sentence(Standing(cells=8, done=2, failed=1, running={"a": 0.5}, share=0.25), 60.0)
        '2 of 8 cells done, 1 failed, 3:00 left'
    """
    failed = f", {standing.failed} failed" if standing.failed else ""
    return f"{standing.done} of {standing.cells} cells done{failed}, {left(standing, elapsed)} left"


def left(standing: "Standing", elapsed: float) -> str:
    """The time that the rest will take, by the share of the work that is done."""
    return clock(elapsed * (1 - standing.share) / standing.share) if standing.share > 0 else "…"


def table(standing: "Standing", elapsed: float) -> Any:
    """How a sweep stands, as a table.

    Args:
        standing: As told.
        elapsed: Seconds since it began.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    counts = Table("cells", "done", "running", "failed", "time left", box=None, pad_edge=False)
    numbers = (standing.cells, standing.done, len(standing.running), standing.failed)
    counts.add_row(*(str(each) for each in numbers), left(standing, elapsed))
    work = Table.grid(padding=(0, 2))
    for label, share in list(standing.running.items())[:SHOWN]:
        work.add_row(Text(f"{share:.0%}", justify="right"), Text(label, overflow="ellipsis", no_wrap=True))
    more = len(standing.running) - SHOWN
    return Group(counts, work, Text(f"and {more} more")) if more > 0 else Group(counts, work)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    Example:
        >>> clock(3725.4), clock(65.0)
        ('1:02:05', '1:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
