"""Measured against true log-odds: does f(d)·Δg_i(c) say what the world says?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.page import palette
from linrep.page.meanings import MEANINGS
from linrep.page.numbers import short
from linrep.page.shell import Block, label
from linrep.page.view import View

NARROW = {"legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.3, "yanchor": "top"}}
"""On a narrow screen the legend stands below."""


def sample(view: View) -> list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    """(concept, true, measured) of the sampled log-odds, in nats."""
    points = view.summary.figures.log_odds
    found: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = []
    for concept in sorted(set(points.concept)):
        mine = [
            (true, measured)
            for c, true, measured in zip(points.concept, points.true, points.measured, strict=True)
            if c == concept and true is not None and measured is not None
        ]
        if mine:
            true, measured = np.array(mine, dtype=np.float64).T
            found.append((concept, true, measured))
    return found


def block(view: View) -> Block | None:
    """The scatter, coloured by concept; None when nothing was sampled."""
    found = sample(view)
    if not found:
        return None
    ends = _reach([true for _, true, _ in found])
    height = _reach([measured for _, _, measured in found])
    lines = {"type": "scatter", "mode": "lines", "x": ends, "hoverinfo": "skip"}
    data: list[dict[str, Any]] = [
        {**lines, "y": ends, "name": "measured = true", "line": {"color": "--ink", "width": 1.5}},
        {
            **lines,
            "y": [0, 0],
            "name": "predicting zero",
            "line": {"color": "--null", "width": 1.5, "dash": "dot"},
        },
    ]
    for concept, true, measured in found:
        name = label(view.names[concept])
        marker = {
            "color": f"{palette.concept(concept)}/0.6",
            "size": 6,
            "symbol": palette.MARKERS[concept % len(palette.MARKERS)],
        }
        point = {"type": "scatter", "mode": "markers", "name": name, "marker": marker}
        hover = f"true %{{x:.3f}}, measured %{{y:.3f}} nats<extra>{name}</extra>"
        data.append({**point, "x": true, "y": measured, "hovertemplate": hover})
    layout = {
        "showlegend": True,
        "legend": {"x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"},
        "xaxis": {"title": {"text": "true log-odds (nats)"}, "range": ends, "zeroline": False},
        "yaxis": {"title": {"text": "measured f(d)·Δg (nats)"}, "range": height, "zeroline": False},
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
    }
    size = sum(len(true) for _, true, _ in found)
    return Block(
        id="log-odds",
        kind="plot",
        title=title(view),
        meaning=MEANINGS["log_odds_gap_nats"],
        caption=f"A sample of {size:,} pairs: a context that does not know the concept, a token it allows.",
        alt=f"Scatter of measured against true log-odds, {size} points. {title(view)}.",
        spec={"data": data, "layout": layout, "narrow": NARROW},
        size="half",
    )


def title(view: View) -> str:
    """The finding in one line."""
    gap = view.summary.final.log_odds_gap_nats
    if gap is None:
        return "Measured against true log-odds"
    beside = f"against {short(gap.rmse_of_zero)} nats for predicting zero"
    return f"Measured against true log-odds: RMSE {short(gap.rmse)} nats, {beside}"


def _reach(parts: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """From the least to the largest value, zero included, with some room."""
    values = np.concatenate(parts)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.06 * max(high - low, 1e-6)
    return low - room, high + room


def paper(view: View) -> Any:
    """The scatter for a paper; None when nothing was sampled."""
    from matplotlib.figure import Figure

    from linrep.page.print_style import plain

    found = sample(view)
    if not found:
        return None
    figure = Figure(figsize=(3.5, 2.9), layout="constrained")
    axes: Any = figure.add_subplot()
    ends = _reach([true for _, true, _ in found])
    axes.plot(ends, ends, color="#15191f", linewidth=0.8, label="as in the data")
    axes.plot(
        ends, (0, 0), color=palette.paper("--null"), linestyle=":", linewidth=0.9, label="predicting zero"
    )
    shapes = {"circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "X"}
    for concept, true, measured in found:
        shape = shapes[palette.MARKERS[concept % len(palette.MARKERS)]]
        colour = palette.paper(palette.concept(concept))
        axes.scatter(
            true, measured, s=5, marker=shape, color=colour, alpha=0.6, linewidths=0,
            label=plain(view.names[concept]), rasterized=len(true) > 3000,
        )  # fmt: skip
    axes.set(xlim=ends, ylim=_reach([measured for _, _, measured in found]))
    axes.set(xlabel="true log-odds (nats)", ylabel=r"measured $f(d)\cdot\Delta g$ (nats)")
    figure.legend(loc="outside lower center", frameon=False, markerscale=1.6, ncols=3)
    return figure
