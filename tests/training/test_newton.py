"""Newton's method on both tables: its Hessian and step against plain ones, the bottom, and the wide start."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.population.excess_loss import accurate_excess_loss
from linrep.population.gradient import Population, population_gradient
from linrep.population.residuals import Residuals
from linrep.seeds import generator
from linrep.training.best_embedding import BestEmbedding, Settled
from linrep.training.curvature import curvature
from linrep.training.encoder import Table
from linrep.training.newton import FALL, FIRST_RIDGE, Newton
from linrep.training.schedule import schedule
from linrep.training.state import State, start
from linrep.training.training import train
from linrep.training.until import Until, gradient_nats
from linrep.training.wide import Looks, best_wide_start, wide_start
from linrep.worlds.concepts import from_tables, random_dag
from linrep.worlds.contexts import world
from linrep.worlds.network import load_network

Patch = pytest.MonkeyPatch


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
        adaptive=Newton.fresh(population.runs),
    )
    if wide:
        cut = wide_start(population, dim, init_scale=0.1, generators=draws(population))
        for table, found in zip(state.trained, (cut.embedding, cut.unembedding), strict=True):
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


def objective_of(population: Population, run: int, ridge: float) -> Callable[[Tensor, Tensor], Tensor]:
    """J of one run, plainly: the dense softmax against dense targets."""
    p, mask = population.conditional[run], population.token_mask
    weights = population.weights[run] * (population.weights[run] > 0).sum()
    closed = torch.zeros(p.shape[1], dtype=p.dtype)
    if mask is not None:
        closed.masked_fill_(~mask[run], -torch.inf)

    def objective(f: Tensor, g: Tensor) -> Tensor:
        predicted = (f @ g.T + closed).log_softmax(1)
        divergence = torch.xlogy(p, p).sum(1) - torch.where(p > 0, p * predicted, 0.0).sum(1)
        return (weights * divergence).sum() + ridge / 2 * (f.square().sum() + g.square().sum())

    return objective


def reduced_hessian(objective: Callable[[Tensor, Tensor], Tensor], f: Tensor, g: Tensor) -> Tensor:
    """Oracle: the Schur complement of the Hessian in both tables, by autograd."""
    (ff, fg), (gf, gg) = torch.autograd.functional.hessian(objective, (f, g))  # pyright: ignore
    ff, fg = ff.reshape(f.numel(), f.numel()), fg.reshape(f.numel(), g.numel())
    gf, gg = gf.reshape(g.numel(), f.numel()), gg.reshape(g.numel(), g.numel())
    return gg - gf @ torch.linalg.solve(ff, fg)


def settled(population: Population, state: State, ridge: Tensor) -> Settled:
    contexts = (population.weights > 0).sum(-1).double()
    best = BestEmbedding(Residuals(population), contexts[:, None] * population.weights)
    return best(*state.trained, ridge, torch.full_like(ridge, 1e-20))


def uneven() -> Population:
    """Worlds with as many concepts and fewer tokens and contexts, zeros among the probabilities."""
    whole = world(random_dag(3, edge_probability=0.5, generator=generator(3, "world")))
    model = from_tables(
        ["a", "b", "c"],
        {"a": [[0.3, 0.7]], "b": [[0.2, 0.8], [1.0, 0.0]], "c": [[0.6, 0.4]]},
        parents={"b": ["a"]},
    )
    return Population.of([whole, world(model)])


@pytest.mark.parametrize("tile", [3, 32])
def test_the_hessian_is_the_schur_complement_of_both_tables(tile: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr("linrep.training.curvature.TILE", tile)
    population = uneven()
    state = fresh(population)
    ridge = torch.tensor([0.3, 0.02], dtype=torch.float64)
    here = settled(population, state, ridge)
    weights = (population.weights > 0).sum(-1, keepdim=True) * population.weights
    found = curvature(Residuals(population), weights, here.embedding, here.unembedding, ridge)
    for run in range(2):
        plain = objective_of(population, run, float(ridge[run]))
        expected = reduced_hessian(plain, here.embedding[run], here.unembedding[run])
        torch.testing.assert_close(found[run], expected, rtol=1e-8, atol=1e-9)
    # Negative control: away from the best F it is another one.
    other = curvature(Residuals(population), weights, state.embedding, here.unembedding, ridge)
    assert float((other - found).abs().max()) > 0.1


def test_the_best_embedding_is_where_its_slope_is_zero_from_wherever_it_begins() -> None:
    population = uneven()
    one, other = fresh(population), fresh(population)
    other.parameters[0].copy_(20 * torch.randn(one.embedding.shape, generator=generator(1, "x")))
    ridge = torch.tensor([0.3, 0.02], dtype=torch.float64)
    found, again = settled(population, one, ridge), settled(population, other, ridge)
    torch.testing.assert_close(found.embedding, again.embedding, rtol=1e-6, atol=1e-7)
    assert float(found.slope_f.abs().max()) < 1e-8
    for run in range(2):
        plain = objective_of(population, run, float(ridge[run]))
        tables = [table[run].clone().requires_grad_() for table in (found.embedding, found.unembedding)]
        value = plain(*tables)
        torch.testing.assert_close(found.objective[run], value.detach())
        slopes = torch.autograd.grad(value, tables)
        torch.testing.assert_close(found.slope_g[run], slopes[1], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(
        found.excess, accurate_excess_loss(population, found.embedding, one.unembedding)
    )


def test_the_first_step_goes_down_each_axis_by_its_absolute_curvature(monkeypatch: Patch) -> None:
    monkeypatch.setattr("linrep.training.newton.FIRST_SETTLED", 1e-20)
    population = batch(runs=1)
    state = fresh(population)
    state.adaptive["damping"].fill_(1.0)  # enough that the first step is taken
    ridge = state.adaptive["ridge"].clone()
    here = settled(population, state, ridge)
    hessian = reduced_hessian(
        objective_of(population, 0, float(ridge)), here.embedding[0], here.unembedding[0]
    )
    values, vectors = torch.linalg.eigh(hessian)
    assert float(values[0]) < 0  # what this is for
    length = vectors.T @ here.slope_g[0].flatten() / (values.abs() + values.abs().max())
    expected = here.unembedding[0] - (vectors @ length).view_as(here.unembedding[0])
    newton = Newton(population, state, ridge=1e-6, until=Until())
    before = newton.objective(ridge)
    newton.step()
    torch.testing.assert_close(state.unembedding[0], expected, rtol=1e-5, atol=1e-6)
    assert bool((newton.objective(ridge) < before).all())
    assert float(state.adaptive["ridge"]) in (FIRST_RIDGE, pytest.approx(FIRST_RIDGE * FALL))


def minimised(objective: Callable[[Tensor, Tensor], Tensor], tables: list[Tensor]) -> list[Tensor]:
    """Oracle: L-BFGS on both tables of the dense loss."""
    moved = [table.clone().requires_grad_() for table in tables]
    down = torch.optim.LBFGS(
        moved, max_iter=2000, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        down.zero_grad()
        value = objective(*moved)
        value.backward()  # pyright: ignore
        return value

    down.step(closure)  # pyright: ignore
    return [table.detach() for table in moved]


@pytest.mark.parametrize("ridge", [1e-1, 1e-2])
def test_along_the_path_it_comes_where_a_plain_minimiser_comes(ridge: float) -> None:
    """From the same start along the same ridges."""
    population = batch(runs=2, low=0.3)
    state = fresh(population, wide=True)
    starts = [table.clone() for table in state.trained]
    going(population, state, until=Until(gradient=1e-7), ridge=ridge)
    assert bool((state.ended_at > 0).all())
    for run in range(population.runs):
        tables, level = [table[run] for table in starts], FIRST_RIDGE
        while level > ridge:
            tables, level = minimised(objective_of(population, run, level), tables), level * FALL
        plain = objective_of(population, run, ridge)
        expected = plain(*minimised(plain, tables))
        found = plain(state.embedding[run], state.unembedding[run])
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=0.0)


def test_no_step_raises_the_objective() -> None:
    population = batch(runs=8)
    state = fresh(population)
    newton = Newton(population, state, ridge=1e-4, until=Until())
    for _ in range(25):
        ridge, f, g = state.adaptive["ridge"].clone(), *(table.clone() for table in state.trained)
        newton.step()
        loss = accurate_excess_loss(population, f, g)
        before = newton.contexts * loss + ridge / 2 * (f.square().sum((1, 2)) + g.square().sum((1, 2)))
        assert bool((newton.objective(ridge) <= before * (1 + 1e-12)).all())


@pytest.mark.parametrize("network", ["cancer", "earthquake"])
def test_a_skewed_network_is_finished_where_descent_is_not(network: str) -> None:
    population = Population.of([world(load_network(network))] * 3)
    cut = best_wide_start(
        population, 5, init_scale=0.1, generators=[draws(population, number) for number in range(2)]
    )
    state = fresh(population, 5)
    for table, found in zip(state.trained, (cut.embedding, cut.unembedding), strict=True):
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
    first = Newton(both, one, ridge=1e-6, until=Until())
    second = Newton(alone, two, ridge=1e-6, until=Until())
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
    looks = Looks(steps=(0, 200), kept=3)
    best = best_wide_start(population, 3, init_scale=0.1, generators=starts, looks=looks)
    each = [
        wide_start(population, 3, init_scale=0.1, generators=draws(population, number), looks=looks)
        for number in range(3)
    ]
    for run in range(4):
        taken = [
            one
            for one in each
            if torch.equal(best.embedding[run], one.embedding[run])
            and torch.equal(best.unembedding[run], one.unembedding[run])
        ]
        assert len(taken) == 1
        if run < looks.kept:
            torch.testing.assert_close(best.looks[:, run], taken[0].looks[:, run], rtol=0, atol=0)
    assert best.looks.shape[:2] == (2, 3)


def test_a_system_too_large_to_solve_is_one_line() -> None:
    population = batch(runs=1, concepts=3)
    state = fresh(population, dim=600)
    with pytest.raises(InputError, match=r"at most 4096 unknowns, got 8 tokens × 600 dimensions"):
        Newton(population, state, ridge=1e-6, until=Until())
