"""What a checkpoint holds: names, shapes and files of its tensors, from the heads of its safetensors files,
and one tensor read by itself (R6).
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.llm.source import INDEX, SINGLE, Source, first_line

STORED = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor of a checkpoint, not yet read."""

    name: str
    shard: str
    shape: tuple[int, ...] | None
    """None where the shard's head was not looked at."""
    dtype: str | None
    """As safetensors writes it: F32, BF16, F8_E4M3, …"""


def stored_tensors(source: Source) -> dict[str, StoredTensor]:
    """Every tensor of a checkpoint, by name.

    A single file goes before an index, as the library has it. Heads of shards that are at hand are read; of
    shards that are still on the Hub the index alone.

    Args:
        source: What :func:`linrep.llm.source.locate` found.

    Returns:
        Name to what is stored under it.

    Raises:
        InputError: If the index or a head cannot be read.
    """
    index = None if source.at_hand(SINGLE) is not None else source.file(INDEX)
    if index is None:
        with open_file(source, SINGLE) as file:
            return _from_head(source, SINGLE, file)
    shard_of = _weight_map(source, index)
    found = {
        name: StoredTensor(name=name, shard=shard, shape=None, dtype=None) for name, shard in shard_of.items()
    }
    for shard in sorted(set(shard_of.values())):
        path = source.at_hand(shard)
        if path is None:
            continue
        with path.open("rb") as file:
            held = _from_head(source, shard, file)
        # What the index promises of a file that lies here, the file must hold.
        found = {name: each for name, each in found.items() if each.shard != shard or name in held} | held
    return found


def _weight_map(source: Source, index: Path) -> dict[str, str]:
    """Tensor to shard, by the index; an InputError unless it names files beside it."""
    try:
        shard_of = json.loads(index.read_text())["weight_map"]
        sound = bool(shard_of) and all(
            isinstance(shard, str) and PurePosixPath(shard).name == shard for shard in shard_of.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        sound, shard_of = False, {}
    if not sound:
        raise InputError(f"model {source.name}: {INDEX} is damaged; fetch it again")
    return shard_of


def read_tensor(source: Source, stored: StoredTensor) -> Tensor:
    """One tensor, as stored.

    Raises:
        InputError: If its file is missing or cut short, or its numbers are not floating.
    """
    path = None if source.folder is None else source.folder / stored.shard
    if path is None:
        with open_file(source, stored.shard) as file:
            return read_range(file, stored.name)
    if not path.is_file():
        raise InputError(
            f"model {source.name}: shard {stored.shard} named by the index is missing; fetch it again"
        )
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(stored.name)
    except SafetensorError as error:
        raise InputError(
            f"model {source.name}: {stored.shard} cannot be read ({error}); fetch it again"
        ) from None


def open_file(source: Source, filename: str) -> Any:
    """A seekable file: in the folder, in the Hub's local cache, or on the Hub itself, read by ranges."""
    if source.folder is not None:
        path = source.folder / filename
        if path.is_file():
            return path.open("rb")
        raise InputError(f"model {source.name}: no {filename} in the folder; save the weights there")
    path = source.at_hand(filename)
    if path is not None:
        return path.open("rb")
    from huggingface_hub import HfFileSystem

    try:
        remote = HfFileSystem(token=source.options.token)
        return remote.open(f"{source.name}@{source.revision or 'main'}/{filename}", "rb", block_size=8 << 20)
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {source.name}: {filename} is neither in the local cache nor within reach; fetch it with "
            f"`hf download {source.name}`; the library said: {first_line(error)[:120]}"
        ) from None


def read_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and where its data starts."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= 100_000_000:
        raise InputError(
            f"safetensors: expected a header, got a length of {length} bytes; fetch the file again"
        )
    header = None
    with suppress(ValueError):
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise InputError("safetensors: expected a header, got other bytes; fetch the file again")
    return header, 8 + length


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


def _from_head(source: Source, shard: str, file: BinaryIO) -> dict[str, StoredTensor]:
    try:
        header, start = read_header(file)
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        found = {
            name: StoredTensor(name=name, shard=shard, shape=tuple(entry["shape"]), dtype=str(entry["dtype"]))
            for name, entry in entries.items()
        }
        whole = start + max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (InputError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"model {source.name}: the folder cannot be loaded: {shard} has a damaged head "
            f"({first_line(error)[:80]}); fetch it again"
        ) from None
    if (there := file.seek(0, SEEK_END)) < whole:
        raise InputError(
            f"model {source.name}: {shard} is cut short, {there} of the {whole} bytes its head tells of; "
            "fetch it again"
        )
    return found
