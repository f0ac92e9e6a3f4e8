r"""What two models of one distribution have in common, and which measures must agree between them.

Equal next-token distributions have equal logits up to a shift of every context,
:math:`F (G - \bar g)^\top = F' (G' - \bar g')^\top`. The rank of that product is the *effective complexity*
of both. A model is *diverse* when its width is that: then F and the centred G span the space, and of two
diverse models

.. math:: F' = F A, \qquad G' = G A^{-\top} + 1 s^\top

for one invertible A (solve for it on rows of F that span; the product fixes G'). Without diversity what F
does not see of G, and G of F, is anything. So a measure must agree

- whatever the widths, if it is a function of the *logits* alone: log-odds, margins, and every cosine in the
  balanced gauge, which is made of the logits' singular vectors;
- between diverse models, if a *linear* map of both tables leaves it: parallel stays parallel, and so do
  cosines in the inner product :math:`\mathrm{Cov}(g)^{-1}` of g and its dual of f, as
  :math:`\Delta g A^{-\top} (A^{-1} \mathrm{Cov}(g) A^{-\top})^{-1} A^{-1} \Delta g'^\top
  = \Delta g\, \mathrm{Cov}(g)^{-1} \Delta g'^\top`;
- between models in the balanced gauge, if only a *rotation* leaves it: the cosines as they lie. Descent with
  equal steps from a small start keeps that gauge (theory claim C5), in which A is a rotation, and what is not
  seen stays as small as the start; from a large one, or by Adam, nothing keeps A to one.

A small unseen part is enough to move the second kind: :math:`\mathrm{Cov}(g)^{-1}` is large just there.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.errors import InputError

Invariance = Literal["logits", "linear", "rotation"]
"""The largest group of maps that leave a measure as it is: all that leave the logits, A, or rotations."""
RANK = 1e-6
"""Singular values below this share of the largest are of fitting, or rounding, not of the model."""


def effective_complexity(
    embedding: Float[Tensor, "contexts dim"], unembedding: Float[Tensor, "tokens dim"], *, share: float = RANK
) -> int:
    """The rank of F (G - mean)ᵀ: how many dimensions both tables see; equal where distributions are equal.

    Naively: ``numpy.linalg.matrix_rank(F @ (G - G.mean(0)).T)``.

    Args:
        embedding: F.
        unembedding: G.
        share: Of the largest singular value, below which one counts as zero.

    Returns:
        At most the width, the number of contexts, and the number of tokens less one. Invariant to every map
        that leaves the distribution.

    Example:
        >>> f = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
        >>> effective_complexity(f, torch.tensor([[0.0, 5.0], [1.0, -3.0]]))
        1

    References:
        :cite:`marconato:25b`, for whom it lifts the condition of diversity.
    """
    values = torch.linalg.svdvals(embedding.double() @ (unembedding - unembedding.mean(0)).double().T)
    return int((values > share * values[0]).sum())


def must_agree(invariance: Invariance, *, diverse: bool, one_gauge: bool) -> bool:
    """Whether a measure is the same in every two models of one distribution, by what leaves it as it is.

    Args:
        invariance: Of the measure.
        diverse: Whether both models are as wide as their effective complexity.
        one_gauge: Whether both are in the balanced gauge, as descent from a small start leaves them.

    Returns:
        False where nothing keeps it: it may agree all the same.

    Example:
        >>> [must_agree(each, diverse=True, one_gauge=False) for each in ("logits", "linear", "rotation")]
        [True, True, False]
        >>> [must_agree(each, diverse=False, one_gauge=True) for each in ("logits", "linear", "rotation")]
        [True, False, True]

    References:
        :cite:`marconato:25b`, extended linear equivalence.
    """
    if invariance == "logits":
        return True
    return diverse if invariance == "linear" else one_gauge


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMap:
    """The affine map between two tables of unembeddings that fits best, and how well it does.

    Example:
        >>> corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> linear_map(corners, corners[:, :1]).matrix.shape
        torch.Size([2, 1])
    """

    matrix: Float64[Tensor, "dim other"]
    """B of G' = G B + 1 sᵀ."""
    unexplained: float
    """Share of the variance of G' about its mean that the map leaves, in [0, 1]: 0 for equivalent models."""


def linear_map(first: Float[Tensor, "tokens dim"], second: Float[Tensor, "others other"]) -> LinearMap:
    """The best affine map from one table onto another.

    Naively: ``numpy.linalg.lstsq(G - G.mean(0), H - H.mean(0))``.

    Args:
        first: G.
        second: G', of the same tokens and any width.

    Returns:
        The map. What it leaves is invariant to any invertible affine map of the first table.

    Raises:
        InputError: If the tables are not of the same tokens.

    Example:
        >>> g = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> linear_map(g, 2 * g + 1).unexplained < 1e-12
        True
    """
    if len(first) != len(second):
        raise InputError(
            f"tables: expected the same tokens, got {len(first)} and {len(second)} rows; use models of one "
            "world"
        )
    x, y = (table.double() - table.double().mean(0) for table in (first, second))
    matrix = torch.linalg.lstsq(x, y, driver="gelsd").solution
    left = (y - x @ matrix).square().sum() / y.square().sum().clamp_min(torch.finfo(torch.float64).tiny)
    return LinearMap(matrix=matrix, unexplained=float(left.clamp(0, 1)))
