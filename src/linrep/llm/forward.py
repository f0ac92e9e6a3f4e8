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
from linrep.llm.loading import LanguageModel

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


def blocks(model: Any) -> nn.ModuleList:
    """The model's stack of layers: its longest list of modules, one for each of the configuration's
    layers.
    """
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    wanted = getattr(config, "num_hidden_layers", None)
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == wanted]
    if not lists:
        raise InputError(
            f"layer: no stack of {wanted} layers found in {type(model).__name__}; leave layer unset"
        )
    return lists[0]


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
    arguments: dict[str, Any] = {"input_ids": input_ids, "attention_mask": mask}
    accepted = inspect.signature(model.forward).parameters
    if lm.kind == "causal" and "position_ids" in accepted:
        arguments["position_ids"] = position_ids(mask)
    if "use_cache" in accepted:
        arguments["use_cache"] = False
    with ExitStack() as hooks, torch.inference_mode():
        if lm.kind != "encoder":
            hooks.enter_context(_hook_head(model, where, found, head_edit))
        edits = layer_edits or {}
        for layer in sorted({*layers, *edits}):
            hooks.enter_context(_hook_layer(model, layer, where, found, edits.get(layer)))
        output = model(**arguments)
        if lm.kind == "encoder":
            weight = mask.to(output.last_hidden_state)[..., None]
            found[HEAD] = (output.last_hidden_state * weight).sum(1) / weight.sum(1)
            return found, None
        return found, output.logits[:, -1]


@contextmanager
def _hook_head(model: Any, where: Tensor, found: dict[str, Tensor], edit: Edit | None) -> Generator[None]:
    """Gather what the head reads, and let it read only that: logits are then [batch, 1, vocabulary]."""

    def gather(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = inputs[0]
        state = _at(hidden, where)
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

    def changed(hidden: Tensor) -> Tensor:
        state = _at(hidden, where)
        found[str(layer)] = state
        if edit is None:
            return hidden
        hidden = hidden.clone()
        hidden[torch.arange(len(hidden), device=hidden.device), where.to(hidden.device)] = edit(state)
        return hidden

    def before(
        _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if inputs:
            return (changed(inputs[0]), *inputs[1:]), named
        return inputs, {**named, "hidden_states": changed(named["hidden_states"])}

    def after(_: nn.Module, _inputs: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (changed(output[0]), *output[1:])
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


def _at(hidden: Tensor, where: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), where.to(hidden.device)]
