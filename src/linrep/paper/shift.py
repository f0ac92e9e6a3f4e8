"""A world that changes in mid-training: how soon log-odds are matched again, and how far directions turn."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from linrep.page.chart import Series, chart, means
from linrep.page.numbers import count, short
from linrep.page.shell import Block
from linrep.paper.former import graded, worst
from linrep.paper.record import LINEARITY_G, LOG_ODDS, Answer, Column, Experiment, Standing, nothing, percent
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row, spread

METHOD, WORLD = "method", "world"
CHANGED, CONTROL = "changed", "unchanged"
TURN, GAP = "turn_degrees", "log_odds_gap_nats"
BACK, STEPS_BACK, STEPS_FIRST = "matched_again", "steps_to_match_again", "steps_to_match_first"
G, F = "unembedding", "embedding"
LEVEL = 1.1
KEPT, HALF = 15.0, 45.0
MOST = 0.9
RULE = (
    f"A run matches again once its log-odds RMSE is at most {LEVEL:g} times that just before the change. "
    f"With every method: “yes” if at the end directions of g and of f are at most {KEPT:g}° on average from "
    f"where they stood before it and at least {percent(MOST)} of the runs match again, “undecided” if "
    "at most "
    f"{HALF:g}°, else “no”; and “no” if they stand no nearer than those of another run."
)


def answer(numbers: Numbers) -> Answer:
    """Turned how far, matched again how soon."""
    words: list[str] = []
    standings: set[Standing] = set()
    for method, part in numbers.each(METHOD):
        cells = dict(part.each(WORLD))
        if not {CHANGED, CONTROL} <= set(cells):
            continue
        cell, control = cells[CHANGED], cells[CONTROL]
        turned = {table: cell.mean(TURN, table) for table in (G, F)}
        back = cell.mean(BACK)
        if any(np.isnan([*turned.values(), back])):
            continue
        standing = graded(max(turned.values()), KEPT, HALF, falling=True)
        if standing == "yes" and back < MOST:
            standing = "undecided"
        if any(not turned[table] < cell.mean(TURN, table, kind="null") for table in (G, F)):
            standing = "no"
        standings.add(standing)
        soon, first = cell.spread(STEPS_BACK).median, cell.spread(STEPS_FIRST).median
        matched = f"{percent(back)} of runs matched again"
        if soon is not None and first is not None:
            matched += f", their median after {count(round(soon))} steps (at first {count(round(first))})"
        words.append(
            f"with {method} directions of g turned by {_angle(cell, G)} and of f by {_angle(cell, F)} "
            f"(without a change {_angle(control, G)} and {_angle(control, F)}, from another run's "
            f"{_angle(cell, G, 'null')} and {_angle(cell, F, 'null')}), and {matched}"
        )
    if not words:
        return nothing(RULE)
    return Answer(standing=worst(standings), finding="; ".join(words) + ".", rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Angles and log-odds gap from the change on, for each method."""
    blocks: list[Block] = []
    for index, (method, part) in enumerate(numbers.each(METHOD)):
        cells = dict(part.each(WORLD))
        turned = [
            _line(f"{name}{control}", cells[world], TURN, table, colour, plain=bool(control))
            for world, control in ((CHANGED, ""), (CONTROL, ", no change"))
            for name, table, colour in (("g", G, "--unembedding"), ("f", F, "--embedding"))
            if world in cells
        ]
        gaps = [
            _line(name, cells[world], GAP, "", colour, plain=world == CONTROL)
            for name, world, colour in (
                ("measured", CHANGED, "--unembedding"),
                ("no change", CONTROL, "--predicted"),
            )
            if world in cells
        ]
        if CHANGED in cells:
            turned.append(_line("random: g of another run", cells[CHANGED], TURN, G, "--null", kind="null"))
            gaps.append(_line("predicting zero", cells[CHANGED], GAP, "", "--null", kind="null"))
        for name, title, lines, y in (
            ("turn", "angle from before the change", turned, "degrees"),
            ("gap", "log-odds gap, before and after the change", gaps, "nats"),
        ):
            blocks.append(
                chart(
                    f"shift-{name}-{index}",
                    f"{method}: {title}",
                    lines,
                    x="steps since the change",
                    y=y,
                    log_x=True,
                    unit=False,
                )
            )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Whether each run matches again, after how many steps, and how many it took to get there at first."""
    assert result.config.shift is not None, "every cell has one"
    at, last = result.config.shift.step, result.snapshot_steps[-1]
    rows: Any = result.trace
    rows = rows[(rows["measure"] == GAP) & (rows["kind"] == "value")]
    for run, own in rows.groupby("run"):
        gap = own.set_index("step")["value"].sort_index()
        reached = gap[gap <= LEVEL * gap[at]].index
        first, again = reached.min(), reached[reached > at]
        yield last, int(run), BACK, "", "value", float(len(again) > 0)
        yield last, int(run), STEPS_FIRST, "", "value", float(first)
        if len(again):
            yield last, int(run), STEPS_BACK, "", "value", float(again.min() - at)


def _angle(cell: Numbers, table: str, kind: str = "value") -> str:
    return f"{cell.mean(TURN, table, kind=kind):.1f}°"


def _line(
    name: str,
    cell: Numbers,
    measure: str,
    table: str,
    colour: str,
    *,
    kind: str = "value",
    plain: bool = False,
) -> Series:
    """A measure from the change on, which is where angles begin."""
    start = cell.over_steps(TURN, G)[0][0]
    steps, values = cell.over_steps(measure, table, kind=kind)
    chosen = steps >= start
    points = [spread(row) for row in values[chosen]]
    plain = plain or kind == "null"
    if plain:
        points = means([point.mean if point.mean is not None else np.nan for point in points])
    return Series(
        name=name,
        colour=colour,
        x=(steps[chosen] - start).tolist(),
        points=points,
        dash="dot" if plain else "solid",
        plain=plain,
    )


def _degrees(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


EXPERIMENT = Experiment(
    name="shift",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="turn of g (degrees)", measure=TURN, table=G, write=_degrees),
        Column(title="turn of f (degrees)", measure=TURN, table=F, write=_degrees),
        Column(title="matched again (share)", measure=BACK, write=short),
        Column(title="steps, where matched again", measure=STEPS_BACK, write=short),
        LOG_ODDS,
        LINEARITY_G,
    ),
    extra=extra,
)
