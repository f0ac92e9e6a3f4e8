"""C1: matched log-odds, and steering vectors that agree where the log-odds do."""

import math

import torch

from linrep.geometry import counterfactual_pairs
from linrep.paper.claims.bench import Bench, per_run, tables, traced, trial
from linrep.paper.claims.verdict import Claim, Rule, Trial
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.log_odds import agreement, predicted_log_odds
from linrep.worlds.contexts import World

SMALL = Rule(kind="at most", bound=0.1, target=0.0)
"""As a share of the log-odds themselves, or of the difference of steering vectors."""
FALLS = Rule(kind="at most", bound=0.9, target=0.0)


def claim(bench: Bench) -> Claim:
    """Test C1 on independent concepts and on graphs, at a width where runs converge."""
    return Claim(
        id="C1",
        short="log-odds",
        title="Matched log-odds make steering vectors agree",
        statement="At zero excess loss f(d)·Δg_i(c) is the true log-odds of concept i wherever d leaves it "
        "unknown: it moves with c only as the Markov blanket of i does, and for independent concepts it is "
        "one constant, so that Δg_i(c) and Δg_i(c') agree on the span V of the embeddings they share.",
        trials=(*_errors(bench), *_forms(bench), *_spans(bench)),
    )


def _errors(bench: Bench) -> tuple[Trial, ...]:
    """The log-odds themselves, and that they come nearer."""
    wide = bench.run("wide")
    gap = wide.summary.final.log_odds_gap_nats
    errors = [v and gap and v / gap.rmse_of_zero for v in per_run(wide, gap)]
    early, late = traced(wide, "log_odds_gap_nats", "", [0.1, 1.0])
    shares = [b / a if a and b else None for a, b in zip(early, late, strict=True)]
    falls = "log-odds error falls over the last decade of steps"
    of_zero, over_time = "RMSE / RMSE of predicting zero", "RMSE at the end / at a tenth"
    return (
        trial(wide, "wide", "log-odds error, independent concepts", of_zero, errors, SMALL),
        trial(wide, "wide", falls, over_time, shares, FALLS),
    )


def _forms(bench: Bench) -> tuple[Trial, ...]:
    """How f(d)·Δg_i(c) moves with c: not at all, or as the Markov blanket says."""
    wide, graph = bench.run("wide"), bench.run("graph")
    moves = "gap of f(d)·(Δg(c) − Δg(c')) / RMS log-odds"
    condition = "independent concepts or the Markov blanket form"
    alone = _gaps(bench, wide, constant=True)
    constant, blanket = _gaps(bench, graph, constant=True), _gaps(bench, graph, constant=False)
    return (
        trial(wide, "wide", "constant form, independent concepts", moves, alone, SMALL),
        trial(graph, "graph", "Markov blanket form, graphs", moves, blanket, SMALL),
        trial(graph, "graph", "constant form on graphs", moves, constant, SMALL).control(breaks=condition),
    )


def _spans(bench: Bench) -> tuple[Trial, ...]:
    """Where steering vectors must agree."""
    wide = bench.run("wide")
    span = "share of Δg(c) − Δg(c') within V(c, c')"
    true, shuffled = (_agreement(bench, wide, shuffle=shuffle) for shuffle in (False, True))
    return (
        trial(wide, "wide", "agreement on V, independent concepts", span, true, SMALL),
        trial(wide, "wide", "agreement on V of shuffled contexts", span, shuffled, SMALL).control(),
    )


def context_gap(world: World, embedding: torch.Tensor, unembedding: torch.Tensor, *, constant: bool) -> float:
    r"""RMS over contexts of how far f(d)·Δg_i(c) moves with c, beyond what the form allows.

    The constant form allows nothing, the Markov blanket form the moves of the true log-odds.

    Args:
        world: Of the tables.
        embedding: f.
        unembedding: g.
        constant: Which form.

    Returns:
        As a share of the RMS log-odds; NaN without contexts that leave a concept and another unknown.
    """
    prediction = predicted_log_odds(world)
    pairs = counterfactual_pairs(world.token_codes)
    left, count, scale = 0.0, 0, 0.0
    for concept, size in enumerate(world.model.sizes):
        mine = pairs.group == concept
        low, high = pairs.low[mine], pairs.high[mine]
        suits = torch.ones(len(world.codes), len(low), dtype=torch.bool)
        for other, states in enumerate(world.model.sizes):
            asked = world.codes[:, other, None]
            suits &= (asked == states) | ((asked == world.token_codes[low, other]) & (other != concept))
        suits &= (world.codes[:, concept] == size)[:, None]
        moved = embedding @ (unembedding[high] - unembedding[low]).T
        truth = prediction.values[low, concept].expand_as(moved)
        rest = moved if constant else moved - truth
        several = suits.sum(1, keepdim=True) > 1
        mean = (rest * suits).sum(1, keepdim=True) / suits.sum(1, keepdim=True).clamp_min(1)
        left += float(((rest - mean).square() * (suits & several)).sum())
        scale += float((truth.square() * (suits & several)).sum())
        count += int((suits & several).sum())
    return math.sqrt(left / scale) if count and scale > 0 else math.nan


def _gaps(bench: Bench, result: Result, *, constant: bool) -> list[float | None]:
    def gap(run: int) -> float:
        return context_gap(result.worlds[run], *tables(result, run), constant=constant)

    name = f"log-odds-{'constant' if constant else 'blanket'}"
    return bench.compute(name, len(result.worlds), gap, result.key)


def _agreement(bench: Bench, result: Result, *, shuffle: bool) -> list[float | None]:
    def violation(run: int) -> float:
        embedding, unembedding = tables(result, run)
        if shuffle:
            order = torch.randperm(len(embedding), generator=generator(result.config.seed, "shuffle", run))
            embedding = embedding[order]
        world = result.worlds[run]
        # The first concepts speak for all: every pair of steering vectors takes a decomposition.
        found = [agreement(world, embedding, unembedding, i).on_subspace for i in range(2)]
        present = [value for value in found if value is not None]
        return sum(present) / len(present) if present else math.nan

    name = f"agreement{'-shuffled' if shuffle else ''}"
    return bench.compute(name, len(result.worlds), violation, result.key)
