"""A value with its interval, drawn: as a bar on a dot, or as a band about a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.page.numbers import finite

Number = float | None
Ends = Sequence[Number] | NDArray[np.float64]


def bars(
    values: Sequence[Number],
    low: Sequence[Number],
    high: Sequence[Number],
    colour: str,
    *,
    thickness: float = 1.6,
    width: int = 0,
) -> dict[str, Any]:
    """Plotly's `error_x` or `error_y`: from each value down to its low end and up to its high end.

    Args:
        values: The dots.
        low: Lower ends; where there is none, or it is not below the value, no bar is drawn.
        high: Upper ends.
        colour: Of the bars.
        thickness: In pixels.
        width: Of the strokes across their ends.

    Example:
        >>> drawn = bars([0.5, None], [0.4, None], [0.75, 1.0], "--null")
        >>> drawn["array"], [round(down, 6) for down in drawn["arrayminus"]]
        ([0.25, 0.0], [0.1, 0.0])
    """
    return {
        "type": "data",
        "symmetric": False,
        "array": [_reach(end, value) for value, end in zip(values, high, strict=True)],
        "arrayminus": [_reach(value, end) for value, end in zip(values, low, strict=True)],
        "color": colour,
        "thickness": thickness,
        "width": width,
    }


def band(base: dict[str, Any], low: Ends, high: Ends, colour: str) -> list[dict[str, Any]]:
    """Two traces that fill what lies between the ends, to be drawn before the line.

    Args:
        base: Of a scatter trace: its x, and whatever all traces of the figure share.
        low: Lower ends.
        high: Upper ends.
        colour: Of the line; the band is the same, fainter.

    Example:
        >>> [trace["y"] for trace in band({"x": [0, 1]}, [1.0, 2.0], [3.0, 4.0], "--null")]
        [[1.0, 2.0], [3.0, 4.0]]
    """
    edge = {**base, "mode": "lines", "line": {"width": 0, "color": f"{colour}/0"}, "hoverinfo": "skip"}
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": f"{colour}/0.14"}]


def _reach(above: Number, below: Number) -> float:
    top, bottom = finite(above), finite(below)
    return 0.0 if top is None or bottom is None else max(top - bottom, 0.0)
