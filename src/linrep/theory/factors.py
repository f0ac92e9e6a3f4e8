"""From a table of logits to the tables of vectors a vanishing ridge chooses, and what their geometry is."""

import itertools

import torch
from jaxtyping import Float64, Int8
from torch import Tensor

from linrep.theory.limit_geometry import LimitGeometry


def balanced_factors(
    logits: Float64[Tensor, "contexts tokens"], *, tolerance: float
) -> tuple[Float64[Tensor, "contexts rank"], Float64[Tensor, "tokens rank"], Float64[Tensor, " rank"]]:
    r"""F = UΣ^{1/2}, G = VΣ^{1/2} with FGᵀ = L, the pair of least ‖F‖² + ‖G‖², and Σ.

    Naively: ``U, S, V = svd(L); U * S**0.5, V * S**0.5``.

    Args:
        logits: The table L.
        tolerance: Singular values below this share of the largest are zero.

    Returns:
        Embedding, unembedding and the non-zero singular values, descending; unique up to an orthogonal map
        of both.

    Example:
        >>> logits = torch.diag(torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64))
        >>> f, g, s = balanced_factors(logits, tolerance=1e-9)
        >>> s.tolist(), tuple(f.shape)
        ([4.0, 1.0], (3, 2))

    References:
        Theory claim C6 (NTP-SVM) and C5 (balanced gauge).
    """
    u, values, vt = torch.linalg.svd(logits, full_matrices=False)
    kept = values > tolerance * values[0]
    root = values[kept].sqrt()
    return u[:, kept] * root, vt[kept].T * root, values[kept]


def factor_geometry(
    embedding: Float64[Tensor, "contexts dim"],
    unembedding: Float64[Tensor, "tokens dim"],
    context_codes: Int8[Tensor, "contexts concepts"],
    token_codes: Int8[Tensor, "tokens concepts"],
    sizes: tuple[int, ...],
) -> LimitGeometry:
    """The geometry of a pair of factors by definition: every cosine between steering vectors, one by one.

    For worlds without the symmetry that gives closed forms; slow and plain on purpose.

    Naively: this is the naive form.

    Args:
        embedding: F.
        unembedding: G.
        context_codes: Digits of each context, v_i where unknown.
        token_codes: Digits of each token.
        sizes: States of each concept; steering goes from state 0 to state 1.

    Returns:
        Means over concepts (pairs of concepts); None where no pair exists. Zero differences are left out.

    Example:
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.int8)
        >>> factor_geometry(codes.double(), codes.double(), codes, codes, (2, 2)).alignment
        1.0

    References:
        Theory section 2.
    """
    f = [_unit_differences(embedding, context_codes, i) for i in range(len(sizes))]
    g = [_unit_differences(unembedding, token_codes, i) for i in range(len(sizes))]
    both = [float(a.mean(0) @ b.mean(0)) for a, b in zip(f, g, strict=True) if len(a) and len(b)]
    crossed = [_orthogonality(f), _orthogonality(g)]
    directions = [mean for mean, _ in crossed if mean is not None]
    contexts = torch.cat([context_codes == state for state in range(max(sizes))], 1).double()
    tokens = torch.cat([token_codes == state for state in range(max(sizes))], 1).double()
    return LimitGeometry(
        linearity_embedding=_mean([_linearity(a) for a in f if len(a) > 1]),
        linearity_unembedding=_mean([_linearity(b) for b in g if len(b) > 1]),
        alignment=_mean(both),
        orthogonality_mean_directions=_mean(directions),
        orthogonality_rms_embedding=crossed[0][1],
        orthogonality_rms_unembedding=crossed[1][1],
        additive_share_embedding=_explained(embedding, contexts),
        additive_share_unembedding=_explained(unembedding, tokens),
        spectrum=None,
    )


def _unit_differences(
    table: Float64[Tensor, "rows dim"], codes: Int8[Tensor, "rows concepts"], concept: int
) -> Float64[Tensor, "pairs dim"]:
    """Unit steering vectors of one concept, state 0 to state 1, over rows equal elsewhere."""
    row = {tuple(code): n for n, code in enumerate(codes.tolist())}
    found: list[Tensor] = []
    for code, low in row.items():
        high = row.get((*code[:concept], 1, *code[concept + 1 :])) if code[concept] == 0 else None
        if high is not None:
            found.append(table[high] - table[low])
    if not found:
        return table.new_zeros(0, table.shape[1])
    steering = torch.stack(found)
    length = steering.norm(dim=1)
    kept = length > 1e-9 * table.norm(dim=1).max()
    return steering[kept] / length[kept, None]


def _linearity(units: Float64[Tensor, "pairs dim"]) -> float:
    cosines = units @ units.T
    return float((cosines.sum() - cosines.diagonal().sum()) / (len(units) * (len(units) - 1)))


def _orthogonality(units: list[Float64[Tensor, "_ dim"]]) -> tuple[float | None, float | None]:
    """Mean |cos| of mean directions and mean RMS cosine, over pairs of concepts."""
    present = [u for u in units if len(u)]
    means: list[float] = []
    squares: list[float] = []
    for a, b in itertools.combinations(present, 2):
        x, y = a.mean(0), b.mean(0)
        if float(x.norm()) > 1e-9 and float(y.norm()) > 1e-9:
            means.append(abs(float(x @ y / (x.norm() * y.norm()))))
        squares.append(max(0.0, float(((a.T @ a) * (b.T @ b)).sum()) / (len(a) * len(b))) ** 0.5)
    return _mean(means), _mean(squares)


def _explained(
    table: Float64[Tensor, "rows dim"], indicators: Float64[Tensor, "rows states"]
) -> float | None:
    """R² of least squares on one indicator per known state and a constant, pooled over columns."""
    centred = table - table.mean(0)
    regressors = indicators - indicators.mean(0)
    u, values, _ = torch.linalg.svd(regressors, full_matrices=False)
    basis = u[:, values > 1e-9 * values[0]]
    total = float(centred.square().sum())
    return float((basis.T @ centred).square().sum()) / total if total > 0 else None


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
