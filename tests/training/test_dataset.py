"""Sampled pairs: drawn from the true distribution, a run's own, and all that training ever sees."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from linrep.population.gradient import Population
from linrep.seeds import generator
from linrep.training.dataset import Dataset
from linrep.training.minibatches import CHUNK
from linrep.training.schedule import schedule
from linrep.training.state import start
from linrep.training.training import train
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import known, world

RUNS = 3


def population(runs: int = RUNS, *, most: int | None = None) -> Population:
    """A world for each run; with ``most`` run 1 has only contexts that know so much, and is padded."""
    worlds = [
        world(
            random_dag(
                3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world", run)
            ),
            codes=known((2, 2, 2), at_least=1, at_most=most) if most and run == 1 else None,
        )
        for run in range(runs)
    ]
    return Population.of(worlds)


def drawn(given: Population, n: int, seed: int = 0) -> Dataset:
    return Dataset.of(given, n, generators=[generator(seed, "samples", run) for run in range(given.runs)])


def counts(given: Population, pairs: Dataset, run: int) -> np.ndarray:
    contexts, tokens = given.weights.shape[1], given.token_index.shape[1]
    flat = pairs.contexts[run] * tokens + pairs.tokens[run]
    return np.bincount(flat.numpy(), minlength=contexts * tokens)


@pytest.mark.parametrize("most", [None, 1])
def test_pairs_come_from_the_true_distribution_of_their_run(most: int | None) -> None:
    """Chi-square of the counts of every pair; against another run's distribution it fails."""
    n = 20_000
    given = population(most=most)
    pairs = drawn(given, n)
    truth = (given.weights.unsqueeze(-1) * given.conditional).flatten(1).double().numpy()
    for run in range(RUNS):
        found, possible = counts(given, pairs, run), truth[run] > 0
        assert not found[~possible].any(), "an impossible pair"
        expected = n * truth[run][possible] / truth[run][possible].sum()
        assert chisquare(found[possible], expected).pvalue > 1e-3
        other = truth[(run + 1) % RUNS][possible] + 1e-9
        assert chisquare(found[possible], n * other / other.sum()).pvalue < 1e-6


def test_a_runs_pairs_do_not_depend_on_how_many_are_beside_it() -> None:
    one, three = drawn(population(1), 50), drawn(population(3), 50)
    assert torch.equal(one.contexts[0], three.contexts[0])
    assert torch.equal(one.tokens[0], three.tokens[0])
    assert not torch.equal(three.contexts[0], three.contexts[1])
    assert not torch.equal(one.contexts, drawn(population(1), 50, seed=1).contexts)


def test_minibatches_hold_every_pair_equally_often_and_no_other() -> None:
    given = population()
    pairs = drawn(given, 12)
    contexts, tokens = pairs.sample(24_000, generator=generator(0, "order"))
    batch = Dataset(contexts=contexts, tokens=tokens)
    for run in range(RUNS):
        once, often = counts(given, pairs, run), counts(given, batch, run)
        assert not often[once == 0].any()
        assert chisquare(often[once > 0], 2000 * once[once > 0]).pvalue > 1e-3


def test_only_the_pairs_drawn_are_ever_trained_on() -> None:
    """Contexts that were not drawn stay at their start, bit for bit; those that were all move."""
    given = population()
    pairs = drawn(given, 10)

    def trained(dataset: Dataset | None) -> torch.Tensor:
        state = start(
            given,
            3,
            init_scale=0.1,
            optimizer="sgd",
            generators=[generator(0, "start", run) for run in range(RUNS)],
            order=generator(0, "order"),
        )
        before = state.embedding.clone()
        for _ in train(
            given,
            state,
            optimizer="sgd",
            schedule=schedule("constant", 0.5, 2 * CHUNK),
            steps=2 * CHUNK,
            batch_size=16,
            dataset=dataset,
        ):
            pass
        return (state.embedding != before).any(-1)

    moved = trained(pairs)
    seen = torch.zeros_like(moved).scatter_(1, pairs.contexts, True)
    assert not bool(seen.all())
    assert torch.equal(moved, seen)
    assert bool(trained(None).all()), "without them every context is"
