"""Where the time of one fused gradient goes, operation by operation, from PyTorch's profiler."""

import argparse
from collections import defaultdict
from collections.abc import Iterator

from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiler

from benchmarks import options, timing, worlds
from benchmarks.records import Row, shown, table
from linrep.population.gradient import table_gradients

SMALLEST_SHARE = 0.01
"""Operations below it are reported together."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concepts", type=options.concepts, default=9, metavar="M")
    parser.add_argument("--runs", type=options.positive, default=1, help="runs at once")
    parser.add_argument("--dim", type=options.positive, help="k, as many as concepts by default")
    parser.add_argument("--trained", action="store_true", help="tables as late in training: large logits")
    parser.add_argument("--repeats", type=options.positive, default=20, help="gradients under the profiler")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    dim = worlds.dim(given, given.concepts)
    population = worlds.population(given.concepts, given.runs)
    f, g = worlds.tables(population, dim, trained=given.trained)
    logits = f.shape[0] * f.shape[1] * g.shape[1]

    def call() -> object:
        return table_gradients(population, f, g, method="fused")

    times = timing.medians(timing.rates() | {"fused": call}, 5)
    with profiler(activities=[ProfilerActivity.CPU], record_shapes=True) as record:
        for _ in range(given.repeats):
            call()
    seconds: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    for event in record.key_averages(group_by_input_shape=True):
        name = _name(event.key, event.input_shapes, dim)
        seconds[name] += event.self_cpu_time_total * 1e-6 / given.repeats
        calls[name] += event.count // given.repeats
    whole = sum(seconds.values())
    kind = "trained" if given.trained else "fresh"
    case: Row = {"concepts": given.concepts, "runs": given.runs, "dim": dim, "tables": kind}
    parts = {name: each for name, each in seconds.items() if each >= SMALLEST_SHARE * whole}
    parts = dict(sorted(parts.items(), key=lambda part: -part[1]))
    parts["all smaller ones"] = whole - sum(parts.values())
    parts["all, under the profiler"] = whole
    parts["all, without it"] = times["fused"]
    floors = timing.take_floors(times, logits, dim)
    parts |= {"floor": floors["floor"], "floor, with `exp2` for `exp`": floors["floor_exp2"]}
    for name, each in parts.items():
        counted = {"calls": calls[name]} if name in calls else {}
        yield {
            **case,
            "operation": name,
            **counted,
            "ns_per_logit": 1e9 * each / logits,
            "share": each / whole,
        }


def section(found: list[Row]) -> str:
    """Nanoseconds per logit, operation by operation."""
    lines = [
        [
            f"`{row['operation']}`" if "calls" in row else str(row["operation"]),
            shown(row, "calls", ".0f"),
            shown(row, "ns_per_logit", ".3f"),
            shown(row, "share", ".1%") if "calls" in row else "",
        ]
        for row in found
    ]
    case = found[0]
    world = f"m = {case['concepts']}, k = {case['dim']}, runs: {case['runs']}, {case['tables']} tables"
    return f"""## Where the time goes

One fused gradient at {world}, under `torch.profiler`: self time of each operation.
Matrix products are named by what they sum over.

{table(["operation", "calls", "ns per logit", "share"], lines)}
"""


def _name(key: str, shapes: list[list[int]], dim: int) -> str:
    """The operation; for a matrix product also whether it makes logits or sums over them."""
    if key not in ("aten::bmm", "aten::baddbmm", "aten::mm", "aten::baddbmm_"):
        return key
    left = shapes[1 if "baddbmm" in key else 0]
    # Beside the table's own columns: shift and bias.
    return f"{key} over {'dim' if left[-1] <= dim + 2 else 'tokens or contexts'}"
