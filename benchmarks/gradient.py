"""One full population gradient: autograd, JAX, the plain closed form, dense and fused, against the floor."""

import argparse
import itertools
from collections.abc import Iterator

from benchmarks import baselines, timing, worlds
from benchmarks.records import Row, aim, shown, table
from linrep.population import quickest, table_gradients

# Autograd keeps several arrays of this many logits at once; beyond, only the fused form is timed.
MOST_LOGITS = 2**27

# Concepts, runs, tables: what is timed where nothing is asked for.
STANDARD = (
    *((concepts, 1, "fresh") for concepts in (7, 8, 9, 10, 11, 12)),
    *((concepts, 1, "trained") for concepts in (9, 10)),
    *((concepts, 100, "fresh") for concepts in (5, 6, 7)),
    *((concepts, 1000, "fresh") for concepts in (5, 6)),
)
BASELINES = ("autograd", "jax", "plain")
OURS = ("dense", "fused", "auto")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--concepts", type=int, nargs="+", metavar="M", help="instead of the standard cases")
    parser.add_argument("--runs", type=int, nargs="+", help="runs trained at once")
    parser.add_argument("--dim", type=int, help="k, as many as concepts by default")
    parser.add_argument("--trained", action="store_true", help="tables as late in training: large logits")
    parser.add_argument("--repeats", type=int, default=9, help="rounds; the median is reported")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    for concepts, runs, kind in _cases(given):
        dim = given.dim or concepts
        case: Row = {"concepts": concepts, "runs": runs, "tables": kind, "dim": dim}
        times = measure(concepts, runs, kind, dim, given.repeats, given.device)
        ratios = {
            f"{form}/{ours}": times[form] / times[ours]
            for ours in ("fused", "auto")
            for form in BASELINES
            if form in times
        }
        over_floor = {f"{ours}/floor": times[ours] / times["floor"] for ours in ("fused", "auto")}
        yield {**case, **times, **ratios, **over_floor}


def measure(concepts: int, runs: int, kind: str, dim: int, repeats: int, device: str) -> dict[str, float]:
    """Median seconds of every form, and the floor from the same rounds."""
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
    times = timing.medians(calls, repeats, device=device)
    chosen = quickest(runs, f.shape[1], g.shape[1], f.dtype)
    return times | {"auto": times[chosen], "floor": timing.take_floor(times, logits, dim, device)}


def section(found: list[Row]) -> str:
    """Times and ratios, and the aims they were to reach."""
    lone = [row for row in found if row["runs"] == 1]
    many = [row for row in found if row["runs"] != 1]
    parts = [
        f"""## One gradient

The gradient of one population loss with respect to both tables, float32, exact, k = m unless told.
*autograd*: cross-entropy with dense targets through `log_softmax`, and `backward()`. *jax* (JAX
{found[0].get("jax_version", "")}): the same loss under `jit(grad)`. *plain*: prediction minus target, times
the tables, as one writes it down. *dense*, *fused*: the two forms of `linrep.population_gradient`; *auto*
takes one by size. *floor*: one exponential and 6·k flops per logit at the rates measured beside them. The
largest worlds are fused only: the others would hold all logits several times.
"""
    ]
    if lone:
        bounded = [float(row["fused/floor"]) for row in lone if int(row["concepts"]) >= 9]
        parts += ["Milliseconds.\n", _table(lone, 1e-3, "fused")]
        parts += [aim("fused over floor, m = 9 to 12,", bounded, at_most=2.5)]
        at_ten = [
            float(row["autograd/fused"]) for row in lone if row["concepts"] == 10 and row["tables"] == "fresh"
        ]
        parts += [aim("autograd over fused, m = 10,", at_ten, at_least=10) if at_ten else "", ""]
    if many:
        faster = [float(row["plain/auto"]) for row in many if "plain/auto" in row]
        parts += [
            "### Many small runs at once\n",
            "Microseconds per gradient and run.\n",
            _table(many, 1e-6, "auto"),
        ]
        parts += [aim("plain over auto, many runs,", faster, at_least=2) + "\n"]
    return "\n".join(parts)


def _table(found: list[Row], unit: float, ours: str) -> str:
    heads = [
        "world",
        *BASELINES,
        *OURS[:2],
        "floor",
        *(f"{form}/{ours}" for form in BASELINES),
        f"{ours}/floor",
    ]
    return table(heads, [_line(row, unit, ours) for row in found]) + "\n"


def _line(row: Row, unit: float, ours: str) -> list[str]:
    runs = "" if row["runs"] == 1 else f", {row['runs']} runs"
    dim = "" if row["dim"] == row["concepts"] else f", k = {row['dim']}"
    name = f"m = {row['concepts']}{dim}{runs}, {row['tables']}"
    columns = (*BASELINES, *OURS[:2], "floor")
    times = [shown(row, form, ".2f", unit * int(row["runs"])) for form in columns]
    ratios = [shown(row, f"{form}/{ours}", ".1f") for form in BASELINES]
    return [name, *times, *ratios, shown(row, f"{ours}/floor", ".2f")]


def _cases(given: argparse.Namespace) -> list[tuple[int, int, str]]:
    if not (given.concepts or given.runs or given.trained or given.dim):
        return list(STANDARD)
    kind = "trained" if given.trained else "fresh"
    return list(itertools.product(given.concepts or (7, 8, 9, 10), given.runs or [1], [kind]))
