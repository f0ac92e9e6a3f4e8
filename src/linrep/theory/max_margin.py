"""Hard-margin separation through the origin, with its certificate or the proof that there is none."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.quadratic import solve_quadratic

LARGEST_PROBLEM = 2**20
"""Most entries (points × dim) that the program takes."""
MET = 1e-6
"""Margins of 1 are met up to so much; points whose lengths differ by many powers of ten may miss it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardMargin:
    """min ½‖w‖² with x_n·w ≥ 1, points folded with their labels; or no separator, with the proof."""

    solver_status: str
    separable: bool
    """Whether no convex combination of the points was found that vanishes."""
    reason: str
    """One sentence with the size of the problem."""
    direction: Float64[Tensor, " dim"]
    """ŵ; zeros when not separable."""
    duals: Float64[Tensor, " points"]
    """α ≥ 0 with ŵ = Σ α_n x_n; when not separable, α ≥ 0 of sum 1 with Σ α_n x_n = 0."""
    support: Bool[Tensor, " points"]
    """Points with α_n > 0."""
    margin: float
    """1/‖ŵ‖: distance from the hull of the points to the origin; 0 when not separable."""
    stationarity: float
    """‖ŵ − Σ α_n x_n‖/‖ŵ‖, or ‖Σ α_n x_n‖/max‖x_n‖ for the proof that none exists."""
    violation: float
    """Largest 1 − x_n·ŵ, at least 0."""
    complementarity: float
    """Largest |α_n (x_n·ŵ − 1)| over Σα."""


def hard_margin(points: Float64[Tensor, "points dim"]) -> HardMargin:
    r"""The max-margin separator ŵ of label-folded points x_n = y_n z_n, no offset.

    Solves for the point of the points' convex hull nearest to the origin: :math:`\min \|\sum_n \lambda_n
    x_n\|`, λ ≥ 0 of sum 1. That always has an answer p; ŵ = p/‖p‖² and α = λ/‖p‖² when p ≠ 0, and λ itself
    proves that no separator exists when p = 0. Support vectors are then polished by solving their
    equations.

    Naively: ``SVC(kernel="linear", C=inf).fit(z, y)`` without intercept.

    Args:
        points: One row per labelled point, y_n z_n.

    Returns:
        ŵ with support vectors, duals and KKT residuals, or ``separable=False``.

    Raises:
        InputError: Before starting, if the problem is empty, not finite or too large, saying its size.

    Example:
        >>> found = hard_margin(torch.tensor([[1.0, 1.0], [1.0, -1.0], [5.0, 0.0]], dtype=torch.float64))
        >>> [round(x, 6) for x in found.direction.tolist()], found.support.tolist()
        ([1.0, 0.0], [True, True, False])

    References:
        Theory claim C2; Soudry et al. 2018.
    """
    count, dim = points.shape
    size = f"{count} points in {dim} dimensions"
    if not count or not dim or count * dim > LARGEST_PROBLEM:
        raise InputError(f"points: expected 1 to {LARGEST_PROBLEM} entries, got {size}; use fewer")
    if not bool(points.isfinite().all()):
        raise InputError(f"points: expected finite numbers, got NaN or infinity among {size}")
    scale = float(points.norm(dim=1).max())
    status, weights = (
        _nearest_in_hull(points / scale) if scale > 0 else ("closed form", torch.ones(count) / count)
    )
    weights = weights.double()
    nearest = weights @ points
    distance = float(nearest.norm())
    if not distance > 1e-6 * scale:
        return HardMargin(
            solver_status=status,
            separable=False,
            reason=f"no hard margin: a convex combination of the {size} vanishes",
            direction=torch.zeros(dim, dtype=torch.float64),
            duals=weights,
            support=weights > 1e-7,
            margin=0.0,
            stationarity=distance / scale if scale > 0 else 0.0,
            violation=1.0,
            complementarity=0.0,
        )
    duals = _polished(points, weights / distance**2)
    direction = duals @ points
    reached = points @ direction
    violation = max(0.0, float((1 - reached).max()))
    found = f"hard margin found for {size}"
    if violation > MET:
        found = f"no hard margin found for {size}: the nearest misses a margin of 1 by {violation:.2g}"
    return HardMargin(
        solver_status=status,
        separable=True,
        reason=found,
        direction=direction,
        duals=duals,
        support=duals > 1e-7 * duals.max(),
        margin=1 / float(direction.norm()),
        stationarity=float((direction - duals @ points).norm() / direction.norm()),
        violation=violation,
        complementarity=float((duals * (reached - 1)).abs().max() / duals.sum()),
    )


def _nearest_in_hull(points: Float64[Tensor, "points dim"]) -> tuple[str, Tensor]:
    cvxpy: Any = import_module("cvxpy")
    weights: Any = cvxpy.Variable(len(points), nonneg=True)
    problem: Any = cvxpy.Problem(
        cvxpy.Minimize(cvxpy.sum_squares(points.numpy().T @ weights)), [cvxpy.sum(weights) == 1]
    )
    status = solve_quadratic(problem, tolerance=1e-12)
    if weights.value is None:
        return status, torch.full((len(points),), torch.nan)
    found = torch.from_numpy(weights.value).clamp_min(0)
    return status, found / found.sum()


def _polished(points: Float64[Tensor, "points dim"], duals: Float64[Tensor, " points"]) -> Tensor:
    """Duals that meet x_n·Σαx = 1 on the support to rounding, if the guess of the support is right."""
    for share in (1e-4, 1e-5, 1e-6, 1e-7, 1e-3):
        chosen = duals > share * duals.max()
        rows = points[chosen]
        ones = torch.ones(len(rows), 1, dtype=torch.float64)
        # A nearly right start keeps non-unique duals (dependent support vectors) where the solver put them.
        start = duals[chosen]
        step = torch.linalg.lstsq(
            rows @ rows.T, ones - rows @ (start @ rows)[:, None], driver="gelsd"
        ).solution
        better = torch.zeros_like(duals)
        better[chosen] = start + step[:, 0]
        reached = points @ (better @ points)
        if bool((better >= 0).all()) and bool((reached >= 1 - 1e-9).all()):
            return better
    return duals
