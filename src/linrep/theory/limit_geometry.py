"""The geometry that a limit must show: a record, and its closed form for the symmetric limit."""

import math
from dataclasses import dataclass
from math import comb

from linrep.theory.symmetric import SymmetricLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitGeometry:
    """Predicted similarities, averaged over concepts; None where no pair exists to be compared."""

    linearity_embedding: float | None
    linearity_unembedding: float | None
    alignment: float | None
    orthogonality_mean_directions: float | None
    """Mean |cos| between the mean directions of two concepts, both tables."""
    orthogonality_rms_embedding: float | None
    orthogonality_rms_unembedding: float | None
    additive_share_embedding: float | None
    additive_share_unembedding: float | None
    spectrum: tuple[float, ...] | None
    """Walsh energy of g by degree 1..m, as shares of the non-constant energy; None on incomplete worlds."""


def additive_geometry(concepts: int, context_pairs: int, token_pairs: int) -> LimitGeometry:
    """Exactly linear, aligned and orthogonal: the geometry of the additive solution.

    Naively: every cosine is 1 within a concept and 0 between concepts.

    Args:
        concepts: Number m of concepts.
        context_pairs: Counterfactual context pairs of one concept.
        token_pairs: Counterfactual token pairs of one concept.

    Returns:
        The record; linearity None where fewer than two pairs exist, orthogonality None for a single concept.

    Example:
        >>> additive_geometry(4, 27, 8).alignment
        1.0

    References:
        Theory claim C6, "With k = m".
    """
    zero = 0.0 if concepts > 1 else None
    return LimitGeometry(
        linearity_embedding=1.0 if context_pairs > 1 else None,
        linearity_unembedding=1.0 if token_pairs > 1 else None,
        alignment=1.0,
        orthogonality_mean_directions=zero,
        orthogonality_rms_embedding=zero,
        orthogonality_rms_unembedding=zero,
        additive_share_embedding=1.0,
        additive_share_unembedding=1.0,
        spectrum=tuple(float(k == 1) for k in range(1, concepts + 1)),
    )


def context_pairs(concepts: int, known: tuple[int, int]) -> tuple[int, ...]:
    """N_u = C(m−1,u−1) 2^{u−1} for u = A..B: counterfactual context pairs of a concept that know u.

    Naively: count pairs of context codes that differ in one known concept.

    Args:
        concepts: Number m of concepts.
        known: Least A ≥ 1 and most B known concepts.

    Returns:
        One count per u.

    Example:
        >>> context_pairs(2, (1, 2))
        (1, 2)

    References:
        Theory claim C6.
    """
    return tuple(comb(concepts - 1, u - 1) * 2 ** (u - 1) for u in range(known[0], known[1] + 1))


def symmetric_geometry(limit: SymmetricLimit) -> LimitGeometry:
    r"""Closed-form geometry of the symmetric limit, F = UΣ^{1/2} and G = VΣ^{1/2}.

    :math:`\ell_g = (N a_g^2 - 1)/(N-1)`, :math:`\ell_f = (M a_f^2 - 1)/(M-1)`, alignment :math:`a_g a_f`,
    with :math:`a_g = \sqrt{\sigma_1/s}` and :math:`a_f = \sum_u N_u \alpha(1,u)/\sqrt{\sigma_1\rho_u}/M`.
    Mean directions of two concepts are exactly orthogonal. Sums run over non-zero singular values.

    Naively: factorise the (contexts × tokens) table and average every cosine.

    Args:
        limit: The symmetric optimum.

    Returns:
        The geometry of balanced tables, no unit; None where no pair exists. *Not* invariant to the gauge.

    Example:
        >>> from linrep.theory.symmetric import symmetric_limit
        >>> round(symmetric_geometry(symmetric_limit(2)).alignment, 3)
        0.587

    References:
        Theory claim C6, "Geometry in the limit".
    """
    m = limit.concepts
    sigma: list[float] = limit.singular_values.tolist()
    present = [k for k in range(1, m + 1) if sigma[k - 1] > 0]
    weights = context_pairs(m, limit.known)
    token_pairs, pairs = 2 ** (m - 1), sum(weights)
    length = sum(comb(m - 1, k - 1) * sigma[k - 1] for k in present)
    along_g = math.sqrt(sigma[0] / length)
    along_f, shared = _embedding_directions(limit, present)
    rms_g = math.sqrt(sum(comb(m - 2, k - 2) * sigma[k - 1] ** 2 for k in present if k >= 2)) / length
    rms_f = math.sqrt(sum(comb(m - 2, k - 2) * shared[k] ** 2 for k in present if k >= 2))
    main = sum(n * float(a) for n, a in zip(weights, limit.coefficients[0].tolist(), strict=True))
    share_f = 2 * m * 2**m * main**2 / (pairs * sigma[0] * limit.objective) if sigma[0] > 0 else 0.0
    return LimitGeometry(
        linearity_embedding=_pair_mean(along_f, pairs),
        linearity_unembedding=_pair_mean(along_g, token_pairs),
        alignment=along_g * along_f,
        orthogonality_mean_directions=0.0 if m > 1 and sigma[0] > 0 else None,
        orthogonality_rms_embedding=rms_f if m > 1 else None,
        orthogonality_rms_unembedding=rms_g if m > 1 else None,
        additive_share_embedding=share_f,
        additive_share_unembedding=m * sigma[0] / limit.objective,
        spectrum=tuple(comb(m, k) * sigma[k - 1] / limit.objective for k in range(1, m + 1)),
    )


def _pair_mean(along: float, pairs: int) -> float | None:
    """Mean cosine over distinct pairs from the cosine with the mean direction; None for a single vector."""
    return (pairs * along**2 - 1) / (pairs - 1) if pairs > 1 else None


def _embedding_directions(limit: SymmetricLimit, present: list[int]) -> tuple[float, dict[int, float]]:
    """a_f and s_k: unit steering vectors of f along their mean; their energy in a degree-k character."""
    m, (least, most) = limit.concepts, limit.known
    sigma: list[float] = limit.singular_values.tolist()
    weights = context_pairs(m, limit.known)
    along, shared = 0.0, dict.fromkeys(present, 0.0)
    for u in range(least, most + 1):
        alpha: list[float] = limit.coefficients[:, u - least].tolist()
        rho = sum(comb(u - 1, k - 1) * alpha[k - 1] ** 2 / sigma[k - 1] for k in present if k <= u)
        if 1 in present:
            along += weights[u - least] * alpha[0] / math.sqrt(sigma[0] * rho)
        for k in present:
            if 2 <= k <= u:
                energy = comb(m - k, u - k) * 2.0 ** (u - 1) * alpha[k - 1] ** 2
                shared[k] += energy / (sigma[k - 1] * rho)
    pairs = sum(weights)
    return along / pairs, {k: value / pairs for k, value in shared.items()}
