r"""Excess loss, :math:`\sum_d \omega(d)\, \mathrm{KL}(p(\cdot|d) \| \hat p(\cdot|d))`, without cancellation.

Near zero, lse(d) − f(d)·(PG)(d) − H(d) loses everything to rounding. Split at the support, with
:math:`q = \mathrm{logit} - \mathrm{lse}_{on} - \ln p`,

.. math::

    \mathrm{KL}(d) = \log(1 + e^{\mathrm{lse}_{off} - \mathrm{lse}_{on}}) + \sum_{c \sim d} p\, (e^q - 1 - q)

is a sum of non-negative terms, each accurate by itself.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.population.population import Population

# Logits held at once, float64.
CHUNK = 2**20


def accurate_excess_loss(
    population: Population,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
) -> Float[Tensor, " runs"]:
    """Excess loss to full relative accuracy however small, in float64, a few contexts at a time.

    Several times the time of a gradient, and dense targets of a few rows: for when it matters.

    Args:
        population: The exact targets.
        embedding: F, any floating dtype.
        unembedding: G.

    Returns:
        Nats, float64. What is left is the rounding of the tables themselves: relative to the loss that
        these very tables have, about 1e-15 times their largest logit per unit of sqrt(loss).
    """
    f, g = embedding.double(), unembedding.double()
    rows = max(1, CHUNK // (population.runs * g.shape[1]))
    total = population.weights.new_zeros(population.runs)
    for start in range(0, f.shape[1], rows):
        block = slice(start, min(start + rows, f.shape[1]))
        logits = f[:, block] @ g.mT
        if population.token_mask is not None:
            logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -torch.inf)
        divergence = _divergence(population.conditional_rows(block.start, block.stop), logits)
        total += (population.weights[:, block] * divergence).sum(-1)
    return population.shard.team.total(total)


def _divergence(p: Tensor, logits: Tensor) -> Tensor:
    """KL(p ‖ softmax(logits)) along the last axis; rows without support give 0."""
    on = p > 0
    supported = on.any(-1)
    on = on | ~supported.unsqueeze(-1)
    log_on = logits.masked_fill(~on, -torch.inf).logsumexp(-1)
    log_off = logits.masked_fill(on, -torch.inf).logsumexp(-1)
    q = torch.where(p > 0, logits - log_on.unsqueeze(-1) - p.log(), 0.0)
    mismatch = (p * _exp_minus_first_order(q)).sum(-1)
    return torch.where(supported, torch.nn.functional.softplus(log_off - log_on) + mismatch, 0.0)


def _exp_minus_first_order(q: Tensor) -> Tensor:
    """exp(q) − 1 − q, also where that difference cancels."""
    series = q * q / 2 * (1 + q / 3 * (1 + q / 4 * (1 + q / 5 * (1 + q / 6 * (1 + q / 7)))))
    return torch.where(q.abs() < 0.02, series, torch.expm1(q) - q)
