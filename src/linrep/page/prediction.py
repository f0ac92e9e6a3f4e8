"""What theory predicts, in words and beside the measured singular values."""

from typing import Any

from linrep.page.numbers import cosine, finite
from linrep.page.shell import Block
from linrep.page.view import View

MOST = 40
"""Singular values shown at most, the largest first."""


def sentence(view: View) -> list[str]:
    """How far the run is from its limit; nothing when no prediction was asked for."""
    return [] if view.beside is None else [view.beside.sentence]


def blocks(view: View) -> list[Block]:
    """Measured singular values of the logits, predicted ones beside them; empty where theory has none."""
    pairs: list[tuple[float | None, float | None]] = [
        (finite(measured), finite(predicted))
        for measured, predicted in (view.beside.singular_values if view.beside else ())[:MOST]
    ]
    if not pairs:
        return []
    places = list(range(1, len(pairs) + 1))
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": "measured, mean over the runs that converged",
            "x": places,
            "y": [measured for measured, _ in pairs],
            "marker": {"color": "--both/0.45"},
            "hovertemplate": "measured: %{y:.4f}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "predicted",
            "x": places,
            "y": [predicted for _, predicted in pairs],
            "marker": {"symbol": "line-ew-open", "size": 18, "color": "--predicted", "line": {"width": 3}},
            "hovertemplate": "predicted: %{y:.4f}<extra></extra>",
        },
    ]
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        "bargap": 0.4,
        "xaxis": {"title": {"text": "singular value, largest first"}, "dtick": 1 if len(pairs) <= 12 else 5},
        "yaxis": {"title": {"text": "share of their sum"}, "rangemode": "tozero"},
    }
    said = ", ".join(f"{cosine(m)} ({cosine(p)})" for m, p in pairs)
    return [
        Block(
            id="singular-values",
            kind="plot",
            title="Singular values of the logits",
            caption="Of F Gᵀ with g centred, as shares of their sum: logits grow without bound, their shape "
            "tends to the limit's.",
            alt=f"Shares of the singular values, measured and, in brackets, predicted: {said}.",
            spec={"data": data, "layout": layout},
            size="wide",
        )
    ]
