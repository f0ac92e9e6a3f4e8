"""How many sparse concepts share k dimensions: cross-talk and read-out of g, against random directions."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int8
from torch import Tensor
from torch.nn.functional import normalize

from linrep.geometry.moments import steering_moments
from linrep.geometry.pairs import counterfactual_pairs
from linrep.intervals import average
from linrep.linalg import balanced, centre
from linrep.page.chart import Series, chart, colour, means
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, below, judged
from linrep.paper.paired import by_run
from linrep.paper.record import EXCESS, LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.superposition import random_cross_talk, read_out_error, welch_bound

SETTING, CONTROL = "setting", "half on"
TALK, SHARED, LEAST, CHANCE = (f"superposition.{name}" for name in ("talk", "shared", "welch", "random"))
ERROR, FORETOLD = "superposition.error", "superposition.predicted_error"
HELD, WIDTH, CONCEPTS = (f"superposition.{name}" for name in ("held", "width", "concepts"))
WRONG = 0.1
"""A concept is read out if it is read wrong less often than this."""
RULE = (
    "Along the mean direction of each concept in g a token is read as on or off, the threshold half-way "
    "between the means of both; a concept is read out if it is read wrong in fewer than "
    f"{WRONG:.0%} of either kind, on average. “Yes” if in every setting with fewer dimensions than concepts, "
    "but the control, more concepts are read out than there are dimensions, and the root mean square cosine "
    "of their directions is below that of random ones; “no” if one lies elsewhere, by 95 % intervals; and "
    "“undecided” unless fewer concepts are read out than there are dimensions in the control, where half of "
    "them are on."
)
CAPTION = (
    "Root mean square cosine between concepts' directions in g; least possible: Welch's bound. Where half of "
    "the concepts are on the directions are those of chance."
)


class Read(NamedTuple):
    """What one table says of its concepts."""

    talk: float
    """Root mean square cosine between two concepts' directions."""
    shared: float
    """The length of the mean of all directions: what they have in common."""
    error: Float64[Tensor, " concepts"]
    """How often each is read wrong, mean of both kinds; NaN where it has no direction, or only one value."""


def read_out(g: Float64[Tensor, "tokens dim"], codes: Int8[Tensor, "tokens concepts"]) -> Read:
    """Directions of a table, and concepts read along their own.

    Args:
        g: Of every token.
        codes: Which concepts are on in it.
    """
    moments = steering_moments(g, counterfactual_pairs(codes), second=False)
    there = moments.count > 0
    directions = normalize(moments.direction, dim=1)
    own = directions[there]
    cosines = (own @ own.T)[~torch.eye(len(own), dtype=torch.bool)]
    score, on = centre(g) @ directions.T, codes.bool()
    high, low = _mean(score, on), _mean(score, ~on)
    above_it = score > (high + low) / 2
    error = (_mean((~above_it).double(), on) + _mean(above_it.double(), ~on)) / 2
    return Read(
        talk=float(cosines.square().mean().sqrt()),
        shared=float(own.mean(0).norm()),
        error=error.where(there, torch.nan),
    )


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Of each column's entries; NaN where there is none."""
    return values.where(where, 0.0).sum(0) / where.sum(0)


def superposition_rows(result: Result) -> Iterator[Row]:
    """Of each run: cross-talk and read-out, what was predicted of them, and both for shuffled concepts."""
    world = result.config.world
    probability: float = getattr(world, "probability", math.nan)
    step = result.snapshot_steps[-1]
    for run, each in enumerate(result.worlds):
        f, g = result.embedding[run, : len(each.codes)], result.unembedding[run, : len(each.tokens)]
        _, g = balanced(f.double(), centre(g.double()))
        concepts, dim = each.model.concepts, g.shape[1]
        found = read_out(g, each.token_codes)
        dealt = torch.randperm(len(g), generator=torch.Generator().manual_seed(run))
        values = {
            **_of(found),
            SHARED: found.shared,
            LEAST: welch_bound(concepts, dim),
            CHANCE: random_cross_talk(dim),
            FORETOLD: read_out_error(concepts, probability, random_cross_talk(dim)),
            WIDTH: float(dim),
            CONCEPTS: float(concepts),
        }
        for kind, numbers in (("value", values), ("null", _of(read_out(g[dealt], each.token_codes)))):
            for name, value in numbers.items():
                if not math.isnan(value):
                    yield step, run, name, "", kind, value


def _of(found: Read) -> dict[str, float]:
    return {
        TALK: found.talk,
        ERROR: float(found.error.nanmean()),
        HELD: float((found.error < WRONG).sum()),
    }


def answer(numbers: Numbers) -> Answer:
    """More concepts than dimensions, no more cross-talk than chance; and neither where half are on."""
    effects: list[Held] = []
    control: list[Held] = []
    said: list[str] = []
    for setting, cell in numbers.each(SETTING):
        width, concepts = by_run(cell, WIDTH), by_run(cell, CONCEPTS)
        if not int((~width.isnan()).sum()) or float(width.nanmean()) >= float(concepts.nanmean()):
            continue
        held = average(by_run(cell, HELD) / width)
        if setting.startswith(CONTROL):
            control.append(below(f"concepts read out a dimension, {setting}", held, 1.0))
            continue
        talk = average(by_run(cell, TALK) / by_run(cell, CHANCE))
        effects += [
            above(f"concepts read out a dimension, {setting}", held, 1.0),
            below(f"cross-talk over that of random directions, {setting}", talk, 1.0),
        ]
        said.append(_said(setting, cell, effects[-2:]))
    if not effects:
        return nothing(RULE)
    lost = listed([each.measured for each in control]) or "–"
    return Answer(
        standing=judged(effects) if judged(control) == "yes" else "undecided",
        finding=f"{'; '.join(said)}. Where half of the concepts are on, {lost} are read out a dimension.",
        rule=RULE,
        effects=(*effects, *control),
        would_change="Contexts that hold every token of many concepts in place, so that tables come nearer "
        "to additive ones; or a start from which directions do not share one of their own.",
    )


def _said(setting: str, cell: Numbers, found: list[Held]) -> str:
    """A setting in words."""
    held, talk = found
    wrong, foretold = (float(by_run(cell, name).nanmean()) for name in (ERROR, FORETOLD))
    shared = float(by_run(cell, SHARED).nanmean())
    return (
        f"at {setting}: {held.measured} concepts read out a dimension, cross-talk {talk.measured} times that "
        f"of random directions (all concepts' directions have a mean of length {cosine(shared)}), read wrong "
        f"{percent(wrong)} (foretold for additive tables of random directions: {percent(foretold)})"
    )


def figures(numbers: Numbers) -> list[Block]:
    """Cross-talk and concepts read out against the number of dimensions."""
    cells = [(name, cell) for name, cell in numbers.each(SETTING) if len(by_run(cell, WIDTH))]
    sparse = [_at(cell) for name, cell in cells if not name.startswith(CONTROL)]
    dense = [_at(cell) for name, cell in cells if name.startswith(CONTROL)]
    talk = [
        _line("sparse", colour(0), sparse, TALK),
        _line("half on", colour(1), dense, TALK, marker="diamond"),
        _line("shuffled concepts", "--null", sparse, TALK, kind="null", marker="x"),
        _line("random directions", "--predicted", sparse, CHANCE, dash="dot"),
        _line("least possible", "--predicted", sparse, LEAST, dash="dash"),
    ]
    held = [
        _line("sparse", colour(0), sparse, HELD),
        _line("half on", colour(1), dense, HELD, marker="diamond"),
        _line("shuffled concepts", "--null", sparse, HELD, kind="null", marker="x"),
        _line("as many as dimensions", "--predicted", sparse, WIDTH, dash="dash"),
    ]
    return [
        chart("superposition-talk", "Cross-talk", talk, x="k", y="RMS cosine", caption=CAPTION),
        chart(
            "superposition-held",
            "Concepts read out",
            held,
            x="k",
            y="concepts",
            unit=False,
            caption=f"Read wrong in fewer than {WRONG:.0%}, mean of both kinds of error.",
        ),
    ]


def _at(cell: Numbers) -> tuple[float, Numbers]:
    """A cell and its width."""
    return float(by_run(cell, WIDTH).nanmean()), cell


def _line(
    name: str,
    shade: str,
    cells: list[tuple[float, Numbers]],
    measure: str,
    *,
    kind: str = "value",
    dash: str = "solid",
    marker: str = "circle",
) -> Series:
    x = [width for width, _ in cells]
    y = [float(by_run(cell, measure, kind=kind).nanmean()) for _, cell in cells]
    return Series(
        name=name,
        colour=shade,
        x=x,
        points=means(y),
        plain=measure in (CHANCE, LEAST, WIDTH) or kind == "null",
        dash=dash,  # pyright: ignore[reportArgumentType]
        marker=marker,
        joined=len(cells) > 1,
    )


EXPERIMENT = Experiment(
    name="superposition",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="concepts read out", measure=HELD, write=short),
        Column(title="RMS cosine", measure=TALK),
        Column(title="read wrong", measure=ERROR),
        LINEARITY_G,
        EXCESS,
    ),
    extra=superposition_rows,
)
