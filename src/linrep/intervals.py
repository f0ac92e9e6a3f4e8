r"""95 % intervals that cover: of a mean, a difference, a slope, and of any statistic by leaving units out.

Student's t throughout. Over few runs a percentile bootstrap at "95 %" covers far less (76 % of three normal
runs, 83 % of five, 90 % of ten); how often each of these covers is measured by ``python -m benchmarks
coverage``. Below :data:`LEAST` units there is none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.errors import InputError

Interval = tuple[float, float]
Range = tuple[int | float, int | float]
LEAST = 4
"""Fewest runs (vectors, clusters) that have an interval."""
ANYWHERE: Range = (-math.inf, math.inf)


def mean_interval(values: Float64[Tensor, " units"], within: Range = ANYWHERE) -> Interval | None:
    r"""Student's interval of a mean, :math:`\bar x \pm t_{n-1}\, s / \sqrt n`; NaN is left out.

    Naively: ``scipy.stats.t.interval(0.95, n - 1, x.mean(), x.std() / n**0.5)``.

    Args:
        values: One per independent unit (run, vector, cluster).
        within: Where the mean can be: the interval is cut there, which costs no coverage.

    Returns:
        (low, high), or None below `LEAST` values. Moves and scales with the values where nothing is cut.

    Example:
        >>> low, high = mean_interval(torch.tensor([1.0, 2.0, 3.0, 4.0, torch.nan], dtype=torch.float64))
        >>> round(low, 3), round(high, 3)
        (0.446, 4.554)
    """
    present = values[~values.isnan()]
    number = len(present)
    if number < LEAST:
        return None
    mean = float(present.mean())
    return _about(mean, float(present.var()) / number, number - 1, within)


def jackknife_interval(
    value: float, left_out: Sequence[Float64[Tensor, " _"]], within: Range = ANYWHERE
) -> Interval | None:
    r"""Interval of a statistic from its values with one unit left out, :math:`\hat\theta \pm t\, \hat\sigma`.

    Over independent samples (groups) the variances
    :math:`\tfrac{n-1}{n} \sum_i (\hat\theta_{(i)} - \bar\theta)^2` add up, and t has Satterthwaite's
    degrees of freedom. For a mean it is :func:`mean_interval`.

    Naively: ``pseudo = n * value - (n - 1) * left_out``, then the interval of the mean of ``pseudo``.

    Args:
        value: On all units.
        left_out: For each sample, the statistic without each of its units in turn.
        within: Where the statistic can be.

    Returns:
        (low, high), or None where a sample has fewer than `LEAST` units or a value is missing.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
        >>> low, high = jackknife_interval(2.5, [(x.sum() - x) / 3])
        >>> round(low, 3), round(high, 3)
        (0.446, 4.554)

    References:
        Efron and Stein 1981; Satterthwaite 1946.
    """
    if not left_out or any(len(each) < LEAST or bool(each.isnan().any()) for each in left_out):
        return None
    parts = [Variance(value=_jackknife_variance(each), freedom=len(each) - 1) for each in left_out]
    return t_interval(value, parts, within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """An estimated variance of a statistic, and how many degrees of freedom the estimate has."""

    value: float
    freedom: int | float


def t_interval(value: float, parts: Sequence[Variance], within: Range = ANYWHERE) -> Interval | None:
    """Interval of a statistic whose variance is the sum of independently estimated parts.

    Returns:
        (low, high), t with Satterthwaite's degrees of freedom; None where the value is missing.

    Example:
        >>> t_interval(0.0, [Variance(value=1.0, freedom=1e9)], within=(-1, 5))[0]
        -1.0
    """
    variance = sum(part.value for part in parts)
    return None if math.isnan(value) else _about(value, variance, _freedom(parts), within)


def shared_variance(
    influence: Sequence[Float64[Tensor, " _"]], rows: Int64[Tensor, "2 pairs"], freedom: Sequence[int | float]
) -> Variance:
    r"""Variance of a statistic of samples of pairs, some of which share a row.

    :math:`V = \sum_r (\sum_{p \ni r} \psi_p)^2 - \sum_p \psi_p^2`, at least :math:`\sum_p \psi_p^2`, which it
    is where no row is in two pairs. Sharing costs degrees of freedom in proportion.

    Args:
        influence: For each sample :math:`\psi_p`; their squares sum to its variance were pairs unrelated.
        rows: The two rows of every pair, samples one after the other.
        freedom: Degrees of freedom of each sample's own variance.

    Example:
        >>> one = torch.tensor([1.0, -1.0], dtype=torch.float64)
        >>> shared_variance([one], torch.tensor([[0, 2], [1, 3]]), [1])
        Variance(value=2.0, freedom=1.0)

    References:
        Aronow, Samii and Assenova 2015, dyadic clustering.
    """
    squares = [float(each.square().sum()) for each in influence]
    alone = [Variance(value=v, freedom=n) for v, n in zip(squares, freedom, strict=True)]
    psi = torch.cat(list(influence))
    by_row = psi.new_zeros(int(rows.max()) + 1).index_add_(0, rows.flatten(), psi.repeat(2))
    unrelated = sum(part.value for part in alone)
    shared = max(float(by_row.square().sum()) - unrelated, unrelated)
    ratio = unrelated / shared if shared > 0 else 1.0
    return Variance(value=shared, freedom=max(_freedom(alone) * ratio, min(freedom)))


def crossed_interval(
    value: float,
    first: Float64[Tensor, " rows"],
    second: Float64[Tensor, " columns"],
    both: Float64[Tensor, " cells"],
    within: Range = ANYWHERE,
) -> Interval | None:
    r"""Interval where units share one of two labels, :math:`V = V_{first} + V_{second} - V_{both}`.

    Each V is the jackknife variance over that label's clusters; V is at least the larger of the first two.

    Args:
        value: On all units.
        first: The statistic without each cluster of the first label in turn.
        second: Without each cluster of the second.
        both: Without each set of units that share both labels.
        within: Where the statistic can be.

    Returns:
        (low, high) by Student's t of the smaller number of clusters; None where that is below `LEAST`.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
        >>> left = (x.sum() - x) / 3
        >>> crossed_interval(2.5, left, left, left) == jackknife_interval(2.5, [left])
        True

    References:
        Cameron, Gelbach and Miller 2011, multiway clustering.
    """
    few = min(len(first), len(second))
    if few < LEAST or math.isnan(value) or any(bool(each.isnan().any()) for each in (first, second, both)):
        return None
    row, column, cell = (_jackknife_variance(each) for each in (first, second, both))
    return _about(value, max(row + column - cell, row, column), few - 1, within)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect size with its 95 % interval."""

    value: float
    """NaN where there is none."""
    interval95: Interval | None
    """None below `LEAST` runs."""
    runs: tuple[int, ...]
    """How many runs each side has."""

    def against(self, bound: int | float) -> Literal["above", "below", "undecided"]:
        """On which side of a bound the whole interval lies; *undecided* where it straddles it or is absent.

        Example:
            >>> Effect(value=0.2, interval95=(0.1, 0.3), runs=(8, 8)).against(0.0)
            'above'
        """
        if self.interval95 is None:
            return "undecided"
        low, high = self.interval95
        return "above" if low > bound else "below" if high < bound else "undecided"


def average(values: Float64[Tensor, " runs"], within: Range = ANYWHERE) -> Effect:
    """Mean of one number per run, with :func:`mean_interval`.

    Args:
        values: One per run; NaN is left out.
        within: Where the mean can be.

    Example:
        >>> average(torch.tensor([1.0, 2.0, 3.0, 4.0, torch.nan], dtype=torch.float64)).runs
        (4,)
    """
    present = values[~values.isnan()]
    value = float(present.mean()) if len(present) else math.nan
    return Effect(value=value, interval95=mean_interval(present, within), runs=(len(present),))


def difference(first: Float64[Tensor, " runs"], second: Float64[Tensor, " others"]) -> Effect:
    r"""Mean of the first group of runs less that of the second, by Welch's t: variances may differ.

    For runs that come in pairs (one world, one start) take :func:`mean_interval` of their differences.

    Naively: ``scipy.stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)``.

    Args:
        first: One number per run; NaN is left out.
        second: The other group's.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
        >>> difference(x + 10, x).against(0)
        'above'

    References:
        Welch 1947.
    """
    groups = [each[~each.isnan()] for each in (first, second)]
    runs = tuple(len(each) for each in groups)
    if min(runs) == 0:
        return Effect(value=math.nan, interval95=None, runs=runs)
    a, b = groups
    value = float(a.mean() - b.mean())
    left_out = [_means_without(a) - b.mean(), a.mean() - _means_without(b)] if min(runs) >= LEAST else []
    return Effect(value=value, interval95=jackknife_interval(value, left_out), runs=runs)


def slope(x: Float64[Tensor, " runs"], y: Float64[Tensor, " _"]) -> Effect:
    r"""Least-squares slope of y on x, with an interval that unequal variances do not break.

    The jackknife's variance (HC3: each residual over one less its leverage) with t of n − 2 degrees.

    Naively: ``statsmodels.OLS(y, [1, x]).fit(cov_type="HC3", use_t=True).conf_int()``.

    Args:
        x: One number per run, not all equal.
        y: One per run; runs with NaN in either are left out.

    Raises:
        InputError: If the numbers differ in how many, or all x are equal.

    Example:
        >>> x = torch.arange(6, dtype=torch.float64)
        >>> slope(x, 2 * x + 1).value
        2.0

    References:
        MacKinnon and White 1985.
    """
    if x.shape != y.shape:
        raise InputError(f"slope: expected as many x as y, got {len(x)} and {len(y)}; give one of each a run")
    present = ~(x.isnan() | y.isnan())
    x, y = x[present], y[present]
    number = len(x)
    if number < 2 or bool((x == x[0]).all()):
        raise InputError(f"slope: expected two different x or more, got {number} runs; vary what x measures")
    about = x - x.mean()
    spread = float(about.square().sum())
    value = float(about @ y) / spread
    if number < LEAST:
        return Effect(value=value, interval95=None, runs=(number,))
    leverage = 1 / number + about.square() / spread
    residual = (y - y.mean() - value * about) / (1 - leverage).clamp_min(1e-12)
    variance = float((about * residual).square().sum()) / spread**2
    return Effect(value=value, interval95=_about(value, variance, number - 2, ANYWHERE), runs=(number,))


def components(low: Int64[Tensor, " pairs"], high: Int64[Tensor, " pairs"]) -> Int64[Tensor, " pairs"]:
    """Clusters of pairs that hang together by shared rows: the independent units of a list of pairs.

    Example:
        >>> components(torch.tensor([0, 1, 5]), torch.tensor([1, 2, 6]))
        tensor([0, 0, 1])
    """
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (up := parent.setdefault(row, row)) != row:
            parent[row] = row = parent[up]
        return row

    pairs = list(zip(low.tolist(), high.tolist(), strict=True))
    for a, b in pairs:
        parent[root(a)] = root(b)
    number: dict[int, int] = {}
    return torch.tensor([number.setdefault(root(a), len(number)) for a, _ in pairs], dtype=torch.int64)


def _means_without(x: Tensor) -> Tensor:
    return (x.sum() - x) / (len(x) - 1)


def _jackknife_variance(left_out: Tensor) -> float:
    number = len(left_out)
    return float((left_out - left_out.mean()).square().sum()) * (number - 1) / number


def _freedom(parts: Sequence[Variance]) -> float:
    """Satterthwaite's; of parts without variance their sum."""
    shares = sum(part.value**2 / part.freedom for part in parts)
    if not shares > 0:
        return float(sum(part.freedom for part in parts))
    return sum(part.value for part in parts) ** 2 / shares


def _about(value: float, variance: float, freedom: int | float, within: Range) -> Interval:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, 0.975)) * math.sqrt(max(variance, 0.0))
    least, most = within
    return float(min(max(value - half, least), most)), float(max(min(value + half, most), least))
