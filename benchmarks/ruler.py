"""A look of the ruler in one's own training loop, measuring in full, plain loops; and many runs at once."""

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

import linrep
from benchmarks import options, timing
from benchmarks.records import Row, aim, shown, table
from linrep.laboratory.ruler import BatchRuler
from linrep.laboratory.summary import measured

CONCEPTS = (3, 4, 5, 6)
AIM_MS, AIM_CONCEPTS = 2.0, 5
OF_MANY = ("look of many", "summary of many")
"""Of runs that were trained together, a world each, where their tables lie."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=options.positive, default=20, help="rounds; the median is reported")
    parser.add_argument("--runs", type=options.positive, default=100, help="runs measured at once")
    parser.add_argument("--device", type=options.device, default="cpu", help="cpu or cuda: where those lie")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    for concepts in CONCEPTS:
        draw = torch.Generator().manual_seed(0)
        world = linrep.world(linrep.random_dag(concepts, generator=draw))
        f = torch.randn(len(world.codes), concepts, generator=draw)
        g = torch.randn(len(world.tokens), concepts, generator=draw)
        calls: dict[str, timing.Call] = {
            "look": partial(linrep.Ruler(world), f, g),
            "measure": partial(linrep.measure, f, g, world=world),
            "loops": partial(loops, g, linrep.geometry.counterfactual_pairs(world.token_codes.long())),
        }
        for name, seconds in timing.medians(calls, given.repeats).items():
            yield {"concepts": concepts, "call": name, "seconds": seconds}
    calls = many(AIM_CONCEPTS, given.runs, given.device)
    for name, seconds in timing.medians(calls, given.repeats, device=given.device).items():
        yield {"concepts": AIM_CONCEPTS, "call": name, "seconds": seconds, "runs": given.runs}


def many(concepts: int, runs: int, device: str) -> dict[str, timing.Call]:
    """A look at many runs, and all that a summary says of them."""
    draw = torch.Generator().manual_seed(0)
    built = [linrep.world(linrep.random_dag(concepts, generator=draw)) for _ in range(runs)]
    ruler = BatchRuler(built, seed=0, device=device)
    f, g = (
        torch.randn(runs, rows, concepts, generator=draw, dtype=torch.float64).to(device)
        for rows in (len(built[0].codes), len(built[0].tokens))
    )
    loss, alive = torch.zeros(runs, dtype=torch.float64), torch.ones(runs, dtype=torch.bool)
    return {
        "look of many": lambda: ruler.look(f, g, loss, 1),
        "summary of many": lambda: measured(ruler, f, g, loss, alive),
    }


def section(found: list[Row]) -> str:
    """Milliseconds of a look."""
    by = {(row["concepts"], row["call"]): row for row in found}
    lines = [
        [str(m), *(shown(by[m, call], "seconds", ".2f", 1e-3) for call in ("look", "measure", "loops"))]
        for m in sorted({row["concepts"] for row in found})
    ]
    looks = [
        1e3 * float(row["seconds"])
        for row in found
        if (row["concepts"], row["call"]) == (AIM_CONCEPTS, "look")
    ]
    return f"""## The ruler in a training loop

Milliseconds of `linrep.Ruler` (every value and one null), of `linrep.measure` (nulls and intervals), and of
plain loops over steering vectors for the linearity of one table alone.

{table(["m", "look", "measure", "loops"], lines)}

{aim(f"A look at m = {AIM_CONCEPTS}, ms", looks, at_most=AIM_MS)}
{_of_many(found)}"""


def _of_many(found: list[Row]) -> str:
    here = {str(row["call"]): row for row in found if row["call"] in OF_MANY}
    if not here:
        return ""
    look, summary = (shown(here[call], "seconds", ".1f", 1e-3) for call in OF_MANY)
    runs = here[OF_MANY[0]]["runs"]
    return f"""
Of {runs} runs of m = {AIM_CONCEPTS} at once, a world each: {look} ms a look, {summary} ms the summary.
"""


def loops(table: Tensor, pairs: linrep.geometry.Pairs) -> list[float]:
    """Linearity of each concept by its definition."""
    found: list[float] = []
    for concept in range(pairs.groups):
        own = (pairs.group == concept).nonzero()[:, 0].tolist()
        vectors = [table[pairs.high[at]] - table[pairs.low[at]] for at in own]
        cosines = [float(u @ v / u.norm() / v.norm()) for u, v in combinations(vectors, 2)]
        found.append(sum(cosines) / max(len(cosines), 1))
    return found
