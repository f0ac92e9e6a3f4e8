"""A sweep's cells against their bare training: what measuring, storing and finding again cost a cell."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import torch

from benchmarks import timing
from benchmarks.records import Row, shown, table
from linrep import experiment, laboratory
from linrep.config import Config
from linrep.grid import Cell, cells
from linrep.population import Population
from linrep.schedule import schedule
from linrep.seeds import generator
from linrep.sweep import run_cells
from linrep.sweep_file import parse_sweep
from linrep.training import start, train

BARE = "bare training"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--concepts", type=int, default=4)
    parser.add_argument("--runs", type=int, default=8, help="runs in each cell")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the median is reported")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    plain = {
        "base": {
            "runs": given.runs,
            "world": {"kind": "random", "concepts": given.concepts},
            "training": {"optimizer": "gd", "step_size": 1.0, "steps": given.steps},
            "compute": {"threads": torch.get_num_threads()},
        },
        "axes": {"seed": list(range(given.cells))},
    }
    grid = cells(parse_sweep(plain))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh = count()
        again = folder / "again"
        calls: dict[str, Callable[[], object]] = {
            BARE: lambda: [_bare(cell.config) for cell in grid],
            "trained and measured": lambda: [experiment.run(cell.config) for cell in grid],
            "a sweep": lambda: _sweep(grid, folder / f"{next(fresh)}"),
            "the sweep again, all found": lambda: _sweep(grid, again),
            "the grid planned": lambda: cells(parse_sweep(plain)),
        }
        _sweep(grid, again)
        times = timing.medians(calls, given.repeats, seconds=60)
    size = {"cells": given.cells, "concepts": given.concepts, "runs": given.runs, "steps": given.steps}
    for way, seconds in times.items():
        yield {
            **size,
            "way": way,
            "seconds_per_cell": seconds / given.cells,
            "way/bare": seconds / times[BARE],
        }


def section(found: list[Row]) -> str:
    """Seconds per cell, and in terms of bare training."""
    size = found[0]
    work = f"{size['runs']} runs, m = {size['concepts']}, {size['steps']} steps of gradient descent"
    lines = [
        [str(row["way"]), shown(row, "seconds_per_cell", ".3f"), shown(row, "way/bare", ".2f")]
        for row in found
    ]
    return f"""## A sweep

{size["cells"]} cells of {work}, one after another. *bare training*: worlds built
and trained, nothing measured or kept. *a sweep*: into an empty folder, as `linrep sweep` runs it: measured at
every snapshot, with nulls and intervals, and written.

{table(["way", "seconds per cell", "× bare"], lines)}
"""


def _sweep(grid: tuple[Cell, ...], folder: Path) -> None:
    for outcome in run_cells(grid, out=folder):
        assert outcome.result is not None, outcome.error


def _bare(config: Config) -> None:
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
    for _ in train(population, state, optimizer=settings.optimizer, schedule=rate, steps=settings.steps):
        pass
