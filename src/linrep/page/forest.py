"""A forest plot: rows of estimates, each on its own scale, so that one line is the rule of them all.

On the axis is how far an estimate lies from its predicted value, divided by how far its rule lets it lie: 1
is the rule, whatever is measured. The numbers stand beside. HTML and SVG; without either, words in order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, get_args

LEAST, MOST = 0.01, 100.0
"""Ends of the axis; what lies beyond is an arrow."""
TICKS = ((0.01, "÷ 100"), (0.1, "÷ 10"), (1.0, "rule"), (10.0, "× 10"), (100.0, "× 100"))
AT_RULE = ' class="at-rule"'
MIDDLE = 11
"""Pixels from the top of a strip to its line."""
Mark = Literal["test", "control", "conjecture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One estimate against its rule."""

    id: str
    mark: Mark
    name: str
    quantity: str
    """Empty: as in the row above."""
    measured: str
    """Mean and interval, written out."""
    count: str
    """How many stand behind it, of how many."""
    rule: str
    outcome: str
    doubt: bool
    """Not the outcome that the claim needs."""
    distance: float | None
    """Of the mean, in units of the rule; None where there is no mean."""
    interval: tuple[float, float] | None
    """Of the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A claim over its rows."""

    id: str
    verdict: str
    title: str
    notes: Sequence[str] = ()
    rows: Sequence[Row] = ()


def html(groups: Sequence[Group]) -> str:
    """The plot as a table whose third column is drawn. Every text is escaped.

    Args:
        groups: In order.

    Example:
        >>> html([]).count("<tbody")
        0
    """
    head = (
        f'<thead><tr><th scope="col" colspan="2">{_key()}</th>'
        f'<th scope="col" class="strip">{_axis()}</th><th scope="col">Mean [95 %]</th>'
        '<th scope="col">Rule</th><th scope="col">Of</th><th scope="col">Outcome</th></tr></thead>'
    )
    return f'<table class="forest">{head}{"".join(_group(group) for group in groups)}</table>'


def place(distance: float) -> float:
    """Percent of the axis, which is logarithmic, with both ends as its limits.

    Args:
        distance: In units of the rule.

    Example:
        >>> place(1.0), place(0.0), place(1e9)
        (50.0, 0.0, 100.0)
    """
    held = min(max(distance, LEAST), MOST)
    return 100 * math.log(held / LEAST) / math.log(MOST / LEAST)


def _group(group: Group) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in group.notes)
    title = (
        f'<tr class="claim" id="{escape(group.id.lower())}"><th scope="rowgroup" colspan="7">'
        f'<span class="standing">{escape(group.verdict)}</span> <strong>{escape(group.id)} '
        f"{escape(group.title)}</strong>{notes}</th></tr>"
    )
    return f'<tbody class="{escape(group.verdict)}">{title}{"".join(_row(row) for row in group.rows)}</tbody>'


def _row(row: Row) -> str:
    quantity = f"<small>{escape(row.quantity)}</small>" if row.quantity else ""
    cells = (
        ("measured", row.measured),
        ("rule", row.rule),
        ("count", row.count),
        ("outcome", row.outcome),
    )
    return (
        f'<tr class="{row.mark}{" doubt" if row.doubt else ""}"><td class="id">{escape(row.id)}</td>'
        f'<th scope="row"><span class="role">{row.mark}: </span>{escape(row.name)}{quantity}</th>'
        f'<td class="strip">{_strip(row)}</td>'
        + "".join(f'<td class="{name}">{escape(text)}</td>' for name, text in cells)
        + "</tr>"
    )


def _axis() -> str:
    """Ticks over the strips; the words of both sides stand in the legend."""
    ticks = "".join(
        f'<text x="{place(value):g}%" y="14" text-anchor="{_anchor(value)}"'
        f"{AT_RULE if value == 1 else ''}>{text}</text>"
        for value, text in TICKS
    )
    return (
        f'<svg aria-hidden="true" height="20">{ticks}</svg><span class="role">Distance from the rule</span>'
    )


def _key() -> str:
    """What the marks are."""
    return "".join(
        f'<span class="{mark}"><svg aria-hidden="true" width="14" height="14" viewBox="-7 -7 14 14">'
        f"{_shape(mark, 1.0)}</svg> {mark}</span> "
        for mark in get_args(Mark)
    )


def _anchor(value: float) -> str:
    return "start" if value == LEAST else "end" if value == MOST else "middle"


def _strip(row: Row) -> str:
    lines = "".join(
        f'<line class="{"at-rule" if value == 1 else "tick"}" x1="{place(value):g}%" x2="{place(value):g}%" '
        'y1="-100" y2="200"/>'
        for value, _ in TICKS
    )
    return f'<svg aria-hidden="true" height="{2 * MIDDLE}">{lines}{_drawn(row)}</svg>'


def _drawn(row: Row) -> str:
    if row.distance is None:
        return ""
    low, high = (place(end) for end in row.interval or (row.distance, row.distance))
    bar = f'<line class="bar" x1="{low:.2f}%" x2="{high:.2f}%" y1="{MIDDLE}" y2="{MIDDLE}"/>'
    # A nested element turns percent of the strip into pixels around the mark.
    shape = _shape(row.mark, row.distance)
    return f'{bar}<svg x="{place(row.distance):.2f}%" y="{MIDDLE}" overflow="visible">{shape}</svg>'


def _shape(mark: Mark, distance: float) -> str:
    if distance < LEAST:
        return '<path class="mark" d="M-2 0l9-5v10z"/>'
    if distance > MOST:
        return '<path class="mark" d="M2 0l-9-5v10z"/>'
    if mark == "control":
        return '<path class="mark" d="M0-6L6 0L0 6L-6 0z"/>'
    return '<circle class="mark" r="5"/>'
