"""What is said of frequency and emergence, against slow twins, planted truth and controls with none."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from linrep.llm.history.law import Bracket, law, log_likelihood
from linrep.llm.history.order import rank_correlation, ranks
from linrep.llm.history.profile import fitted
from linrep.llm.history.threshold import penalised, threshold
from linrep.seeds import generator

few = st.lists(st.integers(0, 5), min_size=4, max_size=8)


def f64(values: object) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


# --- rank correlation ---


@given(few, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_rank_correlation_is_scipys_with_ties(x: list[int], draw) -> None:
    y = [draw.randint(0, 3) for _ in x]
    found = rank_correlation(f64(x), f64(y), generator=generator(0, "t"))
    assert ranks(f64(x)).tolist() == stats.rankdata(x).tolist()
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found.value)
        assert found.interval95 is None
        return
    assert found.value == pytest.approx(float(stats.spearmanr(x, y).statistic), abs=1e-9)
    orders = itertools.islice(itertools.permutations(y), 0, None)
    if len(x) <= 6:
        every = [abs(float(stats.spearmanr(x, order).statistic)) for order in orders]
        as_far = sum(each >= abs(found.value) - 1e-9 for each in every)
        assert found.p == pytest.approx(as_far / len(every))


def test_it_is_unmoved_by_increasing_maps_and_turns_with_a_falling_one() -> None:
    x, y = f64([1, 2, 3, 4, 5, 6, 7]), f64([2, 1, 4, 3, 7, 5, 6])
    first, mapped, turned = (
        rank_correlation(a, b, generator=generator(0, "t")) for a, b in ((x, y), (x.exp(), y**3), (x, -y))
    )
    assert first == mapped
    assert turned.value == pytest.approx(-first.value)
    assert first.interval95 is not None
    assert turned.interval95 is not None
    assert turned.interval95[0] == pytest.approx(-first.interval95[1], abs=0.05)


@pytest.mark.parametrize("r", [0.0, 0.6, 0.9])
def test_its_interval_covers_for_six_concepts_that_share_checkpoints(r: float) -> None:
    draw, covered, trials = generator(0, "coverage"), 0, 60
    truth = 6 / math.pi * math.asin(r / 2)
    for _ in range(trials):
        a, e = torch.randn(2, 6, generator=draw, dtype=torch.float64)
        y = (2 * (r * a + math.sqrt(1 - r * r) * e)).round()
        found = rank_correlation(a, y, generator=draw).interval95
        covered += found is not None and found[0] <= truth <= found[1]
    assert covered >= 0.90 * trials


# --- profiles ---


def test_the_interval_of_a_parabola_is_the_normal_one() -> None:
    at = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    found = fitted(at, -((at - 1.3) ** 2) / (2 * 0.5**2))
    assert found is not None
    assert found.value == pytest.approx(1.3, abs=0.01)
    assert found.interval95 == pytest.approx((1.3 - 1.96 * 0.5, 1.3 + 1.96 * 0.5), abs=2e-3)
    assert fitted(at, at) is None
    half_open = fitted(at, torch.where(at > 0, 0.0, -(at**2)))
    assert half_open is None or half_open.interval95[1] is None


# --- the threshold at one checkpoint ---


def slow_penalised(x: Tensor, y: Tensor, at: float, steep: float) -> float:
    """Jeffreys' penalty from autograd's second derivatives of the negative log likelihood."""

    def loss(free: Tensor) -> Tensor:
        p = torch.sigmoid(free[0] + free[1] * x)
        return -(y * p.log() + (1 - y) * (1 - p).log()).sum()

    free = f64([-steep * at, steep])
    hessian = torch.autograd.functional.hessian(loss, free)
    return float(-loss(free) + 0.5 * torch.linalg.slogdet(hessian).logabsdet)


def test_the_penalised_likelihood_is_its_slow_twin() -> None:
    x, y = f64([-1.0, -0.4, 0.1, 0.3, 0.9]), f64([0, 0, 1, 0, 1])
    for at, steep in ((0.0, 1.0), (0.3, 4.0), (-2.0, 0.5)):
        fast = float(penalised(x, y, f64([at]), f64([steep])))
        assert fast == pytest.approx(slow_penalised(x, y, at, steep), abs=1e-8)


def test_with_many_concepts_it_is_plain_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    draw = generator(0, "t")
    x = 2 + 6 * torch.rand(400, generator=draw, dtype=torch.float64)
    y = torch.rand(400, generator=draw, dtype=torch.float64) < torch.sigmoid(2.5 * (x - 5))
    found = threshold(x.exp(), y, generator=draw)
    plain = LogisticRegression(C=1e9, tol=1e-10).fit(x[:, None].numpy(), y.numpy())
    assert found.count is not None
    assert math.log(found.count) == pytest.approx(-plain.intercept_[0] / plain.coef_[0, 0], abs=0.03)
    low, high = found.interval95
    assert low is not None
    assert high is not None
    assert low < math.exp(5) < high
    assert high / low < 1.4
    assert found.p < 0.01


def test_concepts_that_are_apart_have_a_threshold_between_them_and_it_scales() -> None:
    counts = f64([3, 9, 20, 55, 160, 400, 1200, 4000])
    found, scaled = (
        threshold(factor * counts, counts > 100, generator=generator(0, "t")) for factor in (1, 10)
    )
    assert found.count is not None
    assert 55 < found.count < 160
    assert scaled.count == pytest.approx(10 * found.count)
    assert scaled.p == found.p == pytest.approx(1 / 70, abs=0.02)


def test_where_frequency_has_no_part_there_is_no_threshold_to_speak_of() -> None:
    draw, claimed, trials = generator(0, "control"), 0, 60
    counts = f64(np.geomspace(10, 10_000, 12))
    for _ in range(trials):
        found = threshold(counts, torch.rand(12, generator=draw) < 0.5, generator=draw, draws=100)
        claimed += found.p < 0.05
    assert claimed <= 0.15 * trials
    for direction in (counts > 0, counts < 0):
        assert threshold(counts, direction, generator=draw).count is None
    opposite = threshold(counts, counts < 200, generator=draw)
    assert opposite.count is None
    assert opposite.p > 0.9


def test_its_interval_covers() -> None:
    draw, covered, seen = generator(1, "coverage"), 0, 0
    x = torch.linspace(2, 8, 20, dtype=torch.float64)
    for _ in range(60):
        found = threshold(
            x.exp(), torch.rand(20, generator=draw) < torch.sigmoid(2 * (x - 5.3)), generator=draw, draws=2
        )
        if found.count is None:
            continue
        low, high = found.interval95
        seen += 1
        covered += (low is None or low <= math.exp(5.3)) and (high is None or high >= math.exp(5.3))
    assert seen > 50
    assert covered >= 0.9 * seen


# --- the law over all checkpoints ---

GRID = [0.0, *(32 * 50 ** (k / 14) for k in range(15))]
"""Checkpoints up to step 1,600."""


def bracketed(counts: Tensor, steps: Tensor) -> list[Bracket]:
    found: list[Bracket] = []
    for n, t in zip(counts.tolist(), steps.tolist(), strict=True):
        at = next((i for i, step in enumerate(GRID) if step >= t), None)
        low, high = (GRID[-1], math.inf) if at is None else (GRID[max(at - 1, 0)], GRID[at])
        found.append(Bracket(count=n, low=low, high=high))
    return found


def test_log_likelihood_is_scipys_also_far_out() -> None:
    low, high = f64([-1.0, -math.inf, 3.0, 10.0]), f64([1.0, -2.0, math.inf, 11.0])
    slow = 0.0
    for a, b in zip(low.tolist(), high.tolist(), strict=True):
        upper = stats.norm.sf(a) - stats.norm.sf(b) if a > 0 else stats.norm.cdf(b) - stats.norm.cdf(a)
        slow += math.log(upper)
    assert float(log_likelihood(f64([0.0]), f64([1.0]), low, high)) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_planted_law_is_read_back_through_brackets_and_what_is_still_to_come(exponent: float) -> None:
    counts = f64(np.geomspace(100, 3000, 9))
    steps = (
        1500 * (counts / 150) ** -exponent
        if exponent
        else f64([300.0] * 9) * f64(np.geomspace(0.8, 1.2, 9)[[4, 1, 7, 3, 0, 8, 2, 6, 5]])
    )
    found = law(bracketed(counts, steps), 1600)
    assert found is not None
    low, high = found.exponent.interval95
    assert low is not None
    assert high is not None
    assert low <= exponent <= high
    assert found.exponent.value == pytest.approx(exponent, abs=0.15)
    if exponent:
        assert found.emerged == 8
        assert found.occurrences.value == pytest.approx(150 * 1500 / 1600, rel=0.15)
        assert low > 0.5
    else:
        assert high < 0.5


def test_its_intervals_cover() -> None:
    draw, trials = generator(2, "coverage"), 40
    exponents = places = 0
    counts = f64(np.geomspace(100, 1600, 10))
    for _ in range(trials):
        noise = 0.3 * torch.randn(10, generator=draw, dtype=torch.float64)
        found = law(bracketed(counts, (300 * 400 / counts) * noise.exp()), 1600)
        assert found is not None
        for fit, truth in ((found.exponent, 1.0), (found.occurrences, 300 * 400 / 1600)):
            low, high = fit.interval95
            inside = (low is None or low <= truth) and (high is None or truth <= high)
            exponents += inside and fit is found.exponent
            places += inside and fit is found.occurrences
    assert exponents >= 0.87 * trials
    assert places >= 0.87 * trials


def test_there_is_no_law_of_too_little() -> None:
    counts, steps = f64([1, 2, 4, 8, 16]), f64([400, 300, 200, 100, 50])
    assert law(bracketed(counts[:3], steps[:3]), 1600) is None
    assert law(bracketed(torch.ones(5, dtype=torch.float64), steps), 1600) is None
    assert law(bracketed(counts, f64([9999] * 5)), 1600) is None
    assert law(bracketed(counts, steps), 1600) is not None
