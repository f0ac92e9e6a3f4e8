"""The first modes against the exact gradient, descent from small starts, and worlds where they are known."""

import math

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.population.gradient import Population, population_gradient
from linrep.theory.order import first_modes, steps_to_length
from linrep.worlds.concepts import independent, random_dag
from linrep.worlds.contexts import World, world


def skewed(seed: int, concepts: int = 3) -> World:
    generator = torch.Generator().manual_seed(seed)
    return world(random_dag(concepts, probability_range=(0.1, 0.9), generator=generator))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(5))
def test_they_are_the_gradient_of_small_tables(seed: int) -> None:
    found = skewed(seed)
    modes = first_modes(found)
    matrix = modes.contexts @ torch.diag(modes.rates) @ modes.tokens.T
    f, g = 1e-7 * normal(1, len(found.codes), 4), 1e-7 * normal(1, len(found.tokens), 4, seed=1)
    gradient = population_gradient(Population.of([found]), f, g)
    torch.testing.assert_close(-gradient.embedding[0], matrix @ g[0], rtol=0, atol=1e-13)
    torch.testing.assert_close(-gradient.unembedding[0], matrix.T @ f[0], rtol=0, atol=1e-13)


def test_of_fair_concepts_the_modes_are_the_walsh_characters() -> None:
    modes = first_modes(world(independent(3, probabilities=[0.5] * 3, generator=None)))
    signs = [[1.0 if token >> bit & 1 else -1.0 for token in range(8)] for bit in range(3)]
    concepts = torch.tensor(signs, dtype=torch.float64) / math.sqrt(8)
    shares = (concepts @ modes.tokens).square()
    torch.testing.assert_close(shares[:, :3].sum(1), torch.ones(3, dtype=torch.float64))
    # Each more concept that must be known is known in two thirds of the contexts.
    ratio = modes.rates[[0, 3, 6]].square() / modes.rates[0].square()
    torch.testing.assert_close(ratio, torch.tensor([1, 2 / 3, 4 / 9], dtype=torch.float64))


def test_supports_forget_probabilities() -> None:
    fair = world(independent(3, probabilities=[0.5] * 3, generator=None))
    bent = world(independent(3, probabilities=[0.1, 0.3, 0.8], generator=None))
    assert not torch.allclose(first_modes(fair).rates, first_modes(bent).rates)
    torch.testing.assert_close(first_modes(fair).rates, first_modes(bent, support=True).rates)


@pytest.mark.parametrize("seed", range(3))
def test_descent_from_a_small_start_takes_the_predicted_steps(seed: int) -> None:
    found, scale, step, dim = skewed(seed), 1e-5, 2.0, 64
    f = scale * normal(1, len(found.codes), dim, seed=seed)
    g = scale * normal(1, len(found.tokens), dim, seed=seed + 10)
    modes, population = first_modes(found), Population.of([found])
    wanted = steps_to_length(modes.rates, dim=dim, scale=scale, step_size=step, length=1e-2)
    passed = torch.full_like(wanted, math.nan)
    for steps in range(1, math.ceil(float(wanted[0])) + 1):
        gradient = population_gradient(population, f, g)
        f, g = f - step * gradient.embedding, g - step * gradient.unembedding
        there = (modes.lengths(g[0]) >= 1e-2) & passed.isnan()
        passed[there] = steps
    assert float(passed[0]) == pytest.approx(float(wanted[0]), rel=0.05)
    assert not (passed[1:] < 0.9 * wanted[1:]).any()


def test_a_start_that_is_there_already_is_refused() -> None:
    rates = torch.tensor([0.1], dtype=torch.float64)
    with pytest.raises(InputError, match="make the scale smaller"):
        steps_to_length(rates, dim=8, scale=0.6, step_size=1.0)
    with pytest.raises(InputError, match="above 0"):
        steps_to_length(rates, dim=8, scale=-0.6, step_size=1.0)
