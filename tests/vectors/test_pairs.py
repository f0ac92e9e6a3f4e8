"""Pairs by hashing against all pairs of rows looked at one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.vectors.attributes import Attributes
from linrep.vectors.pairs import concepts, design, matched_pairs, of_group

from .planted import brute_pairs, grid, rng


def attributes(codes: torch.Tensor, match: torch.Tensor | None = None) -> Attributes:
    levels = [max(int(column.max()) + 1, 2) for column in codes.T]
    return Attributes(
        names=tuple(f"a{i}" for i in range(codes.shape[1])),
        values=tuple(tuple(str(v) for v in range(n)) for n in levels),
        codes=codes,
        match=codes[:, :0] if match is None else match,
    )


@given(st.integers(1, 4), st.integers(0, 10_000), st.integers(4, 40))
@settings(max_examples=40, deadline=None)
def test_pairs_differ_in_their_attribute_alone_and_share_no_row(m: int, seed: int, rows: int) -> None:
    codes = torch.randint(0, 2, (rows, m), generator=rng(seed))
    given_ = attributes(codes)
    pairs = matched_pairs(given_, concepts(given_), generator=rng(seed))
    truth = brute_pairs(codes.numpy())
    for i in range(m):
        one = of_group(pairs, i)
        found = list(zip(one.low.tolist(), one.high.tolist(), strict=True))
        assert set(found) <= truth[i]
        used = [row for pair in found for row in pair]
        assert len(used) == len(set(used))
        # One to one within each combination of the others: as many as the rarer value has rows.
        rest = np.delete(codes.numpy(), i, axis=1)
        most = 0
        for cell in np.unique(rest, axis=0) if m > 1 else [np.zeros(0)]:
            inside = (rest == cell).all(1)
            high = int(codes[inside, i].sum())
            most += min(high, int(inside.sum()) - high)
        assert len(found) == most


def test_a_full_grid_gives_every_pair() -> None:
    codes = grid((2, 2, 2))
    pairs = matched_pairs(attributes(codes), concepts(attributes(codes)), generator=rng())
    truth = brute_pairs(codes.numpy())
    for i in range(3):
        one = of_group(pairs, i)
        assert set(zip(one.low.tolist(), one.high.tolist(), strict=True)) == truth[i]


def test_categorical_attributes_are_compared_with_their_commonest_value() -> None:
    codes = torch.tensor([[0], [1], [1], [2], [2], [2]])
    found = concepts(attributes(codes))
    assert [(c.low, c.high) for c in found] == [(2, 0), (2, 1)]
    pairs = matched_pairs(attributes(codes), found, generator=rng())
    assert pairs.counts().tolist() == [1, 2]


def test_missing_values_are_in_no_pair() -> None:
    codes = torch.tensor([[0, 0], [1, 0], [0, -1], [1, -1], [-1, 0]])
    pairs = matched_pairs(attributes(codes), concepts(attributes(codes)), generator=rng())
    assert (pairs.low.tolist(), pairs.high.tolist()) == ([0], [1])


def test_match_columns_must_be_shared() -> None:
    codes = torch.tensor([[0], [1], [0], [1]])
    person = torch.tensor([[0], [1], [1], [2]])
    given_ = attributes(codes, person)
    pairs = matched_pairs(given_, concepts(given_), generator=rng())
    assert (pairs.low.tolist(), pairs.high.tolist()) == ([2], [1])


@pytest.mark.parametrize(("fewest", "method"), [(4, "matched pairs"), (5, "class means")])
def test_too_few_pairs_fall_back(fewest: int, method: str) -> None:
    plan = design(attributes(grid((2, 2, 2))), fewest=fewest, most=100, generator=rng())
    assert set(plan.methods) == {method}
    assert plan.found == (4, 4, 4)
    assert len(plan.pairs.low) == (12 if fewest == 4 else 0)


def test_thinning_keeps_pairs_and_their_order_of_groups() -> None:
    codes = grid((2, 2), copies=50)
    plan = design(attributes(codes), fewest=10, most=20, generator=rng())
    assert plan.pairs.counts().tolist() == [20, 20]
    assert plan.every.counts().tolist() == [100, 100]
    every = set(
        zip(plan.every.low.tolist(), plan.every.high.tolist(), plan.every.group.tolist(), strict=True)
    )
    kept = set(zip(plan.pairs.low.tolist(), plan.pairs.high.tolist(), plan.pairs.group.tolist(), strict=True))
    assert kept < every
