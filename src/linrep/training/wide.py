r"""A wide start: the valley is found where there is room, and the tables are then cut to their width.

From a small random start at width k = m descent often ends in a valley that is not the lowest. Under a ridge,
tables of ample width have none: :math:`\frac12 (\|F\|^2 + \|G\|^2)` is then the nuclear norm of the logits,
and the problem is convex in these. So twice the width descends for a while under a ridge; of the logits, with
G centred, the k largest singular directions are kept, each singular value shared evenly: the balanced gauge.

The cut is a linear map of the wide tables, near an orthogonal projection: looks at G on the way down, cut
by that very map show how the tables that training begins with came about.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.linalg import balanced
from linrep.population.gradient import Method, Population
from linrep.training.encoder import Table
from linrep.training.monotone import Monotone
from linrep.training.newton import Newton
from linrep.training.state import State, start
from linrep.training.until import Until

TIMES_AS_WIDE = 2
STEPS = 300
RIDGE = 0.1
"""λ for each context. Without it half as many skewed worlds end below 1e-3 nats, with ten times as much the
tables are too short to tell directions apart."""
SCOUT_STEPS, SCOUT_RIDGE, SCOUT_GRADIENT = 40, 1e-3, 1e-3
"""Of the way down by which starts are compared: most steps, its ridge, and the gradient at which it ends."""

LOST = 1e-12
"""Relative to a run's largest singular value: what is smaller is a direction that is not there."""

Watch = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Tables to begin from, in the balanced gauge, G centred, in the population's dtype; padding is 0."""

    embedding: Float[Tensor, "runs contexts dim"]
    unembedding: Float[Tensor, "runs tokens dim"]
    looks: Float[Tensor, "looks kept tokens dim"]
    """G of the first runs on the way down, centred and cut by the map that cuts its last; on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """When to look at G on the way down."""

    steps: tuple[int, ...] = ()
    """0 is the random start; after :data:`STEPS` the tables are cut."""
    kept: int = 0
    """Of how many first runs."""


UNSEEN = Looks()


def _unwatched() -> None:
    return


def best_wide_start(
    population: Population,
    dim: int,
    *,
    init_scale: float,
    generators: Sequence[Sequence[torch.Generator]],
    method: Method = "auto",
    watch: Watch = _unwatched,
    looks: Looks = UNSEEN,
) -> Cut:
    """Of several wide starts of each run the one that Newton's method brings lowest under a ridge.

    Args:
        population: The batch of runs, all of it in this process.
        dim: k.
        init_scale: Of :func:`wide_start`.
        generators: For each start, one a run.
        method: Form of the gradient.
        watch: Called before every step; it may raise, for none of this is kept.
        looks: When to look at G; each run's are those of the start that was taken.

    Returns:
        Tables as they were cut, before the way down; one start alone is taken unseen.
    """

    def begun(draws: Sequence[torch.Generator]) -> Cut:
        return wide_start(
            population,
            dim,
            init_scale=init_scale,
            generators=draws,
            method=method,
            watch=watch,
            looks=looks,
        )

    taken = begun(generators[0])
    if len(generators) == 1:
        return taken
    best = _depth(population, taken, watch)
    for draws in generators[1:]:
        other = begun(draws)
        depth = _depth(population, other, watch)
        lower = (depth < best)[:, None, None]
        best = torch.minimum(best, depth)
        taken = Cut(
            embedding=torch.where(lower, other.embedding, taken.embedding),
            unembedding=torch.where(lower, other.unembedding, taken.unembedding),
            looks=torch.where(lower[: looks.kept].cpu(), other.looks, taken.looks),
        )
    return taken


def _depth(population: Population, cut: Cut, watch: Watch) -> Tensor:
    """The loss with its ridge where the way down from here comes to."""
    f, g = cut.embedding, cut.unembedding
    state = State(
        step=0,
        encoder=Table(f.shape[1], f.shape[2], init_scale=1.0),
        parameters=[f.double().clone()],
        unembedding=g.double().clone(),
        moments=[],
        order=torch.Generator(),
        order_before=torch.Generator().get_state(),
        diverged_at=torch.full((len(f),), -1, dtype=torch.int64, device=f.device),
        adaptive=Newton.fresh(len(f), f.device),
    )
    newton = Newton(population, state, ridge=SCOUT_RIDGE, until=Until(gradient=SCOUT_GRADIENT))
    while state.step < SCOUT_STEPS and not state.over:
        watch()
        newton.step()
    return newton.objective(torch.full((len(f),), SCOUT_RIDGE, dtype=torch.float64, device=f.device))


def wide_start(
    population: Population,
    dim: int,
    *,
    init_scale: float,
    generators: Iterable[torch.Generator],
    method: Method = "auto",
    watch: Watch = _unwatched,
    looks: Looks = UNSEEN,
) -> Cut:
    """Tables to begin from, and how they came about.

    Args:
        population: The batch of runs, all of it in this process.
        dim: k, the width to be trained at.
        init_scale: Standard deviation of the normal start at twice the width.
        generators: One a run.
        method: Form of the gradient.
        watch: As there.
        looks: As there.
    """
    precise = population.to(dtype=torch.float64)
    state = start(
        precise,
        TIMES_AS_WIDE * dim,
        init_scale=init_scale,
        optimizer="gd",
        generators=generators,
        order=torch.Generator(),
        adaptive=Monotone.fresh(population.runs, population.device),
    )
    descent = Monotone(precise, state, method, ridge=RIDGE)
    seen: list[Tensor] = []
    for step in range(STEPS + 1):
        if step in looks.steps:
            seen.append(state.unembedding[: looks.kept].to("cpu", torch.float32, copy=True))
        if step < STEPS:
            watch()
            descent.step()
    wide_f = state.embedding * (population.weights > 0).unsqueeze(-1)
    f, g = balanced(wide_f, _centred(state.unembedding, population.token_mask), dim)
    kept = None if population.token_mask is None else population.token_mask[: looks.kept].cpu()
    cut = _cutting(wide_f[: looks.kept], f[: looks.kept]).cpu()
    shown = [(_centred(each.double(), kept) @ cut).float() for each in seen]
    return Cut(
        embedding=f.to(population.dtype),
        unembedding=g.to(population.dtype),
        looks=torch.stack(shown) if shown else torch.zeros(0, *g[: looks.kept].shape),
    )


def _centred(g: Tensor, tokens: Tensor | None) -> Tensor:
    """G less its mean over each run's tokens; padding is 0."""
    if tokens is None:
        return g - g.mean(1, keepdim=True)
    g = g * tokens.unsqueeze(-1)
    return (g - g.sum(1, keepdim=True) / tokens.sum(1)[:, None, None]) * tokens.unsqueeze(-1)


def _cutting(wide_f: Tensor, f: Tensor) -> Float[Tensor, "runs wide dim"]:
    r"""The map :math:`A = F^\top f (f^\top f)^{-1}` with :math:`G A = g`: of wide, centred G the cut one.

    For :math:`F G^\top = U S V^\top` is cut to :math:`f = U_k S_k^{1/2}`, so that
    :math:`G A = V S U^\top U_k S_k^{-1/2} = V_k S_k^{1/2} = g`.
    """
    values = f.square().sum(1, keepdim=True)
    there = values > LOST * values.amax(2, keepdim=True)
    return torch.where(there, (wide_f.mT @ f) / torch.where(there, values, 1.0), 0.0)
