"""C4: different concepts take orthogonal directions, in the gauge that training keeps."""

import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs, off_diagonal, orthogonality_mean, steering_moments
from linrep.paper.claims.bench import Bench, free, picked, tables
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.gauge import regauge

SMALL = Rule(kind="at most", bound=0.05)
STRETCH = 3.0
"""Largest and smallest scale of the wrong gauge, as a factor and its inverse."""


def claim(bench: Bench) -> Claim:
    """Test C4 on trained tables, and on the same tables in another gauge."""
    narrow, wide = bench.run("narrow"), bench.run("wide")
    records = {
        name: result.summary.final.orthogonality["unembedding"].mean_directions
        for name, result in (("narrow", narrow), ("wide", wide))
    }

    def trial(name: str, experiment: str, values: list[float | None]) -> Trial:
        return Trial(
            name=name,
            quantity="|cosine| of mean directions of g",
            experiments=(experiment,),
            measured=estimate(values),
            prediction=0.0,
            rule=SMALL,
            null=(null := records[experiment].null) and null.mean,
        )

    runs = free(narrow)
    return Claim(
        id="C4",
        short="orthogonality",
        title="Different concepts are orthogonal",
        statement="Once Δg_i does not depend on c, Δf_j·Δg_i is the change of the log-odds of i when j "
        "turns: zero outside the Markov blanket, finite within it while norms grow. With alignment, "
        "Δg_j ⟂ Δg_i.",
        trials=(
            trial("k = m, free runs", "narrow", picked(records["narrow"], runs)),
            trial("k ≫ m", "wide", picked(records["wide"], range(len(wide.worlds)))),
            trial(
                "k = m, free runs in a wrong gauge with the same logits",
                "narrow",
                _wrong_gauge(bench, narrow, runs),
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


def _wrong_gauge(bench: Bench, result: Result, runs: list[int]) -> list[float | None]:
    def overlap(place: int) -> float:
        world = result.worlds[runs[place]]
        _, unembedding = wrong_gauge(*tables(result, runs[place]), runs[place])
        moments = steering_moments(unembedding, counterfactual_pairs(world.token_codes), second=False)
        return float(off_diagonal(orthogonality_mean(moments)).nanmean())

    return bench.compute("wrong-gauge-overlap", len(runs), overlap, result.key, STRETCH)
