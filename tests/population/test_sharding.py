"""One world over several processes: the same gradient, the same training, each rank with its part only."""

import pytest
import torch

from linrep.errors import InputError
from linrep.population.gradient import Population, population_gradient
from linrep.population.sharding import Shard, Team
from linrep.worlds.transforms import Cube, subset_sum, subset_sum_transpose
from tests.support.populations import random_population, random_tables
from tests.support.ranks import on_ranks

CASES = {
    "one run": {"sizes": (2,) * 5},
    "many runs": {"sizes": (2,) * 4, "runs": 3, "fewer_tokens": 3, "fewer_contexts": 7},
    "zeros": {"sizes": (2,) * 4, "runs": 2, "zeros": 0.4},
    "sizes": {"sizes": (2, 3, 1, 4), "runs": 2, "fewer_tokens": 2, "zeros": 0.2},
}


def part(team, population):
    """The same population, this rank's contexts of it."""
    real = (population.weights > 0).sum(1).tolist()
    tokens = population.token_mask
    return Population.build(
        population.sizes,
        list(population.joint),
        [row[:count] for row, count in zip(population.context_index, real, strict=True)],
        [row[:count] for row, count in zip(population.weights, real, strict=True)],
        [row if tokens is None else row[tokens[run]] for run, row in enumerate(population.token_index)],
        dtype=population.dtype,
        team=team,
    )


def dealt(population, whole):
    """This rank's rows of a table of all contexts."""
    own = population.shard.own(list(whole))
    return torch.nn.utils.rnn.pad_sequence(own, batch_first=True)


@pytest.mark.parametrize("prefixes", [(0, 1), (3, 7), (8, 9), (0, 9)])
def test_a_cube_is_a_range_of_the_whole(prefixes):
    sizes, draw = (2, 2, 3, 2, 2), torch.Generator().manual_seed(0)
    cube = Cube(sizes=sizes, leading=2, prefixes=prefixes)
    inside = slice(cube.first, cube.first + cube.contexts)
    x = torch.rand(2, 3, 48, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(cube.subset_sum(x), subset_sum(x, sizes)[..., inside])
    y = torch.zeros(2, 324, dtype=torch.float64)
    y[:, inside] = torch.rand(2, cube.contexts, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(cube.subset_sum_transpose(y[:, inside]), subset_sum_transpose(y, sizes))


@pytest.mark.parametrize("ranks", [2, 3, 7])
def test_parts_are_disjoint_and_balanced(ranks):
    index = torch.randperm(3**7, generator=torch.Generator().manual_seed(0))[:1001].sort().values
    shards = [Shard.of((2,) * 7, [index], Team(rank, ranks)) for rank in range(ranks)]
    owned = [shard.own([index])[0] for shard in shards]
    assert torch.equal(torch.cat(owned), index)
    for shard, rows in zip(shards, owned, strict=True):
        assert bool(((rows >= shard.cube.first) & (rows < shard.cube.first + shard.cube.contexts)).all())
        assert len(rows) == pytest.approx(1001 / ranks, rel=0.15)


def test_more_ranks_than_contexts_are_refused():
    with pytest.raises(InputError, match="start fewer"):
        Shard.of((2,), [torch.arange(3)], Team(0, 4))


def gradient_cases():
    """Populations, tables and methods."""
    for case in CASES.values():
        for dtype in (torch.float64, torch.float32):
            for scale in (0.1, 6.0):
                whole = random_population(**case, dtype=dtype)
                for method in ("dense", "fused"):
                    yield whole, *random_tables(whole, 4, scale), method


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_gradient_is_that_of_one_process(ranks):
    def gradients(team):
        found = []
        for whole, f, g, method in gradient_cases():
            mine = part(team, whole)
            one = population_gradient(mine, dealt(mine, f), g, method=method)
            found.append((one.excess_loss, mine.shard.gather(one.embedding), one.unembedding, len(f[0])))
            assert one.embedding.shape[1] < f.shape[1]  # its own part only
        return found

    parts = on_ranks(ranks, gradients)
    for number, (whole, f, g, method) in enumerate(gradient_cases()):
        expected = population_gradient(whole, f, g, method=method)
        loss, by_f, by_g, _ = parts[0][number]
        torch.testing.assert_close(
            loss, expected.excess_loss, rtol=1e-3 if f.dtype == torch.float32 else 1e-9, atol=1e-12
        )
        for found, exact in ((by_f, expected.embedding), (by_g, expected.unembedding)):
            assert (found - exact).abs().max() <= (
                1e-6 if f.dtype == torch.float32 else 1e-13
            ) * exact.abs().max()
        for rank in range(1, ranks):
            assert torch.equal(parts[rank][number][2], by_g)
            assert torch.equal(parts[rank][number][0], loss)


@pytest.mark.parametrize("ranks", [2, 3])
def test_tables_are_gathered_and_dealt(ranks):
    def round_trip(team):
        whole = random_population(**CASES["many runs"])
        f, _ = random_tables(whole, 4)
        mine = part(team, whole)
        gathered = mine.shard.gather(dealt(mine, f))
        again = torch.zeros_like(dealt(mine, f))
        mine.shard.deal(gathered, again)
        return gathered, bool(torch.equal(again, dealt(mine, f)))

    whole = random_population(**CASES["many runs"])
    f, _ = random_tables(whole, 4)
    found = on_ranks(ranks, round_trip)
    assert torch.equal(found[0][0], f.where(whole.weights.unsqueeze(-1) > 0, 0.0))
    assert all(gathered is None for gathered, _ in found[1:])
    assert all(same for _, same in found)


@pytest.mark.parametrize("ranks", [2, 3])
def test_every_rank_draws_what_one_process_draws(ranks):
    def draws(team):
        found = []
        for case in CASES.values():
            mine = part(team, random_population(**case))
            contexts, tokens = mine.sample(500, generator=torch.Generator().manual_seed(3))
            first = mine.shard.cuts[:, team.rank, None]
            found.append((contexts.where(contexts < 0, contexts + first), tokens))
        return found

    parts = on_ranks(ranks, draws)
    for number, case in enumerate(CASES.values()):
        contexts, tokens = random_population(**case).sample(500, generator=torch.Generator().manual_seed(3))
        positions = torch.stack([parts[rank][number][0] for rank in range(ranks)])
        assert ((positions >= 0).sum(0) == 1).all()
        assert torch.equal(positions.amax(0), contexts)
        for rank in range(ranks):
            assert torch.equal(parts[rank][number][1], tokens)
