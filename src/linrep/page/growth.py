"""Which directions are there, and since when: singular values of logits and tables over training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.page import palette
from linrep.page.interval import BESIDE, THIN, Estimates, Trace, line, points
from linrep.page.numbers import short
from linrep.page.shell import Block
from linrep.page.traces import ZERO, ticks
from linrep.page.view import View

MOST = 8
"""Singular values drawn, the largest first."""
ROUNDING = 1e-7
"""Below so much of the largest beside it a singular value is none."""
WORDS = {"unembedding": "g", "embedding": "f"}
MEANING = (
    "A direction that tables use is a singular value that has grown: of the logits, contexts × tokens, with "
    "g centred. From a small start they grow one after another, each at its own rate."
)


def blocks(view: View) -> list[Block]:
    """Logits, with the steps that were predicted, and both tables; empty where neither was recorded."""
    if view.spectrum is None:
        return []
    logits = _quantiles(view, "logits")
    data = [each for rank, values in enumerate(logits) for each in _line(view, rank, values)]
    return [
        Block(
            id="singular-values-over-training",
            kind="plot",
            title="Singular values over training",
            meaning=MEANING,
            caption=f"{_whose(view)} {_said(view)}",
            alt=f"Singular values of F Gᵀ over training steps. At the last step: {_ends(logits)}.",
            spec={"data": data + _marks(view), "layout": _layout(view)},
            size="half",
        ),
        _tables(view),
    ]


def _tables(view: View) -> Block:
    found = {name: _quantiles(view, name) for name in WORDS}
    data: list[Trace] = []
    for name, ranks in found.items():
        for rank, (_, middle, _) in enumerate(ranks):
            words = f"{WORDS[name]}, {rank + 1}"
            given = Estimates(
                name=words,
                colour=f"--{name}",
                x=_steps(view),
                centre=middle,
                listed=False,
                hover=_hover(words),
            )
            data += line(given, width=THIN if rank else BESIDE, dash=palette.DASHES[name == "embedding"])
    ends = "; ".join(f"of {WORDS[name]} {_ends(ranks)}" for name, ranks in found.items())
    return Block(
        id="table-singular-values",
        kind="plot",
        title="Singular values of g and f over training",
        caption="Solid g (centred), dashed f, as trained; the largest are thicker. Where both are alike, the "
        "gauge is balanced.",
        alt=f"Singular values of both tables over training steps. At the last step: {ends}.",
        spec={"data": data, "layout": _layout(view)},
        size="half",
    )


def _quantiles(view: View, name: str) -> list[NDArray[np.float64]]:
    """By rank, [3, looks]: 10 % quantile, median and 90 % quantile over the runs that are drawn."""
    assert view.spectrum is not None
    values = view.spectrum[name][:, _runs(view)]
    values = np.where(values > ROUNDING * values.max(axis=2, keepdims=True), values, np.nan)
    found: list[NDArray[np.float64]] = []
    for rank in range(min(MOST, values.shape[2])):
        own = values[:, :, rank]
        there = np.isfinite(own).all(axis=1)
        drawn = np.full((3, len(own)), np.nan)
        if there.any():
            drawn[:, there] = np.quantile(own[there], [0.1, 0.5, 0.9], axis=1)
            found.append(drawn)
    return found


def _runs(view: View) -> list[int]:
    """Those of the headline that were recorded, or else the one that stands for all."""
    assert view.spectrum is not None
    kept = view.spectrum["logits"].shape[1]
    return [run for run in view.headline.runs if run < kept] or [view.typical]


def _whose(view: View) -> str:
    drawn, words = len(_runs(view)), view.headline.words
    if view.runs == 1:
        return "Of F Gᵀ, g centred."
    whose = f"over {words}" if drawn == len(view.headline.runs) else f"over {drawn} of {words}"
    return f"Of F Gᵀ, g centred; medians and 10 to 90 % {whose}."


def _said(view: View) -> str:
    if view.beside is None:
        return ""
    if view.beside.appearances:
        return "Marks at 1: the steps at which the first gradient lets each reach it."
    return f"The first gradient tells no times here: {view.beside.no_appearances}."


def _line(view: View, rank: int, values: NDArray[np.float64]) -> list[Trace]:
    low, middle, high = values
    name = f"σ{rank + 1}"
    ends = (low, high) if view.runs > 1 else (None, None)
    return line(
        Estimates(
            name=name,
            colour=palette.concept(rank),
            x=_steps(view),
            centre=middle,
            low=ends[0],
            high=ends[1],
            hover=_hover(name),
        )
    )


def _marks(view: View) -> list[Trace]:
    steps = view.beside.appearances if view.beside is not None else ()
    if not steps:
        return []
    last = float(_steps(view)[-1])
    shown = [(rank, step) for rank, step in enumerate(steps[:MOST], start=1) if step <= last]
    given = Estimates(
        name="predicted",
        colour="--predicted",
        x=[step for _, step in shown],
        centre=[1.0] * len(shown),
        text=[str(rank) for rank, _ in shown],
        hover="σ%{text} predicted to reach 1 at step %{x:,.0f}<extra></extra>",
    )
    return points(given, symbol="diamond-open", size=8, outline=1.6)


def _hover(name: str) -> str:
    return f"{name}: %{{y:.3g}}<extra></extra>"


def _ends(ranks: list[NDArray[np.float64]]) -> str:
    return ", ".join(short(float(values[1, -1])) for values in ranks)


def _steps(view: View) -> NDArray[np.float64]:
    """Of the looks of training alone, step 0 where a logarithmic axis has it."""
    steps = view.steps[view.steps >= 0].astype(np.float64)
    return np.where(steps == 0, ZERO, steps)


def _layout(view: View) -> dict[str, Any]:
    at, text = ticks(view.steps[view.steps >= 0].astype(np.float64))
    return {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "xaxis": {"type": "log", "title": {"text": "training step"}, "tickvals": at, "ticktext": text},
        "yaxis": {
            "type": "log",
            "title": {"text": "singular value"},
            "exponentformat": "power",
            "dtick": 1,
        },
        "margin": {"l": 56, "r": 10, "t": 8, "b": 40},
    }


def paper(view: View) -> Any:
    """The same for a paper; None where nothing was recorded."""
    from linrep.page.print_plot import figure

    return figure(blocks(view))
