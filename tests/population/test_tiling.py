"""Cutting the logits into tiles: what goes in comes out, and every tile is as large as was meant."""

import itertools
import math

import pytest
import torch

from linrep.laboratory.machine import threads
from linrep.population import tiling
from linrep.population.tiling import ALIGNED, Tiling

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 3])
def cores(request):
    with threads(request.param):
        yield request.param


@pytest.mark.parametrize(
    ("runs", "contexts", "tile"), [*itertools.product((1, 2, 5), (1, 16, 243, 250), (8, 640))]
)
def test_a_table_cut_and_joined_is_itself(monkeypatch, cores, runs, contexts, tile):
    monkeypatch.setattr(tiling, "TILE", tile)
    cut = Tiling.of(runs, contexts, 8, CPU)
    table = torch.arange(runs * 3 * contexts, dtype=torch.float64).view(runs, 3, contexts)
    parts = cut.cut(table)
    assert parts.shape == (cut.tiles, runs * cut.shards, 3, cut.rows)
    assert torch.equal(cut.join(parts), table)
    assert parts.sum() == table.sum(), "padding is zero"
    assert torch.equal(cut.total(cut.repeat(table[..., :8])), cut.shards * table[..., :8])


def test_a_lone_run_has_a_shard_for_every_core_and_tiles_that_fit(cores):
    contexts, tokens = 3**9, 2**9
    cut = Tiling.of(1, contexts, tokens, CPU)
    assert cut.shards == cores
    assert cut.rows * tokens <= tiling.TILE + ALIGNED * tokens
    assert 0 <= cut.shards * cut.tiles * cut.rows - contexts < cut.shards * cut.tiles * ALIGNED
    assert cut.depth >= cores


def test_what_belongs_to_a_tile_lies_in_one_piece(cores):
    """The rows of a wide table are whole pages apart: products on such views take twice as long."""
    cut = Tiling.of(1, 3**10, 2**10, CPU)
    tile = cut.cut(torch.zeros(1, 11, 3**10))[0]
    assert tile.is_contiguous()


@pytest.mark.parametrize("runs", [1, 4, 7])
def test_the_walk_meets_every_row_of_every_run_once(monkeypatch, cores, runs):
    monkeypatch.setattr(tiling, "TILE", 64)
    cut = Tiling.of(runs, 50, 8, CPU)
    rows = cut.cut(torch.rand(runs, 2, 50))
    seen, tokens = torch.zeros_like(rows), torch.zeros(rows.shape[1], 2, 8)
    rooms = set()
    for part, into, logits in cut.walk((seen,), (tokens,)):
        part += 1
        into += 1
        assert logits.shape == (len(part), cut.rows, 8)
        rooms.add(logits.data_ptr())
    assert bool((seen == 1).all())
    assert bool((tokens == cut.tiles).all())
    assert len(rooms) == 1, "one room for all tiles"


def test_more_runs_than_fit_are_taken_in_whole_rounds_of_the_cores(cores):
    cut = Tiling.of(100, 3**7, 2**7, CPU)
    assert cut.shards == 1
    assert cut.depth % cores == 0
    assert cut.depth <= cores * math.ceil(tiling.TILE / (3**7 * 2**7))
