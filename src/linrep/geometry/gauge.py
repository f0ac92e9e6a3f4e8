"""The gauge: how far the two tables are from the balance that gradient flow keeps."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.linalg import centre


def gauge_imbalance(
    embedding: Float[Tensor, "runs contexts dim"], unembedding: Float[Tensor, "runs tokens dim"]
) -> Float64[Tensor, " runs"]:
    r"""Distance from the balanced gauge, :math:`\|F^TF - G^TG\|_F / (\|F^TF\|_F + \|G^TG\|_F)`, G centred.

    G is centred by its plain mean over tokens, because softmax does not see one shift of all g; F is not,
    because it does see a shift of all f.

    Naively: ``(F.T @ F - G.T @ G).norm() / ((F.T @ F).norm() + (G.T @ G).norm())``.

    Returns:
        In [0, 1]; 0 iff balanced, 1 if just one table is zero, 0 if both are. Invariant to one rotation
        and one scale of both tables, not to (F A, G A^{-T}).

    Example:
        >>> gauge_imbalance(torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]]))
        tensor([0.4142], dtype=torch.float64)

    References:
        docs/theory, section 2 "Gauge" and claim C5.
    """
    f, g = embedding.to(torch.float64), centre(unembedding.to(torch.float64))
    ff, gg = f.mT @ f, g.mT @ g
    scale = torch.linalg.matrix_norm(ff) + torch.linalg.matrix_norm(gg)
    distance = torch.linalg.matrix_norm(ff - gg)
    return torch.where(scale > 0, distance / scale, 0.0)
