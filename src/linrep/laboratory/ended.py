"""How each run ended, in one of five words, from numbers that are written beside the word.

The excess loss is a distance to a bound that is known, zero: where it is small nothing is left to gain,
though it falls for ever as a power of time. Where it is not, a run is at rest or under way, and at rest it is
on a plateau unless its width can be shown to be the reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep import geometry
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.geometry.recording import numbers
from linrep.linalg import median
from linrep.runs.config import Config
from linrep.runs.summary import END_WORDS, Ended, Ending, EndWord, Medians
from linrep.theory.width import least_excess
from linrep.training.until import BEGUN, LEAST
from linrep.worlds.truth import World, distinct, entropy

SMALL = 1e-3
"""Of the excess loss of a table that knows nothing, F = 0: up to here a run has converged."""
AT_REST = 3.0
"""Times as much counts as converged where the run is at rest."""
FLAT = math.log10(2)
"""A run whose rate is nearer to 0 would not halve its excess loss in ten times the time."""
STEEP = 10.0
"""At rest the gradient, in nats, is at most so many times the excess loss. Beyond, the loss is held up by
its steps: by the noise of minibatches, or by a step size at which it does not settle."""
EXPLAINED = 3.0
"""A floor, or the best of the runs in the same world, explains an excess loss up to so many times itself."""
LARGEST = 2**13
"""Most entries (contexts × tokens) of a world in which a floor is searched for."""
LARGEST_NARROW = 2**21
"""The same at widths that no exactly linear tables fit, where the search is quick."""
CRITERION = (
    f"converged: excess loss up to {SMALL:g} of that of tables that know nothing (or up to "
    f"training.until_excess), or {AT_REST:g} times that at rest; at rest: ten times as long would not halve "
    f"it at its last rate, and the gradient is at most {STEEP:g} times as large (or as small as "
    "training.until_gradient); too narrow: at rest at a width that theory shows to be the reason; on a "
    "plateau: at rest above; unfinished: not at rest; diverged: not finite"
)
OF_SAMPLE = {
    "gd": "; excess loss and gradient are those of the sampled pairs, which are all that is descended on",
    "sgd": "; excess loss and gradient are those of the true distribution: converged says that the sampled "
    "pairs were enough to learn it, and a run that leaves it again, learning them by heart, is unfinished",
}
"""What is judged where training knows a sample alone, by optimizer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A word for each run, and what it was chosen by; NaN where there is no such number."""

    criterion: str
    words: tuple[EndWord, ...]
    target: Float64[Tensor, " runs"]
    rate: Float64[Tensor, " runs"]
    floor: Float64[Tensor, " runs"]
    best: Float64[Tensor, " runs"]


def judge(
    worlds: Sequence[World],
    excess: Float64[Tensor, " runs"],
    ending: Ending,
    rate: Float64[Tensor, " runs"],
    config: Config,
    price: Sequence[float | None],
) -> Judged:
    """How each run ended.

    Args:
        worlds: One for each run.
        excess: Loss at the last step, in nats, of what full-batch steps descend on; NaN for diverged runs.
        ending: Gradient, and who came to what was asked for.
        rate: By :func:`linrep.laboratory.rate.rate_of`; NaN where there is none.
        config: Resolved.
        price: Of linearity in each run's world, in nats; None where it is not known.
    """
    dim = config.model.dim
    assert dim is not None, "a resolved config has a width"
    gradient = _tensor(ending.gradient_nats.per_run)
    # That of the tables says nothing of a network's weights.
    steep = gradient > STEEP * excess if config.model.encoder == "table" else gradient > torch.inf
    nothing = {id(world): excess_of_nothing(world) for world in distinct(worlds)}
    most = torch.tensor([nothing[id(world)] for world in worlds], dtype=torch.float64)
    rest = (rate.abs() < FLAT) & ~steep & (excess < BEGUN * most)
    target = torch.where(rest, AT_REST * SMALL * most, SMALL * most).clamp_min(LEAST)
    stopped = torch.tensor([step is not None for step in ending.ended_at])
    asked = config.training.until_excess or 0.0
    target = torch.where(stopped & (excess <= asked), torch.full_like(target, asked), target)
    rest |= stopped & torch.tensor(config.training.until_gradient is not None)
    best = _best(worlds, excess)
    floor = torch.full_like(excess, torch.nan)
    # Floors are those of worlds: nobody knows one of a sample.
    known = config.training.samples is None
    for run in (rest & (excess > target) & known).nonzero()[:, 0].tolist():
        floor[run] = _floor(
            worlds[run], dim, float(excess[run]), price[run], known=_known(worlds, floor, run)
        )
    words: tuple[EndWord, ...] = tuple(
        _word(worlds[run], dim, *(each[run] for each in (excess, target, rest, floor, best)))
        for run in range(len(worlds))
    )
    sampled = "" if known else OF_SAMPLE[config.training.optimizer]
    return Judged(
        criterion=CRITERION + sampled, words=words, target=target, rate=rate, floor=floor, best=best
    )


def _word(
    world: World, dim: int, excess: Tensor, target: Tensor, rest: Tensor, floor: Tensor, best: Tensor
) -> EndWord:
    if not bool(excess.isfinite()):
        return "diverged"
    if bool(excess <= target):
        return "converged"
    if not bool(rest):
        return "unfinished"
    if not bool(floor > 0) or bool(excess > EXPLAINED * best):
        return "on a plateau"
    narrow = dim < world.span or bool(excess <= EXPLAINED * floor)
    return "too narrow" if narrow else "on a plateau"


def excess_of_nothing(world: World) -> float:
    r"""Excess loss of F = 0, :math:`\sum_d \omega(d) (\ln T - H(d))` over T tokens, in nats.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> sure = world(independent(1, probabilities=[0.5], generator=None))
        >>> round(excess_of_nothing(sure), 4)  # two of three contexts know it: ln 2 each
        0.4621
    """
    return float(world.weights @ (math.log(len(world.tokens)) - entropy(world)))


def _best(worlds: Sequence[World], excess: Tensor) -> Float64[Tensor, " runs"]:
    """The least excess loss of the runs that share a run's world; NaN where it has its own."""
    runs: dict[int, list[int]] = {}
    for run, world in enumerate(worlds):
        runs.setdefault(id(world), []).append(run)
    best = torch.full_like(excess, torch.nan)
    for shared in runs.values():
        finite = excess[shared][excess[shared].isfinite()]
        if len(shared) > 1 and len(finite):
            best[shared] = finite.min()
    return best


def _known(worlds: Sequence[World], floor: Tensor, run: int) -> float | None:
    """A floor that was searched for in the same world."""
    same = [i for i, world in enumerate(worlds) if world is worlds[run] and not bool(floor[i].isnan())]
    return float(floor[same[0]]) if same else None


def _floor(world: World, dim: int, excess: float, price: float | None, *, known: float | None) -> float:
    """A floor under the excess loss, NaN where none could be the reason or the search is too long."""
    if known is not None:
        return known
    if world.sampled:
        return math.nan  # a floor is a statement about all concept vectors
    size, narrow = len(world.codes) * len(world.tokens), dim < world.span
    # Exactly linear tables fit, and reach their price: no floor lies above it.
    cannot = not narrow and price is not None and excess > EXPLAINED * price
    if cannot or size > (LARGEST_NARROW if narrow else LARGEST):
        return math.nan
    return least_excess(world, dim).floor


def ended_record(
    judged: Judged,
    found: geometry.Measurement,
    loss: Float64[Tensor, " runs"],
    odds: Float64[Tensor, " runs"],
) -> Ended:
    """The words, and the medians of each kind of run.

    Args:
        judged: By :func:`judge`.
        found: On both tables.
        loss: Excess loss in nats.
        odds: RMSE of the log-odds in nats.
    """

    def medians(word: EndWord) -> Medians:
        chosen = torch.tensor([each == word for each in judged.words])

        def middle(per_run: Tensor) -> float | None:
            return numbers(median(per_run[chosen])[None])[0]

        return Medians(
            runs=int(chosen.sum()),
            linearity_embedding=middle(found.values.per_run(("linearity", "embedding"))),
            linearity_unembedding=middle(found.values.per_run(("linearity", "unembedding"))),
            alignment=middle(found.values.per_run(("alignment", ""))),
            orthogonality_unembedding=middle(found.values.per_run((MEAN_DIRECTIONS, "unembedding"))),
            excess_loss_nats=middle(loss),
            log_odds_rmse_nats=middle(odds),
        )

    words = judged.words
    return Ended(
        criterion=judged.criterion,
        per_run=words,
        shares={word: words.count(word) / len(words) for word in END_WORDS},
        medians={word: medians(word) for word in END_WORDS if word in words and word != "diverged"},
        target_nats=numbers(judged.target),
        rate=numbers(judged.rate),
        floor_nats=numbers(judged.floor),
        best_nats=numbers(judged.best),
    )


def _tensor(values: Sequence[float | None]) -> Float64[Tensor, " runs"]:
    return torch.tensor([math.nan if each is None else each for each in values], dtype=torch.float64)
