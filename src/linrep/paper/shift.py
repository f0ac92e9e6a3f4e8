"""A world that changes in mid-training, against a run that knows the new world alone."""

from collections.abc import Sequence

import numpy as np

from linrep.intervals import Effect, average
from linrep.page.chart import Dash, Series, chart, means
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.effects import Held, below, judged, within
from linrep.paper.paired import by_run, geometric_mean, paired_difference, stacked
from linrep.paper.record import ALIGNMENT, EXCESS, LINEARITY_G, LOG_ODDS, Answer, Column, Experiment, nothing
from linrep.sweeps.numbers import Numbers, spread

RANGE, TRAINING = "probabilities", "training"
CHANGED, FRESH, UNCHANGED = "changed", "fresh", "unchanged"
TURN, GAP, LOSS = "turn_degrees", "log_odds_gap_nats", "excess_loss_nats"
G, F = "unembedding", "embedding"
SAME, AS_MUCH, KEPT = 0.05, 1.25, 15.0
RULE = (
    "A run whose world changed is held against a fresh one, trained in the new world alone, for as many "
    f"steps: linearity of g and alignment at most {SAME:g} apart on average, and at most {AS_MUCH:g} times "
    "its log-odds gap (geometric mean). Directions count as kept when those of g, and those "
    f"of f, turned by at most {KEPT:g}° from where they stood before the change. “Yes” if all of that holds "
    "whatever the range of probabilities, “no” if one does not, by 95 % intervals."
)


def answer(numbers: Numbers) -> Answer:
    """Differences from fresh runs, and how far directions turned."""
    effects: list[Held] = []
    farthest = ""
    for label, part in numbers.each(RANGE):
        cells = dict(part.each(TRAINING))
        if not {CHANGED, FRESH} <= set(cells):
            continue
        changed, fresh = cells[CHANGED], cells[FRESH]
        own = [
            *_geometry(label, changed, fresh),
            below(
                f"log-odds gap, of fresh, {label}",
                _ratio(changed, fresh, GAP),
                AS_MUCH,
            ),
            *(below(f"turn of {name}, {label}", _turn(changed, t), KEPT, _degrees) for name, t in TABLES),
        ]
        if own[0].effect.runs[0]:
            effects += own
            farthest = _said(label, own, cells)
    if not effects:
        return nothing(RULE)
    return Answer(
        standing=judged(effects),
        finding=f"{farthest}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="A change that moves log-odds further, or that changes which concepts depend on which.",
    )


TABLES = (("g", G), ("f", F))


def _geometry(label: str, changed: Numbers, fresh: Numbers) -> list[Held]:
    return [
        within(
            f"{name} less fresh, {label}",
            paired_difference(changed, fresh, measure, table),
            (-SAME, SAME),
            cosine,
        )
        for name, measure, table in (("linearity of g", "linearity", G), ("alignment", "alignment", ""))
    ]


def _ratio(first: Numbers, second: Numbers, measure: str) -> Effect:
    """Geometric mean of the ratios of runs that both converged."""
    a, b = stacked([first, second], measure)
    return geometric_mean(a / b)


def _turn(cell: Numbers, table: str, kind: str = "value") -> Effect:
    return average(by_run(cell, TURN, table, kind=kind), (0.0, 180.0))


def _said(label: str, own: Sequence[Held], cells: dict[str, Numbers]) -> str:
    linear, aligned, gap, turned_g, turned_f = (held.measured for held in own)
    changed, still = cells[CHANGED], cells.get(UNCHANGED)
    beside = "" if still is None else f"without a change {_degrees(_turn(still, G).value)}, "
    loss = _ratio(changed, cells[FRESH], LOSS)
    return (
        f"with p from {label} changed runs differ from fresh ones by {linear} in linearity of g and "
        f"{aligned} in alignment, at {gap} times their log-odds gap and {below('', loss, 1.0).measured} "
        f"times their excess loss; directions of g turned by {turned_g} and of f by {turned_f} ({beside}from "
        f"another run's {_degrees(_turn(changed, G, 'null').value)})"
    )


def figures(numbers: Numbers) -> list[Block]:
    """Angles and log-odds gap from the change on, for each range of probabilities."""
    blocks: list[Block] = []
    for index, (label, part) in enumerate(numbers.each(RANGE)):
        cells = dict(part.each(TRAINING))
        gaps: list[Series] = []
        if FRESH in cells:
            gaps.append(_line("fresh", cells[FRESH], GAP, "", "--predicted", dash="dash"))
        turned: list[Series] = []
        if CHANGED in cells:
            changed = cells[CHANGED]
            gaps += [
                _line("changed", changed, GAP, "", "--unembedding"),
                _line("predicting zero", changed, GAP, "", "--null", kind="null", dash="dot"),
            ]
            turned += [
                _line("g", changed, TURN, G, "--unembedding"),
                _line("f", changed, TURN, F, "--embedding"),
                _line("random: g of another run", changed, TURN, G, "--null", kind="null", dash="dot"),
            ]
        if UNCHANGED in cells:
            turned.append(_line("g, no change", cells[UNCHANGED], TURN, G, "--predicted", dash="dot"))
        for name, title, lines, y in (
            ("gap", "log-odds gap", gaps, "nats"),
            ("turn", "turn since the change", turned, "degrees"),
        ):
            blocks.append(
                chart(
                    f"shift-{name}-{index}",
                    f"p from {label}: {title}",
                    lines,
                    x="steps in the new world",
                    y=y,
                    log_x=True,
                    unit=False,
                )
            )
    return blocks


def _line(
    name: str,
    cell: Numbers,
    measure: str,
    table: str,
    colour: str,
    *,
    kind: str = "value",
    dash: Dash = "solid",
) -> Series:
    """A measure from the change on, which is where angles begin."""
    start = cell.over_steps(TURN, G)[0][0]
    steps, values = cell.over_steps(measure, table, kind=kind)
    chosen = steps >= start
    points = [spread(row) for row in values[chosen]]
    plain = dash != "solid"
    if plain:
        points = means([point.mean if point.mean is not None else np.nan for point in points])
    return Series(
        name=name,
        colour=colour,
        x=(steps[chosen] - start).tolist(),
        points=points,
        dash=dash,
        plain=plain,
    )


def _degrees(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.1f}°"


EXPERIMENT = Experiment(
    name="shift",
    answer=answer,
    figures=figures,
    columns=(
        LINEARITY_G,
        LOG_ODDS,
        Column(title="turn of g", measure=TURN, table=G, write=_degrees),
        Column(title="turn of f", measure=TURN, table=F, write=_degrees),
        ALIGNMENT,
        EXCESS,
    ),
)
