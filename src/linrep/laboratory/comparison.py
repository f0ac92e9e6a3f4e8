"""What theory predicts for a config or a finished run, and how far the run is from it.

The only place that lays a prediction beside measurements: theory never sees the ruler, nor the ruler it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from linrep.errors import InputError
from linrep.geometry.record import MEAN_DIRECTIONS, RMS
from linrep.laboratory.appearing import appearances
from linrep.laboratory.build import resolve, worlds
from linrep.laboratory.trajectory import step_sizes
from linrep.runs.alike import alike
from linrep.runs.config import Config
from linrep.runs.result import Result
from linrep.runs.summary import Key
from linrep.theory.limit_geometry import LimitGeometry
from linrep.theory.limits import predict_world
from linrep.theory.nuclear_norm import LARGEST_TABLE
from linrep.theory.prediction import Prediction
from linrep.theory.price import Price, price_of_linearity
from linrep.theory.width import LeastExcess, least_excess
from linrep.worlds.contexts import World, part
from linrep.worlds.truth import distinct, same_sets

LARGEST_DRAWN = 2**11
"""Most entries (contexts × tokens) of a world without symmetry whose limit is computed for a page."""
LARGEST_FACTORED = 2**20
"""Most entries of a world whose additive solution, which takes no program, is laid beside a page."""
ADDITIVE = "additive_not_proven_optimal"
LATE = 100
"""A rate is drawn over the last part of training, from 1/LATE of its effective time."""


Rate = tuple[tuple[int, float], ...]
"""(step, value) pairs, late in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A prediction laid beside a run; what theory does not give is absent, never a stand-in.

    Example:
        >>> Beside(sentence="", levels={("linearity", "unembedding"): 1.0}).has_lines
        True
    """

    prediction: Prediction | None = None
    """None where nothing was computed; ``reason`` says why."""
    reason: str = ""
    sentence: str
    """How far the run is from its limit."""
    levels: Mapping[Key, float] = field(default_factory=dict[Key, float])
    """What a measure of the trace tends to, by measure and table."""
    rates: Mapping[Key, Rate] = field(default_factory=dict[Key, Rate])
    """How a measure goes on, where it has no level."""
    spectrum: tuple[float, ...] = ()
    """Of G: shares of its non-constant energy by degree, from 1."""
    singular_values: tuple[tuple[float, float | None], ...] = ()
    """(measured, predicted) shares of the nuclear norm of F Gᵀ, descending, mean over runs that converged."""
    appearances: tuple[float, ...] = ()
    """Steps at which singular values of F Gᵀ were to reach 1 from a small start, the largest first."""
    no_appearances: str = ""
    """Why there are none."""

    @property
    def has_lines(self) -> bool:
        """Whether anything is drawn into the traces."""
        return bool(self.levels or self.rates)


def for_config(config: Config, dim: int | None = None) -> Prediction:
    """The prediction for tables on the world and width of a config, those of run 0 where runs draw their own.

    Args:
        config: Checked; its training plays no part.
        dim: Width asked about instead of the config's.

    Returns:
        What :func:`linrep.theory.limits.predict_world` says.

    Raises:
        InputError: A world that cannot be built, or a program too large, with its size.

    Example:
        >>> from linrep.runs.toml import parse
        >>> for_config(parse({"world": {"kind": "chain", "concepts": 3}}), 7).rank
        7
    """
    world = _trained(config)
    return predict_world(world, resolve(config, (world,)).model.dim if dim is None else dim)


def price_for_config(config: Config) -> Price:
    """The price of linearity on the world of a config, that of run 0 where runs draw their own.

    Args:
        config: Checked; its training and width play no part.

    Returns:
        What :func:`linrep.theory.price_of_linearity` says.

    Raises:
        InputError: A world that cannot be built, or a convex problem too large, with its size.

    Example:
        >>> from linrep.runs.toml import parse
        >>> price_for_config(parse({"world": {"kind": "independent", "concepts": 3}})).nats < 1e-12
        True
    """
    return price_of_linearity(_trained(config))


def least_excess_for_config(config: Config, dim: int | None = None) -> LeastExcess:
    """Whether the tables of a config are wide enough for its world, that of run 0 where runs draw their own.

    Args:
        config: Checked; its training plays no part.
        dim: Width asked about instead of the config's.

    Returns:
        What :func:`linrep.theory.least_excess` says.

    Raises:
        InputError: A world that cannot be built, or a width below 1.

    Example:
        >>> from linrep.runs.toml import parse
        >>> least_excess_for_config(parse({"world": {"kind": "chain", "concepts": 3}}), 2).verdict
        'too narrow'
    """
    world = _trained(config)
    width = resolve(config, (world,)).model.dim if dim is None else dim
    assert width is not None, "a resolved config has a width"
    return least_excess(world, width)


def _trained(config: Config) -> World:
    """The world of run 0, its held-out contexts left out."""
    (built,) = worlds(config.model_copy(update={"runs": 1}))
    return part(built, ~built.held_out)


def prediction_of(result: Result) -> Prediction | None:
    """What theory predicts for a run; None where it does not reach its world."""
    return _prediction(result)[0]


def beside(result: Result) -> Beside:
    """A run and what theory predicts for it; never raises for a world that theory does not reach.

    Args:
        result: A finished run.

    Returns:
        The prediction, the numbers to draw, and the sentence.
    """
    prediction, reason = _prediction(result)
    geometry = prediction.geometry if prediction is not None else None
    steps, no_steps = appearances(result) if result.spectrum is not None else ((), "")
    return Beside(
        prediction=prediction,
        reason=reason,
        sentence=_sentence(result, prediction, reason),
        levels=levels(geometry) if geometry is not None else {},
        rates=_rates(result, prediction),
        spectrum=geometry.spectrum or () if geometry is not None else (),
        singular_values=_singular_values(result, prediction),
        appearances=steps,
        no_appearances=no_steps,
    )


def _prediction(result: Result) -> tuple[Prediction | None, str]:
    return limit_of(result.config, result.worlds)


def limit_of(config: Config, worlds: Sequence[World]) -> tuple[Prediction | None, str]:
    """The prediction for all runs of a training, or why there is none: what is too large is not begun.

    Args:
        config: Resolved.
        worlds: One for each run.

    Example:
        >>> import linrep
        >>> config = linrep.Config.model_validate({"world": {"kind": "chain", "concepts": 3}, "runs": 1})
        >>> built = worlds(config)
        >>> limit_of(resolve(config, built), built)[0].status
        'additive_not_proven_optimal'
    """
    built = distinct(worlds)
    first, dim = built[0], config.model.dim
    if config.model.encoder != "table":
        return None, "theory speaks of free tables, and here a network is the encoder"
    if config.contexts.held_out:
        return None, "each run holds out contexts of its own, hence no limit in common"
    if not all(same_sets(first, other) for other in built[1:]):
        return None, "the runs have contexts or tokens of their own, hence no limit in common"
    size = len(first.codes) * len(first.tokens)
    fits = size <= LARGEST_DRAWN or (size > LARGEST_TABLE and dim == first.span)
    if not (_symmetric(config, first) or (fits and size <= LARGEST_FACTORED)):
        return None, (
            f"the program for {len(first.codes)} contexts × {len(first.tokens)} tokens is too large here"
        )
    try:
        prediction = predict_world(first, dim)
    except InputError as error:
        return None, str(error)
    return prediction, prediction.reason


def _symmetric(config: Config, first: World) -> bool:
    """Whether every token exists and contexts are all those that know A..B concepts: no large program."""
    return (
        config.contexts.kind in ("complete", "known")
        and set(first.model.sizes) == {2}
        and len(first.tokens) == 2**first.model.concepts
    )


def levels(g: LimitGeometry) -> dict[Key, float]:
    """What each measure of the trace tends to; only what theory gives.

    Args:
        g: Of a prediction.

    Example:
        >>> from linrep.theory.limits import predict
        >>> round(levels(predict(2).geometry)["alignment", ""], 3)
        0.587
    """
    found: dict[Key, float | None] = {
        ("linearity", "embedding"): g.linearity_embedding,
        ("linearity", "unembedding"): g.linearity_unembedding,
        ("alignment", ""): g.alignment,
        (MEAN_DIRECTIONS, "embedding"): g.orthogonality_mean_directions,
        (MEAN_DIRECTIONS, "unembedding"): g.orthogonality_mean_directions,
        (RMS, "embedding"): g.orthogonality_rms_embedding,
        (RMS, "unembedding"): g.orthogonality_rms_unembedding,
        ("additive_share", "embedding"): g.additive_share_embedding,
        ("additive_share", "unembedding"): g.additive_share_unembedding,
        ("log_odds_gap_nats", ""): 0.0,
    }
    return {key: level for key, level in found.items() if level is not None}


def _rates(result: Result, prediction: Prediction | None) -> dict[Key, Rate]:
    """Late rates of full-batch gradient descent through the last median: loss as 1/t, margins as ln t.

    t is the sum of the step sizes. The slope of the margin, one nat for each unit of ln t, is that of the
    additive solution, where all margins are equal.
    """
    settings = result.config.training
    if prediction is None or prediction.geometry is None or settings.optimizer != "gd" or not settings.steps:
        return {}
    if result.config.shift is not None:  # t counts the steps towards one limit
        return {}
    time = _times(result)
    last = time[max(time)]
    ages = {step: each / last for step, each in time.items() if step and last and each * LATE >= last}
    found: dict[Key, Rate] = {}
    loss = _last(result, "excess_loss_nats")
    if loss:
        found["excess_loss_nats", ""] = tuple((step, loss / age) for step, age in ages.items())
    margin = _last(result, "margin")
    if margin and prediction.status == ADDITIVE:
        found["margin", ""] = tuple((step, margin + math.log(age)) for step, age in ages.items())
    return found


def _times(result: Result) -> dict[int, float]:
    """The sum of the step sizes at every snapshot; the median over runs, where each has its own."""
    settings = result.config.training
    if settings.step_size == "auto":
        rows: Any = result.trace
        found = rows[rows["measure"] == "time"].groupby("step")["value"].median()
        return {int(step): float(value) for step, value in found.items()}
    rate = step_sizes(result.config)
    sizes = torch.tensor([rate(step) for step in range(settings.steps)], dtype=torch.float64)
    time = torch.cat([torch.zeros(1, dtype=torch.float64), sizes.cumsum(0)])
    return {step: float(time[step]) for step in result.snapshot_steps}


def _last(result: Result, measure: str) -> float | None:
    """Median over the runs that converged at the last step, from the trace."""
    rows: Any = result.trace
    rows = rows[(rows["measure"] == measure) & (rows["kind"] == "value") & (rows["concept"] == "")]
    rows = rows[(rows["step"] == rows["step"].max()) & rows["run"].isin(_converged(result))]
    return None if rows.empty else float(rows["value"].median())


def _converged(result: Result) -> list[int]:
    return [run for run, there in enumerate(result.summary.converged) if there]


def _singular_values(result: Result, prediction: Prediction | None) -> tuple[tuple[float, float | None], ...]:
    """Shares of the nuclear norm of F Gᵀ (G centred), over runs that converged, beside the predicted."""
    runs = _converged(result)
    if prediction is None or not prediction.singular_values or not runs:
        return ()
    contexts, tokens = len(result.worlds[0].codes), len(result.worlds[0].tokens)
    f, g = result.embedding[runs, :contexts].double(), result.unembedding[runs, :tokens].double()
    product = torch.linalg.qr(f).R @ torch.linalg.qr(g - g.mean(1, keepdim=True)).R.mT
    values = torch.linalg.svdvals(product)
    shares = (values / values.sum(1, keepdim=True)).mean(0).tolist()
    expected = sorted(
        (s.value for s in prediction.singular_values for _ in range(s.multiplicity)), reverse=True
    )
    expected = [value for value in expected if value > 0]
    return tuple(
        (shares[n] if n < len(shares) else 0.0, expected[n] / sum(expected) if n < len(expected) else None)
        for n in range(max(len(expected), len(shares)))
    )


def _sentence(result: Result, prediction: Prediction | None, reason: str) -> str:
    """How far the run is from its limit, in the words of one sentence."""
    if prediction is None:
        return f"No limit was computed: {reason}."
    g = prediction.geometry
    if prediction.status == "unreachable":
        return f"There is no limit of zero loss to reach: {reason}."
    if g is None:
        known = "its singular values alone" if prediction.singular_values else "no limit"
        return f"Theory has {known} to compare with: {reason}."
    ended = result.summary.ended
    if not ended.medians:
        return "How the runs ended was not measured, so they are not held against the limit."
    whose = alike(ended)
    medians = ended.medians[whose.word or "converged"]
    who = f"{whose.words} {'are' if len(whose.runs) > 1 else 'is'}"
    compared = [
        ("linearity of g", medians.linearity_unembedding, g.linearity_unembedding),
        ("linearity of f", medians.linearity_embedding, g.linearity_embedding),
        ("alignment", medians.alignment, g.alignment),
    ]
    known = [
        (name, value, limit) for name, value, limit in compared if value is not None and limit is not None
    ]
    if not known:
        return f"No similarity that has a limit could be measured: {reason}."
    name, value, limit = max(known, key=lambda each: abs(each[1] - each[2]))
    said = ", ".join(f"{n} {v:.3f} (limit {target:.3f})" for n, v, target in known)
    kind = (
        "the additive solution, not proven to be the limit" if prediction.status == ADDITIVE else "the limit"
    )
    far = f"{abs(value - limit):.3f} of {kind}, furthest in {name}"
    return f"At step {result.summary.final.step:,} {who} within {far}: {said}."
