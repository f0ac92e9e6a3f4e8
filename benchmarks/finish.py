"""Whether training comes to the bottom with nothing tuned, in worlds not used while it was built."""

import argparse
import math
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import linrep
from benchmarks import options
from benchmarks.records import Row, shown, table
from linrep.laboratory.run import run
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.population import Population
from linrep.runs.result import Result
from linrep.seeds import generator
from linrep.training.monotone import Monotone
from linrep.training.state import start
from linrep.worlds.concepts import from_tables
from linrep.worlds.contexts import world

SEED = 61_803
"""Of every world here; no other use of the project draws from it."""
PARTS = ("defaults", "skewed", "monotone")
NETWORKS = ("cancer", "earthquake", "asia")
MODEL: dict[str, Any] = {"start": "wide", "starts": 2}
NEWTON: dict[str, Any] = {"optimizer": "newton", "snapshots": 2}
STEPS = 150
"""Of descent that is watched step by step."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--concepts", nargs="+", type=options.concepts, default=[3, 4, 5, 6], metavar="M")
    parser.add_argument("--runs", type=options.positive, default=20, help="random worlds of each m")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--skewed", type=options.positive, default=12, help="random worlds, p in [.05, .95]")
    parser.add_argument("--watched", type=options.positive, default=200, help="worlds watched step by step")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    if "defaults" in given.parts:
        text = (Path(linrep.__file__).parent / "template.toml").read_text()
        for concepts in given.concepts:
            config = tomllib.loads(text)
            config |= {"seed": SEED + concepts, "runs": given.runs}
            config["world"] |= {"concepts": concepts}
            yield _trained("defaults", f"m = {concepts}", config)
    if "skewed" in given.parts:
        yield from _skewed(given)
    if "monotone" in given.parts:
        yield _watched(given.watched)


def _skewed(given: argparse.Namespace) -> Iterator[Row]:
    """Each beside its own marginals without the dependence."""
    worlds: dict[str, tuple[dict[str, Any], int]] = {
        "random, p in [.05, .95]": (
            {"kind": "random", "concepts": 4, "probability_range": [0.05, 0.95]},
            given.skewed,
        )
    }
    for name in given.networks:
        # Asia's two runs take as long as all others together.
        worlds[name] = {"kind": "network", "network": name}, 2 if name == "asia" else 8
    for name, (of, runs) in worlds.items():
        for dependence in (1.0, 0.0):
            config = {
                "seed": SEED,
                "runs": runs,
                "world": {**of, "dependence": dependence},
                "model": MODEL,
                "training": NEWTON,
            }
            yield _trained("skewed", name if dependence else f"{name}: marginals alone", config)


def _trained(part: str, name: str, config: dict[str, Any]) -> Row:
    wall, processor = time.perf_counter(), time.process_time()
    result = run(config)
    times = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    return {"part": part, "world": name} | _ended(result) | times


def _ended(result: Result) -> Row:
    summary, final = result.summary, result.summary.final
    excess = [each for each in final.excess_loss_nats.per_run if each is not None]
    asked = result.config.training.until_excess or math.inf
    rest = [
        step is not None and loss is not None and loss <= asked
        for step, loss in zip(summary.ending.ended_at, final.excess_loss_nats.per_run, strict=True)
    ]
    row: Row = {
        "runs": len(summary.ended.per_run),
        "starts": result.config.model.starts,
        "converged": summary.ended.per_run.count("converged"),
        "at_rest": sum(rest),
        "ended": summary.ended.words,
        "excess_nats": sorted(excess)[len(excess) // 2],
        "most_excess_nats": max(excess),
    }
    numbers = {
        "linearity": final.linearity["unembedding"].mean,
        "alignment": final.alignment.mean,
        "log_odds_gap_nats": final.log_odds_gap_nats and final.log_odds_gap_nats.rmse,
        "norm": summary.ending.norm.mean,
    }
    return row | {name: value for name, value in numbers.items() if isinstance(value, float)}


def _watched(number: int) -> Row:
    """Whether a step that was taken ever raised the loss, judged by the loss without cancellation."""
    draw = generator(SEED, "watched")
    rises, drift = 0, 0.0
    for index in range(number):
        population = Population.of([world(_any_model(draw))])
        first = start(
            population,
            3,
            init_scale=0.1,
            optimizer="gd",
            generators=[generator(SEED, "start", index)],
            order=torch.Generator(),
            adaptive=Monotone.fresh(1),
        )
        descent, gauge = Monotone(population, first), _gauge(first.tables)
        loss = accurate_excess_loss(population, *first.tables)
        for _ in range(STEPS):
            before = [each.clone() for each in first.tables]
            descent.step()
            if any(not torch.equal(one, other) for one, other in zip(before, first.tables, strict=True)):
                now = accurate_excess_loss(population, *first.tables)
                rises += bool((now > loss).any())
                loss = now
        length = sum(float(each.square().sum()) for each in first.tables)
        drift = max(drift, float((_gauge(first.tables) - gauge).norm()) / length)
    return {
        "part": "monotone",
        "world": "random, with zeros and ones",
        "runs": number,
        "rises": rises,
        "drift": drift,
    }


def _gauge(tables: list[torch.Tensor]) -> torch.Tensor:
    f, g = tables
    return f.mT @ f - g.mT @ g


def _any_model(draw: torch.Generator) -> linrep.ConceptModel:
    """Three concepts in a chain; of its probabilities one in four is 0 or 1, others anywhere between."""

    def probability() -> list[float]:
        p = float(torch.rand((), generator=draw))
        if float(torch.rand((), generator=draw)) < 0.25:
            p = round(p)
        return [1 - p, p]

    return from_tables(
        ["a", "b", "c"],
        {"a": [[0.4, 0.6]], "b": [probability() for _ in range(2)], "c": [probability() for _ in range(2)]},
        parents={"b": ["a"], "c": ["b"]},
    )


def section(found: list[Row]) -> str:
    """Shares that converged and what was measured then."""
    parts = {name: [row for row in found if row["part"] == name] for name in PARTS}
    trained = [
        [
            str(row["world"]),
            f"{row['converged']} of {row['runs']}",
            f"{row['at_rest']} of {row['runs']}" if row["part"] == "skewed" else "—",
            *(shown(row, name, ".1e") for name in ("excess_nats", "most_excess_nats")),
            *(shown(row, name, ".3f") for name in ("linearity", "alignment", "log_odds_gap_nats")),
            *(shown(row, name, ".1f") for name in ("norm", "seconds", "processor_seconds")),
        ]
        for row in parts["defaults"] + parts["skewed"]
    ]
    heads = ["world", "converged", "certified", "excess, median", "most", "linearity of g", "alignment"]
    heads += ["log-odds gap", "norm", "seconds", "processor s"]
    watched = "\n".join(
        f"- Watched step by step, {row['runs']} worlds with zeros and deterministic nodes: "
        f"{row['rises']} accepted steps of `auto` raised the loss; the gauge drifted by at most "
        f"{float(row['drift']):.2g} of the tables' squared length."
        for row in parts["monotone"]
    )
    return f"""## Training that finishes

Means over all runs; worlds of seeds that nothing was tuned on. `linrep init`'s defaults with only m changed;
then `newton` from the best of {MODEL["starts"]} wide starts. Certified: at rest, the gradient of loss and
ridge below 1e-4 nats in float64, with an excess loss of at most 1e-3 nats. Seconds are left out where the
machine was busy with more. Whether equal loss determines the geometry at all: `docs/results/equal-loss.md`.

{table(heads, trained)}

{watched}
"""
