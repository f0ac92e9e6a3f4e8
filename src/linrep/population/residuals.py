r"""Excess loss and gradient in one pass, float64, without cancellation: what a judged step stands on.

Near the bottom a plain loss loses the difference between two steps to rounding. Split at the support,

.. math::

    \mathrm{KL} = \ln\Big(1 + \frac{\mathrm{off}}{\mathrm{on}}\Big) + \sum_{c \sim d} p\, (e^q - 1 - q),
    \qquad q = \mathrm{logit} - \ln \mathrm{on} - \ln p,

with on and off the sums of :math:`e^{\mathrm{logit}}` over what is compatible and what is not: terms that are
not negative, each to nearly all its digits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from linrep.population.gradient import PopulationGradient
from linrep.population.population import Population

BLOCK = 2**18
"""Logits of all runs worked on at once: about what a core's cache holds, float64."""
SMALL = 1e-2
"""Below it exp(q) − 1 − q is its series, to 1e-13; above it the difference keeps as many digits."""
MOST_STORED = 2**28
"""Bytes that stored targets may take; of larger worlds they are worked out again in every pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be predicted in some contexts."""

    p: Float64[Tensor, "runs rows tokens"]
    """p(c | d)."""
    log_p: Float64[Tensor, "runs rows tokens"]
    """ln p, 0 where p is."""
    inverse_p: Float64[Tensor, "runs rows tokens"]
    """1/p, 0 where p is."""

    def of(self, rows: Bool[Tensor, " rows"]) -> "Target":
        """Of some of these contexts.

        Args:
            rows: Which ones.
        """
        return Target(p=self.p[:, rows], log_p=self.log_p[:, rows], inverse_p=self.inverse_p[:, rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some contexts of every run."""

    rows: slice
    weights: Float64[Tensor, "runs rows"]
    target: Float64[Tensor, "runs rows tokens"]
    """p(c | d)."""
    divergence: Float64[Tensor, "runs rows"]
    """KL(p ‖ p̂) of each context, nats."""
    residual: Float64[Tensor, "runs rows tokens"]
    """p̂ − p; of no meaning, but finite, where the weight is 0."""


class Residuals:
    """Prediction minus target, some contexts at a time.

    Args:
        population: The exact targets, of this rank.
        logits: Of all runs, worked on at once.
    """

    def __init__(self, population: Population, *, logits: int = BLOCK) -> None:
        self.population = population.to(dtype=torch.float64)
        runs, contexts = population.weights.shape
        tokens = population.token_index.shape[1]
        step = max(1, logits // (runs * tokens))
        self.slices = [slice(start, min(start + step, contexts)) for start in range(0, contexts, step)]
        stored = 3 * 8 * runs * contexts * tokens <= MOST_STORED
        self._stored = [self._made(rows) for rows in self.slices] if stored else None

    def blocks(
        self, f: Float[Tensor, "runs contexts dim"], g: Float[Tensor, "runs tokens dim"]
    ) -> Iterator[Block]:
        """Every context once, in order.

        Args:
            f: F, float64.
            g: G, float64.
        """
        key = g.mT.contiguous()
        for number, rows in enumerate(self.slices):
            target = self.target(number)
            divergence, residual = self.against(target, f[:, rows], key)
            yield Block(
                rows=rows,
                weights=self.population.weights[:, rows],
                target=target.p,
                divergence=divergence,
                residual=residual,
            )

    def target(self, number: int) -> Target:
        """What is to be predicted in the contexts of one of ``slices``.

        Args:
            number: Which one.
        """
        return self._made(self.slices[number]) if self._stored is None else self._stored[number]

    def against(
        self, target: Target, f: Float[Tensor, "runs rows dim"], key: Float[Tensor, "runs dim tokens"]
    ) -> tuple[Float64[Tensor, "runs rows"], Float64[Tensor, "runs rows tokens"]]:
        """KL(p ‖ p̂) of each context, in nats, and p̂ − p.

        Args:
            target: Of these contexts.
            f: Their embeddings, float64.
            key: Gᵀ, laid by rows.
        """
        logits, mask = f @ key, self.population.token_mask
        if mask is not None:
            logits.masked_fill_(~mask.unsqueeze(1), -torch.inf)
        return _split(target, logits)

    def gradient(
        self, embedding: Float[Tensor, "runs contexts dim"], unembedding: Float[Tensor, "runs tokens dim"]
    ) -> PopulationGradient:
        """Excess loss and gradient, exact to rounding however small.

        Naively: :func:`linrep.population.gradient.population_gradient` in exact arithmetic.

        Args:
            embedding: F, any floating dtype; what counts is the number it stands for.
            unembedding: G.

        Returns:
            Both in float64, of the whole team.

        Example:
            >>> from linrep.worlds.concepts import from_tables
            >>> from linrep.worlds.contexts import world
            >>> coin = Population.of([world(from_tables(["a"], {"a": [[0.5, 0.5]]}))])
            >>> found = Residuals(coin).gradient(torch.zeros(1, 3, 2), torch.zeros(1, 2, 2))
            >>> [round(loss, 4) for loss in found.excess_loss.tolist()]
            [0.4621]
        """
        f, g = embedding.double(), unembedding.double()
        slope_f, slope_g = torch.empty_like(f, memory_format=torch.contiguous_format), torch.zeros_like(g)
        loss = f.new_zeros(len(f))
        for block in self.blocks(f, g):
            loss += (block.weights * block.divergence).sum(-1)
            residual = block.residual * block.weights.unsqueeze(-1)
            slope_f[:, block.rows] = residual @ g
            slope_g.baddbmm_(residual.mT, f[:, block.rows])
        team = self.population.shard.team
        return PopulationGradient(
            excess_loss=team.total(loss), embedding=slope_f, unembedding=team.total(slope_g)
        )

    def _made(self, rows: slice) -> Target:
        p = self.population.conditional_rows(rows.start, rows.stop)
        here = p > 0
        return Target(p=p, log_p=torch.where(here, p, 1.0).log(), inverse_p=torch.where(here, 1 / p, 0.0))


def _split(target: Target, logits: Tensor) -> tuple[Tensor, Tensor]:
    """KL(p ‖ softmax(logits)) and softmax(logits) − p along the last axis, from one exponential a logit.

    Where p = 0 both ``log_p`` and ``inverse_p`` are 0, so that all is finite there and p takes it out.
    """
    p, log_p, inverse_p = target.p, target.log_p, target.inverse_p
    logits -= logits.amax(-1, keepdim=True)
    powers = logits.exp()
    total = powers.sum(-1, keepdim=True)
    on_support = powers * inverse_p
    # p · (power / p), not a sum over a mask: it is a product of two tables that are there.
    on = (p * on_support).sum(-1, keepdim=True).clamp_min(torch.finfo(p.dtype).tiny)
    off = (powers * (inverse_p == 0)).sum(-1, keepdim=True)
    q = logits.sub_(on.log()).sub_(log_p)
    series = q * q / 2 * (1 + q / 3 * (1 + q / 4 * (1 + q / 5 * (1 + q / 6))))
    grown = torch.where(q.abs() < SMALL, series, on_support / on - 1 - q)
    # Padded tokens have a logit of -inf and no share in p.
    mismatch = torch.where(p > 0, p * grown, 0.0).sum(-1)
    divergence = torch.log1p(off / on).squeeze(-1) + mismatch
    return divergence, powers.div_(total).sub_(p)
