"""Nothing is measured that was not read (R24): every tensor that the model needs is held against those that
the checkpoint holds, before either is loaded.

A weight that is not in the file is made at random by the library, which says so at most in its log; here it
is an error that names it. What the file holds beyond is listed.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linrep.errors import InputError
from linrep.llm.checkpoint import StoredTensor

PACKED = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "BOOL", "I8", "U8", "I16", "I32", "I64"}
"""Storage that is no number until it is scaled."""
NOT_READ = re.compile(r"(^|\.)pooler\.")
"""After the states that are read of a headless encoder."""
WRAPPERS = (
    "_orig_mod.",
    "module.",
    "_fsdp_wrapped_module.",
    "_forward_module.",
    "base_model.model.",
    "student.",
)
SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a model needs against what its checkpoint holds, by the library's present names."""

    stored: Mapping[str, StoredTensor]
    """Tensor of the model to the tensor of the file that is laid into it."""
    converted: frozenset[str]
    """Tensors that the library puts together out of several, or turns, while loading."""
    missing: tuple[str, ...]
    """Needed, and not in the file."""
    mismatched: tuple[str, ...]
    """In the file in another shape: name, shape there, shape here."""
    packed: tuple[str, ...]
    """In the file as whole or 8-bit numbers, with nothing that says how to scale them."""
    unused: tuple[str, ...]
    """In the file, and nothing in the model takes them; by their name in the file."""

    def require_whole(self, name: str, class_name: str) -> None:
        """Raise unless every tensor of the model is in the file.

        Raises:
            InputError: Naming what lacks, and what is there instead.
        """
        if self.packed:
            raise InputError(
                f"model {name}: its checkpoint is quantised, holding {brief(self.packed)}, and config.json "
                "has no quantization_config that says how to scale it; give one that is not quantised"
            )
        if self.missing:
            verb = "it holds instead" if self.unused else "it holds nothing else"
            there = f" {brief(self.unused)}" if self.unused else ""
            raise InputError(
                f"model {name}: its checkpoint lacks {brief(self.missing)}, needed by {class_name}, which "
                f"would be filled with random numbers; {verb}{there}; {self._advice()}"
            )
        if self.mismatched:
            raise InputError(
                f"model {name}: its checkpoint holds {brief(self.mismatched)}: another model's weights or "
                "configuration; give the config.json that was saved with them"
            )

    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know: what was in the file and went nowhere."""
        if not self.unused:
            return ()
        return (f"the checkpoint holds {count(self.unused)} that nothing read: {brief(self.unused)}",)

    def _advice(self) -> str:
        for prefix in WRAPPERS:
            if sum(key.startswith(prefix) for key in self.unused) > len(self.unused) / 2:
                return (
                    f"its keys carry a wrapper's prefix {prefix!r}: save the model inside "
                    "(model.save_pretrained of the unwrapped model), or strip it from the keys"
                )
        if any(f"{name.rpartition('.')[0]}.qweight" in self.unused for name in self.missing):
            return "its head is quantised: give a checkpoint whose head is not"
        return "give the whole checkpoint, or save it again with model.save_pretrained(folder)"


def account(
    model: Any, stored: Mapping[str, StoredTensor], *, quantised: bool, headless: bool = False
) -> Account:
    """Hold what a model needs against what its checkpoint holds.

    Naively: `set(model.state_dict()) - set(stored)`, which knows nothing of tied tables, of names of the day
    the checkpoint was written, of experts kept apart, nor of a base model's prefix.

    Args:
        model: The model's modules, weights not needed.
        stored: What :func:`linrep.llm.checkpoint.stored_tensors` found.
        quantised: Whether the configuration says how packed weights are unpacked; the library does it.
        headless: Whether only states before a pooler are read.

    Returns:
        The account.
    """
    needed: dict[str, Any] = model.state_dict()
    laid, converted, unused, short = _laid(model, needed, stored)
    filled = set(laid) | converted
    for group in _tied_groups(model):
        if filled & group:
            filled |= group
    lenient = getattr(model, "_keys_to_ignore_on_load_missing", None) or ()
    tables = {f"{path}.weight" for path, module in model.named_modules() if module in _tables(model)}
    missing = [
        name
        for name in needed
        if name not in filled
        # What a class leaves out of its files is a constant that it makes again; a table never is.
        and not (name not in tables and any(re.search(each, name) for each in lenient))
        and not (headless and NOT_READ.search(name))
        and not (quantised and any(key.startswith(name.rpartition(".")[0] + ".") for key in stored))
    ]
    shapes = [
        f"{name} as {list(each.shape)} where {list(needed[name].shape)} is needed"
        for name, each in laid.items()
        if each.shape is not None and each.shape != tuple(needed[name].shape)
    ]
    packed = [
        f"{each.name} as {each.dtype}"
        for name, each in laid.items()
        if not quantised and each.dtype in PACKED and needed[name].is_floating_point()
    ]
    return Account(
        stored=laid,
        converted=frozenset(converted),
        missing=tuple(missing),
        mismatched=() if quantised else (*shapes, *short),
        packed=tuple(packed),
        unused=() if quantised else tuple(_unused(model, unused)),
    )


def _laid(
    model: Any, needed: dict[str, Any], stored: Mapping[str, StoredTensor]
) -> tuple[dict[str, StoredTensor], set[str], dict[str, str], list[str]]:
    """Where each stored tensor goes, as the library decides it: by itself, through a conversion, or nowhere
    (the name it would have here, to its name in the file); and what is put together of too little.
    """
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import (
        Concatenate,
        MergeModulelist,
        Transpose,
        WeightConverter,
        WeightRenaming,
        rename_source_key,
    )

    keeping = {Concatenate, MergeModulelist, Transpose}
    sources: dict[str, list[StoredTensor]] = {}
    steps = get_model_conversion_mapping(model)
    renamings = [step for step in steps if isinstance(step, WeightRenaming)]
    converters = [step for step in steps if isinstance(step, WeightConverter)]
    by_pattern = {pattern: step for step in converters for pattern in step.source_patterns}
    prefix = model.base_model_prefix
    laid: dict[str, StoredTensor] = {}
    converted: set[str] = set()
    unused: dict[str, str] = {}
    for key, each in stored.items():
        name, pattern = rename_source_key(key, renamings, converters, prefix, needed)
        if name not in needed and key in needed:
            name, pattern = rename_source_key(key, [], [], prefix, needed)
        if name not in needed:
            unused[name] = key
        elif pattern is None:
            laid[name] = each
        else:
            targets = by_pattern[pattern].target_patterns
            converted |= {name} | ({name.replace(targets[0], other) for other in targets} & set(needed))
            if all(type(step) in keeping for step in by_pattern[pattern].operations):
                sources.setdefault(name, []).append(each)
    return laid, converted, unused, _short(sources, needed)


def _short(sources: Mapping[str, Sequence[StoredTensor]], needed: dict[str, Any]) -> list[str]:
    """Tensors put together out of fewer numbers than they have: an expert is not there."""
    said: list[str] = []
    for name, parts in sources.items():
        if all(part.shape is not None for part in parts):
            there, here = sum(math.prod(part.shape or ()) for part in parts), needed[name].numel()
            if there < here:
                said.append(f"{there} of the {here} numbers of {name}")
    return said


def _tables(model: Any) -> list[Any]:
    return [
        each for each in (model.get_input_embeddings(), model.get_output_embeddings()) if each is not None
    ]


def _tied_groups(model: Any) -> list[set[str]]:
    """Sets of names of one and the same tensor."""
    groups: dict[str, set[str]] = {}
    for target, source in (getattr(model, "all_tied_weights_keys", None) or {}).items():
        groups.setdefault(source, {source}).add(target)
    shared: dict[int, set[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        shared.setdefault(id(parameter), set()).add(name)
    return [*groups.values(), *(group for group in shared.values() if len(group) > 1)]


def _unused(model: Any, unused: Mapping[str, str]) -> list[str]:
    """Without what every checkpoint of that class carries along for nothing (old buffers)."""
    known = {*(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ())}
    known |= {r"rotary_emb\.inv_freq", r"(^|\.)position_ids$", r"num_batches_tracked$"}
    return [key for name, key in unused.items() if not any(re.search(each, name) for each in known)]


def brief(names: Iterable[str], most: int = SHOWN) -> str:
    """Names of tensors in few words: layers counted together, the rest counted.

    Example:
        >>> brief(["a.0.weight", "a.1.weight", "lm_head.weight"])
        'a.*.weight (2 of them), lm_head.weight'
    """
    names = list(names)
    groups = Counter(re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names)
    first = {re.sub(r"(?<=\.)\d+(?=\.)", "*", name): name for name in reversed(names)}
    said = [
        first[pattern] if number == 1 else f"{pattern} ({number} of them)"
        for pattern, number in groups.items()
    ]
    more = sum(list(groups.values())[most:])
    return ", ".join(said[:most]) + (f" and {more} more" if more else "")


def count(names: tuple[str, ...]) -> str:
    """How many tensors."""
    return "a tensor" if len(names) == 1 else f"{len(names)} tensors"
