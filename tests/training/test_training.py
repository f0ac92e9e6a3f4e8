"""Training: SGD estimates the exact gradient, a stopped run goes on bit-equal, a diverging one says where."""

from itertools import product

import pytest
import torch
from torch import Tensor

from linrep.population.gradient import Population, population_gradient
from linrep.seeds import generator
from linrep.training.descent import Descent
from linrep.training.encoder import Encoder, encoder
from linrep.training.minibatches import CHUNK
from linrep.training.schedule import schedule
from linrep.training.state import State, start
from linrep.training.training import train
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import world

RUNS = 3


def batch_of_worlds(dtype: torch.dtype = torch.float64) -> Population:
    models = [
        random_dag(
            3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world", run)
        )
        for run in range(RUNS)
    ]
    return Population.of([world(model) for model in models], dtype=dtype)


def network(population: Population, kind: str = "transformer") -> Encoder:
    return encoder(
        kind,  # pyright: ignore
        population.context_index,
        population.sizes,
        3,
        init_scale=0.1,
        width=8,
        layers=1,
        heads=2,
        dtype=population.dtype,
    )


def fresh(population: Population, optimizer: str, seed: int = 0, kind: str = "table") -> State:
    return start(
        population,
        3,
        init_scale=0.1,
        optimizer=optimizer,  # pyright: ignore
        generators=[generator(seed, "start", run) for run in range(RUNS)],
        order=generator(seed, "order"),
        encoder=network(population, kind),
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


@pytest.mark.parametrize("kind", ["table", "mlp"])
@pytest.mark.parametrize("optimizer", ["gd", "adam"])
def test_exact_steps_move_one_piece_of_memory(optimizer: str, kind: str) -> None:
    """In which tables lie as their gradients come; a small world's step would turn round and copy both."""
    population = batch_of_worlds()
    state = fresh(population, optimizer, kind=kind)
    before = [each.clone() for each in (*state.trained, *state.moments)]
    descent = Descent(population, state, "auto")
    now = (*state.trained, *state.moments)
    assert all(torch.equal(each, old) for each, old in zip(now, before, strict=True))
    assert state.unembedding.mT.is_contiguous()
    assert state.embedding.mT.is_contiguous() == (kind == "table")
    memories = {each.untyped_storage().data_ptr() for each in state.trained}
    assert memories == {descent.memory.data_ptr()}
    assert len({each.untyped_storage().data_ptr() for each in state.moments}) == len(descent.moments)


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


def loss_by_autograd(population: Population, embedding: Tensor, unembedding: Tensor) -> Tensor:
    logits = embedding @ unembedding.mT
    of_each = -(population.conditional * logits.log_softmax(-1)).sum(-1)
    return (population.weights * of_each).sum()


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_networks_train_as_torch_trains_them(kind: str, optimizer: str) -> None:
    """The same network under autograd from the loss on, moved by torch's own optimizers."""
    population = batch_of_worlds()
    state = fresh(population, optimizer, kind=kind)
    leaves = [each.clone().requires_grad_() for each in state.trained]
    reference = torch.optim.SGD(leaves, lr=0.5) if optimizer == "gd" else torch.optim.Adam(leaves, lr=0.01)
    for _ in range(20):
        reference.zero_grad()
        loss_by_autograd(population, state.encoder.embed(leaves[:-1]), leaves[-1]).backward()
        reference.step()
    trained(population, state, optimizer, 20)
    torch.testing.assert_close(state.trained, [each.detach() for each in leaves], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_sgd_moves_a_network_along_its_exact_gradient_on_average(kind: str) -> None:
    population = batch_of_worlds()
    state = fresh(population, "sgd", kind=kind)
    leaves = [each.clone().requires_grad_() for each in state.trained]
    loss_by_autograd(population, state.encoder.embed(leaves[:-1]), leaves[-1]).backward()
    before = [each.clone() for each in state.trained]
    trained(population, state, "sgd", CHUNK, schedule=lambda _: 1e-6, batch_size=200)
    slope = torch.cat([leaf.grad.flatten() for leaf in leaves if leaf.grad is not None])
    moved = torch.cat(
        [(old - new).flatten() / (1e-6 * CHUNK) for old, new in zip(before, state.trained, strict=True)]
    )
    assert float((moved - slope).norm() / slope.norm()) < 0.15


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_a_network_that_breaks_names_its_step_and_spares_the_others(kind: str) -> None:
    population = batch_of_worlds()
    state = fresh(population, "gd", kind=kind)
    state.unembedding[1] *= 1e200
    trained(population, state, "gd", 20)
    assert state.diverged_at.tolist()[::2] == [-1, -1]
    assert 1 <= int(state.diverged_at[1]) <= 3
    healthy = trained(population, fresh(population, "gd", kind=kind), "gd", 20)
    torch.testing.assert_close(state.unembedding[[0, 2]], healthy.unembedding[[0, 2]])


def test_sgd_conserves_the_sum_of_unembeddings() -> None:
    """Theory, claim C5: every residual sums to zero over tokens."""
    population = batch_of_worlds()
    state = fresh(population, "sgd")
    total = state.unembedding.sum(1)
    trained(population, state, "sgd", 300)
    torch.testing.assert_close(state.unembedding.sum(1), total, atol=1e-10, rtol=0)


@pytest.mark.parametrize("stopped", [CHUNK, CHUNK + 64])
@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [*product(["table", "mlp"], ["gd", "sgd", "adam"]), ("transformer", "sgd")],
)
def test_resumed_is_bit_equal(kind: str, optimizer: str, stopped: int) -> None:
    population = batch_of_worlds(torch.float32)
    steps = CHUNK + 80
    whole = fresh(population, optimizer, kind=kind)
    trained(population, whole, optimizer, steps, stops=[3, 77, CHUNK + 5])

    state = fresh(population, optimizer, kind=kind)
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
        encoder=state.encoder,
        parameters=[each.clone() for each in state.parameters],
        unembedding=state.unembedding.clone(),
        moments=[moment.clone() for moment in state.moments],
        order=generator(5, "elsewhere"),
        order_before=state.order_before.clone(),
        diverged_at=state.diverged_at.clone(),
    )
    trained(population, resumed, optimizer, steps)
    assert all(torch.equal(mine, its) for mine, its in zip(resumed.trained, whole.trained, strict=True))
    assert torch.equal(resumed.embedding, whole.embedding)


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
