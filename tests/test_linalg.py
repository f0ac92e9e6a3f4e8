"""Rows of representations: against numpy and SciPy, and the whitening's defining property."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep import linalg
from linrep.errors import InputError
from linrep.linalg import median


def random_rows(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_naive_lines():
    x, y = random_rows(0, 5, 3), random_rows(1, 5, 3)
    torch.testing.assert_close(linalg.normalise(x), x / x.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(linalg.cosine(x, y), (x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1)))
    torch.testing.assert_close(linalg.centre(x), x - x.mean(-2, keepdim=True))
    naive = torch.linalg.inv(torch.as_tensor(scipy.linalg.sqrtm((x.T @ x / len(x)).numpy())))
    torch.testing.assert_close(linalg.whiten(x, centre=False).matrix, naive)


def test_zero_vectors():
    assert linalg.normalise(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2
    with pytest.raises(InputError, match="y: expected non-zero"):
        linalg.cosine(torch.ones(2, 3), torch.tensor([[1.0, 0, 0], [0, 0, 0]]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 5))
def test_whitened_rows_have_identity_moment(seed, centre, dim):
    x = random_rows(seed, 40, dim) @ random_rows(seed + 1, dim, dim) + 3
    w = linalg.whiten(x, centre=centre)
    y = (x - w.mean) @ w.matrix
    torch.testing.assert_close(y.mT @ y / 40, torch.eye(dim, dtype=torch.float64), rtol=0, atol=1e-6)
    assert w.centred is centre
    assert w.clamped == 0
    assert bool((w.mean == 0).all()) is not centre
    torch.testing.assert_close(w.matrix, w.matrix.mT)


def test_clamped_modes_are_counted():
    x = random_rows(0, 30, 2) @ random_rows(1, 2, 5)
    assert linalg.whiten(x, centre=True).clamped == 3
    assert torch.isfinite(linalg.whiten(x, centre=True).matrix).all()


@pytest.mark.parametrize("centre", [True, False])
def test_second_moment_in_chunks_of_half_precision(centre):
    x = (random_rows(0, 33, 4) + 5).half()
    moment, mean = linalg.second_moment(x, centre=centre, chunk=12)
    exact = x.double().numpy()
    expected = np.cov(exact, rowvar=False, bias=True) if centre else exact.T @ exact / 33
    np.testing.assert_allclose(moment, expected, rtol=1e-12)
    np.testing.assert_allclose(mean, exact.mean(0) if centre else np.zeros(4))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.zeros(0, 2), "at least one row"),
        (torch.full((2, 2), torch.nan), "finite"),
        (torch.ones(3, 2), "vary"),
    ],
)
def test_refusals(rows, message):
    with pytest.raises(InputError, match=message):
        linalg.whiten(rows, centre=True)


def test_balanced_tables_are_the_best_approximation_in_the_balanced_gauge() -> None:
    draw = torch.Generator().manual_seed(0)
    f = torch.randn(2, 9, 6, generator=draw, dtype=torch.float64)
    g = torch.randn(2, 5, 6, generator=draw, dtype=torch.float64)
    a, b = linalg.balanced(f, g, 3)
    u, s, vh = torch.linalg.svd(f @ g.mT)
    torch.testing.assert_close(a @ b.mT, u[..., :3] * s[:, None, :3] @ vh[:, :3])
    torch.testing.assert_close(a.mT @ a, b.mT @ b)
    # At full width nothing is lost; wider than there are directions, the rest is 0.
    torch.testing.assert_close((lambda p: p[0] @ p[1].mT)(linalg.balanced(f, g, 8)), f @ g.mT)
    assert float(linalg.balanced(f, g, 8)[0][..., 5:].abs().max()) < 1e-6


@given(
    st.lists(st.floats(-9, 9) | st.just(float("nan")), max_size=12),
    st.lists(st.floats(-9, 9) | st.just(float("nan")), max_size=12),
)
def test_the_median_is_that_of_numpy_row_by_row(first: list[float], second: list[float]) -> None:
    size = max(len(first), len(second))
    rows = [each + [float("nan")] * (size - len(each)) for each in (first, second)]
    found = median(torch.tensor(rows, dtype=torch.float64))
    for row, value in zip(rows, found.tolist(), strict=True):
        present = [each for each in row if each == each]
        assert value == pytest.approx(np.median(present) if present else float("nan"), nan_ok=True)


def test_the_median_of_an_even_number_is_between_both_middles_and_infinity_is_a_number() -> None:
    numbers = torch.tensor([1.0, 4.0], dtype=torch.float64)
    assert float(median(numbers)) == 2.5 == float(median(numbers.flip(0)))
    assert float(numbers.median()) == 1.0, "torch takes the lower: what ours is for"
    assert float(median(torch.tensor([1.0, torch.inf, torch.inf]))) == torch.inf
    assert float(median(torch.tensor([1.0, 2.0, torch.inf]))) == 2.0
