"""The binary classification hidden in every token pair (claim C2), looked for inside trained runs."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs
from linrep.page.chart import Series, chart, control, means
from linrep.page.numbers import count, short
from linrep.page.shell import Block
from linrep.paper.former import free_else_all, graded
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row, spread
from linrep.theory.max_margin import hard_margin
from linrep.worlds.contexts import World

STEPS = "training.steps"
ANGLE = "angle_to_max_margin_degrees"
SEPARABLE = "separable_share"
NEAR, FAIRLY_NEAR = 10.0, 25.0
RULE = (
    "Of free runs, or of all if none is free: “yes” if the mean angle after the most steps is at most "
    f"{NEAR:g}°, “undecided” up to {FAIRLY_NEAR:g}°, else “no”; and no better than “no” unless below that of "
    "random token pairs."
)


def answer(numbers: Numbers) -> Answer:
    """How near at the end, and whether margins grow like ln t."""
    cells = [(label, cell) for label, cell in numbers.each(STEPS) if not math.isnan(_angle(cell))]
    if not cells:
        return nothing(RULE)
    label, last = max(cells, key=lambda each: int(each[0]))
    angle, null = _angle(last), last.mean(ANGLE, "unembedding", kind="null")
    standing = graded(angle, NEAR, FAIRLY_NEAR, falling=True) if angle < null else "no"
    first_label, first = min(cells, key=lambda each: int(each[0]))
    slope, fit = growth(last)
    finding = (
        f"after {count(int(label))} steps the mean angle between Δg and its max-margin direction is "
        f"{short(angle)}° ({short(_angle(first))}° after {count(int(first_label))}; random token pairs "
        f"{short(null)}°), and the mean margin grows by {short(slope)} nats per unit of ln t (R² {fit:.3f} "
        f"over the last hundredfold); {percent(last.mean(SEPARABLE))} of the hidden problems can be "
        "separated."
    )
    return Answer(standing=standing, finding=finding, rule=RULE)


def growth(cell: Numbers) -> tuple[float, float]:
    """Slope and R² of the mean margin against ln t over the last hundredfold of steps; NaN where too few."""
    steps, margin = cell.over_steps("margin")
    late = (steps > 0) & (steps >= steps.max() / 100)
    if late.sum() < 3:
        return math.nan, math.nan
    x, y = np.log(steps[late]), np.nanmean(margin[late], 1)
    slope, level = np.polyfit(x, y, 1)
    rest = float(((y - slope * x - level) ** 2).sum())
    whole = float(((y - y.mean()) ** 2).sum())
    return float(slope), 1 - rest / whole if whole > 0 else math.nan


def figures(numbers: Numbers) -> list[Block]:
    """Angle against steps, free and stuck runs; margin over ln t."""
    cells = [(int(label), cell) for label, cell in numbers.each(STEPS)]
    lines: list[Series] = []
    for name, free in (("free runs", True), ("stuck runs", False)):
        some = [(step, cell) for step, cell in cells if len(cell.values(ANGLE, "unembedding", free=free))]
        if some:
            points = [cell.spread(ANGLE, "unembedding", free=free) for _, cell in some]
            lines.append(
                Series(
                    name=name,
                    colour="--unembedding",
                    x=[s for s, _ in some],
                    points=points,
                    dash="solid" if free else "dash",
                )
            )
    null = [cell.spread(ANGLE, "unembedding", kind="null") for _, cell in cells]
    lines.append(control("random token pairs", "--null", [s for s, _ in cells], null))
    blocks = [
        chart(
            "angle",
            "Angle of Δg to its max-margin direction",
            lines,
            x="training steps",
            y="degrees",
            log_x=True,
            unit=False,
            caption="0 steps: untrained tables.",
        )
    ]
    last = cells[-1][1]
    steps, margin = last.over_steps("margin")
    if len(steps):
        points = [spread(row) for row in margin]
        line = Series(name="mean margin", colour="--both", x=steps.tolist(), points=points)
        slope, _ = growth(last)
        late = (steps > 0) & (steps >= steps.max() / 100)
        ends = steps[late][[0, -1]]
        middle, level = np.log(steps[late]).mean(), float(np.nanmean(margin[late]))
        fitted = means([level + slope * (math.log(step) - middle) for step in ends])
        guide = Series(
            name="straight in ln t",
            colour="--predicted",
            x=ends.tolist(),
            points=fitted,
            dash="dash",
            plain=True,
        )
        blocks.append(
            chart(
                "margin",
                "Margin over training",
                [line, guide],
                x="training step",
                y="nats",
                log_x=True,
                unit=False,
            )
        )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Mean angle of every Δg_i(c) to the max-margin direction of its problem, and of random token pairs."""
    step = result.snapshot_steps[-1]
    for run, world in enumerate(result.worlds):
        f, g = result.embedding[run].double(), result.unembedding[run].double()
        if not bool(f.isfinite().all() and g.isfinite().all()):
            continue
        draw = generator(result.config.seed, "null", run, 2)
        angles: list[float] = []
        null: list[float] = []
        problems = 0
        for delta, points in hidden_problems(world, f, g):
            problems += 1
            found = hard_margin(points)
            if not found.separable:
                continue
            one, other = torch.randperm(len(world.tokens), generator=draw)[:2].tolist()
            angles.append(_degrees(delta, found.direction))
            null.append(_degrees(g[one] - g[other], found.direction))
        yield step, run, SEPARABLE, "", "value", len(angles) / max(problems, 1)
        if angles:
            yield step, run, ANGLE, "unembedding", "value", float(np.mean(angles))
            yield step, run, ANGLE, "unembedding", "null", float(np.mean(null))


def hidden_problems(world: World, f: Tensor, g: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each Δg_i(c) with its points: f(d), signed by d_i, of the contexts that know i and fit c elsewhere."""
    pairs = counterfactual_pairs(world.token_codes)
    unknown = torch.tensor(world.model.sizes)
    for low, high, concept in zip(pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist(), strict=True):
        fits = (world.codes == world.token_codes[low]) | (world.codes == unknown)
        fits[:, concept] = world.codes[:, concept] < 2
        rows = fits.all(1)
        sign = 2.0 * world.codes[rows, concept] - 1.0
        if bool(rows.any()):
            yield g[high] - g[low], f[rows] * sign[:, None].double()


def _angle(cell: Numbers) -> float:
    return free_else_all(cell, ANGLE, "unembedding")


def _degrees(one: Tensor, other: Tensor) -> float:
    return float(torch.rad2deg(torch.acos((one @ other / (one.norm() * other.norm())).clamp(-1, 1))))


EXPERIMENT = Experiment(
    name="implicit-bias",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="angle (degrees)", measure=ANGLE, table="unembedding", write=short),
        Column(title="separable", measure=SEPARABLE),
        Column(title="margin (nats)", measure="margin", write=short),
        LINEARITY_G,
        EXCESS,
    ),
    extra=extra,
)
