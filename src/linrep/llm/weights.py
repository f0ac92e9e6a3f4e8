"""Weights-only mode: one table read out of safetensors shards through their index, the rest never touched
(R6).

The tensor's name is found as the library finds it, by asking an empty copy of the model for its output or
input table (R4), never by guessing attribute names.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from linrep.errors import InputError
from linrep.llm.loading import LanguageModel
from linrep.llm.source import AUTO_CLASS, Source, kind_of_config, refuse_pickle

TableName = Literal["output", "input"]
STORED = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}


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
    """Whether output and input table are one; None for a model without a head."""
    padded: int
    special: int
    source: Literal["shards", "model"]
    bytes_read: int


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
        InputError: If the weights are pickled, the tensor is not in the checkpoint, is quantised, or holds
            NaN.
    """
    refuse_pickle(source)
    model = _empty_model(source)
    candidates, tied, found = _tensor_names(model, source, table)
    shards = _shards(source)
    stored = _library_names(model, shards)
    name = next((stored[name] for name in candidates if name in stored), None)
    if name is None:
        modules = tuple(name.removesuffix("weight") for name in candidates)
        packed = any(key.startswith(modules) for key in stored)
        fix = (
            "its head is quantised; load it dequantised" if packed else "load the model in full to measure it"
        )
        raise InputError(f"model {source.name}: no tensor {candidates[0]} in its checkpoint; {fix}")
    vectors = _read_tensor(source, shards[name], name)
    if not vectors.is_floating_point() or vectors.element_size() < 2:
        raise InputError(
            f"model {source.name}: tensor {name} is quantised ({vectors.dtype}); "
            "give a checkpoint whose head is not"
        )
    return describe(
        vectors, tokenizer, table=found, tensor=name, tied=tied, source="shards", model_name=source.name
    )


def model_table(lm: LanguageModel, *, table: TableName = "output") -> VocabularyTable:
    """The same table of a model that is already loaded."""
    head, inputs = lm.model.get_output_embeddings(), lm.model.get_input_embeddings()
    tied = None if head is None else bool(head.weight.data_ptr() == inputs.weight.data_ptr())
    found: TableName = "output" if head is not None and table == "output" else "input"
    weight = head.weight if head is not None and found == "output" else inputs.weight
    name = next((n for n, p in lm.model.named_parameters(remove_duplicate=False) if p is weight), found)
    if weight.device.type == "meta":
        raise InputError(f"model {lm.name}: tensor {name} is offloaded; keep it on a device in device_map")
    return describe(
        weight.detach(), lm.tokenizer, table=found, tensor=name, tied=tied, source="model", model_name=lm.name
    )


def describe(
    vectors: Float[Tensor, "vocabulary dim"],
    tokenizer: Any,
    *,
    table: TableName,
    tensor: str,
    tied: bool | None,
    source: Literal["shards", "model"],
    model_name: str,
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
    )


def _special_ids(tokenizer: Any) -> list[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return sorted({*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)})


def _empty_model(source: Source) -> Any:
    """The model's modules without their weights."""
    import transformers

    class_name = AUTO_CLASS[kind_of_config(source)]
    with torch.device("meta"):
        return getattr(transformers, class_name).from_config(
            source.config, trust_remote_code=source.options.trust_remote_code
        )


def _tensor_names(model: Any, source: Source, table: TableName) -> tuple[list[str], bool | None, TableName]:
    """Names the table may have, likeliest first (a tied table is stored once); tied or not; which table it
    is.
    """
    head, inputs = model.get_output_embeddings(), model.get_input_embeddings()
    tied = (
        None if head is None else bool(getattr(source.config.get_text_config(), "tie_word_embeddings", False))
    )
    found: TableName = "input" if head is None else table
    modules = {id(module): name for name, module in model.named_modules()}
    wanted = [inputs] if found == "input" else [head]
    if tied:
        wanted += [head] if found == "input" else [inputs]
    return [f"{modules[id(module)]}.weight" for module in wanted], tied, found


def _library_names(model: Any, shards: dict[str, str]) -> dict[str, str]:
    """The library's present name of every stored tensor: checkpoints keep the names of the day they were
    written.
    """
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming, rename_source_key

    renamings = [step for step in get_model_conversion_mapping(model) if isinstance(step, WeightRenaming)]
    prefix, state = model.base_model_prefix, model.state_dict()
    return {rename_source_key(key, renamings, [], prefix, state)[0]: key for key in shards}


def _shards(source: Source) -> dict[str, str]:
    """Tensor name to the file that holds it."""
    index = source.file("model.safetensors.index.json")
    if index is not None:
        return json.loads(index.read_text())["weight_map"]
    with _open(source, "model.safetensors") as file:
        return dict.fromkeys(
            (name for name in read_header(file)[0] if name != "__metadata__"), "model.safetensors"
        )


def _read_tensor(source: Source, shard: str, name: str) -> Tensor:
    path = None if source.folder is None else source.folder / shard
    if path is None:
        with _open(source, shard) as file:
            return read_range(file, name)
    if not path.is_file():
        raise InputError(f"model {source.name}: shard {shard} named by the index is missing; fetch it again")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(name)
    except SafetensorError as error:
        raise InputError(f"model {source.name}: {shard} cannot be read ({error}); fetch it again") from None


def _open(source: Source, filename: str) -> Any:
    """A seekable file: in the folder, in the Hub's local cache, or on the Hub itself, read by ranges."""
    if source.folder is not None:
        path = source.folder / filename
        if path.is_file():
            return path.open("rb")
        raise InputError(f"model {source.name}: no {filename} in the folder; save the weights there")
    from huggingface_hub import HfFileSystem, try_to_load_from_cache

    cached = try_to_load_from_cache(source.name, filename, revision=source.revision)
    if isinstance(cached, str):
        return Path(cached).open("rb")
    try:
        remote = HfFileSystem(token=source.options.token)
        return remote.open(f"{source.name}@{source.revision or 'main'}/{filename}", "rb", block_size=8 << 20)
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {source.name}: {filename} is neither in the local cache nor within reach; fetch it with "
            f"`hf download {source.name}`; the library said: {str(error).splitlines()[0][:120]}"
        ) from None


def read_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and where its data starts."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= 100_000_000:
        raise InputError(
            f"safetensors: expected a header, got a length of {length} bytes; fetch the file again"
        )
    return json.loads(file.read(length)), 8 + length


def read_range(file: BinaryIO, name: str) -> Tensor:
    """One tensor of a safetensors file by its byte range: what is fetched from the Hub is that tensor
    alone.
    """
    header, start = read_header(file)
    entry = header[name]
    dtype = STORED.get(entry["dtype"])
    if dtype is None:
        raise InputError(
            f"tensor {name} is stored as {entry['dtype']}, which is quantised; give one that is not"
        )
    first, last = entry["data_offsets"]
    file.seek(start + first)
    return torch.frombuffer(bytearray(file.read(last - first)), dtype=dtype).reshape(entry["shape"])
