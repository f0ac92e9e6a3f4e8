"""Dependence taken out of worlds, their marginals kept: what it costs directions, run by run."""

from collections.abc import Iterator

from linrep.intervals import average
from linrep.page.axis_words import title
from linrep.page.chart import chart
from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, below, judged, span
from linrep.paper.measured import lines_beside_null
from linrep.paper.own_control import slopes
from linrep.paper.paired import Key
from linrep.paper.record import ALIGNMENT, LINEARITY_G, LOG_ODDS, Answer, Column, Experiment, nothing
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.worlds.dependence import total_correlation

GRAPH, SHARE = "graph", "world.dependence"
DEPENDENCE, PRICE = "dependence_nats", "price_of_linearity_nats"
G: Key = ("linearity", "unembedding")
BOTH: Key = ("alignment", "")
GAP: Key = ("log_odds_gap_nats", "")
RULE = (
    "Of every run the slope of linearity of g, and of alignment, on the dependence of its world (total "
    "correlation Σ H(C_i) − H(C), in nats), over worlds from the product of their marginals to themselves, "
    "all marginals kept: each run is its own control. “Yes” if on every graph the mean slope of both lies "
    "below 0, “no” if on one it lies above; intervals are over runs: drawn worlds where they are random, "
    "starts where the network is given."
)


def answer(numbers: Numbers) -> Answer:
    """A slope for each graph."""
    bent: list[Held] = []
    turned: list[Held] = []
    gaps: list[Held] = []
    whole: dict[str, float] = {}
    for graph, part in numbers.each(GRAPH):
        cells = [cell for _, cell in part.each(SHARE)]
        found = {each: average(slopes(cells, (DEPENDENCE, ""), each)) for each in (G, BOTH, GAP)}
        if not found[G].runs[0]:
            continue
        bent.append(below(f"linearity of g per nat, {graph}", found[G], 0.0))
        turned.append(below(f"alignment per nat, {graph}", found[BOTH], 0.0))
        gaps.append(below(f"log-odds gap per nat, {graph}", found[GAP], 0.0))
        whole[graph] = cells[-1].mean(*G, ended="converged") - cells[0].mean(*G, ended="converged")
    if not bent:
        return nothing(RULE)
    most = min(whole, key=whole.__getitem__)
    falls = sum(held.standing == "yes" for held in bent)
    return Answer(
        standing=judged([*bent, *turned]),
        finding=f"a nat of dependence changes linearity of g by {span(bent)}, below 0 on {falls} of "
        f"{len(bent)} graphs, and the log-odds gap, in nats, by {span(gaps)}; from none to all of it "
        f"linearity of g changes by {cosine(whole[most])} at the farthest ({most}).",
        rule=RULE,
        effects=(*bent, *turned),
        would_change="A graph on which linearity or alignment does not fall as dependence returns.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of g, alignment and log-odds gap against the share of dependence, a line a graph."""
    parts = numbers.each(GRAPH)
    if not parts:
        return []
    blocks: list[Block] = []
    for measure, words in ((G, "Linearity of g"), (BOTH, "Alignment"), (GAP, "Log-odds gap")):
        null = "predicting zero" if measure == GAP else "random pairs"
        lines = lines_beside_null(parts, SHARE, measure, null)
        blocks.append(
            chart(
                f"graphs-{measure[0].replace('_', '-')}",
                f"{words} as dependence returns",
                lines,
                x=title(SHARE),
                y="RMSE (nats)" if measure == GAP else "mean cosine",
                unit=measure != GAP,
                size="third",
                caption="Runs that converged; 0 is the product of the marginals, 1 the graph itself.",
            )
        )
    return blocks


def extra(result: Result) -> Iterator[Row]:
    """How much the concepts of each run's world depend on one another, and what linearity costs in it."""
    last = result.snapshot_steps[-1]
    prices = result.summary.price_of_linearity_nats
    for run, world in enumerate(result.worlds):
        joint = world.joint.reshape(world.model.sizes)
        yield last, run, DEPENDENCE, "", "value", total_correlation(joint)
        price = None if prices is None else prices.per_run[run]
        if price is not None:
            yield last, run, PRICE, "", "value", price


EXPERIMENT = Experiment(
    name="graphs",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="dependence (nats)", measure=DEPENDENCE, write=short),
        LINEARITY_G,
        ALIGNMENT,
        LOG_ODDS,
        Column(title="price of linearity (nats)", measure=PRICE, write=short),
    ),
    extra=extra,
)
