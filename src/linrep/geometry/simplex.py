r"""The simplex of a categorical concept: one vertex per value; is it a simplex, and how regular a one?"""

import math
from itertools import combinations

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from linrep.geometry.moments import steering_moments
from linrep.geometry.pairs import Pairs, repeat
from linrep.geometry.similarity import NO_DIRECTION


def child_overlap(
    table: Float[Tensor, "runs rows dim"],
    parent: Int[Tensor, " rows"],
    state: int,
    child: Int[Tensor, " rows"],
    values: int,
) -> Float64[Tensor, "runs values"]:
    r"""Cosine of the parent's direction with child minus parent, for each value z of the child.

    .. math:: \cos(\bar x_{w} - \bar x_{\neg w},\; \bar x_{z} - \bar x_{w})

    w: the parent is in the state in which the child lives; ¬w: in another state; z: the child's value, within
    w. Means are over rows. Park et al. (2024) predict 0 in the causal inner product.

    Naively: ``[cos(x[w].mean(0) - x[~w].mean(0), x[child == z].mean(0) - x[w].mean(0)) for z in values]``.

    Args:
        table: Representations, for each run.
        parent: The parent's value in each row; -1 where it has none, and the row is left out.
        state: The value in which the child lives.
        child: The child's value; -1 where it has none.
        values: How many values the child has.

    Returns:
        Cosines in [-1, 1]; NaN where one of the means, or a direction between them, does not exist. Rows
        that mean nothing give about ±1/sqrt(dim). O(rows · dim). Invariant to rotation, shift and scale;
        *not* to a general change of basis.

    Example:
        >>> table = torch.tensor([[[0.0, 0.0], [1.0, 1.0], [1.0, -1.0]]])
        >>> child_overlap(table, torch.tensor([0, 1, 1]), 1, torch.tensor([-1, 0, 1]), 2)
        tensor([[0., 0.]], dtype=torch.float64)

    References:
        :cite:`park:24b`, Park, Choe, Jiang, Veitch, arXiv 2406.01506, hierarchical orthogonality.
    """
    inside = parent == state
    outside = (parent >= 0) & ~inside
    chosen = inside & (child == torch.arange(values, device=child.device)[:, None])
    member = torch.cat([inside[None], outside[None], chosen]).to(torch.float64)
    means = (member @ table.to(torch.float64)) / member.sum(1)[:, None]
    scale = torch.linalg.vector_norm(means, dim=-1).nan_to_num().amax(1)[:, None, None]
    direction = _unit(means[:, :1] - means[:, 1:2], scale)
    return (direction * _unit(means[:, 2:] - means[:, :1], scale)).sum(-1).clamp(-1, 1)


def _unit(vectors: Tensor, scale: Tensor) -> Tensor:
    """Unit vectors; NaN where the difference is rounding noise."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / torch.where(length > NO_DIRECTION * scale, length, torch.nan)


def vertices(
    table: Float[Tensor, "runs rows dim"], value: Int[Tensor, " rows"], values: int
) -> Float64[Tensor, "runs values dim"]:
    r"""The vertex of each value: the mean of its rows, minus the mean of these means.

    Naively: ``means = [x[value == a].mean(0) for a in range(values)]``, then ``means - mean(means)``.

    Args:
        table: Representations, for each run.
        value: The concept's value in each row; -1 where it has none, and the row is left out.
        values: How many there are, s.

    Returns:
        Vertices whose sum is zero; NaN where a value has no row. O(rows · dim). They rotate and scale with
        the table and do not see its shift.

    Example:
        >>> table = torch.tensor([[[0.0], [2.0], [7.0], [9.0]]])
        >>> vertices(table, torch.tensor([0, 1, 1, -1]), 2)[0, :, 0]
        tensor([-2.2500,  2.2500], dtype=torch.float64)

    References:
        :cite:`park:24b`, Park, Choe, Jiang, Veitch, arXiv 2406.01506.
    """
    member = (value == torch.arange(values, device=value.device)[:, None]).to(torch.float64)
    means = (member @ table.to(torch.float64)) / member.sum(1)[:, None]
    return means - means.mean(1, keepdim=True)


def regular_deviation(corners: Float64[Tensor, "runs values dim"]) -> Float64[Tensor, " runs"]:
    r"""How far the angles between vertices are from the regular simplex's, :math:`\arccos(-1/(s-1))`.

    Naively: ``sqrt(mean((angle(u, v) - acos(-1 / (s - 1))) ** 2 for u, v in combinations(corners, 2)))``.

    Args:
        corners: As :func:`vertices` gives them.

    Returns:
        Root mean square over pairs of vertices, in degrees; 0 iff all angles are the regular ones. NaN for
        two values, whose vertices are opposite whatever they are, and where a vertex is absent or zero.
        Invariant to rotation and scale.

    Example:
        >>> regular_deviation(torch.eye(3, dtype=torch.float64)[None] - 1 / 3).round(decimals=6)
        tensor([0.], dtype=torch.float64)
    """
    values = corners.shape[1]
    if values < 3:
        return corners.new_full((len(corners),), torch.nan)
    length = torch.linalg.vector_norm(corners, dim=-1, keepdim=True)
    unit = corners / torch.where(length > 0, length, torch.nan)
    low, high = torch.tensor(list(combinations(range(values), 2)), device=corners.device).T
    # The chord keeps its digits where arccos of a cosine near -1 would lose half of them.
    angle = 2 * torch.asin((torch.linalg.vector_norm(unit[:, low] - unit[:, high], dim=-1) / 2).clamp(max=1))
    return (angle - math.acos(-1 / (values - 1))).square().mean(1).sqrt().rad2deg()


def span_share(
    table: Float[Tensor, "runs rows dim"], pairs: Pairs, dimensions: int
) -> Float64[Tensor, " runs"]:
    r"""Share of the energy of a concept's unit steering vectors in the best subspace of few dimensions.

    A concept of s values whose vertices are the same wherever it is flipped spans s - 1 dimensions: share 1.
    For two values it is the share of the energy along one line.

    Naively: ``svd(stack(unit vectors)).S[:dimensions].square().sum() / len(unit vectors)``.

    Args:
        table: Representations, for each run.
        pairs: Of rows of one run's table, for all contrasts of one concept together; shared by the runs.
        dimensions: s - 1.

    Returns:
        In [0, 1]; NaN without a vector. O(pairs · dim²). Invariant to rotation, shift and scale.

    Example:
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> table = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> span_share(table, pairs_from_lists([[(0, 1), (0, 2)]]), 1)
        tensor([0.5000], dtype=torch.float64)
    """
    together = Pairs(low=pairs.low, high=pairs.high, group=torch.zeros_like(pairs.group), groups=1)
    runs, rows, _ = table.shape
    moments = steering_moments(table.flatten(0, 1), repeat(together, runs, rows))
    if moments.second is not None:
        energy = torch.linalg.eigvalsh(moments.second).flip(-1)
    else:
        assert moments.units is not None, "second moments were asked for"
        energy = torch.linalg.svdvals(moments.units).square()
    share = energy[:, :dimensions].sum(1).clamp(0, 1)
    return torch.where(moments.count > 0, share, torch.nan)
