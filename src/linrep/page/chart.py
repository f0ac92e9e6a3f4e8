"""Line charts of means with their 10–90 % over runs, and heatmaps: numbers in, page blocks out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from linrep.page import heat, palette
from linrep.page.interval import BESIDE, MEASURED, Dash, Estimates, Place, Trace, line, points
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block, label
from linrep.sweeps.numbers import Spread, spread

FEW = 12
"""Up to so many points of a line are marked."""


FRAME: Mapping[str, Any] = {
    "showlegend": True,
    "legend": {
        "traceorder": "normal",
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "font": {"size": 12},
    },
    "margin": {"l": 52, "r": 12, "t": 8, "b": 44},
}
"""Of the layout of every chart: its legend above, room for axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: at each x a mean and its 10–90 %, or the mean alone."""

    name: str
    colour: str
    x: Sequence[Place]
    points: Sequence[Spread]
    dash: Dash = "solid"
    plain: bool = False
    """Without the 10–90 %: nulls, controls, predictions."""
    marker: str = "circle"
    joined: bool = True
    """Whether a line joins the points; not where nothing is said of what lies between."""


def chart(
    name: str,
    title: str,
    series: Sequence[Series],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    unit: bool = True,
    log_y: bool = False,
    size: Literal["small", "third", "half", "wide"] = "half",
    caption: str = "",
) -> Block:
    """A line chart.

    Args:
        name: Of the block, unique on its page.
        title: Above it.
        series: The lines.
        x: Title of the axis.
        y: Title of the axis.
        log_x: Logarithmic; step 0 stands at 0.5.
        unit: The values are cosines or shares: the axis shows 0 to 1.
        log_y: Logarithmic.
        size: Of the block.
        caption: Below it.
    """
    data: list[Trace] = []
    for each in series:
        data += _drawn(each, log_x)
    axis: dict[str, Any] = {"title": {"text": label(x)}}
    places = [place for each in series for place in each.x]
    if log_x:
        axis |= {"type": "log"} | _log_ticks(sorted({float(place) for place in places}))
    elif any(isinstance(place, str) for place in places):
        axis |= {"type": "category"}
    else:
        axis |= _number_ticks(sorted({float(place) for place in places}))
    vertical: dict[str, Any] = {"title": {"text": label(y)}}
    if unit:
        low = min([0.0, *(point.low or 0.0 for each in series for point in each.points)])
        high = max([1.0, *(point.high or 0.0 for each in series for point in each.points)])
        vertical |= {"range": [min(-0.03, 1.1 * low), 1.03 * high], "dtick": 0.25 if high < 1.5 else 0.5}
    elif log_y:
        vertical |= {"type": "log", "exponentformat": "power", "dtick": 1}
    else:
        vertical |= {"rangemode": "tozero"}
    write = cosine if unit else short
    ends = "; ".join(
        f"{s.name}: "
        + ", ".join(
            f"{_at(place)} {write(point.mean)}" for place, point in list(zip(s.x, s.points, strict=True))[-8:]
        )
        for s in series
    )
    layout = {
        "xaxis": axis,
        "yaxis": vertical,
        "scattermode": "group" if axis.get("type") == "category" else "overlay",
        **FRAME,
    }
    return Block(
        id=name,
        kind="plot",
        title=title,
        caption=caption,
        alt=f"{title}. {y} against {x}; means: {ends}.",
        spec={"data": data, "layout": layout},
        size=size,
    )


def means(values: Sequence[float]) -> list[Spread]:
    """Single numbers as points of a series."""
    import numpy as np

    return [spread(np.array([value])) for value in values]


def control(name: str, colour: str, x: Sequence[Place], points: Sequence[Spread]) -> Series:
    """A dotted line that measured ones are read against."""
    return Series(name=name, colour=colour, x=x, points=points, dash="dot", plain=True)


def heatmap(
    name: str,
    title: str,
    matrix: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    alt: str,
    x: str = "",
    y: str = "",
    caption: str = "",
    written: bool = False,
    size: Literal["small", "half"] = "small",
) -> Block:
    """A matrix of numbers from 0 to 1.

    Args:
        name: Of the block, unique on its page.
        title: Above it.
        matrix: Its rows from above.
        rows: Their labels.
        columns: Theirs.
        alt: The figure in words.
        x: Title of the axis.
        y: Title of the axis.
        caption: Below it.
        written: Whether numbers stand in the cells.
        size: Of the block.
    """
    across, down = (
        {**heat.names_axis([label(each) for each in names]), "ticks": "", "title": {"text": label(words)}}
        for names, words in ((columns, x), (rows, y))
    )
    layout: dict[str, Any] = {
        "xaxis": across,
        "yaxis": {**down, "autorange": "reversed"},
        "margin": {"l": 56 if y else 40, "r": 8, "t": 8, "b": 48 if x else 36},
    }
    trace = heat.trace(matrix)
    if written:
        layout |= {"meta": {"written": True}, "annotations": _numbers_in_cells(matrix)}
    spec = {"data": [trace], "layout": layout}
    return Block(id=name, kind="plot", title=title, caption=caption, alt=alt, spec=spec, size=size)


def _numbers_in_cells(matrix: Sequence[Sequence[float | None]]) -> list[dict[str, Any]]:
    return [
        heat.number(i, j, f"{value:.2f}", value)
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if value is not None
    ]


def numeric(labels: Sequence[str]) -> list[Place]:
    """Labels as numbers if all are, else as they stand."""
    try:
        return [float(each) for each in labels]
    except ValueError:
        return list(labels)


def colour(index: int) -> str:
    """A colour for one of several lines that are neither f nor g."""
    return palette.concept(index)


def _drawn(series: Series, log_x: bool) -> list[Trace]:
    """A line in its band; over categories, where nothing lies between two points, dots with bars."""
    named = any(isinstance(place, str) for place in series.x)
    places = [0.5 if log_x and place == 0 and not named else place for place in series.x]
    given = Estimates(
        name=series.name,
        colour=series.colour,
        x=places,
        centre=[point.mean for point in series.points],
        low=None if series.plain else [point.low for point in series.points],
        high=None if series.plain else [point.high for point in series.points],
    )
    symbol = "circle-open" if series.dash == "dot" and series.marker == "circle" else series.marker
    if named or not series.joined:
        return points(given, symbol=symbol)
    marked = symbol if len(places) <= FEW else ""
    return line(given, dash=series.dash, width=BESIDE if series.plain else MEASURED, symbol=marked)


def _log_ticks(places: Sequence[float]) -> dict[str, Any]:
    if 0 not in places and len(places) <= 10:
        return _number_ticks(places)
    at = [0.5] if 0 in places else []
    power = 1 if at else min(0, math.floor(math.log10(min(places))))
    while 10.0**power <= 1.001 * max(places):
        at.append(10.0**power)
        power += 1
    texts = ["0" if value == 0.5 else f"{value:,.0f}" if value >= 1 else f"{value:g}" for value in at]
    return {"tickvals": at, "ticktext": texts}


def _number_ticks(places: Sequence[float]) -> dict[str, Any]:
    return {"tickvals": places, "ticktext": [_at(place) for place in places]} if len(places) <= 10 else {}


def _at(place: Place) -> str:
    return place if isinstance(place, str) else f"{place:g}"
