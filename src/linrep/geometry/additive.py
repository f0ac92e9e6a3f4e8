"""How additive a table is: the share of its variation that single concepts account for."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry.spectrum import energy_by_degree


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditiveShare:
    """The additive share of each run's table, and how it was found."""

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
    limits = torch.tensor(levels, device=codes.device)
    if bool(((codes < 0) | (codes >= limits)).any()):
        raise InputError(
            f"codes: expected digits below the levels {tuple(levels)}, got others; check the levels"
        )
    flat = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
    for concept, level in enumerate(levels):
        flat = flat * level + codes[:, concept]
    order = torch.argsort(flat)
    parameters = 1 + sum(level - 1 for level in levels)
    if len(codes) == prod(levels) and bool(
        (flat[order] == torch.arange(len(codes), device=codes.device)).all()
    ):
        in_order = bool((order[1:] > order[:-1]).all())
        energy = energy_by_degree(table if in_order else table[:, order.to(table.device)], levels)
        varying = energy[:, 1:].sum(1)
        method = "walsh" if set(levels) == {2} else "anova"
        return AdditiveShare(
            share=_ratio(energy[:, 1], varying, energy.sum(1)),
            method=method,
            energy=energy,
            rows=len(codes),
            parameters=parameters,
        )
    share, rank = _least_squares(table, codes.to(table.device), levels)
    return AdditiveShare(share=share, method="least squares", energy=None, rows=len(codes), parameters=rank)


def _least_squares(table: Tensor, codes: Tensor, levels: Sequence[int]) -> tuple[Tensor, int]:
    """R² per run and the rank of the design, by its (small, exactly integer) normal equations."""
    columns = [torch.ones(len(codes), dtype=torch.float64, device=codes.device)]
    for concept, level in enumerate(levels):
        columns += [(codes[:, concept] == digit).to(torch.float64) for digit in range(level - 1)]
    design = torch.stack(columns, 1)
    values, vectors = torch.linalg.eigh(design.mT @ design)
    keep = values > 1e-10 * values[-1].clamp(min=1)
    basis = vectors[:, keep] * values[keep].rsqrt()
    shares: list[Tensor] = []
    for rows in table:
        exact = rows.to(torch.float64)
        centred = exact - exact.mean(0)
        explained = (basis.mT @ (design.mT @ centred)).square().sum()
        shares.append(_ratio(explained, centred.square().sum(), exact.square().sum()))
    return torch.stack(shares), int(keep.sum())


def _ratio(part: Tensor, varying: Tensor, total: Tensor) -> Tensor:
    """Part / varying in [0, 1]; NaN where the variation is no more than rounding of the whole."""
    return torch.where(varying > 1e-28 * total, (part / varying).clamp(0, 1), torch.nan)
