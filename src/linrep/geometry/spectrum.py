"""Energy by degree on a complete grid of codes: the Walsh spectrum of g, the ANOVA of f."""

from collections.abc import Sequence
from functools import cache
from math import prod

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.errors import InputError, counted
from linrep.geometry.moments import CHUNK


def energy_by_degree(
    table: Float[Tensor, "runs rows dim"], levels: Sequence[int]
) -> Float64[Tensor, "runs degrees"]:
    r"""How much of a table's energy needs the interaction of 0, 1, 2, … concepts.

    On {0,1}^m the Walsh spectrum, :math:`E_k = \sum_{|S|=k} \|2^{-m}\sum_c \chi_S(c) g(c)\|^2`; on any
    other grid the functional ANOVA under the uniform measure, of which Walsh is the case of two levels.

    Naively: ``[sum(((chi[S][:, None] * x).mean(0) ** 2).sum() for S in subsets(k)) for k in degrees]``.

    Args:
        table: One row per cell of the grid, row-major, concept 0 most significant.
        levels: Digits per concept: 2 for tokens, 3 for contexts that may leave it unknown.

    Returns:
        Mean squared norm per row, by degree 0..m: together the mean of the squared row norms. Degree
        0 is the constant. Invariant to rotation and to relabelling the digits of a concept.

    Raises:
        InputError: If the number of rows is not the product of the levels.

    Example:
        >>> energy_by_degree(torch.tensor([[[0.0], [0.0], [0.0], [4.0]]]), (2, 2)).round(decimals=6)
        tensor([[1., 2., 1.]], dtype=torch.float64)

    References:
        docs/theory, section 2, "Walsh spectrum".
    """
    runs, rows, _ = table.shape
    if rows != prod(levels):
        raise InputError(
            f"table: expected {counted(prod(levels))} rows (the complete grid), got {rows}; complete it"
        )
    degree = _degrees(levels, table.device)
    energy = torch.zeros(runs, len(levels) + 1, dtype=torch.float64, device=table.device)
    # Columns do not mix: a few at a time keep the working copies small at m = 12.
    for part in table.split(max(2 * CHUNK // (runs * rows), 1), dim=-1):
        square = _orthonormal(part.to(torch.float64), levels).square().sum(-1)
        energy.index_add_(1, degree, square)
    return energy / rows


def _orthonormal(x: Float64[Tensor, "runs rows columns"], levels: Sequence[int]) -> Tensor:
    """The table in the product of one orthonormal basis per concept, whose first vector is constant."""
    runs, rows, columns = x.shape
    after = rows
    before = runs
    for level in levels:
        after //= level
        basis = _helmert(level, x.device)
        x = torch.matmul(basis, x.reshape(before, level, after * columns))
        before *= level
    return x.reshape(runs, rows, columns)


@cache
def _helmert(level: int, device: torch.device) -> Float64[Tensor, "level level"]:
    """Rows: the constant, then the contrasts of each digit with the mean of those before it; orthonormal."""
    i, j = torch.meshgrid(torch.arange(level), torch.arange(level), indexing="ij")
    contrast = torch.where(j < i, 1.0, torch.where(j == i, -i.to(torch.float64), 0.0)).to(torch.float64)
    contrast[0] = 1
    return torch.nn.functional.normalize(contrast, dim=1).to(device)


def _degrees(levels: Sequence[int], device: torch.device) -> Tensor:
    """How many digits of each cell are not 0: the degree of its basis function."""
    degree = torch.zeros(1, dtype=torch.int64, device=device)
    for level in levels:
        degree = (degree[:, None] + (torch.arange(level, device=device) > 0)).flatten()
    return degree
