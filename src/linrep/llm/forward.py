"""One forward pass, with hooks that gather, and on request edit, the states of each row's last real token.

One gather, by the attention mask, is right for left, right and mixed padding; position ids come from the mask
too (R3). The hooks keep only the gathered rows, so all layers of a long batch cost no more memory than one.
"""

import inspect
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor, nn

from linrep.errors import InputError
from linrep.llm.blocks import blocks
from linrep.llm.head_law import TOLERANCE
from linrep.llm.loading import LanguageModel
from linrep.llm.source import first_line

HEAD = "head"
"""The place where the head reads: after the final norm and whatever else stands before the head."""
Edit = Callable[[Tensor], Tensor]


def last_positions(mask: Shaped[Tensor, "batch length"]) -> Int64[Tensor, " batch"]:
    """Position of each row's last real token, wherever its padding is.

    Example:
        >>> last_positions(torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]))
        tensor([1, 3, 2])
    """
    length = mask.shape[1]
    return (torch.arange(1, length + 1, device=mask.device) * (mask != 0)).argmax(1)


def position_ids(mask: Shaped[Tensor, "batch length"]) -> Int64[Tensor, "batch length"]:
    """Positions counted over real tokens only; padding gets 0.

    Example:
        >>> position_ids(torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]]))
        tensor([[0, 0, 0, 1],
                [0, 1, 2, 2]])
    """
    return ((mask != 0).long().cumsum(1) - 1).clamp(min=0)


def batch_states(
    lm: LanguageModel,
    input_ids: Int64[Tensor, "batch length"],
    mask: Int64[Tensor, "batch length"],
    *,
    layers: Sequence[int] = (),
    head_edit: Edit | None = None,
    layer_edits: dict[int, Edit] | None = None,
) -> tuple[dict[str, Tensor], Tensor | None]:
    """One forward pass: the state of every row's last real token at each place, and its logits (None without
    a head).

    Args:
        lm: The model.
        input_ids: Token ids, padded on any side.
        mask: 1 on real tokens.
        layers: Residual streams to gather: 0 is the embedding, l what block l leaves.
        head_edit: Changes the states the head reads, `[batch, dim]` to the same shape, before logits are
            taken.
        layer_edits: The same for the residual stream at a layer: that of each row's last token.

    Returns:
        Place to states `[batch, dim]`, and logits `[batch, vocabulary]`.
    """
    where = last_positions(mask)
    found: dict[str, Tensor] = {}
    model = lm.model
    with ExitStack() as hooks, torch.inference_mode():
        if lm.kind != "encoder":
            hooks.enter_context(_hook_head(model, where, found, head_edit))
        edits = layer_edits or {}
        for layer in sorted({*layers, *edits}):
            hooks.enter_context(_hook_layer(model, layer, where, found, edits.get(layer)))
        output = _run(lm, arguments(lm, input_ids, mask))
        if lm.kind == "encoder":
            weight = mask.to(output.last_hidden_state)[..., None]
            found[HEAD] = (output.last_hidden_state * weight).sum(1) / weight.sum(1)
            return found, None
        if HEAD not in found:
            raise _unread(model, "it takes its logits without calling its head")
        return found, output.logits[:, -1]


def arguments(
    lm: LanguageModel,
    input_ids: Int64[Tensor, "batch length"],
    mask: Int64[Tensor, "batch length"],
) -> dict[str, Any]:
    """What the model's forward pass takes: ids, mask, and positions counted over real tokens."""
    given: dict[str, Any] = {"input_ids": input_ids, "attention_mask": mask}
    accepted = inspect.signature(lm.model.forward).parameters
    if lm.kind == "causal" and "position_ids" in accepted:
        given["position_ids"] = position_ids(mask)
    if "use_cache" in accepted:
        given["use_cache"] = False
    return given


def require_residual(lm: LanguageModel, row: Sequence[int]) -> None:
    """Hold what the hooks read at every layer against the library's own hidden states, for one context.

    After the last block the library's are normed, and are not looked at.

    Raises:
        InputError: If they differ, or the blocks do not hold one state of each token, as wide as the head's.
    """
    ids = torch.tensor([list(row)], device=lm.device)
    mask = torch.ones_like(ids)
    depth = len(blocks(lm.model))
    found, _ = batch_states(lm, ids, mask, layers=range(depth + 1))
    widths = {place: state.shape[-1] for place, state in found.items()}
    wide = next((width for width in widths.values() if width != widths[HEAD]), None)
    if wide is not None:
        raise _unread(lm.model, f"its blocks are {wide} wide, and its head reads {widths[HEAD]}")
    with torch.inference_mode():
        own = getattr(
            _run(lm, arguments(lm, ids, mask) | {"output_hidden_states": True}), "hidden_states", None
        )
    if own is None:
        return
    if len(own) != depth + 1:
        raise _unread(lm.model, f"the library gives {len(own)} hidden states for {depth} blocks")
    # Most families list what each block is given, state spaces what each has left.
    wrong = [
        [layer for layer in range(depth) if not _alike(found[str(layer + after)], own[layer][:, -1])]
        for after in (0, 1)
    ]
    if all(wrong):
        raise _unread(lm.model, f"what block {wrong[0][0]} is given is not the library's hidden state")


def padding_is_seen(lm: LanguageModel, short: Sequence[int], long: Sequence[int]) -> bool:
    """Whether states of a short and a long row change when they are read side by side, the short one padded.

    They do where every token of a prompt sees every other, and the mask is asked only if something is padded.
    """
    pad_id, length = lm.tokenizer.pad_token_id or 0, len(long)
    rows = [[*short, *[pad_id] * (length - len(short))], list(long)]
    ids = torch.tensor(rows, device=lm.device)
    mask = (torch.arange(length) < torch.tensor([[len(short)], [length]])).long().to(lm.device)
    together = batch_states(lm, ids, mask)[0][HEAD]
    for row, state in zip((short, long), together, strict=True):
        own = torch.tensor([list(row)], device=lm.device)
        if not _alike(state, batch_states(lm, own, torch.ones_like(own))[0][HEAD][0]):
            return True
    return False


def _alike(first: Tensor, second: Tensor) -> bool:
    near = TOLERANCE.get(first.dtype, 5e-2)
    size = max(1.0, float(first.abs().max()))
    return first.shape == second.shape and float((first - second).abs().max()) <= near * size


def _run(lm: LanguageModel, given: dict[str, Any]) -> Any:
    """The model's forward pass; a model that cannot be run on text alone is one line."""
    try:
        return lm.model(**given)
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        AssertionError,
        RuntimeError,
    ) as error:
        if out_of_memory(error):
            raise
        raise InputError(
            f"model {lm.name}: cannot be run on text alone; the library said: {first_line(error)}"
        ) from None


def out_of_memory(error: BaseException) -> bool:
    """Whether a library ran out of memory, however it says so."""
    text = str(error)
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in text
        or "allocate memory" in text
    )


@contextmanager
def _hook_head(model: Any, where: Tensor, found: dict[str, Tensor], edit: Edit | None) -> Generator[None]:
    """Gather what the head reads, and let it read only that: logits are then [batch, 1, vocabulary]."""

    def gather(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        state = _at(_states(inputs, where, model), where)
        found[HEAD] = state
        return (edit(state)[:, None] if edit else state[:, None], *inputs[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _hook_layer(
    model: Any, layer: int, where: Tensor, found: dict[str, Tensor], edit: Edit | None
) -> Generator[None]:
    stack = blocks(model)
    if not 0 <= layer <= len(stack):
        raise InputError(f"layer: expected 0..{len(stack)}, got {layer}")

    def changed(hidden: Any) -> Any:
        states = _states(hidden, where, model)
        state = _at(states, where)
        found[str(layer)] = state
        if edit is None:
            return hidden
        states = states.clone()
        states[torch.arange(len(states), device=states.device), where.to(states.device)] = edit(state)
        return states if isinstance(hidden, Tensor) else type(hidden)([states, *hidden[1:]])

    def before(
        _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if inputs:
            return changed(inputs), named
        if "hidden_states" not in named:
            raise _unread(model, f"its blocks are given {', '.join(named)}")
        return inputs, {**named, "hidden_states": changed(named["hidden_states"])}

    def after(_: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Any:
        return changed(output)

    handle = (
        stack[0].register_forward_pre_hook(before, with_kwargs=True)
        if layer == 0
        else stack[layer - 1].register_forward_hook(after)
    )
    try:
        yield
    finally:
        handle.remove()


def _states(hidden: Any, where: Tensor, model: Any) -> Tensor:
    """The states [batch, length, dim] in what a module takes or gives: a tensor, or the first of several."""
    states = hidden[0] if isinstance(hidden, (tuple, list)) and hidden else hidden
    if not isinstance(states, Tensor):
        raise _unread(model, f"a block gives a {type(states).__name__}")
    if states.dim() != 3 or len(states) != len(where):
        raise _unread(
            model, f"a block or the head works on {list(states.shape)}, which is not [batch, position, dim]"
        )
    return states


def _unread(model: Any, why: str) -> InputError:
    return InputError(
        f"model {type(model).__name__}: no single state of a token is defined in it: {why}; leave layer unset"
    )


def _at(hidden: Tensor, where: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), where.to(hidden.device)]
