"""A training state as one file: written in one rename, read back bit-equal."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from linrep.state import State
from linrep.store import one_line_errors

FILE = "checkpoint.safetensors"


def save(folder: Path, state: State, history: Mapping[str, Tensor], steps: list[int]) -> None:
    """Write the state and everything measured so far.

    Args:
        folder: The run's partial folder.
        state: At any step.
        history: Measurements so far, by name.
        steps: Steps at which they were made.
    """
    tensors = {f"history/{name}": value for name, value in history.items()}
    tensors |= _in_place(state) | {"order": state.order_before}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    temporary = folder / f"{FILE}.tmp"
    with one_line_errors(folder):
        save_file(tensors, temporary, metadata={"step": str(state.step), "steps": json.dumps(steps)})
        temporary.replace(folder / FILE)


def restore(folder: Path, state: State) -> tuple[dict[str, Tensor], list[int]]:
    """Bring a fresh state to where the checkpoint left it; with no usable checkpoint leave it fresh.

    A file that cannot be read, or does not fit the state, is as good as none: training starts again.

    Returns:
        The measurements so far and their steps; both empty when there is no checkpoint.
    """
    path = folder / FILE
    if not path.exists():
        return {}, []
    try:
        with safe_open(path, framework="pt") as handle:
            metadata = handle.metadata()
            tensors: dict[str, Tensor] = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        step, steps = int(metadata["step"]), [int(each) for each in json.loads(metadata["steps"])]
        targets = _in_place(state)
        if any(tensors[name].shape != target.shape for name, target in targets.items()):
            return {}, []
        order = tensors["order"]
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return {}, []
    for name, target in targets.items():
        target.copy_(tensors[name])
    state.order_before = order.to(torch.uint8)
    state.step = step
    history = {
        name.removeprefix("history/"): value for name, value in tensors.items() if name.startswith("history/")
    }
    return history, steps


def _in_place(state: State) -> dict[str, Tensor]:
    """The tensors that training changes where they lie, by name."""
    return {
        **{f"trained/{number}": value for number, value in enumerate(state.trained)},
        **{f"moments/{number}": value for number, value in enumerate(state.moments)},
        "diverged_at": state.diverged_at,
    }
