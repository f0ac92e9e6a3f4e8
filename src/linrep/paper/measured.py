"""What experiments draw of their runs: a line through the means of those that converged, or dots."""

from collections.abc import Sequence

from linrep.page.chart import Series, colour, control, means, numeric
from linrep.page.palette import Dash
from linrep.paper.paired import Key
from linrep.sweeps.numbers import Numbers, Words

Cells = Sequence[tuple[str, Numbers]]
"""The points of an axis and what lies there."""


def measured_line(
    name: str, colour: str, cells: Cells, measure: Key, *, dash: Dash = "solid", marker: str = "circle"
) -> Series:
    """Mean and 10–90 % of the runs that converged, wherever one did.

    Args:
        name: In the legend.
        colour: Of the palette.
        cells: Along the axis.
        measure: At the end of training.
        dash: Of the line.
        marker: At each point.
    """
    found = [(at, cell.spread(*measure, ended="converged")) for at, cell in cells]
    found = [(at, each) for at, each in found if each.runs]
    return Series(
        name=name,
        colour=colour,
        x=numeric([at for at, _ in found]),
        points=[each for _, each in found],
        dash=dash,
        marker=marker,
    )


def lines_beside_null(parts: Cells, axis: str, measure: Key, null: str = "random pairs") -> list[Series]:
    """A line for each part along an axis, and the null of the first.

    Args:
        parts: Of a sweep, at least one.
        axis: Along which they are drawn.
        measure: At the end of training.
        null: Its name.
    """
    lines = [
        measured_line(name, colour(index), part.each(axis), measure)
        for index, (name, part) in enumerate(parts)
    ]
    first, cells = parts[0][0], parts[0][1].each(axis)
    chance = [cell.spread(*measure, kind="null") for _, cell in cells]
    return [*lines, control(f"{null}, {first}", "--null", numeric([at for at, _ in cells]), chance)]


def run_dots(
    name: str, colour: str, cells: Cells, measure: Key, ended: Words, *, marker: str = "circle"
) -> Series:
    """Every run that ended so as a dot.

    Args:
        name: In the legend.
        colour: Of the palette.
        cells: Along the axis.
        measure: At the end of training.
        ended: Which runs.
        marker: Of the dots.
    """
    found = [(at, value) for at, cell in cells for value in cell.values(*measure, ended=ended)]
    return Series(
        name=name,
        colour=colour,
        x=numeric([at for at, _ in found]),
        points=means([value for _, value in found]),
        plain=True,
        marker=marker,
        joined=False,
    )


def dotted(name: str, shade: str, pairs: Sequence[tuple[float, float]], marker: str = "circle") -> Series:
    """Dots, of which nothing is said between them.

    Args:
        name: In the legend.
        shade: Its colour.
        pairs: Where they lie, x and y.
        marker: Their shape.
    """
    x, y = [at for at, _ in pairs], [at for _, at in pairs]
    return Series(name=name, colour=shade, x=x, points=means(y), plain=True, joined=False, marker=marker)
