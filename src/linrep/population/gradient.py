r"""The exact population gradient: dense, fused, or whichever is faster at the size at hand.

.. math::

    \nabla_{f(d)} L = \omega(d) \Big( \sum_c \hat p(c|d)\, g(c) - \sum_c p(c|d)\, g(c) \Big), \qquad
    \nabla_{g(c)} L = \sum_d \omega(d) \, (\hat p(c|d) - p(c|d)) \, f(d).

The shift of the logits, :math:`s(d) = f(d) \cdot (P G)(d) + H(d)`, is a lower bound of their log-sum-exp, and
what it misses is the divergence of d: :math:`\mathrm{lse}(d) - s(d) = \mathrm{KL}(p \| \hat p)(d) \ge 0`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError
from linrep.population import card
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.population import Population
from linrep.population.residual_sums import Room, residual_sums
from linrep.population.softmax_sums import softmax_sums

__all__ = ["Method", "Population", "PopulationGradient", "population_gradient", "table_gradients"]

Method = Literal["auto", "dense", "fused", "kernels"]

# Logits of one run up to which dense is taken for its fewer calls, and bytes its stored targets may take.
DENSE_UP_TO, MOST_STORED = 2**20, 2**28

# Relative error up to which the plain form of the excess loss is trusted, and roundings per unit of logit
# it makes.
PLAIN_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
ROUNDINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationGradient:
    """Excess loss of each run, and the gradient of its loss with respect to both tables.

    Example:
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> f, g = torch.zeros(1, 243, 2), torch.zeros(1, 32, 2)
        >>> linrep.population_gradient(linrep.Population.of([world]), f, g).excess_loss.shape
        torch.Size([1])
    """

    excess_loss: Float[Tensor, " runs"]
    """``Σ ω(d) KL(p(·|d) ‖ p̂(·|d))`` in nats, float64, >= 0."""
    embedding: Float[Tensor, "runs contexts dim"]
    """∇_F L, of this rank's contexts; 0 where the weight is 0."""
    unembedding: Float[Tensor, "runs tokens dim"]
    """∇_G L; 0 for padded tokens."""


def population_gradient(
    population: Population,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    *,
    method: Method = "auto",
) -> PopulationGradient:
    r"""Excess loss and gradient of the population loss, exact, for every run at once.

    Naively: ``loss = -(weights[:, None] * conditional * (F @ G.T).log_softmax(-1)).sum()`` and autograd.

    Args:
        population: The exact targets.
        embedding: F, one row f(d) per context, in the dtype of the gradient.
        unembedding: G, one row g(c) per token.
        method: "dense" holds contexts × tokens numbers a run; "fused" a few tiles of them; "kernels" none, on
            a card in float32 (:mod:`linrep.population.card`); "auto" picks.

    Returns:
        Excess loss in nats and both gradients. Float64 gradients are exact to 1e-10, float32 ones to 1e-6
        of the norm of their two parts before these cancel. The loss has a relative error of at most 1e-3
        (float32) or 1e-6 (float64) however small it is: near zero, where rounding would show, it is
        computed again in float64, and below that without cancellation.

    Raises:
        InputError: If the tables do not have one row per context and token of the population, or kernels are
            asked for where there are none.

    Example:
        >>> from linrep.worlds.concepts import from_tables
        >>> from linrep.worlds.contexts import world
        >>> coin = Population.of([world(from_tables(["a"], {"a": [[0.5, 0.5]]}))])
        >>> gradient = population_gradient(coin, torch.zeros(1, 3, 2).double(), torch.zeros(1, 2, 2).double())
        >>> [round(loss, 4) for loss in gradient.excess_loss.tolist()]
        [0.4621]
    """
    gradient_f, gradient_g, divergence = _gradients(
        population, embedding, unembedding, method, normaliser=True
    )
    assert divergence is not None
    return PopulationGradient(
        excess_loss=_resolved(population, embedding, unembedding, divergence),
        embedding=gradient_f,
        unembedding=gradient_g,
    )


def table_gradients(
    population: Population,
    embedding: Float[Tensor, "runs contexts dim"],
    unembedding: Float[Tensor, "runs tokens dim"],
    *,
    method: Method = "auto",
    out: Room = (None, None),
) -> tuple[Float[Tensor, "runs contexts dim"], Float[Tensor, "runs tokens dim"]]:
    """The gradients alone, for a training step that does not ask for the loss.

    Args:
        population: The exact targets.
        embedding: F.
        unembedding: G.
        method: As for :func:`population_gradient`.
        out: Where to write them, as columns.

    Returns:
        The gradients with respect to F and G.

    Raises:
        InputError: If the tables do not have one row per context and token of the population.
    """
    return _gradients(population, embedding, unembedding, method, normaliser=False, out=out)[:2]


def quickest(runs: int, contexts: int, tokens: int, dtype: torch.dtype) -> Literal["dense", "fused"]:
    """The form of the gradient that "auto" takes for tables of these sizes, where there are no kernels."""
    stored = runs * contexts * tokens * dtype.itemsize
    return "dense" if contexts * tokens <= DENSE_UP_TO and stored <= MOST_STORED else "fused"


def _gradients(
    population: Population,
    f: Tensor,
    g: Tensor,
    method: Method,
    *,
    normaliser: bool,
    out: Room = (None, None),
) -> tuple[Tensor, Tensor, Tensor | None]:
    if f.shape[:2] != population.weights.shape or g.shape[:2] != population.token_index.shape:
        expected = (*population.weights.shape, population.token_index.shape[1])
        got = (*f.shape[:2], g.shape[1])
        raise InputError(
            f"tables: expected (runs, contexts, tokens) = {expected}, got {got}; use this population's"
        )
    if method == "auto" and card.usable(population, f.shape[2]):
        method = "kernels"
    if method == "kernels":
        return _on_card(population, f, g, normaliser, out)
    if method == "auto":
        method = quickest(len(f), f.shape[1], g.shape[1], f.dtype)
    # As columns, in which all that follows is fastest.
    gradient_f, gradient_g, divergence = (
        _dense(population, f, g, normaliser, out) if method == "dense" else _fused(population, f, g, out)
    )
    return gradient_f.mT, population.shard.team.total(gradient_g).mT, divergence


def _on_card(
    population: Population, f: Tensor, g: Tensor, normaliser: bool, out: Room
) -> tuple[Tensor, Tensor, Tensor | None]:
    if f.shape[2] not in population.cards:
        card.require(population, f.shape[2])
        population.cards[f.shape[2]] = card.CardGradient(population, f.shape[2])
    gradient_f, gradient_g, divergence = population.cards[f.shape[2]](f, g, normaliser=normaliser, out=out)
    gradient_g = population.shard.team.total(gradient_g)
    return _in(out[0], gradient_f), _in(out[1], gradient_g), divergence


def _in(columns: Tensor | None, rows: Tensor) -> Tensor:
    """In its place, if there is one and it is not there yet."""
    if columns is None or columns.data_ptr() == rows.data_ptr():
        return rows
    return columns.copy_(rows.mT).mT


def _dense(
    population: Population, f: Tensor, g: Tensor, normaliser: bool, out: Room
) -> tuple[Tensor, Tensor, Tensor | None]:
    weights, minus_target = population.row("weights", f.dtype).mT, population.minus_weighted_conditional
    mask = None if population.token_mask is None else population.token_mask.unsqueeze(1)
    gradient_f, gradient_g, log_sum = residual_sums(
        f, g, weights, minus_target.to(f.dtype), mask, normaliser=normaliser, out=out
    )
    divergence = None
    if log_sum is not None:
        # The lower bound s(d) = f(d)·(PG)(d) + H(d) of the log-sum-exp.
        bound = (f * population.conditional_mean(g)).sum(-1) + population.entropy.to(f.dtype)
        divergence = log_sum - bound
    return gradient_f, gradient_g, divergence


def _fused(
    population: Population, f: Tensor, g: Tensor, out: Room = (None, None)
) -> tuple[Tensor, Tensor, Tensor]:
    contexts, dim = f.shape[1:]
    weights = population.row("weights", f.dtype)
    mean_key = population.conditional_mean(g).mT
    # Contexts lie along the last axis from here on: long rows are what the kernels want.
    query, key = _queries(population, f, mean_key), _keys(population, g)
    # Weights of order one: those of many contexts times small probabilities would be subnormal in float32.
    mean, total, divergence = softmax_sums(query, (weights * contexts).squeeze(1), key, dim)
    gradient_f = torch.mul(mean.sub_(mean_key), weights, out=out[0])
    target = population.conditional_mean_transpose(query[:, :dim].mT).mT
    gradient_g = torch.sub(total / contexts, target, out=out[1])
    if population.token_mask is not None:
        gradient_g.mul_(population.token_mask.unsqueeze(1))
    return gradient_f, gradient_g, divergence


def _queries(
    population: Population, f: Tensor, mean_key: Float[Tensor, "runs dim contexts"]
) -> Float[Tensor, "runs wide contexts"]:
    """What :func:`softmax_sums` takes: f, minus s(d), and ones where tokens are masked."""
    runs, contexts, dim = f.shape
    query = f.new_empty(runs, dim + 1 if population.token_mask is None else dim + 2, contexts)
    query[:, :dim] = f.mT
    shift = (query[:, :dim] * mean_key).sum(1, keepdim=True)
    torch.add(shift, population.row("entropy", f.dtype), out=query[:, dim : dim + 1]).neg_()
    query[:, dim + 1 :] = 1
    return query


def _keys(population: Population, g: Tensor) -> Float[Tensor, "runs wide tokens"]:
    """What :func:`softmax_sums` takes: g, ones, and what keeps masked tokens out."""
    runs, tokens, dim = g.shape
    key = g.new_empty(runs, dim + 1 if population.token_mask is None else dim + 2, tokens)
    key[:, :dim] = g.mT
    key[:, dim] = 1
    if population.token_mask is not None:
        key[:, dim + 1] = torch.where(population.token_mask, 0.0, -1e30)
    return key


def _resolved(population: Population, f: Tensor, g: Tensor, divergence: Tensor) -> Float[Tensor, " runs"]:
    """The mean divergence, computed again by a better form in the runs where rounding would show."""
    loss = population.shard.team.total((population.weights * divergence.double()).sum(-1))
    unresolved = (loss < _resolution(population, f, g)).nonzero()[:, 0]
    if not len(unresolved):
        return loss
    few, f, g = population.select(unresolved).to(dtype=torch.float64), f[unresolved], g[unresolved]
    if f.dtype == torch.float64:
        better = accurate_excess_loss(few, f, g)
    else:
        f, g = f.double(), g.double()
        better = _resolved(few, f, g, _fused(few, f, g)[2])
    return loss.index_copy(0, unresolved, better)


def _resolution(population: Population, f: Tensor, g: Tensor) -> Float[Tensor, " runs"]:
    """The excess loss below which the plain form may exceed its tolerance."""
    epsilon = torch.finfo(f.dtype).eps
    size = f.double().norm(dim=-1) * g.double().norm(dim=-1).amax(-1, keepdim=True)
    logits = population.shard.team.total((population.weights * (1 + size + population.entropy)).sum(-1))
    return ROUNDINGS * epsilon / PLAIN_TOLERANCE.get(f.dtype, 1e-3) * logits
