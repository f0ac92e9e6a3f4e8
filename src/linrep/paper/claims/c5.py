"""C5: why Euclid: gradient descent conserves the gauge that the loss does not see."""

import torch
from torch import Tensor

from linrep.geometry import gauge_imbalance
from linrep.paper.claims.bench import Bench, Values, tables, trial
from linrep.paper.claims.c4 import wrong_gauge
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.theory.gauge import conserved

HALVES = Rule(kind="near", bound=0.1, target=0.5)
SMALL = Rule(kind="at most", bound=0.01, target=0.0)
BALANCED = Rule(kind="at most", bound=0.05, target=0.0)


def claim(bench: Bench) -> Claim:
    """Test C5 by halving the step at equal total time, for gradient descent and for Adam."""
    narrow = bench.run("narrow")
    drifts = {name: _drift(bench, name) for name in ("gd", "gd-half", "adam", "adam-half")}
    sizes = {name: _size(bench, name) for name in ("gd", "adam")}

    def halving(method: str, name: str) -> Trial:
        return Trial(
            name=f"{method}, step halved",
            quantity="drift of FᵀF − GᵀG with half the step / with the step",
            experiments=("start", name, f"{name}-half"),
            measured=estimate((drifts[f"{name}-half"] / drifts[name]).tolist()),
            rule=HALVES,
        )

    def share(method: str, name: str) -> Trial:
        return Trial(
            name=method,
            quantity="drift of FᵀF − GᵀG / (‖FᵀF‖ + ‖GᵀG‖)",
            experiments=("start", name),
            measured=estimate((drifts[name] / sizes[name]).tolist()),
            rule=SMALL,
        )

    def imbalance(name: str, values: Values) -> Trial:
        return trial(narrow, "narrow", name, "distance from the balanced gauge", values, BALANCED)

    def wrong(run: int) -> float:
        moved = wrong_gauge(*tables(narrow, run), run)
        return float(gauge_imbalance(moved[0][None], moved[1][None]))

    adam, kept = "gradient descent (not Adam)", "the gauge that training keeps"
    balanced = list(narrow.summary.gauge_imbalance.per_run)
    unbalanced = bench.compute("wrong-gauge-imbalance", len(narrow.worlds), wrong, narrow.key)
    return Claim(
        id="C5",
        short="gauge",
        title="Gradient descent keeps the gauge, and so the Euclidean geometry",
        statement="(F A, G A⁻ᵀ) has the same loss for every A, but gradient flow with equal step sizes "
        "conserves FᵀF − GᵀG; gradient descent breaks it in proportion to the step. From a small start "
        "training stays in the balanced gauge.",
        trials=(
            halving("gradient descent", "gd"),
            halving("Adam", "adam").control(breaks=adam),
            share("gradient descent", "gd"),
            share("Adam", "adam").control(breaks=adam),
            imbalance("k = m", balanced),
            imbalance("the same in a wrong gauge", unbalanced).control(breaks=kept),
        ),
    )


def _drift(bench: Bench, name: str) -> Tensor:
    """‖Q(end) − Q(start)‖ of each run; its start is the run of the same seed with no steps."""
    start, end = bench.run("start"), bench.run(name)
    before = conserved(start.embedding.double(), start.unembedding.double())
    return torch.linalg.matrix_norm(conserved(end.embedding.double(), end.unembedding.double()) - before)


def _size(bench: Bench, name: str) -> Tensor:
    end = bench.run(name)
    embedding, unembedding = end.embedding.double(), end.unembedding.double()
    return torch.linalg.matrix_norm(embedding.mT @ embedding) + torch.linalg.matrix_norm(
        unembedding.mT @ unembedding
    )
