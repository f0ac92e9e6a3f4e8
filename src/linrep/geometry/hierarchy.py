r"""Nested concepts: is the direction of the parent orthogonal to that from the parent to its child?"""

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

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
