"""How fast a direction settles when embeddings are fixed: the constant of the 1/ln t law."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.theory.max_margin import HardMargin


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlingConstant:
    """angle(v, ŵ)·ln t tends to ``constant`` where the support vectors span the data."""

    constant: float | None
    """Radians × nats; None where it depends on the path."""
    residual: Float64[Tensor, " dim"] | None
    """w̃ = lim v − ŵ ln t, within the span of the support vectors."""
    reason: str


def settling_constant(points: Float64[Tensor, "points dim"], margin: HardMargin) -> SettlingConstant:
    r"""Predicted limit of angle·ln t, :math:`\|\tilde w_\perp\|/\|\hat w\|`.

    On the support vectors :math:`e^{-x_n\cdot\tilde w} = \alpha_n`.

    w̃ minimises :math:`\sum_{n \in S} e^{-x_n \cdot \tilde w} + \hat w \cdot \tilde w` on the span of the
    support vectors, which holds for dependent support vectors too, where α is not unique.

    Naively: ``lstsq(x[support], -log(alpha[support]))``.

    Args:
        points: One row per labelled point.
        margin: Their hard-margin solution.

    Returns:
        The constant, or None with the reason: no separator, or support vectors that do not span the data.

    Example:
        >>> from linrep.theory.max_margin import hard_margin
        >>> x = torch.tensor([[1.0, 1.0], [1.0, -3.0]], dtype=torch.float64)
        >>> round(settling_constant(x, hard_margin(x)).constant, 4)
        0.2747

    References:
        Theory claim C2; Soudry et al. 2018.
    """
    if not margin.separable:
        return SettlingConstant(constant=None, residual=None, reason=margin.reason)
    rows = points[margin.support]
    spanned, all_of_it = int(torch.linalg.matrix_rank(rows)), int(torch.linalg.matrix_rank(points))
    if spanned < all_of_it:
        return SettlingConstant(
            constant=None,
            residual=None,
            reason=f"path-dependent: {len(rows)} support vectors span {spanned} of {all_of_it} dimensions",
        )
    _, values, vt = torch.linalg.svd(rows, full_matrices=False)
    basis = vt[values > 1e-12 * values[0]].T
    residual = basis @ _minimise(rows @ basis, basis.T @ margin.direction)
    along = margin.direction / margin.direction.norm()
    across = residual - (residual @ along) * along
    return SettlingConstant(
        constant=float(across.norm() / margin.direction.norm()),
        residual=residual,
        reason=f"{len(rows)} support vectors span all {all_of_it} dimensions",
    )


def _minimise(rows: Float64[Tensor, "support rank"], pull: Float64[Tensor, " rank"]) -> Tensor:
    """Newton with halving on Σ exp(−x·w) + pull·w, strictly convex because the rows span."""
    w = torch.zeros(rows.shape[1], dtype=torch.float64)
    value = _value(rows, pull, w)
    for _ in range(500):
        weights = torch.exp(-rows @ w)
        gradient = pull - weights @ rows
        if float(gradient.norm()) <= 1e-13 * float(pull.norm()):
            break
        newton = torch.linalg.lstsq(
            rows.T @ (weights[:, None] * rows), gradient[:, None], driver="gelsd"
        ).solution[:, 0]
        size = 1.0
        while size > 1e-12 and not _value(rows, pull, w - size * newton) <= value:
            size /= 2
        w = w - size * newton
        value = _value(rows, pull, w)
    return w


def _value(rows: Tensor, pull: Tensor, w: Tensor) -> float:
    return float(torch.exp(-rows @ w).sum() + pull @ w)
