"""Each run's own stream: what it draws, the compiled step, and that nothing beside a run changes it."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, ks_2samp

from linrep.population.empirical import EmpiricalPopulation
from linrep.population.gradient import Population, population_gradient
from linrep.population.philox import philox, uniforms
from linrep.seeds import generator, key
from linrep.training import minibatches
from linrep.training.dataset import Dataset
from linrep.training.encoder import encoder
from linrep.training.minibatches import Own
from linrep.training.schedule import schedule
from linrep.training.state import State, not_ended, start
from linrep.training.training import train
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import known, world
from linrep.worlds.tokens import token_fraction
from linrep.worlds.words import tell

RUNS, BATCH = 3, 17
KEYS = [key(0, "order", run) for run in range(RUNS)]


def binary(run: int, dtype: torch.dtype, runs: int = 1) -> Population:
    """Worlds of their own; run 1 has fewer contexts, run 2 fewer tokens: both are padded beside another."""

    def made(run: int):
        model = random_dag(
            3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world", run)
        )
        tokens = token_fraction(model, 0.6, generator=generator(1, "tokens", run)) if run == 2 else None
        codes = known((2, 2, 2), at_least=1, at_most=2) if run == 1 else None
        weighting = "occurrence" if run == 0 else "uniform"
        return world(model, codes=codes, tokens=tokens, weighting=weighting)

    return Population.of([made(run + each) for each in range(runs)], dtype=dtype)


def several_states(dtype: torch.dtype) -> Population:
    model = categorical(
        [3, 2, 4],
        nests=[(0, 1, 1)],
        edge_probability=0.5,
        probability_range=(0.2, 0.8),
        generator=generator(1, "world", 0),
    )
    return Population.of([world(model)] * RUNS, dtype=dtype)


@pytest.fixture(scope="module", params=["binary", "several states"])
def population(request) -> Population:
    return binary(0, torch.float64, RUNS) if request.param == "binary" else several_states(torch.float64)


def fresh(population: Population, dim: int = 3, **more) -> State:
    return start(
        population,
        dim,
        init_scale=0.3,
        optimizer="sgd",
        generators=[generator(0, "start", run) for run in range(population.runs)],
        order=generator(0, "order"),
        **more,
    )


def trained(population: Population, state: State, steps: int, keys=KEYS, rate: float = 0.5, **more) -> State:
    settings = {"schedule": schedule("constant", rate, steps), "batch_size": BATCH, "keys": keys}
    for _ in train(population, state, optimizer="sgd", steps=steps, **(settings | more)):
        pass
    return state


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("00000000" * 4, "00000000" * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff" * 4, "ffffffff" * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a8885a308d313198a2e03707344", "a4093822299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter: str, key: str, answer: str) -> None:
    words = [
        [np.array([int(text[i : i + 8], 16)], np.uint64) for i in range(0, len(text), 8)]
        for text in (counter, key)
    ]
    assert " ".join(f"{int(word[0]):08x}" for word in philox(*words)) == answer


def test_no_two_numbers_of_a_run_are_of_the_same_words() -> None:
    """Steps, draws and numbers all count, a step beyond the first word too."""
    steps = [0, 1, 2, 2**32, 2**32 + 1]
    found = torch.stack([uniforms([5, 6], step, 40, 8) for step in steps])
    assert found.shape == (5, 8, 2, 40)
    assert found.unique().numel() > 0.999 * found.numel()
    assert 0 <= float(found.min()) < float(found.max()) < 1


@pytest.mark.parametrize("source", ["population", "dataset"])
def test_the_loop_draws_what_the_numbers_stand_for(population: Population, source: str) -> None:
    """To the last pair: the compiled search against the sampler on Philox as written in numpy."""
    dataset = None
    if source == "dataset":
        draws = [generator(0, "samples", run) for run in range(RUNS)]
        dataset = Dataset.of(population, 50, generators=draws)
    own, plain = (
        Own(population, fresh(population), dataset or population, 40, KEYS, compiled=compiled)
        for compiled in (True, False)
    )
    assert own.loop is not None
    for step in (0, 1, 2**32 - 1, 2**32):
        for mine, its in zip(own.pairs(step), plain.pairs(step), strict=True):
            assert torch.equal(mine, its)


def test_what_is_drawn_is_distributed_as_the_world_says(population: Population) -> None:
    """Chi-square of every pair, run by run; against odds tilted by a fifth it fails."""
    n, steps = 100, 200
    own = Own(population, fresh(population), population, n, KEYS)
    found = [torch.cat(each, 1).numpy() for each in zip(*map(own.pairs, range(steps)), strict=True)]
    truth = (population.weights.unsqueeze(-1) * population.conditional).flatten(1).numpy()
    columns = population.token_index.shape[1]
    for run in range(RUNS):
        drawn = np.bincount((found[0][run] * columns + found[1][run]).ravel(), minlength=truth.shape[1])
        possible = truth[run] > 0
        assert not drawn[~possible].any()
        expected = n * steps * truth[run][possible] / truth[run].sum()
        assert chisquare(drawn[possible], expected).pvalue > 1e-3
        tilted = expected * np.linspace(0.8, 1.2, len(expected))
        tilted *= expected.sum() / tilted.sum()
        assert chisquare(drawn[possible], tilted).pvalue < 1e-6


@pytest.mark.parametrize(("dim", "batch"), [(1, 17), (3, 130), (6, 1), (64, 16)])
def test_compiled_steps_are_pytorchs_on_the_same_draws(population: Population, dim: int, batch: int) -> None:
    """To 1e-12 in float64, whatever is left over of blocks of pairs and of four columns."""
    mine, its = fresh(population, dim), fresh(population, dim)
    rate = schedule("geometric", 2.0, 9, 0.5)
    own = Own(population, mine, population, batch, KEYS)
    plain = Own(population, its, population, batch, KEYS, compiled=False)
    assert own.moves_tables
    for first, last in ((0, 1), (1, 9)):
        own.advance(first, last, rate)
        plain.advance(first, last, rate)
        for found, expected in zip(mine.tables, its.tables, strict=True):
            torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    assert float((mine.embedding - fresh(population, dim).embedding).abs().max()) > 1e-3


def test_float32_is_no_further_off_than_pytorchs() -> None:
    exact = trained(binary(0, torch.float64, RUNS), fresh(binary(0, torch.float64, RUNS)), 60)
    population = binary(0, torch.float32, RUNS)
    begun = [each.float().clone() for each in fresh(binary(0, torch.float64, RUNS)).trained]

    def off(compiled: bool) -> float:
        state = fresh(population)
        for table, beginning in zip(state.trained, begun, strict=True):
            table.copy_(beginning)
        Own(population, state, population, BATCH, KEYS, compiled=compiled).advance(0, 60, lambda _: 0.5)
        return max(
            float((mine - its).abs().max()) for mine, its in zip(state.tables, exact.tables, strict=True)
        )

    assert off(compiled=True) < max(3 * off(compiled=False), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_run_is_the_same_alone_beside_others_on_threads_and_in_pieces(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, in float32 as in float64; the shared stream is not, which it says."""
    population = binary(0, dtype, RUNS)
    whole, begun = trained(population, fresh(population), 100), fresh(population)
    for run in range(RUNS):
        part = binary(run, dtype)
        alone = fresh(part)
        for table, padded in zip(alone.trained, begun.trained, strict=True):
            table[0] = padded[run, : table.shape[1]]
        f, g = trained(part, alone, 100, keys=KEYS[run : run + 1], stops=[3, 77]).tables
        assert torch.equal(whole.unembedding[run, : g.shape[1]], g[0])
        assert torch.equal(whole.embedding[run, : f.shape[1]], f[0])
    monkeypatch.setattr(minibatches, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    threaded = trained(population, fresh(population), 100)
    assert all(torch.equal(mine, its) for mine, its in zip(threaded.tables, whole.tables, strict=True))
    other = trained(population, fresh(population), 100, keys=KEYS[::-1])
    assert not torch.equal(other.unembedding, whole.unembedding)


def test_every_run_falls_to_one_thread() -> None:
    for number, threads in product((1, 5, 7), (1, 2, 3)):
        done = np.zeros(number, int)

        def share(begin: int, end: int, done=done) -> None:
            done[begin:end] += 1

        minibatches.in_threads(share, number, min(threads, number))
        assert done.tolist() == [1] * number


def test_what_fails_in_another_thread_fails_here() -> None:
    def share(begin: int, end: int) -> None:
        if begin:
            raise MemoryError

    with pytest.raises(MemoryError):
        minibatches.in_threads(share, 4, 2)


def test_learning_curves_are_distributed_as_those_of_the_shared_stream() -> None:
    """Excess loss of many runs of a world from one start, after 40 steps; at another step size it is not."""
    runs = 100
    model = random_dag(
        3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "world", 0)
    )
    population = Population.of([world(model)] * runs)

    def ended(keys: list[int] | None, rate: float = 1.0) -> np.ndarray:
        state = start(
            population,
            3,
            init_scale=0.3,
            optimizer="sgd",
            generators=[generator(0, "start", 0) for _ in range(runs)],
            order=generator(0, "order"),
        )
        trained(population, state, 40, keys=keys, rate=rate)
        return population_gradient(population, *state.tables).excess_loss.numpy()

    keys = [key(4, "order", run) for run in range(runs)]
    own, shared = ended(keys), ended(None)
    assert ks_2samp(own, shared).pvalue > 1e-3
    assert ks_2samp(own, ended(None, rate=0.6)).pvalue < 1e-6


def test_a_run_that_has_ended_stays_and_one_that_breaks_names_its_step() -> None:
    population = binary(0, torch.float64, RUNS)
    state = fresh(population, adaptive=not_ended(RUNS))
    state.end(torch.tensor([True, False, False]))
    state.unembedding[1] *= 1e200
    state.embedding[1] *= 1e200
    before = state.unembedding[0].clone()
    trained(population, state, 30)
    assert torch.equal(state.unembedding[0], before)
    assert state.diverged_at.tolist()[2] == -1
    assert 1 <= int(state.diverged_at[1]) <= 30
    whole = trained(population, fresh(population), 30)
    assert torch.equal(state.unembedding[2], whole.unembedding[2])


def test_huge_steps_are_found_out_at_the_step() -> None:
    population = binary(0, torch.float32, RUNS)
    state = trained(population, fresh(population), 64, rate=1e30)
    assert bool((state.diverged_at > 0).all())


def test_without_the_compiler_the_same_pairs_are_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    population = binary(0, torch.float64, RUNS)
    expected = trained(population, fresh(population), 20)
    monkeypatch.setattr(minibatches, "_loop", lambda *_: None)
    found = trained(population, fresh(population), 20)
    torch.testing.assert_close(found.tables, expected.tables, atol=1e-12, rtol=0)


def test_frequencies_of_pairs_are_drawn_from_too() -> None:
    """By PyTorch: the pairs of a sample, in proportion."""
    population = binary(0, torch.float64)
    pairs = torch.tensor([[0, 0, 5, 5]]), torch.tensor([[1, 2, 4, 4]])
    sample = EmpiricalPopulation.of_pairs(population, *pairs)
    contexts, tokens = sample.chosen(uniforms([3], 0, 4000, 4))
    share = [float(((contexts == c) & (tokens == t)).double().mean()) for c, t in ((0, 1), (0, 2), (5, 4))]
    assert np.allclose(share, [0.25, 0.25, 0.5], atol=0.03)
    assert Own(sample, fresh(sample), sample, BATCH, [3]).loop is None


def test_a_network_is_trained_on_the_same_pairs() -> None:
    population = binary(0, torch.float64, RUNS)
    network = encoder("mlp", population.context_index, population.sizes, 3, init_scale=0.1, width=4, layers=1)
    own = Own(population, fresh(population, encoder=network), population, BATCH, KEYS)
    assert not own.moves_tables
    before = [each.clone() for each in own.state.trained]
    own.advance(0, 3, lambda _: 0.1)
    plain = fresh(population, encoder=network)
    Own(population, plain, population, BATCH, KEYS, compiled=False).advance(0, 3, lambda _: 0.1)
    assert all(torch.equal(mine, its) for mine, its in zip(own.state.trained, plain.trained, strict=True))
    assert not any(torch.equal(mine, its) for mine, its in zip(before, plain.trained, strict=True))


def test_words_are_drawn_by_pytorch() -> None:
    """Which word is said takes one number more; the loop does not know them."""
    model = random_dag(2, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "w", 0))
    words = tell(model, of=list(model.names), synonyms=[0.7, 0.3], generator=generator(1, "words", 0))
    population = Population.of([world(model, tokens=words)])
    state = fresh(population)
    own = Own(population, state, population, 500, [3])
    assert own.loop is None
    _, tokens = own.pairs(0)
    assert tokens.unique().numel() == population.token_index.shape[1] > 4
    trained(population, state, 3, keys=[3])
    assert bool(state.unembedding.isfinite().all())
