"""C6: the limit itself, by a vanishing ridge, and the conjecture that gradient descent goes there."""

import torch

from linrep.laboratory.comparison import for_config
from linrep.paper.claims.bench import Bench, free, picked, traced
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.factors import factor_geometry
from linrep.theory.limits import predict
from linrep.theory.ridge import extrapolate, ridge_path
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import world

STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5)
RIDGE_CONCEPTS = 2
NEARER = Rule(kind="at most", bound=1.0)


def claim(bench: Bench) -> Claim:
    """Test C6 by the ridge path and at k = m; report where gradient descent stands."""
    narrow, wide, few = (bench.run(name) for name in ("narrow", "wide", "few-known"))
    limit = predict(RIDGE_CONCEPTS).geometry
    assert limit is not None, "m = 2 has a limit"
    assert limit.linearity_unembedding is not None, "it has two token pairs"
    near = Rule(kind="near", bound=0.02, target=limit.linearity_unembedding)
    beyond = _limit(wide)
    linearity = narrow.summary.final.linearity["unembedding"]
    at_width = picked(linearity, free(narrow))
    path = f"ridge λ = {STRENGTHS[0]:g} … {STRENGTHS[-1]:g} to 0, random worlds of {RIDGE_CONCEPTS} concepts"
    linear = Rule(kind="near", bound=0.05, target=1.0)
    return Claim(
        id="C6",
        short="limit",
        title="The infinite-time limit is the table of least nuclear norm",
        statement="As a ridge vanishes at k ≥ rank, tables tend to the balanced factors of the least nuclear "
        "norm with unit margins, whatever p is: not linear for complete contexts. At k = m the additive, "
        "exactly linear solution takes its place.",
        trials=(
            _trial(f"{path}, k = 4", _ridge(bench, 4), near, (), near.target),
            _trial(
                "k = m, free runs of gradient descent against the limit of k ≥ rank",
                at_width,
                Rule(kind="near", bound=0.02, target=beyond),
                ("narrow",),
                beyond,
                condition="k ≥ rank (for the limit)",
            ),
            _trial("k = m, free runs of gradient descent", at_width, linear, ("narrow",), 1.0),
            _trial(
                "k ≫ m, gradient descent against the linear solution of k = m",
                picked(wide.summary.final.linearity["unembedding"], range(len(wide.worlds))),
                linear,
                ("wide",),
                1.0,
                condition="k = m (for the additive solution)",
            ),
            _conjecture("k ≫ m, complete contexts", wide, beyond, "wide"),
            _conjecture("contexts that know 1 or 2 of 5", few, _limit(few), "few-known"),
        ),
    )


def _trial(
    name: str,
    values: list[float | None],
    rule: Rule,
    experiments: tuple[str, ...],
    prediction: float,
    condition: str = "",
) -> Trial:
    return Trial(
        name=name,
        quantity="linearity of g",
        role="control" if condition else "test",
        condition=condition,
        experiments=experiments,
        measured=estimate(values),
        prediction=prediction,
        rule=rule,
    )


def _limit(result: Result) -> float:
    found = for_config(result.config).geometry
    assert found is not None, "a symmetric world at k ≥ rank"
    assert found.linearity_unembedding is not None, "it has several token pairs"
    return found.linearity_unembedding


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
