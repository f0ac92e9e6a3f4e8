"""The population of sampled worlds: its gradient is autograd's, its sums the enumerated population's."""

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import population_gradient
from linrep.population.population import Population
from linrep.population.sampled import SampledPopulation
from linrep.population.sharding import Team
from linrep.worlds import sampled_world, sparse, world_of_samples
from linrep.worlds.contexts import World
from linrep.worlds.tokens import ravel
from linrep.worlds.truth import conditional


def many(seed: int = 0, samples: int = 30) -> World:
    return sampled_world(
        sparse(200, probability=0.02), samples=samples, generator=torch.Generator().manual_seed(seed)
    )


def tables(population: Population, dim: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    runs, contexts = population.weights.shape
    sizes = (runs, contexts, dim), (runs, population.token_index.shape[1], dim)
    f, g = (torch.randn(size, dtype=torch.float64, generator=draw) for size in sizes)
    return f, g


@pytest.mark.parametrize("method", ["dense", "fused"])
def test_the_gradient_of_two_hundred_concepts_is_autograds(method: str):
    worlds = [many(0), many(1, samples=20)]  # of different sizes: padded
    population = Population.of(worlds)
    assert isinstance(population, SampledPopulation)
    assert population.token_mask is not None
    f, g = tables(population)
    found = population_gradient(population, f, g, method=method)  # pyright: ignore[reportArgumentType]
    for run, world in enumerate(worlds):
        own_f = f[run, : len(world.codes)].clone().requires_grad_()
        own_g = g[run, : len(world.tokens)].clone().requires_grad_()
        p = conditional(world)
        surprise = -(p * (own_f @ own_g.T).log_softmax(1)).sum(1) + torch.special.xlogy(p, p).sum(1)
        loss = world.weights @ surprise
        slope_f, slope_g = torch.autograd.grad(loss, (own_f, own_g))
        torch.testing.assert_close(found.excess_loss[run], loss.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(found.embedding[run, : len(own_f)], slope_f, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(found.unembedding[run, : len(own_g)], slope_g, rtol=1e-10, atol=1e-12)
        assert not found.embedding[run, len(own_f) :].any()
        assert not found.unembedding[run, len(own_g) :].any()


def test_few_concepts_are_as_enumerated():
    model = linrep.load_network("cancer")
    drawn = sampled_world(model, samples=6, flips=2, generator=torch.Generator().manual_seed(0))
    sample = world_of_samples(model, tokens=drawn.token_codes, contexts=drawn.codes)
    whole = linrep.world(model, codes=sample.codes, tokens=ravel(sample.token_codes, model.sizes))
    one, other = Population.of([sample]), Population.of([whole])
    f, g = tables(one)
    for name in ("normaliser", "entropy", "weights", "probability"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(one.conditional_mean(g), other.conditional_mean(g), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(
        one.conditional_mean_transpose(f), other.conditional_mean_transpose(f), rtol=1e-12, atol=1e-13
    )
    torch.testing.assert_close(
        accurate_excess_loss(one, f, g), accurate_excess_loss(other, f, g), rtol=1e-12, atol=0
    )


def test_draws_come_as_often_as_they_should_and_never_where_they_cannot():
    world = many()
    contexts, tokens = Population.of([world, many(1, samples=20)]).sample(
        40_000, generator=torch.Generator().manual_seed(0)
    )
    p = conditional(world)
    assert bool((p[contexts[0], tokens[0]] > 0).all())
    seen = torch.zeros_like(p).index_put_(
        (contexts[0], tokens[0]), torch.tensor(1.0).double(), accumulate=True
    )
    expected = 40_000 * world.weights[:, None] * p
    often = expected > 20
    assert int(often.sum()) > 100
    score = ((seen - expected)[often] / expected[often].sqrt()).square().mean()
    assert 0.6 < float(score) < 1.4


def test_selected_runs_and_other_dtypes_are_the_same_targets():
    population = Population.of([many(0), many(1)], dtype=torch.float32)
    chosen = population.select(torch.tensor([1]))
    assert isinstance(chosen, SampledPopulation)
    torch.testing.assert_close(chosen.conditional_rows(0, 9)[0], population.conditional_rows(0, 9)[1])
    assert population.conditional.dtype == torch.float32
    shared = many()
    assert Population.of([shared] * 3).to(dtype=torch.float64).support.stride(0) == 0


def test_what_it_cannot_hold_is_one_line():
    with pytest.raises(InputError, match="one process, got 2"):
        Population.of([many()], team=Team(0, 2))
    other = sampled_world(sparse(9, probability=0.5), samples=9, generator=torch.Generator())
    with pytest.raises(InputError, match="same sizes"):
        Population.of([many(), other])
    wide = many(samples=1000)
    with pytest.raises(InputError, match="use fewer runs"):
        Population.of([wide] * 50)


def test_uniform_numbers_choose_what_their_generator_would():
    population = Population.of([many()])
    uniform = torch.rand(2, 1, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    chosen = population.chosen(uniform)
    drawn = population.sample(50, generator=torch.Generator().manual_seed(3))
    assert population.numbers == 2
    assert all(torch.equal(one, other) for one, other in zip(chosen, drawn, strict=True))
