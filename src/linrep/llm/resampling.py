"""Intervals and nulls of one concept's unit steering vectors, from their Gram matrix: the dimension drops
out.

Pairs made from one frame are copies of each other in part, so whole frames are left out, not pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.geometry import Pairs
from linrep.intervals import (
    LEAST,
    Interval,
    crossed_interval,
    jackknife_interval,
    shared_variance,
    t_interval,
)
from linrep.linalg import normalise

NONE: Interval = (float("nan"), float("nan"))
POOL = 1000
"""Random pairs drawn once for projections: each concept's null are their cosines with its direction."""


Statistic = Callable[[Float64[Tensor, "draws pairs"]], Float64[Tensor, " draws"]]
"""A number of weighted pairs, for each row of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Which pairs of a concept are not independent: of one sentence, or of the same words swapped."""

    frame: Int64[Tensor, " pairs"]
    swap: Int64[Tensor, " pairs"]

    def interval(self, statistic: Statistic) -> Interval:
        """Student's 95 % interval by leaving out whole frames and, where they cross them, whole swaps.

        Returns:
            (low, high); NaN where there are too few of either.
        """
        value = float(statistic(torch.ones(1, len(self.frame), dtype=torch.float64))[0])
        both = torch.unique(torch.stack([self.frame, self.swap]), dim=1, return_inverse=True)[1]
        frames = statistic(without_each(self.frame))
        if int(both.max()) + 1 > len(self.swap.unique()):
            swaps, cells = statistic(without_each(self.swap)), statistic(without_each(both))
            return crossed_interval(value, frames, swaps, cells) or NONE
        return jackknife_interval(value, [frames]) or NONE


def word_interval(statistic: Statistic, words: Int64[Tensor, "2 pairs"]) -> Interval:
    """Student's 95 % interval by leaving out each pair; pairs that share a word vary together.

    Args:
        statistic: Of weighted pairs.
        words: The two words of each pair.

    Returns:
        (low, high); NaN where there are too few pairs.
    """
    number = words.shape[1]
    if number < LEAST:
        return NONE
    value = float(statistic(torch.ones(1, number, dtype=torch.float64))[0])
    left_out = statistic(without_each(torch.arange(number)))
    if bool(left_out.isnan().any()):
        return NONE
    influence = (left_out - left_out.mean()) * (1 - 1 / number) ** 0.5
    return t_interval(value, [shared_variance([influence], words, [number - 1])]) or NONE


def without_each(cluster: Int64[Tensor, " pairs"]) -> Float64[Tensor, "clusters pairs"]:
    """Weight 0 for the pairs of each cluster in turn, 1 for the others.

    Example:
        >>> without_each(torch.tensor([0, 0, 5]))
        tensor([[0., 0., 1.],
                [1., 1., 0.]], dtype=torch.float64)
    """
    return (cluster.unique()[:, None] != cluster).to(torch.float64)


def weighted_mean(values: Float64[Tensor, " pairs"]) -> Statistic:
    """The mean of the pairs' values as a statistic."""
    return lambda weights: weights @ values / weights.sum(1)


def weighted_linearity(
    gram: Float64[Tensor, "pairs pairs"], weights: Float64[Tensor, "draws pairs"]
) -> Float64[Tensor, " draws"]:
    r"""Linearity of weighted unit vectors without pairs of a vector with its own copy: (‖Σwû‖² − Σw²)/((Σw)²
    − Σw²).

    NaN where all weight is on one vector.
    """
    own = weights.square().sum(1)
    return (((weights @ gram) * weights).sum(1) - own) / (weights.sum(1).square() - own)


def auc(positive: Float64[Tensor, " positive"], negative: Float64[Tensor, " negative"]) -> float:
    """P(a positive score is above a negative one), ties counted half; NaN if either is empty.

    Example:
        >>> auc(torch.tensor([1.0, 2.0]).double(), torch.tensor([0.0, 1.0]).double())
        0.875
    """
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = negative.sort().values
    below = torch.searchsorted(ordered, positive.contiguous(), right=False)
    through = torch.searchsorted(ordered, positive.contiguous(), right=True)
    return float((below + through).to(torch.float64).mean() / (2 * len(ordered)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NullPool:
    """Rows dealt at random: what steering vectors of no concept look like in this table."""

    rows: Float64[Tensor, "rows dim"]
    gram: Float64[Tensor, "rows rows"]
    units: Float64[Tensor, "pool dim"]
    """Unit differences of random pairs of distinct rows."""

    def sums(
        self, pairs: Pairs, group: int, *, draws: int, generator: torch.Generator
    ) -> tuple[Float64[Tensor, "draws dim"], Float64[Tensor, " draws"]]:
        """Sum of a group's unit steering vectors after its rows are dealt anew, so that who shares a row
        stays.

        Every draw gives the group's distinct rows random rows of the pool, all different where there are
        enough.

        Returns:
            The sums, and how many vectors of each were not zero.
        """
        at = pairs.group == group
        used, local = torch.unique(torch.stack([pairs.low[at], pairs.high[at]]), return_inverse=True)
        if len(used) <= len(self.rows):
            dealt = torch.rand(draws, len(self.rows), generator=generator).topk(len(used), dim=1).indices
        else:
            dealt = torch.randint(len(self.rows), (draws, len(used)), generator=generator)
        low, high = dealt[:, local[0]], dealt[:, local[1]]
        own = self.gram.diagonal()
        size = own[low] + own[high]
        square = size - 2 * self.gram[low, high]
        present = square > 1e-12 * size
        scale = torch.where(present, square.clamp(min=1e-300).rsqrt(), 0.0)
        weights = torch.zeros(draws, len(self.rows), dtype=torch.float64)
        weights.scatter_add_(1, high, scale).scatter_add_(1, low, -scale)
        return weights @ self.rows, present.sum(1).to(torch.float64)

    def linearity(
        self, pairs: Pairs, group: int, *, draws: int, generator: torch.Generator
    ) -> Float64[Tensor, " draws"]:
        """Linearity of a group whose rows are dealt anew; NaN for fewer than two vectors."""
        total, number = self.sums(pairs, group, draws=draws, generator=generator)
        return torch.where(number > 1, (total.square().sum(1) - number) / (number * (number - 1)), torch.nan)

    def directions(
        self, pairs: Pairs, group: int, *, draws: int, generator: torch.Generator
    ) -> Float64[Tensor, "draws dim"]:
        """Mean direction, unit length, of a group whose rows are dealt anew."""
        return normalise(self.sums(pairs, group, draws=draws, generator=generator)[0])


def null_pool(rows: Float64[Tensor, "rows dim"], *, generator: torch.Generator) -> NullPool:
    """The null of a table from some of its rows, at least two."""
    low = torch.randint(len(rows), (POOL,), generator=generator)
    high = (low + torch.randint(1, len(rows), (POOL,), generator=generator)) % len(rows)
    return NullPool(rows=rows, gram=rows @ rows.mT, units=normalise(rows[high] - rows[low]))


def units_by_group(table: Float64[Tensor, "rows dim"], pairs: Pairs) -> list[Float64[Tensor, "pairs dim"]]:
    """Every group's unit steering vectors; a zero difference stays a row of zeros: rows match the pairs."""
    units = normalise(table[pairs.high] - table[pairs.low])
    return list(units.split(pairs.counts().tolist()))
