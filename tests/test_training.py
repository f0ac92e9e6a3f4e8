"""Training: SGD estimates the exact gradient, a stopped run goes on bit-equal, a diverging one says where."""

import pytest
import torch

from linrep.concepts import random_dag
from linrep.contexts import world
from linrep.population import Population, population_gradient
from linrep.schedule import schedule
from linrep.seeds import generator
from linrep.training import CHUNK, State, start, train

RUNS = 3


def batch_of_worlds(dtype: torch.dtype = torch.float64) -> Population:
    models = [
        random_dag(
            3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world", run)
        )
        for run in range(RUNS)
    ]
    return Population.of([world(model) for model in models], dtype=dtype)


def fresh(population: Population, optimizer: str, seed: int = 0) -> State:
    return start(
        population,
        3,
        init_scale=0.1,
        optimizer=optimizer,  # pyright: ignore
        generators=[generator(seed, "start", run) for run in range(RUNS)],
        order=generator(seed, "order"),
    )


def trained(population: Population, state: State, optimizer: str, steps: int, **more: object) -> State:
    settings = {
        "schedule": schedule("constant", 0.5 if optimizer != "adam" else 0.01, steps),
        "batch_size": 16,
    }
    for _ in train(population, state, optimizer=optimizer, steps=steps, **(settings | more)):  # pyright: ignore
        pass
    return state


def test_gd_is_the_gradient_step() -> None:
    population = batch_of_worlds()
    state = fresh(population, "gd")
    expected = [table.clone() for table in state.tables]
    for _ in range(20):
        slope = population_gradient(population, expected[0], expected[1], method="dense")
        expected = [expected[0] - 0.5 * slope.embedding, expected[1] - 0.5 * slope.unembedding]
    trained(population, state, "gd", 20)
    torch.testing.assert_close(state.tables, expected)


@pytest.mark.parametrize("method", ["dense", "fused"])
def test_adam_is_torchs_adam(method: str) -> None:
    population = batch_of_worlds()
    state = fresh(population, "adam")
    parameters = [table.clone().requires_grad_() for table in state.tables]
    reference = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(20):
        slope = population_gradient(
            population, parameters[0].detach(), parameters[1].detach(), method="dense"
        )
        parameters[0].grad, parameters[1].grad = slope.embedding, slope.unembedding
        reference.step()
    trained(population, state, "adam", 20, method=method)
    torch.testing.assert_close(state.tables, [each.detach() for each in parameters])


def test_sgd_steps_along_the_exact_gradient_on_average() -> None:
    """A chunk of steps too small to move: what adds up is the mean over some 50,000 sampled pairs."""
    population = batch_of_worlds()
    state = fresh(population, "sgd")
    exact = population_gradient(population, state.embedding, state.unembedding, method="dense")
    before = [table.clone() for table in state.tables]
    trained(population, state, "sgd", CHUNK, schedule=lambda _: 1e-6, batch_size=200)
    for old, new, slope in zip(before, state.tables, (exact.embedding, exact.unembedding), strict=True):
        moved = (old - new) / (1e-6 * CHUNK)
        assert float((moved - slope).norm() / slope.norm()) < 0.1
        assert float((moved + slope).norm() / slope.norm()) > 1.9  # and not along its opposite


def test_sgd_conserves_the_sum_of_unembeddings() -> None:
    """Theory, claim C5: every residual sums to zero over tokens."""
    population = batch_of_worlds()
    state = fresh(population, "sgd")
    total = state.unembedding.sum(1)
    trained(population, state, "sgd", 300)
    torch.testing.assert_close(state.unembedding.sum(1), total, atol=1e-10, rtol=0)


@pytest.mark.parametrize("stopped", [CHUNK, CHUNK + 64])
@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_resumed_is_bit_equal(optimizer: str, stopped: int) -> None:
    population = batch_of_worlds(torch.float32)
    steps = 2 * CHUNK + 50
    whole = trained(population, fresh(population, optimizer), optimizer, steps, stops=[3, 77, CHUNK + 5])

    state = fresh(population, optimizer)
    settings = {
        "schedule": schedule("constant", 0.5 if optimizer != "adam" else 0.01, steps),
        "batch_size": 16,
    }
    for _ in train(population, state, optimizer=optimizer, steps=steps, **settings):  # pyright: ignore
        if state.step >= stopped:
            break
    assert state.step == stopped
    resumed = State(
        step=state.step,
        embedding=state.embedding.clone(),
        unembedding=state.unembedding.clone(),
        moments=[moment.clone() for moment in state.moments],
        order=generator(5, "elsewhere"),
        order_before=state.order_before.clone(),
        diverged_at=state.diverged_at.clone(),
    )
    trained(population, resumed, optimizer, steps)
    assert torch.equal(resumed.embedding, whole.embedding)
    assert torch.equal(resumed.unembedding, whole.unembedding)


def test_divergence_names_the_exact_step_and_spares_the_others() -> None:
    population = batch_of_worlds()
    lone = fresh(population, "gd")
    lone.embedding[1] *= 1e160
    lone.unembedding[1] *= 1e160
    state = trained(population, lone, "gd", 60)
    healthy = trained(population, fresh(population, "gd"), "gd", 60)
    assert state.diverged_at.tolist()[0] == -1
    assert state.diverged_at.tolist()[2] == -1
    broke = int(state.diverged_at[1])
    assert broke >= 1
    torch.testing.assert_close(state.unembedding[[0, 2]], healthy.unembedding[[0, 2]])

    again = fresh(population, "gd")
    again.embedding[1] *= 1e160
    again.unembedding[1] *= 1e160
    if broke > 1:
        trained(population, again, "gd", broke - 1)
        assert bool(again.embedding[1].isfinite().all())
