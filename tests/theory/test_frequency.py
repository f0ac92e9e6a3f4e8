"""Steps until a concept is a direction: closed forms, wide tables in training, worlds it leaves open."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry import counterfactual_pairs, linearity, steering_moments
from linrep.population.gradient import Population, population_gradient
from linrep.theory.frequency import forming_steps
from linrep.theory.order import first_modes
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import World, world
from linrep.worlds.frequency import spoken_of

SHARES = (0.6, 0.2, 0.05)


def fair(*shares: float) -> World:
    return spoken_of(world(independent(len(shares), probabilities=[0.5] * len(shares))), shares)


def rate(shares: tuple[float, ...], chosen: set[int]) -> float:
    """The closed form of the docstring."""
    found = 2 ** (-len(shares) / 2)
    for concept, q in enumerate(shares):
        found *= q / math.sqrt(2) if concept in chosen else math.sqrt(q * q / 2 + (1 - q) ** 2)
    return found


def test_rates_of_fair_concepts_are_the_closed_form() -> None:
    sets = [{i for i in range(3) if bits >> i & 1} for bits in range(1, 8)]
    expected = sorted((rate(SHARES, chosen) for chosen in sets), reverse=True)
    torch.testing.assert_close(
        first_modes(fair(*SHARES)).rates, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=0
    )


def test_steps_solve_the_closed_form() -> None:
    """A direction's share of its steering vectors' energy, over the sets that hold the concept."""
    step, found = 0.01, forming_steps(fair(*SHARES), step_size=0.01)
    for concept, steps in enumerate(found.tolist()):
        others = [i for i in range(3) if i != concept]
        holding = [{concept, *chosen} for n in range(3) for chosen in itertools.combinations(others, n)]
        energy = [math.cosh(2 * steps * step * rate(SHARES, chosen)) for chosen in holding]
        share = energy[0] / sum(energy)
        assert (4 * share - 1) / 3 == pytest.approx(0.5, abs=2e-3)


def test_rare_ones_take_equally_many_occurrences() -> None:
    """The others are as they are; its steps go like 1 over its own share once that is small."""
    steps = [float(forming_steps(fair(0.5, 0.5, q), step_size=0.1)[2]) for q in (0.04, 0.02, 0.01)]
    slope = math.log(steps[2] / steps[1]) / math.log(0.01 / 0.02)
    assert slope == pytest.approx(-1, abs=0.02)
    shares = (2 / 3, 1 / 3, 1 / 6, 1 / 12)
    steps = forming_steps(fair(*shares), step_size=2.0)
    occurrences = steps * torch.tensor(shares, dtype=torch.float64)
    assert bool((occurrences.diff() > 0).all()), "the commonest of all needs fewer"
    assert float(occurrences[3] / occurrences[2]) < 1.1


def test_equal_shares_form_at_once() -> None:
    steps = forming_steps(fair(0.3, 0.3, 0.3), step_size=0.1)
    torch.testing.assert_close(steps, steps[:1].expand(3))


def trained(found: World, steps: int, step: float, dim: int = 512) -> Tensor:
    """Linearity of each concept after each step, of one wide table."""
    draw = torch.Generator().manual_seed(0)
    f, g = (
        1e-8 * torch.randn(1, rows, dim, dtype=torch.float64, generator=draw)
        for rows in (len(found.codes), len(found.tokens))
    )
    population, pairs, seen = Population.of([found]), counterfactual_pairs(found.token_codes), []
    for _ in range(steps):
        gradient = population_gradient(population, f, g)
        f, g = f - step * gradient.embedding, g - step * gradient.unembedding
        seen.append(linearity(steering_moments(g[0], pairs)))
    return torch.stack(seen)


def test_wide_tables_take_as_many_steps() -> None:
    found, step = fair(*SHARES), 2.0
    expected = forming_steps(found, step_size=step)
    seen = trained(found, math.ceil(1.2 * float(expected.max())), step)
    passed = (seen >= 0.5).double().argmax(0) + 1
    torch.testing.assert_close(passed.double(), expected, rtol=0.08, atol=1.0)


def test_a_stronger_mode_leaves_it_open() -> None:
    """Control: where one state is likelier, the tokens' own frequencies bend what differs by the others."""
    skewed = spoken_of(world(independent(3, probabilities=[0.8] * 3)), SHARES)
    assert bool(forming_steps(skewed, step_size=0.1).isnan().any())


def test_what_it_cannot_read_is_refused() -> None:
    with pytest.raises(InputError, match="a level in"):
        forming_steps(fair(*SHARES), step_size=0.1, level=1.0)
    three = world(categorical((3, 2), generator=torch.Generator().manual_seed(0)))
    with pytest.raises(InputError, match="two states"):
        forming_steps(three, step_size=0.1)
    with pytest.raises(InputError, match="two pairs"):
        forming_steps(world(independent(1, probabilities=[0.5])), step_size=0.1)
