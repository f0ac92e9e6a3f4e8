"""Descent that never climbs: in any world, at any precision; what it keeps, and that it goes on bit-equal."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient
from linrep.population.residuals import Residuals
from linrep.seeds import generator
from linrep.theory.gauge import conserved
from linrep.training.descent import Descent
from linrep.training.encoder import Table, encoder
from linrep.training.monotone import GROW, SHRINK, Monotone
from linrep.training.schedule import schedule
from linrep.training.state import State, start
from linrep.training.training import train
from linrep.training.until import Until, gradient_nats
from linrep.worlds.concepts import ConceptModel, from_tables, random_dag
from linrep.worlds.contexts import world


def random_world(seed: int) -> ConceptModel:
    """Three concepts; in every second world some of their probabilities are 0 or 1."""
    draw = generator(seed, "world")
    model = random_dag(3, edge_probability=0.5, probability_range=(0.02, 0.98), generator=draw)
    if seed % 2:
        return model
    tables = {}
    for name, table in zip(model.names, model.tables, strict=True):
        rows = table.clone().reshape(-1, 2)
        rows[torch.rand(len(rows), generator=draw) < 0.3] = torch.tensor([1.0, 0.0], dtype=rows.dtype)
        tables[name] = rows.tolist()
    parents = {
        name: [model.names[parent] for parent in each]
        for name, each in zip(model.names, model.parents, strict=True)
    }
    return from_tables(list(model.names), tables, parents=parents)


def fresh(population: Population, dim: int = 3, kind: str = "table", scale: float = 0.1) -> State:
    contexts = population.context_index.shape[1]
    return start(
        population,
        dim,
        init_scale=scale,
        optimizer="gd",
        generators=[generator(0, "start", run) for run in range(population.runs)],
        order=generator(0, "order"),
        encoder=Table(contexts, dim, init_scale=scale)
        if kind == "table"
        else encoder(
            kind,  # pyright: ignore
            population.context_index,
            population.sizes,
            dim,
            init_scale=scale,
            width=8,
            layers=1,
            heads=2,
            dtype=population.dtype,
        ),
        adaptive=Monotone.fresh(population.runs),
    )


def batch(dtype: torch.dtype, seeds: range = range(6)) -> Population:
    return Population.of([world(random_world(seed)) for seed in seeds], dtype=dtype)


def exact_loss(population: Population, state: State) -> Tensor:
    return accurate_excess_loss(population, state.embedding, state.unembedding)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_step_raises_the_loss_in_two_hundred_worlds(dtype: torch.dtype) -> None:
    population = batch(dtype, range(200))
    assert bool((population.probability == 0).any()) or population.token_mask is not None
    state = fresh(population, scale=0.5)
    descent = Monotone(population, state)
    before, first = exact_loss(population, state), exact_loss(population, state)
    for _ in range(150):
        tables = [table.clone() for table in state.trained]
        descent.step()
        after = exact_loss(population, state)
        moved = torch.stack([(t != s).flatten(1).any(1) for t, s in zip(tables, state.trained, strict=True)])
        assert bool((after[moved.any(0)] < before[moved.any(0)]).all())
        torch.testing.assert_close(after[~moved.any(0)], before[~moved.any(0)], rtol=0, atol=0)
        before = after
    assert bool((before <= first / 2).all())  # worlds of one token have no loss to lose


def test_a_fixed_step_in_the_same_worlds_does_raise_it() -> None:
    population = batch(torch.float64, range(20))
    state = fresh(population)
    descent, rises, before = Descent(population, state, "auto"), 0, torch.full((20,), torch.inf)
    for number in range(150):
        descent.step(5.0, number + 1)
        after = exact_loss(population, state)
        rises += int((after > before).sum())
        before = after
    assert rises > 20


def test_near_the_bottom_rounding_does_not_stop_it() -> None:
    """Started where the loss is 1e-9, a plain loss cannot see the next fall; this one goes on falling."""
    population = batch(torch.float64, range(1, 12, 2))
    state = fresh(population, dim=8)
    for _ in going(population, state, 400):
        pass
    low = exact_loss(population, state)
    conditional = population.conditional
    logits = conditional.clamp_min(1e-13).log()
    side_f, values, side_g = torch.linalg.svd(logits, full_matrices=False)
    state.parameters[0].copy_(side_f * values.unsqueeze(1).sqrt())
    state.unembedding.copy_(side_g.mT * values.unsqueeze(1).sqrt())
    state.unembedding += 1e-6 * torch.randn(
        state.unembedding.shape, generator=generator(0, "x"), dtype=torch.float64
    )
    descent = Monotone(population, state)
    before = exact_loss(population, state)
    assert bool((before < low / 100).all())
    for _ in range(60):
        descent.step()
    assert bool(state.adaptive["careful"])
    after = exact_loss(population, state)
    assert bool((after < 0.9 * before).all())


def going(population: Population, state: State, steps: int, **more: object) -> Iterator[State]:
    return train(
        population,
        state,
        optimizer="gd",
        schedule=schedule("constant", 0.0, steps),
        steps=steps,
        **more,  # pyright: ignore
    )


def test_the_step_is_that_of_gradient_descent_and_its_size_follows_the_rule() -> None:
    population = batch(torch.float64)
    state = fresh(population)
    descent = Monotone(population, state)
    for _ in range(30):
        tables, size = [t.clone() for t in state.trained], state.adaptive["step_size"].clone()
        time = state.adaptive["time"].clone()
        slope = population_gradient(population, *tables)
        descent.step()
        taken = state.adaptive["time"] > time
        for old, new, by in zip(tables, state.trained, (slope.embedding, slope.unembedding), strict=True):
            expected = torch.where(taken[:, None, None], old - size[:, None, None] * by, old)
            torch.testing.assert_close(new, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(state.adaptive["time"] - time, torch.where(taken, size, 0.0))
        torch.testing.assert_close(
            state.adaptive["step_size"], torch.where(taken, size * GROW, size * SHRINK)
        )


def test_the_gauge_is_kept_better_than_the_tables_grow() -> None:
    population = batch(torch.float64, range(1, 12, 2))
    state = fresh(population)
    first = conserved(state.embedding, state.unembedding)
    for _ in going(population, state, 300):
        pass
    drift = (conserved(state.embedding, state.unembedding) - first).flatten(1).norm(dim=1)
    grown = (state.unembedding.mT @ state.unembedding).flatten(1).norm(dim=1)
    assert bool((drift < 0.2 * grown).all())


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_networks_descend_too(kind: str) -> None:
    population = batch(torch.float32)
    state = fresh(population, kind=kind)
    descent = Monotone(population, state)
    before = first = exact_loss(population, state)
    for _ in range(40):
        descent.step()
        after = exact_loss(population, state)
        assert bool((after <= before).all())
        before = after
    assert bool((before < 0.9 * first).all())


def test_a_stopped_run_goes_on_bit_equal() -> None:
    population = batch(torch.float32)
    whole, part = fresh(population), fresh(population)
    for _ in going(population, whole, 200):
        pass
    for state in going(population, part, 200):
        if state.step >= 64:
            break
    resumed = copy.copy(part)
    resumed.parameters, resumed.unembedding = [t.clone() for t in part.parameters], part.unembedding.clone()
    for _ in going(population, resumed, 200):
        pass
    for one, other in zip(whole.trained, resumed.trained, strict=True):
        assert torch.equal(one, other)
    for name, numbers in whole.adaptive.items():
        assert torch.equal(numbers, resumed.adaptive[name]), name


def test_where_nothing_is_left_to_descend_the_step_size_stays_a_number() -> None:
    tokens = torch.tensor([5])
    nothing = Population.of([world(random_world(1), tokens=tokens), world(random_world(3), tokens=tokens)])
    state = fresh(nothing)
    start = [table.clone() for table in state.trained]
    for _ in going(nothing, state, 3000):  # 1.3 ** 3000 is no float64
        pass
    assert all(torch.equal(table, before) for table, before in zip(state.trained, start, strict=True))
    assert bool((state.adaptive["step_size"] <= 1).all())
    assert torch.equal(state.adaptive["time"], torch.zeros(2, dtype=torch.float64))
    beside = Population.of([world(random_world(1), tokens=tokens), world(random_world(3))])
    mixed = fresh(beside)
    for _ in going(beside, mixed, 50):
        pass
    assert bool(mixed.adaptive["time"][0] == 0)
    assert bool(mixed.adaptive["time"][1] > 0)


def test_a_run_that_is_there_stays_and_the_others_go_on() -> None:
    population = batch(torch.float64)
    state = fresh(population)
    for _ in going(population, state, 400, until=Until(excess=0.02)):
        pass
    ended = state.ended_at >= 0
    loss = exact_loss(population, state)
    assert bool(ended.any())
    assert bool((loss[ended] <= 0.02).all())
    assert bool((loss[~ended] > 0.02).all())
    alone = fresh(population)
    step = int(state.ended_at[ended][0])
    for _ in going(population, alone, step):
        pass
    first = int(ended.nonzero()[0, 0])
    assert torch.equal(alone.embedding[first], state.embedding[first])


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_fixed_steps_end_too(optimizer: str) -> None:
    population = batch(torch.float64, range(1, 12, 2))
    state = fresh(population)
    state.adaptive = {"ended_at": torch.full((population.runs,), -1)}
    if optimizer == "adam":
        state.moments = [torch.zeros_like(each) for each in state.trained * 2]
    target = 0.2
    for _ in train(
        population,
        state,
        optimizer=optimizer,  # pyright: ignore
        schedule=schedule("constant", 0.02 if optimizer == "adam" else 0.5, 5000),
        steps=5000,
        stops=range(0, 5000, 5),
        until=Until(excess=target),
    ):
        pass
    assert state.step < 5000
    assert bool((state.ended_at > 0).all())
    assert len(set(state.ended_at.tolist())) > 1
    assert bool((exact_loss(population, state) <= target).all())


def test_residuals_are_the_gradient_without_cancellation() -> None:
    population = batch(torch.float64)
    state = fresh(population, scale=1.0)
    found = Residuals(population, logits=64).gradient(*state.trained)
    expected = population_gradient(population, *state.trained, method="dense")
    torch.testing.assert_close(found.excess_loss, expected.excess_loss)
    torch.testing.assert_close(found.embedding, expected.embedding)
    torch.testing.assert_close(found.unembedding, expected.unembedding)
    torch.testing.assert_close(found.excess_loss, exact_loss(population, state), rtol=1e-12, atol=0)


def test_the_gradient_in_nats_is_what_a_move_by_the_tables_own_length_can_change() -> None:
    population = batch(torch.float64)
    f, g = fresh(population, scale=1.0).trained
    slope = population_gradient(population, f, g)
    nats = gradient_nats((slope.embedding, slope.unembedding), (f, g))
    size = torch.cat([f.flatten(1), g.flatten(1)], 1).norm(dim=1)
    along = torch.cat([slope.embedding.flatten(1), slope.unembedding.flatten(1)], 1)
    way = (along / along.norm(dim=1, keepdim=True) * size[:, None] * 1e-6).split(f[0].numel(), 1)
    moved = population_gradient(population, f + way[0].view_as(f), g + way[1].view_as(g))
    torch.testing.assert_close((moved.excess_loss - slope.excess_loss) / 1e-6, nats, rtol=1e-4, atol=0)
