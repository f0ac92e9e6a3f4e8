"""Intervals over sentences and words: against values listed one by one, and where pairs depend."""

import numpy as np
import pytest
import torch

from linrep.intervals import crossed_interval, jackknife_interval, mean_interval
from linrep.llm.resampling import Clusters, weighted_linearity, weighted_mean, without_each, word_interval
from linrep.llm.words import _toward_others


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_whole_sentences_are_left_out() -> None:
    values, frame = draws(12), torch.arange(6).repeat_interleave(2)
    left_out = torch.tensor([float(values[frame != i].mean()) for i in range(6)], dtype=torch.float64)
    found = Clusters(frame=frame, swap=torch.arange(12)).interval(weighted_mean(values))
    assert found == pytest.approx(jackknife_interval(float(values.mean()), [left_out]))
    # One pair a sentence: the interval of a mean.
    alone = Clusters(frame=torch.arange(12), swap=torch.arange(12)).interval(weighted_mean(values))
    assert alone == pytest.approx(mean_interval(values))


def test_sentences_crossed_with_words() -> None:
    frame, swap = torch.arange(5).repeat_interleave(4), torch.arange(4).repeat(5)
    values = draws(20)
    left = [
        torch.tensor([float(values[label != i].mean()) for i in range(int(label.max()) + 1)]).double()
        for label in (frame, swap, torch.arange(20))
    ]
    found = Clusters(frame=frame, swap=swap).interval(weighted_mean(values))
    assert found == pytest.approx(crossed_interval(float(values.mean()), *left), abs=1e-6)


def test_few_sentences_have_no_interval() -> None:
    few = Clusters(frame=torch.arange(3).repeat_interleave(9), swap=torch.arange(27))
    assert np.isnan(few.interval(weighted_mean(draws(27)))).all()
    assert np.isnan(word_interval(weighted_mean(draws(3)), torch.arange(6).reshape(2, 3))).all()


def test_word_pairs_apart_and_sharing_a_word() -> None:
    """Pairs that share a word share its luck: an interval that takes them for independent is too short."""
    apart = torch.arange(40).reshape(2, 20)
    assert word_interval(weighted_mean(draws(20)), apart) == pytest.approx(mean_interval(draws(20)))
    shared = torch.stack([torch.arange(20) // 4, torch.arange(20, 40)])
    covered = {True: [], False: []}
    for seed in range(400):
        values = draws(5, seed=seed).repeat_interleave(4) + 0.2 * draws(20, seed=1000 + seed)
        for told, ends in ((True, shared), (False, apart)):
            low, high = word_interval(weighted_mean(values), ends)
            covered[told].append(low <= 0 <= high)
    assert np.mean(covered[True]) > 0.85
    assert np.mean(covered[False]) < 0.75


def test_linearity_and_projection_without_a_pair_are_those_of_the_others() -> None:
    units = torch.nn.functional.normalize(draws(6, 4) + torch.tensor([2.0, 0, 0, 0]))
    gram = units @ units.mT
    weights = without_each(torch.arange(6))
    for i, left_out in enumerate(weighted_linearity(gram, weights)):
        others = [float(units[a] @ units[b]) for a in range(6) for b in range(6) if len({a, b, i}) == 3]
        assert float(left_out) == pytest.approx(np.mean(others))
    toward = _toward_others(gram, weights)
    for i in range(6):
        for j in set(range(6)) - {i}:
            rest = units[[k for k in range(6) if k not in (i, j)]].sum(0)
            assert float(toward[i, j]) == pytest.approx(float(units[j] @ rest / rest.norm()))
