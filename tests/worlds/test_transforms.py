"""Every transform against the dense Kronecker product it stands for."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.worlds.transforms import subset_sum, subset_sum_transpose

some_sizes = st.lists(st.integers(1, 4), max_size=6).filter(lambda sizes: np.prod(sizes) <= 600).map(tuple)


def kronecker(sizes):
    factors = [np.vstack([np.eye(size), np.ones((1, size))]) for size in sizes]
    return torch.tensor(functools.reduce(np.kron, factors, np.ones((1, 1))))


@settings(max_examples=60, deadline=None)
@given(sizes=some_sizes, seed=st.integers(0, 2**32), batch=st.sampled_from([(), (1,), (2, 3)]))
def test_subset_sums_are_kronecker_products(sizes, seed, batch):
    dense = kronecker(sizes)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*batch, dense.shape[1], dtype=torch.float64, generator=generator)
    y = torch.randn(*batch, dense.shape[0], dtype=torch.float64, generator=generator)
    kept = x.clone(), y.clone()
    torch.testing.assert_close(subset_sum(x, sizes), x @ dense.T)
    torch.testing.assert_close(subset_sum_transpose(y, sizes), y @ dense)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


@pytest.mark.parametrize("sizes", [(2,) * 8, (3, 2, 4, 2, 3, 2), (2,)])
def test_sums_of_zeros_are_exact_zeros(sizes):
    dense = kronecker(sizes)
    x = torch.rand(dense.shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[torch.arange(len(x)) % 3 > 0] = 0
    assert torch.equal(subset_sum(x, sizes) == 0, dense @ x == 0)


def test_probabilities_far_apart_keep_their_digits():
    x = 10.0 ** -torch.arange(64, dtype=torch.float64)
    torch.testing.assert_close(subset_sum(x, (2,) * 6), kronecker((2,) * 6) @ x, rtol=1e-14, atol=0)


def test_wrong_lengths_are_refused():
    with pytest.raises(InputError, match="expected 4 concept vectors"):
        subset_sum(torch.zeros(3), (2, 2))
    with pytest.raises(InputError, match="expected 9 contexts"):
        subset_sum_transpose(torch.zeros(4), (2, 2))
