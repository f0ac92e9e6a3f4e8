"""A measured number with what it lies between, as every page draws it: lines in a band, points with bars.

Numbers in, plotly traces out; :mod:`linrep.page.print_plot` reads the same traces for a figure on paper.
What is measured is solid, its null dotted, what theory predicts dashed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linrep.page.numbers import finite
from linrep.page.palette import Dash
from linrep.page.shell import label

Place = float | int | str
Places = Sequence[Place] | Sequence[Place | None] | NDArray[np.float64]
Numbers = Sequence[float | int | None] | NDArray[np.float64]
"""None and NaN are numbers that do not exist: nothing is drawn there."""
Trace = dict[str, Any]
"""As plotly takes it; colours are named as in the palette."""
MEASURED, BESIDE, THIN = 2.4, 1.8, 1.0
"""Widths of lines, in pixels: what was measured, what it is read against, one run or concept of many."""
BAND = 0.14
"""Opacity of a band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Numbers at their places, with the interval around each, or with none."""

    name: str
    """As a reader reads it; markup in it is escaped."""
    colour: str
    """Of the palette, such as ``--unembedding``."""
    x: Places
    centre: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    hover: str | None = ""
    """Plotly's template of the words at a number; empty for name and number, None for no words."""
    text: Sequence[str] = ()
    """Words at each number, for a template that asks for them."""
    listed: bool | None = None
    """Whether the legend has it; None leaves that to the layout."""


def line(
    given: Estimates,
    *,
    dash: Dash = "solid",
    width: float = MEASURED,
    symbol: str = "",
    size: int = 7,
    with_bars: bool = False,
) -> list[Trace]:
    """A line through the centres, in a band from low to high.

    Args:
        given: What is drawn.
        dash: "solid" for what was measured.
        width: In pixels.
        symbol: Of the marker at each number; none if empty.
        size: Of the marker, in pixels.
        with_bars: A bar at each number in the place of the band, where nothing is said of what lies between.

    Example:
        >>> lower, upper, middle = line(
        ...     Estimates(name="g", colour="--null", x=[1, 2], centre=[0.1, 0.2], low=[0, 0], high=[1, 1])
        ... )
        >>> upper["fill"], middle["line"]["dash"], middle["y"]
        ('tonexty', 'solid', [0.1, 0.2])
    """
    drawn = _trace(given, "lines+markers" if symbol else "lines")
    drawn["line"] = {"color": given.colour, "width": width, "dash": dash}
    if symbol:
        drawn["marker"] = {"color": given.colour, "size": size, "symbol": symbol}
    if with_bars:
        return [drawn | _error(given, "y")]
    return [*_band(given), drawn]


def points(
    given: Estimates,
    *,
    symbol: str = "circle",
    size: int = 7,
    outline: float = 0.0,
    along: Literal["x", "y"] = "y",
) -> list[Trace]:
    """A marker at each centre, with a bar from low to high.

    Args:
        given: What is drawn.
        symbol: Of the markers.
        size: In pixels.
        outline: Width of a marker's own line in pixels; 0 leaves it as it is.
        along: The axis that the numbers are read on; with "x" their places stand on the other one.

    Example:
        >>> (dots,) = points(
        ...     Estimates(name="g", colour="--null", x=["a"], centre=[0.5], low=[0.25], high=[1.0]), along="x"
        ... )
        >>> dots["x"], dots["y"], dots["error_x"]["arrayminus"], dots["error_x"]["array"]
        ([0.5], ['a'], [0.25], [0.5])
    """
    drawn = _trace(given, "markers", along)
    if along == "x":
        drawn |= {"x": drawn["y"], "y": drawn["x"]}
    marker: Trace = {"color": given.colour, "size": size, "symbol": symbol}
    if outline:
        marker["line"] = {"color": given.colour, "width": outline}
    drawn["marker"] = marker
    return [drawn | _error(given, along)]


def null(x: Places, level: Numbers, hover: str | None = "", name: str = "null") -> list[Trace]:
    """What chance gives along x: a dotted line.

    Example:
        >>> null([1, 2], [0.1, 0.1])[0]["line"]
        {'color': '--null', 'width': 1.8, 'dash': 'dot'}
    """
    given = Estimates(name=name, colour="--null", x=x, centre=level, hover=hover)
    return line(given, dash="dot", width=BESIDE)


def null_ranges(
    x: Sequence[float], low: Sequence[float], high: Sequence[float], name: str, *, listed: bool
) -> list[Trace]:
    """What chance gives at each place: a wide grey stroke from low to high, behind its point.

    Example:
        >>> null_ranges([0.0], [-0.1], [0.1], "random pairs", listed=True)[0]["y"]
        [-0.1, 0.1, None]
    """
    ends = [value for pair in zip(low, high, strict=True) for value in (*pair, None)]
    places = [value for place in x for value in (place, place, None)]
    given = Estimates(name=name, colour="--null/0.45", x=places, centre=ends, hover=None, listed=listed)
    return line(given, width=9.0)


def predicted(x: Places, level: Numbers, hover: str | None = "") -> list[Trace]:
    """What theory says along x: a dashed line.

    Example:
        >>> predicted([1, 2], [0.5, 0.5])[0]["line"]["dash"]
        'dash'
    """
    given = Estimates(name="predicted", colour="--predicted", x=x, centre=level, hover=hover)
    return line(given, dash="dash", width=BESIDE)


def bars(
    centre: Numbers, low: Numbers, high: Numbers, colour: str, *, thickness: float = 1.6, width: int = 4
) -> Trace:
    """Plotly's ``error_x`` or ``error_y``: from each centre down to its low end and up to its high end.

    Args:
        centre: The dots.
        low: Lower ends; where there is none, or it is not below the centre, no bar is drawn.
        high: Upper ends.
        colour: Of the bars.
        thickness: In pixels.
        width: Of the strokes across their ends, in pixels.

    Example:
        >>> drawn = bars([0.5, None], [0.4, None], [0.75, 1.0], "--null")
        >>> drawn["array"], [round(down, 6) for down in drawn["arrayminus"]]
        ([0.25, 0.0], [0.1, 0.0])
    """
    return {
        "type": "data",
        "symmetric": False,
        "array": [_reach(end, value) for value, end in zip(centre, high, strict=True)],
        "arrayminus": [_reach(value, end) for value, end in zip(centre, low, strict=True)],
        "color": colour,
        "thickness": thickness,
        "width": width,
    }


def _trace(given: Estimates, mode: str, along: Literal["x", "y"] = "y") -> Trace:
    name = label(given.name)
    hover = f"{name}: %{{{along}:.3g}}<extra></extra>" if given.hover == "" else given.hover
    drawn: Trace = {"type": "scatter", "mode": mode, "name": name, "x": given.x, "y": given.centre}
    drawn |= {"hoverinfo": "skip"} if hover is None else {"hovertemplate": hover}
    if given.text:
        drawn["text"] = given.text
    return drawn if given.listed is None else drawn | {"showlegend": given.listed}


def _band(given: Estimates) -> list[Trace]:
    """Two lines that are not seen, and the ground between them."""
    if given.low is None or given.high is None:
        return []
    bare = replace(given, name="", hover=None, text=(), listed=False)
    none = {"width": 0, "color": f"{given.colour}/0"}
    lower, upper = (
        _trace(replace(bare, centre=ends), "lines") | {"line": none} for ends in (given.low, given.high)
    )
    return [lower, upper | {"fill": "tonexty", "fillcolor": f"{given.colour}/{BAND}"}]


def _error(given: Estimates, along: Literal["x", "y"]) -> Trace:
    if given.low is None or given.high is None:
        return {}
    return {f"error_{along}": bars(given.centre, given.low, given.high, given.colour)}


def _reach(above: float | int | None, below: float | int | None) -> float:
    """From one number up to another; 0 where one does not exist."""
    top, bottom = finite(above), finite(below)
    return 0.0 if top is None or bottom is None else max(top - bottom, 0.0)
