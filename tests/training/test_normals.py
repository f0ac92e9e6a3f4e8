"""A draw in pieces: the bits of the draw in one, by whole ranks too, with little of it in memory."""

import math

import pytest
import torch

from linrep.population.gradient import Population
from linrep.population.sharding import Shard, Team
from linrep.training import normals
from linrep.training.encoder import ShardedTable
from linrep.training.normals import BLOCK, PIECE, Normals
from linrep.training.state import start
from linrep.worlds.concepts import chain
from linrep.worlds.contexts import world
from tests.support.largest import Largest

SMALL = 2 * BLOCK
"""A piece small enough that tiny draws have many."""
COUNTS = [*range(1, 8 * BLOCK + 2), 999, 1000, 1024, 1039, 1040]


def drawn(count, seed=0):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def source(count, seed=0):
    return Normals(count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pieces_are_the_bits_of_one_draw(dtype, monkeypatch):
    monkeypatch.setattr(normals, "PIECE", SMALL)
    for count in COUNTS:
        out = torch.empty(count, dtype=dtype)
        source(count).fill(out, 0.1)
        assert torch.equal(out, (0.1 * drawn(count)).to(dtype)), count


def test_the_last_piece_is_never_shorter_than_a_block():
    """Pieces cut without that care are another draw: the check above can fail."""
    generator = torch.Generator().manual_seed(0)
    careless = [torch.randn(size, generator=generator, dtype=torch.float64) for size in (32, 5)]
    assert not torch.equal(torch.cat(careless), drawn(37))


def test_a_draw_longer_than_a_piece_is_the_same_too():
    count = 3 * PIECE + 5
    out = torch.empty(count, dtype=torch.float64)
    source(count).fill(out, 1.0)
    assert torch.equal(out, drawn(count))


def test_what_is_passed_over_does_not_matter(monkeypatch):
    monkeypatch.setattr(normals, "PIECE", SMALL)
    lengths = torch.Generator().manual_seed(1)
    for count in COUNTS:
        draw, at, whole = source(count), 0, drawn(count)
        while at < count:
            step = min(count - at, int(torch.randint(0, 50, (), generator=lengths)))
            if at % 2:
                draw.skip(step)
            else:
                out = torch.empty(step, dtype=torch.float64)
                draw.fill(out, 1.0)
                assert torch.equal(out, whole[at : at + step])
            at += step


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ranks", [2, 3, 5])
@pytest.mark.parametrize("dim", [1, 3, 7])
def test_every_rank_has_its_rows_of_the_one_start(ranks, dim, dtype, monkeypatch):
    """Of runs with different contexts, whose draws are all as long as the longest."""
    monkeypatch.setattr(normals, "PIECE", SMALL)
    draw = torch.Generator().manual_seed(2)
    index = [torch.randperm(3**5, generator=draw)[:count].sort().values for count in (201, 187, 243)]
    whole = torch.stack([drawn(243 * dim + 11, run)[: 243 * dim].view(243, dim) for run in range(3)])
    for rank in range(ranks):
        shard = Shard.of((2,) * 5, index, Team(rank, ranks))
        table = ShardedTable(shard, dim, init_scale=0.3)
        draws = [source(table.numbers + 11, run) for run in range(3)]
        (held,) = table.start(draws, dtype)
        assert held.shape[1] == int(shard.rows.max()) < 243
        for run, rows in enumerate(shard.own(list(whole))):
            assert torch.equal(held[run, : len(rows)], (0.3 * rows).to(dtype))
            assert not held[run, len(rows) :].any()
            # What is drawn after F goes on from there.
            after = torch.empty(11, dtype=torch.float64)
            draws[run].fill(after, 1.0)
            assert torch.equal(after, drawn(243 * dim + 11, run)[243 * dim :])


def test_no_rank_ever_makes_the_whole_start():
    """The largest tensor made is a rank's own rows, or a piece."""
    dim, contexts, ranks = 20, 3**11, 4
    model = chain(11, probability_range=(0.2, 0.8), generator=torch.Generator().manual_seed(0))
    own = math.ceil(1.1 * contexts / ranks) * dim * 4
    assert 8 * PIECE < own < contexts * dim * 4 / 3
    for rank in (0, ranks - 1):
        population = Population.of([world(model)], dtype=torch.float32, team=Team(rank, ranks))
        with Largest() as largest:
            state = start(
                population,
                dim,
                init_scale=0.1,
                optimizer="adam",
                generators=[torch.Generator().manual_seed(0)],
                order=torch.Generator(),
                encoder=ShardedTable(population.shard, dim, init_scale=0.1),
            )
        assert state.parameters[0].nbytes <= largest.bytes <= own
