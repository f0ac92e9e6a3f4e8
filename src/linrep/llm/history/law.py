r"""One law over all checkpoints: after how many occurrences of its words does a concept emerge?

A concept of count n (over the whole training of T steps) that emerges at step t has been met
:math:`n\,t/T` times. The step is taken to be
:math:`\ln t = \alpha - \gamma \ln n + s\,\varepsilon`, :math:`\varepsilon` normal: :math:`\gamma = 1` is a
fixed number of occurrences for every concept, :math:`\gamma = 0` a step that frequency has no part in.
Checkpoints only bracket t, and a concept that has not emerged at the last is still to come: both enter the
likelihood as they are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import LEAST
from linrep.llm.history.profile import Fitted, fitted, student_cut

SPREADS = (0.05, 3.0, 14)
"""Least, largest and number of s looked at: brackets may leave it free to vanish."""
EXPONENTS = (-2.0, 4.0, 121)
LEVELS = 161
BEYOND = 2.0
"""How far beyond the steps that were seen a level is looked for, in logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """When a concept emerged: after `low`, by `high`, in steps."""

    count: float
    """How often its words occur over all of training; positive."""
    low: float
    """The checkpoint before; 0 where there is none."""
    high: float
    """The first at which it had emerged; infinite where it has not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Occurrences before emergence."""

    exponent: Fitted
    r""":math:`\gamma`."""
    occurrences: Fitted
    r"""How often a concept's words have been met when it emerges, given :math:`\gamma = 1`."""
    concepts: int
    emerged: int

    def json(self) -> dict[str, object]:
        """As plain data."""
        return {
            "exponent": self.exponent.json(),
            "occurrences": self.occurrences.json(),
            "concepts": self.concepts,
            "emerged": self.emerged,
        }


def law(brackets: Sequence[Bracket], last_step: int | float) -> Law | None:
    r"""The exponent and the number of occurrences, by maximum likelihood of what checkpoints bracket.

    Naively: least squares of :math:`\ln t` on :math:`\ln n`, which must take a bracket for its end and leave
    out what has not emerged.

    Args:
        brackets: One a concept.
        last_step: T, over which the counts were taken.

    Returns:
        The law; None below four concepts, where fewer than two have emerged, where counts are all equal, or
        nothing is likeliest: each concept emerged at the first checkpoint, say.
        The number of occurrences scales with the counts, the exponent does not move.

    Example:
        >>> seen = [(100.0 * 2**i, 1600 / 2**i) for i in range(6)]
        >>> found = law([Bracket(count=n, low=0.9 * t, high=1.1 * t) for n, t in seen], 1600.0)
        >>> round(found.exponent.value, 2), round(found.occurrences.value, -1)
        (1.0, 100.0)

    References:
        Tobin 1958; :cite:`merullo:25`.
    """
    emerged = sum(math.isfinite(each.high) for each in brackets)
    counts = torch.tensor([each.count for each in brackets], dtype=torch.float64).log()
    if len(brackets) < LEAST or emerged < 2 or bool((counts == counts[0]).all()):
        return None
    low, high = (
        torch.tensor([getattr(each, end) for each in brackets], dtype=torch.float64).log()
        for end in ("low", "high")
    )
    exponents = torch.linspace(*EXPONENTS, dtype=torch.float64)
    spreads = torch.logspace(math.log10(SPREADS[0]), math.log10(SPREADS[1]), SPREADS[2], dtype=torch.float64)
    about = counts - counts.mean()
    profile = torch.stack(
        [_over_levels(low + float(e) * about, high + float(e) * about, spreads)[1].amax() for e in exponents]
    )
    # Given an exponent of 1, a level is the logarithm of the occurrences, but for a constant.
    levels, likely = _over_levels(
        low + counts - math.log(last_step), high + counts - math.log(last_step), spreads
    )
    number = len(brackets)
    exponent = fitted(exponents, profile, student_cut(number, 2))
    place = fitted(levels, likely.amax(0), student_cut(number, 1))
    if exponent is None or place is None:
        return None
    return Law(exponent=exponent, occurrences=place.exp(), concepts=len(brackets), emerged=emerged)


def log_likelihood(
    levels: Float64[Tensor, " levels"],
    spreads: Float64[Tensor, " spreads"],
    low: Float64[Tensor, " concepts"],
    high: Float64[Tensor, " _"],
) -> Float64[Tensor, "spreads levels"]:
    """Of normal numbers about each level with each deviation, known to lie between low and high.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> round(float(log_likelihood(0 * one, one, -1.959964 * one, 1.959964 * one).exp()), 4)
        0.95
    """
    level, s = levels[:, None], spreads[:, None, None]
    a, b = (low - level) / s, (high - level) / s
    # From the side where both tails are small: no cancellation far out.
    flip = a > 0
    a, b = torch.where(flip, -b, a), torch.where(flip, -a, b)
    upper, lower = torch.special.log_ndtr(b), torch.special.log_ndtr(a)
    return (upper + torch.log1p(-(lower - upper).clamp(max=-1e-12).exp())).sum(-1)


def _over_levels(
    low: Tensor, high: Tensor, spreads: Tensor
) -> tuple[Float64[Tensor, " levels"], Float64[Tensor, "spreads levels"]]:
    seen = torch.cat([low[low.isfinite()], high[high.isfinite()]])
    levels = torch.linspace(
        float(seen.min()) - BEYOND, float(seen.max()) + BEYOND, LEVELS, dtype=torch.float64
    )
    return levels, log_likelihood(levels, spreads, low, high)
