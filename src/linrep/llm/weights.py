"""Weights-only mode: one table read out of safetensors shards through their index, the rest never touched
(R6).

The tensor's name is found as the library finds it, by asking an empty copy of the model for its output or
input table (R4), never by guessing attribute names; and all that the model needs must be in the checkpoint,
though only one tensor of it is read.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from linrep.errors import InputError
from linrep.llm.accounting import Account
from linrep.llm.architecture import architecture
from linrep.llm.checkpoint import read_tensor
from linrep.llm.loading import LanguageModel, account_of, is_tied
from linrep.llm.source import Source, refuse_pickle

TableName = Literal["output", "input"]
TableSource = Literal["shards", "model", "caller"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyTable:
    """A model's table of token vectors, as stored, and which of its rows are words."""

    vectors: Float[Tensor, "vocabulary dim"]
    """In the stored precision; computations convert the rows they use."""
    usable: Bool[Tensor, " vocabulary"]
    """False for padded rows (no token has that id) and special tokens."""
    table: TableName
    """Which table was read; "input" for a model without a head, whatever was asked."""
    tensor: str
    """Its name in the checkpoint or the model."""
    tied: bool | None
    """Whether output and input table are one; None for a model without a head, and for a table alone."""
    padded: int
    special: int
    source: TableSource
    bytes_read: int
    notes: tuple[str, ...] = ()
    """What a reader should know of the checkpoint it came from."""


def read_table(source: Source, tokenizer: Any, *, table: TableName = "output") -> VocabularyTable:
    """Read just the head (or the input table) out of the checkpoint.

    Naively: `AutoModelForCausalLM.from_pretrained(name).get_output_embeddings().weight`, which loads every
    weight: 13 GB instead of 262 MB for LLaMA-2.

    Args:
        source: What :func:`linrep.llm.loading.locate` found.
        tokenizer: Says which rows are words.
        table: The output table (unembedding g) or the input table.

    Returns:
        The table in its stored precision.

    Raises:
        InputError: If the weights are pickled, any tensor of the model is not in the checkpoint, or the table
            is quantised or holds NaN.
    """
    refuse_pickle(source)
    laid_out = architecture(source)
    model = laid_out.empty()
    found = account_of(source, laid_out, model)
    head, inputs = model.get_output_embeddings(), model.get_input_embeddings()
    chosen: TableName = "input" if head is None else table
    names = _names(model, inputs), _names(model, head)
    tied = None if head is None else _tied(source, model, found, names)
    wanted, other = names if chosen == "input" else reversed(names)
    name = next((name for name in (wanted, *([other] if tied else [])) if name in found.stored), None)
    if name is None:
        how = "is put together while loading" if wanted in found.converted else "is packed"
        raise InputError(
            f"model {source.name}: {wanted} {how}, and cannot be read by itself; "
            "measure the model in full (contexts, or a model that is loaded already)"
        )
    vectors = read_tensor(source, found.stored[name])
    if not vectors.is_floating_point() or vectors.element_size() < 2:
        raise InputError(
            f"model {source.name}: tensor {name} is quantised ({vectors.dtype}); "
            "give a checkpoint whose head is not"
        )
    notes = [
        *(["the model has no head: its input table is measured"] if tied is None else []),
        *found.notes(),
    ]
    return describe(
        vectors,
        tokenizer,
        table=chosen,
        tensor=name,
        tied=tied,
        source="shards",
        model_name=source.name,
        notes=tuple(notes),
    )


def model_table(lm: LanguageModel, *, table: TableName = "output") -> VocabularyTable:
    """The same table of a model that is already loaded."""
    head, inputs = lm.model.get_output_embeddings(), lm.model.get_input_embeddings()
    tied = None if head is None else is_tied(head, inputs)
    found: TableName = "output" if head is not None and table == "output" else "input"
    weight = head.weight if head is not None and found == "output" else inputs.weight
    name = next((n for n, p in lm.model.named_parameters(remove_duplicate=False) if p is weight), found)
    if weight.device.type == "meta":
        raise InputError(f"model {lm.name}: tensor {name} is offloaded; keep it on a device in device_map")
    return describe(
        weight.detach(), lm.tokenizer, table=found, tensor=name, tied=tied, source="model", model_name=lm.name
    )


def is_table(given: Any) -> bool:
    """Whether something is a matrix and no model."""
    return len(getattr(given, "shape", ())) == 2


def given_table(given: Any, tokenizer: Any, *, table: TableName) -> VocabularyTable:
    """A table without a model: a matrix with a row for each token of a tokenizer.

    Args:
        given: NumPy, torch or a DataFrame, `[vocabulary, dim]`.
        tokenizer: A transformers tokenizer, which says which rows are words.
        table: Which table of a model it is.

    Raises:
        InputError: If it is not of floating numbers, or has fewer rows than the tokenizer has tokens.
    """
    vectors = torch.as_tensor(given.to_numpy() if hasattr(given, "to_numpy") else given).detach().cpu()
    if not vectors.is_floating_point():
        raise InputError(f"model: expected a table of floating numbers, got {vectors.dtype}; convert it")
    if len(vectors) < (tokens := len(tokenizer.get_vocab())):
        raise InputError(
            f"model: expected a row for each of the tokenizer's {tokens} tokens, got {len(vectors)} rows; "
            "give the tokenizer that belongs to the table"
        )
    return describe(
        vectors,
        tokenizer,
        table=table,
        tensor="given by the caller",
        tied=None,
        source="caller",
        model_name="given",
    )


def describe(
    vectors: Float[Tensor, "vocabulary dim"],
    tokenizer: Any,
    *,
    table: TableName,
    tensor: str,
    tied: bool | None,
    source: TableSource,
    model_name: str,
    notes: tuple[str, ...] = (),
) -> VocabularyTable:
    """A table with its rows told apart: words, special tokens, padding."""
    for rows in vectors.split(4096):
        if not bool(torch.isfinite(rows).all()):
            raise InputError(
                f"model {model_name}: tensor {tensor} holds NaN or infinite values; fetch it again"
            )
    vocabulary = len(vectors)
    usable = torch.zeros(vocabulary, dtype=torch.bool)
    usable[[i for i in tokenizer.get_vocab().values() if i < vocabulary]] = True
    padded = vocabulary - int(usable.sum())
    special = [i for i in _special_ids(tokenizer) if i < vocabulary]
    usable[special] = False
    return VocabularyTable(
        vectors=vectors,
        usable=usable,
        table=table,
        tensor=tensor,
        tied=tied,
        padded=padded,
        special=len(special),
        source=source,
        bytes_read=vectors.numel() * vectors.element_size(),
        notes=notes,
    )


def _special_ids(tokenizer: Any) -> list[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return sorted({*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)})


def _names(model: Any, module: Any) -> str:
    """The full name of a module's table."""
    return next((f"{name}.weight" for name, each in model.named_modules() if each is module), "")


def _tied(source: Source, model: Any, found: Account, names: tuple[str, str]) -> bool:
    """Whether output and input table are one: by layout and, where the checkpoint holds both, by value."""
    tie = getattr(model, "all_tied_weights_keys", None) or {}
    if names[0] != names[1] and len({tie.get(name, name) for name in names}) > 1:
        return False
    both = [found.stored[name] for name in dict.fromkeys(names) if name in found.stored]
    if len(both) < 2 or both[0].name == both[1].name:
        return True
    return torch.equal(*(read_tensor(source, each) for each in both))
