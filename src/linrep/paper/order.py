"""When each mode of the first gradient appears in g, against the step at which theory has it appear."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import average
from linrep.page.chart import Series, chart, colour, means
from linrep.page.numbers import cosine, listed
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, above, below, judged, within
from linrep.paper.measured import dotted
from linrep.paper.paired import by_run, geometric_mean
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.order import Modes, first_modes, steps_to_length

SETTING, CONTROL = "setting", "start 0.3"
RANK, SUPPORT, SLOPE, RATIO = "order.rank", "order.support", "order.slope", "order.ratio"
MODE, PREDICTED = "order.step", "order.predicted"
MOST = 16
"""No table of the sweep has more dimensions."""
LENGTH = 1.0
"""Logits of such a mode are still small: a final length is several times as long."""
ORDERED, SLOPES, RATIOS = 0.8, (0.9, 1.1), (0.9, 1.1)
RULE = (
    f"Of each run, the steps at which g first reaches {LENGTH:g} along each of as many modes of the first "
    "gradient as it has dimensions, against the steps that world, width, start and step size predict. “Yes” "
    f"if in every setting but the control their rank correlation lies above {ORDERED:g}, the slope of their "
    f"logarithms within {SLOPES[0]:g} to {SLOPES[1]:g}, and measured over predicted within {RATIOS[0]:g} to "
    f"{RATIOS[1]:g}; “no” if one lies elsewhere, by 95 % intervals; and “undecided” unless the order is lost "
    "in the control, whose tables start almost that long."
)
CAPTION = "A dot a mode and run; on the line a mode appears when it was predicted to."


def order_rows(result: Result) -> Iterator[Row]:
    """Of each run: predicted and measured steps of every mode, and what they say of each other."""
    for run in range(result.snapshots.shape[1]):
        world = result.worlds[run]
        modes, support = first_modes(world), first_modes(world, support=True)
        table = result.snapshots[:, run, : len(world.tokens)].double()
        wanted, found = _predicted(result, modes), appearances(modes, result.snapshot_steps, table)
        turned = appearances(_turned(modes, run), result.snapshot_steps, table)
        values: dict[str, float] = {
            RANK: _rank(wanted, found),
            SUPPORT: _rank(_predicted(result, support), appearances(support, result.snapshot_steps, table)),
            **_fit(wanted, found),
            **{f"{PREDICTED}.{mode}": step for mode, step in enumerate(wanted.tolist())},
            **{f"{MODE}.{mode}": step for mode, step in enumerate(found[: len(wanted)].tolist())},
        }
        nulls = {RANK: _rank(wanted, turned)}
        nulls |= {f"{MODE}.{mode}": step for mode, step in enumerate(turned[: len(wanted)].tolist())}
        for kind, numbers in (("value", values), ("null", nulls)):
            for name, value in numbers.items():
                if not math.isnan(value):
                    yield result.snapshot_steps[-1], run, name, "", kind, value


def _turned(modes: Modes, seed: int) -> Modes:
    """Random orthonormal directions of tokens in place of the modes: what chance ranks."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(modes.tokens.shape, dtype=torch.float64, generator=generator)
    return replace(modes, tokens=torch.linalg.qr(drawn - drawn.mean(0)).Q)


def _predicted(result: Result, modes: Modes) -> Float64[Tensor, " modes"]:
    """For as many modes as the tables have dimensions."""
    model, training = result.config.model, result.config.training
    dim, step = model.dim or 0, training.step_size
    assert isinstance(step, float), "every cell has a fixed step"
    return steps_to_length(modes.rates[:dim], dim=dim, scale=model.init_scale, step_size=step, length=LENGTH)


def appearances(
    modes: Modes, steps: tuple[int, ...], tables: Float64[Tensor, "looks tokens dim"]
) -> Float64[Tensor, " modes"]:
    """The step at which g first has LENGTH along each mode, between looks by its logarithm.

    Args:
        modes: Of the world.
        steps: Of the looks.
        tables: g at each.

    Returns:
        NaN where a mode is that long at the first look, or never.
    """
    lengths = modes.lengths(tables).clamp_min(1e-300).log() - math.log(LENGTH)
    at = torch.tensor(steps, dtype=torch.float64)
    found = torch.full((lengths.shape[1],), math.nan, dtype=torch.float64)
    for mode, seen in enumerate(lengths.T):
        there = (seen >= 0).nonzero()
        if len(there) and int(there[0]) > 0:
            look = int(there[0])
            part = -seen[look - 1] / (seen[look] - seen[look - 1])
            found[mode] = at[look - 1] + part * (at[look] - at[look - 1])
    return found


def _rank(wanted: Tensor, found: Tensor) -> float:
    """Spearman's correlation; modes that never appear are left out."""
    from scipy.stats import spearmanr  # half a second and 50 MB

    found = found[: len(wanted)]
    there = ~found.isnan()
    if int(there.sum()) < 3:
        return math.nan
    correlation: Any = spearmanr(wanted[there].numpy(), found[there].numpy())
    return float(correlation.statistic)


def _fit(wanted: Tensor, found: Tensor) -> dict[str, float]:
    """Slope of the logarithms, and the geometric mean of measured over predicted."""
    found = found[: len(wanted)]
    there = ~found.isnan()
    if int(there.sum()) < 3:
        return {}
    x, y = wanted[there].log(), found[there].log()
    about = x - x.mean()
    return {
        SLOPE: float((about * y).sum() / about.square().sum()),
        RATIO: float((y - x).mean().exp()),
    }


def answer(numbers: Numbers) -> Answer:
    """Order, times and, beside them, the order by the supports alone."""
    effects: list[Held] = []
    control: list[Held] = []
    supports: list[str] = []
    for setting, cell in numbers.each(SETTING):
        rank = average(by_run(cell, RANK), UNIT)
        if not rank.runs[0]:
            continue
        if setting == CONTROL:
            control.append(below(f"rank correlation, {setting}", rank, ORDERED, cosine))
            continue
        effects += [
            above(f"rank correlation, {setting}", rank, ORDERED, cosine),
            within(f"slope of ln steps, {setting}", average(by_run(cell, SLOPE)), SLOPES, cosine),
            within(f"steps over predicted, {setting}", geometric_mean(by_run(cell, RATIO)), RATIOS, cosine),
        ]
        supports.append(f"{cosine(average(by_run(cell, SUPPORT), UNIT).value)} ({setting})")
    if not effects:
        return nothing(RULE)
    lost = listed([held.measured for held in control]) or "–"
    settings = "; ".join(_said(effects[at : at + 3]) for at in range(0, len(effects), 3))
    return Answer(
        standing=judged(effects) if judged(control) == "yes" else "undecided",
        finding=f"{settings}. By supports alone the rank correlation is {listed(supports)}; from a start of "
        f"0.3 it is {lost}.",
        rule=RULE,
        effects=(*effects, *control),
        would_change="A law that follows what is left to learn once the strongest modes are learned, where "
        "their rates lie far apart.",
    )


def _said(found: list[Held]) -> str:
    """A setting's three effects in words."""
    order, slope, ratio = found
    setting = order.name.removeprefix("rank correlation, ")
    return (
        f"{setting}: rank correlation {order.measured}, {ratio.measured} times the predicted steps, "
        f"slope {slope.measured}"
    )


def figures(numbers: Numbers) -> list[Block]:
    """Measured against predicted steps of every mode, a panel a setting."""
    return [
        chart(
            f"order-{index}",
            setting,
            _dots(cell),
            x="steps predicted",
            y="steps measured",
            unit=False,
            caption="" if index else CAPTION,
        )
        for index, (setting, cell) in enumerate(numbers.each(SETTING))
    ]


def _dots(cell: Numbers) -> list[Series]:
    pairs = _pairs(cell, "value")
    ends = [pairs[0][0], pairs[-1][0]] if pairs else []
    return [
        dotted("modes", colour(0), pairs),
        dotted("random directions", "--null", _pairs(cell, "null"), marker="x"),
        as_predicted(ends),
    ]


def as_predicted(ends: Sequence[float]) -> Series:
    """The line on which what was measured is what was predicted."""
    return Series(
        name="as predicted", colour="--predicted", x=ends, points=means(ends), plain=True, dash="dash"
    )


def _pairs(cell: Numbers, kind: str) -> list[tuple[float, float]]:
    """Predicted and measured steps of every mode and run that converged."""
    found: list[tuple[float, float]] = []
    for mode in range(MOST):
        x = by_run(cell, f"{PREDICTED}.{mode}").tolist()
        y = by_run(cell, f"{MODE}.{mode}", kind=kind).tolist()
        found += [pair for pair in zip(x, y, strict=True) if not math.isnan(sum(pair))]
    return sorted(found)


EXPERIMENT = Experiment(
    name="order",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="rank correlation", measure=RANK),
        Column(title="slope", measure=SLOPE),
        Column(title="steps over predicted", measure=RATIO),
        LINEARITY_G,
        EXCESS,
    ),
    extra=order_rows,
)
