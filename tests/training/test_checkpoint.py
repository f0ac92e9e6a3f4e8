"""A state shared over ranks, as one file: the same bits for any number of them, no whole table on the way."""

import errno

import pytest
import torch
from safetensors.torch import load_file

from linrep.errors import FolderError
from linrep.population import sharding
from linrep.population.gradient import Population
from linrep.population.sharding import ALONE
from linrep.seeds import generator
from linrep.training import checkpoint
from linrep.training.encoder import ShardedTable, Table
from linrep.training.state import gathered, start
from linrep.training.tensor_file import TensorFile
from linrep.worlds.concepts import chain
from linrep.worlds.contexts import complete, world
from tests.support.largest import Largest
from tests.support.ranks import on_ranks

DIM = 24
CONTEXTS = (190, 243)
"""Of two runs."""
HISTORY = {"loss": torch.arange(4.0).view(2, 2)}


def fresh(team, seed, optimizer="adam", contexts=CONTEXTS):
    """A start of two runs, F laid by columns as training leaves it."""
    model = chain(5, probability_range=(0.2, 0.8), generator=generator(0, "world"))
    worlds = [world(model, codes=complete(model.sizes)[:count]) for count in contexts]
    population = Population.of(worlds, dtype=torch.float32, team=team)
    shard = population.shard
    state = start(
        population,
        DIM,
        init_scale=0.1,
        optimizer=optimizer,
        generators=[generator(seed, "start", run) for run in range(2)],
        order=generator(seed, "order"),
        encoder=Table(shard.width, DIM, init_scale=0.1)
        if team.ranks == 1
        else ShardedTable(shard, DIM, init_scale=0.1),
    )
    state.parameters = [state.parameters[0].mT.contiguous().mT]
    return state, shard


def trained(team):
    """A state in which every number says where it belongs."""
    state, shard = fresh(team, 0)
    for number in range(0, len(state.moments), 2):
        state.moments[number].copy_(state.parameters[0] * (number + 2))
        state.moments[number + 1].copy_(state.unembedding * (number + 3))
    state.step, state.diverged_at[1] = 17, 5
    return state, shard


def save(folder, team):
    state, shard = trained(team)
    checkpoint.save(None if team.rank else folder, state, shard, HISTORY, [0, 17])


def restored(folder, team):
    state, shard = fresh(team, 1)
    past, steps = checkpoint.restore(None if team.rank else folder, state, shard)
    tables = [shard.gather(each) for each in (state.parameters[0], *state.moments[::2])]
    rest = [state.unembedding, *state.moments[1::2], state.diverged_at, state.order_before]
    return tables, rest, state.step, past, steps


def real(table):
    """The rows that are contexts; padding is whatever the writer had there."""
    return [rows[:count] for rows, count in zip(table, CONTEXTS, strict=True)]


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    monkeypatch.setattr(sharding, "BLOCK", 10 * DIM)


@pytest.mark.parametrize("writers", [1, 3])
@pytest.mark.parametrize("readers", [1, 2])
def test_any_number_of_ranks_reads_the_bits_that_any_number_wrote(writers, readers, tmp_path):
    if writers == 1:
        save(tmp_path, ALONE)
    else:
        on_ranks(writers, lambda team: save(tmp_path, team))
    expected, _ = trained(ALONE)
    answers = (
        [restored(tmp_path, ALONE)]
        if readers == 1
        else on_ranks(readers, lambda team: restored(tmp_path, team))
    )
    for rank, (tables, rest, step, past, steps) in enumerate(answers):
        assert step == 17
        assert steps == ([17] if rank else [0, 17])
        exact = [expected.unembedding, *expected.moments[1::2], expected.diverged_at, expected.order_before]
        assert all(torch.equal(one, other) for one, other in zip(rest, exact, strict=True))
        if rank:
            assert tables == [None] * 3
            continue
        assert torch.equal(past["loss"], HISTORY["loss"])
        for one, other in zip(tables, (expected.parameters[0], *expected.moments[::2]), strict=True):
            for found, true in zip(real(one), real(other), strict=True):
                assert torch.equal(found, true)


def test_the_file_is_what_one_process_writes(tmp_path):
    for name in ("alone", "shared"):
        (tmp_path / name).mkdir()
    save(tmp_path / "alone", ALONE)
    on_ranks(3, lambda team: save(tmp_path / "shared", team))
    alone, shared = (load_file(tmp_path / name / checkpoint.FILE) for name in ("alone", "shared"))
    assert set(alone) == set(shared)
    for name, value in alone.items():
        assert value.shape == shared[name].shape
        assert value.dtype == shared[name].dtype
    for run, count in enumerate(CONTEXTS):
        assert torch.equal(alone["trained/0"][run, :count], shared["trained/0"][run, :count])
        assert not shared["trained/0"][run, count:].any()


def test_saving_takes_no_more_than_a_block_and_measuring_one_table(tmp_path):
    whole = 2 * CONTEXTS[1] * DIM * 4

    def body(team):
        state, shard = trained(team)
        with Largest() as saving:
            checkpoint.save(None if team.rank else tmp_path, state, shard, {}, [0])
        with Largest() as measuring:
            gathered(state, shard)
        return saving.bytes, measuring.bytes

    with Largest():
        torch.zeros(1)  # what counting loads, the ranks need not
    (saving, measuring), *others = on_ranks(3, body)
    own = 0.45 * whole  # a block is a view of a rank's own rows
    assert measuring == whole
    assert max(saving, *(each for pair in others for each in pair)) <= own


@pytest.mark.parametrize("what", ["gone", "cut off", "other contexts", "no moments"])
def test_what_does_not_fit_is_as_good_as_none(what, tmp_path):
    save(tmp_path, ALONE)
    path = tmp_path / checkpoint.FILE
    if what == "gone":
        path.unlink()
    elif what == "cut off":
        path.write_bytes(path.read_bytes()[:-1])
    elif what == "no moments":
        path.write_bytes(path.read_bytes().replace(b'"moments/3"', b'"another/3"'))

    def body(team):
        counts = (190, 242) if what == "other contexts" else CONTEXTS
        state, shard = fresh(team, 1, contexts=counts)
        before = [each.clone() for each in (*state.trained, *state.moments)]
        answer = checkpoint.restore(None if team.rank else tmp_path, state, shard)
        return answer, state.step, all(map(torch.equal, before, (*state.trained, *state.moments)))

    for answer in (body(ALONE), *on_ranks(2, body)):
        assert answer == (({}, []), 0, True)


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    save(tmp_path, ALONE)
    before = (tmp_path / checkpoint.FILE).read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TensorFile, "put", full)
    with pytest.raises(FolderError, match="free space"):
        save(tmp_path, ALONE)
    assert [each.name for each in tmp_path.iterdir()] == [checkpoint.FILE]
    assert (tmp_path / checkpoint.FILE).read_bytes() == before
