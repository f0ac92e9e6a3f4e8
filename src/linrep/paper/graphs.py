"""Concept graphs from independent to dense, and published networks: directions against dependence."""

from collections.abc import Iterator

import torch

from linrep.page.chart import Series, chart
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.former import FAIR, HIGH, graded
from linrep.paper.record import (
    ALIGNMENT,
    LINEARITY_G,
    LOG_ODDS,
    OVERLAP_G,
    Answer,
    Column,
    Experiment,
    nothing,
)
from linrep.paper.yardsticks import controls, gap_lines
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.worlds.contexts import World

DEPENDENCE = "dependence_nats"
RULE = (
    f"“Yes” if on every graph the mean linearity of g is at least {HIGH}, “undecided” if at least "
    f"{FAIR}, else "
    "“no”. Dependence is the total correlation Σ H(C_i) − H(C)."
)


def answer(numbers: Numbers) -> Answer:
    """Linear on the worst graph?"""
    parts = numbers.each("graph")
    if not parts:
        return nothing(RULE)
    linear = {name: part.mean("linearity", "unembedding") for name, part in parts}
    dependence = {name: part.mean(DEPENDENCE) for name, part in parts}
    low = min(linear, key=linear.__getitem__)
    most = max(dependence, key=dependence.__getitem__)
    free = min(dependence, key=dependence.__getitem__)
    gap = numbers.of(graph=most).mean("log_odds_gap_nats")
    finding = (
        f"from {cosine(linear[free])} on the graph with least dependence ({free}), the mean linearity of g "
        f"goes down to {cosine(linear[low])} on {low} ({short(dependence[low])} nats); where concepts depend "
        f"most ({most}, {short(dependence[most])} nats) it is {cosine(linear[most])}, with a log-odds gap of "
        f"{short(gap)} nats."
    )
    return Answer(standing=graded(linear[low], HIGH, FAIR), finding=finding, rule=RULE)


def figures(numbers: Numbers) -> list[Block]:
    """Each graph's directions and gap, in order of dependence."""
    parts = sorted(numbers.each("graph"), key=lambda part: part[1].mean(DEPENDENCE))
    x = [f"{name} ({short(part.mean(DEPENDENCE))})" for name, part in parts]
    axis = "graph (dependence in nats)"
    g = ("linearity", "unembedding")
    lines = [
        Series(name="linearity of g", colour="--unembedding", x=x, points=[p.spread(*g) for _, p in parts]),
        Series(name="alignment", colour="--both", x=x, points=[p.spread("alignment") for _, p in parts]),
        *controls(x, [part for _, part in parts], *g),
    ]
    gap = gap_lines(x, [part for _, part in parts])
    return [
        chart("graphs-linearity", "Directions on each graph", lines, x=axis, y="mean cosine"),
        chart("graphs-gap", "Log-odds gap on each graph", gap, x=axis, y="RMSE (nats)", unit=False),
    ]


def extra(result: Result) -> Iterator[Row]:
    """How much the concepts of each run's world depend on one another."""
    for run, world in enumerate(result.worlds):
        yield result.snapshot_steps[-1], run, DEPENDENCE, "", "value", total_correlation(world)


def total_correlation(world: World) -> float:
    r"""Total correlation :math:`\sum_i H(C_i) - H(C)` of the concepts, in nats; 0 iff independent.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> two = world(independent(2, probabilities=[0.5, 0.2], generator=None))
        >>> abs(total_correlation(two)) < 1e-12
        True
    """
    joint = world.joint.reshape(world.model.sizes)
    axes = range(joint.dim())
    own = sum(_entropy(joint.sum([a for a in axes if a != i]) if joint.dim() > 1 else joint) for i in axes)
    return max(0.0, own - _entropy(joint))


def _entropy(p: torch.Tensor) -> float:
    return float(torch.special.entr(p).sum())


EXPERIMENT = Experiment(
    name="graphs",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="dependence (nats)", measure=DEPENDENCE, write=short),
        LINEARITY_G,
        ALIGNMENT,
        OVERLAP_G,
        LOG_ODDS,
    ),
    extra=extra,
)
