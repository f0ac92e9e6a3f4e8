"""Euclidean, causal and random inner products on the same tables, as trained and regauged."""

from collections.abc import Iterator

import torch
from torch import Tensor

from linrep import geometry
from linrep.llm.inner import causal_from_covariance, covariance, euclid, turned
from linrep.page.chart import Series, chart
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.former import MIDDLING, SMALL, graded
from linrep.paper.record import EXCESS, LINEARITY_G, OVERLAP_G, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.gauge import regauge

AXIS = "world.concepts"
OVERLAP, LINEARITY = "overlap", "linearity in an inner product"
INNER = ("Euclid", "causal", "random")
GAUGES = ("untrained", "as trained", "regauged")
RULE = (
    "On the largest world: “yes” if in Euclid's inner product the mean overlap (|cosine| of mean directions "
    f"of different concepts) of the tables as trained is at most {SMALL}, “undecided” up to {MIDDLING}, else "
    "“no”; and no better than “no” unless below that of untrained tables and of regauged copies."
)


def answer(numbers: Numbers) -> Answer:
    """Euclid against the others, before and after a change of gauge."""
    cells = numbers.each(AXIS)
    if not cells:
        return nothing(RULE)
    m, cell = cells[-1]
    overlap = {(gauge, inner): cell.mean(OVERLAP, f"{gauge}, {inner}") for gauge in GAUGES for inner in INNER}
    trained, moved = overlap["as trained", "Euclid"], overlap["regauged", "Euclid"]
    untrained = overlap["untrained", "Euclid"]
    standing = graded(trained, SMALL, MIDDLING, falling=True)
    if not trained < min(moved, untrained):
        standing = "no"
    finding = (
        f"for {m} concepts their mean overlap in Euclid's inner product is {cosine(trained)} as trained "
        f"(untrained {cosine(untrained)}) but {cosine(moved)} in copies with other coordinates and the same "
        f"logits; the causal inner product, which does not see coordinates, gives "
        f"{cosine(overlap['as trained', 'causal'])} and {cosine(overlap['regauged', 'causal'])}, a random "
        f"one {cosine(overlap['as trained', 'random'])} and {cosine(overlap['regauged', 'random'])}."
    )
    return Answer(standing=standing, finding=finding, rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Overlap and linearity for each inner product, in each gauge."""
    cells = numbers.each(AXIS)
    if not cells:
        return []
    m, cell = cells[-1]
    colours = ("--null", "--unembedding", "--embedding")
    blocks: list[Block] = []
    for measure, title in ((OVERLAP, "Overlap of different concepts"), (LINEARITY, "Linearity of g")):
        lines = [
            Series(
                name=gauge,
                colour=colour,
                x=list(INNER),
                dash="dot" if gauge == "untrained" else "solid",
                points=[cell.spread(measure, f"{gauge}, {inner}") for inner in INNER],
            )
            for gauge, colour in zip(GAUGES, colours, strict=True)
        ]
        name = "overlap" if measure == OVERLAP else "linearity"
        blocks.append(
            chart(
                name,
                f"{title}, {m} concepts",
                lines,
                x="inner product",
                y="mean |cosine|" if measure == OVERLAP else "mean cosine",
            )
        )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """Overlap and linearity of g in every inner product and gauge, for each run."""
    step = result.snapshot_steps[-1]
    for run, world in enumerate(result.worlds):
        pairs = geometry.counterfactual_pairs(world.token_codes)
        trained = result.unembedding[run].double()
        if not bool(trained.isfinite().all()):
            continue
        draw = generator(result.config.seed, "null", run, 3)
        moved = regauge(result.embedding[run].double(), trained, coordinates(trained.shape[1], draw))[1]
        tables = {"as trained": trained, "regauged": moved}
        if run < result.snapshots.shape[1]:
            tables["untrained"] = result.snapshots[0, run].double()
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
        *(
            Column(title=f"overlap {gauge}, {inner}", measure=OVERLAP, table=f"{gauge}, {inner}")
            for gauge in GAUGES
            for inner in INNER
        ),
        OVERLAP_G,
        LINEARITY_G,
        EXCESS,
    ),
    extra=extra,
)
