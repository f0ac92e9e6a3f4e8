"""A sample as a population: its frequencies, its loss and gradient are those of the pairs themselves."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.population import empirical
from linrep.population.empirical import EmpiricalPopulation
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient
from linrep.population.residuals import Residuals
from linrep.seeds import generator
from linrep.training.dataset import Dataset
from linrep.training.monotone import Monotone
from linrep.training.state import start
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import known, world

RUNS, DIM = 3, 4


def true() -> Population:
    """A world for each run; run 1 has few contexts, and is padded."""
    worlds = [
        world(
            random_dag(
                3, edge_probability=0.5, probability_range=(0.3, 0.7), generator=generator(1, "w", run)
            ),
            codes=known((2, 2, 2), at_least=1, at_most=1) if run == 1 else None,
        )
        for run in range(RUNS)
    ]
    return Population.of(worlds)


def pairs(population: Population, n: int) -> Dataset:
    return Dataset.of(population, n, generators=[generator(0, "samples", run) for run in range(RUNS)])


def sampled(n: int) -> tuple[Population, Dataset, EmpiricalPopulation]:
    population = true()
    drawn = pairs(population, n)
    return population, drawn, EmpiricalPopulation.of_pairs(population, drawn.contexts, drawn.tokens)


def tables(population: Population, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    (runs, contexts), tokens = population.weights.shape, population.token_index.shape[1]
    return (torch.randn(runs, rows, DIM, generator=draw).double() for rows in (contexts, tokens))  # pyright: ignore[reportReturnType]


def test_it_counts_pairs() -> None:
    population, drawn, found = sampled(50)
    counts = torch.zeros_like(found.frequencies)
    assert bool((found.frequencies.sum(-1) > 0).all())
    for run in range(RUNS):
        for context, token in zip(drawn.contexts[run].tolist(), drawn.tokens[run].tolist(), strict=True):
            counts[run, context, token] += 1
    torch.testing.assert_close(found.weights, counts.sum(-1) / 50)
    torch.testing.assert_close(found.weights.unsqueeze(-1) * found.frequencies, counts / 50)
    assert bool((found.weights == 0).any()), "some contexts were not drawn"
    torch.testing.assert_close(found.joint, population.joint)


@pytest.mark.parametrize("method", ["dense", "fused"])
def test_its_loss_and_gradient_are_those_of_the_pairs(method: str) -> None:
    """Autograd on the mean of −ln p̂ over pairs, less their entropy; the true population's are others."""
    population, drawn, found = sampled(60)
    f, g = tables(population)
    f, g = f.requires_grad_(), g.requires_grad_()
    logits = f @ g.mT
    if population.token_mask is not None:
        logits = logits.masked_fill(~population.token_mask[:, None], -torch.inf)
    picked = logits.log_softmax(-1)[torch.arange(RUNS)[:, None], drawn.contexts, drawn.tokens]
    loss = -picked.mean(1)
    loss.sum().backward()
    entropy = (found.weights * found.entropy).sum(-1)
    with torch.no_grad():
        got = population_gradient(found, f, g, method=method)  # pyright: ignore[reportArgumentType]
        other = population_gradient(population, f, g)
        careful = Residuals(found).gradient(f, g)
    torch.testing.assert_close(got.excess_loss, loss.detach() - entropy)
    torch.testing.assert_close(got.embedding, f.grad)
    torch.testing.assert_close(got.unembedding, g.grad)
    torch.testing.assert_close(careful.excess_loss, got.excess_loss)
    torch.testing.assert_close(careful.embedding, f.grad)
    torch.testing.assert_close(accurate_excess_loss(found, f, g), got.excess_loss)
    assert not torch.allclose(other.embedding, f.grad, rtol=0.1)


def test_it_comes_to_the_true_one_like_one_over_the_root_of_n() -> None:
    sizes, distances = (1_000, 30_000, 900_000), []
    for n in sizes:
        population, _, found = sampled(n)
        target = population.weights.unsqueeze(-1) * population.conditional
        got = found.weights.unsqueeze(-1) * found.conditional
        distances.append(float((got - target).norm()))
    slopes = [math.log(b / a) / math.log(30) for a, b in itertools.pairwise(distances)]
    assert slopes == pytest.approx([-0.5, -0.5], abs=0.12)


def test_of_some_runs_and_in_another_dtype_it_is_the_same() -> None:
    _, _, found = sampled(40)
    few = found.select(torch.tensor([2, 0])).to(dtype=torch.float32)
    torch.testing.assert_close(few.frequencies, found.frequencies[[2, 0]])
    assert few.conditional.dtype == torch.float32
    f, g = tables(found)
    whole = population_gradient(found, f, g).excess_loss[[2, 0]]
    torch.testing.assert_close(population_gradient(few, f[[2, 0]], g[[2, 0]]).excess_loss, whole)


def test_what_is_drawn_of_it_is_in_it() -> None:
    _, _, found = sampled(5)
    contexts, tokens = found.sample(100, generator=torch.Generator().manual_seed(0))
    share = found.weights.unsqueeze(-1) * found.frequencies
    assert bool((share[torch.arange(RUNS)[:, None], contexts, tokens] > 0).all())


def test_descent_on_it_never_climbs_and_leaves_the_true_loss_behind() -> None:
    population, _, found = sampled(40)
    draws = [generator(0, "start", run) for run in range(RUNS)]
    state = start(found, 3, init_scale=0.1, optimizer="gd", generators=draws, order=generator(0, "order"),
                  adaptive=Monotone.fresh(RUNS))  # fmt: skip
    descent, before = Monotone(found, state), torch.full((RUNS,), torch.inf, dtype=torch.float64)
    for _ in range(300):
        descent.step()
        assert bool((descent.loss <= before).all())
        before = descent.loss.clone()
    overfit = population_gradient(population, state.embedding, state.unembedding).excess_loss
    assert bool((overfit > 5 * before).all())


def test_too_many_frequencies_are_refused_with_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empirical, "LARGEST", 100)
    with pytest.raises(
        InputError, match=r"samples: full-batch steps keep 27 × 8 frequencies for each of 3 runs"
    ):
        sampled(5)


def test_a_model_is_learned_as_itself() -> None:
    """Of its own distribution a model has no loss left and no gradient; of another's their divergence."""
    population = true()
    f, g = tables(population)
    other_f, other_g = tables(population, seed=1)
    logits = (f @ g.mT).log_softmax(-1)
    own = EmpiricalPopulation.of_conditionals(population, logits.exp())
    found = population_gradient(own, f, g)
    torch.testing.assert_close(found.excess_loss, torch.zeros(RUNS, dtype=torch.float64), rtol=0, atol=1e-12)
    assert float(found.embedding.abs().max()) < 1e-12
    apart = population_gradient(own, other_f, other_g).excess_loss
    other = (other_f @ other_g.mT).log_softmax(-1)
    naive = (population.weights * (logits.exp() * (logits - other)).sum(-1)).sum(-1)
    torch.testing.assert_close(apart, naive)
    with pytest.raises(InputError, match="conditionals: expected"):
        EmpiricalPopulation.of_conditionals(population, logits.exp()[:, 1:])
