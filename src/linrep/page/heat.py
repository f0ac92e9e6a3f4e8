"""What heatmaps of cosines share: colours from 0 to 1, an axis of names, numbers in cells."""

from collections.abc import Sequence
from typing import Any

SCALE = ((0, "--heat-0"), (0.5, "--heat-1"), (1, "--heat-2"))
DARK = 0.72
"""From this share of the largest colour on, numbers in cells are light."""


def trace(
    matrix: Sequence[Sequence[float | None]], hover: str = "%{y} × %{x}: %{z:.3f}<extra></extra>"
) -> dict[str, Any]:
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


def number(row: int, column: int, text: str, *, dark: bool) -> dict[str, Any]:
    """What is written into a cell."""
    font = {"size": 11, "color": "--surface" if dark else "--ink"}
    return {"x": column, "y": row, "text": text, "showarrow": False, "font": font}
