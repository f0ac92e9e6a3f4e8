"""Steps by kernels, under Triton's interpreter: where float64 goes, on the very pairs that the CPU draws."""

import os
from dataclasses import replace
from operator import attrgetter

import pytest
import torch

pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("a card is here: test_gpu.py", allow_module_level=True)

from linrep.population.judging import CardResiduals
from linrep.population.kernels import launches, stretches
from linrep.population.packed import Packed
from linrep.seeds import generator
from linrep.training.dataset import Dataset
from linrep.training.minibatches import Own, Tables
from linrep.training.monotone import Monotone
from linrep.training.on_card import CardDescent, CardSamples
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train
from linrep.training.until import Until
from tests.support.populations import random_population

# Of the numpy that interprets.
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

WORLDS = {
    "four concepts": ((2,) * 4, {"runs": 2}),
    "masks": ((2,) * 3, {"runs": 3, "zeros": 0.3, "fewer_tokens": 1, "fewer_contexts": 3}),
    "several states": ((3, 4), {"runs": 2}),
}


@pytest.fixture(params=WORLDS)
def population(request):
    sizes, case = WORLDS[request.param]
    return random_population(sizes, **case)


def begun(population, optimizer, dim=3):
    draws = [generator(3, "start", run) for run in range(population.runs)]
    return start(
        population, dim, init_scale=0.3, optimizer=optimizer, generators=draws, order=generator(0, "order")
    )


def distance(state, other):
    pairs = zip(state.trained, other.trained, strict=True)
    return max(((one.double() - two).norm() / two.norm()).item() for one, two in pairs)


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
def test_exact_steps_end_where_float64_does(population, optimizer):
    steps, rate = 12, schedule("geometric", 0.5 if optimizer == "gd" else 0.02, 12, 0.01)
    there = begun(population, optimizer)
    for _ in train(population, there, optimizer=optimizer, schedule=rate, steps=steps):
        pass
    narrow = population.to(dtype=torch.float32)
    here, parts = begun(narrow, optimizer), begun(narrow, optimizer)
    CardDescent(Packed.of(narrow), here).advance(0, steps, rate)
    descent = CardDescent(Packed.of(narrow), parts)
    for first in range(0, steps, 5):
        descent.advance(first, min(first + 5, steps), rate)
    assert distance(here, there) < 2e-6
    assert distance(parts, there) < 2e-6


def test_more_contexts_than_a_block(monkeypatch):
    monkeypatch.setattr("linrep.population.kernels.stretches._rows_and_options", lambda *_: (16, {}))
    population, rate = random_population((2,) * 3, 2), schedule("constant", 0.5, 5)
    for optimizer in ("gd", "adam"):
        there = begun(population, optimizer)
        for _ in train(population, there, optimizer=optimizer, schedule=rate, steps=5):
            pass
        narrow = population.to(dtype=torch.float32)
        here = begun(narrow, optimizer)
        CardDescent(Packed.of(narrow), here).advance(0, 5, rate)
        assert distance(here, there) < 2e-6


@pytest.mark.parametrize("pairs", [None, 50])
def test_pairs_are_those_of_the_cpu(population, pairs):
    keys, batch, first = [7, 2**64 - 3, 11][: population.runs], 9, 2**32 - 2
    draws = [generator(5, "samples", run) for run in range(population.runs)]
    dataset = None if pairs is None else Dataset.of(population, pairs, generators=draws)
    state = begun(population, "sgd")
    own = Own(population, state, population if dataset is None else dataset, batch, keys)
    tables = Tables.of(population, dataset)
    rows, tokens = CardSamples(population, state, tables, keys, batch).pairs(first, 4)
    for number in range(4):
        expected = own.pairs(first + number)
        assert torch.equal(rows[:, number].long(), expected[0])
        assert torch.equal(tokens[:, number].long(), expected[1])


def test_sampled_steps_end_where_float64_does_whatever_runs_beside(population):
    keys, batch, rate = [5, 6, 7][: population.runs], 20, schedule("constant", 0.5, 6)
    there = begun(population, "sgd")
    Own(population, there, population, batch, keys, compiled=False).advance(0, 6, rate)
    narrow = population.to(dtype=torch.float32)
    tables = Tables.of(population, None)

    def trained(runs, *stretches):
        few = narrow.select(runs)
        state = begun(narrow, "sgd")
        state = replace(
            state,
            parameters=[each[runs] for each in state.parameters],
            unembedding=state.unembedding[runs],
            diverged_at=state.diverged_at[runs],
        )
        one = tables._replace(
            **{
                name: value[runs.tolist()] if len(value) > 1 else value
                for name, value in tables._asdict().items()
                if name not in ("sizes", "strides")
            }
        )
        samples = CardSamples(few, state, one, [keys[run] for run in runs], batch)
        for first, last in stretches:
            samples.advance(first, last, rate)
        return state

    every = torch.arange(population.runs)
    here = trained(every, (0, 6))
    assert distance(here, there) < 2e-6
    cut = trained(every, (0, 2), (2, 6))
    assert all(torch.equal(one, two) for one, two in zip(here.trained, cut.trained, strict=True))
    alone = trained(every[1:], (0, 6))
    assert all(torch.equal(one[1:], two) for one, two in zip(here.trained, alone.trained, strict=True))


def test_few_runs_of_many_tokens_are_spread_over_the_card(monkeypatch):
    monkeypatch.setattr("linrep.population.card.known_to_triton", lambda device: True)
    for concepts, runs, alone in ((5, 1, True), (6, 1, False), (6, 300, True)):
        population = random_population((2,) * concepts, dtype=torch.float32)
        population = population.select(torch.zeros(runs, dtype=torch.int64))
        found = CardDescent.of(population, begun(population, "gd"), "auto")
        assert (found is not None) == alone
        assert CardDescent.of(population, begun(population, "gd"), "dense") is None


@pytest.fixture
def card_here(monkeypatch):
    """The interpreter in the place of a card."""
    monkeypatch.setattr("linrep.population.card.known_to_triton", lambda device: True)


def ended(population, optimizer, rate, steps=10, **more):
    state = begun(population, optimizer)
    for _ in train(population, state, optimizer=optimizer, schedule=rate, steps=steps, **more):
        pass
    return state


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("optimizer", ["gd", "adam", "sgd"])
def test_training_takes_them_where_a_card_is(optimizer, small, card_here, monkeypatch):
    if not small:
        monkeypatch.setattr("linrep.training.on_card.MOST_TOKENS", 0)
        monkeypatch.setattr("linrep.population.card.MOST_OF_A_TILE", 0)
    population = random_population((2,) * 3, 2)
    rate = schedule("constant", 0.02 if optimizer == "adam" else 0.5, 10)
    keys = [1, 2] if optimizer == "sgd" else None
    # Of float64 there are no kernels.
    there = ended(population, optimizer, rate, keys=keys, batch_size=20)
    monkeypatch.setattr("linrep.training.minibatches._loop", lambda *_: None)  # which the CPU would take
    counted = []
    for module, name in (
        (stretches, "Steps.__call__"),
        (stretches, "sample_steps"),
        (launches, "Sides.__call__"),
    ):
        plain = attrgetter(name)(module)
        monkeypatch.setattr(
            f"{module.__name__}.{name}",
            lambda *given, plain=plain, name=name: (counted.append(name), plain(*given))[1],
        )
    here = ended(population.to(dtype=torch.float32), optimizer, rate, keys=keys, batch_size=20)
    assert distance(here, there) < 2e-6
    once = "sample_steps" if optimizer == "sgd" else "Steps.__call__"
    step_by_step = [] if optimizer == "sgd" else ["Sides.__call__"] * 10
    assert counted == ([once] if small else step_by_step)


def test_a_step_that_is_too_long_is_found_out_where_it_is_elsewhere(card_here, monkeypatch):
    population = random_population((2,) * 3, 2, dtype=torch.float32)
    rate = schedule("constant", 3e17, 20)
    here = ended(population, "gd", rate, steps=20)
    monkeypatch.setattr("linrep.population.card.known_to_triton", lambda device: False)
    there = ended(population, "gd", rate, steps=20)
    assert (there.diverged_at > 0).all()
    assert torch.equal(here.diverged_at, there.diverged_at)


def test_tables_may_grow_a_thousandfold_between_looks(card_here):
    """The scale that a launch takes has no room for it: the steps are walked again, each with its own."""
    population = random_population((2,) * 3)
    rate = schedule("constant", 50.0, 10)

    def grown(dtype):
        narrow = population.to(dtype=dtype)
        state = begun(narrow, "gd")
        for each in state.trained:
            each.mul_(1e-3)
        for _ in train(narrow, state, optimizer="gd", schedule=rate, steps=10):
            pass
        return state

    here, there = grown(torch.float32), grown(torch.float64)
    assert there.unembedding.abs().max() > 1000 * 1e-3
    assert (here.diverged_at < 0).all()
    assert distance(here, there) < 1e-4


def test_judged_steps_are_those_of_the_cpu(population, monkeypatch):
    """Bit for bit the same decisions, from a fresh start down to where plain losses tell nothing any more."""
    ends = []
    for here in (False, True):
        monkeypatch.setattr("linrep.population.card.known_to_triton", lambda device, here=here: here)
        state = begun(population, "gd", dim=6)
        state.adaptive = Monotone.fresh(population.runs)
        descent = Monotone(population, state)
        assert (descent.replayed is not None) == here
        for _ in range(25):
            descent.step()
        ends.append((state, descent.loss))
    (there, loss), (card, found) = ends
    torch.testing.assert_close(card.adaptive["step_size"], there.adaptive["step_size"], rtol=0, atol=0)
    torch.testing.assert_close(found, loss, rtol=1e-9, atol=1e-15)
    assert card.step == there.step == 25
    assert distance(card, there) < 1e-12


def test_runs_that_may_end_are_judged_by_kernels_too(card_here):
    population = random_population((2,) * 3, 2)
    state = begun(population, "gd")
    state.adaptive = Monotone.fresh(2)
    descent = Monotone(population, state, until=Until(excess=0.5))
    assert descent.replayed is None
    assert type(descent.residuals) is CardResiduals
    while not state.over:
        descent.step()
    assert (descent.loss <= 0.5).all()
    assert (state.ended_at > 0).all()
