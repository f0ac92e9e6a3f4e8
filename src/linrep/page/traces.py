"""Every measure over training: one panel each, with its spread, its null and what theory predicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linrep.page import ended, palette
from linrep.page.interval import THIN, Estimates, Trace, line, null, predicted
from linrep.page.meanings import MEANINGS
from linrep.page.numbers import count, short
from linrep.page.shell import Block, label
from linrep.page.trace_curves import MEASURES, THIN_LINES, Curve, Measure, curves
from linrep.page.view import View

APART = " of runs that did not converge"
EXCESS = "excess_loss_nats"
ZERO = 0.5
"""Where step 0 stands on a logarithmic axis."""


def blocks(view: View) -> tuple[list[Block], list[Block]]:
    """The legend of the traces with the panels that are looked at first, and the other panels."""
    panels = {measure: block for measure in MEASURES if (block := _panel(view, measure)) is not None}
    first = [block for measure, block in panels.items() if not measure.folded]
    return [_legend(view), *first], [block for measure, block in panels.items() if measure.folded]


def _legend(view: View) -> Block:
    return Block(id="traces-legend", kind="legend", title="Lines of the traces", rows=_keys(view))


def _keys(view: View) -> list[tuple[str, str, str]]:
    """What lines there are: the colour of each, how it is drawn, and what it is."""
    number, what = (view.runs, "run") if view.runs > 1 else (len(view.names), "concept")
    thin = f"each {what}" + (f", the first {THIN_LINES} of {count(number)}" if number > THIN_LINES else "")
    rows = [
        ("unembedding", "", "unembedding g"),
        ("embedding", "", "embedding f"),
        ("both", "", "both tables"),
        ("unembedding", "thin", thin),
    ]
    if view.runs > 1:
        rows.append(("unembedding", "band", "10 to 90 % of runs"))
    if any(view.others) and any(view.converged):
        rows.append(("both", "dashed", "runs that did not converge (solid: those that did)"))
    shapes = "" if view.binary else "; shuffled rows for simplices and parents"
    rows.append(("null", "dotted", f"null: random pairs; predicting zero for log-odds{shapes}"))
    if view.has_lines:
        rows.append(("predicted", "dashed", "predicted limit, or rate late in training"))
    for name, colour, _ in ended.levels(view):
        rows.append((colour.removeprefix("--"), "dashed level", f"excess loss: {name}"))
    return rows


def _panel(view: View, measure: Measure) -> Block | None:
    found = curves(view, measure)
    if not found:
        return None
    data: list[Trace] = []
    for curve in found:
        data += _lines(curve, view)
    if measure.name == EXCESS:
        data += _levels(view, found[0].steps)
    ends = "; ".join(
        f"{curve.table or 'value'} {short(float(group[1, -1]))}{word}"
        for curve in found
        for group, word in _groups(curve, view)
    )
    return Block(
        id=f"trace-{measure.name.replace('_', '-')}",
        kind="plot",
        title=measure.title,
        meaning=MEANINGS[measure.name],
        alt=f"{measure.title} ({measure.axis}) over training steps. At the last step, median: {ends}.",
        spec={"data": data, "layout": _layout(measure, found)},
        size="small",
    )


def _groups(curve: Curve, view: View) -> list[tuple[NDArray[np.float64], str]]:
    groups: list[tuple[NDArray[np.float64], str]] = []
    if curve.converged is not None:
        groups.append((curve.converged, " of runs that converged" if any(view.others) else ""))
    if curve.others is not None:
        judged = any(word is not None for word in view.ended)
        groups.append((curve.others, APART if judged else ""))
    return groups


def _lines(curve: Curve, view: View) -> list[Trace]:
    """Single runs or concepts behind, then medians in their bands, the null and the prediction."""
    colour, extra = f"--{curve.table or 'both'}", f"<extra>{curve.table}</extra>"
    x = np.where(curve.steps == 0, ZERO, curve.steps)
    data: list[Trace] = []
    for name, values in curve.thin:
        hover = f"{label(name)}: %{{y:.3g}}{extra}"
        one = Estimates(name=name, colour=f"{colour}/0.3", x=x, centre=values, hover=hover)
        data += line(one, width=THIN, dash="dot" if "," in name else "solid")
    for (low, median, high), word in _groups(curve, view):
        between = (low, high) if view.runs > 1 else (None, None)
        name, hover = f"median{word}", f"median{word}: %{{y:.3g}}{extra}"
        middle = Estimates(
            name=name, colour=colour, x=x, centre=median, low=between[0], high=between[1], hover=hover
        )
        data += line(middle, dash="dash" if word == APART and curve.converged is not None else "solid")
    if curve.null is not None:
        data += null(x, curve.null, f"null: %{{y:.3g}}{extra}")
    if curve.predicted is not None:
        data += predicted(x, curve.predicted, f"predicted: %{{y:.4g}}{extra}")
    return data


def _levels(view: View, steps: NDArray[np.float64]) -> list[Trace]:
    """What the excess loss is judged by, across the panel."""
    data: list[Trace] = []
    x = np.where(steps == 0, ZERO, steps)[[0, -1]]
    for name, colour, level in ended.levels(view):
        hover = f"{name}: %{{y:.2g}} nats<extra></extra>"
        given = Estimates(name=name, colour=colour, x=x, centre=[level, level], hover=hover)
        data += line(given, dash="dashdot", width=THIN)
    return data


def ticks(steps: NDArray[np.float64]) -> tuple[list[float], list[str]]:
    """Positions and texts of the step axis: 0 and the powers of ten, every second one when they are many."""
    top = int(np.floor(np.log10(max(float(steps.max()), 1.0)))) if len(steps) else 0
    powers = range(0, top + 1, 1 if top < 4 else 2)
    at = [10.0**power for power in powers]
    text = [f"{value:,.0f}" for value in at]
    return ([ZERO, *at[1:]], ["0", *text[1:]]) if 0 in steps and len(at) > 1 else (at, text)


def _layout(measure: Measure, found: Sequence[Curve]) -> Mapping[str, Any]:
    at, text = ticks(found[0].steps)
    y: dict[str, Any] = {"title": {"text": measure.axis}}
    if measure.log:
        decades = _decades(found)
        y |= {"type": "log", "tickvals": decades, "ticktext": [f"{value:g}" for value in decades]}
    elif measure.bounds:
        y |= {
            "range": list(measure.bounds),
            "dtick": 0.25 if measure.bounds[1] - measure.bounds[0] < 1.2 else 0.5,
        }
    else:
        y |= {"rangemode": "tozero"}
    x = {"type": "log", "title": {"text": "training step"}, "tickvals": at, "ticktext": text}
    return {"xaxis": x, "yaxis": y, "margin": {"l": 50, "r": 10, "t": 8, "b": 40}}


def _decades(found: Sequence[Curve]) -> list[float]:
    """Ticks around the medians: powers of ten, five at most, or 1, 2, 5 where there are few."""
    values = np.concatenate([g[1] for c in found for g in (c.converged, c.others) if g is not None])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return [1.0]
    low, high = int(np.floor(np.log10(values.min()))), int(np.ceil(np.log10(values.max())))
    if np.log10(values.max() / values.min()) < 2:
        return [digit * 10.0**power for power in range(low - 1, high + 1) for digit in (1, 2, 5)]
    return [10.0**power for power in range(low, high + 1, -(-(high - low + 1) // 5))]


def paper(view: View) -> Any:
    """The same panels for a paper."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    from linrep.page.print_plot import draw
    from linrep.page.print_style import plain

    panels = [(measure, found) for measure in MEASURES if (found := curves(view, measure))]
    columns = 3
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(7.2, 1.85 * max(lines, 1) + 0.4), layout="constrained")
    for place, (measure, found) in enumerate(panels):
        axes: Any = figure.add_subplot(lines, columns, place + 1)
        for curve in found:
            draw(axes, _lines(curve, view))
        if measure.name == EXCESS:
            draw(axes, _levels(view, found[0].steps))
        at, text = ticks(found[0].steps)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(at))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(text)
        axes.set(xlabel="training step", ylabel=measure.axis)
        axes.set_title(plain(measure.title))
        if measure.log:
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            at = [value for value in _decades(found) if low <= value <= high]
            axes.set_yticks(at, [f"{value:g}" for value in at])
            axes.yaxis.set_minor_locator(NullLocator())
        elif measure.bounds:
            axes.set_ylim(*measure.bounds)
        else:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    figure.legend(handles=_handles(view), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _handles(view: View) -> list[Any]:
    """The legend of the page on paper."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from linrep.page.print_plot import DASHES

    dashes = {"dashed": "dash", "dotted": "dot", "dashed level": "dashdot"}
    found: list[Any] = []
    for name, form, text in _keys(view):
        colour = palette.paper(f"--{name}")
        if form == "band":
            found.append(Patch(color=colour, alpha=0.22, linewidth=0, label=text))
            continue
        dash: Any = DASHES[dashes.get(form, "solid")]
        thin = form == "thin"
        found.append(Line2D([], [], color=colour, linestyle=dash, linewidth=0.6 if thin else 1.4, label=text))
    return found
