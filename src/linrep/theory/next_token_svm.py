"""Claim C2 on the real thing: a trained run's embeddings held fixed, the max-margin unembeddings for them."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.certificate import Certificate
from linrep.theory.max_margin import HardMargin
from linrep.theory.quadratic import solve_quadratic


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


LARGEST_TABLE = 2**14
"""Most constraints (contexts × tokens) that the program takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokenMargin:
    """min ½‖G‖² with level logits on each support and unit margin off it; or none, said with its size."""

    solver_status: str
    exists: bool
    reason: str
    unembedding: Float64[Tensor, "tokens dim"]
    """Rows sum to zero; zeros where no hard margin exists."""
    violation: float
    """Largest breach of a margin or level, in margins."""
    certificate: Certificate
    """½‖G‖² and the dual value Σμ − slack·Σ|ν| − ½‖WᵀF‖² of the solver's multipliers."""


def next_token_margin(
    embedding: Float[Tensor, "contexts dim"],
    support: Bool[Tensor, "contexts tokens"],
    *,
    slack: float = 0.0,
) -> NextTokenMargin:
    r"""The next-token SVM for g: f(d)·(g(c) − g(c')) = 0 on a support, ≥ 1 across its border, least ‖G‖.

    A convex quadratic program with one level t_d per context. Trained embeddings meet the equalities only
    in the limit, so ``slack`` lets logits on a support lie within ± slack of their level, in margins.

    Naively: write every pair of tokens as a constraint and call a solver.

    Args:
        embedding: F, fixed.
        support: True where a token can follow a context.
        slack: Half-width of a level, ≥ 0, in units of the margin; 0 is the exact program.

    Returns:
        G, or ``exists=False`` with the reason; a solver that failed is in ``solver_status``.

    Raises:
        InputError: Before starting, if shapes differ, F is not finite or the program is too large, saying
            its size.

    Example:
        >>> found = next_token_margin(torch.eye(2).double(), torch.eye(2, dtype=torch.bool))
        >>> found.exists, [[round(x, 6) for x in row] for row in found.unembedding.tolist()]
        (True, [[0.5, -0.5], [-0.5, 0.5]])

    References:
        Theory claim C2; Thrampoulidis 2024.
    """
    contexts, tokens = support.shape
    size = f"{contexts} contexts × {tokens} tokens in {embedding.shape[1]} dimensions"
    if len(embedding) != contexts:
        raise InputError(f"embedding: expected {contexts} rows as the support has, got {len(embedding)}")
    if contexts * tokens > LARGEST_TABLE:
        raise InputError(f"support: expected at most {LARGEST_TABLE} entries, got {size}; use fewer contexts")
    if not bool(embedding.isfinite().all()) or slack < 0:
        raise InputError(
            f"embedding, slack: expected finite numbers and slack >= 0, got slack {slack}, {size}"
        )
    status, found, weights, charge = _solve(embedding.double(), support, slack)
    if found is None or weights is None:
        infeasible = "infeasible" in status
        return NextTokenMargin(
            solver_status=status,
            exists=False,
            reason=f"no hard margin for these embeddings: {size}"
            if infeasible
            else f"solver: {status} on {size}",
            unembedding=torch.zeros(tokens, embedding.shape[1], dtype=torch.float64),
            violation=float("inf"),
            certificate=Certificate(primal=float("inf"), dual=float("inf") if infeasible else 0.0),
        )
    centred = found - found.mean(0)
    dual = charge - 0.5 * float((weights.T @ embedding.double()).square().sum())
    return NextTokenMargin(
        solver_status=status,
        exists=True,
        reason=f"hard margin found for {size}",
        unembedding=centred,
        violation=_violation(embedding.double() @ centred.T, support, slack),
        certificate=Certificate(primal=0.5 * float(centred.square().sum()), dual=dual),
    )


def direction_cosine(a: Float[Tensor, "tokens dim"], b: Float[Tensor, "tokens dim"]) -> float:
    """Cosine between two unembeddings as whole directions, both centred over tokens.

    Naively: ``cosine_similarity((a - a.mean(0)).flatten(), (b - b.mean(0)).flatten(), 0)``.

    Args:
        a: One table.
        b: Another of the same shape.

    Returns:
        In [−1, 1]; invariant to positive scale and to one shift of all rows.

    Raises:
        InputError: If a centred table is zero or the shapes differ.

    Example:
        >>> direction_cosine(torch.eye(2), 3 * torch.eye(2) + 1)
        1.0

    References:
        Theory claim C2.
    """
    if a.shape != b.shape:
        raise InputError(f"tables: expected one shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    x, y = (a - a.mean(0)).double().flatten(), (b - b.mean(0)).double().flatten()
    if not (float(x.norm()) > 0 and float(y.norm()) > 0):
        raise InputError("tables: expected rows that differ, got one row repeated; train first")
    return float(x @ y / (x.norm() * y.norm()))


def _solve(
    embedding: Tensor, support: Tensor, slack: float
) -> tuple[str, Tensor | None, Tensor | None, float]:
    """Status, G, the multipliers W (rows sum to zero) and the linear part of the dual value."""
    cvxpy: Any = import_module("cvxpy")
    contexts, tokens = support.shape
    table: Any = cvxpy.Variable((tokens, embedding.shape[1]))
    level: Any = cvxpy.Variable((contexts, 1))
    gap: Any = embedding.numpy() @ table.T - level @ torch.ones(1, tokens, dtype=torch.float64).numpy()
    on, off = support.numpy().nonzero(), (~support).numpy().nonzero()
    constraints: list[Any] = [gap[on] <= slack, gap[on] >= -slack] if slack else [gap[on] == 0]
    constraints.append(gap[off] <= -1 - slack)
    problem: Any = cvxpy.Problem(cvxpy.Minimize(0.5 * cvxpy.sum_squares(table)), constraints)
    status = solve_quadratic(problem, tolerance=1e-10)
    if table.value is None or status not in ("optimal", "optimal_inaccurate"):
        return status, None, None, 0.0
    weights = torch.zeros(contexts, tokens, dtype=torch.float64)
    pushed = torch.from_numpy(constraints[-1].dual_value).clamp_min(0)
    weights[off] = pushed
    charge = (1 + slack) * float(pushed.sum())
    if slack:
        above, below = (torch.from_numpy(c.dual_value).clamp_min(0) for c in constraints[:2])
        weights[on] = above - below
        charge -= slack * float(above.sum() + below.sum())
    else:
        weights[on] = torch.from_numpy(constraints[0].dual_value)
    # Rows must sum to zero for the bound to hold; rounding is spread over the support at its price in slack.
    missing = weights.sum(1)
    weights = weights - support * (missing / support.sum(1))[:, None]
    charge -= slack * float(missing.abs().sum())
    return status, torch.from_numpy(table.value), weights, charge


def _violation(logits: Tensor, support: Tensor, slack: float) -> float:
    """Largest breach over contexts, each with the best level for its logits (within slack) and its rivals."""
    top = torch.where(support, logits, -torch.inf).amax(1)
    bottom = torch.where(support, logits, torch.inf).amin(1)
    rival = torch.where(support, -torch.inf, logits).amax(1)
    lowest = torch.maximum(top - slack, rival + 1 + slack)
    return max(0.0, float((lowest - bottom - slack).max()))
