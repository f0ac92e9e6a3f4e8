"""Intervals and nulls of one concept's unit steering vectors, from their Gram matrix: the dimension drops
out.

Pairs made from one frame are copies of each other in part, so whole frames are resampled, not pairs.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.geometry import Pairs
from linrep.linalg import normalise

POOL = 1000
"""Random pairs drawn once for projections: each concept's null are their cosines with its direction."""


def cluster_weights(
    cluster: Int64[Tensor, " pairs"], *, resamples: int, generator: torch.Generator
) -> Float64[Tensor, "resamples pairs"]:
    """How often each pair is drawn when its cluster is drawn with replacement, as many clusters as there
    are.
    """
    clusters = int(cluster.max()) + 1 if len(cluster) else 0
    drawn = torch.randint(max(clusters, 1), (resamples, clusters), generator=generator)
    count = torch.zeros(resamples, max(clusters, 1), dtype=torch.float64)
    return count.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))[:, cluster]


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
