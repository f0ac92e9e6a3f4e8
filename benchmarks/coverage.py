"""How often each interval that the product prints holds the truth it was planted with."""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import options
from benchmarks.records import Row, table
from linrep.geometry import counterfactual_pairs, intervals_over_vectors, pairs_from_lists
from linrep.geometry.values import Side, similarity_values
from linrep.intervals import Interval, difference, mean_interval, slope
from linrep.llm.resampling import Clusters, weighted_linearity, weighted_mean, word_interval
from linrep.paper.cost import growth
from linrep.paper.paired import growth_exponent
from linrep.seeds import generator

AIM = (0.93, 0.98)
DIM = 16
STRAIGHT, BENT, SHARE = (0.995, 0.003), (0.79, 0.03), 0.2
"""Mean and spread of linearity in runs of either kind, and the share of the second, as seen at k = m."""
WORDS = 20
"""Of a sample of sentences crossed with words: more take long, and change nothing."""
FAMILIES = ("normal", "mixture")

Found = tuple[float, Interval | None, float]
"""A value, its interval, and what it should hold; NaN: the mean of the values over all repetitions."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Draws of one family: normal numbers, or four in five of one kind and one of another."""

    family: str
    rng: torch.Generator

    def numbers(self, *shape: int) -> tuple[Tensor, float]:
        """Numbers as of runs, and their mean."""
        noise = torch.randn(*shape, generator=self.rng, dtype=torch.float64)
        if self.family == "normal":
            return 0.9 + 0.05 * noise, 0.9
        bent = torch.rand(*shape, generator=self.rng, dtype=torch.float64) < SHARE
        straight = STRAIGHT[0] + STRAIGHT[1] * noise
        return torch.where(bent, BENT[0] + BENT[1] * noise, straight), (1 - SHARE) * STRAIGHT[
            0
        ] + SHARE * BENT[0]

    def noise(self, *shape: int) -> Tensor:
        """Numbers of mean zero and about unit variance."""
        numbers, mean = self.numbers(*shape)
        return (numbers - mean) / (0.05 if self.family == "normal" else 0.083)

    def rows(self, number: int) -> Tensor:
        """Noise of vectors; in a mixture one in five is three times as long."""
        noise = torch.randn(number, DIM, generator=self.rng, dtype=torch.float64)
        if self.family == "normal":
            return noise
        return noise * (1 + 2 * (torch.rand(number, 1, generator=self.rng) < SHARE).double())


def _mean(n: int, plant: Plant) -> dict[str, Found]:
    x, truth = plant.numbers(n)
    return {"mean over runs": (float(x.mean()), mean_interval(x, within=(-1, 1)), truth)}


def _difference(n: int, plant: Plant) -> dict[str, Found]:
    found = difference(plant.noise(n), 3 * plant.noise(n))
    return {"difference of two groups of runs": (found.value, found.interval95, 0.0)}


def _slope(n: int, plant: Plant) -> dict[str, Found]:
    x = torch.linspace(0.2, 1, n, dtype=torch.float64)
    even, uneven = slope(x, 2 * x + plant.noise(n)), slope(x, 2 * x + x * plant.noise(n))
    return {
        "slope": (even.value, even.interval95, 2.0),
        "slope, spread grows with x": (uneven.value, uneven.interval95, 2.0),
    }


def _growth(n: int, plant: Plant) -> dict[str, Found]:
    x = torch.linspace(9, 12, n, dtype=torch.float64)
    found = growth(x.tolist(), torch.exp(x + 0.1 * plant.noise(n)).tolist())
    over = torch.logspace(0, 2, 5, dtype=torch.float64)[:, None].expand(5, n)
    fall = growth_exponent(over, 3 * over**-0.5 * (1 + 0.2 * plant.noise(5, n)))
    return {
        "growth per concept": (found.value, found.interval95, math.e),
        "exponent of a power law": (fall.value, fall.interval95, -0.5),
    }


def _vectors(n: int, plant: Plant) -> dict[str, Found]:
    """Two concepts, n vectors each with rows of their own, in two tables 37 degrees or more apart."""
    apart = torch.zeros(2, 2, DIM, dtype=torch.float64)
    apart[0, 0, 0] = apart[0, 1, 1] = 1
    apart[1, 0, :3] = torch.tensor([0.8, 0.0, 0.6])
    apart[1, 1, :4] = torch.tensor([0.48, 0.64, 0.0, 0.6])
    pairs = pairs_from_lists([[(2 * i, 2 * i + 1) for i in range(g * n, g * n + n)] for g in range(2)])
    tables = {}
    for name, directions in zip(("embedding", "unembedding"), apart, strict=True):
        rows = torch.zeros(4 * n, DIM, dtype=torch.float64)
        rows[1::2] = directions.repeat_interleave(n, 0) + 0.3 * plant.rows(2 * n)
        tables[name] = rows, pairs
    return _of_tables(tables, plant, "vectors")


def _cube(n: int, plant: Plant) -> dict[str, Found]:
    """The corners of a cube with noise, about n vectors a concept: each row is in a pair of each concept."""
    concepts = max(3, round(math.log2(2 * n)))
    codes = torch.cartesian_prod(*[torch.arange(2)] * concepts)
    rows = torch.nn.functional.pad(codes.double(), (0, DIM - concepts)) + 0.2 * plant.rows(len(codes))
    return _of_tables({"unembedding": (rows, counterfactual_pairs(codes))}, plant, "cube")


def _of_tables(tables: dict[str, tuple[Tensor, object]], plant: Plant, what: str) -> dict[str, Found]:
    sides = {
        name: Side(table=rows[None], pairs=pairs, rows=torch.tensor([len(rows)]))
        for name, (rows, pairs) in tables.items()
    }
    values = similarity_values(sides)
    intervals = intervals_over_vectors(tables, values, generator=plant.rng)
    return {
        f"{what}: {key[0]}": (values.mean(key), intervals[key], math.nan)
        for key in intervals
        if key[1] != "embedding"
    }


def _words(n: int, plant: Plant) -> dict[str, Found]:
    """Word pairs of a language model, every fifth sharing a word with the one before."""
    ends = torch.stack([torch.arange(n), torch.arange(n, 2 * n)])
    ends[0, 4::5] = ends[0, 3::5][: len(ends[0, 4::5])]
    words = 0.3 * plant.rows(2 * n)
    words[n:, 0] += 1
    units = torch.nn.functional.normalize(words[ends[1]] - words[ends[0]])
    gram = units @ units.mT

    def statistic(weights: Tensor) -> Tensor:
        return weighted_linearity(gram, weights)

    value = float(statistic(torch.ones(1, n, dtype=torch.float64))[0])
    return {"word pairs: linearity": (value, word_interval(statistic, ends), math.nan)}


def _frames(n: int, plant: Plant) -> dict[str, Found]:
    """Contexts of a language model: n sentences, three pairs each, or crossed with n words, 20 at most."""
    found: dict[str, Found] = {}
    frame, swap = torch.arange(n).repeat_interleave(3), torch.arange(3 * n)
    values = 0.9 + 0.05 * (plant.noise(n, 1) + 0.3 * plant.noise(n, 3)).flatten()
    own = Clusters(frame=frame, swap=swap).interval(weighted_mean(values))
    found["sentences: mean"] = float(values.mean()), own, 0.9
    few = min(n, WORDS)
    frame, swap = torch.arange(n).repeat_interleave(few), torch.arange(few).repeat(n)
    values = 0.9 + 0.05 * (plant.noise(n, 1) + plant.noise(1, few) + 0.3 * plant.noise(n, few)).flatten()
    crossed = Clusters(frame=frame, swap=swap).interval(weighted_mean(values))
    found["sentences × words: mean"] = float(values.mean()), crossed, 0.9
    return found


CASES: dict[str, Callable[[int, Plant], dict[str, Found]]] = {
    "mean": _mean,
    "difference": _difference,
    "slope": _slope,
    "growth": _growth,
    "vectors": _vectors,
    "cube": _cube,
    "words": _words,
    "frames": _frames,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--units", type=options.whole(4), nargs="+", default=[5, 10, 20, 50], metavar="N")
    parser.add_argument("--repetitions", type=options.positive, default=2000, help="planted samples of each")
    parser.add_argument("--only", choices=CASES, nargs="+", default=[*CASES], help="of these alone")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    for case in (CASES[name] for name in given.only):
        for family in FAMILIES:
            for units in given.units:
                plant = Plant(family, generator(0, f"coverage {case.__name__} {family}", units))
                found = [case(units, plant) for _ in range(given.repetitions)]
                for name in found[0]:
                    drawn = [each[name] for each in found]
                    yield {"interval": name, "family": family, "units": units} | _covered(drawn)


def _covered(drawn: list[Found]) -> Row:
    values = [value for value, _, _ in drawn]
    expected = sum(values) / len(values)
    hits = missed = 0
    for _, interval, planted in drawn:
        truth = expected if math.isnan(planted) else planted
        missed += interval is None or math.isnan(interval[0])
        hits += interval is not None and interval[0] <= truth <= interval[1]
    return {"repetitions": len(drawn), "absent": missed, "coverage": hits / len(drawn)}


def section(found: list[Row]) -> str:
    """Coverage by interval and number of units, the normal family beside the mixture."""
    units = sorted({int(row["units"]) for row in found})
    cells = {(row["interval"], row["family"], int(row["units"])): float(row["coverage"]) for row in found}
    names = list(dict.fromkeys(str(row["interval"]) for row in found))
    columns = [(family, n) for family in FAMILIES for n in units]
    lines = [
        [
            name,
            *(f"{100 * cells[key]:.1f}" if (key := (name, *column)) in cells else "—" for column in columns),
        ]
        for name in names
    ]
    normal, mixed = (
        [value for (_, family, _), value in cells.items() if family == each] for each in FAMILIES
    )
    inside, among = (sum(AIM[0] <= value <= AIM[1] for value in each) for each in (normal, mixed))
    repetitions = sorted({int(row["repetitions"]) for row in found})
    often = " or ".join(f"{each:,}" for each in repetitions)
    beyond = [f"{name}, n = {n}: {100 * v:.1f}" for (name, family, n), v in cells.items()
              if family == "normal" and not AIM[0] <= v <= AIM[1]]  # fmt: skip
    outside = f"; not {', '.join(beyond)}" if beyond else ""
    found_there = f"{100 * min(normal):.1f} to {100 * max(normal):.1f} %"
    return f"""## Coverage of intervals

How often, in %, a 95 % interval holds the truth, of {often} planted samples of n units (runs,
vectors of a concept, word pairs, sentences); the truth is what was planted, or the mean over all samples.
Normal units, then four in five of one kind and one in five of another (for runs {STRAIGHT[0]} and {BENT[0]}):
where no unit of the second kind is in the sample nothing can know of it; of five units that is so in 33 %.

{table(["95 % interval", *(f"{family}, n = {n}" for family, n in columns)], lines)}

- Aim, normal: {100 * AIM[0]:g} to {100 * AIM[1]:g} %. Found {found_there}; {inside} of {len(normal)} lie
  within{outside}.
- Mixture, reported beside it without an aim: {100 * min(mixed):.1f} to {100 * max(mixed):.1f} %; {among} of
  {len(mixed)} lie within the same.
"""
