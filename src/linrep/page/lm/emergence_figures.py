"""Figures over training: every concept's number at every step, with interval and null."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from linrep.llm import EmergenceResult
from linrep.llm.history.emerged import WORDS, Look, Quantity
from linrep.page import heat, palette
from linrep.page.interval import BESIDE, MEASURED, Estimates, Trace, line, null, points
from linrep.page.numbers import cosine, count
from linrep.page.shell import Block, label
from linrep.runs.row import Row

BANDS = 8
"""Concepts up to which each has its band."""
LISTED = 12
"""Concepts up to which the legend has them."""
AWAY = 0.18
"""How far left of the first step 0 stands, as a share of the axis."""
OTHERS = (
    ("orthogonality_mean", "unembedding", "Overlap with other concepts, words", "mean |cosine|"),
    ("log_odds_shift", "both", "Log-odds from context 0 to context 1", "nats"),
    ("log_odds_gap", "both", "Log-odds less f·Δg", "RMS, nats"),
    ("probe_accuracy", "embedding", "The direction as a probe", "accuracy"),
)


class Axis:
    """Steps, or tokens where all say how many they read, on a logarithmic axis with a place for 0."""

    def __init__(self, looks: Sequence[Look]) -> None:
        in_tokens = all(look.tokens is not None for look in looks)
        self.name = "tokens read" if in_tokens else "training step"
        self.at = [float((look.tokens if in_tokens else look.step) or 0) for look in looks]
        above = [at for at in self.at if at > 0]
        self.first, self.last = (min(above), max(above)) if above else (1.0, 1.0)
        width = max(math.log10(self.last / self.first), 0.3)
        self.zero = self.first / 10 ** (AWAY * width)
        self.edge = self.first / 10 ** (AWAY * width / 2)
        self.has_zero = min(self.at) <= 0

    @property
    def places(self) -> list[float]:
        """Where each checkpoint stands."""
        return [self.zero if at <= 0 else at for at in self.at]

    def layout(self) -> dict[str, Any]:
        """The axis, and the line that parts 0 from the rest."""
        powers = range(math.floor(math.log10(self.first)), math.ceil(math.log10(self.last)) + 1)
        ticks = [n * 10.0**power for power in powers for n in (1, 3)]
        ticks = [tick for tick in ticks if self.first <= tick <= self.last] or [self.first, self.last]
        names = [_tick(tick) for tick in ticks]
        shapes: list[dict[str, Any]] = []
        if self.has_zero:
            ticks, names = [self.zero, *ticks], ["0", *names]
            edge = {"x0": self.edge, "x1": self.edge, "y0": 0, "y1": 1, "yref": "paper"}
            shapes = [{"type": "line", **edge, "line": {"color": "--muted", "width": 1, "dash": "dot"}}]
        axis = {"type": "log", "title": {"text": self.name}, "tickvals": ticks, "ticktext": names}
        return {"xaxis": axis, "shapes": shapes}


def _tick(value: float) -> str:
    for scale, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= scale:
            return f"{value / (1e3 if letter == 'k' else scale):g}{letter}"
    return f"{value:g}"


def by_step(
    looks: Sequence[Look],
    quantity: Quantity,
    names: Sequence[str],
    *,
    wide: bool = False,
    title: str = "",
    name: str = "",
) -> Block:
    """One quantity over training, of all those concepts that have it; a concept's place is its colour."""
    rows = {concept: [look.row(quantity, concept) for look in looks] for concept in names}
    what = title or {"alignment": "Alignment of contexts with words"}.get(
        quantity.words, f"Linearity of {quantity.words}"
    )
    return _curves(
        looks, rows, name or f"by-step-{quantity.words.partition(',')[0]}", what, "mean cosine", wide=wide
    )


def others(looks: Sequence[Look], names: Sequence[str]) -> list[Block]:
    """Overlap, log-odds and probes over training, where they were measured."""
    blocks: list[Block] = []
    for measure, table, title, axis in OTHERS:
        inner = next((row.inner for row in looks[-1].rows if row.measure == "linearity"), "")
        rows: dict[str, list[Row | None]] = {name: [None] * len(looks) for name in names}
        for at, look in enumerate(looks):
            for row in look.rows:
                if (
                    (row.measure, row.table) == (measure, table)
                    and row.inner in ("", inner)
                    and row.layer in ("", "head")
                ):
                    rows[row.concept][at] = row
        if any(row is not None for own in rows.values() for row in own):
            blocks.append(_curves(looks, rows, f"by-step-{measure.replace('_', '-')}", title, axis))
    return blocks


def _curves(
    looks: Sequence[Look],
    rows: dict[str, list[Row | None]],
    name: str,
    title: str,
    axis: str,
    *,
    wide: bool = False,
) -> Block:
    steps = Axis(looks)
    traces: list[Trace] = []
    banded = len(rows) <= BANDS
    for i, (concept, own) in enumerate(rows.items()):
        if not any(own):
            continue
        given = Estimates(
            name=concept,
            colour=palette.concept(i),
            x=steps.places,
            centre=[None if row is None else row.value for row in own],
            low=[None if row is None else row.low for row in own] if banded else None,
            high=[None if row is None else row.high for row in own] if banded else None,
            hover=f"{label(concept)}, %{{text}}: %{{y:.3f}}<extra></extra>",
            text=[label(look.name) for look in looks],
        )
        traces += line(
            given, dash=palette.dash(i), width=MEASURED if banded else BESIDE, symbol="circle", size=4
        )
    level = [_highest([own[at] for own in rows.values()]) for at in range(len(looks))]
    if any(each is not None for each in level):
        traces += null(
            steps.places, level, "random pairs, 97.5 %: %{y:.3f}<extra></extra>", "random pairs, 97.5 %"
        )
    layout = {
        "showlegend": len(rows) <= LISTED,
        "legend": {"font": {"size": 11}},
        "yaxis": {"title": {"text": axis}},
        **steps.layout(),
    }
    narrow = {"legend": {"orientation": "h", "y": -0.3, "yanchor": "top"}}
    return Block(
        id=name,
        kind="plot",
        title=title,
        alt=f"{title} by {steps.name}, one line for each of {len(rows)} concepts.",
        spec={"data": traces, "layout": layout, "narrow": narrow},
        size="wide" if wide else "half",
    )


def _highest(rows: Sequence[Row | None]) -> float | None:
    seen = [row.null.high for row in rows if row is not None and math.isfinite(row.null.high)]
    return max(seen, default=None)


def by_count(result: EmergenceResult) -> Block:
    """The step of emergence of every concept against how often it occurs, with the law through them."""
    found = [each for each in result.of() if each.concept in result.frequencies]
    last = result.looks[-1].step
    top = 1.6 * last
    counts = [result.frequencies[each.concept].count for each in found]
    given = Estimates(
        name="words",
        colour="--unembedding",
        x=counts,
        centre=[top if each.step is None else max(each.step, 1) for each in found],
        low=[last if each.step is None else max(each.after or 1, 1) for each in found],
        high=[top if each.step is None else max(each.step, 1) for each in found],
        hover="%{text}<extra></extra>",
        text=[
            f"{label(each.concept)}: {'not yet' if each.step is None else f'step {count(each.step)}'}"
            for each in found
        ],
    )
    traces = points(given)
    by = result.by()
    if by is not None and by.law is not None:
        met, ends = by.law.occurrences.value, [min(counts), max(counts)]
        drawn = Estimates(
            name=f"met {count(round(met))} times",
            colour="--muted",
            x=ends,
            centre=[met * last / n for n in ends],
            hover=None,
        )
        traces += line(drawn, width=BESIDE)
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "font": {"size": 11}},
        "xaxis": {"type": "log", "title": {"text": "occurrences of the concept's words"}},
        "yaxis": {"type": "log", "title": {"text": "step of emergence"}},
    }
    return Block(
        id="step-by-count",
        kind="plot",
        title="Step of emergence against occurrences",
        caption="A bar reaches down to the checkpoint before. The line: every concept after the same "
        "number of "
        "occurrences. Above the last checkpoint: not yet.",
        alt="Each concept's step of emergence by how often its words occur, both on logarithmic axes.",
        spec={"data": traces, "layout": layout},
    )


def against_count(result: EmergenceResult) -> Block:
    """Linearity against occurrences, a line for each of some checkpoints."""
    order = sorted(result.frequencies.values(), key=lambda each: each.count)
    chosen = _some([look for look in result.looks if look.step > 0] or list(result.looks))
    traces: list[Trace] = []
    for at, look in enumerate(chosen):
        rows = [look.row(WORDS, each.concept) for each in order]
        given = Estimates(
            name=f"step {count(look.step)}",
            colour=palette.concept(at),
            x=[each.count for each in order],
            centre=[None if row is None else row.value for row in rows],
            hover="%{text}: %{y:.3f}<extra></extra>",
            text=[f"{label(each.concept)}, step {count(look.step)}" for each in order],
        )
        traces += line(given, dash=palette.dash(at), width=BESIDE, symbol="circle", size=6)
    layout = {
        "showlegend": True,
        "legend": {"font": {"size": 11}},
        "xaxis": {"type": "log", "title": {"text": "occurrences of the concept's words"}},
        "yaxis": {"title": {"text": "mean cosine"}},
    }
    return Block(
        id="linearity-by-count",
        kind="plot",
        title="Linearity of words against occurrences",
        alt="Linearity of each concept by how often its words occur, a line for each of some checkpoints.",
        spec={
            "data": traces,
            "layout": layout,
            "narrow": {"legend": {"orientation": "h", "y": -0.3, "yanchor": "top"}},
        },
    )


def _some(looks: Sequence[Look], most: int = 6) -> list[Look]:
    """Some of them, the first and the last among them."""
    if len(looks) <= most:
        return list(looks)
    return [looks[round(i * (len(looks) - 1) / (most - 1))] for i in range(most)]


def by_depth(looks: Sequence[Look], places: Sequence[Quantity]) -> Block:
    """Median linearity of contexts, layer by checkpoint."""
    values: list[list[float | None]] = []
    for quantity in places:
        concepts = dict.fromkeys(
            row.concept for row in looks[-1].rows if row.table == "embedding" and row.layer == quantity.layer
        )
        line_of: list[float | None] = []
        for look in looks:
            seen = [row.value for concept in concepts if (row := look.row(quantity, concept)) is not None]
            line_of.append(median(seen) if seen else None)
        values.append(line_of)
    names = [quantity.layer for quantity in places]
    steps = [count(look.step) for look in looks]
    trace: Trace = {
        "type": "heatmap",
        "z": values,
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "colorscale": heat.SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "len": 0.9, "nticks": 5},
        "customdata": [[[name, step] for step in steps] for name in names],
        "hovertemplate": "after %{customdata[0]} blocks, step %{customdata[1]}: %{z:.3f}<extra></extra>",
        "hoverongaps": False,
    }
    every = max(1, math.ceil(len(steps) / 8))
    layout = {
        "xaxis": {
            "title": {"text": "training step"},
            "tickvals": list(range(0, len(steps), every)),
            "ticktext": steps[::every],
            "showgrid": False,
        },
        "yaxis": {
            "title": {"text": "blocks passed; head: after the final norm"},
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "showgrid": False,
        },
    }
    last = values[-1][-1] if values else None
    return Block(
        id="depth-by-step",
        kind="plot",
        title="Linearity of contexts by depth and step, median over concepts",
        caption="Where two contexts end in the same token, layer 0 holds no difference and nothing is drawn.",
        alt=f"Heatmap, layer by checkpoint: median linearity of contexts; {cosine(last)} at the end, "
        "nearest the head.",
        spec={"data": [trace], "layout": layout},
        size="wide",
    )
