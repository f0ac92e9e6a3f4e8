"""A wide start in the place of a normal one, with looks at how it came about."""

from collections.abc import Callable

from linrep.population.gradient import Population
from linrep.runs.config import Config
from linrep.runs.wide_looks import WideLooks
from linrep.seeds import generator
from linrep.training.schedule import snapshot_steps
from linrep.training.state import State
from linrep.training.wide import STEPS, Looks, best_wide_start


def widen(
    config: Config,
    population: Population,
    state: State,
    *,
    kept: int = 0,
    stop: Callable[[], bool] = lambda: False,
) -> WideLooks:
    """Put a wide start in the place of a normal one: begun again where it was stopped, to the same bits.

    Args:
        config: Resolved, with a wide start.
        population: All of it, in this process.
        state: Fresh; its tables are overwritten.
        kept: Of how many first runs the looks are.
        stop: Asked before every step.

    Returns:
        Looks, as many over the way down as there are snapshots over training.

    Raises:
        KeyboardInterrupt: When stopped; nothing is left of it.
    """

    def watch() -> None:
        if stop():
            raise KeyboardInterrupt

    draws = [
        [generator(config.seed, "start", run, *((number,) if number else ())) for run in range(config.runs)]
        for number in range(config.model.starts)
    ]
    steps = tuple(snapshot_steps(STEPS, config.training.snapshots)[:-1]) if kept else ()
    cut = best_wide_start(
        population,
        state.unembedding.shape[2],
        init_scale=config.model.init_scale,
        generators=draws,
        method=config.compute.method,
        watch=watch,
        looks=Looks(steps=steps, kept=kept),
    )
    for table, found in zip(state.trained, (cut.embedding, cut.unembedding), strict=True):
        table.copy_(found)
    return WideLooks(steps=steps, until=STEPS, snapshots=cut.looks)
