"""The gauge: maps that keep every logit and move every cosine, and the one that gradient flow prefers."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError
from linrep.linalg import balanced


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedGauge:
    """Tables with FᵀF = GᵀG that give the same softmax, unique up to one orthogonal map of both."""

    embedding: Float[Tensor, "contexts dim"]
    unembedding: Float[Tensor, "tokens dim"]
    """Centred over tokens; softmax does not see the shift."""
    transform: Float[Tensor, "dim dim"] | None
    """A with F A and G A^{-T} balanced; None where a table lacks directions, so that no A exists."""
    singular_values: Float[Tensor, " dim"]
    """Of F Gᵀ, G centred; the diagonal of FᵀF in its own axes."""


def balanced_gauge(
    embedding: Float[Tensor, "contexts dim"], unembedding: Float[Tensor, "tokens dim"]
) -> BalancedGauge:
    r"""The pair with the same logits (up to a shift of each row) and :math:`F^\top F = G^\top G`, G centred.

    With :math:`P = F^\top F`, :math:`Q = G^\top G`, the symmetric A solves :math:`A^2 P A^2 = Q`:
    :math:`A^2 = P^{-1/2}(P^{1/2} Q P^{1/2})^{1/2} P^{-1/2}`, a geometric mean. Where P or Q is singular the
    balanced pair still exists, from the singular value decomposition of F Gᵀ.

    Naively: ``U, S, V = svd(F @ (G - G.mean(0)).T); U * S**0.5, V * S**0.5``.

    Args:
        embedding: F.
        unembedding: G; centred here.

    Returns:
        Balanced tables of the same width. Invariant: any regauged copy of the input gives the same cosines.

    Raises:
        InputError: If the widths differ or a table is not finite.

    Example:
        >>> f, g = 4 * torch.eye(2), torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> balanced = balanced_gauge(f, g)
        >>> float(conserved(balanced.embedding, balanced.unembedding).abs().max()) < 1e-5
        True

    References:
        Theory claim C5.
    """
    if embedding.shape[1] != unembedding.shape[1]:
        raise InputError(
            f"tables: expected one width, got {embedding.shape[1]} and {unembedding.shape[1]}; take one run"
        )
    if not bool(embedding.isfinite().all() and unembedding.isfinite().all()):
        raise InputError(
            "tables: expected finite numbers, got NaN or infinity; use a run that did not diverge"
        )
    centred = unembedding - unembedding.mean(0)
    balanced_f, balanced_g = balanced(embedding, centred)
    singular = balanced_f.square().sum(0)
    transform = _symmetric_transform(embedding, centred)
    if transform is not None:
        balanced_f, balanced_g = embedding @ transform, centred @ torch.linalg.inv(transform).T
    return BalancedGauge(
        embedding=balanced_f, unembedding=balanced_g, transform=transform, singular_values=singular
    )


def conserved(
    embedding: Float[Tensor, "*runs contexts dim"], unembedding: Float[Tensor, "*runs tokens dim"]
) -> Float[Tensor, "*runs dim dim"]:
    r"""What gradient flow with equal step sizes keeps exactly: :math:`F^\top F - G^\top G`.

    Naively: ``F.T @ F - G.T @ G``.

    Args:
        embedding: F, leading axes for runs or snapshots.
        unembedding: G with the same leading axes; not centred, as trained.

    Returns:
        One symmetric matrix each; gradient descent moves it by O(step size), Adam freely.

    Example:
        >>> conserved(torch.eye(2), 2 * torch.eye(2))
        tensor([[-3.,  0.],
                [ 0., -3.]])

    References:
        Theory claim C5.
    """
    return embedding.mT @ embedding - unembedding.mT @ unembedding


def regauge(
    embedding: Float[Tensor, "contexts dim"],
    unembedding: Float[Tensor, "tokens dim"],
    transform: Float[Tensor, "dim dim"],
) -> tuple[Float[Tensor, "contexts dim"], Float[Tensor, "tokens dim"]]:
    r"""(F A, G A^{-T}): the same logits in other coordinates, so the same loss and other cosines.

    Naively: ``F @ A, G @ inv(A).T``.

    Args:
        embedding: F.
        unembedding: G.
        transform: A, invertible.

    Returns:
        Both tables in the new gauge.

    Raises:
        InputError: If A is singular.

    Example:
        >>> f, g = regauge(torch.eye(2), torch.eye(2), 2 * torch.eye(2))
        >>> torch.equal(f @ g.T, torch.eye(2))
        True

    References:
        Theory section 2, "Gauge".
    """
    if not bool(torch.linalg.matrix_rank(transform) == transform.shape[0]):
        raise InputError(
            f"transform: expected an invertible matrix of side {transform.shape[0]}, got a singular one"
        )
    return embedding @ transform, torch.linalg.solve(transform, unembedding.T).T


def _symmetric_transform(
    embedding: Float[Tensor, "contexts dim"], centred: Float[Tensor, "tokens dim"]
) -> Float[Tensor, "dim dim"] | None:
    """The symmetric positive A, or None where a Gram matrix is singular to rounding."""
    eps = torch.finfo(embedding.dtype).eps
    grams = (embedding.T @ embedding, centred.T @ centred)
    for gram in grams:
        values = torch.linalg.eigvalsh(gram)
        if values[0] <= eps * len(values) * 10 * values[-1]:
            return None
    root, inverse_root = _power(grams[0], 0.5), _power(grams[0], -0.5)
    return _power(inverse_root @ _power(root @ grams[1] @ root, 0.5) @ inverse_root, 0.5)


def _power(matrix: Float[Tensor, "dim dim"], exponent: float) -> Float[Tensor, "dim dim"]:
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values.clamp_min(0).pow(exponent)) @ vectors.T
