"""The law of the margin against its equation, and against descent on tables that meet its premises."""

import math

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.population.gradient import Population, population_gradient
from linrep.theory.margin_growth import grown_margin, margin_rate
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import World, world


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("margin", "elapsed", "rate"), [(0.3, 40.0, 0.2), (5.0, 3e3, 0.2), (8.0, 0.7, 3.0)])
def test_it_solves_its_equation(margin: float, elapsed: float, rate: float) -> None:
    """Runge and Kutta's slow twin."""
    q, dt = margin, elapsed / 20_000

    def speed(q: float) -> float:
        return rate * q / (1 + math.exp(q))

    for _ in range(20_000):
        one = speed(q)
        two = speed(q + dt / 2 * one)
        three = speed(q + dt / 2 * two)
        q += dt / 6 * (one + 2 * two + 2 * three + speed(q + dt * three))
    assert float(grown_margin(tensor(margin), tensor(elapsed), rate)) == pytest.approx(q, rel=1e-9)


def test_two_waits_are_one_and_none_is_none() -> None:
    start, first, second = tensor(0.1, 2.0, 30.0), tensor(5.0, 1e4, 1e20), tensor(1.0, 1e9, 1e30)
    once = grown_margin(start, first + second, 0.3)
    torch.testing.assert_close(grown_margin(grown_margin(start, first, 0.3), second, 0.3), once)
    torch.testing.assert_close(grown_margin(start, torch.zeros_like(start), 0.3), start)
    assert float(grown_margin(tensor(1.0), tensor(1e300), 1.0)) == pytest.approx(697.3, abs=0.1)


def test_late_it_is_ln_t_and_ln_ln_t() -> None:
    time = tensor(1e100, 1e200)
    predicted = time.log() + time.log().log()
    torch.testing.assert_close(grown_margin(tensor(1.0, 1.0), time, 1.0), predicted, rtol=1e-2, atol=0)


def fair(concepts: int) -> World:
    return world(independent(concepts, probabilities=[0.5] * concepts, generator=None))


def additive(found: World, margin: float, *, balanced: bool) -> tuple[Tensor, Tensor]:
    """Additive tables of a margin, in their balanced gauge or with F far the shorter."""
    signs = 2.0 * found.token_codes.double() - 1
    known = torch.where(found.codes < 2, 2.0 * found.codes.double() - 1, 0.0)
    ratio = math.sqrt(len(found.tokens) / (len(found.codes) * 2 / 3)) if balanced else 0.1
    b = math.sqrt(margin / 2 / ratio)
    return (ratio * b * known)[None], (b * signs)[None]


def descended(found: World, margin: float, elapsed: float, *, balanced: bool, step: float = 0.2) -> float:
    """The margin after gradient descent, which keeps such tables additive."""
    population = Population.of([found])
    f, g = additive(found, margin, balanced=balanced)
    for _ in range(round(elapsed / step)):
        slope = population_gradient(population, f, g)
        f, g = f - step * slope.embedding, g - step * slope.unembedding
    only = (found.codes[:, 0] == 1) & (found.codes[:, 1:] == 2).all(1)
    other = (found.token_codes[:, 0] == 0) & found.token_codes[:, 1:].all(1)
    return float(f[0, only][0] @ (g[0, found.token_codes.all(1)] - g[0, other])[0])


@pytest.mark.parametrize("concepts", [2, 3])
def test_gradient_descent_keeps_to_it(concepts: int) -> None:
    found = fair(concepts)
    rate = margin_rate(len(found.codes), len(found.tokens), 2 / 3)
    predicted = float(grown_margin(tensor(3.0), tensor(400.0), rate))
    assert predicted > 4.5
    assert descended(found, 3.0, 400.0, balanced=True) == pytest.approx(predicted, rel=2e-3)


def test_out_of_balance_it_does_not() -> None:
    found = fair(2)
    rate = margin_rate(len(found.codes), len(found.tokens), 2 / 3)
    predicted = float(grown_margin(tensor(3.0), tensor(400.0), rate))
    assert abs(descended(found, 3.0, 400.0, balanced=False) - predicted) > 0.3


def test_refusals() -> None:
    for wrong in ((0, 8, 0.5), (27, 0, 0.5), (27, 8, 0.0), (27, 8, 1.1)):
        with pytest.raises(InputError, match="margin_rate"):
            margin_rate(*wrong)
    for margin, elapsed in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(InputError, match="grown_margin"):
            grown_margin(tensor(margin), tensor(elapsed), 1.0)
