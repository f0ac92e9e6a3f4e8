"""How additive a table is: the share of its variation that single concepts account for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from linrep.errors import InputError, counted
from linrep.geometry.moments import chunk
from linrep.linalg import centre


def gauge_imbalance(
    embedding: Float[Tensor, "runs contexts dim"], unembedding: Float[Tensor, "runs tokens dim"]
) -> Float64[Tensor, " runs"]:
    r"""Distance from the balanced gauge, :math:`\|F^TF - G^TG\|_F / (\|F^TF\|_F + \|G^TG\|_F)`, G centred.

    G is centred by its plain mean over tokens, because softmax does not see one shift of all g; F is not,
    because it does see a shift of all f.

    Naively: ``(F.T @ F - G.T @ G).norm() / ((F.T @ F).norm() + (G.T @ G).norm())``.

    Returns:
        In [0, 1]; 0 iff balanced, 1 if just one table is zero, 0 if both are. Invariant to one rotation
        and one scale of both tables, not to (F A, G A^{-T}).

    Example:
        >>> gauge_imbalance(torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]]))
        tensor([0.4142], dtype=torch.float64)

    References:
        docs/theory, section 2 "Gauge" and claim C5.
    """
    f, g = embedding.to(torch.float64), centre(unembedding.to(torch.float64))
    ff, gg = f.mT @ f, g.mT @ g
    scale = torch.linalg.matrix_norm(ff) + torch.linalg.matrix_norm(gg)
    distance = torch.linalg.matrix_norm(ff - gg)
    return torch.where(scale > 0, distance / scale, 0.0)


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
    degree = _degrees(tuple(levels), table.device)
    energy = torch.zeros(runs, len(levels) + 1, dtype=torch.float64, device=table.device)
    # Columns do not mix: a few at a time keep the working copies small at m = 12.
    few = max(2 * chunk(table.device) // (runs * rows), 1)
    for part in table.split(few, dim=-1) if few < table.shape[-1] else (table,):
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


@cache
def _degrees(levels: tuple[int, ...], device: torch.device) -> Tensor:
    """How many digits of each cell are not 0: the degree of its basis function."""
    degree = torch.zeros(1, dtype=torch.int64, device=device)
    for level in levels:
        degree = (degree[:, None] + (torch.arange(level, device=device) > 0)).flatten()
    return degree


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveShare:
    """The additive share of each run's table, and how it was found.

    Example:
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> additive_share(codes.double()[None], codes, (2, 2)).method
        'walsh'
    """

    share: Float64[Tensor, " runs"]
    """Between 0 and 1; NaN where the table does not vary."""
    method: Literal["walsh", "anova", "least squares"]
    """Walsh and ANOVA on complete grids (of two, of more levels), least squares on incomplete ones."""
    energy: Float64[Tensor, "runs degrees"] | None
    """Mean squared norm by degree 0..m (`energy_by_degree`); None on incomplete grids, where degrees mix."""
    rows: int
    """How many codes the table has."""
    parameters: int
    """How many it fits, the constant included: a share of 1 says nothing unless rows exceed it."""


def additive_share(
    table: Float[Tensor, "runs rows dim"], codes: Int[Tensor, "rows concepts"], levels: Sequence[int]
) -> AdditiveShare:
    r"""Share of the table's variation explained by a sum of one vector per concept and digit.

    On a complete grid it is the degree-1 share of the non-constant energy; otherwise the R² of least squares
    of the rows on [1, 1{digit_i = a}] (binary tokens: on [1, c_i]). Where both exist they agree.

    Naively: ``1 - ((x - D @ lstsq(D, x))**2).sum() / ((x - x.mean(0))**2).sum()``.

    Args:
        table: Representations of the codes, for each run.
        codes: The digits of each row, in any order, no row twice; shared by the runs.
        levels: Digits per concept: ``sizes`` for tokens, one more for contexts that may leave it unknown.

    Returns:
        The share, 1 iff the table is exactly additive; invariant to rotation, shift and scale.

    Raises:
        InputError: If codes are outside their levels.

    Example:
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> additive_share(torch.tensor([[[0.0], [1.0], [2.0], [3.0]]]), codes, (2, 2)).share
        tensor([1.], dtype=torch.float64)

    References:
        docs/theory, section 2, "Walsh spectrum".
    """
    return additive_share_on(table, grid(codes, levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Codes as a grid of digits, looked through once.

    Example:
        >>> grid(torch.tensor([[0], [1]]), [2]).complete
        True
    """

    codes: Int[Tensor, "rows concepts"]
    levels: tuple[int, ...]
    complete: bool
    """Whether every combination of digits is there, once."""
    order: Int64[Tensor, " rows"] | None
    """Of the rows, row-major; None where they stand in it."""
    design: Float64[Tensor, "rows columns"] | None
    """Of least squares: a constant, and an indicator of each digit but the last; None where complete."""
    basis: Float64[Tensor, "columns parameters"] | None
    """The design times this has orthonormal columns; None where complete."""

    def to(self, device: torch.device | str) -> "Grid":
        """The same grid on another device."""
        order, design, basis = (
            None if each is None else each.to(device) for each in (self.order, self.design, self.basis)
        )
        return replace(self, codes=self.codes.to(device), order=order, design=design, basis=basis)


def grid(codes: Int[Tensor, "rows concepts"], levels: Sequence[int]) -> Grid:
    """Look through codes before tables of them are measured, maybe many times.

    Raises:
        InputError: If codes are outside their levels.

    Example:
        >>> grid(torch.tensor([[1], [0]]), [2]).order
        tensor([1, 0])
    """
    if bool(((codes < 0) | (codes >= torch.tensor(levels, device=codes.device))).any()):
        raise InputError(
            f"codes: expected digits below the levels {tuple(levels)}, got others; check the levels"
        )
    flat = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
    for concept, level in enumerate(levels):
        flat = flat * level + codes[:, concept]
    order = torch.argsort(flat)
    rows = torch.arange(len(codes), device=codes.device)
    complete = len(codes) == prod(levels) and torch.equal(flat[order], rows)
    design, basis = (None, None) if complete else _fitting(codes, levels)
    return Grid(
        codes=codes,
        levels=tuple(levels),
        complete=complete,
        order=None if torch.equal(order, rows) else order,
        design=design,
        basis=basis,
    )


def additive_share_on(table: Float[Tensor, "runs rows dim"], of: Grid) -> AdditiveShare:
    """:func:`additive_share` of codes that :func:`grid` has looked through.

    Example:
        >>> additive_share_on(torch.tensor([[[0.0], [1.0]]]), grid(torch.tensor([[0], [1]]), [2])).share
        tensor([1.], dtype=torch.float64)
    """
    if of.complete:
        energy = energy_by_degree(
            table if of.order is None else table[:, of.order.to(table.device)], of.levels
        )
        varying = energy[:, 1:].sum(1)
        return AdditiveShare(
            share=_ratio(energy[:, 1], varying, energy.sum(1)),
            method="walsh" if set(of.levels) == {2} else "anova",
            energy=energy,
            rows=len(of.codes),
            parameters=1 + sum(level - 1 for level in of.levels),
        )
    assert of.design is not None, "an incomplete grid is fitted"
    assert of.basis is not None, "an incomplete grid is fitted"
    return AdditiveShare(
        share=_explained(table, of.design.to(table.device), of.basis.to(table.device)),
        method="least squares",
        energy=None,
        rows=len(of.codes),
        parameters=of.basis.shape[1],
    )


def _fitting(codes: Tensor, levels: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The design of least squares, and what makes its columns orthonormal, by the normal equations.

    These are small and exactly integer.
    """
    columns = [torch.ones(len(codes), dtype=torch.float64, device=codes.device)]
    for concept, level in enumerate(levels):
        columns += [(codes[:, concept] == digit).to(torch.float64) for digit in range(level - 1)]
    design = torch.stack(columns, 1)
    values, vectors = torch.linalg.eigh(design.mT @ design)
    keep = values > 1e-10 * values[-1].clamp(min=1)
    return design, vectors[:, keep] * values[keep].rsqrt()


def _explained(table: Tensor, design: Tensor, basis: Tensor) -> Float64[Tensor, " runs"]:
    """R² per run: run by run, or on a card many at once, where calls would take the time."""
    _, rows, dim = table.shape
    together = max(1, chunk(table.device) // max(rows * dim, 1))
    parts = table.unbind() if table.device.type == "cpu" else table.split(together)
    return torch.cat([_explained_of(part, design, basis).reshape(-1) for part in parts])


def _explained_of(
    table: Float[Tensor, "*runs rows dim"], design: Tensor, basis: Tensor
) -> Float64[Tensor, "*runs"]:
    exact = table.to(torch.float64)
    centred = exact - exact.mean(-2, keepdim=True)
    explained = (basis.mT @ (design.mT @ centred)).square().sum((-2, -1))
    return _ratio(explained, centred.square().sum((-2, -1)), exact.square().sum((-2, -1)))


def _ratio(part: Tensor, varying: Tensor, total: Tensor) -> Tensor:
    """Part / varying in [0, 1]; NaN where the variation is no more than rounding of the whole."""
    return torch.where(varying > 1e-28 * total, (part / varying).clamp(0, 1), torch.nan)
