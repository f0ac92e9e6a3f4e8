"""Tables that learn a toy's world by SGD: what a transformer is laid beside."""

from linrep.population.gradient import Population
from linrep.seeds import generator
from linrep.training.schedule import Schedule, schedule
from linrep.training.state import State, start

RATE = (5.0, 0.05)
"""Step size, at first and at last."""


def small_tables(population: Population, dim: int, *, seed: int) -> State:
    """Tables that start small.

    Args:
        population: Of one world.
        dim: Their width.
        seed: Of start and samples.
    """
    return start(
        population,
        dim,
        init_scale=0.1,
        optimizer="sgd",
        generators=[generator(seed, "start", 0)],
        order=generator(seed, "order"),
    )


def falling_rate(steps: int) -> Schedule:
    """Step sizes from the first of RATE to the last, geometrically.

    Args:
        steps: Over how many.
    """
    return schedule("geometric", RATE[0], steps, RATE[1])
