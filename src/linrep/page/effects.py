"""Effects against the bounds that were claimed: one row each, drawn on its own scale, the numbers beside.

HTML and SVG; without either, words in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from linrep.intervals import Range
from linrep.page.shell import first_of

HEIGHT = 22
"""Pixels of a strip."""
ROOM = 0.18
"""Left free at both ends of a strip, as a share of what lies between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effect."""

    name: str
    value: float | None
    interval: Range | None
    claimed: Range
    """Where it was said to lie; one end may be infinite."""
    measured: str
    bound: str
    count: str
    """How many runs stand behind it."""
    standing: str


def html(rows: Sequence[Row]) -> str:
    """The plot as a table whose second column is drawn. Every text is escaped.

    Args:
        rows: In order; those after the first few are marked, so that a page can fold them.

    Example:
        >>> html([]).count("<td")
        0
    """
    head = (
        '<thead><tr><th scope="col">Effect</th><th scope="col" class="strip">'
        '<span class="shade" aria-hidden="true"></span> where it is claimed</th>'
        '<th scope="col">Mean [95 %]</th><th scope="col">Claimed</th><th scope="col">Runs</th>'
        '<th scope="col">As claimed</th></tr></thead>'
    )
    first = first_of(len(rows))
    body = "".join(_row(row, " rest" if at >= first else "") for at, row in enumerate(rows))
    return f'<table class="forest effects">{head}<tbody>{body}</tbody></table>'


def ends(row: Row) -> tuple[float, float]:
    """The two ends of a row's own scale: all of its numbers and bounds, with some room.

    Args:
        row: An effect.

    Example:
        >>> given = dict(name="", measured="", bound="", count="", standing="yes", interval=None)
        >>> [round(end, 6) for end in ends(Row(value=1.0, claimed=(0.0, float("inf")), **given))]
        [-0.18, 1.18]
    """
    numbers = [end for end in (*(row.interval or ()), *row.claimed) if abs(end) != float("inf")]
    numbers += [] if row.value is None else [row.value]
    low, high = min(numbers), max(numbers)
    room = ROOM * (high - low) or 1.0
    return low - room, high + room


def _row(row: Row, rest: str) -> str:
    cells = (("measured", row.measured), ("rule", row.bound), ("count", row.count))
    return (
        f'<tr class="{escape(row.standing)}{rest}"><th scope="row">{escape(row.name)}</th>'
        f'<td class="strip">{_strip(row)}</td>'
        + "".join(f'<td class="{name}">{escape(text)}</td>' for name, text in cells)
        + f'<td class="outcome"><span class="standing">{escape(row.standing)}</span></td></tr>'
    )


def _strip(row: Row) -> str:
    low, high = ends(row)

    def at(value: float) -> float:
        return 100 * min(max((value - low) / (high - low), 0.0), 1.0)

    left, right = (at(end) for end in row.claimed)
    drawn = f'<rect class="claimed" x="{left:.2f}%" width="{right - left:.2f}%" height="{HEIGHT}"/>'
    for end in row.claimed:
        if abs(end) != float("inf"):
            drawn += f'<line class="at-rule" x1="{at(end):.2f}%" x2="{at(end):.2f}%" y2="{HEIGHT}"/>'
    middle = HEIGHT / 2
    if row.interval is not None:
        first, last = (at(end) for end in row.interval)
        drawn += f'<line class="bar" x1="{first:.2f}%" x2="{last:.2f}%" y1="{middle:g}" y2="{middle:g}"/>'
    if row.value is not None:
        drawn += f'<circle class="mark" cx="{at(row.value):.2f}%" cy="{middle:g}" r="5"/>'
    return f'<svg aria-hidden="true" height="{HEIGHT}">{drawn}</svg>'
