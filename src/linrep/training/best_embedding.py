r"""The best embedding for an unembedding: with G fixed every f(d) is a convex problem by itself.

.. math::

    \min_F J(F, G), \qquad
    J = \sum_d C\, \omega(d)\, \mathrm{KL}(d) + \frac{\lambda}{2} \big( \|F\|^2 + \|G\|^2 \big),

C contexts. Each f(d) has k unknowns and meets no other, so Newton's method runs on many contexts at once,
each with its own line search; those that have arrived are left out.
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.population.residuals import Residuals, Target

MOST_STEPS, MOST_HALVINGS = 60, 20
"""Of one f(d), from a near start a handful is enough; of the length of one step."""
SUFFICIENT, SHRINK = 1e-4, 0.25
"""Share of the promised fall that a step must bring; what a length is multiplied by if not."""
ROUNDING = 1e-13
"""Of an objective: a smaller rise is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Tables whose F is best for their G, and J there."""

    embedding: Float64[Tensor, "runs contexts dim"]
    unembedding: Float64[Tensor, "runs tokens dim"]
    excess: Float64[Tensor, " runs"]
    """Nats."""
    objective: Float64[Tensor, " runs"]
    """J."""
    slope_f: Float64[Tensor, "runs contexts dim"]
    """Of J; what is left of it."""
    slope_g: Float64[Tensor, "runs tokens dim"]

    @property
    def squares(self) -> Float64[Tensor, " runs"]:
        """‖F‖² + ‖G‖²."""
        return self.embedding.square().sum((1, 2)) + self.unembedding.square().sum((1, 2))

    def where(self, runs: Bool[Tensor, " runs"], other: "Settled") -> "Settled":
        """These tables for some runs, those of another for the rest.

        Args:
            runs: Which ones stay.
            other: For the others.
        """

        def chosen(name: str) -> Tensor:
            mine, theirs = getattr(self, name), getattr(other, name)
            return torch.where(runs.view(-1, *[1] * (mine.ndim - 1)), mine, theirs)

        return Settled(**{each.name: chosen(each.name) for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contexts:
    """Some contexts of every run, and what their embeddings cost."""

    residuals: Residuals
    target: Target
    weights: Float64[Tensor, "runs rows"]
    g: Float64[Tensor, "runs tokens dim"]
    key: Float64[Tensor, "runs dim tokens"]
    ridge: Float64[Tensor, "runs 1"]

    def of(self, rows: Tensor) -> "_Contexts":
        return replace(self, target=self.target.of(rows), weights=self.weights[:, rows])

    def at(self, f: Tensor) -> "_Place":
        divergence, residual = self.residuals.against(self.target, f, self.key)
        cost = self.weights * divergence + self.ridge / 2 * f.square().sum(-1)
        return _Place(f=f, cost=cost, residual=residual)

    def newton(self, here: "_Place") -> tuple[Tensor, Tensor]:
        """Newton's step, to be subtracted, and twice the fall that it promises."""
        predicted = (here.residual + self.target.p).clamp_min_(0.0)
        own = self.weights[..., None, None] * covariance(predicted, self.g)
        own.diagonal(dim1=-2, dim2=-1).add_(self.ridge.unsqueeze(-1))
        slope = self.weights.unsqueeze(-1) * (here.residual @ self.g) + self.ridge.unsqueeze(-1) * here.f
        step = torch.cholesky_solve(slope.unsqueeze(-1), torch.linalg.cholesky_ex(own).L).squeeze(-1)
        return step, (slope * step).sum(-1)

    def lower(self, here: "_Place", step: Tensor, promised: Tensor) -> "_Place":
        """Along the step, as far as each context's cost falls."""
        length, low = torch.ones_like(promised), torch.zeros_like(promised, dtype=torch.bool)
        for _ in range(MOST_HALVINGS):
            there = self.at(here.f - length.unsqueeze(-1) * step)
            allowed = here.cost - SUFFICIENT * length * promised + ROUNDING * here.cost
            low = there.cost <= allowed
            if bool(low.all()):
                return there
            length = torch.where(low, length, length * SHRINK)
        return self.at(here.f - torch.where(low, length, 0.0).unsqueeze(-1) * step)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where some contexts are."""

    f: Float64[Tensor, "runs rows dim"]
    cost: Float64[Tensor, "runs rows"]
    """Share of J, without G's ridge."""
    residual: Float64[Tensor, "runs rows tokens"]

    def put(self, rows: Tensor, there: "_Place") -> None:
        """Take some contexts from elsewhere."""
        self.f[:, rows], self.cost[:, rows], self.residual[:, rows] = there.f, there.cost, there.residual


def covariance(
    predicted: Float64[Tensor, "runs rows tokens"], g: Float64[Tensor, "runs tokens dim"]
) -> Float64[Tensor, "runs rows dim dim"]:
    """Of g(c) as each context predicts c: the curvature of its softmax for f(d).

    Naively: ``einsum("rdc,rci,rcj->rdij", p, g, g) - einsum("rdi,rdj->rdij", p @ g, p @ g)``.

    Args:
        predicted: p̂.
        g: G.
    """
    dim = g.shape[2]
    pair = torch.triu_indices(dim, dim, device=g.device)
    mean = predicted @ g
    upper = predicted @ (g[..., pair[0]] * g[..., pair[1]])
    return square(upper - mean[..., pair[0]] * mean[..., pair[1]], dim)


def square(upper: Float64[Tensor, "*batch pairs"], dim: int) -> Float64[Tensor, "*batch dim dim"]:
    """A symmetric matrix from its upper triangle, row by row.

    Args:
        upper: In the order of ``torch.triu_indices``.
        dim: Of the matrix.

    Example:
        >>> square(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), 2)
        tensor([[1., 2.],
                [2., 3.]], dtype=torch.float64)
    """
    pair = torch.triu_indices(dim, dim, device=upper.device)
    place = torch.empty(dim, dim, dtype=torch.int64, device=upper.device)
    place[pair[0], pair[1]] = place[pair[1], pair[0]] = torch.arange(pair.shape[1], device=upper.device)
    return upper[..., place]


def _settled(contexts: _Contexts, f: Tensor, tolerance: Tensor) -> _Place:
    """Where these contexts cost least, each to within the tolerance."""
    everywhere = here = contexts.at(f.clone())
    rows = torch.arange(f.shape[1], device=f.device)
    for _ in range(MOST_STEPS):
        step, promised = contexts.newton(here)
        moving = promised > tolerance
        # A run must not depend on those beside it: of a context that only they move, it stays.
        step, promised = step * moving.unsqueeze(-1), promised * moving
        going = moving.any(0)
        if not bool(going.any()):
            break
        if not bool(going.all()):
            contexts, rows = contexts.of(going), rows[going]
            here = _Place(f=here.f[:, going], cost=here.cost[:, going], residual=here.residual[:, going])
            step, promised = step[:, going], promised[:, going]
        here = contexts.lower(here, step, promised)
        if len(rows) < f.shape[1]:
            everywhere.put(rows, here)
        else:
            everywhere = here
    return everywhere


class BestEmbedding:
    """Finds the F of least J for a G.

    Args:
        residuals: Of the population.
        weights: C·ω(d) of each context.
    """

    def __init__(self, residuals: Residuals, weights: Float64[Tensor, "runs contexts"]) -> None:
        self.residuals, self.weights = residuals, weights
        self.contexts = (weights > 0).sum(-1).double()

    def __call__(
        self,
        f: Float64[Tensor, "runs contexts dim"],
        g: Float64[Tensor, "runs tokens dim"],
        ridge: Float64[Tensor, " runs"],
        tolerance: Float64[Tensor, " runs"],
    ) -> Settled:
        """Move every f(d) to where J is least.

        Naively: ``scipy.optimize.minimize`` for each context.

        Args:
            f: Where to begin.
            g: Stays.
            ridge: λ of each run.
            tolerance: By how much J of a run may stay above the least, about.
        """
        found, slope_f = torch.empty_like(f), torch.empty_like(f)
        slope_g, costs = ridge[:, None, None] * g, torch.zeros_like(ridge)
        key = g.mT.contiguous()
        each = (tolerance / self.contexts)[:, None]
        for number, rows in enumerate(self.residuals.slices):
            weights = self.weights[:, rows]
            place = _settled(
                _Contexts(
                    residuals=self.residuals,
                    target=self.residuals.target(number),
                    weights=weights,
                    g=g,
                    key=key,
                    ridge=ridge[:, None],
                ),
                f[:, rows],
                each,
            )
            pull = weights.unsqueeze(-1) * place.residual
            found[:, rows] = place.f
            slope_f[:, rows] = pull @ g + ridge[:, None, None] * place.f
            slope_g.baddbmm_(pull.mT, place.f)
            costs += place.cost.sum(-1)
        return Settled(
            embedding=found,
            unembedding=g,
            excess=(costs - ridge / 2 * found.square().sum((1, 2))) / self.contexts,
            objective=costs + ridge / 2 * g.square().sum((1, 2)),
            slope_f=slope_f,
            slope_g=slope_g,
        )
