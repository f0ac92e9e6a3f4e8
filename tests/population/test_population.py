"""Exact targets against enumeration, and samples against the exact targets."""

import pytest
import torch
from scipy.stats import chisquare

from linrep.errors import InputError
from linrep.population.population import Population
from linrep.worlds.concepts import from_tables, random_dag
from linrep.worlds.contexts import conditional, world
from tests.support.populations import enumerated_conditional, random_population, random_tables

CASES = {
    "one run": {"sizes": (2,) * 4},
    "many runs": {"sizes": (2,) * 4, "runs": 3},
    "zeros": {"sizes": (2,) * 4, "runs": 3, "zeros": 0.4},
    "subsets": {"sizes": (2,) * 4, "runs": 3, "fewer_tokens": 3, "fewer_contexts": 7},
    "sizes": {"sizes": (2, 3, 1, 4), "runs": 2, "fewer_tokens": 2, "zeros": 0.2},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_targets_equal_enumeration(case):
    population = random_population(**case)
    f, g = random_tables(population, 3)
    dense = torch.stack([enumerated_conditional(population, run) for run in range(population.runs)])
    torch.testing.assert_close(population.conditional, dense)
    torch.testing.assert_close(population.conditional_mean(g), dense @ g)
    weighted = population.weights.unsqueeze(-1) * f
    torch.testing.assert_close(population.conditional_mean_transpose(f), dense.mT @ weighted)
    entropy = -torch.special.xlogy(dense, dense).sum(-1)
    torch.testing.assert_close(population.entropy, entropy, rtol=1e-12, atol=1e-12)


def test_padding_has_no_weight_and_no_target():
    population = random_population((2,) * 4, 3, fewer_tokens=3, fewer_contexts=7)
    assert population.token_mask.sum(-1).tolist() == [16, 13, 10]
    assert (population.weights > 0).sum(-1).tolist() == sorted(
        (population.weights > 0).sum(-1).tolist(), reverse=True
    )
    torch.testing.assert_close(population.weights.sum(-1), torch.ones(3, dtype=torch.float64))
    f, g = random_tables(population, 2)
    spoiled = g.masked_fill(~population.token_mask.unsqueeze(-1), 1e6)
    torch.testing.assert_close(population.conditional_mean(spoiled), population.conditional_mean(g))
    spoiled = f.masked_fill(population.weights.unsqueeze(-1) == 0, 1e6)
    totals = population.conditional_mean_transpose(spoiled)
    torch.testing.assert_close(totals, population.conditional_mean_transpose(f))
    assert not totals[~population.token_mask].any()


def test_worlds_become_a_population():
    generator = torch.Generator().manual_seed(0)
    worlds = [world(random_dag(4, generator=generator)) for _ in range(2)]
    fork = {"a": [[0.5, 0.5]], "b": [[1.0, 0.0], [0.0, 1.0]], "c": [[0.3, 0.7]], "d": [[0.9, 0.1]]}
    worlds.append(world(from_tables(["a", "b", "c", "d"], fork, parents={"b": ["a"]})))
    population = Population.of(worlds, dtype=torch.float32)
    for run, each in enumerate(worlds):
        rows, columns = conditional(each).shape
        found = population.conditional[run]
        torch.testing.assert_close(found[:rows, :columns].double(), conditional(each), rtol=1e-6, atol=1e-7)
        assert not population.weights[run, rows:].any()
        assert not found[:, columns:].any()
    same = Population.of([worlds[0]] * 5)
    assert same.weights.stride(0) == 0
    torch.testing.assert_close(same.conditional[4], conditional(worlds[0]))


def test_selected_runs_are_the_same():
    population = random_population((2,) * 3, 4, fewer_contexts=2)
    chosen = population.select(torch.tensor([3, 1]))
    torch.testing.assert_close(chosen.conditional, population.conditional[[3, 1]])


def test_probabilities_below_float32_do_not_underflow():
    joint = torch.tensor([1.0, 1e-45, 3e-45, 1e-50], dtype=torch.float64)
    index, tokens = torch.arange(9), torch.arange(4)
    weights = torch.full((9,), 1 / 9, dtype=torch.float64)
    population = Population.build((2, 2), [joint], [index], [weights], [tokens], dtype=torch.float32)
    _, g = random_tables(population, 2)
    exact = population.to(dtype=torch.float64).conditional @ g.double()
    torch.testing.assert_close(population.conditional_mean(g).double(), exact, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["zeros", "subsets", "sizes"])
def test_samples_follow_the_exact_conditional(name):
    population = random_population(**CASES[name])
    draws = 40_000
    contexts, tokens = population.sample(draws, generator=torch.Generator().manual_seed(3))
    assert contexts.shape == tokens.shape == (population.runs, draws)
    expected = population.weights.unsqueeze(-1) * population.conditional
    for run in range(population.runs):
        seen = torch.zeros_like(expected[run])
        seen.index_put_((contexts[run], tokens[run]), torch.ones(draws, dtype=torch.float64), accumulate=True)
        assert not seen[expected[run] == 0].any(), "drew what cannot occur"
        often = expected[run] * draws >= 5
        rest = draws - expected[run][often].sum() * draws
        pooled = torch.cat([seen[often], (draws - seen[often].sum()).view(1)])
        assert chisquare(pooled, torch.cat([expected[run][often] * draws, rest.view(1)])).pvalue > 1e-4


def test_samples_repeat_with_their_generator():
    population = random_population((2,) * 3, 2)
    first, second = (population.sample(50, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_what_cannot_be_built_is_refused():
    joint = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.float64)
    contexts, tokens = torch.arange(9), torch.arange(2)
    weights = torch.full((9,), 1 / 9, dtype=torch.float64)
    with pytest.raises(InputError, match=r"context 3 of run 0 cannot occur"):
        Population.build((2, 2), [joint], [contexts], [weights], [tokens])
    with pytest.raises(InputError, match="equally many"):
        Population.build((2, 2), [joint], [], [weights], [tokens])
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(InputError, match="same sizes"):
        Population.of([world(random_dag(2, generator=generator)), world(random_dag(3, generator=generator))])
