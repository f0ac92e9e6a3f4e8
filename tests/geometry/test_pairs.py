"""Pairs against comparing every two rows; stacking; nulls keep counts and runs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep import geometry
from linrep.errors import InputError
from linrep.geometry.pairs import row_keys
from tests.geometry import oracles


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 4), st.integers(0, 30))
def test_slow_twin_on_incomplete_shuffled_codes(seed, concepts, digits, rows):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(digits, (max(rows, 1), concepts), generator=generator, dtype=torch.int8)
    codes = torch.unique(codes, dim=0)
    codes = codes[torch.randperm(len(codes), generator=generator)]
    for low, high in [(0, 1), (1, 0), (0, digits - 1)]:
        pairs = geometry.counterfactual_pairs(codes, low=low, high=high)
        ours = list(zip(pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist(), strict=True))
        assert sorted(ours) == sorted(oracles.pairs_of_codes(codes, low, high))
        assert pairs.group.tolist() == sorted(pairs.group.tolist())
        assert pairs.groups == concepts


def test_no_pair_is_an_empty_group():
    pairs = geometry.counterfactual_pairs(torch.tensor([[0, 0], [0, 1]], dtype=torch.int8))
    assert pairs.counts().tolist() == [0, 1]
    assert geometry.counterfactual_pairs(torch.zeros(0, 2, dtype=torch.int8)).counts().tolist() == [0, 0]


def test_refusals():
    with pytest.raises(InputError, match="rows 0 and 2 equal"):
        geometry.counterfactual_pairs(torch.tensor([[0, 0], [0, 1], [0, 0]]))
    with pytest.raises(InputError, match="at least one concept"):
        row_keys(torch.zeros(3, 0, dtype=torch.int8))
    with pytest.raises(InputError, match="align"):
        geometry.stack([geometry.pairs_from_lists([[]]), geometry.pairs_from_lists([[], []])], rows=1)


def test_hundreds_of_columns_pair_as_comparing_every_two_rows_says():
    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 3, (40, 300), dtype=torch.int8, generator=draw)
    near = codes.repeat(3, 1)
    near[torch.arange(120), torch.randint(0, 300, (120,), generator=draw)] = 1
    codes = torch.cat([codes, near]).unique(dim=0)
    apart = codes[:, None] != codes
    one = apart.sum(-1) == 1
    expected = {
        (low, high, concept)
        for low, high in one.nonzero().tolist()
        for concept in apart[low, high].nonzero()[:, 0].tolist()
        if (int(codes[low, concept]), int(codes[high, concept])) == (0, 1)
    }
    pairs = geometry.counterfactual_pairs(codes)
    found = zip(pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist(), strict=True)
    assert len(expected) > 20
    assert set(found) == expected
    with pytest.raises(InputError, match="equal"):
        geometry.counterfactual_pairs(codes[[0, 1, 0]])
    assert row_keys(codes)[0].unique().numel() == len(codes)


def test_random_pairs_keep_counts_runs_and_structure_and_are_uniform():
    one = geometry.pairs_from_lists([[(0, 1), (2, 3)], [], [(0, 2)]])
    pairs = geometry.repeat(one, 2, 6)
    generator = torch.Generator().manual_seed(0)
    seen = torch.zeros(12, 12)
    for _ in range(2000):
        drawn = geometry.random_pairs(pairs, rows=torch.tensor([5, 4]), stride=6, generator=generator)
        assert drawn.group.equal(pairs.group)
        assert drawn.low[2] == drawn.low[0]
        assert drawn.high[2] == drawn.low[1]
        seen[drawn.low[[0, 3]], drawn.high[[0, 3]]] += 1
    for block, n in ((seen[:5, :5], 5), (seen[6:10, 6:10], 4)):
        expected = 2000 / (n * (n - 1))
        assert block.sum() == 2000
        assert block.diagonal().sum() == 0
        assert block[~torch.eye(n, dtype=torch.bool)].sub(expected).abs().max() < 5 * expected**0.5


def test_shuffled_pairs_permute_within_groups():
    pairs = geometry.pairs_from_lists([[(0, i) for i in range(1, 9)], [(0, i) for i in range(20, 30)]])
    dealt = geometry.shuffled_pairs(pairs, generator=torch.Generator().manual_seed(0))
    assert dealt.high.tolist() != pairs.high.tolist()
    for group in range(2):
        at = pairs.group == group
        assert sorted(dealt.high[at].tolist()) == sorted(pairs.high[at].tolist())
