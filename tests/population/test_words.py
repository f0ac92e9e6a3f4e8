"""Words: targets against enumeration, gradients in every form against autograd, draws against p."""

import itertools
import math

import pytest
import torch

import linrep
from linrep.population.gradient import population_gradient
from linrep.population.residuals import Residuals
from linrep.worlds import conditional, entropy, hold_out, known, say, tell
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import from_tables, random_dag
from tests.support.populations import autograd, random_tables

FORMS = ["auto", "dense", "fused"]


def drawn(seed):
    return torch.Generator().manual_seed(seed)


def binary(seed, concepts=4):
    return random_dag(concepts, edge_probability=0.6, probability_range=(0.1, 0.9), generator=drawn(seed))


def merged(seed):
    return linrep.world(binary(seed), tokens=tell(binary(seed), merged=0.6, generator=drawn(seed)))


def synonyms(seed):
    return linrep.world(binary(seed), tokens=tell(binary(seed), synonyms=[0.6, 0.3, 0.1]))


def both(seed):
    """Merged, said in two ways, of three concepts of four, known contexts, some held out."""
    words = tell(binary(seed), of=["C1", "C2", "C4"], merged=0.5, synonyms=[0.7, 0.3], generator=drawn(seed))
    codes = known((2,) * 4, at_least=1, at_most=2, of=[1, 2, 3])
    return hold_out(linrep.world(binary(seed), codes=codes, tokens=words), 0.2, generator=drawn(seed))


def several_states(seed):
    model = categorical([2, 3, 2], nests=[(0, 1, 2)], generator=drawn(seed))
    return linrep.world(model, tokens=tell(model, merged=0.5, generator=drawn(seed)))


def deterministic(seed):
    """Concept vectors that cannot occur, and one word of unequal use for what can."""
    tables = {"a": [[0.3, 0.7]], "b": [[0.4, 0.6]], "or": [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]}
    model = from_tables(["a", "b", "or"], tables, parents={"or": ["a", "b"]})
    shares = torch.rand(2, generator=drawn(seed), dtype=torch.float64).tolist()
    said = {
        "0?0": {"none": 0.25, "word": 0.75},
        "0?1": {"word": shares[0], "some": 1 - shares[0]},
        "1??": {"some": shares[1], "all": 1 - shares[1]},
    }
    return linrep.world(model, tokens=say(model, said))


KINDS = {f.__name__: f for f in (merged, synonyms, both, several_states, deterministic)}


def enumerated(world):
    """p(word | context) by looking at every context, concept vector and word."""
    sizes, words = world.model.sizes, world.words
    table = torch.zeros(len(world.codes), len(words.names), dtype=torch.float64)
    joint = world.model.joint()
    for row, code in enumerate(world.codes.tolist()):
        for index, vector in enumerate(itertools.product(*(range(size) for size in sizes))):
            fits = all(asked in (state, size) for asked, state, size in zip(code, vector, sizes, strict=True))
            for meaning in (words.vector == index).nonzero()[:, 0].tolist() if fits else []:
                table[row, words.word[meaning]] += float(joint[index]) * float(words.share[meaning])
    return table / table.sum(1, keepdim=True)


@pytest.mark.parametrize("kind", KINDS)
def test_targets_equal_enumeration_and_entropy_follows(kind):
    world = KINDS[kind](0)
    true = enumerated(world)
    torch.testing.assert_close(conditional(world), true, rtol=0, atol=1e-12)
    torch.testing.assert_close(linrep.Population.of([world]).conditional[0], true, rtol=0, atol=1e-12)
    surprise = -torch.xlogy(true, true).sum(1)
    torch.testing.assert_close(entropy(world), surprise, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        world.probability,
        torch.bincount(world.words.word, world.joint[world.words.vector] * world.words.share),
    )
    assert math.isclose(float(world.probability.sum()), 1, abs_tol=1e-12)


@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_autograd(kind, method):
    """Three runs of their own worlds, so that some have fewer words and are padded."""
    population = linrep.Population.of([KINDS[kind](seed) for seed in range(3)])
    f, g = random_tables(population, 3)
    found = population_gradient(population, f, g, method=method)
    loss, by_f, by_g = autograd(population, f, g)
    torch.testing.assert_close(found.embedding, by_f, rtol=0, atol=1e-10 * by_f.norm().item())
    torch.testing.assert_close(found.unembedding, by_g, rtol=0, atol=1e-10 * by_g.norm().item())
    torch.testing.assert_close(found.excess_loss, loss, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pass_of_newton_and_fused_float32_agree_with_it(kind):
    population = linrep.Population.of([KINDS[kind](seed) for seed in range(2)])
    f, g = random_tables(population, 3)
    loss, by_f, by_g = autograd(population, f, g)
    exact = Residuals(population).gradient(f, g)
    torch.testing.assert_close(exact.embedding, by_f, rtol=0, atol=1e-10 * by_f.norm().item())
    torch.testing.assert_close(exact.unembedding, by_g, rtol=0, atol=1e-10 * by_g.norm().item())
    torch.testing.assert_close(exact.excess_loss, loss, rtol=1e-9, atol=1e-12)
    single = population_gradient(population.to(dtype=torch.float32), f.float(), g.float(), method="fused")
    torch.testing.assert_close(single.embedding.double(), by_f, rtol=0, atol=1e-5 * by_f.norm().item())


def test_one_word_for_each_concept_vector_is_a_world_without_words():
    model = binary(5)
    plain, worded = linrep.world(model), linrep.world(model, tokens=tell(model))
    pair = [linrep.Population.of([each]) for each in (plain, worded)]
    f, g = random_tables(pair[0], 3)
    for method in ("dense", "fused"):
        one, other = (population_gradient(each, f, g, method=method) for each in pair)
        torch.testing.assert_close(one.embedding, other.embedding, rtol=0, atol=1e-15)
        torch.testing.assert_close(one.unembedding, other.unembedding, rtol=0, atol=1e-15)
    assert plain.span == worded.span == 4


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_distribution(kind):
    world = KINDS[kind](1)
    population = linrep.Population.of([world, world])
    n = 40_000
    contexts, tokens = population.sample(n, generator=drawn(3))
    shape = len(world.codes), len(world.tokens)
    true = world.weights[:, None] * conditional(world)
    for row, column in zip(contexts, tokens, strict=True):
        counts = torch.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).view(shape)
        assert not counts[true == 0].any()
        z = (counts - n * true) / (n * true * (1 - true)).sqrt().clamp_min(1e-300)
        assert float(z[true > 0].abs().max()) < 5


def test_several_ranks_hold_what_one_holds():
    from linrep.population.sharding import Team

    world = merged(2)
    alone = linrep.Population.of([world])
    parts = [linrep.Population.of([world], team=Team(rank=rank, ranks=2)) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([part.conditional[0] for part in parts]), alone.conditional[0])
    f, g = random_tables(alone, 3)
    rows = [len(part.weights[0]) for part in parts]
    mean = [part.conditional_mean(g) for part in parts]
    torch.testing.assert_close(torch.cat(mean, 1), alone.conditional_mean(g))
    total = sum(
        part.conditional_mean_transpose(own) for part, own in zip(parts, f.split(rows, 1), strict=True)
    )
    torch.testing.assert_close(total, alone.conditional_mean_transpose(f))
