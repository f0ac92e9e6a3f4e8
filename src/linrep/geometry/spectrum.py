"""Singular values of the logits and of both tables, without ever forming the logits."""

from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.linalg import centre

Values = Float64[Tensor, "*batch dim"]


class SingularValues(NamedTuple):
    """Descending, as many as tables have dimensions: past the rank they are 0, or rounding.

    Example:
        >>> singular_values(torch.eye(2).double(), torch.eye(2).double()).embedding
        tensor([1., 1.], dtype=torch.float64)
    """

    logits: Values
    embedding: Values
    unembedding: Values


def singular_values(
    f: Float64[Tensor, "*batch contexts dim"], g: Float64[Tensor, "*batch tokens dim"]
) -> SingularValues:
    r"""Singular values of :math:`F G^\top` with G centred, of F, and of G centred.

    Those of the logits are roots of the eigenvalues of :math:`B^{1/2} A B^{1/2}` with A = FᵀF and B = GᵀG:
    time linear in the rows, k × k numbers kept. The roots cost half the digits: values below 1e-8 of the
    largest are rounding.

    Naively: ``g -= g.mean(0); [np.linalg.svdvals(each) for each in (f @ g.T, f, g)]``.

    Args:
        f: F. No mean is subtracted: a constant in f moves logits.
        g: G. The softmax does not see a shift of all its rows.

    Returns:
        Those of the logits are invariant to F A, G A⁻ᵀ; those of the tables to rotations of each.

    Example:
        >>> f = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
        >>> g = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
        >>> [[round(x, 4) for x in each.tolist()] for each in singular_values(f, g)]
        [[2.8284, 0.0], [3.0, 2.0], [1.4142, 0.0]]
    """
    g = centre(g)
    a, b = f.mT @ f, g.mT @ g
    values, vectors = torch.linalg.eigh(b)
    root = values.clamp_min(0).sqrt()
    product = root[..., None] * (vectors.mT @ a @ vectors) * root[..., None, :]
    return SingularValues(
        _roots(torch.linalg.eigvalsh(product)), _roots(torch.linalg.eigvalsh(a)), root.flip(-1)
    )


def _roots(ascending: Tensor) -> Tensor:
    return ascending.clamp_min(0).sqrt().flip(-1)
