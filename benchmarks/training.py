"""One training step of gd, adam and sgd against its gradient alone, the floor, and the usual script."""

import argparse
import itertools
from collections.abc import Iterator

import torch

from benchmarks import baselines, options, timing, worlds
from benchmarks.records import Row, aim, shown, table
from linrep.population import card
from linrep.population.gradient import Population, table_gradients
from linrep.seeds import key
from linrep.training.minibatches import CHUNK
from linrep.training.replayed import Replayed
from linrep.training.schedule import schedule
from linrep.training.state import Optimizer, State, start
from linrep.training.training import steps_between_looks, train

OPTIMIZERS = ("gd", "adam", "sgd")
OWN = "sgd, own stream"
BATCH = 100
ENDLESS = 2**40
"""Steps: more than are ever timed."""
STEP_SIZE = 1e-6
"""So small that the tables stay as they are, however often a step is timed."""

# Concepts and runs that are timed where nothing is asked for.
STANDARD = (
    *((concepts, 1) for concepts in range(5, 11)),
    (5, 20),  # as `linrep init` has it
    *((concepts, 100) for concepts in (5, 6, 7)),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--concepts", type=options.concepts, nargs="+", metavar="M", help="instead of the standard cases"
    )
    parser.add_argument("--runs", type=options.positive, nargs="+", help="runs trained at once")
    parser.add_argument("--dim", type=options.positive, help="k, as many as concepts by default")
    parser.add_argument("--repeats", type=options.positive, default=25, help="rounds; the median is reported")
    parser.add_argument("--device", type=options.device, default="cpu", help="cpu or cuda")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    for concepts, runs in _cases(given):
        dim = given.dim or concepts
        population = worlds.population(concepts, runs, device=given.device)
        times = measure(population, dim, given.repeats, given.device)
        for optimizer in (*OPTIMIZERS, OWN):
            sampled = optimizer in ("sgd", OWN)
            step, naive = times[optimizer], times[f"script {'sgd' if sampled else optimizer}"]
            gradient = times["sampled" if sampled else "exact"]
            rows_of_logits = BATCH if sampled else 3**concepts
            logits = runs * rows_of_logits * 2**concepts
            floor = timing.take_floors(dict(times), logits, dim, given.device)["floor"]
            yield {
                "concepts": concepts,
                "runs": runs,
                "dim": dim,
                "optimizer": optimizer,
                "step": step,
                "gradient": gradient,
                "script": naive,
                "floor": floor,
                "step/gradient": step / gradient,
                "script/step": naive / step,
                "step/floor": step / floor,
            } | ({"shared": times["sgd"], "shared/step": times["sgd"] / step} if optimizer == OWN else {})


def measure(population: Population, dim: int, repeats: int, device: str) -> dict[str, float]:
    """Median seconds of one step of everything, from the same rounds."""
    f, g = worlds.tables(population, dim, trained=False)
    # As training lays its tables in memory, so that only the step itself tells the two apart.
    laid_f, laid_g = _start(population, dim, "gd").tables

    def gradient() -> object:
        return table_gradients(population, laid_f, laid_g)

    calls = timing.rates(device) | {
        # On a card as a step takes it.
        "exact": Replayed(gradient, population.device) if card.usable(population, dim) else gradient,
        "sampled": baselines.sampled_gradient(population, f, g, BATCH),
    }
    steps = {}
    for optimizer in OPTIMIZERS:
        # Whole chunks of sgd and whole looks of the others, so that drawing and looking are in the price.
        steps[optimizer] = CHUNK if optimizer == "sgd" else _between_looks(population, dim, optimizer)
        calls[optimizer] = _steps(population, dim, optimizer, steps[optimizer])
        if optimizer == "sgd":
            steps[OWN] = CHUNK
            calls[OWN] = _steps(population, dim, optimizer, CHUNK, own=True)
        script = baselines.script_step(population, f, g, optimizer, STEP_SIZE, BATCH)
        calls[f"script {optimizer}"] = script
    times = timing.medians(calls, repeats, seconds=8.0, device=device)
    return {name: each / steps.get(name, 1) for name, each in times.items()}


def _between_looks(population: Population, dim: int, optimizer: Optimizer) -> int:
    kernels = card.usable(population, dim)
    return steps_between_looks(population, optimizer, kernels=kernels)


def section(found: list[Row]) -> str:
    """Steps and what they cost beside their gradients."""
    adams = [float(row["step/gradient"]) for row in found if row["optimizer"] == "adam"]
    sgds = [float(row["step/gradient"]) for row in found if row["optimizer"] == "sgd"]
    owns = [float(row["shared/step"]) for row in found if _aimed(row)]
    heads = ["world", "optimiser", "step", "gradient", "script", "step/gradient", "script/step", "step/floor"]
    heads.append("shared/step")
    return f"""## One training step

Microseconds per step and run, k = m, as `linrep.training.training.train` takes them, drawing and looking for
divergence included. *gradient*: what the step cannot do without; for gd and adam the exact gradient, for sgd
the closed form on {BATCH} pairs already drawn. *script*: the usual one, with parameters, a loss, `backward()`
and `torch.optim`; for sgd it draws by `torch.multinomial` from the dense table. *floor*: exponentials
(`torch.exp`) and products of the logits. *{OWN}*: `training.stream = "own"`, the compiled loop; *shared/step*
is sgd on the stream that runs share, in the same rounds, over it.

{table(heads, [_line(row) for row in found])}

{aim("an Adam step over its gradient, from m = 5,", adams, at_most=1.3)}
{aim("an SGD step over its gradient, from m = 5,", sgds, at_most=5)}
{aim("SGD on a shared stream over one of each run's own, m = 5 to 7, one run and 100,", owns, at_least=3)}
"""


def _line(row: Row) -> list[str]:
    runs = int(row["runs"])
    name = f"m = {row['concepts']}" + (f", {runs} runs" if runs > 1 else "")
    times = [shown(row, column, ",.1f", 1e-6 * runs) for column in ("step", "gradient", "script")]
    columns = ("step/gradient", "script/step", "step/floor", "shared/step")
    ratios = [shown(row, column, ".2f") for column in columns]
    return [name, str(row["optimizer"]), *times, *ratios]


def _start(population: Population, dim: int, optimizer: str) -> State:
    return start(
        population,
        dim,
        init_scale=0.1,
        optimizer=optimizer,
        generators=[torch.Generator().manual_seed(run) for run in range(population.runs)],
        order=torch.Generator().manual_seed(0),
    )


def _aimed(row: Row) -> bool:
    """Whether sgd on a stream of each run's own has an aim here."""
    return row["optimizer"] == OWN and int(row["concepts"]) <= 7 and int(row["runs"]) in (1, 100)


def _steps(population: Population, dim: int, optimizer: str, steps: int, *, own: bool = False) -> timing.Call:
    """So many steps more of one training, whose beginning is over: a graph, on a card, is made but once."""
    trained = train(
        population,
        _start(population, dim, optimizer),
        optimizer=optimizer,
        schedule=schedule("constant", STEP_SIZE, ENDLESS),
        steps=ENDLESS,
        batch_size=BATCH,
        keys=[key(0, "order", run) for run in range(population.runs)] if own else None,
    )

    def call() -> None:
        while next(trained).step % steps:
            pass

    return call


def _cases(given: argparse.Namespace) -> list[tuple[int, int]]:
    if not (given.concepts or given.runs or given.dim):
        return list(STANDARD)
    return list(itertools.product(given.concepts or range(5, 11), given.runs or [1]))
