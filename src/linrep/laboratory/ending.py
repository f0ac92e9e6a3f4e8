"""How training came to its end, run by run: the numbers by which a run is later called converged or not."""

import torch
from torch import Tensor

from linrep.geometry.recording import spread_record
from linrep.population.gradient import Method, Population, population_gradient
from linrep.runs.summary import Ending
from linrep.training.state import State
from linrep.training.until import gradient_nats


def ending(population: Population, state: State, method: Method) -> Ending:
    """What the last step left. Every rank has a part in it, and its result.

    Args:
        population: This rank's targets.
        state: This rank's, after training.
        method: Form of the gradient.
    """
    f, g = state.embedding, state.unembedding
    found = population_gradient(population, f, g, method=method)
    team = population.shard.team
    gradient = gradient_nats((found.embedding, found.unembedding), (f, g), team)
    squares = team.total(f.double().square().sum((1, 2))) + g.double().square().sum((1, 2))

    def spread(per_run: Tensor) -> Tensor:
        return per_run.detach().to("cpu", torch.float64).where(state.alive.cpu(), torch.nan)

    adaptive = state.adaptive
    kept = {name: spread_record(spread(adaptive[name])) for name in ("ridge", "time") if name in adaptive}
    return Ending(
        gradient_nats=spread_record(spread(gradient)),
        norm=spread_record(spread(squares.sqrt())),
        ended_at=tuple(None if step < 0 else step for step in state.ended_at.tolist()),
        **kept,
    )
