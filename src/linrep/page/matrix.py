"""A labelled matrix as a plotly figure of its own."""

import math
from typing import TYPE_CHECKING

from linrep.runs.row import Matrix
from linrep.runs.tidy import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go


def figure(matrix: Matrix, title: str, span: tuple[float, float] | None = None) -> "go.Figure":
    """A heatmap, its first row above; returned, not shown.

    Args:
        matrix: Where some number is negative, colours are signed, and 0 is white.
        title: Above it.
        span: Ends of the colours; by default those of the numbers.

    Example:
        >>> overlap = Matrix(name="overlap", rows=("a",), columns=("a", "b"), values=((1.0, -0.5),))
        >>> figure(overlap, "overlap").data[0].colorscale[0][1]
        'rgb(5,48,97)'
    """
    import plotly.graph_objects as go

    signed = min((v for row in matrix.values for v in row if not math.isnan(v)), default=0.0) < 0
    low, high = span or (None, None)
    heat = go.Heatmap(
        z=plain(matrix.values),
        x=list(matrix.columns),
        y=list(matrix.rows),
        zmin=low,
        zmax=high,
        colorscale="RdBu_r" if signed else "Blues",
        zmid=0 if signed and span is None else None,
        hovertemplate="%{y} × %{x}: %{z:.3f}<extra></extra>",
    )
    return go.Figure(heat).update_layout(title=title, yaxis={"autorange": "reversed"})
