"""One full population gradient: autograd, JAX, dense and fused, against the floor."""

import argparse
import itertools
from collections.abc import Iterator

from benchmarks import baselines, timing, worlds
from benchmarks.records import Row, aim, shown, table
from linrep.population import table_gradients

# Autograd keeps several arrays of this many logits at once; beyond, only the fused form is timed.
MOST_LOGITS = 2**27

# Concepts, runs, tables: what is timed where nothing is asked for.
STANDARD = (
    *((concepts, 1, "fresh") for concepts in (7, 8, 9, 10, 11, 12)),
    *((concepts, 1, "trained") for concepts in (9, 10)),
    *((concepts, 100, "fresh") for concepts in (5, 6, 7)),
    (7, 32, "fresh"),
)
FORMS = ("autograd", "jax", "dense", "fused")


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
        fused, floor = times["fused"], times["floor"]
        ratios = {f"{form}/fused": times[form] / fused for form in FORMS[:-1] if form in times}
        yield {**case, **times, **ratios, "fused/floor": fused / floor}


def measure(concepts: int, runs: int, kind: str, dim: int, repeats: int, device: str) -> dict[str, float]:
    """Median seconds of every form, and the floor from the same rounds."""
    population = worlds.population(concepts, runs, device=device)
    f, g = worlds.tables(population, dim, trained=kind == "trained")
    logits = f.shape[0] * f.shape[1] * g.shape[1]
    calls = timing.rates(device) | {"fused": lambda: table_gradients(population, f, g, method="fused")}
    if logits <= MOST_LOGITS:
        calls["dense"] = lambda: table_gradients(population, f, g, method="dense")
        calls["autograd"] = baselines.autograd(population, f, g)
        jitted = baselines.jax_gradient(population, f, g)
        calls |= {"jax": jitted} if jitted else {}
    times = timing.medians(calls, repeats, device=device)
    return times | {"floor": timing.take_floor(times, logits, dim, device)}


def section(found: list[Row]) -> str:
    """Times and ratios, and the aims they were to reach."""
    lone = [row for row in found if row["runs"] == 1]
    many = [row for row in found if row["runs"] != 1]
    parts = [
        f"""## One gradient

The gradient of one population loss with respect to both tables, float32, exact, k = m unless told.
*autograd*: cross-entropy with dense targets through `log_softmax`, and `backward()`. *jax* (JAX
{found[0].get("jax_version", "")}): the same loss under `jit(grad)`. *dense*, *fused*: the two forms of
`linrep.population_gradient`. *floor*: one exponential and 6·k flops per logit at the rates measured beside
them. The largest worlds are fused only: the others would hold all logits several times.
"""
    ]
    if lone:
        bounded = [float(row["fused/floor"]) for row in lone if int(row["concepts"]) >= 9]
        parts += ["Milliseconds.\n", _table(lone, 1e-3)]
        parts += [aim("fused over floor, m = 9 to 12,", bounded, at_most=2.5) + "\n"]
    if many:
        faster = [float(row["dense/fused"]) for row in many if "dense/fused" in row]
        parts += ["### Many small runs at once\n", "Microseconds per gradient and run.\n", _table(many, 1e-6)]
        parts += [aim("dense over fused, many runs,", faster, at_least=2) + "\n"]
    return "\n".join(parts)


def _table(found: list[Row], unit: float) -> str:
    heads = ["world", *FORMS, "floor", *(f"{form}/fused" for form in FORMS[:-1]), "fused/floor"]
    return table(heads, [_line(row, unit) for row in found]) + "\n"


def _line(row: Row, unit: float) -> list[str]:
    runs = "" if row["runs"] == 1 else f", {row['runs']} runs"
    dim = "" if row["dim"] == row["concepts"] else f", k = {row['dim']}"
    name = f"m = {row['concepts']}{dim}{runs}, {row['tables']}"
    times = [shown(row, form, ".2f", unit * int(row["runs"])) for form in (*FORMS, "floor")]
    ratios = [shown(row, f"{form}/fused", ".1f") for form in FORMS[:-1]]
    return [name, *times, *ratios, shown(row, "fused/floor", ".2f")]


def _cases(given: argparse.Namespace) -> list[tuple[int, int, str]]:
    if not (given.concepts or given.runs or given.trained or given.dim):
        return list(STANDARD)
    kind = "trained" if given.trained else "fresh"
    return list(itertools.product(given.concepts or (7, 8, 9, 10), given.runs or [1], [kind]))
