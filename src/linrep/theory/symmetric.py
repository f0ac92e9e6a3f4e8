"""The infinite-time limit of contexts that know A..B of m concepts: a small cone program, certified."""

import math
from dataclasses import dataclass
from importlib import import_module
from math import comb
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.theory.additive import known_range, limit_is_linear
from linrep.theory.certificate import Certificate


def krawtchouk(known: int) -> Float64[Tensor, "degrees distances"]:
    r"""Normalised Krawtchouk polynomials, entry [k, h] = Kr_k(h; u) / C(u, k) for k, h = 0..u.

    :math:`Kr_k(h; u) = \sum_j (-1)^j C(h, j) C(u - h, k - j)` is the sum of all degree-k Walsh characters
    at a point of weight h. Summed in integers, divided once: exact to the last bit however large u is.

    Naively: ``[[mean(prod((-1) ** x[s]) over s of size k) at |x| = h for h ...] for k ...]``.

    Args:
        known: Number u ≥ 0 of known concepts.

    Returns:
        Square table of side u + 1, no unit, in [−1, 1]; row 0 and column 0 are 1.

    Raises:
        ValueError: If ``known`` is negative.

    Example:
        >>> krawtchouk(2)
        tensor([[ 1.,  1.,  1.],
                [ 1.,  0., -1.],
                [ 1., -1.,  1.]], dtype=torch.float64)

    References:
        Theory claim C6 (margins of the symmetric program).
    """
    if known < 0:
        raise ValueError(f"known: expected a count >= 0, got {known}; give the number of known concepts")
    sums = [
        [
            sum((-1) ** j * comb(h, j) * comb(known - h, k - j) for j in range(min(h, k) + 1))
            / comb(known, k)
            for h in range(known + 1)
        ]
        for k in range(known + 1)
    ]
    return torch.tensor(sums, dtype=torch.float64)


VANISHING_SHARE = 1e-7
"""A degree whose share C(m,k)σ_k of the objective is below this is zero: interior points never reach it."""

Pairs = dict[tuple[int, int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricLimit:
    """The symmetric optimum: coefficients by (degree, number known), singular values, and its certificate."""

    concepts: int
    known: tuple[int, int]
    solver_status: str
    """The solver's own word, or "closed form"."""
    coefficients: Float64[Tensor, "degrees known"]
    """α(k, u): row k−1, column u−A; zero where k > u."""
    singular_values: Float64[Tensor, " degrees"]
    """σ_k, k = 1..m, with vanishing ones set to zero."""
    multiplicities: tuple[int, ...]
    certificate: Certificate

    @property
    def rank(self) -> int:
        """Number of non-zero singular values, counted with multiplicity."""
        values: list[float] = self.singular_values.tolist()
        return sum(n for n, value in zip(self.multiplicities, values, strict=True) if value > 0)

    @property
    def objective(self) -> float:
        """The nuclear norm Σ C(m,k) σ_k of the feasible point, in nats of logit."""
        return self.certificate.primal


def symmetric_limit(concepts: int, known: tuple[int, int] | None = None) -> SymmetricLimit:
    r"""The next-token SVM of least nuclear norm, invariant under flips and permutations of concepts.

    :math:`L(d,c) = \sum_{\emptyset\ne S\subseteq K(d)} \alpha(|S|,|K(d)|)\,\chi_S(c\oplus d)` with unit
    margins, minimising :math:`\sum_k C(m,k)\sigma_k`. Closed form where the limit is additive, else a cone
    program in :math:`\alpha(k,u) C(u,k)` times their weight in the objective, so that no binomial meets
    another scale. The point is made feasible by scaling each u; the lower bound is Σμ/r from the solver's
    multipliers.

    Naively: build the (contexts × tokens) program and hand it to a semidefinite solver.

    Args:
        concepts: Number m of concepts, 1 to 32.
        known: Least A and most B concepts that a context knows; None for all contexts.

    Returns:
        The optimum with its certificate; a solver that failed is seen in ``solver_status`` and an open gap.

    Raises:
        InputError: If m or the range is out of bounds.

    Example:
        >>> limit = symmetric_limit(2)
        >>> round(limit.objective, 3), limit.rank, limit.certificate.relative_gap < 1e-6
        (4.464, 3, True)

    References:
        Theory claim C6; Thrampoulidis 2024; Zhao et al. 2024.
    """
    span = known_range(concepts, known)
    if limit_is_linear(concepts, span):
        status, beta, multipliers = (
            "closed form",
            _additive_point(span),
            _additive_multipliers(concepts, span),
        )
    else:
        status, beta, multipliers = solve_symmetric_program(concepts, span)
    return _certified(concepts, span, status, beta, multipliers)


def solve_symmetric_program(concepts: int, known: tuple[int, int]) -> tuple[str, Pairs, Pairs]:
    """The cone program by Clarabel: its status, β(k,u) = α(k,u) C(u,k), and the margins' multipliers μ(u,h).

    Variables are the terms of the objective themselves, γ(k,u) = β(k,u) w(k,u)/ref, one cone a degree.

    Naively: ``cvxpy.Problem(Minimize(sum(norm(w[k] * beta[k]))), margins)``.

    Args:
        concepts: Number m of concepts.
        known: Least A ≥ 1 and most B known concepts.

    Returns:
        (status, β, μ); NaN-filled where the solver returned none.

    Example:
        >>> solve_symmetric_program(2, (1, 2))[0]
        'Solved'

    References:
        Theory claim C6.
    """
    import numpy as np
    from scipy.sparse import csc_matrix

    clarabel: Any = import_module("clarabel")
    least, most = known
    weight, reference = _objective_weights(concepts, known), _reference(concepts, known)
    column = {pair: n for n, pair in enumerate(weight)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    offset: list[float] = []
    margins: list[tuple[int, int, float]] = []
    for u in range(least, most + 1):
        table = krawtchouk(u)
        scale = max(weight[k, u] / reference for k in range(1, u + 1))
        for h in range(1, u + 1):
            for k in range(1, u + 1):
                rows.append(len(offset))
                columns.append(column[k, u])
                values.append(-(1.0 - float(table[k, h])) * scale * reference / weight[k, u])
            offset.append(-scale)
            margins.append((u, h, scale))
    cones: list[Any] = [clarabel.NonnegativeConeT(len(offset))]
    for k in range(1, most + 1):
        entries = [len(column) + k - 1, *(column[k, u] for u in range(max(least, k), most + 1))]
        rows += range(len(offset), len(offset) + len(entries))
        columns += entries
        values += [-1.0] * len(entries)
        offset += [0.0] * len(entries)
        cones.append(clarabel.SecondOrderConeT(len(entries)))
    unknowns = len(column) + most
    matrix = csc_matrix((values, (rows, columns)), shape=(len(offset), unknowns))
    objective = np.concatenate([np.zeros(len(column)), np.ones(most)])
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.tol_gap_abs, settings.tol_gap_rel, settings.tol_feas = (
        False,
        1e-11,
        1e-10,
        1e-10,
    )
    zero = csc_matrix((unknowns, unknowns))
    solution = clarabel.DefaultSolver(zero, objective, matrix, np.array(offset), cones, settings).solve()
    beta = {pair: float(solution.x[n]) * reference / weight[pair] for pair, n in column.items()}
    multipliers = {(u, h): max(float(solution.z[n]), 0.0) * s for n, (u, h, s) in enumerate(margins)}
    return str(solution.status), beta, {pair: value * reference for pair, value in multipliers.items()}


def _objective_weights(concepts: int, known: tuple[int, int]) -> Pairs:
    """w(k,u) with C(m,k) σ_k = ‖[w(k,u) β(k,u)]_u‖: w² = 2^{m+u} C(m,k) C(m,u)/C(u,k)."""
    least, most = known
    return {
        (k, u): math.sqrt(2 ** (concepts + u) * comb(concepts, k) * comb(concepts, u) / comb(u, k))
        for k in range(1, most + 1)
        for u in range(max(least, k), most + 1)
    }


def _reference(concepts: int, known: tuple[int, int]) -> float:
    return max(_objective_weights(concepts, known).values())


def _additive_point(known: tuple[int, int]) -> Pairs:
    """α(1,u) = ½, the rest zero: β(1,u) = u/2."""
    least, most = known
    return {(k, u): (u / 2 if k == 1 else 0.0) for u in range(least, most + 1) for k in range(1, u + 1)}


def _additive_multipliers(concepts: int, known: tuple[int, int]) -> Pairs:
    """Multipliers of the additive optimum: only nearest competitors push, μ(u,1) ∝ 2^u C(m−1,u−1)."""
    least, most = known
    return {
        (u, h): (float(2**u * comb(concepts - 1, u - 1)) if h == 1 else 0.0)
        for u in range(least, most + 1)
        for h in range(1, u + 1)
    }


def _feasible(known: tuple[int, int], beta: Pairs) -> Pairs:
    """β with each u scaled up until its smallest margin is 1; infinite where a margin is not positive."""
    scaled: Pairs = {}
    for u in range(known[0], known[1] + 1):
        row = torch.tensor([beta[k, u] for k in range(1, u + 1)], dtype=torch.float64)
        smallest = float((row @ (1.0 - krawtchouk(u)[1:, 1:])).min())
        factor = 1.0 / smallest if smallest > 0 else math.inf
        scaled |= {(k, u): (beta[k, u] * factor if beta[k, u] else 0.0) for k in range(1, u + 1)}
    return scaled


def _degree_terms(concepts: int, known: tuple[int, int], beta: Pairs) -> list[float]:
    """C(m,k) σ_k for k = 1..m."""
    weight = _objective_weights(concepts, known)
    return [
        math.sqrt(sum((weight[j, u] * beta[j, u]) ** 2 for j, u in weight if j == k))
        for k in range(1, concepts + 1)
    ]


def _lower_bound(concepts: int, known: tuple[int, int], multipliers: Pairs) -> float:
    """Σμ / max_k ‖[Σ_h μ(u,h)(1 − Kr_k(h;u)/C(u,k))/w(k,u)]_u‖, valid for any μ ≥ 0."""
    weight = _objective_weights(concepts, known)
    squares = [0.0] * (concepts + 1)
    for u in range(known[0], known[1] + 1):
        row = torch.tensor([multipliers[u, h] for h in range(1, u + 1)], dtype=torch.float64)
        pressed: list[float] = ((1.0 - krawtchouk(u)[1:, 1:]) @ row).tolist()
        for k, press in enumerate(pressed, start=1):
            squares[k] += (press / weight[k, u]) ** 2
    norm = math.sqrt(max(squares))
    return sum(multipliers.values()) / norm if norm > 0 else math.nan


def _certified(
    concepts: int, known: tuple[int, int], status: str, beta: Pairs, multipliers: Pairs
) -> SymmetricLimit:
    terms = _degree_terms(concepts, known, beta)
    kept = {k for k, term in enumerate(terms, start=1) if term > VANISHING_SHARE * sum(terms)}
    point = _feasible(known, {pair: (value if pair[0] in kept else 0.0) for pair, value in beta.items()})
    terms = _degree_terms(concepts, known, point)
    least, most = known
    alpha = torch.zeros(concepts, most - least + 1, dtype=torch.float64)
    for (k, u), value in point.items():
        alpha[k - 1, u - least] = value / comb(u, k)
    multiplicities = tuple(comb(concepts, k) for k in range(1, concepts + 1))
    return SymmetricLimit(
        concepts=concepts,
        known=known,
        solver_status=status,
        coefficients=alpha,
        singular_values=torch.tensor(terms, dtype=torch.float64)
        / torch.tensor(multiplicities, dtype=torch.float64),
        multiplicities=multiplicities,
        certificate=Certificate(primal=sum(terms), dual=_lower_bound(concepts, known, multipliers)),
    )
