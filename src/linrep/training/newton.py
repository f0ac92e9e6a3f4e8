r"""Newton's method along a falling ridge: the bottom of worlds in which descent crawls.

Where probabilities are skewed the loss is a thousand times flatter in some directions than in others, and
every rule that follows the gradient alone stays unfinished. Under a ridge,

.. math::

    J = \sum_d C\, \omega(d)\, \mathrm{KL}(d) + \frac{\lambda}{2} \big( \|F\|^2 + \|G\|^2 \big),

C contexts, every f(d) is a convex problem by itself for a given G. So F is always the best for its G, and
what is minimised is :math:`\Phi(G) = \min_F J`, of T·k unknowns, with its exact Hessian. Where that curves
downwards, at the many saddles between valleys, the step goes down as far as it would go up (the absolute
value of each eigenvalue is taken), with a damping of each run that grows until Φ falls: a step is taken only
then.

The ridge falls as Φ does. Its end is in the state: at equal loss, tables under a larger ridge are shorter and
straighter, and where a context excludes a token they would grow without end as the ridge goes to 0. At rest J
balances both tables, :math:`F^\top F = G^\top G`, with G centred.

References:
    Dauphin et al., *Identifying and attacking the saddle point problem*, 2014 (absolute eigenvalues); Golub
    and Pereyra, 1973 (one block of unknowns eliminated).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.population.gradient import Population
from linrep.population.residuals import Residuals
from linrep.training.best_embedding import BestEmbedding, Settled
from linrep.training.curvature import curvature
from linrep.training.state import State, not_ended
from linrep.training.until import Until, gradient_nats

FIRST_RIDGE, LAST_RIDGE = 0.1, 1e-6
"""λ at the first step, that of a wide start; and where the path ends unless told otherwise."""
FALL = 10**-0.3
"""Of the ridge, after a step taken near the path."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-10, 1e8
"""As a share of the largest absolute curvature."""
REFUSED_DAMPING = 1e-6
"""And at the least once a step was refused."""
MOST_TRIES = 12
"""Dampings tried with one Hessian."""
SUFFICIENT = 1e-3
"""Share of the promised fall that a step must bring."""
SETTLED, FIRST_SETTLED = 1e-4, 1e-10
"""How near to its least J under F must be: as a share of what the step promises; and at first, of J."""
ROUNDING = 1e-14
"""Of J: nearer than that nothing can be told."""
MOST_UNKNOWNS = 4096
"""T·k up to which a Hessian is formed and its eigenvectors are found: some seconds a step at 2048, half a
minute at 4096."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """Φ to second order, in its own axes."""

    values: Float64[Tensor, "runs unknowns"]
    vectors: Float64[Tensor, "runs unknowns unknowns"]
    slope: Float64[Tensor, "runs unknowns"]
    """Along each vector."""
    scale: Float64[Tensor, " runs"]
    """The largest absolute curvature, in whose unit the damping is kept."""

    def step(self, damping: Float64[Tensor, " runs"]) -> tuple[Tensor, Float64[Tensor, " runs"]]:
        """The move of G, flat, and the fall of Φ that the model promises."""
        length = -self.slope / (self.values.abs() + (damping * self.scale)[:, None])
        # Never negative: no step is longer than to where an upward curve turns. At rest nothing is promised.
        promised = -(length * (self.slope + self.values * length / 2)).sum(-1)
        return (self.vectors @ length.unsqueeze(-1)).squeeze(-1), promised


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The runs that move, and what is needed to move them."""

    runs: Int64[Tensor, " moving"]
    population: Population
    residuals: Residuals
    weights: Float64[Tensor, "moving contexts"]
    """C·ω(d)."""
    best: BestEmbedding

    @classmethod
    def of(cls, population: Population, runs: Int64[Tensor, " moving"]) -> "_Batch":
        """Some of the runs."""
        chosen = population.select(runs)
        weights = (chosen.weights > 0).sum(-1, keepdim=True) * chosen.weights
        residuals = Residuals(chosen)
        best = BestEmbedding(residuals, weights)
        return cls(runs=runs, population=chosen, residuals=residuals, weights=weights, best=best)

    def model(self, here: Settled, ridge: Float64[Tensor, " moving"]) -> _Model:
        """Φ to second order."""
        hessian = curvature(self.residuals, self.weights, here.embedding, here.unembedding, ridge)
        values, vectors = torch.linalg.eigh(hessian)
        slope = (vectors.mT @ here.slope_g.flatten(1).unsqueeze(-1)).squeeze(-1)
        return _Model(values=values, vectors=vectors, slope=slope, scale=values.abs().amax(-1))

    def lower(
        self, here: Settled, ridge: Float64[Tensor, " moving"], damping: Float64[Tensor, " moving"]
    ) -> tuple[Settled, Float64[Tensor, " moving"]]:
        """Where a step lowers J, or here if none does; and the damping to go on with."""
        model, mask = self.model(here, ridge), self.population.token_mask
        there, faithful = here, torch.zeros_like(ridge)
        for _ in range(MOST_TRIES):
            move, promised = model.step(damping)
            move = move.view_as(here.unembedding)
            g = here.unembedding + (move if mask is None else move * mask.unsqueeze(-1))
            tried = self.best(here.embedding, g, ridge, SETTLED * promised + ROUNDING * here.objective)
            share = (here.objective - tried.objective) / promised.clamp_min(torch.finfo(promised.dtype).tiny)
            fits = (faithful == 0) & (share > SUFFICIENT)
            there, faithful = there.where(~fits, tried), torch.where(fits, share, faithful)
            refused = faithful == 0
            if not bool(refused.any()):
                break
            damping = torch.where(refused, (damping * 5).clamp(REFUSED_DAMPING, MOST_DAMPING), damping)
        less, more = (faithful > 0.75).double(), ((faithful > 0) & (faithful <= 0.25)).double()
        changed = damping * (1 - 0.8 * less) * (1 + 3 * more)
        return there, changed.clamp(LEAST_DAMPING, MOST_DAMPING)


class Newton:
    """Moves every run that has not ended to a lower J; never up.

    Args:
        population: The batch of runs, all of it in this process.
        state: A table of embeddings, float64; its ``adaptive`` numbers are from :func:`fresh`.
        ridge: λ at which the path ends.
        until: A run ends where its excess loss is this small and it is at rest: the gradient of J is. At the
            end of the path rest alone ends it.

    Raises:
        InputError: More unknowns than a Hessian is formed for.
    """

    def __init__(self, population: Population, state: State, *, ridge: float, until: Until) -> None:
        tokens, dim = state.unembedding.shape[1:]
        if tokens * dim > MOST_UNKNOWNS:
            raise InputError(
                f"newton: expected at most {MOST_UNKNOWNS} unknowns, got {tokens} tokens × {dim} "
                "dimensions; choose training.optimizer = 'gd', or model.starts = 1"
            )
        self.population, self.state, self.last_ridge, self.until = population, state, ridge, until
        self.contexts = (population.weights > 0).sum(-1).double()
        self.batch = _Batch.of(population, torch.arange(population.runs, device=population.device))
        f, g = state.trained
        found = self.batch.residuals.gradient(f, g)
        pull = (state.adaptive["ridge"] / self.contexts)[:, None, None]
        self.excess = found.excess_loss
        self.gradient = gradient_nats((found.embedding + pull * f, found.unembedding + pull * g), (f, g))
        self._end()

    @staticmethod
    def fresh(runs: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """What a state keeps for it: ridge and damping."""
        one = torch.ones(runs, dtype=torch.float64, device=device)
        return {"ridge": FIRST_RIDGE * one, "damping": FIRST_DAMPING * one} | not_ended(runs, device)

    def objective(self, ridge: Float64[Tensor, " runs"]) -> Float64[Tensor, " runs"]:
        """J of every run as it stands.

        Args:
            ridge: λ of each run.
        """
        f, g = self.state.trained
        return self.contexts * self.excess + ridge / 2 * (f.square().sum((1, 2)) + g.square().sum((1, 2)))

    def step(self) -> None:
        """One Hessian; of each run the longest step tried that lowers J."""
        state, under_way = self.state, self.state.under_way.nonzero().flatten()
        if not torch.equal(under_way, self.batch.runs):
            self.batch = _Batch.of(self.population, under_way)
        runs = self.batch.runs
        ridge, damping = (state.adaptive[name][runs] for name in ("ridge", "damping"))
        f, g = (table[runs] for table in state.trained)
        # The ridge may just have fallen, and F with G come from elsewhere.
        here = self.batch.best(f, g, ridge, FIRST_SETTLED * self.objective(state.adaptive["ridge"])[runs])
        there, damping = self.batch.lower(here, ridge, damping)
        for table, new in zip(state.trained, (there.embedding, there.unembedding), strict=True):
            table[runs] = new
        contexts = self.contexts[runs, None, None]
        slopes = (there.slope_f / contexts, there.slope_g / contexts)
        self.excess[runs] = there.excess
        self.gradient[runs] = gradient_nats(slopes, (there.embedding, there.unembedding))
        state.adaptive["damping"][runs] = damping
        state.step += 1
        self._end()
        # Near the path alone: where J still pulls harder than its ridge, the loss has not caught up with it.
        pull = ridge / self.contexts[runs] * there.squares
        falls = (self.gradient[runs] <= pull) & (state.under_way & ~self._low())[runs]
        state.adaptive["ridge"][runs] = torch.where(falls, (ridge * FALL).clamp_min(self.last_ridge), ridge)

    def _low(self) -> Tensor:
        """Whether a run's loss is as small as was asked for, so that its ridge stays."""
        if self.until.excess is None:
            return torch.zeros_like(self.excess, dtype=torch.bool)
        return self.excess <= self.until.excess

    def _end(self) -> None:
        ridge = self.state.adaptive["ridge"]
        rest = Until(gradient=self.until.gradient).reached(self.excess, self.gradient)
        self.state.end(rest & (self._low() | (ridge <= self.last_ridge)) & self.state.alive)
