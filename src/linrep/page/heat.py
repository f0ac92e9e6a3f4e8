"""What heatmaps of cosines share: colours from 0 to 1, an axis of names, numbers in cells."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from linrep.page import palette
from linrep.page.shell import label

HOVER = "%{y} × %{x}: %{z:.3f}<extra></extra>"
NUMBERED = 10
"""Up to so many names the numbers are written into the cells."""
MOST = 48
"""Up to so many names a heatmap has cells that can be read and pointed at."""
NUMBERED_NARROW = 6
"""From so many names on they are written small where there is little room."""
LONGEST_NARROW = 13
"""In a narrow place longer names lose their middle: the ends tell `colour: red → blue` from its kin."""
SCALE: tuple[tuple[float, str], ...] = ((0.0, "--heat-0"), (0.5, "--heat-1"), (1.0, "--heat-2"))
DARK = 0.72
"""From this share of the largest colour on, numbers in cells are light on paper."""


def square(
    names: Sequence[str],
    matrix: Sequence[Sequence[float | None]],
    cells: Sequence[Sequence[str]],
    hover: str = HOVER,
) -> dict[str, Any]:
    """Data, layout and what differs on a narrow screen, of a matrix name by name with its cells' texts."""
    numbers = [
        number(i, j, cells[i][j], value or 0.0) for i, row in enumerate(matrix) for j, value in enumerate(row)
    ]
    layout = {
        **_axes(names),
        "margin": {"l": 60, "r": 8, "t": 8, "b": 40},
        "annotations": numbers if len(names) <= NUMBERED else [],
    }
    narrow: dict[str, Any] = {}
    if NUMBERED_NARROW < len(names) <= NUMBERED:
        narrow["annotations"] = [small(each) for each in numbers]
    if max(map(len, names), default=0) > LONGEST_NARROW:
        narrow |= _axes([shortened(name) for name in names])
    return {"data": [trace(matrix, hover)], "layout": layout, "narrow": narrow}


def small(number: dict[str, Any]) -> dict[str, Any]:
    """What is written into a small cell: without the zero before the point.

    Example:
        >>> small(number(0, 1, "−0.02", 0.1))["text"]
        '−.02'
    """
    text = number["text"]
    return {**number, "text": text.replace("0.", ".", 1), "font": {**number["font"], "size": 9}}


def shortened(name: str) -> str:
    """A name without its middle, if it is too long for a narrow place."""
    half = LONGEST_NARROW // 2
    return name if len(name) <= LONGEST_NARROW else f"{name[:half]}…{name[-half:]}"


def _axes(names: Sequence[str]) -> dict[str, Any]:
    axis = {**names_axis([label(name) for name in names]), "ticks": "", "showline": False}
    crowded = len(names) > 5 or max(map(len, names), default=0) > 10
    return {
        "xaxis": {**axis, "tickangle": -40 if crowded else 0},
        "yaxis": {**axis, "autorange": "reversed"},
    }


def trace(matrix: Sequence[Sequence[float | None]], hover: str = HOVER) -> dict[str, Any]:
    """Plotly's heatmap of numbers from 0 to 1."""
    return {
        "type": "heatmap",
        "z": matrix,
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "colorscale": SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickvals": [0, 0.5, 1], "len": 0.9},
        "hovertemplate": hover,
        "hoverongaps": False,
    }


def names_axis(names: Sequence[str]) -> dict[str, Any]:
    """One tick for each label, as plotly is to show it."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "showgrid": False,
        "zeroline": False,
    }


def number(
    row: int, column: int, text: str, share: float, scale: Sequence[tuple[float, str]] = SCALE
) -> dict[str, Any]:
    """What is written into a cell, in what reads on its colour.

    Args:
        row: Of the cell, from 0.
        column: Of it.
        text: The number.
        share: Where its colour lies on the scale, from 0 to 1.
        scale: Of the heatmap.
    """
    font = {"size": 11, "color": ink(share, scale)}
    return {"x": column, "y": row, "text": text, "showarrow": False, "font": font}


def ink(share: float, scale: Sequence[tuple[float, str]] = SCALE) -> str:
    """The colour of text at a place of a scale.

    Example:
        >>> ink(0.0), ink(0.7), ink(1.0)
        ('--on-bw', '--on-bb', '--on-wb')
    """
    held = min(max(share, scale[0][0]), scale[-1][0])
    (low, first), (high, second) = next(ends for ends in pairwise(scale) if held <= ends[1][0])
    return palette.on(first, second, (held - low) / (high - low))
