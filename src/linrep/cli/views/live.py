"""The live table of a sweep: how many cells are done, running and failed, and the time left."""

import contextlib
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from linrep.errors import many
from linrep.progress import clock, told

if TYPE_CHECKING:
    from linrep.sweeps.sweep import Standing, Watch

SHOWN = 8
"""Most running cells that are named."""


class _Table:
    """How a sweep stands, since it began; nothing before it was told."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.standing: Standing | None = None

    def drawn(self) -> Any:
        """The table."""
        from rich.text import Text

        return Text() if self.standing is None else table(self.standing, time.monotonic() - self.began)

    @property
    def words(self) -> str:
        """The same in a line."""
        return "" if self.standing is None else sentence(self.standing, time.monotonic() - self.began)


@contextlib.contextmanager
def live_table(quiet: bool) -> "Generator[Watch | None, None, None]":
    """A table on stderr that follows a sweep; where that is no terminal, a line now and then.

    Args:
        quiet: Show nothing.

    Yields:
        What a sweep tells how it stands, or None when nothing is shown.
    """
    over = _Table()
    with told(quiet=quiet, over=over) as look:
        if look is None:
            yield None
            return

        def watch(standing: "Standing") -> None:
            over.standing = standing
            look()

        yield watch


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
    return f"{standing.done} of {many(standing.cells, 'cell')} done{failed}, {left(standing, elapsed)} left"


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
