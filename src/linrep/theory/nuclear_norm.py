"""The infinite-time limit of any small world from its supports: least nuclear norm, certified."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.progress import stage
from linrep.theory.certificate import Certificate
from linrep.theory.factors import balanced_factors

LARGEST_TABLE = 2**17
"""Most entries (contexts × tokens) that the program takes: seconds at a tenth of it, minutes at all of it."""
LARGEST_CHAIN = 2**20
"""Most entries of a table whose chains of supports are searched: seconds."""
MOST_ITERATIONS = 5_000
CHECK_EVERY = 20
MOST_INTERSECTIONS = 2**17
GAP = 1e-8
"""Relative gap at which the iteration stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NuclearNormLimit:
    """A feasible table close to the optimum, its balanced factors and what is proven about it."""

    solver_status: str
    """"converged", or how far it came."""
    logits: Float64[Tensor, "contexts tokens"]
    """L at unit margin, rows summing to zero; the logits of the limit diverge along it."""
    embedding: Float64[Tensor, "contexts rank"]
    unembedding: Float64[Tensor, "tokens rank"]
    singular_values: Float64[Tensor, " rank"]
    """Non-zero singular values, descending."""
    certificate: Certificate

    @property
    def rank(self) -> int:
        """Number of non-zero singular values: the width that reaches the limit."""
        return len(self.singular_values)

    @property
    def objective(self) -> float:
        """The nuclear norm of the feasible table."""
        return self.certificate.primal


def nuclear_norm_limit(
    support: Bool[Tensor, "contexts tokens"], *, gap: float = GAP, most_iterations: int = MOST_ITERATIONS
) -> NuclearNormLimit:
    r"""Min ‖L‖_* with L(d,c) = L(d,c') on the support of d and L(d,c) − L(d,c') ≥ 1 across its border.

    Alternating directions: singular values are shrunk, rows are projected onto their margins in closed
    form. The scaled multiplier of the projection is a non-negative μ off the support with rows that sum to
    zero by construction, so Σμ/‖W‖_op is a lower bound at every step; the centred projection is a feasible
    point.

    Naively: hand both constraints to a semidefinite solver, side contexts + tokens.

    Args:
        support: True where a token can follow a context; incomplete contexts or tokens and unequal rows are
            welcome.
        gap: Relative gap to stop at.
        most_iterations: Where to give up; the status then says so and the certificate stays valid.

    Returns:
        The limit; depends on supports only, not on probabilities.

    Raises:
        InputError: Before starting, if the table is too large (saying its size), a row is empty, or no row
            excludes a token.

    Example:
        >>> limit = nuclear_norm_limit(torch.eye(3, dtype=torch.bool))
        >>> round(limit.objective, 6), limit.rank
        (2.0, 2)

    References:
        Theory claim C6, "General worlds"; Thrampoulidis 2024; Zhao et al. 2024.
    """
    _check(support, LARGEST_TABLE)
    projected = _project(torch.zeros(support.shape, dtype=torch.float64), support)
    scaled = torch.zeros_like(projected)
    threshold = 0.1 * float(torch.linalg.matrix_norm(_centred(projected), 2))
    best, bound, table, steps = math.inf, 0.0, _centred(projected), 0
    with stage("limit of the supports") as advance:
        for steps in range(1, most_iterations + 1):
            shrunk = _shrink(projected - scaled, threshold)
            relaxed = 1.6 * shrunk - 0.6 * projected
            before, projected = projected, _project(relaxed + scaled, support)
            scaled = scaled + relaxed - projected
            if steps % CHECK_EVERY:
                continue
            value, table_now = _nuclear_norm(_centred(projected)), _centred(projected)
            if value < best:
                best, table = value, table_now
            bound = max(bound, _lower_bound(scaled, support))
            if best - bound <= gap * best:
                break
            advance(*_tenths(best, bound, gap), f"gap {1 - bound / best:.0e}")
            if steps % 100 == 0 and steps < 2000:
                factor = _balance(float((shrunk - projected).norm()), float((projected - before).norm()))
                threshold, scaled = threshold * factor, scaled * factor
    converged = best - bound <= gap * best
    embedding, unembedding, values = balanced_factors(table, tolerance=1e-6)
    return NuclearNormLimit(
        solver_status="converged" if converged else f"stopped after {steps} iterations",
        logits=table,
        embedding=embedding,
        unembedding=unembedding,
        singular_values=values,
        certificate=Certificate(primal=best, dual=bound),
    )


def _tenths(best: float, bound: float, gap: float) -> tuple[int, int]:
    """Tenths of decimals that the gap has closed by, and of those that it is to: it closes about evenly."""
    return round(-10 * math.log10(max(1 - bound / best, gap))), round(-10 * math.log10(gap))


def least_dimension(support: Bool[Tensor, "contexts tokens"]) -> int:
    """Length of the longest chain of supports that exclude a token: no table of lower rank is feasible.

    With equal logits on a support and a margin across its border, each support of a chain is an exposed face
    of the next, so the unembeddings of each span a dimension more. What two supports share is such a face too
    (the sum of their embeddings exposes it), so intersections count while they are few. A lower bound only: a
    larger rank may be needed.

    It bounds the rank of the margin program, not the width of zero excess loss, where logits on a support
    need only settle while others diverge: contexts {a}, {a, b}, {c} make a chain of two, and if p(b) < p(a)
    one dimension approaches zero, with g(a) − g(b) → 0. For that see
    :func:`linrep.theory.width.least_excess`.

    Naively: ``max(len(chain) for chain in chains(set(map(tuple, support))))``.

    Args:
        support: True where a token can follow a context.

    Returns:
        A lower bound on the rank of a table that :func:`nuclear_norm_limit` could return.

    Raises:
        InputError: If the table is too large or a row is empty.

    Example:
        >>> least_dimension(torch.tensor([[True, False, False], [True, True, False], [True, True, True]]))
        2

    References:
        Theory claim C6: "k < m cannot separate all supports", here with its reason.
    """
    _check(support, LARGEST_CHAIN)
    rows = _intersections(torch.unique(support[~support.all(1)], dim=0))
    rows = rows[rows.sum(1).argsort()].double()
    sizes = rows.sum(1)
    length = torch.ones(len(rows), dtype=torch.int64)
    for size in sizes.unique().tolist():
        here, smaller = sizes == size, sizes < size
        inside = (rows[here] @ rows[smaller].T) == sizes[smaller]
        if inside.numel():
            length[here] = 1 + torch.where(inside, length[smaller], 0).amax(1)
    return int(length.max())


def _intersections(rows: Bool[Tensor, "sets tokens"]) -> Bool[Tensor, "closed tokens"]:
    """The sets and their non-empty intersections; the sets alone where that would be long."""
    known = rows
    while len(known) * len(rows) <= MOST_INTERSECTIONS:
        met = (known[:, None] & rows).flatten(0, 1)
        closed = torch.unique(torch.cat([known, met[met.any(1)]]), dim=0)
        if len(closed) == len(known):
            break
        known = closed
    return known


def _check(support: Bool[Tensor, "contexts tokens"], largest: int) -> None:
    contexts, tokens = support.shape
    if contexts * tokens > largest:
        raise InputError(
            f"support: expected at most {largest} entries, got {contexts} contexts "
            f"× {tokens} tokens = {contexts * tokens}; use fewer contexts or tokens"
        )
    if not bool(support.any(1).all()):
        row = int((~support.any(1)).nonzero()[0])
        raise InputError(
            f"support: expected a token for every context, got none for row {row}; drop impossible contexts"
        )
    if bool(support.all()):
        raise InputError(
            "support: expected a context that excludes a token, got none; there is no margin to predict"
        )


def _centred(table: Float64[Tensor, "contexts tokens"]) -> Float64[Tensor, "contexts tokens"]:
    return table - table.mean(1, keepdim=True)


def _nuclear_norm(table: Float64[Tensor, "contexts tokens"]) -> float:
    return float(torch.linalg.svdvals(table).sum())


def _project(
    table: Float64[Tensor, "contexts tokens"], support: Bool[Tensor, "contexts tokens"]
) -> Float64[Tensor, "contexts tokens"]:
    """Nearest rows equal to a level t on the support and at most t − 1 off it; t by sorting the offenders."""
    count = support.sum(1)
    level = torch.where(support, table, 0.0).sum(1) / count
    above = torch.where(support, -torch.inf, table + 1).sort(1, descending=True).values
    summed = torch.where(above.isinf(), 0.0, above).cumsum(1)
    ranks = torch.arange(1, table.shape[1] + 1, dtype=table.dtype)
    levels = ((count * level)[:, None] + summed) / (count[:, None] + ranks)
    offenders = (above > levels).sum(1)
    moved = levels.gather(1, (offenders - 1).clamp_min(0)[:, None])[:, 0]
    level = torch.where(offenders > 0, moved, level)[:, None]
    return torch.where(support, level, torch.minimum(table, level - 1))


def _shrink(
    table: Float64[Tensor, "contexts tokens"], threshold: float
) -> Float64[Tensor, "contexts tokens"]:
    """Singular values minus the threshold, floored at zero, through the smaller Gram matrix."""
    if table.shape[0] < table.shape[1]:
        return _shrink(table.T, threshold).T
    squares, vectors = torch.linalg.eigh(table.T @ table)
    values = squares.clamp_min(0).sqrt()
    kept = torch.where(values > threshold, 1 - threshold / values.clamp_min(1e-300), 0.0)
    return table @ ((vectors * kept) @ vectors.T)


def _lower_bound(
    multiplier: Float64[Tensor, "contexts tokens"], support: Bool[Tensor, "contexts tokens"]
) -> float:
    """Σμ/‖W‖_op with μ clipped at zero off the support and rows of W made to sum to zero exactly."""
    pressed = torch.where(support, 0.0, multiplier).clamp_min(0)
    on = torch.where(support, multiplier, 0.0)
    missing = (-pressed.sum(1) - on.sum(1)) / support.sum(1)
    weights = torch.where(support, on + missing[:, None], pressed)
    norm = float(torch.linalg.matrix_norm(weights, 2))
    return float(pressed.sum()) / norm if norm > 0 else 0.0


def _balance(primal: float, dual: float) -> float:
    """Halve or double the threshold when one residual runs ahead of the other fivefold."""
    if primal > 5 * dual:
        return 0.5
    return 2.0 if dual > 5 * primal else 1.0
