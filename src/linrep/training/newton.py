r"""Gauss–Newton on both tables along a falling ridge: the bottom of worlds in which descent crawls.

Where probabilities are skewed the loss is a thousand times flatter in some directions than in others, and
every rule that follows the gradient alone stays unfinished. Here each step solves the model that is quadratic
in both tables,

.. math::

    J = \sum_d C\, \omega(d)\, \mathrm{KL}(d) + \frac{\lambda}{2} \big( \|F\|^2 + \|G\|^2 \big),

C contexts, the curvature of the logits' softmax left exact and that of the product f·g left out. The f(d) do
not meet in it: each is eliminated by itself (k unknowns), and what remains for G is one system of T·k
unknowns, :math:`\sum_d K_d \otimes f(d) f(d)^\top + \lambda`, with K_d of T × T. A step is taken if J falls,
with Levenberg's damping in each run by itself.

The ridge falls as J does. Its end is in the state: at equal loss, tables under a larger ridge are shorter and
straighter, and where a context excludes a token they would grow without end as the ridge goes to 0. At rest J
balances both tables, :math:`F^\top F = G^\top G`, with G centred.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.population.gradient import Population
from linrep.population.residuals import Block, Residuals
from linrep.training.state import State, not_ended
from linrep.training.until import Until, gradient_nats

FIRST_RIDGE, LAST_RIDGE = 0.1, 1e-6
"""λ at the first step, that of a wide start; and where the path ends unless told otherwise."""
FALL = 10**-0.1
"""Of the ridge, after a step taken near the path."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-9, 1e9
SUFFICIENT = 1e-4
"""Share of the promised fall that a step must bring."""
BLOCK = 2**21
"""Numbers of the K_d of all runs held at once, float64."""
MOST_UNKNOWNS = 4096
"""T·k up to which a system of them is formed and solved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The quadratic model at a point, F eliminated."""

    slope_f: Float64[Tensor, "runs contexts dim"]
    slope_g: Float64[Tensor, "runs tokens dim"]
    factor: Float64[Tensor, "runs contexts dim dim"]
    """Cholesky factors of each f(d)'s own block."""
    cross: Float64[Tensor, "runs contexts dim tokens"]
    """Between f(d) and g(c): column c times f(d)ᵀ."""
    system: Float64[Tensor, "runs unknowns unknowns"]
    right: Float64[Tensor, "runs unknowns"]


class GaussNewton:
    """Moves every run that has not ended to a lower J; never up.

    Args:
        population: The batch of runs, all of it in this process.
        state: A table of embeddings, float64; its ``adaptive`` numbers are from :func:`fresh`.
        ridge: λ at which the path ends.
        until: A run ends where its excess loss is this small and it is at rest: the gradient of J is. At the
            end of the path rest alone ends it.

    Raises:
        InputError: More unknowns than a system is solved for.
    """

    def __init__(self, population: Population, state: State, *, ridge: float, until: Until) -> None:
        tokens, dim = state.unembedding.shape[1:]
        if tokens * dim > MOST_UNKNOWNS:
            raise InputError(
                f"Gauss-Newton: expected at most {MOST_UNKNOWNS} unknowns, got {tokens} tokens × {dim} "
                "dimensions; choose training.optimizer = 'gd', or model.starts = 1"
            )
        self.population, self.state, self.last_ridge, self.until = population, state, ridge, until
        self.residuals = Residuals(population, logits=max(1, BLOCK // population.token_index.shape[1]))
        self.contexts = (population.weights > 0).sum(-1).double()
        self.excess, self.gradient = self._measured(*self.state.trained)
        self._end()

    @staticmethod
    def fresh(runs: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
        """What a state keeps for it: ridge and damping."""
        one = torch.ones(runs, dtype=torch.float64, device=device)
        return {"ridge": FIRST_RIDGE * one, "damping": FIRST_DAMPING * one} | not_ended(runs, device)

    @property
    def objective(self) -> Float64[Tensor, " runs"]:
        """J of every run at its present ridge."""
        return self._objective(self.excess, *self.state.trained)

    def step(self) -> None:
        """One system solved, one step tried in each run."""
        state, (f, g) = self.state, self.state.trained
        ridge, damping = state.adaptive["ridge"], state.adaptive["damping"]
        model = self._model(f, g)
        step_f, step_g, solved = _solved(f, model)
        promised = (model.slope_f * step_f).sum((1, 2)) + (model.slope_g * step_g).sum((1, 2))
        new_f, new_g = f - step_f, g - step_g
        excess, gradient = self._measured(new_f, new_g)
        fall = self._objective(self.excess, f, g) - self._objective(excess, new_f, new_g)
        moving = state.under_way
        taken = moving & solved & (promised > 0) & (fall >= SUFFICIENT * promised)
        at = taken[:, None, None]
        f.copy_(torch.where(at, new_f, f))
        g.copy_(torch.where(at, new_g, g))
        self.excess = torch.where(taken, excess, self.excess)
        self.gradient = torch.where(taken, gradient, self.gradient)
        # A whole step promises half of slope · step.
        faithful = fall / promised * 2
        change = torch.where(faithful > 0.75, 1 / 3, torch.where(faithful > 0.25, 1.0, 3.0))
        change = torch.where(taken, change, 3.0)
        damping.copy_(torch.where(moving, (damping * change).clamp(LEAST_DAMPING, MOST_DAMPING), damping))
        state.step += 1
        self._end()
        # Near the path alone: where J still pulls harder than its ridge, the loss has not caught up with it.
        pull = ridge / self.contexts * (f.square().sum((1, 2)) + g.square().sum((1, 2)))
        falls = taken & (self.gradient <= pull) & state.under_way & ~self._low()
        ridge.copy_(torch.where(falls, (ridge * FALL).clamp_min(self.last_ridge), ridge))

    def _low(self) -> Tensor:
        """Whether a run's loss is as small as was asked for, so that its ridge stays."""
        if self.until.excess is None:
            return torch.zeros_like(self.excess, dtype=torch.bool)
        return self.excess <= self.until.excess

    def _end(self) -> None:
        ridge = self.state.adaptive["ridge"]
        rest = Until(gradient=self.until.gradient).reached(self.excess, self.gradient)
        self.state.end(rest & (self._low() | (ridge <= self.last_ridge)) & self.state.alive)

    def _objective(self, excess: Tensor, f: Tensor, g: Tensor) -> Float64[Tensor, " runs"]:
        lengths = f.square().sum((1, 2)) + g.square().sum((1, 2))
        return self.contexts * excess + self.state.adaptive["ridge"] / 2 * lengths

    def _measured(self, f: Tensor, g: Tensor) -> tuple[Float64[Tensor, " runs"], Float64[Tensor, " runs"]]:
        """Excess loss, and the size of the gradient of J/C, both in nats."""
        found = self.residuals.gradient(f, g)
        pull = (self.state.adaptive["ridge"] / self.contexts)[:, None, None]
        slopes = (found.embedding + pull * f, found.unembedding + pull * g)
        return found.excess_loss, gradient_nats(slopes, (f, g))

    def _model(self, f: Tensor, g: Tensor) -> _Model:
        ridge = self.state.adaptive["ridge"]
        shift = ridge + self.state.adaptive["damping"]
        (runs, contexts, dim), tokens = f.shape, g.shape[1]
        slope_f, slope_g = ridge[:, None, None] * f, ridge[:, None, None] * g
        factor, cross = f.new_empty(runs, contexts, dim, dim), f.new_empty(runs, contexts, dim, tokens)
        upper = torch.triu_indices(dim, dim, device=f.device)
        products = f[..., upper[0]] * f[..., upper[1]]
        curvature, eliminated = f.new_zeros(runs, tokens**2, upper.shape[1]), torch.zeros_like(g)
        for block in self.residuals.blocks(f, g):
            rows, weights = block.rows, self.contexts[:, None] * block.weights
            pull = weights.unsqueeze(-1) * block.residual
            slope_f[:, rows] += pull @ g
            slope_g += pull.mT @ f[:, rows]
            factor[:, rows], cross[:, rows], left = _parts(block, weights, g, shift)
            curvature += left.flatten(2).mT @ products[:, rows]
            solved = torch.cholesky_solve(slope_f[:, rows].unsqueeze(-1), factor[:, rows])
            eliminated += (cross[:, rows] * solved).sum(2).mT @ f[:, rows]
        place = torch.zeros(dim, dim, dtype=torch.int64, device=f.device)
        place[upper[0], upper[1]] = place[upper[1], upper[0]] = torch.arange(upper.shape[1], device=f.device)
        system = curvature.view(runs, tokens, tokens, -1)[..., place].permute(0, 1, 3, 2, 4)
        system = system.reshape(runs, tokens * dim, tokens * dim)
        system.diagonal(dim1=-2, dim2=-1).add_(shift[:, None])
        return _Model(
            slope_f=slope_f,
            slope_g=slope_g,
            factor=factor,
            cross=cross,
            system=system,
            right=(slope_g - eliminated).flatten(1),
        )


def _parts(block: Block, weights: Tensor, g: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of some contexts: the factor of each one's own block, its cross block, and K_d."""
    predicted = (block.residual + block.target).clamp_min(0.0)
    mass = weights.unsqueeze(-1) * predicted
    mean = predicted @ g
    apart = g.unsqueeze(1) - mean.unsqueeze(2)
    cross = (mass.unsqueeze(-1) * apart).mT
    own = cross @ apart
    own.diagonal(dim1=-2, dim2=-1).add_(shift[:, None, None])
    factor = torch.linalg.cholesky_ex(own).L
    whitened = torch.linalg.solve_triangular(factor, cross, upper=False)
    # One product: K_d is the largest thing here, and every pass over it shows.
    joined = torch.cat([whitened, (weights.sqrt().unsqueeze(-1) * predicted).unsqueeze(2)], 2)
    left = joined.mT @ -joined
    left.diagonal(dim1=-2, dim2=-1).add_(mass)
    return factor, cross, left


def _solved(f: Tensor, model: _Model) -> tuple[Tensor, Tensor, Tensor]:
    """The step of both tables, to be subtracted, and where the system could be solved."""
    factor, failed = torch.linalg.cholesky_ex(model.system)
    step_g = torch.cholesky_solve(model.right.unsqueeze(-1), factor).view(model.slope_g.shape)
    across = (model.cross * (f @ step_g.mT).unsqueeze(2)).sum(-1)
    step_f = torch.cholesky_solve((model.slope_f - across).unsqueeze(-1), model.factor).squeeze(-1)
    return step_f, step_g, failed == 0
