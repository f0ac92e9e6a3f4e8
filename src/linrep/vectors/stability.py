"""How much of a direction is luck: shuffled attributes, halves of the data, resampling, and noise."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry import linearity, pairs_from_lists, steering_moments
from linrep.linalg import normalise
from linrep.vectors.directions import class_mean, units
from linrep.vectors.pairs import Design, of_group

CLASS_ROWS = 1000
"""Rows of either class that are resampled, where classes take the place of pairs."""
HALVES = 100
NOISE_LEVELS = (0.1, 0.3, 1.0, 3.0)
NOISE_DRAWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The vectors one concept's direction is a weighted sum of: unit differences, or rows of two classes."""

    vectors: Float64[Tensor, "vectors dim"]
    """Class rows are high first, then low, about their common mean."""
    high: int
    """How many come in with weight plus; the rest with minus. All of them, where there are pairs."""
    paired: bool

    @property
    def low(self) -> int:
        """How many come in with weight minus."""
        return len(self.vectors) - self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """One concept's direction under resampling, shuffling and noise. Draws are NaN where undefined."""

    halves: Float64[Tensor, " splits"]
    """Cosine between the directions of two disjoint halves."""
    halves_shuffled: Float64[Tensor, " splits"]
    """The same with the attribute shuffled."""
    resampled: Float64[Tensor, " draws"]
    """Cosine between the direction of a bootstrap sample and that of all."""
    shuffled: Float64[Tensor, " draws"]
    """The statistic with the attribute shuffled: linearity, or the length of the class means' difference."""
    p: float
    """Share of shuffles, and of the data itself, whose statistic is at least the data's; NaN if undefined."""
    noise: tuple[tuple[float, float, float], ...]
    """(level, cosine with the direction without noise, linearity or NaN); levels in units of the vectors'
    root mean square deviation by coordinate."""


def evidence(
    table: Float[Tensor, "rows dim"], design: Design, concept: int, *, generator: torch.Generator
) -> Evidence:
    """What a concept's direction rests on; of large classes a random part."""
    if design.methods[concept] == "matched pairs":
        found = units(table, design.pairs, concept)
        return Evidence(vectors=found, high=len(found), paired=True)
    low, high = (
        rows[torch.randperm(len(rows), generator=generator)[:CLASS_ROWS]] for rows in design.classes[concept]
    )
    rows = table[torch.cat([high, low])].to(torch.float64)
    return Evidence(vectors=rows - rows.mean(0), high=len(high), paired=False)


def stability(
    table: Float[Tensor, "rows dim"],
    design: Design,
    concept: int,
    direction: Float64[Tensor, " dim"],
    spread: float,
    *,
    draws: int,
    generator: torch.Generator,
) -> Stability:
    """Shuffle, halve, resample and disturb what one concept's direction rests on.

    Args:
        table: The vectors.
        design: What each concept is measured on.
        concept: Which one.
        direction: Its direction, found on all.
        spread: Root mean square deviation of the vectors from their mean, by coordinate.
        draws: Shuffles and bootstrap samples.
        generator: Draws all of it.
    """
    given = evidence(table, design, concept, generator=generator)
    value, shuffled = shuffled_statistic(given, draws=draws, generator=generator)
    present = shuffled[~shuffled.isnan()]
    as_large = int((present >= value - 1e-12).sum())
    return Stability(
        halves=halves(given, draws=HALVES, generator=generator),
        halves_shuffled=halves(given, draws=HALVES, generator=generator, shuffle=True),
        resampled=resampled(given, draws=draws, generator=generator),
        shuffled=shuffled,
        p=(1 + as_large) / (1 + len(present)) if len(present) and not math.isnan(value) else math.nan,
        noise=tuple(_under_noise(table, design, concept, direction, spread, generator)),
    )


def shuffled_statistic(
    given: Evidence, *, draws: int, generator: torch.Generator
) -> tuple[float, Float64[Tensor, " draws"]]:
    r"""The statistic of the data, and with the attribute shuffled.

    For pairs it is linearity, and the two values are dealt anew within each pair, which turns its vector
    round or not: :math:`(\|\sum \pm\hat u\|^2 - N)/(N(N-1))`, exact if the values say nothing. For classes it
    is the length of the difference of means, and values are dealt anew among all rows.
    """
    x, number = given.vectors, len(given.vectors)
    if given.paired:
        if number < 2:
            return float("nan"), torch.full((draws,), torch.nan, dtype=torch.float64)
        signs = 2.0 * torch.randint(0, 2, (draws, number), generator=generator).to(torch.float64) - 1
        square = torch.cat([x.sum(0)[None], signs @ x]).square().sum(1)
        value = (square - number) / (number * (number - 1))
        return float(value[0]), value[1:]
    if not given.high or not given.low:
        return float("nan"), torch.full((draws,), torch.nan, dtype=torch.float64)
    order = torch.argsort(torch.rand(draws, number, generator=generator, dtype=torch.float64), 1)
    weights = torch.empty(draws + 1, number, dtype=torch.float64)
    sides = torch.full((number,), -1 / given.low, dtype=torch.float64)
    sides[: given.high] = 1 / given.high
    weights[0] = sides
    weights[1:] = sides[order]
    length = torch.linalg.vector_norm(weights @ x, dim=1)
    return float(length[0]), length[1:]


def halves(
    given: Evidence, *, draws: int, generator: torch.Generator, shuffle: bool = False
) -> Float64[Tensor, " draws"]:
    """Cosine between the directions of two disjoint random halves; NaN where a half is empty.

    With `shuffle` the attribute is shuffled first, anew for each draw.
    """
    number = len(given.vectors)
    sides = [given.high] if given.paired else [given.high, given.low]
    if min(sides) < 2:
        return torch.full((draws,), torch.nan, dtype=torch.float64)
    blocks = [number] if shuffle or given.paired else sides
    order = torch.cat(
        [
            start + torch.argsort(torch.rand(draws, size, generator=generator), 1)
            for start, size in zip((0, blocks[0]), blocks, strict=False)
        ],
        1,
    )
    first, second = torch.zeros(2, number, dtype=torch.float64)
    for start, size, sign in zip((0, given.high), sides, (1.0, -1.0), strict=False):
        half = size // 2
        first[start : start + half] = sign / half
        second[start + half : start + size] = sign / (size - half)
    flips = torch.ones(draws, number, dtype=torch.float64)
    if shuffle and given.paired:
        flips = 2.0 * torch.randint(0, 2, (draws, number), generator=generator).to(torch.float64) - 1
    found = [
        torch.zeros(draws, number, dtype=torch.float64).scatter_(
            1, order, weights.expand(draws, -1).contiguous()
        )
        * flips
        @ given.vectors
        for weights in (first, second)
    ]
    return (normalise(found[0]) * normalise(found[1])).sum(1)


def resampled(given: Evidence, *, draws: int, generator: torch.Generator) -> Float64[Tensor, " draws"]:
    """Cosine between the direction of a bootstrap sample (of pairs, or of rows by class) and that of all."""
    sides = [given.high] if given.paired else [given.high, given.low]
    if min(sides) < 2:
        return torch.full((draws,), torch.nan, dtype=torch.float64)
    parts: list[Tensor] = []
    whole: list[Tensor] = []
    for size, sign in zip(sides, (1.0, -1.0), strict=False):
        drawn = torch.randint(size, (draws, size), generator=generator)
        count = torch.zeros(draws, size, dtype=torch.float64)
        parts.append(count.scatter_add_(1, drawn, torch.ones_like(count)) * (sign / size))
        whole.append(torch.full((size,), sign / size, dtype=torch.float64))
    found = torch.cat(parts, 1) @ given.vectors
    return (normalise(found) * normalise(torch.cat(whole) @ given.vectors)).sum(1)


def _under_noise(
    table: Tensor, design: Design, concept: int, direction: Tensor, spread: float, generator: torch.Generator
) -> Iterator[tuple[float, float, float]]:
    """Each level with the cosine with the direction, and the linearity, that normal noise leaves."""
    one = of_group(design.pairs, concept)
    number = len(one.low)
    rows = table[torch.cat([one.low, one.high])].to(torch.float64)
    again = pairs_from_lists([[(i, number + i) for i in range(number)]])
    low, high = design.classes[concept]
    paired = design.methods[concept] == "matched pairs"
    gap = direction if paired else class_mean(table, high) - class_mean(table, low)
    share = (1 / max(len(low), 1) + 1 / max(len(high), 1)) ** 0.5
    for level in NOISE_LEVELS:
        cosines: list[float] = []
        linear: list[float] = []
        for _ in range(NOISE_DRAWS):
            noise = torch.randn(max(number, 1), table.shape[1], generator=generator).mul_(level * spread)
            if paired:
                # No row is in two pairs, so the noise of both rows of a pair may be added to one of them.
                disturbed = torch.cat([rows[:number], rows[number:] + 2**0.5 * noise])
                moments = steering_moments(disturbed, again, second=False)
                found = moments.direction[0]
                linear.append(float(linearity(moments)[0]))
            else:
                found = gap + share * noise[0]
                linear.append(float("nan"))
            cosines.append(float(normalise(found) @ direction))
        yield level, sum(cosines) / NOISE_DRAWS, sum(linear) / NOISE_DRAWS
