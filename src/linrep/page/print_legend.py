"""Legends and titles of a figure of several panels: said once where that is plain, else in the panel."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LETTERS = 17
"""Letters of a title that fit one of the six columns of a figure."""
KEY = 4
"""Letters that the line in front of a legend's words takes the room of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A line on paper: what it looks like, and what matplotlib made of it."""

    look: tuple[Any, ...]
    handle: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot of a figure and its named lines, in order."""

    axes: Any
    span: int
    """Of the six columns."""
    title: str
    lines: dict[str, Drawn] = field(default_factory=dict[str, Drawn])


def wrapped(title: str, span: int) -> str:
    """A title in as many lines as its panel needs."""
    return textwrap.fill(title, LETTERS * span, break_on_hyphens=False)


def add_legends(figure: Any, panels: Sequence[Panel], columns: int) -> None:
    """One legend below all panels if every look has one name in all of them.

    Else the one below is for the largest group of panels that draw the same lines; others have their own.

    Args:
        figure: Of matplotlib.
        panels: Drawn.
        columns: How many the figure is wide, of the six.
    """
    below = _together(panel.lines for panel in panels)
    if below is None:
        groups = [[p for p in panels if p.lines and set(p.lines) == set(panel.lines)] for panel in panels]
        largest = max(groups, key=len)
        below = dict(largest[0].lines) if len(largest) > 1 else {}
    for panel in panels:
        if panel.lines and not set(panel.lines) <= set(below):
            _above(panel)
    if below:
        handles = [each.handle for each in below.values()]
        across, _ = _shape(list(below), columns)
        figure.legend(handles, list(below), loc="outside lower center", ncols=across, frameon=False)


def _together(given: Iterable[Mapping[str, Drawn]]) -> dict[str, Drawn] | None:
    """All lines by name; None where a look has two names or a name two looks."""
    found: dict[str, Drawn] = {}
    for lines in given:
        for name, drawn in lines.items():
            if found.setdefault(name, drawn).look != drawn.look:
                return None
    looks = {drawn.look for drawn in found.values()}
    return found if len(looks) == len(found) else None


def _above(panel: Panel) -> None:
    """Between a panel and its title, which makes room."""
    handles = [each.handle for each in panel.lines.values()]
    columns, rows = _shape(list(panel.lines), panel.span)
    panel.axes.legend(
        handles,
        list(panel.lines),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        borderaxespad=0.2,
        borderpad=0,
        handlelength=1.6,
        columnspacing=1.2,
    )
    panel.axes.set_title(panel.axes.get_title(loc="left"), loc="left", pad=6 + 10.5 * rows)


def _shape(names: Sequence[str], span: int) -> tuple[int, int]:
    """Columns and rows of a legend that fits: as many columns as it can, each as wide as its names."""
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        parts = [names[at : at + rows] for at in range(0, len(names), rows)]
        if sum(max(map(len, part)) + KEY for part in parts) <= LETTERS * span:
            return len(parts), rows
    return 1, len(names)
