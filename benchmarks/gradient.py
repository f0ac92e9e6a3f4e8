"""One full population gradient: autograd, JAX, the plain closed form, dense and fused, against the floor."""

import argparse
import itertools
from collections.abc import Iterator

import torch

from benchmarks import baselines, options, timing, worlds
from benchmarks.records import Row, aim, shown, span, table
from linrep.population import card
from linrep.population.gradient import quickest, table_gradients
from linrep.training.replayed import Replayed

# Autograd keeps several arrays of this many logits at once; beyond, only the fused form is timed.
MOST_LOGITS = 2**27

# Concepts, runs, tables: what is timed where nothing is asked for.
STANDARD = (
    *((concepts, 1, "fresh") for concepts in (7, 8, 9, 10, 11, 12)),
    *((concepts, 1, "trained") for concepts in (9, 10, 11, 12)),
    *((concepts, 100, kind) for kind in ("fresh", "trained") for concepts in (5, 6, 7)),
    *((concepts, 1000, "fresh") for concepts in (5, 6)),
)
BASELINES = ("autograd", "jax", "plain")
FORMS = (*BASELINES, "dense", "fused", "floor")
ON_CARD = ("kernels", "plain, graph", "plain, compiled")
"""On a card beside them: the first two as a CUDA graph, the third by ``torch.compile``."""
MANY = 100
"""Runs from which the aim for many at once is meant."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--concepts", type=options.concepts, nargs="+", metavar="M", help="instead of the standard cases"
    )
    parser.add_argument("--runs", type=options.positive, nargs="+", help="runs trained at once")
    parser.add_argument("--dim", type=options.positive, help="k, as many as concepts by default")
    parser.add_argument("--trained", action="store_true", help="tables as late in training: large logits")
    parser.add_argument("--repeats", type=options.positive, default=9, help="rounds; the median is reported")
    parser.add_argument("--device", type=options.device, default="cpu", help="cpu or cuda")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    cases = [(*case, worlds.dim(given, case[0])) for case in _cases(given)]
    for concepts, runs, kind, dim in cases:
        case: Row = {"concepts": concepts, "runs": runs, "tables": kind, "dim": dim}
        times = measure(concepts, runs, kind, dim, given.repeats, given.device)
        ratios = {
            f"{form}/{ours}": times[form] / times[ours]
            for ours in ("fused", "auto")
            for form in BASELINES
            if form in times
        }
        over_floor = {
            f"{ours}/{floor}": times[ours] / times[floor]
            for ours in ("fused", "auto")
            for floor in ("floor", "floor_exp2")
        }
        if "kernels" in times:
            others = [times[form] for form in (*BASELINES, *ON_CARD[1:]) if form in times]
            ratios |= {"best/kernels": min(others) / times["kernels"]} if others else {}
        yield {**case, **times, **ratios, **over_floor}


def measure(concepts: int, runs: int, kind: str, dim: int, repeats: int, device: str) -> dict[str, float]:
    """Median seconds of every form, and the floors from the same rounds."""
    population = worlds.population(concepts, runs, device=device)
    f, g = worlds.tables(population, dim, trained=kind == "trained")
    logits = f.shape[0] * f.shape[1] * g.shape[1]
    calls = timing.rates(device) | {"fused": lambda: table_gradients(population, f, g, method="fused")}
    if logits <= MOST_LOGITS:
        calls["dense"] = lambda: table_gradients(population, f, g, method="dense")
        calls["plain"] = baselines.closed_form(population, f, g)
        calls["autograd"] = baselines.autograd(population, f, g)
        jitted = baselines.jax_gradient(population, f, g)
        calls |= {"jax": jitted} if jitted else {}
    if card.usable(population, dim):
        # As a training step sees it: without a call from Python for each launch.
        calls["kernels"] = Replayed(lambda: table_gradients(population, f, g), population.device)
        if "plain" in calls:
            calls["plain, graph"] = Replayed(calls["plain"], population.device)
            calls["plain, compiled"] = torch.compile(calls["plain"])
    times = timing.medians(calls, repeats, device=device)
    chosen = "kernels" if "kernels" in times else quickest(runs, f.shape[1], g.shape[1], f.dtype)
    floors = timing.take_floors(times, logits, dim, device)
    return times | {"auto": times[chosen]} | floors


def section(found: list[Row]) -> str:
    """Times and ratios, and the aims they were to reach."""
    lone = [row for row in found if row["runs"] == 1]
    many = [row for row in found if row["runs"] != 1]
    parts = [
        f"""## One gradient

The gradient of one population loss with respect to both tables, float32, exact, k = m unless told.
*autograd*: cross-entropy with dense targets through `log_softmax`, and `backward()`. *jax* (JAX
{found[0].get("jax_version", "")}): the same loss under `jit(grad)`. *plain*: prediction minus target, times
the tables, as one writes it down: the analytic dense form of docs/theory.md §1. *dense*, *fused*: the two
forms of `linrep.population_gradient`; *auto* takes one by size. *floor*: that of docs/theory.md §1, one
`torch.exp` and 6·k flops per logit at the rates measured beside them; aims are judged by it. The fused form
takes `torch.exp2` instead, so it is also held against *floor_exp2*, the floor counted with that. *trained*:
the additive solution late in training, with large logits. The largest worlds are fused only: the others would
hold all logits several times.
"""
    ]
    if any("kernels" in row for row in found):
        parts += [
            "On a card *kernels* and *plain, graph* stand beside them, both as CUDA graphs, and *plain,\n"
            "compiled*, by `torch.compile`.\n"
        ]
    if lone:
        parts += ["Milliseconds.\n", _table(lone, 1e-3, "fused"), _lone_aims(lone), ""]
    if many:
        parts += ["### Many small runs at once\n", "Microseconds per gradient and run.\n"]
        parts += [_table(many, 1e-6, "auto"), _many_aims(many), ""]
    return "\n".join(parts)


def _lone_aims(lone: list[Row]) -> str:
    bounded = [row for row in lone if 9 <= int(row["concepts"]) <= 12]
    over_floor, over_stricter = (_numbers(bounded, f"fused/{floor}") for floor in ("floor", "floor_exp2"))
    once = "fused over floor, m = 9 to 12, by computing each exponential once (docs/theory.md §1),"
    lines = [
        aim("fused over floor, m = 9 to 12, fresh and trained,", over_floor, at_most=2.5),
        aim(once, over_floor, at_most=2),
        f"- For comparison, without an aim: fused over floor_exp2, m = 9 to 12. Found {span(over_stricter)}.",
    ]
    at_ten = [row for row in lone if row["concepts"] == 10 and "autograd" in row]
    if at_ten:
        above = span([float(row["autograd"]) / float(row["floor"]) for row in at_ten])
        ratios = _numbers(at_ten, "autograd/fused")
        lines += [aim("autograd over fused, m = 10,", ratios, at_least=10)]
        lines += [
            "  This ten was set beside the table of docs/theory.md §1, from a machine where autograd took",
            f"  777 ms and the floor 16 to 22: 35 to 48 times less. Here autograd takes {above}",
            "  times the floor; a gradient at the floor would gain no more. Tried: benchmarks/README.md.",
        ]
    return "\n".join(lines)


def _many_aims(many: list[Row]) -> str:
    faster = _numbers([row for row in many if int(row["runs"]) >= MANY], "plain/auto")
    return aim(
        f"auto faster than the analytic dense form (plain/auto), {MANY} runs or more,", faster, at_least=2
    )


def _numbers(found: list[Row], column: str) -> list[float]:
    return [float(row[column]) for row in found if column in row]


def _table(found: list[Row], unit: float, ours: str) -> str:
    ratios = [f"{form}/{ours}" for form in BASELINES]
    over = [f"{ours}/{floor}" for floor in ("floor", "floor_exp2")]
    here = [*ON_CARD, "best/kernels"] if any("kernels" in row for row in found) else []
    lines = [
        _line(row, unit, ratios, over)
        + [shown(row, form, ".4f", unit * int(row["runs"])) for form in here[:-1]]
        + [shown(row, form, ".1f") for form in here[-1:]]
        for row in found
    ]
    return table(["world", *FORMS, *ratios, *over, *here], lines) + "\n"


def _line(row: Row, unit: float, ratios: list[str], over: list[str]) -> list[str]:
    runs = "" if row["runs"] == 1 else f", {row['runs']} runs"
    dim = "" if row["dim"] == row["concepts"] else f", k = {row['dim']}"
    name = f"m = {row['concepts']}{dim}{runs}, {row['tables']}"
    times = [shown(row, form, ".2f", unit * int(row["runs"])) for form in FORMS]
    shares = [shown(row, ratio, ".1f") for ratio in ratios] + [shown(row, ratio, ".2f") for ratio in over]
    return [name, *times, *shares]


def _cases(given: argparse.Namespace) -> list[tuple[int, int, str]]:
    if not (given.concepts or given.runs or given.trained or given.dim):
        return list(STANDARD)
    kind = "trained" if given.trained else "fresh"
    return list(itertools.product(given.concepts or (7, 8, 9, 10), given.runs or [1], [kind]))
