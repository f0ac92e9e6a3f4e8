"""A sweep's cells: what measuring, storing and finding again cost one, and what workers gain and cost."""

import argparse
import contextlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from itertools import count
from pathlib import Path

import torch

from benchmarks import options, timing
from benchmarks.records import Row, shown, table
from linrep.laboratory import build as laboratory
from linrep.laboratory.machine import threads
from linrep.population.gradient import Population
from linrep.runs.config import Config
from linrep.seeds import generator
from linrep.sweeps.engines import Engine, executor
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import Cell, cells
from linrep.sweeps.sweep import run_cells
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train

BARE = "bare training"
SERIAL = "a sweep"
ENGINES = {
    "on 1 process": Engine(kind="processes", workers=1),
    "on 2 processes": Engine(kind="processes", workers=2),
    "on 2 Dask workers": Engine(kind="dask", workers=2),
}
THREADS = 1
"""Of a cell, wherever it is trained: workers do not fight over cores, and every way ends in the same runs."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cells", type=options.positive, default=4)
    parser.add_argument("--concepts", type=options.concepts, default=4)
    parser.add_argument("--runs", type=options.positive, default=8, help="runs in each cell")
    parser.add_argument("--steps", type=options.positive, default=1000)
    parser.add_argument("--repeats", type=options.positive, default=2, help="rounds; the median is reported")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    grid, first = _grid(given, given.cells, given.steps), _grid(given, 2, 1)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, fresh = Path(name), map(str, count())
        calls: dict[str, Callable[[], object]] = {
            BARE: lambda: [bare(cell.config) for cell in grid],
            SERIAL: lambda: _sweep(grid, folder / "serial" / next(fresh)),
        }
        starts: dict[str, float] = {}
        for way, engine in _engines().items():
            began = time.perf_counter()
            pool = stack.enter_context(executor(engine, THREADS, out=folder))
            _sweep(first[: engine.workers], folder / next(fresh), pool)
            starts[way] = time.perf_counter() - began
            calls[way] = partial(lambda pool: _sweep(grid, folder / next(fresh), pool), pool)
        calls["the sweep again, all found"] = lambda: _sweep(grid, next((folder / "serial").iterdir()))
        calls["the grid planned"] = lambda: _grid(given, given.cells, given.steps)
        times = timing.medians(calls, given.repeats, seconds=60)
    size = {"cells": given.cells, "concepts": given.concepts, "runs": given.runs, "steps": given.steps}
    for way, seconds in times.items():
        row: Row = {
            **size,
            "way": way,
            "seconds_per_cell": seconds / given.cells,
            "way/bare": seconds / times[BARE],
        }
        if way in starts:
            row |= {
                "seconds_to_start": starts[way],
                "serial/way": times[SERIAL] / seconds,
                "serial/way_and_start": times[SERIAL] / (starts[way] + seconds),
            }
        yield row


def section(found: list[Row]) -> str:
    """Seconds per cell, in terms of bare training, and in terms of one cell after another."""
    size = found[0]
    work = f"{size['runs']} runs, m = {size['concepts']}, {size['steps']} steps of gradient descent"
    lines = [
        [
            str(row["way"]),
            shown(row, "seconds_per_cell", ".3f"),
            shown(row, "way/bare", ".2f"),
            shown(row, "serial/way", ".2f"),
            shown(row, "seconds_to_start", ".1f"),
            shown(row, "serial/way_and_start", ".2f"),
        ]
        for row in found
    ]
    heads = ["way", "seconds per cell", "× bare", "speed-up", "seconds to start", "speed-up with start"]
    return f"""## A sweep

{size["cells"]} cells of {work}, each on one tensor thread. *bare training*: worlds
built and trained, nothing measured or kept. *a sweep*: into an empty folder, one cell after another, as
`linrep sweep` runs it: measured at every snapshot, with nulls and intervals, and written. *on …*: the same
sweep on workers that run already, as `--executor` starts them; its speed-up is over *a sweep*. *start*: until
each worker has finished a cell of one step; taken once.

{table(heads, lines)}
"""


def _grid(given: argparse.Namespace, number: int, steps: int) -> tuple[Cell, ...]:
    base = {
        "runs": given.runs,
        "world": {"kind": "random", "concepts": given.concepts},
        "training": {"optimizer": "gd", "step_size": 1.0, "steps": steps},
        "compute": {"threads": THREADS},
    }
    return cells(parse_sweep({"base": base, "axes": {"seed": list(range(number))}}))


def _engines() -> dict[str, Engine]:
    """Those whose packages are there."""
    packages = {"processes": "concurrent", "dask": "distributed"}
    return {way: each for way, each in ENGINES.items() if importlib.util.find_spec(packages[each.kind])}


def _sweep(grid: tuple[Cell, ...], folder: Path, pool: Executor | None = None) -> None:
    for outcome in run_cells(grid, out=folder, executor=pool):
        assert outcome.result is not None, outcome.error


def bare(config: Config) -> None:
    dim = config.model.dim
    assert dim is not None
    population = Population.of(laboratory.worlds(config), dtype=getattr(torch, config.compute.dtype))
    settings = config.training
    state = start(
        population,
        dim,
        init_scale=config.model.init_scale,
        optimizer=settings.optimizer,
        generators=[generator(config.seed, "start", run) for run in range(config.runs)],
        order=generator(config.seed, "order"),
    )
    rate = schedule(settings.schedule, settings.step_size or 0.0, settings.steps, settings.final_step_size)
    with threads(THREADS):
        for _ in train(population, state, optimizer=settings.optimizer, schedule=rate, steps=settings.steps):
            pass
