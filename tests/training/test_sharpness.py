"""Sharpness and the step it allows: against dense Hessians, along a descent, and where a fixed step rises."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from linrep.population.gradient import Population, population_gradient
from linrep.population.residuals import Residuals
from linrep.seeds import generator
from linrep.training.monotone import Monotone
from linrep.training.rising import KEPT, LOOKED, ROSE, WINDOWS, Rising, place_in_window
from linrep.training.schedule import schedule
from linrep.training.sharpness import hessian_product, sharpness, stable_step
from linrep.training.state import State, start
from linrep.training.training import train
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world

RUNS, DIM = 6, 3


def batch(runs: int = RUNS, concepts: int = 3) -> Population:
    return Population.of(
        [
            world(
                random_dag(
                    concepts,
                    edge_probability=0.5,
                    probability_range=(0.3, 0.7),
                    generator=generator(0, "world", run),
                )
            )
            for run in range(runs)
        ],
        dtype=torch.float64,
    )


def drawn(population: Population, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    draw = generator(seed, "tables")
    shapes = (population.context_index.shape[1], population.token_index.shape[1])
    f, g = (
        scale * torch.randn(population.runs, rows, DIM, generator=draw, dtype=torch.float64)
        for rows in shapes
    )
    return f, g


def dense_hessian(population: Population, f: Tensor, g: Tensor, run: int) -> Tensor:
    """Oracle: autograd of the plain loss, every pair of numbers."""
    sizes = [f[run].numel(), g[run].numel()]

    def loss(theta: Tensor) -> Tensor:
        one, other = theta.split(sizes)
        logits = one.view_as(f[run]) @ other.view_as(g[run]).T
        target = population.conditional[run]
        return -(population.weights[run][:, None] * target * logits.log_softmax(-1)).sum()

    found = torch.autograd.functional.hessian(loss, torch.cat([f[run].flatten(), g[run].flatten()]))
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_the_largest_eigenvalue_is_the_dense_hessians(scale: float) -> None:
    population = batch(2)
    f, g = drawn(population, scale, 1)
    residuals = Residuals(population, logits=64)
    df, dg = drawn(population, 1.0, 2)
    product_f, product_g = hessian_product(residuals, (f, g), (df, dg))
    found = sharpness(residuals, (f, g))
    for run in range(2):
        dense = dense_hessian(population, f, g, run)
        expected = dense @ torch.cat([df[run].flatten(), dg[run].flatten()])
        torch.testing.assert_close(torch.cat([product_f[run].flatten(), product_g[run].flatten()]), expected)
        values = torch.linalg.eigvalsh(dense)
        assert float(found[run]) == pytest.approx(float(values[-1]), rel=0.01)
        assert float(found[run]) <= float(values[-1]) * (1 + 1e-12)
        if scale == 0.1:  # a saddle: a power method would not know which end it found
            assert float(-values[0] / values[-1]) > 0.8


def fresh(population: Population, *, monotone: bool = False) -> State:
    return start(
        population,
        DIM,
        init_scale=0.1,
        optimizer="gd",
        generators=[generator(0, "start", run) for run in range(population.runs)],
        order=generator(0, "order"),
        adaptive=Monotone.fresh(population.runs) if monotone else Rising.fresh(population.runs),
    )


def going(population: Population, state: State, size: float, steps: int) -> State:
    for _ in train(
        population, state, optimizer="gd", schedule=schedule("constant", size, steps), steps=steps
    ):
        pass
    return state


def exact_shares(population: Population, size: float, steps: int) -> Tensor:
    """Oracle: the loss after every step."""
    state, losses = fresh(population), []
    for _ in train(
        population,
        state,
        optimizer="gd",
        schedule=schedule("constant", size, steps),
        steps=steps,
        stops=range(steps),
    ):
        losses.append(population_gradient(population, *state.tables).excess_loss)
    loss = torch.stack(losses)
    return (loss[1:] > loss[:-1] * (1 + 1e-6)).double().mean(0)


def test_a_step_beyond_stability_is_seen_to_rise_and_a_small_one_not() -> None:
    population = batch()
    for size in (5.0, 1.0):
        state = going(population, fresh(population), size, 1500)
        share = state.adaptive[ROSE].double() / state.adaptive[LOOKED]
        assert int(state.adaptive[LOOKED].min()) == 2 * WINDOWS
        exact = exact_shares(population, size, 1500)
        torch.testing.assert_close(share, exact, rtol=0, atol=0.12)
        assert bool((share > 0.2).all()) if size == 5.0 else bool((share == 0).all())


def test_at_the_step_that_is_named_no_loss_rises_and_at_half_again_one_does() -> None:
    population = batch()
    found = stable_step(population, fresh(population, monotone=True), 300)
    assert found.followed
    assert 1.5 < found.size < 4.5
    assert float(exact_shares(population, found.size, 300).max()) == 0
    assert float(exact_shares(population, 1.5 * found.size, 300).max()) > 0.02


def test_where_a_step_rises_the_sharpness_there_only_says_the_step() -> None:
    """Why a descent that never rises is followed instead: at the edge 2/λ is the step, whatever it is."""
    population = batch()
    state = going(population, fresh(population), 5.0, 1500)
    there = 2 / sharpness(Residuals(population), (state.embedding, state.unembedding))
    assert float(there.median()) == pytest.approx(5.0, rel=0.1)
    found = stable_step(population, fresh(population, monotone=True), 1500)
    assert found.size < 0.4 * float(there.median())


def test_what_is_counted_goes_on_where_it_was() -> None:
    population = batch()
    whole = going(population, fresh(population), 5.0, 200)
    for stop in (100, 101, 102, 103):
        half = fresh(population)
        for _ in train(
            population,
            half,
            optimizer="gd",
            schedule=schedule("constant", 5.0, 200),
            steps=200,
            stops=[stop],
        ):
            if half.step == stop:
                break
        going(population, half, 5.0, 200)
        assert all(torch.equal(half.adaptive[name], whole.adaptive[name]) for name in (ROSE, LOOKED))


def test_a_run_that_diverges_is_counted_once() -> None:
    population = batch()
    state = going(population, fresh(population), 1e4, 64)
    assert not bool(state.alive.all())
    assert bool((state.adaptive[ROSE] <= state.adaptive[LOOKED]).all())
    assert int(state.adaptive[LOOKED].max()) <= 64


def test_windows_are_three_losses_each_and_have_no_rhythm() -> None:
    assert set(KEPT) == set(Rising.fresh(1))
    first = [step for step in range(3000) if place_in_window(step, 3000) == 0]
    assert len(first) == WINDOWS
    assert [place_in_window(step + 2, 3000) for step in first] == [2] * WINDOWS
    gaps = {b - a for a, b in pairwise(first)}
    assert len({gap % 2 for gap in gaps}) == 2
