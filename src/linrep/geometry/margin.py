"""The margin: how clearly the logits favour a concept's right value where the context knows it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry.compatibility import Triples
from linrep.geometry.log_odds_gap import measured_differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """The margins of each run, in nats; NaN where there is no triple."""

    mean: Float64[Tensor, " runs"]
    min: Float64[Tensor, " runs"]
    """The smallest: negative while some wrong value is preferred."""
    triples: int


def margin(
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    found: Triples,
) -> Margin:
    r"""Signed logit difference to the right value, :math:`(2d_i - 1)\, f(d)\cdot\Delta g_i(c)`, i ∈ K(d).

    Naively: ``[(2 * d[i] - 1) * f[d] @ (g[c1] - g[c0]) for d, i, (c0, c1) in triples]``, then mean and min.

    Args:
        embedding: The f(d) of each run.
        unembedding: The g(c).
        found: `triples(..., known=True)` of the codes, which the runs share.

    Returns:
        Mean and minimum, in nats (logit differences). Under gradient descent they grow like ln t. Invariant
        to (F A, G A^{-T}) and to a shift of all g.

    Example:
        >>> from linrep.geometry.compatibility import triples
        >>> rng = torch.Generator()
        >>> codes = torch.tensor([[0], [1]])
        >>> found = triples(codes, codes, (2,), known=True, generator=rng)
        >>> margin(torch.tensor([[[-1.0], [3.0]]]), torch.tensor([[[0.0], [2.0]]]), found).mean
        tensor([4.], dtype=torch.float64)

    References:
        :cite:`jiang:24`, claim C2 of docs/theory.
    """
    total = 0
    added = torch.zeros(len(embedding), dtype=torch.float64, device=embedding.device)
    least = torch.full_like(added, torch.inf)
    for block, measured in measured_differences(embedding, unembedding, found):
        signed = measured * block.sign
        added += signed.sum(1)
        least = torch.minimum(least, signed.amin(1))
        total += measured.shape[1]
    absent = torch.full_like(added, torch.nan)
    return Margin(mean=added / total if total else absent, min=least if total else absent, triples=total)
