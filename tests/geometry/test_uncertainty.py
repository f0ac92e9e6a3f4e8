"""Intervals over one run's vectors: the overlap of mean directions, whose sign is dropped."""

import pytest
import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs, folded, intervals_over_vectors
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.geometry.values import Side, similarity_values

KEY = (MEAN_DIRECTIONS, "unembedding")
CONCEPTS, DIM, DRAWS = 4, 12, 250


def planted(overlap: float, seed: int) -> tuple[float, tuple[float, float]]:
    """The corners of a cube of which every two directions overlap so much, with noise."""
    draw = torch.Generator().manual_seed(seed)
    codes = torch.cartesian_prod(*[torch.arange(2)] * CONCEPTS)
    directions: Tensor = (1 - overlap) ** 0.5 * torch.eye(DIM, dtype=torch.float64)[:CONCEPTS]
    directions[:, -1] = overlap**0.5
    noise = torch.randn(len(codes), DIM, generator=draw, dtype=torch.float64)
    table, pairs = codes.double() @ directions + 0.15 * noise, counterfactual_pairs(codes)
    side = Side(table=table[None], pairs=pairs, rows=torch.tensor([len(codes)]))
    values = similarity_values({"unembedding": side})
    interval = intervals_over_vectors({"unembedding": (table, pairs)}, values, generator=draw)[KEY]
    assert interval is not None
    return values.mean(KEY), interval


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.5])
def test_an_overlap_is_covered_where_there_is_none_and_where_there_is(overlap: float) -> None:
    """Binomial error of 250 draws is 1.4 %."""
    found = [planted(overlap, seed) for seed in range(DRAWS)]
    truth = sum(value for value, _ in found) / DRAWS
    covered = sum(low <= truth <= high for _, (low, high) in found) / DRAWS
    assert covered > 0.91


def test_with_the_sign_left_in_it_is_wider_than_need_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def width() -> float:
        return sum(high - low for _, (low, high) in (planted(0.0, seed) for seed in range(30)))

    without = width()
    monkeypatch.setattr(folded, "folded", lambda mean: (mean.abs(), torch.ones_like(mean)))
    assert without < 0.85 * width()
