"""The live table of a sweep: how many cells are done, running and failed, and the time left."""

import contextlib
import sys
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linrep.sweeps.sweep import Standing, Watch

SHOWN = 8
"""Most running cells that are named."""


@contextlib.contextmanager
def live_table(quiet: bool) -> "Generator[Watch | None, None, None]":
    """A table on stderr that follows a sweep; silent when asked, or when stderr is no terminal.

    Args:
        quiet: Show nothing.

    Yields:
        What a sweep tells how it stands, or None when nothing is shown.
    """
    from rich.console import Console

    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.live import Live

    began = time.monotonic()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        shown = float("-inf")

        def watch(standing: "Standing") -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown > 0.25:  # it is told at every step
                shown = now
                live.update(table(standing, now - began), refresh=True)

        yield watch


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
    left = clock(elapsed * (1 - standing.share) / standing.share) if standing.share > 0 else "…"
    numbers = (standing.cells, standing.done, len(standing.running), standing.failed)
    counts.add_row(*(str(each) for each in numbers), left)
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
