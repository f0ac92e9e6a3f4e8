"""One full population gradient: autograd, dense and fused, against the floor, and its peak memory."""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator

import torch

from benchmarks import timing, worlds
from linrep.population import Population, table_gradients

# Autograd keeps several arrays of this many logits at once; beyond, only the fused form is timed.
MOST_LOGITS = 2**27


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concepts", type=int, nargs="+", default=[7, 8, 9, 10], metavar="M")
    parser.add_argument("--runs", type=int, default=1, help="runs trained at once")
    parser.add_argument("--dim", type=int, help="k, as many as concepts by default")
    parser.add_argument("--trained", action="store_true", help="tables as late in training: large logits")
    parser.add_argument("--repeats", type=int, default=9, help="rounds; the median is printed")
    parser.add_argument(
        "--memory", type=int, default=12, metavar="M", help="concepts of the memory check; 0: none"
    )
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)


def rows(given: argparse.Namespace) -> Iterator[dict[str, object]]:
    if given.once:
        once(given.concepts[0], given.runs, given.trained)
        return
    kind = "trained" if given.trained else "fresh"
    print(f"{kind} tables, float32, {torch.get_num_threads()} threads, {given.runs} runs; medians in ms")
    heads = "".join(f" {name:>10}" for name in COLUMNS)
    print(f"{'m':>3}{heads}  autograd/fused dense/fused fused/floor")
    for concepts in given.concepts:
        found = measure(concepts, given)
        yield {"benchmark": "gradient", "tables": kind, "runs": given.runs, "concepts": concepts, **found}
        shown = "".join(f" {1e3 * found[name]:10.3f}" if name in found else f" {'—':>10}" for name in COLUMNS)
        fused = found["fused"]
        ratios = [found.get("autograd", 0) / fused, found.get("dense", 0) / fused, fused / found["floor"]]
        print(f"{concepts:3d}{shown}   {ratios[0]:13.1f} {ratios[1]:11.1f} {ratios[2]:11.2f}", flush=True)
    if given.memory:
        yield peak_memory(given.memory, given.trained)


COLUMNS = ("autograd", "dense", "fused", "floor")


def measure(concepts: int, given: argparse.Namespace) -> dict[str, float]:
    """Median seconds of every form, and the floor from the same rounds."""
    dim = given.dim or concepts
    population = worlds.population(concepts, given.runs)
    f, g = worlds.tables(population, dim, trained=given.trained)
    logits = f.shape[0] * f.shape[1] * g.shape[1]
    calls: dict[str, Callable[[], object]] = {
        "exponential": timing.exponential(),
        "product": timing.product(),
        "fused": lambda: table_gradients(population, f, g, method="fused"),
    }
    if logits <= MOST_LOGITS:
        calls["dense"] = lambda: table_gradients(population, f, g, method="dense")
        calls["autograd"] = autograd(population, f, g)
    times = {name: timing.median(each) for name, each in timing.interleaved(calls, given.repeats).items()}
    floor = timing.floor_seconds(times.pop("exponential"), times.pop("product"), logits, dim)
    return {**times, "floor": floor}


def autograd(population: Population, f: torch.Tensor, g: torch.Tensor) -> Callable[[], object]:
    """What the usual script does: cross-entropy with the dense targets through log_softmax, then backward."""
    target = population.conditional
    weights = population.weights.to(f.dtype)

    def call() -> object:
        embedding, unembedding = f.clone().requires_grad_(), g.clone().requires_grad_()
        log_prediction = (embedding @ unembedding.mT).log_softmax(-1)
        loss = -(weights * (target * log_prediction).sum(-1)).sum()
        loss.backward()
        return embedding.grad, unembedding.grad

    return call


def peak_memory(concepts: int, trained: bool) -> dict[str, object]:
    """One fused gradient in a process of its own: seconds and the most memory that process ever held."""
    command = [sys.executable, "-m", "benchmarks", "gradient", "--once", "--concepts", str(concepts)]
    done = subprocess.run(command + ["--trained"] * trained, check=True, capture_output=True, text=True)
    seconds, gigabytes = map(float, done.stdout.split())
    print(f"m = {concepts}: one fused gradient {seconds:.2f} s, peak memory {gigabytes:.2f} GB, all included")
    return {
        "benchmark": "memory",
        "runs": 1,
        "concepts": concepts,
        "fused": seconds,
        "peak_gigabytes": gigabytes,
    }


def once(concepts: int, runs: int, trained: bool) -> None:
    population = worlds.population(concepts, runs)
    f, g = worlds.tables(population, concepts, trained=trained)
    times = timing.interleaved({"fused": lambda: table_gradients(population, f, g, method="fused")}, 1)
    print(times["fused"][0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
