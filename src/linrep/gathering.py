"""A state shared over processes as one: gathered to rank 0 for the ruler and the disk, dealt out again.

What has a row per context travels; all else is the same on every rank. Alone, the state is the whole already.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from linrep import checkpoint
from linrep.sharding import Shard
from linrep.state import State


def tables(state: State, shard: Shard) -> State | None:
    """The state with the embedding of all contexts and no moments, to be measured; None but on rank 0.

    Args:
        state: This rank's.
        shard: Which contexts it has.
    """
    if shard.team.ranks == 1:
        return state
    return _whole(replace(state, moments=[]), shard)


def save(
    folder: Path | None, state: State, shard: Shard, history: Mapping[str, Tensor], steps: list[int]
) -> None:
    """Write the whole as :func:`linrep.checkpoint.save` does; every rank has to ask for it.

    Args:
        folder: The run's partial folder; only rank 0 has one.
        state: This rank's, all at the same step.
        shard: Which contexts it has.
        history: Measurements so far.
        steps: Steps at which they were made.
    """
    whole = state if shard.team.ranks == 1 else _whole(state, shard)
    if whole is not None:
        assert folder is not None, "rank 0 writes"
        checkpoint.save(folder, whole, history, steps)


def restore(folder: Path | None, state: State, shard: Shard) -> tuple[dict[str, Tensor], list[int]]:
    """Bring every rank to where a checkpoint left the whole; without a usable one leave the state fresh.

    Args:
        folder: The run's partial folder; only rank 0 has one.
        state: This rank's, fresh.
        shard: Which contexts it has.

    Returns:
        Measurements so far and their steps; both empty when there is no checkpoint. Other ranks than 0 have
        no measurements, and the one step at which training stands.
    """
    team = shard.team
    whole, past, steps = state, {}, []
    if team.rank == 0:
        assert folder is not None, "rank 0 reads"
        whole = state if team.ranks == 1 else _with(state, [_blank(each, shard) for each in _rows(state)])
        past, steps = checkpoint.restore(folder, whole)
    if team.ranks == 1:
        return past, steps
    found = torch.tensor([len(steps), whole.step])
    team.told(found)
    if not found[0]:
        return {}, []
    for table, part in zip(_rows(whole), _rows(state), strict=True):
        shard.deal(None if team.rank else table, part)
    state.order_before = whole.order_before
    state.step = int(found[1])
    team.told(state.unembedding, *state.moments[1::2], state.diverged_at, state.order_before)
    return past, steps if team.rank == 0 else [state.step]


def _whole(state: State, shard: Shard) -> State | None:
    gathered = [shard.gather(each) for each in _rows(state)]
    present = [each for each in gathered if each is not None]
    return _with(state, present) if present else None


def _rows(state: State) -> list[Tensor]:
    """What has a row per context: the table, and its part of Adam's moments."""
    return [*state.parameters, *state.moments[::2]]


def _with(state: State, rows: list[Tensor]) -> State:
    """The same state with other tensors for those of :func:`_rows`."""
    moments = list(state.moments)
    moments[::2] = rows[1:]
    return replace(state, parameters=rows[:1], moments=moments)


def _blank(part: Tensor, shard: Shard) -> Tensor:
    return part.new_zeros(len(part), shard.width, part.shape[2], device="cpu")
