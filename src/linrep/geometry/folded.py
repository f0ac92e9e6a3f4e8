"""Normal numbers whose sign is dropped, and the interval of a mean of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import Interval

FAR = 20.0
"""So many standard deviations from 0 nothing is folded."""
FINE = 1e-3
"""Of the largest strength that is looked at: how finely the ends are searched."""


def folded(mean: Float64[Tensor, " *numbers"]) -> tuple[Tensor, Tensor]:
    r"""Mean and standard deviation of :math:`|x|` for normal x of unit variance.

    .. math:: E|x| = \sqrt{2/\pi}\, e^{-\mu^2/2} + \mu\, \mathrm{erf}(\mu/\sqrt 2),
              \qquad \mathrm{var}|x| = 1 + \mu^2 - (E|x|)^2

    Naively: ``scipy.stats.foldnorm(abs(mean)).stats()``.

    Args:
        mean: Of x; its sign does not matter.

    Returns:
        Both of the shape of `mean`: 0.80 and 0.60 where it is 0, itself and 1 far away.

    Example:
        >>> [round(float(each), 3) for each in folded(torch.tensor(0.0, dtype=torch.float64))]
        [0.798, 0.603]

    References:
        Leone, Nelson and Nottingham 1961, the folded normal distribution.
    """
    size = mean.abs()
    near = size.clamp(max=FAR)
    expected = math.sqrt(2 / math.pi) * torch.exp(-near.square() / 2) + near * torch.erf(near / math.sqrt(2))
    spread = (1 + near.square() - expected.square()).clamp(1 - 2 / math.pi, 1).sqrt()
    return expected + (size - near), spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    r"""A mean :math:`\sum_p w_p |x_p|` of normal numbers without their signs.

    Its standard deviation is known only with the true means: where they are 0 it is 0.6 of what it is with
    the signs left in, and the mean itself is never 0. So each end of the interval is where a test would put
    it that takes the deviation from the hypothesis it tests: that the true means are those that were seen,
    all times one strength.
    """

    seen: Float64[Tensor, " *numbers"]
    """:math:`|x_p|`"""
    spread: Float64[Tensor, " *numbers"]
    """Standard deviation of each :math:`x_p`; 0 where it is exact."""
    weight: Float64[Tensor, " *numbers"]
    """Of each in the mean."""
    half_width: Callable[[Tensor], float]
    """Half the interval's width where each number varies by such a share of its spread."""

    def interval(self, value: float) -> Interval:
        r"""The ends, :math:`\hat\theta \mp t\,\hat\sigma(\lambda)` at the least and greatest strength
        :math:`\lambda` not refused.

        Args:
            value: The mean of what was seen.

        Returns:
            (low, high), neither cut. Scales with the numbers.

        Example:
            >>> one = torch.ones(1, dtype=torch.float64)
            >>> known = {"spread": one, "weight": one, "half_width": lambda share: 2 * float(share)}
            >>> [round(end, 2) for end in Folded(seen=0.1 * one, **known).interval(0.1)]
            [-1.11, 2.03]

        References:
            Wilson 1927: the variance of the hypothesis, not of the estimate.
        """
        full = self.half_width(torch.ones_like(self.seen))
        if not value > 0 or not full > 0:
            return value - full, value + full
        most, at = 1 + full / value, cache(self._at)

        def too_weak(strength: float) -> float:
            mean, half = at(strength)
            return value - half - mean

        def too_strong(strength: float) -> float:
            mean, half = at(strength)
            return mean - half - value

        least = 0.0 if too_weak(0.0) <= 0 else _root(too_weak, most)
        greatest = 0.0 if too_strong(0.0) > 0 else _root(too_strong, most)
        return value - at(least)[1], value + at(greatest)[1]

    def _at(self, strength: float) -> tuple[float, float]:
        """The mean that is expected, and half the interval's width."""
        exact = self.spread == 0
        mean, share = folded(strength * self.seen / torch.where(exact, 1.0, self.spread))
        mean = torch.where(exact, strength * self.seen, mean * self.spread)
        share = torch.where(exact, 1.0, share)
        return float(torch.where(self.weight == 0, 0.0, self.weight * mean).sum()), self.half_width(share)


def _root(function: Callable[[float], float], most: float) -> float:
    """Where it changes its sign between 0 and `most`, which is doubled until it does."""
    from scipy.optimize import brentq

    start = function(0.0) > 0
    for _ in range(20):
        if (function(most) > 0) != start:
            found = brentq(function, 0.0, most, xtol=FINE * most)
            assert isinstance(found, float)
            return found
        most *= 2
    return most
