"""C6: the limit itself, by a vanishing ridge, and the conjecture that gradient descent goes there."""

from collections.abc import Sequence

import torch

from linrep.laboratory.comparison import for_config
from linrep.paper.claims.bench import Bench, free, picked, traced
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.factors import factor_geometry
from linrep.theory.limits import predict
from linrep.theory.prediction import Prediction
from linrep.theory.ridge import extrapolate, ridge_path
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import world

STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5)
RIDGE_CONCEPTS = 2
NEARER = Rule(kind="at most", bound=1.0)


def claim(bench: Bench) -> Claim:
    """Test C6 by the ridge path and at k = m; report where gradient descent stands."""
    narrow, wide, few = (bench.run(name) for name in ("narrow", "wide", "few-known"))
    ridge_limit = _linearity(predict(RIDGE_CONCEPTS))
    wide_limit = _linearity(for_config(wide.config))
    at_width = picked(narrow.summary.final.linearity["unembedding"], free(narrow))
    far_above = picked(wide.summary.final.linearity["unembedding"], range(len(wide.worlds)))
    path = f"ridge λ = {STRENGTHS[0]:g} … {STRENGTHS[-1]:g} to 0, random worlds of {RIDGE_CONCEPTS} concepts"
    return Claim(
        id="C6",
        short="limit",
        title="The infinite-time limit is the table of least nuclear norm",
        statement="As a ridge vanishes at k ≥ rank, tables tend to the balanced factors of the least nuclear "
        "norm with unit margins, whatever p is: not linear for complete contexts. At k = m the additive, "
        "exactly linear solution takes its place.",
        trials=(
            _near(ridge_limit, f"{path}, k = 4", _ridge(bench, 4)),
            _near(
                wide_limit,
                "k = m, free runs of gradient descent against the limit of k ≥ rank",
                at_width,
                experiment="narrow",
            ).control(breaks="k ≥ rank (for the limit)"),
            _near(1.0, "k = m, free runs of gradient descent", at_width, within=0.05, experiment="narrow"),
            _near(
                1.0,
                "k ≫ m, gradient descent against the linear solution of k = m",
                far_above,
                within=0.05,
                experiment="wide",
            ).control(breaks="k = m (for the additive solution)"),
            _conjecture("k ≫ m, complete contexts", wide, wide_limit, "wide"),
            _conjecture(
                "contexts that know 1 or 2 of 5", few, _linearity(for_config(few.config)), "few-known"
            ),
        ),
    )


def _near(
    limit: float,
    name: str,
    linearity: Sequence[float | None],
    *,
    within: float = 0.02,
    experiment: str | None = None,
) -> Trial:
    """Linearity of g stands where theory puts its limit."""
    return Trial(
        name=name,
        quantity="linearity of g",
        experiments=() if experiment is None else (experiment,),
        measured=estimate(linearity),
        prediction=limit,
        rule=Rule(kind="near", bound=within, target=limit),
    )


def _linearity(prediction: Prediction) -> float:
    """Of g, in a limit that theory knows."""
    assert prediction.geometry is not None, "a symmetric world at k ≥ rank"
    assert prediction.geometry.linearity_unembedding is not None, "it has several token pairs"
    return prediction.geometry.linearity_unembedding


def _conjecture(name: str, result: Result, limit: float, experiment: str) -> Trial:
    """Gradient descent itself: whether its distance to the limit shrinks over the last decade of steps."""
    early, late = traced(result, "linearity", "unembedding", [0.1, 1.0])
    pairs = [(a, b) for a, b in zip(early, late, strict=True) if a is not None and b is not None]
    final = [b for _, b in pairs]
    mean = sum(final) / len(final)
    return Trial(
        name=f"gradient descent, {name}: linearity of g {mean:.3f}, limit {limit:.3f}",
        quantity="distance to the limit at the end / at a tenth of the steps",
        role="conjecture",
        experiments=(experiment,),
        measured=estimate([abs(b - limit) / abs(a - limit) for a, b in pairs]),
        prediction=None,
        rule=NEARER,
    )


def _ridge(bench: Bench, dim: int) -> list[float | None]:
    """Linearity of g at λ = 0, extrapolated from the path on one random world a seed."""

    def value(seed: int) -> float:
        model = independent(RIDGE_CONCEPTS, probability_range=(0.3, 0.7), generator=generator(seed, "world"))
        toy = world(model)
        points = ridge_path(toy, STRENGTHS, dim=dim, generator=generator(seed, "start"))
        values = [
            factor_geometry(
                point.embedding, point.unembedding, toy.codes, toy.token_codes, toy.model.sizes
            ).linearity_unembedding
            for point in points
        ]
        return extrapolate(STRENGTHS, [torch.nan if v is None else v for v in values])

    return bench.compute(f"ridge-k{dim}", bench.scale.seeds, value, list(STRENGTHS), RIDGE_CONCEPTS)
