"""Several ways down to one loss, in worlds where tables of another geometry reach it too."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import Effect, average
from linrep.page.chart import Series, chart, colour, control, means
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, below, judged, span
from linrep.paper.paired import stacked
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_G,
    LOG_ODDS,
    Answer,
    Column,
    Experiment,
    nothing,
)
from linrep.paper.ridge_path import NORM, PATH, WAY, G, along, norm_rows, path_points
from linrep.sweeps.numbers import Numbers

WORLD, FURTHER, CONTROL = "world", f"{PATH} to ", "independent, p = 1/2"
LOSS = "excess_loss_nats"
LEVEL, LEAST = 0.003, 0.5
"""Nats, and the share of them, between which a run's loss counts as equal."""
SAME = 0.05
RULE = (
    f"Ways are compared in runs of one world that came to an excess loss of {LEVEL:g} nats (at most that, at "
    f"least {LEAST:g} of it): how far the linearity of g of the straightest way lies above that of the most "
    f"bent, averaged over runs. “Yes” if that is below {SAME:g} in every world but the control, “no” if it "
    "is above in one, by 95 % intervals; and “undecided” unless it is below in the control, where exactly "
    "linear tables represent everything."
)
CAPTION = f"A dot a run, at {LEVEL:g} nats of excess loss; the line is the ridge path, from 0.01 nats down."
Table = Float64[Tensor, "ways runs"]


def answer(numbers: Numbers) -> Answer:
    """How far ways lie apart in each world, and what their norms have to do with it."""
    effects: list[Held] = []
    ways: dict[str, str] = {}
    for world, part in numbers.each(WORLD):
        apart, line = _apart(part)
        if apart.runs[0]:
            effects.append(below(f"straightest less most bent, {world}", apart, SAME, cosine))
            ways[effects[-1].name] = line
    worlds = [held for held in effects if not held.name.endswith(CONTROL)]
    known = [held for held in effects if held.name.endswith(CONTROL)]
    if not worlds:
        return nothing(RULE)
    standing = judged(worlds) if judged(known) == "yes" else "undecided"
    longer, beside = _by_norm(numbers)
    most = max(worlds, key=lambda held: held.effect.value).name
    return Answer(
        standing=standing,
        finding=f"at {LEVEL:g} nats the straightest and the most bent of the ways lie apart in linearity of "
        f"g by {span(effects)}; in {most.partition(', ')[2]} they are {ways[most]}. Of two ways the "
        f"longer tables are {'more bent' if longer.value < 0 else 'straighter'}: per doubling of the norm "
        f"linearity changes by {_measured(longer)}; at equal norm runs lie "
        f"{_measured(beside)} from the ridge path.",
        rule=RULE,
        effects=(*worlds, *known),
        would_change="Ways that agree in skewed worlds whose concepts depend on each other; at a smaller "
        "loss fewer of them arrive.",
    )


def _apart(part: Numbers) -> tuple[Effect, str]:
    """Straightest less most bent way of each run, and the mean of each way."""
    cells = _ways(part)
    found = _at_level(list(cells.values()), "linearity", G)
    several = (~found.isnan()).sum(0) > 1
    # NaN stands below everything in one, above everything in the other.
    highest, lowest = found.nan_to_num(-math.inf).amax(0), found.nan_to_num(math.inf).amin(0)
    apart = torch.where(several, highest - lowest, math.nan)
    said = [
        f"{way} {cosine(float(row.nanmean()))}"
        for way, row in zip(cells, found, strict=True)
        if not bool(row.isnan().all())
    ]
    return average(apart, (0.0, 2.0)), ", ".join(said)


def _by_norm(numbers: Numbers) -> tuple[Effect, Effect]:
    """Per doubling of the norm at equal loss, and from the ridge path at equal norm, both run by run.

    The control is left out: there is nothing to explain.
    """
    slopes: list[Tensor] = []
    beside: list[Tensor] = []
    for world, part in numbers.each(WORLD):
        if world == CONTROL:
            continue
        cells = _ways(part)
        linear = _at_level(list(cells.values()), "linearity", G)
        doublings = _at_level(list(cells.values()), NORM).log2()
        slopes.append(_slopes(doublings, linear))
        norms, values = path_points(part)
        others = [at for at, way in enumerate(cells) if way != PATH]
        apart = [linear[at] - along(norms.log2(), values, doublings[at]) for at in others]
        beside.append(torch.stack(apart).nanmean(0) if apart else torch.zeros(0, dtype=torch.float64))
    return average(torch.cat(slopes)), average(torch.cat(beside))


def _slopes(x: Table, y: Table) -> Float64[Tensor, " runs"]:
    """Least-squares slope over the ways of each run; NaN below three ways, and where they share their x."""
    there = ~(x.isnan() | y.isnan())
    x, y = (torch.where(there, each, math.nan) for each in (x, y))
    x, y = (each - each.nanmean(0) for each in (x, y))
    squares = x.square().nansum(0)
    enough = (there.sum(0) > 2) & (squares > 1e-4)
    return torch.where(enough, (x * y).nansum(0) / squares, math.nan)


def _ways(part: Numbers) -> dict[str, Numbers]:
    """The ways to the level, without the further points of the path."""
    return {way: cell for way, cell in part.each(WAY) if not way.startswith(FURTHER)}


def _at_level(cells: list[Numbers], measure: str, table: str = "") -> Table:
    """A measure of every way and run whose loss is equal."""
    found, loss = stacked(cells, measure, table), stacked(cells, LOSS)
    return torch.where((loss <= LEVEL) & (loss >= LEAST * LEVEL), found, math.nan)


def _measured(effect: Effect) -> str:
    return below("", effect, 0.0, cosine).measured


def figures(numbers: Numbers) -> list[Block]:
    """In each world every run at the level, linearity against norm, beside the ridge path."""
    return [
        chart(
            f"equal-loss-{index}",
            world,
            [*_dots(part), *_path(part)],
            x="norm of both tables, balanced",
            y="linearity of g",
            size="third",
            caption="" if index else CAPTION,
        )
        for index, (world, part) in enumerate(numbers.each(WORLD))
    ]


def _dots(part: Numbers) -> Iterator[Series]:
    for index, (way, cell) in enumerate(_ways(part).items()):
        norm, linear = _at_level([cell], NORM)[0], _at_level([cell], "linearity", G)[0]
        there = ~norm.isnan()
        yield Series(
            name=way,
            colour=colour(index),
            x=norm[there].tolist(),
            points=means(linear[there].tolist()),
            plain=True,
            joined=False,
        )


def _path(part: Numbers) -> Iterator[Series]:
    """Means over runs at each loss of the path, and random pairs along it."""
    path = [cell for way, cell in part.each(WAY) if way.startswith(PATH)]
    norms = stacked(path, NORM).nanmean(1)
    there = ~norms.isnan()
    order = [at for at in norms.argsort().tolist() if there[at]]
    x = norms[order].tolist()
    linear = stacked(path, "linearity", G).nanmean(1)[order].tolist()
    yield Series(
        name="ridge path, further",
        colour="--both",
        x=x,
        points=means(linear),
        plain=True,
        dash="dash",
        marker="x",
    )
    yield control("random pairs", "--null", x, [path[at].spread("linearity", G, kind="null") for at in order])


EXPERIMENT = Experiment(
    name="equal-loss",
    answer=answer,
    figures=figures,
    columns=(
        LINEARITY_G,
        Column(title="norm, balanced", measure=NORM, write=short),
        LOG_ODDS,
        ALIGNMENT,
        EXCESS,
    ),
    extra=norm_rows,
)
