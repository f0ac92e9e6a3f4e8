r"""Sharpness: the largest eigenvalue of the loss's Hessian, and the step up to which descent is stable.

A step :math:`\eta` of gradient descent lowers the loss to second order while
:math:`\eta < 2/\lambda_{\max}`. Descent at a step beyond that does not fly apart: it is driven to where the
loss is just flat enough for it, so that *there* :math:`2/\lambda_{\max} \approx \eta`, whatever the step.
What a step should have been is read off along a descent that never rises.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.population.gradient import Method, Population
from linrep.population.residuals import Residuals
from linrep.training.monotone import Monotone
from linrep.training.state import State

LANCZOS = 24
"""Products with the Hessian behind one eigenvalue: three digits of the largest, or more."""
APART = 1.15
"""Looks of :func:`stable_step` follow one another in this ratio: sharpness grows slower than time."""
MOST_STEPS = 2000
"""Of :func:`stable_step`."""

Tables = tuple[Float64[Tensor, "runs contexts dim"], Float64[Tensor, "runs tokens dim"]]


def hessian_product(residuals: Residuals, tables: Tables, direction: Tables) -> Tables:
    r"""The Hessian of the population loss at F and G times a direction, exact.

    With :math:`R = \omega(\hat p - p)` and :math:`dL = dF\,G^\top + F\,dG^\top`:
    :math:`dR = \omega\,\hat p\,(dL - \langle dL\rangle_{\hat p})`, and the product is
    :math:`(dR\,G + R\,dG,\; dR^\top F + R^\top dF)`.

    Naively: ``torch.autograd.functional.hvp(loss, (F, G), (dF, dG))``.

    Args:
        residuals: Of the population, of this rank's contexts.
        tables: F and G.
        direction: dF and dG.

    Example:
        >>> import linrep
        >>> residuals = Residuals(linrep.Population.of([linrep.world(linrep.load_network("cancer"))]))
        >>> at = torch.zeros(1, 243, 2).double(), torch.zeros(1, 32, 2).double()
        >>> hessian_product(residuals, at, at)[1].shape
        torch.Size([1, 32, 2])
    """
    (f, g), (df, dg) = tables, direction
    found_f, found_g = torch.empty_like(f), torch.zeros_like(g)
    for block in residuals.blocks(f, g):
        rows, weights = block.rows, block.weights.unsqueeze(-1)
        predicted, residual = block.residual + block.target, weights * block.residual
        moved = df[:, rows] @ g.mT + f[:, rows] @ dg.mT
        moved = weights * predicted * (moved - (predicted * moved).sum(-1, keepdim=True))
        found_f[:, rows] = moved @ g + residual @ dg
        found_g += moved.mT @ f[:, rows] + residual.mT @ df[:, rows]
    return found_f, residuals.population.shard.team.total(found_g)


def sharpness(residuals: Residuals, tables: Tables, products: int = LANCZOS) -> Float64[Tensor, " runs"]:
    r"""The largest eigenvalue :math:`\lambda_{\max}` of the loss's Hessian with respect to both tables.

    Lanczos, three terms a step: what it loses without a basis kept are repeats of eigenvalues it has. Unlike
    the power method it does not mind that the Hessian has negative ones as large, as at a small start.

    Naively: ``torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, theta))[-1]``.

    Args:
        residuals: Of the population, of this rank's contexts.
        tables: F and G.
        products: With the Hessian; one gradient's cost or two each.

    Returns:
        In nats for a squared unit of the tables; a lower bound that is tight to three digits.

    Example:
        >>> import linrep
        >>> residuals = Residuals(linrep.Population.of([linrep.world(linrep.load_network("cancer"))]))
        >>> draw = torch.Generator().manual_seed(0)
        >>> f, g = (torch.randn(1, rows, 2, generator=draw).double() for rows in (243, 32))
        >>> bool(2 / sharpness(residuals, (f, g)) > 1)
        True

    References:
        Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, 2021.
    """
    team = residuals.population.shard.team

    def inner(one: Tables, other: Tables) -> Tensor:
        on_f, on_g = ((a * b).sum((1, 2), keepdim=True) for a, b in zip(one, other, strict=True))
        return team.total(on_f) + on_g

    def combined(one: Tables, scale: Tensor, other: Tables) -> Tables:
        return one[0] + scale * other[0], one[1] + scale * other[1]

    start = (_ripple(tables[0]), _ripple(tables[1]))
    size = inner(start, start).sqrt()
    before, now = (torch.zeros_like(start[0]), torch.zeros_like(start[1])), (start[0] / size, start[1] / size)
    diagonal: list[Tensor] = []
    beside = [torch.zeros_like(size)]
    for _ in range(products):
        moved = combined(hessian_product(residuals, tables, now), -beside[-1], before)
        diagonal.append(inner(moved, now))
        moved = combined(moved, -diagonal[-1], now)
        beside.append(inner(moved, moved).sqrt())
        size = beside[-1].clamp_min(torch.finfo(size.dtype).tiny)
        before, now = now, (moved[0] / size, moved[1] / size)
    main, off = torch.stack(diagonal, -1).flatten(1), torch.stack(beside[1:-1], -1).flatten(1)
    small = torch.diag_embed(main) + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    return torch.linalg.eigvalsh(small)[:, -1]


@dataclass(frozen=True, slots=True, kw_only=True)
class StableStep:
    """The largest fixed step under which no run's loss would have risen."""

    size: float
    r"""The least :math:`2/\lambda_{\max}` of all runs along a descent that never rises."""
    followed: bool
    """For as long as so many such steps would have taken it; else the size is an upper bound."""


def stable_step(population: Population, state: State, steps: int, method: Method = "auto") -> StableStep:
    r"""Follow a descent that never rises for as long as fixed steps would have gone, and find its sharpest.

    Args:
        population: The batch of runs.
        state: A fresh start of tables, with the numbers of :meth:`Monotone.fresh`; changed.
        steps: How many the fixed ones were.
        method: Form of the gradient.
    """
    residuals = Residuals(population)
    descent = Monotone(population, state, method)
    looks = {round(APART**power) for power in range(1 + math.ceil(math.log(MOST_STEPS, APART)))}
    size, followed = math.inf, False
    while not followed and state.step < MOST_STEPS:
        descent.step()
        if state.step in looks or state.step == MOST_STEPS:
            tables = state.embedding.double(), state.unembedding.double()
            size = min(size, float(2 / sharpness(residuals, tables).max()))
            followed = float(state.adaptive["time"].min()) >= steps * size
    return StableStep(size=size, followed=followed)


def _ripple(table: Tensor) -> Tensor:
    """Numbers that no direction of a table is orthogonal to."""
    numbers = torch.arange(table[0].numel(), dtype=table.dtype, device=table.device)
    return torch.cos(numbers).view(table.shape[1:]).expand(table.shape)
