r"""A wide start: the valley is found where there is room, and the tables are then cut to their width.

From a small random start at width k = m descent often ends in a valley that is not the lowest. Under a ridge,
tables of ample width have none: :math:`\frac12 (\|F\|^2 + \|G\|^2)` is then the nuclear norm of the logits,
and the problem is convex in these. So twice the width descends for a while under a ridge; of the logits, with
G centred, the k largest singular directions are kept, each singular value shared evenly: the balanced gauge.
"""

from collections.abc import Callable, Iterable, Sequence

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

Watch = Callable[[], None]


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
) -> tuple[Float[Tensor, "runs contexts dim"], Float[Tensor, "runs tokens dim"]]:
    """Of several wide starts of each run the one that Newton's method brings lowest under a ridge.

    Args:
        population: The batch of runs, all of it in this process.
        dim: k.
        init_scale: Of :func:`wide_start`.
        generators: For each start, one a run.
        method: Form of the gradient.
        watch: Called before every step; it may raise, for none of this is kept.

    Returns:
        Tables as they were cut, before the way down; one start alone is taken unseen.
    """

    def begun(draws: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        return wide_start(
            population, dim, init_scale=init_scale, generators=draws, method=method, watch=watch
        )

    first = begun(generators[0])
    if len(generators) == 1:
        return first
    best, (f, g) = _depth(population, *first, watch), first
    for draws in generators[1:]:
        other_f, other_g = begun(draws)
        depth = _depth(population, other_f, other_g, watch)
        lower = (depth < best)[:, None, None]
        best = torch.minimum(best, depth)
        f, g = torch.where(lower, other_f, f), torch.where(lower, other_g, g)
    return f, g


def _depth(population: Population, f: Tensor, g: Tensor, watch: Watch) -> Tensor:
    """The loss with its ridge where the way down from here comes to."""
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
) -> tuple[Float[Tensor, "runs contexts dim"], Float[Tensor, "runs tokens dim"]]:
    """Tables to begin from, in the balanced gauge, G centred.

    Args:
        population: The batch of runs, all of it in this process.
        dim: k, the width to be trained at.
        init_scale: Standard deviation of the normal start at twice the width.
        generators: One a run.
        method: Form of the gradient.
        watch: As there.

    Returns:
        F and G in the population's dtype; padding is 0.
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
    for _ in range(STEPS):
        watch()
        descent.step()
    contexts, tokens = population.weights > 0, population.token_mask
    f = state.embedding * contexts.unsqueeze(-1)
    g = state.unembedding
    if tokens is None:
        g = g - g.mean(1, keepdim=True)
    else:
        g = g * tokens.unsqueeze(-1)
        g = (g - g.sum(1, keepdim=True) / tokens.sum(1)[:, None, None]) * tokens.unsqueeze(-1)
    f, g = balanced(f, g, dim)
    return f.to(population.dtype), g.to(population.dtype)
