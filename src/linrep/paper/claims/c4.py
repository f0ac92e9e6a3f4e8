"""C4: different concepts take orthogonal directions, in the gauge that training keeps."""

import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs, off_diagonal, orthogonality_mean, steering_moments
from linrep.paper.claims.bench import Bench, Values, per_run, tables, trial
from linrep.paper.claims.verdict import Claim, Rule, Trial
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.gauge import regauge

SMALL = Rule(kind="at most", bound=0.05, target=0.0)
STRETCH = 3.0
"""Largest and smallest scale of the wrong gauge, as a factor and its inverse."""


def claim(bench: Bench) -> Claim:
    """Test C4 on trained tables, and on the same tables in another gauge."""
    narrow = bench.run("narrow")

    def overlap(experiment: str, name: str, values: Values | None = None) -> Trial:
        result = bench.run(experiment)
        record = result.summary.final.orthogonality["unembedding"].mean_directions
        given = per_run(result, record) if values is None else values
        return trial(
            result, experiment, name, "|cosine| of mean directions of g", given, SMALL, null=record.null
        )

    return Claim(
        id="C4",
        short="orthogonality",
        title="Different concepts are orthogonal",
        statement="Once Δg_i does not depend on c, Δf_j·Δg_i is the change of the log-odds of i when j "
        "turns: zero outside the Markov blanket, finite within it while norms grow. With alignment, "
        "Δg_j ⟂ Δg_i.",
        trials=(
            overlap("narrow", "k = m"),
            overlap("wide", "k ≫ m"),
            overlap(
                "narrow", "k = m in a wrong gauge with the same logits", _wrong_gauge(bench, narrow)
            ).control(breaks="the gauge that training keeps"),
        ),
    )


def wrong_gauge(embedding: Tensor, unembedding: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The same logits after stretching random axes by factors from 1/STRETCH to STRETCH.

    Args:
        embedding: f.
        unembedding: g.
        seed: Of the axes.
    """
    dim = embedding.shape[1]
    random = torch.randn(dim, dim, generator=generator(seed, "gauge"), dtype=torch.float64)
    axes = torch.linalg.qr(random).Q
    scales = torch.logspace(-1, 1, dim, base=STRETCH, dtype=torch.float64)
    return regauge(embedding, unembedding, (axes * scales) @ axes.T)


def _wrong_gauge(bench: Bench, result: Result) -> Values:
    def overlap(run: int) -> float:
        _, unembedding = wrong_gauge(*tables(result, run), run)
        pairs = counterfactual_pairs(result.worlds[run].token_codes)
        moments = steering_moments(unembedding, pairs, second=False)
        return float(off_diagonal(orthogonality_mean(moments)).nanmean())

    return bench.compute("wrong-gauge-overlap", len(result.worlds), overlap, result.key, STRETCH)
