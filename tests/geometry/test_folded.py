"""Normal numbers without their signs: moments against SciPy's, and an interval that covers from 0 upwards."""

import pytest
import torch
from scipy.stats import foldnorm
from torch import Tensor

from linrep.geometry.folded import Folded, folded

T = 1.959964
"""Of a normal number; the deviations are known here."""
DRAWS = 400


@pytest.mark.parametrize("mean", [0.0, -0.5, 0.5, 1.3, 3.0, 30.0])
def test_moments_are_those_of_the_folded_normal_distribution(mean: float) -> None:
    found = torch.stack(folded(torch.tensor(mean, dtype=torch.float64)))
    expected = foldnorm(abs(mean)).mean(), foldnorm(abs(mean)).std()
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def mean_of(seen: Tensor, spread: Tensor) -> Folded:
    """Equal weights, independent numbers."""
    weight = torch.full_like(seen, 1 / len(seen))
    return Folded(
        seen=seen,
        spread=spread,
        weight=weight,
        half_width=lambda share: T * float((weight * spread * share).norm()),
    )


def ends(means: list[float]) -> list[tuple[float, tuple[float, float]]]:
    """Of many samples: how far the mean that they are drawn from is, and the interval."""
    draw = torch.Generator().manual_seed(0)
    planted = torch.tensor(means, dtype=torch.float64)
    one, truth = torch.ones_like(planted), float(folded(planted)[0].mean())
    found: list[tuple[float, tuple[float, float]]] = []
    for _ in range(DRAWS):
        seen = (planted + torch.randn(len(means), generator=draw, dtype=torch.float64)).abs()
        found.append((truth, mean_of(seen, one).interval(float(seen.mean()))))
    return found


@pytest.mark.parametrize(
    "means", [[0.0], [1.0], [2.0], [5.0], [0.0] * 6, [1.0] * 6, [2.0] * 6, [0.0] * 4 + [6.0] * 2, [0.0] * 28]
)
def test_the_mean_is_covered_however_large_the_numbers_are(means: list[float]) -> None:
    """Binomial error of 400 draws is 1.1 %; at 0 nothing can be missed on the one side: 97.5 % at most."""
    covered = sum(low <= truth <= high for truth, (low, high) in ends(means)) / DRAWS
    assert 0.92 <= covered <= 0.995


def test_where_all_are_noise_the_interval_is_narrower_than_with_the_signs_left_in() -> None:
    width = [high - low for _, (low, high) in ends([0.0] * 28)]
    signed = 2 * T / 28**0.5
    assert sum(width) / DRAWS < 0.85 * signed


def test_far_from_0_it_is_the_usual_interval() -> None:
    seen, one = torch.tensor([40.0, 60.0], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    low, high = mean_of(seen, one).interval(50.0)
    assert (low, high) == pytest.approx((50 - T / 2**0.5, 50 + T / 2**0.5))


def test_it_scales_with_the_numbers() -> None:
    seen = torch.tensor([0.3, 1.2, 2.0], dtype=torch.float64)
    one = mean_of(seen, torch.ones_like(seen)).interval(float(seen.mean()))
    thrice = mean_of(3 * seen, torch.full_like(seen, 3)).interval(3 * float(seen.mean()))
    assert thrice == pytest.approx([3 * end for end in one], rel=1e-6)


def test_exact_numbers_have_an_exact_mean() -> None:
    seen = torch.tensor([0.3, 0.5], dtype=torch.float64)
    assert mean_of(seen, torch.zeros_like(seen)).interval(0.4) == (0.4, 0.4)


def test_exact_numbers_beside_others_keep_their_place() -> None:
    seen, spread = (torch.tensor(each, dtype=torch.float64) for each in ([0.5, 0.1], [0.0, 0.2]))
    low, high = mean_of(seen, spread).interval(0.3)
    assert low < 0.3 < high
    assert high <= 0.3 + T * 0.1 + 1e-9
