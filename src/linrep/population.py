r"""The exact population loss and its gradient: dense, fused, or whichever is faster at the size at hand.

.. math:: \nabla_{f(d)} L = \omega(d)\Big(\sum_c \hat p(c|d) g(c) - \sum_c p(c|d) g(c)\Big), \qquad
          \nabla_{g(c)} L = \sum_d \omega(d) (\hat p(c|d) - p(c|d)) f(d).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.attention import attention
from linrep.errors import InputError
from linrep.targets import Population

__all__ = ["Method", "Population", "PopulationGradient", "excess_loss", "population_gradient"]

Method = Literal["auto", "dense", "fused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationGradient:
    """Excess loss of each run and the gradient of the loss with respect to both tables."""

    excess_loss: Float[Tensor, " runs"]
    """Σ ω(d) KL(p(·|d) ‖ p̂(·|d)) in nats, float64, >= 0."""
    embedding: Float[Tensor, "runs contexts dim"]
    """∇_F L."""
    unembedding: Float[Tensor, "runs tokens dim"]
    """∇_G L; 0 for padded tokens."""


def population_gradient(
    population: Population,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    *,
    method: Method = "auto",
) -> PopulationGradient:
    if method == "auto":
        method = "fused"
    form = _dense if method == "dense" else _fused
    gradient_f, gradient_g, loss = form(population, embedding, unembedding)
    return PopulationGradient(excess_loss=loss, embedding=gradient_f, unembedding=gradient_g)


def _dense(population: Population, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    logits = f @ g.mT
    if population.token_mask is not None:
        logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -torch.inf)
    target = population.conditional
    predicted = logits.softmax(-1)
    residual = (predicted - target) * population.weights.to(f.dtype).unsqueeze(-1)
    loss = excess_loss(population, f, g)
    return residual @ g, residual.mT @ f, loss


def _fused(population: Population, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    bias = (
        None
        if population.token_mask is None
        else torch.where(population.token_mask, 0.0, -torch.inf).to(f.dtype)
    )
    mean, log_normaliser = attention(f, g, g, bias)
    weights = population.weights.to(f.dtype)
    back, log_total = attention(g, f, f, weights.log() - log_normaliser)
    back = back * log_total.exp().unsqueeze(-1)
    if population.token_mask is not None:
        back = back * population.token_mask.unsqueeze(-1)
    target = population.conditional_mean(g)
    gradient_f = weights.unsqueeze(-1) * (mean - target)
    gradient_g = back - population.conditional_mean_transpose(f)
    return gradient_f, gradient_g, excess_loss(population, f, g)


def excess_loss(
    population: Population,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
) -> Float[Tensor, " runs"]:
    f, g = embedding.double(), unembedding.double()
    total = torch.zeros(population.runs, dtype=torch.float64, device=f.device)
    contexts, tokens = f.shape[1], g.shape[1]
    rows = max(1, 2**20 // (tokens * population.runs))
    for start in range(0, contexts, rows):
        stop = min(start + rows, contexts)
        p = population.conditional_rows(start, stop)
        logits = f[:, start:stop] @ g.mT
        if population.token_mask is not None:
            logits = logits.masked_fill(~population.token_mask.unsqueeze(1), -torch.inf)
        total += (population.weights[:, start:stop] * _divergence(p, logits)).sum(-1)
    return total


def _divergence(p: Tensor, logits: Tensor) -> Tensor:
    """KL(p ‖ softmax(logits)) without cancellation; rows of zeros give 0."""
    on = p > 0
    log_on = logits.masked_fill(~on, -torch.inf).logsumexp(-1)
    log_off = logits.masked_fill(on, -torch.inf).logsumexp(-1)
    q = torch.where(on, logits - log_on.unsqueeze(-1) - p.log(), 0.0)
    inside = (p * (torch.expm1(q) - q)).sum(-1)
    return torch.where(on.any(-1), torch.log1p((log_off - log_on).exp()) + inside, 0.0)
