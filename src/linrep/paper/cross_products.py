r"""Claim C4 in numbers: how one concept's step in f meets another's step in g, and what log-odds say it must.

At zero excess loss, for i unknown and j known in the contexts d_{j→1} and d_{j→0}, and c, c' tokens of them,

.. math:: f(d_{j \to 1}) \cdot \Delta g_i(c) - f(d_{j \to 0}) \cdot \Delta g_i(c') = lo_i(c) - lo_i(c').

Averaged over c and c' the right side is a constant of the world, 0 for j outside the Markov blanket of i.
Once Δg_i does not depend on c, the left side is Δf_j(d) · Δg_i: orthogonality, as far as log-odds let it be.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.geometry import counterfactual_pairs
from linrep.worlds.truth import World, conditional, log_odds

ZERO = 1e-9
"""Nats: a constant up to here is 0 but for rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossProducts:
    """One number for every i, j ≠ i and pair of contexts that differ in j and leave i unknown."""

    measured: Float64[Tensor, " meetings"]
    """The left side, mean over c and c'; nats."""
    constant: Float64[Tensor, " meetings"]
    """The right side, mean over c and c': what zero loss demands; nats."""
    outside: Bool[Tensor, " meetings"]
    """Whether j lies outside the Markov blanket of i, so that the constant is 0."""

    @property
    def slope(self) -> float:
        """Least-squares slope of measured on constant, through the origin; NaN where all constants are 0.

        Example:
            >>> two = torch.tensor([1.0, -2.0], dtype=torch.float64)
            >>> CrossProducts(measured=2 * two, constant=two, outside=two > 5).slope
            2.0
        """
        if float(self.constant.abs().max()) < ZERO:
            return float("nan")
        return float(self.measured @ self.constant / self.constant.square().sum())

    @property
    def error(self) -> float:
        """RMS of measured − constant, in nats."""
        return float((self.measured - self.constant).square().mean().sqrt())


def cross_products(
    world: World, embedding: Float64[Tensor, "contexts dim"], unembedding: Float64[Tensor, "tokens dim"]
) -> CrossProducts:
    """Both sides of C4 for one run.

    Naively: loops over i, j, d and the tokens compatible with each of the two contexts.

    Args:
        world: Every token that differs from another in one concept is in use.
        embedding: F.
        unembedding: G. Invariant to (F A, G A^{-T}) and to one shift of all of G.

    References:
        docs/theory, C4.
    """
    pairs = counterfactual_pairs(world.token_codes)
    odds = log_odds(world)
    share = (conditional(world) > 0).double()
    share /= share.sum(1, keepdim=True)
    contexts = counterfactual_pairs(world.codes)
    found: list[tuple[Tensor, Tensor, bool]] = []
    for i, size in enumerate(world.model.sizes):
        own = pairs.group == i
        step = torch.zeros_like(unembedding)
        step[pairs.low[own]] = step[pairs.high[own]] = (
            unembedding[pairs.high[own]] - unembedding[pairs.low[own]]
        )
        product = (embedding * (share @ step)).sum(1)
        constant = share @ odds[:, i]
        blanket = world.model.markov_blanket(i)
        unknown = world.codes[contexts.low, i] == size
        for j in range(world.model.concepts):
            at = unknown & (contexts.group == j)
            low, high = contexts.low[at], contexts.high[at]
            found.append((product[high] - product[low], constant[high] - constant[low], j not in blanket))
    return CrossProducts(
        measured=torch.cat([measured for measured, _, _ in found]),
        constant=torch.cat([constant for _, constant, _ in found]),
        outside=torch.cat([torch.full((len(each),), out) for each, _, out in found]),
    )
