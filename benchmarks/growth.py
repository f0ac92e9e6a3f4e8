"""Time and memory of one more concept at fixed k, each world in a process of its own."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator

from benchmarks import memory, options, timing, worlds
from benchmarks.records import Row, aim, shown, table
from linrep.paper import cost
from linrep.population.gradient import table_gradients

BASELINE = 2
"""Concepts of the process whose memory is taken off: the same program, with next to no numbers."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concepts", type=options.concepts, nargs="+", default=[9, 10, 11, 12], metavar="M")
    parser.add_argument("--dim", type=options.positive, default=8, help="k, the same for all")
    parser.add_argument("--repeats", type=options.positive, default=5, help="rounds; the median is reported")
    parser.add_argument("--once", type=options.positive, help=argparse.SUPPRESS)


def rows(given: argparse.Namespace) -> Iterator[Row]:
    if given.once:
        print(json.dumps(once(given.once, given.dim, given.repeats)))
        return
    baseline = _process(BASELINE, given)["peak_bytes"]
    for concepts in given.concepts:
        found = _process(concepts, given)
        yield (
            {"concepts": concepts, "dim": given.dim}
            | found
            | {
                "baseline_bytes": baseline,
                "extra_bytes": found["peak_bytes"] - baseline,
            }
        )


def once(concepts: int, dim: int, repeats: int) -> dict[str, float]:
    """Seconds of a fused gradient, the most this process held, and the most tensors the gradient held."""
    population = worlds.population(concepts)
    f, g = worlds.tables(population, dim, trained=False)

    def call() -> object:
        return table_gradients(population, f, g, method="fused")

    fused = timing.medians({"fused": call}, repeats)["fused"]
    peak = memory.process_peak()
    return {"fused": fused, "peak_bytes": peak, "tensor_bytes": cost.tensors_peak(call)}


def section(found: list[Row]) -> str:
    """The fitted growth, and what it was fitted to."""
    columns = ("fused", "extra_bytes", "tensor_bytes")
    concepts = [float(row["concepts"]) for row in found]
    fits = {
        column: [cost.growth(concepts, [float(row[column]) for row in found]).value] if len(found) > 1 else []
        for column in columns
    }
    lines = [
        [
            f"{row['concepts']}",
            shown(row, "fused", ".2f", 1e-3),
            shown(row, "extra_bytes", ",.1f", 1e6),
            shown(row, "tensor_bytes", ",.1f", 1e6),
        ]
        for row in found
    ]
    dim = found[0]["dim"]
    return f"""## Growth with the number of concepts

One fused gradient at k = {dim}, in a process of its own. *process*: the most it ever held, building the
world included, less the most that the same program held at {BASELINE} concepts. *tensors*: the most that was
alive at once of the tensors one gradient makes, its results included.

{table(["m", "time, ms", "process, MB", "tensors, MB"], lines)}

Growth per extra concept, fitted to all lines. There are 6 times as many logits, and tables 3 times as long:

{aim("time ×", fits.get("fused", []), at_most=6.5)}
{aim("memory of the process ×", fits.get("extra_bytes", []), at_most=3.1)}
{aim("memory of the tensors ×", fits.get("tensor_bytes", []), at_most=3.1)}
"""


def _process(concepts: int, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks", "growth", "--once", str(concepts)]
    command += ["--dim", str(given.dim), "--repeats", str(given.repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)
