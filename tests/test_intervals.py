"""Intervals: against SciPy and slow twins, invariances, what they refuse, and how often they cover."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.intervals import (
    LEAST,
    Effect,
    components,
    crossed_interval,
    difference,
    jackknife_interval,
    mean_interval,
    slope,
)

DRAWS = 1500
samples = st.lists(st.floats(-5, 5), min_size=LEAST, max_size=12).map(
    lambda x: torch.tensor(x, dtype=torch.float64)
)


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(samples, st.floats(-3, 3), st.floats(0.1, 3))
def test_a_mean_has_students_interval_which_moves_and_scales_with_it(x, shift, scale) -> None:
    low, high = mean_interval(x)
    with np.errstate(invalid="ignore"):
        twin = scipy.stats.t.interval(0.95, len(x) - 1, float(x.mean()), float(x.std()) / len(x) ** 0.5)
    if float(x.std()) > 0:
        assert (low, high) == pytest.approx(twin, abs=1e-9)
    assert mean_interval(scale * x + shift) == pytest.approx(
        (scale * low + shift, scale * high + shift), abs=1e-6
    )
    assert jackknife_interval(float(x.mean()), [(x.sum() - x) / (len(x) - 1)]) == pytest.approx(
        (low, high), abs=1e-6
    )


def test_it_is_cut_where_the_mean_cannot_be() -> None:
    x = torch.tensor([0.9, 1.0, 1.0, 0.8], dtype=torch.float64)
    low, high = mean_interval(x)
    assert high > 1
    assert mean_interval(x, within=(-1, 1)) == (low, 1.0)


def test_few_have_none() -> None:
    x = normal(LEAST, seed=0)
    assert mean_interval(x) is not None
    assert mean_interval(torch.cat([x[1:], torch.tensor([torch.nan]).double()])) is None
    assert jackknife_interval(0.0, [x, x[:3]]) is None
    assert jackknife_interval(math.nan, [x]) is None
    assert crossed_interval(0.0, x, x[:3], x) is None
    assert difference(x, x[:3]).interval95 is None
    assert slope(x[:3], x[:3]).interval95 is None
    assert Effect(value=3.0, interval95=None, runs=(2,)).against(0) == "undecided"


def test_a_difference_is_welchs() -> None:
    a, b = normal(7, seed=1), 3 * normal(5, seed=2) + 1
    twin = scipy.stats.ttest_ind(a.numpy(), b.numpy(), equal_var=False).confidence_interval(0.95)
    found = difference(a, torch.cat([b, torch.tensor([torch.nan]).double()]))
    assert found.interval95 == pytest.approx((twin.low, twin.high))
    assert found.runs == (7, 5)
    assert difference(b, a).interval95 == pytest.approx((-twin.high, -twin.low))


def test_a_slope_is_the_jackknifes() -> None:
    x, y = normal(9, seed=3), normal(9, seed=4)
    found = slope(x, y)
    assert found.value == pytest.approx(np.polyfit(x, y, 1)[0])
    left = torch.tensor([np.polyfit(np.delete(x, i), np.delete(y, i), 1)[0] for i in range(9)])
    variance = float((left - found.value).square().sum())
    low, high = found.interval95
    assert (high - low) / 2 == pytest.approx(scipy.stats.t.ppf(0.975, 7) * variance**0.5, rel=1e-9)
    with pytest.raises(InputError, match="two different x"):
        slope(torch.ones(5).double(), y[:5])
    with pytest.raises(InputError, match="as many x as y"):
        slope(x, y[:5])


def test_clusters_of_pairs_by_shared_rows() -> None:
    low, high = torch.tensor([0, 2, 4, 3, 9]), torch.tensor([1, 3, 5, 4, 8])
    assert components(low, high).tolist() == [0, 1, 1, 1, 2]
    assert components(torch.arange(0, 6, 2), torch.arange(1, 7, 2)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("runs", [5, 20])
def test_they_cover_where_a_percentile_bootstrap_does_not(runs: int) -> None:
    """Binomial error of 1,500 draws is 0.6 %: bounds are five of these away."""
    x = normal(DRAWS, runs, seed=5)
    covered = np.mean([low <= 0 <= high for low, high in map(mean_interval, x)])
    assert 0.92 < covered < 0.98
    if runs == 5:
        draw = np.random.default_rng(0)
        naive = [
            np.quantile(draw.choice(row, (300, runs)).mean(1), [0.025, 0.975]) for row in x[:500].numpy()
        ]
        assert np.mean([low <= 0 <= high for low, high in naive]) < 0.9


def test_crossed_labels_are_covered_where_single_units_are_not() -> None:
    """Values on a grid with a row and a column effect: their mean varies more than its cells tell."""
    draws, size = 600, 8
    grid = (
        normal(draws, size, 1, seed=6)
        + normal(draws, 1, size, seed=7)
        + 0.3 * normal(draws, size, size, seed=8)
    )
    crossed, single = [], []
    for each in grid:
        mean = float(each.mean())
        left = [
            (each.sum() - part) / (size * size - n)
            for part, n in ((each.sum(1), size), (each.sum(0), size), (each.flatten(), 1))
        ]
        low, high = crossed_interval(mean, *left)
        crossed.append(low <= 0 <= high)
        low, high = mean_interval(each.flatten())
        single.append(low <= 0 <= high)
    assert np.mean(crossed) > 0.93
    assert np.mean(single) < 0.6
