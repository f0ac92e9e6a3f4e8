"""Bounds on cross-talk against frames, and what is read wrong against additive random tables."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from linrep.errors import InputError
from linrep.theory.superposition import (
    random_cross_talk,
    read_out_error,
    sufficient_dimension,
    welch_bound,
)


def directions(concepts: int, dim: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(concepts, dim, dtype=torch.float64, generator=draw), dim=1)


def cross_talk(v: torch.Tensor) -> float:
    cosines = v @ v.T
    return float(cosines[~torch.eye(len(v), dtype=torch.bool)].square().mean().sqrt())


@pytest.mark.parametrize(("concepts", "dim"), [(5, 4), (12, 4), (40, 8)])
def test_no_directions_go_below_welch_and_tight_frames_reach_it(concepts: int, dim: int):
    bound = welch_bound(concepts, dim)
    for seed in range(5):
        assert cross_talk(directions(concepts, dim, seed)) > bound
    angle = 2 * math.pi * torch.arange(concepts)[:, None] * torch.arange(1, dim // 2 + 1) / concepts
    harmonic = normalize(torch.cat([angle.cos(), angle.sin()], 1).double(), dim=1)
    assert cross_talk(harmonic) == pytest.approx(bound, rel=1e-5)
    descended = directions(concepts, dim).requires_grad_()
    for _ in range(300):
        v = normalize(descended, dim=1)
        (slope,) = torch.autograd.grad((v @ v.T).square().sum(), descended)
        descended = (descended - 0.05 * slope).detach().requires_grad_()
    assert cross_talk(normalize(descended, dim=1).detach()) == pytest.approx(bound, rel=1e-3)


def test_random_directions_have_their_cross_talk_whatever_their_number():
    for concepts in (50, 400):
        assert cross_talk(directions(concepts, 20)) == pytest.approx(random_cross_talk(20), rel=0.05)


@pytest.mark.parametrize(("probability", "dim"), [(0.03, 16), (0.1, 16), (0.5, 16), (0.5, 64)])
def test_what_is_read_wrong_is_what_additive_random_tables_read_wrong(probability: float, dim: int):
    concepts, wrong = 60, list[float]()
    for seed in range(6):
        v = directions(concepts, dim, seed)
        draw = torch.Generator().manual_seed(seed)
        others = torch.rand(4000, concepts, generator=draw) < probability
        for concept in range(0, concepts, 10):
            c = others.double()
            c[:, concept] = 0
            rest = c @ v @ v[concept]
            wrong.append(float((rest - rest.mean() > 0.5).double().mean()))
    expected = read_out_error(concepts, probability, random_cross_talk(dim))
    assert sum(wrong) / len(wrong) == pytest.approx(expected, rel=0.25, abs=0.003)


def test_sparse_is_read_and_dense_is_not_and_nothing_interferes_with_one_concept():
    assert read_out_error(64, 0.03, random_cross_talk(16)) < 0.1 < 0.25 < read_out_error(64, 0.5, 0.25)
    assert read_out_error(1, 0.5, 1.0) == read_out_error(64, 0.0, 1.0) == read_out_error(64, 0.5, 0.0) == 0


def test_some_directions_are_read_in_the_worst_case_at_the_sufficient_dimension():
    for concepts, on, error in ((50, 1, 0.5), (50, 2, 0.9), (200, 2, 0.9)):
        v = directions(concepts, sufficient_dimension(concepts, on, error))
        cosines = (v @ v.T - torch.eye(concepts, dtype=torch.float64)).abs()
        assert float(cosines.topk(on, dim=1).values.sum(1).max()) < error


def test_numbers_out_of_range_are_one_line():
    for call in (
        lambda: welch_bound(0, 1),
        lambda: random_cross_talk(0),
        lambda: read_out_error(3, 1.5, 0.1),
        lambda: sufficient_dimension(3, 1, 0.0),
    ):
        with pytest.raises(InputError, match="expected") as error:
            call()
        assert "\n" not in str(error.value)
