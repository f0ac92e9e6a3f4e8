"""C6: the limit itself, by a vanishing ridge, and the conjecture that gradient descent goes there."""

import math
from dataclasses import replace

from linrep.laboratory.comparison import for_config
from linrep.laboratory.ended import SMALL, excess_of_nothing
from linrep.paper.claims.bench import Bench, Values, per_run, traced, trial
from linrep.paper.claims.verdict import Claim, Rule, Trial, estimate
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.theory.factors import factor_geometry
from linrep.theory.limits import predict
from linrep.theory.prediction import Prediction
from linrep.theory.ridge import RidgePoint, extrapolate, ridge_path
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import World, world

STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5)
RIDGE_CONCEPTS = 2
NEARER = Rule(kind="at most", bound=1.0, target=0.0)
WITHIN = 0.02
STARTS = 8
"""Tried at k = m, as far as the path's first strength: half of them end in a higher valley."""


def claim(bench: Bench) -> Claim:
    """Test C6 by the ridge path at k ≥ rank and at k = m; report where gradient descent stands."""
    limit = _of_g(predict(RIDGE_CONCEPTS))
    above, at_width = _ridge(bench, RIDGE_CONCEPTS**2), _ridge(bench, RIDGE_CONCEPTS, starts=STARTS)
    return Claim(
        id="C6",
        short="limit",
        title="In worlds of two concepts a vanishing ridge leaves the linearity of the least nuclear norm; "
        "at k = m full linearity",
        statement="As a ridge vanishes at k ≥ rank, tables tend to the balanced factors of the least nuclear "
        "norm with unit margins, whatever p is: not linear for complete contexts. At k = m the additive, "
        "exactly linear solution takes its place. That gradient descent itself ends there is a conjecture: "
        "reported, not counted.",
        trials=(
            _near(limit, "ridge to 0, k = 4 ≥ rank", above),
            _near(limit, "ridge to 0, k = m, against the limit of k ≥ rank", at_width).control(
                breaks="k ≥ rank (for the least nuclear norm)"
            ),
            _near(1.0, "ridge to 0, k = m", at_width),
            _near(1.0, "ridge to 0, k = 4, against the additive solution", above).control(
                breaks="k = m (for the additive solution)"
            ),
            *_conjectures(bench),
        ),
    )


def _conjectures(bench: Bench) -> tuple[Trial, ...]:
    """Gradient descent itself: at k = m its linearity, above the rank whether it still comes nearer."""
    narrow, wide, few = (bench.run(name) for name in ("narrow", "wide", "few-known"))
    record = narrow.summary.final.linearity["unembedding"]
    additive = Rule(kind="near", bound=WITHIN, target=1.0)
    name, quantity = "gradient descent, k = m", "linearity of g against the additive solution"
    at_width = trial(narrow, "narrow", name, quantity, per_run(narrow, record), additive)
    return (
        replace(at_width, role="conjecture"),
        _comes_nearer("k ≫ m, complete contexts", "wide", wide),
        _comes_nearer("contexts that know 1 or 2 of 5", "few-known", few),
    )


def _near(limit: float, name: str, linearity: Values) -> Trial:
    """Linearity of g stands where theory puts its limit."""
    return Trial(
        name=name,
        quantity=f"linearity of g, random worlds of {RIDGE_CONCEPTS} concepts",
        experiments=(),
        measured=estimate(linearity),
        rule=Rule(kind="near", bound=WITHIN, target=limit),
    )


def _of_g(prediction: Prediction) -> float:
    """Linearity of g in a limit that theory knows."""
    assert prediction.geometry is not None, "a symmetric world at k ≥ rank"
    assert prediction.geometry.linearity_unembedding is not None, "it has several token pairs"
    return prediction.geometry.linearity_unembedding


def _comes_nearer(name: str, experiment: str, result: Result) -> Trial:
    """Whether the distance to the limit shrinks over the last decade of steps."""
    limit = _of_g(for_config(result.config))
    early, late = traced(result, "linearity", "unembedding", [0.1, 1.0])
    shares = [
        None if a is None or b is None else abs(b - limit) / abs(a - limit)
        for a, b in zip(early, late, strict=True)
    ]
    final = estimate(late)
    now = "" if final.mean is None else f" ({final.mean:.3f}, limit {limit:.3f})"
    words = f"gradient descent, {name}{now}"
    quantity = "distance of linearity from its limit, at the end / at a tenth"
    return replace(trial(result, experiment, words, quantity, shares, NEARER), role="conjecture")


def _ridge(bench: Bench, dim: int, *, starts: int = 1) -> Values:
    """Linearity of g at λ = 0, extrapolated from the path on one random world a seed."""

    def value(seed: int) -> float:
        model = independent(RIDGE_CONCEPTS, probability_range=(0.3, 0.7), generator=generator(seed, "world"))
        toy = world(model)

        def path(strengths: tuple[float, ...], start: int) -> tuple[RidgePoint, ...]:
            return ridge_path(toy, strengths, dim=dim, generator=generator(seed, "start", start))

        def height(start: int) -> float:
            return path(STRENGTHS[:1], start)[0].excess_loss

        points = path(STRENGTHS, min(range(starts), key=height) if starts > 1 else 0)
        if points[-1].excess_loss > SMALL * excess_of_nothing(toy):
            return math.nan
        return extrapolate(STRENGTHS, [_linearity(point, toy) for point in points])

    given = (list(STRENGTHS), RIDGE_CONCEPTS, starts, SMALL)
    return bench.compute(f"ridge-k{dim}", bench.scale.seeds, value, *given)


def _linearity(point: RidgePoint, toy: World) -> float:
    """Of g, at one strength."""
    tables = point.embedding, point.unembedding
    found = factor_geometry(*tables, toy.codes, toy.token_codes, toy.model.sizes).linearity_unembedding
    return math.nan if found is None else found
