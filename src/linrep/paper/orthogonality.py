"""Euclidean, causal and random inner products on the same tables, as trained and regauged; and C4 itself."""

from collections.abc import Iterator

import torch
from torch import Tensor

from linrep import geometry
from linrep.llm.inner import causal_from_covariance, covariance, euclid, turned
from linrep.page.axis_words import title
from linrep.page.chart import Series, chart, means
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.cross_products import cross_products
from linrep.paper.effects import UNIT, Held, above, below, judged, within
from linrep.paper.ended import mean_over
from linrep.paper.measured import run_dots
from linrep.paper.own_control import less
from linrep.paper.record import EXCESS, LINEARITY_G, OVERLAP_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.gauge import regauge

AXIS = "world.concepts"
OVERLAP, LINEARITY = "overlap", "linearity in an inner product"
INNER = ("Euclid", "causal", "random")
GAUGES = ("untrained", "as trained", "regauged")
SLOPE, ERROR = "slope of f-steps · g-steps on C4's constants", "distance from C4's constants (nats)"
SMALL = 0.05
"""|cosine|: 87 degrees."""
NEAR = (0.9, 1.1)
RULE = (
    "For every number of concepts: the mean overlap (|cosine| of mean directions of different concepts in "
    f"g) of the tables as trained lies below {SMALL} in Euclid's inner product; it lies below that of copies "
    "with the same logits in other coordinates, run by run; and what steps of f and g give together has a "
    f"slope between {NEAR[0]} and {NEAR[1]} on C4's constants, which log-odds alone decide. “Yes” if all "
    "three hold, “no” if one fails."
)


def answer(numbers: Numbers) -> Answer:
    """Euclid as trained, against other coordinates, and against C4."""
    effects: list[Held] = []
    found: dict[str, list[float]] = {}
    for m, cell in numbers.each(AXIS):
        overlap = {gauge: mean_over(cell, OVERLAP, f"{gauge}, Euclid", UNIT) for gauge in GAUGES}
        if not overlap["as trained"].runs[0]:
            continue
        more = less(cell, (OVERLAP, "regauged, Euclid"), (OVERLAP, "as trained, Euclid"))
        slope = mean_over(cell, SLOPE)
        effects += [
            below(f"overlap in Euclid's product, m = {m}", overlap["as trained"], SMALL, cosine),
            above(f"overlap gained in other coordinates, m = {m}", more, 0.0, cosine),
            within(f"slope on C4's constants, m = {m}", slope, NEAR),
        ]
        for name, effect in (*overlap.items(), ("slope", slope)):
            found.setdefault(name, []).append(effect.value)
    if not effects:
        return nothing(RULE)
    ms = [m for m, _ in numbers.each(AXIS)]
    return Answer(
        standing=judged(effects),
        finding=f"for {ms[0]} to {ms[-1]} concepts the mean overlap of different ones is at most "
        f"{cosine(max(found['as trained']))} as trained; copies with the same logits in other coordinates "
        f"have {cosine(min(found['regauged']))} or more, random tables {cosine(min(found['untrained']))}. "
        f"Steps of f and g together have a slope of {short(min(found['slope']))} to "
        f"{short(max(found['slope']))} on the constants that C4 takes from log-odds.",
        rule=RULE,
        effects=tuple(effects),
        would_change="Tables at the bottom of the loss whose concepts overlap more than log-odds ask for.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Overlap and linearity for each inner product, in each gauge; and the slope on C4's constants."""
    cells = numbers.each(AXIS)
    if not cells:
        return []
    m, cell = cells[-1]
    colours = ("--null", "--unembedding", "--embedding")
    blocks: list[Block] = []
    for measure, words in ((OVERLAP, "Overlap of different concepts"), (LINEARITY, "Linearity of g")):
        lines = [
            Series(
                name=gauge,
                colour=colour,
                x=list(INNER),
                dash="dot" if gauge == "untrained" else "solid",
                points=[cell.spread(measure, f"{gauge}, {inner}", ended="converged") for inner in INNER],
            )
            for gauge, colour in zip(GAUGES, colours, strict=True)
        ]
        name = "overlap" if measure == OVERLAP else "linearity"
        blocks.append(
            chart(
                name,
                f"{words}, {m} concepts",
                lines,
                x="inner product",
                y="mean |cosine|" if measure == OVERLAP else "mean cosine",
                size="third",
            )
        )
    dots = run_dots("a run", "--both", cells, (SLOPE, ""), "converged")
    one = Series(
        name="C4", colour="--predicted", x=dots.x, points=means([1.0] * len(dots.x)), plain=True, dash="dash"
    )
    blocks.append(
        chart(
            "constants",
            "What steps of f and g give together",
            [dots, one],
            x=title(AXIS),
            y="slope on C4's constants",
            unit=False,
            size="third",
        )
    )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Overlap and linearity of g in every inner product and gauge, and both sides of C4, for each run."""
    step = result.snapshot_steps[-1]
    for run, world in enumerate(result.worlds):
        pairs = geometry.counterfactual_pairs(world.token_codes)
        trained = result.unembedding[run].double()
        if not bool(trained.isfinite().all()):
            continue
        met = cross_products(world, result.embedding[run].double(), trained)
        yield step, run, SLOPE, "", "value", met.slope
        yield step, run, ERROR, "", "value", met.error
        draw = generator(result.config.seed, "null", run, 3)
        moved = regauge(result.embedding[run].double(), trained, coordinates(trained.shape[1], draw))[1]
        tables = {"as trained": trained, "regauged": moved}
        # Not the tables of step 0: a wide start has been trained.
        tables["untrained"] = torch.randn(*trained.shape, generator=draw, dtype=torch.float64)
        for gauge, table in tables.items():
            for inner, seen in inner_products(table, draw).items():
                moments = geometry.steering_moments(seen, pairs)
                overlap = geometry.off_diagonal(geometry.orthogonality_mean(moments))
                yield step, run, OVERLAP, f"{gauge}, {inner}", "value", float(overlap.nanmean())
                yield (
                    step,
                    run,
                    LINEARITY,
                    f"{gauge}, {inner}",
                    "value",
                    float(geometry.linearity(moments).nanmean()),
                )


def inner_products(table: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
    """The table as Euclid, the causal inner product and a random one with its spectrum see it."""
    causal = causal_from_covariance(covariance(table), rows=len(table), centred=True)
    seen = (euclid(), causal, turned(causal, generator=draw))
    return {name: inner.unembedding(table) for name, inner in zip(INNER, seen, strict=True)}


def coordinates(dim: int, draw: torch.Generator) -> Tensor:
    """A random change of coordinates whose stretches run from 1/3 to 3."""
    left, _ = torch.linalg.qr(torch.randn(dim, dim, generator=draw, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(dim, dim, generator=draw, dtype=torch.float64))
    return (left * torch.logspace(-1, 1, dim, base=3.0, dtype=torch.float64)) @ right


EXPERIMENT = Experiment(
    name="orthogonality",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="overlap, Euclid", measure=OVERLAP, table="as trained, Euclid"),
        Column(title="overlap, other coordinates", measure=OVERLAP, table="regauged, Euclid"),
        Column(title="slope on C4's constants", measure=SLOPE, write=short),
        Column(title=ERROR, measure=ERROR, write=short),
        LINEARITY_G,
        OVERLAP_G,
        EXCESS,
        *(
            Column(title=f"overlap {gauge}, {inner}", measure=OVERLAP, table=f"{gauge}, {inner}")
            for gauge in GAUGES
            for inner in INNER
            if (gauge, inner) not in {("as trained", "Euclid"), ("regauged", "Euclid")}
        ),
    ),
    extra=extra,
)
