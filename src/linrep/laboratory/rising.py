"""Fixed steps under which the loss rises: how often, and up to which step it would not have."""

import torch
from torch import Tensor

from linrep.geometry.recording import spread_record
from linrep.laboratory.trajectory import begun
from linrep.population.gradient import Population
from linrep.runs.config import Config
from linrep.runs.summary import RISES_LONG, Rises
from linrep.training.monotone import Monotone
from linrep.training.rising import LOOKED, ROSE
from linrep.training.sharpness import stable_step
from linrep.training.state import State


def rises(config: Config, population: Population, state: State) -> Rises | None:
    """What was counted over training; None where steps are not fixed ones of gradient descent.

    Every rank has a part in it, and its result.

    Args:
        config: Resolved.
        population: This rank's targets.
        state: This rank's, after training.
    """
    if ROSE not in state.adaptive:
        return None
    rose, looked = (_where_alive(state, name) for name in (ROSE, LOOKED))
    share = rose / looked.clamp_min(1).where(looked > 0, torch.nan)
    found = Rises(share=spread_record(share), steps_looked_at=int(looked.nan_to_num().max()))
    if not bool((share >= RISES_LONG).any()) or config.model.encoder != "table":
        return found
    start = begun(config, population)
    start.adaptive = Monotone.fresh(population.runs, population.device)
    stable = stable_step(population, start, state.step, config.compute.method)
    return found.model_copy(
        update={"stable_step_size": stable.size, "stable_step_size_is_bound": not stable.followed}
    )


def _where_alive(state: State, name: str) -> Tensor:
    return state.adaptive[name].double().cpu().where(state.alive.cpu(), torch.nan)
