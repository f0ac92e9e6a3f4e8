"""Figures of a measured language model: every number with its interval, every interval beside its null."""

import math
from collections.abc import Sequence
from typing import Any

from linrep.page import heat, palette
from linrep.page.interval import BESIDE, Estimates, Trace, line, null_ranges, points
from linrep.page.lm.view import INNER, View
from linrep.page.numbers import cosine
from linrep.page.shell import Block, label
from linrep.runs.row import Matrix, Row

NUMBERED = 10
RANDOM = "random pairs"
SIGNED = ((0.0, "--embedding"), (0.5, "--heat-0"), (1.0, "--unembedding"))


def concept_dots(view: View) -> Block:
    """Linearity of every concept, most linear first, with interval and null."""
    words = {name: view.row("linearity", name, table="unembedding") for name in view.concepts}
    order = sorted(view.concepts, key=lambda name: rank(words[name]))
    order += [name for name in view.context_concepts if name not in order]
    series = [("word pairs g", "--unembedding", -0.14, [words.get(name) for name in order])]
    if view.context_concepts:
        states = [view.context_linearity(name) for name in order]
        series.append(("contexts f", "--embedding", 0.14, states))
    return Block(
        id="linearity",
        kind="plot",
        title="Linearity of each concept",
        caption="Mean cosine between a concept's steering vectors, 95 % interval; grey: 95 % of draws of "
        "random pairs. Word pairs: interval over pairs. Contexts: over frames and swapped words.",
        alt=f"Dots with intervals, one for each of {len(order)} concepts, beside the range of random pairs.",
        spec=dots(order, series, "mean cosine"),
        size="wide",
    )


def alignment_dots(view: View) -> Block | None:
    """Cosine of states' differences with the matching direction, and with the nearest other."""
    names = [name for name in view.shared if view.row("alignment_direction", name)]
    order = sorted(names, key=lambda name: rank(view.row("alignment_direction", name)))
    if not order:
        return None
    own = [view.row("alignment_direction", name) for name in order]
    other = [view.row("alignment_other", name) for name in order]
    return Block(
        id="alignment-dots",
        kind="plot",
        title="Matching direction against all others",
        caption="Mean cosine of Δf with a concept's mean Δg direction, 95 % interval; grey: 95 % of mean "
        "directions of random word pairs. Cross: the nearest direction of any other concept.",
        alt="Dots with intervals for the matching concept and crosses for the nearest other, by concept.",
        spec=dots(
            order,
            [("matching concept", "--unembedding", 0.0, own), ("nearest other", "--embedding", 0.0, other)],
            "cosine",
            symbols=("circle", "x"),
        ),
        size="wide",
    )


def rank(row: Row | None) -> float:
    """Largest first, what is absent last."""
    return 2.0 if row is None else -row.value


def dots(
    names: Sequence[str],
    series: Sequence[tuple[str, str, float, Sequence[Row | None]]],
    axis: str,
    symbols: Sequence[str] = ("circle", "square"),
    null: str = RANDOM,
) -> dict[str, Any]:
    """Estimates by name with their intervals, each beside the range of its null.

    Args:
        names: Along the axis, one place each.
        series: Name, colour, shift from the place, and a row for each name.
        axis: What is measured.
        symbols: One a series.
        null: What the range is called.
    """
    traces: list[Trace] = []
    for (name, colour, shift, rows), symbol in zip(series, symbols, strict=False):
        at = [(i + shift, row) for i, row in enumerate(rows) if row is not None]
        nulls = [(x, row.null) for x, row in at if math.isfinite(row.null.low)]
        if nulls:
            places, ends = [x for x, _ in nulls], [end for _, end in nulls]
            first = not any(trace["name"] == null for trace in traces)
            low, high = [end.low for end in ends], [end.high for end in ends]
            traces += null_ranges(places, low, high, null, listed=first)
        given = Estimates(
            name=name,
            colour=colour,
            x=[x for x, _ in at],
            centre=[row.value for _, row in at],
            low=[row.low for _, row in at],
            high=[row.high for _, row in at],
            text=[
                f"{label(row.concept)}, {name}: {cosine(row.value)} ({row.pairs:,} pairs)" for _, row in at
            ],
            hover="%{text}<extra></extra>",
        )
        traces += points(given, symbol=symbol)
    ticks = {"tickvals": list(range(len(names))), "ticktext": [label(name) for name in names]}
    crowded = len(names) > 8 or max(map(len, names)) > 14
    layout: dict[str, Any] = {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {
            **ticks,
            "tickangle": -40 if crowded else 0,
            "showgrid": False,
            "zeroline": False,
            "range": [-0.6, len(names) - 0.4],
        },
        "yaxis": {"title": {"text": axis}, "zeroline": True},
        "margin": {"l": 52, "r": 12, "t": 30, "b": 40},
    }
    return {"data": traces, "layout": layout, "narrow": {"xaxis": {**layout["xaxis"], "tickangle": -90}}}


def overlaps(view: View) -> list[Block]:
    """Concept × concept |cosine| of mean directions under each inner product."""
    found: list[Block] = []
    for inner in ("euclid", "causal", "random"):
        matrix = view.result.matrices.get(f"orthogonality_mean, {inner}")
        if matrix is None or len(matrix.rows) < 2:
            continue
        apart = [value for i, row in enumerate(matrix.values) for j, value in enumerate(row) if i != j]
        seen = [value for value in apart if math.isfinite(value)]
        mean = cosine(sum(seen) / len(seen) if seen else None)
        found.append(
            Block(
                id=f"overlap-{inner}",
                kind="plot",
                title=f"{INNER[inner].partition(',')[0].capitalize()}: mean |cosine| {mean}",
                alt=f"Heatmap, concept by concept: |cosine| of mean directions, {INNER[inner]}; mean {mean}.",
                spec=_heat(
                    matrix,
                    "%{customdata[0]} × %{customdata[1]}: %{z:.3f}<extra></extra>",
                    blank=True,
                    named=6,
                ),
                size="third",
            )
        )
    return found


def alignment_heat(view: View) -> Block | None:
    """Mean cosine of every Δf (row) with every Δg (column)."""
    matrix = view.result.matrices.get(f"alignment, {view.inner}, {view.place}")
    if matrix is None:
        return None
    order = [name for name in matrix.rows if name in matrix.columns]
    order += [name for name in matrix.columns if name not in order]
    columns = [matrix.columns.index(name) for name in order]
    turned = Matrix(
        name=matrix.name,
        rows=matrix.rows,
        columns=tuple(order),
        values=tuple(tuple(row[j] for j in columns) for row in matrix.values),
    )
    return Block(
        id="alignment-heat",
        kind="plot",
        title="Alignment of contexts with words",
        caption="Mean cosine of all Δf (rows) with all Δg (columns). The concepts of both come first, in one "
        "order: theory puts everything on their diagonal.",
        alt="Heatmap: contexts' concepts by words' concepts, mean cosine.",
        spec=_heat(turned, "f: %{customdata[0]}, g: %{customdata[1]}: %{z:.3f}<extra></extra>", signed=True),
        size="wide" if len(order) > NUMBERED else "half",
    )


def _heat(
    matrix: Matrix, hover: str, *, signed: bool = False, blank: bool = False, named: int = 40
) -> dict[str, Any]:
    values = [
        [None if not math.isfinite(value) or (blank and i == j) else value for j, value in enumerate(row)]
        for i, row in enumerate(matrix.values)
    ]
    sizes = [abs(value) for row in values for value in row if value is not None]
    top = max(0.05, *sizes) if signed and sizes else 1.0
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": values,
        "zmin": -top if signed else 0,
        "zmax": top,
        "xgap": 1,
        "ygap": 1,
        "colorscale": SIGNED if signed else heat.SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "len": 0.9, "nticks": 5},
        "customdata": [[[label(row), label(column)] for column in matrix.columns] for row in matrix.rows],
        "hovertemplate": hover,
        "hoverongaps": False,
    }
    columns, rows = (_names_axis(names, named) for names in (matrix.columns, matrix.rows))
    layout = {
        "xaxis": {**columns, "tickangle": -40 if len(matrix.columns) > 4 else 0},
        "yaxis": {**rows, "autorange": "reversed"},
        "annotations": _cell_numbers(values, top, signed=signed) if len(matrix.columns) <= NUMBERED else [],
        "margin": {"l": 20, "r": 8, "t": 8, "b": 20},
    }
    return {"data": [trace], "layout": layout}


def _names_axis(names: Sequence[str], named: int) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [label(name) for name in names],
        "tickfont": {"size": 11},
        "showticklabels": len(names) <= named,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "showline": False,
    }


def _cell_numbers(
    values: Sequence[Sequence[float | None]], top: float, *, signed: bool
) -> list[dict[str, Any]]:
    scale = SIGNED if signed else heat.SCALE
    return [
        heat.number(i, j, cosine(value), (value + top) / (2 * top) if signed else value / top, scale)
        for i, row in enumerate(values)
        for j, value in enumerate(row)
        if value is not None
    ]


def by_depth(view: View) -> list[Block]:
    """Linearity and probe accuracy of every concept by layer; none unless several layers were read."""
    layers = view.summary.get("where", {}).get("layers", [])
    if len(layers) < 2:
        return []
    return [
        _depth(view, layers, "linearity", "Linearity by depth", "mean cosine"),
        _depth(view, layers, "probe_accuracy", "Probe accuracy by depth", "share of states"),
    ]


def _depth(view: View, layers: Sequence[int], measure: str, title: str, axis: str) -> Block:
    places = [*map(str, layers), *(["head"] if view.place == "head" else [])]
    at = {place: i for i, place in enumerate(places)}
    traces: list[Trace] = []
    for i, name in enumerate(view.context_concepts):
        found: list[tuple[int, float]] = []
        for place in places:
            row = (
                view.context_linearity(name, place)
                if measure == "linearity"
                else view.row(measure, name, layer=place)
            )
            if row is not None:
                found.append((at[place], row.value))
        given = Estimates(
            name=name,
            colour=palette.concept(i),
            x=[x for x, _ in found],
            centre=[y for _, y in found],
            hover=f"{label(name)}: %{{y:.3f}}<extra></extra>",
        )
        traces += line(given, dash=palette.dash(i), width=BESIDE, symbol="circle", size=5)
    every = max(1, math.ceil(len(places) / 14))
    shown = [place for i, place in enumerate(places) if i % every == 0 or place == "head"]
    layout = {
        "showlegend": True,
        "legend": {"font": {"size": 11}},
        "xaxis": {
            "title": {"text": "blocks passed; head: after the final norm"},
            "tickvals": [at[place] for place in shown],
            "ticktext": shown,
        },
        "yaxis": {"title": {"text": axis}},
    }
    narrow = {"legend": {"orientation": "h", "y": -0.3, "yanchor": "top"}}
    return Block(
        id=f"depth-{measure.replace('_', '-')}",
        kind="plot",
        title=title,
        caption="Where two contexts end in the same token, layer 0 holds no difference and nothing is drawn."
        if measure == "linearity"
        else "The difference of means of unrelated pairs, threshold half-way.",
        alt=f"Lines, one for each concept: {title.lower()}.",
        spec={"data": traces, "layout": layout, "narrow": narrow},
        size="wide" if len(traces) > 6 else "half",
    )
