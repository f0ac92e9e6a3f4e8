"""Gauss-Newton on both tables: its step against the whole system, the bottom, and the wide start."""

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient
from linrep.seeds import generator
from linrep.training.encoder import Table
from linrep.training.newton import FALL, FIRST_RIDGE, GaussNewton
from linrep.training.schedule import schedule
from linrep.training.state import State, start
from linrep.training.training import train
from linrep.training.until import Until, gradient_nats
from linrep.training.wide import best_wide_start, wide_start
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world
from linrep.worlds.network import load_network


def batch(runs: int = 3, concepts: int = 3, low: float = 0.1) -> Population:
    models = [
        random_dag(
            concepts,
            edge_probability=0.5,
            probability_range=(low, 1 - low),
            generator=generator(7, "world", run),
        )
        for run in range(runs)
    ]
    return Population.of([world(model) for model in models])


def draws(population: Population, number: int = 0) -> list[torch.Generator]:
    return [generator(5, "start", run, number) for run in range(population.runs)]


def fresh(population: Population, dim: int = 3, *, wide: bool = False) -> State:
    state = start(
        population,
        dim,
        init_scale=0.5,
        optimizer="newton",
        generators=draws(population),
        order=generator(0, "order"),
        encoder=Table(population.context_index.shape[1], dim, init_scale=0.5),
        adaptive=GaussNewton.fresh(population.runs),
    )
    if wide:
        tables = wide_start(population, dim, init_scale=0.1, generators=draws(population))
        for table, found in zip(state.trained, tables, strict=True):
            table.copy_(found)
    return state


def going(population: Population, state: State, steps: int = 200, **more: object) -> State:
    settings: dict[str, object] = {"until": Until(excess=1e-3, gradient=1e-4)} | more
    for _ in train(
        population,
        state,
        optimizer="newton",
        schedule=schedule("constant", 0.0, steps),
        steps=steps,
        **settings,  # pyright: ignore
    ):
        pass
    return state


def test_the_first_step_solves_the_whole_gauss_newton_system() -> None:
    """Oracle: the matrix of all unknowns, from the Jacobian of the logits and the softmax's own curvature."""
    population = batch(runs=1)
    state = fresh(population)
    state.adaptive["damping"].fill_(30.0)  # enough that the first step is taken
    f, g = (table[0].clone() for table in state.trained)
    ridge, damping = (float(state.adaptive[name]) for name in ("ridge", "damping"))
    contexts = len(f)
    flat = torch.cat([f.flatten(), g.flatten()])

    def logits(both: Tensor) -> Tensor:
        return both[: f.numel()].view_as(f) @ both[f.numel() :].view_as(g).T

    jacobian = torch.autograd.functional.jacobian(logits, flat)
    assert isinstance(jacobian, Tensor)
    predicted = logits(flat).softmax(1)
    curvature = torch.diag_embed(predicted) - predicted.unsqueeze(2) * predicted.unsqueeze(1)
    weights = contexts * population.weights[0]
    system = torch.einsum("d,dcx,dce,dey->xy", weights, jacobian, curvature, jacobian)
    system += (ridge + damping) * torch.eye(len(flat), dtype=torch.float64)
    residual = weights[:, None] * (predicted - population.conditional[0])
    slope = torch.einsum("dcx,dc->x", jacobian, residual) + ridge * flat
    expected = flat - torch.linalg.solve(system, slope)
    newton = GaussNewton(population, state, ridge=1e-6, until=Until())
    before = newton.objective.clone()
    newton.step()
    found = torch.cat([table[0].flatten() for table in state.trained])
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-9)
    assert bool((newton.objective < before).all())
    assert float(state.adaptive["ridge"]) in (FIRST_RIDGE, pytest.approx(FIRST_RIDGE * FALL))


def test_no_step_raises_the_objective() -> None:
    population = batch(runs=8)
    state = fresh(population)
    newton = GaussNewton(population, state, ridge=1e-4, until=Until())
    for _ in range(60):
        ridge, f, g = state.adaptive["ridge"].clone(), *(table.clone() for table in state.trained)
        newton.step()
        now = state.adaptive["ridge"].clone()
        state.adaptive["ridge"].copy_(ridge)
        loss = accurate_excess_loss(population, f, g)
        before = newton.contexts * loss + ridge / 2 * (f.square().sum((1, 2)) + g.square().sum((1, 2)))
        assert bool((newton.objective <= before * (1 + 1e-12)).all())
        state.adaptive["ridge"].copy_(now)


@pytest.mark.parametrize("network", ["cancer", "earthquake"])
def test_a_skewed_network_is_finished_where_descent_is_not(network: str) -> None:
    population = Population.of([world(load_network(network))] * 3)
    tables = best_wide_start(
        population, 5, init_scale=0.1, generators=[draws(population, number) for number in range(4)]
    )
    state = fresh(population, 5)
    for table, found in zip(state.trained, tables, strict=True):
        table.copy_(found)
    going(population, state)
    assert bool((state.ended_at > 0).all())
    found = population_gradient(population, *state.trained)
    assert bool((found.excess_loss <= 1e-3).all())
    # The certificate: at rest the loss pulls on the tables as hard as the ridge does, no harder.
    pull = (state.adaptive["ridge"] / population.weights.shape[1])[:, None, None]
    slopes = (found.embedding + pull * state.embedding, found.unembedding + pull * state.unembedding)
    assert bool((gradient_nats(slopes, (state.embedding, state.unembedding)) <= 1e-4).all())


def test_at_rest_the_gauge_is_balanced_and_g_is_centred() -> None:
    population = batch()
    state = going(population, fresh(population, wide=True), until=Until(gradient=1e-7), ridge=1e-2, steps=400)
    assert bool((state.ended_at > 0).all())
    f, g = state.trained
    torch.testing.assert_close(f.mT @ f, g.mT @ g, rtol=1e-3, atol=1e-3)
    assert float(g.mean(1).abs().max()) < 1e-4


def test_it_goes_on_bit_equal() -> None:
    population = batch()
    whole = going(population, fresh(population), 30)
    half = going(population, fresh(population), 15)
    going(population, half, 30)
    for one, other in zip(whole.trained, half.trained, strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(numbers, half.adaptive[name]) for name, numbers in whole.adaptive.items())


def test_padding_takes_no_part() -> None:
    """Networks of other sizes beside it must not move a run; padded rows shrink away."""
    wide, narrow = world(load_network("cancer")), world(load_network("cancer"), codes=None)
    narrow = world(load_network("cancer"), tokens=narrow.tokens[:20])
    both, alone = Population.of([wide, narrow]), Population.of([narrow])
    one, two = fresh(both, 4), fresh(alone, 4)
    contexts, tokens = alone.context_index.shape[1], alone.token_index.shape[1]
    two.parameters[0].copy_(one.embedding[1:, :contexts])
    two.unembedding.copy_(one.unembedding[1:, :tokens])
    first = GaussNewton(both, one, ridge=1e-6, until=Until())
    second = GaussNewton(alone, two, ridge=1e-6, until=Until())
    # What is padded pays a ridge too, so that the objective differs by it: it starts at 0.
    one.parameters[0][1, contexts:] = 0
    one.unembedding[1, tokens:] = 0
    for _ in range(10):
        first.step()
        second.step()
    torch.testing.assert_close(one.embedding[1, :contexts], two.embedding[0], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(one.unembedding[1, :tokens], two.unembedding[0], rtol=1e-6, atol=1e-8)
    assert float(one.unembedding[1, tokens:].abs().max()) == 0.0


def test_a_wide_start_frees_runs_that_a_normal_start_leaves() -> None:
    population = batch(runs=8, concepts=3, low=0.3)
    ends = [
        accurate_excess_loss(population, *going(population, fresh(population, wide=wide)).trained)
        for wide in (True, False)
    ]
    free, left = ((loss <= 1e-3).double().mean() for loss in ends)
    assert free == 1.0
    assert left < 0.9


def test_of_several_starts_none_is_deeper_than_the_one_taken() -> None:
    population = batch(runs=4, low=0.05)
    starts = [draws(population, number) for number in range(3)]
    f, g = best_wide_start(population, 3, init_scale=0.1, generators=starts)
    each = [
        wide_start(population, 3, init_scale=0.1, generators=draws(population, number)) for number in range(3)
    ]
    for run in range(4):
        assert any(torch.equal(f[run], one[run]) and torch.equal(g[run], other[run]) for one, other in each)


def test_a_system_too_large_to_solve_is_one_line() -> None:
    population = batch(runs=1, concepts=3)
    state = fresh(population, dim=600)
    with pytest.raises(InputError, match=r"at most 4096 unknowns, got 8 tokens × 600 dimensions"):
        GaussNewton(population, state, ridge=1e-6, until=Until())
