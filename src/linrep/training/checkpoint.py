"""A training state as one file: written in one rename, read back bit-equal, by any number of ranks.

What has a row per context passes through rank 0 a block at a time, to the file and from it; all else is the
same on every rank. Rank 0 never has more of a table than its own rows and a block.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from linrep.files import one_line_errors, replacing
from linrep.population.sharding import Shard
from linrep.training.rising import KEPT
from linrep.training.state import State
from linrep.training.tensor_file import Layout, TensorFile

FILE = "checkpoint.safetensors"
HISTORY = "history/"
NOT_ALWAYS = frozenset(f"adaptive/{name}" for name in KEPT)
"""Counts that checkpoints of before do not have: they begin where those end."""


def save(
    folder: Path | None, state: State, shard: Shard, history: Mapping[str, Tensor], steps: list[int]
) -> None:
    """Write the state and everything measured so far; every rank has to ask for it.

    Args:
        folder: The run's partial folder; only rank 0 has one.
        state: This rank's, at any step, the same on all.
        shard: Which contexts it has.
        history: Measurements so far, by name.
        steps: Steps at which they were made.
    """
    shared = _shared(state, shard)
    if folder is None:
        for table in shared.values():
            shard.send(table)
        return
    tensors = {f"{HISTORY}{name}": value for name, value in history.items()}
    tensors |= _in_place(state) | {"order": state.order_before}
    metadata = {"step": str(state.step), "steps": json.dumps(steps)}
    with one_line_errors(folder), replacing(folder / FILE) as temporary, open(temporary, "wb") as file:
        written = TensorFile(file, _layout(tensors, state, shard), metadata)
        for name, value in tensors.items():
            if name not in shared:
                written.put(name, value)
        for name, table in shared.items():
            for run, first, block in shard.blocks(table):
                written.put(name, block, (run * shard.width + first) * table.shape[2])


def restore(folder: Path | None, state: State, shard: Shard) -> tuple[dict[str, Tensor], list[int]]:
    """Bring every rank to where a checkpoint left the whole; without a usable one leave the state fresh.

    A file that cannot be read, or does not fit the state, is as good as none: training starts again.

    Args:
        folder: The run's partial folder; only rank 0 has one.
        state: This rank's, fresh.
        shard: Which contexts it has.

    Returns:
        Measurements so far and their steps; both empty when there is no checkpoint. Other ranks than 0 have
        no measurements, and the one step at which training stands.
    """
    saved = None if folder is None else _saved(folder / FILE, state, shard)
    found = torch.tensor([saved is not None, 0 if saved is None else saved.step])
    shard.team.told(found)
    if not found[0]:
        return {}, []
    shared = _shared(state, shard)
    for name, target in _in_place(state).items():
        if saved is not None and name in saved.absent:
            continue
        if name in shared:
            shard.deal(None if saved is None else saved.file.get_slice(name), target)
        elif saved is not None:
            target.copy_(saved.file.get_tensor(name))
    if saved is not None:
        state.order_before = saved.file.get_tensor("order").to(torch.uint8)
    state.step = int(found[1])
    same = [target for name, target in _in_place(state).items() if name not in shared]
    shard.team.told(*same, state.order_before)
    return ({}, [state.step]) if saved is None else (saved.history, saved.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    """A checkpoint that fits; its tables are yet to be read."""

    file: safe_open
    step: int
    history: dict[str, Tensor]
    steps: list[int]
    absent: frozenset[str]
    """What it could have and has not."""


def _saved(path: Path, state: State, shard: Shard) -> _Saved | None:
    if not path.exists():
        return None
    try:
        file = safe_open(path, framework="pt")
        metadata = file.metadata()
        step, steps = int(metadata["step"]), [int(each) for each in json.loads(metadata["steps"])]
        inside: list[str] = list(file.keys())
        absent = NOT_ALWAYS.difference(inside)
        layout = _layout(_in_place(state), state, shard)
        expected = {name: shape for name, (_, shape) in layout.items() if name not in absent}
        if any(tuple(file.get_slice(name).get_shape()) != shape for name, shape in expected.items()):
            return None
        file.get_slice("order")
        names = [name for name in inside if name.startswith(HISTORY)]
        history = {name.removeprefix(HISTORY): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    return _Saved(file=file, step=step, history=history, steps=steps, absent=absent)


def _in_place(state: State) -> dict[str, Tensor]:
    """The tensors that training changes where they lie, by name."""
    return {
        **{f"trained/{number}": value for number, value in enumerate(state.trained)},
        **{f"moments/{number}": value for number, value in enumerate(state.moments)},
        **{f"adaptive/{name}": value for name, value in state.adaptive.items()},
        "diverged_at": state.diverged_at,
    }


def _shared(state: State, shard: Shard) -> dict[str, Tensor]:
    """What each rank has a part of: the embedding, and its part of Adam's moments; alone, nothing."""
    if shard.team.ranks == 1:
        return {}
    moments = {f"moments/{number}": state.moments[number] for number in range(0, len(state.moments), 2)}
    return {"trained/0": state.parameters[0]} | moments


def _layout(tensors: Mapping[str, Tensor], state: State, shard: Shard) -> Layout:
    """What a file has by these names: of shared tables the whole."""
    shared = _shared(state, shard)

    def shape(name: str, value: Tensor) -> tuple[int, ...]:
        return (len(value), shard.width, value.shape[2]) if name in shared else tuple(value.shape)

    return {name: (value.dtype, shape(name, value)) for name, value in tensors.items()}
