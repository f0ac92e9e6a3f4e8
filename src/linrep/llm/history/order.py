r"""Do commoner concepts emerge earlier? Spearman's rank correlation of few concepts, with ties, and what it
is worth.

Few concepts, and checkpoints that several share: Fisher's z has no interval at a correlation of 1. So the
interval is a test turned round. Under a normal copula of correlation r, tied as the data are, it holds every
r that would give a correlation as high as, and as low as, the one seen in at least 2.5 % of draws each.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import LEAST, Interval

DRAWS = 4000
EXACT = 8
"""Up to so many concepts every order is counted, beyond DRAWS at random."""
TAIL = 0.025
HALVINGS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """Spearman's correlation of two numbers a concept."""

    value: float
    """In [-1, 1]; NaN where one of the two does not vary."""
    interval95: Interval | None
    """None below four concepts, or without a value."""
    p: float
    """How often one of the two, dealt anew, is as strongly correlated, in either direction; NaN without."""
    concepts: int

    def json(self) -> dict[str, float | int | list[float] | None]:
        """As plain data."""
        seen = not math.isnan(self.value)
        return {
            "value": self.value if seen else None,
            "interval95": None if self.interval95 is None else list(self.interval95),
            "p": self.p if seen else None,
            "concepts": self.concepts,
        }


def rank_correlation(
    x: Float64[Tensor, " concepts"], y: Float64[Tensor, " _"], *, generator: torch.Generator
) -> RankCorrelation:
    r"""Spearman's :math:`\rho` with an interval that holds for few and tied values.

    Naively: ``scipy.stats.spearmanr(x, y).statistic``.

    Args:
        x: One number a concept; infinity may stand for *not yet*.
        y: Another; as many.
        generator: Draws copulas, and deals anew where there are too many orders to count.

    Returns:
        The correlation. Unchanged by any increasing map of x or y; its sign turns with a decreasing one.

    Example:
        >>> x = torch.arange(6, dtype=torch.float64)
        >>> found = rank_correlation(x, x.exp(), generator=torch.Generator().manual_seed(0))
        >>> round(found.value, 6), round(found.p, 4), found.interval95[0] > 0.3, round(found.interval95[1], 3)
        (1.0, 0.0028, True, 1.0)

    References:
        Clopper and Pearson 1934, an interval from a test; Kruskal 1958 for :math:`\tfrac6\pi\arcsin\tfrac
        r2`.
    """
    number = len(x)
    first, second = _unit_ranks(x), _unit_ranks(y)
    if first is None or second is None:
        return RankCorrelation(value=math.nan, interval95=None, p=math.nan, concepts=number)
    value = float(first @ second)
    return RankCorrelation(
        value=value,
        interval95=_interval(value, first, second, generator) if number >= LEAST else None,
        p=_permuted(value, first, second, generator),
        concepts=number,
    )


def ranks(x: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
    """Ranks from 1, ties at their mean.

    Naively: ``scipy.stats.rankdata(x)``.

    Example:
        >>> ranks(torch.tensor([3.0, 1.0, 3.0], dtype=torch.float64)).tolist()
        [2.5, 1.0, 2.5]
    """
    below = (x[None, :] < x[:, None]).sum(1)
    equal = (x[None, :] == x[:, None]).sum(1)
    return below.to(torch.float64) + (equal + 1).to(torch.float64) / 2


def _unit_ranks(x: Tensor) -> Tensor | None:
    """Ranks less their mean, of length 1: correlations are products of these. None where nothing varies."""
    about = ranks(x.to(torch.float64)) - (len(x) + 1) / 2
    size = float(about.norm())
    return about / size if size > 0 else None


def _permuted(value: float, first: Tensor, second: Tensor, generator: torch.Generator) -> float:
    number = len(first)
    if number <= EXACT:
        orders = torch.tensor(list(itertools.permutations(range(number))))
    else:
        orders = torch.rand(DRAWS, number, generator=generator).argsort(1)
    seen = float(((second[orders] @ first).abs() >= abs(value) - 1e-9).double().mean())
    return seen if number <= EXACT else (seen * DRAWS + 1) / (DRAWS + 1)


def _interval(value: float, first: Tensor, second: Tensor, generator: torch.Generator) -> Interval:
    one, other = torch.randn(2, DRAWS, len(first), generator=generator, dtype=torch.float64)
    # A draw's numbers take the ties of the data by their order: the smallest gets the smallest rank.
    a = first.sort().values[one.argsort(1).argsort(1)]
    sorted_second = second.sort().values

    def drawn(r: float) -> Tensor:
        mixed = r * one + math.sqrt(1 - r * r) * other
        return (a * sorted_second[mixed.argsort(1).argsort(1)]).sum(1)

    def as_high(r: float) -> float:
        return float((drawn(r) >= value - 1e-9).double().mean())

    def as_low(r: float) -> float:
        return float((drawn(r) <= value + 1e-9).double().mean())

    low, high = -1.0, 1.0
    if as_high(-1.0) < TAIL:
        low = _crossing(lambda r: as_high(r) < TAIL)
    if as_low(1.0) < TAIL:
        high = -_crossing(lambda r: as_low(-r) < TAIL)
    return _spearman(low), _spearman(high)


def _crossing(outside: Callable[[float], bool]) -> float:
    """Where a condition that holds at -1 ends."""
    low, high = -1.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if outside(middle) else (low, middle)
    return high


def _spearman(r: float) -> float:
    return 6 / math.pi * math.asin(r / 2)
