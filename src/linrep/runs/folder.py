"""A Result as files, and back: JSON, Parquet and safetensors; nothing is pickled."""

import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from linrep.errors import DamagedError
from linrep.runs.formats import one_line, parquet_schema
from linrep.runs.keys import key_of
from linrep.runs.result import Result
from linrep.runs.spectrum import NAMES, STORED, Spectrum
from linrep.runs.store import (
    CONFIG,
    PROVENANCE,
    RESULT,
    SNAPSHOTS,
    TABLES,
    TRACE,
    WORLDS,
    Store,
    file_hashes,
    parse_json,
    read_bytes,
    read_intact,
    read_tensors,
)
from linrep.runs.summary import read_summary
from linrep.runs.toml import parse
from linrep.runs.trace import TRACE_COLUMNS, named_as_now
from linrep.runs.wide_looks import WideLooks
from linrep.worlds.concepts import ConceptModel, Reduction, from_tables
from linrep.worlds.contexts import World
from linrep.worlds.tokens import ravel
from linrep.worlds.truth import distinct
from linrep.worlds.words import Words

if TYPE_CHECKING:
    import pandas as pd

PARAMETER = "encoder/"


def write(store: Store, result: Result) -> Result:
    """Publish a result; returns it with its folder filled in."""
    parquet = io.BytesIO()
    result.trace.to_parquet(parquet, index=False)
    structure, tensors = _worlds_to_data(result.worlds)
    files: dict[str, Any] = {
        CONFIG: _json(result.config.model_dump(mode="json")),
        WORLDS: _json(structure),
        TABLES: {
            "embedding": result.embedding,
            "unembedding": result.unembedding,
            **{f"{PARAMETER}{name}": value for name, value in result.parameters.items()},
            **tensors,
        },
        TRACE: parquet.getvalue(),
        SNAPSHOTS: {
            "unembedding": result.snapshots,
            "steps": torch.tensor(result.snapshot_steps, dtype=torch.int64),
            **({} if result.wide is None else result.wide.as_tensors()),
            **({} if result.spectrum is None else result.spectrum.as_tensors()),
        },
        RESULT: _json(result.summary.as_dict()),
    }
    files[PROVENANCE] = _json(result.provenance | {"sha256": file_hashes(files)})
    return replace(result, folder=store.publish(result.key, files))


def read(folder: Path) -> Result:
    """A finished run from its folder.

    Raises:
        DamagedError: No run there, another than the folder is named after, or a file of it is missing or
            damaged.
    """
    held = intact(folder)
    fields, structure, source = (
        parse_json(held[name], folder / name) for name in (CONFIG, WORLDS, PROVENANCE)
    )
    summary = held[RESULT]
    tables, snapshots = read_tensors(folder / TABLES), read_tensors(folder / SNAPSHOTS)
    try:
        key = own_key(folder, fields, parse_json(summary, folder / RESULT), source)
        trace = _read_trace(folder / TRACE)
        config = parse(fields, source=str(folder / CONFIG))
        worlds = _worlds_from_data(structure, tables)
        if len(worlds) != config.runs:
            raise ValueError(f"worlds: expected one for each of {config.runs} runs, got {len(worlds)}")
        result = Result(
            key=key,
            config=config,
            worlds=worlds,
            embedding=tables["embedding"],
            unembedding=tables["unembedding"],
            parameters={
                name.removeprefix(PARAMETER): value
                for name, value in tables.items()
                if name.startswith(PARAMETER)
            },
            trace=trace,
            snapshot_steps=tuple(snapshots["steps"].tolist()),
            snapshots=snapshots["unembedding"],
            wide=WideLooks.from_tensors(snapshots),
            spectrum=Spectrum.from_tensors(snapshots),
            summary=read_summary(summary, runs=config.runs, names=worlds[0].model.names),
            provenance=source,
            folder=folder,
        )
        _require_fit(result)
    except DamagedError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError, OverflowError) as error:
        words = " ".join(str(error).split())[:200]
        raise DamagedError(f"{folder}: damaged run ({words})") from None
    return result


def is_whole(folder: Path) -> bool:
    """Whether :func:`read` can read a finished run."""
    try:
        read(folder)
    except DamagedError:
        return False
    return True


def _read_trace(path: Path) -> "pd.DataFrame":
    import pandas as pd

    parquet_schema(path)
    with one_line(path):
        trace = pd.read_parquet(path)
    if tuple(trace.columns) != TRACE_COLUMNS:
        raise ValueError(f"trace: expected the columns {', '.join(TRACE_COLUMNS)}")
    return named_as_now(trace)


class _Source(BaseModel):
    """What of a provenance is relied on."""

    data_sha256: str | None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


def own_key(folder: Path, fields: dict[str, Any], summary: dict[str, Any], provenance: dict[str, Any]) -> str:
    """The key of what a folder holds, which is the folder's name.

    Raises:
        DamagedError: The run is another.
        ValueError: The provenance says too little.
    """
    source = _Source.model_validate(provenance, strict=True)
    key = key_of(fields, source.data_sha256)
    if key != Path(os.path.abspath(folder)).name:
        raise DamagedError(f"{folder}: holds another run ({key}, as a folder of it is named)")
    if summary.get("run") != key:
        raise DamagedError(f"{folder / RESULT}: damaged, it is of another run")
    return key


def intact(folder: Path) -> dict[str, bytes]:
    """The files of a run that are no tensors, each, as the tensors, held against the hash written beside it.

    Raises:
        DamagedError: Something is missing or changed.
    """
    held = {PROVENANCE: read_bytes(folder / PROVENANCE)}
    expected = parse_json(held[PROVENANCE], folder / PROVENANCE).get("sha256")
    names = (CONFIG, WORLDS, TABLES, TRACE, SNAPSHOTS, RESULT)
    if not isinstance(expected, dict) or set(names) - set(expected):
        raise DamagedError(f"{folder / PROVENANCE}: damaged, the hashes are missing")
    for name in names:
        if name not in (TABLES, SNAPSHOTS):
            held[name] = read_intact(folder / name, expected)
        elif file_hashes({name: read_tensors(folder / name)})[name] != expected[name]:
            raise DamagedError(f"{folder / name}: damaged, its hash is not the one recorded")
    return held


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _worlds_to_data(worlds: tuple[World, ...]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Models as JSON (floats there are exact), index tensors once for every distinct content."""
    different = distinct(worlds)
    tensors: dict[str, Tensor] = {}
    entries: list[dict[str, Any]] = []
    for number, world in enumerate(different):
        entry: dict[str, Any] = {
            "names": world.model.names,
            "states": world.model.states,
            "parents": world.model.parents,
            "nests": world.model.nests,
            "tables": [table.tolist() for table in world.model.tables],
            "dropped_contexts": world.dropped_contexts,
        }
        if world.model.reduction is not None:
            entry["reduction"] = asdict(world.model.reduction)
        for field in ("codes", "weights", "tokens", "token_codes", "joint"):
            value: Tensor = getattr(world, field)
            same = tensors.get(f"world/0/{field}")
            entry[field] = 0 if same is not None and torch.equal(same, value) else number
            if entry[field] == number:
                tensors[f"world/{number}/{field}"] = value
        if world.words is not None:
            entry["words"] = world.words.names
            for field in ("word", "vector", "share"):
                tensors[f"world/{number}/words/{field}"] = getattr(world.words, field).clone()
        entries.append(entry)
    position = {id(world): number for number, world in enumerate(different)}
    return {"worlds": entries, "of_run": [position[id(world)] for world in worlds]}, tensors


class _ReductionData(BaseModel):
    """Of a model that is a part of a larger one."""

    model_config = ConfigDict(strict=True, extra="forbid")

    variables: int
    added: list[list[int]]
    merged: list[str]


class _WorldData(BaseModel):
    """A world as JSON has it: the model, and under which number the tensors lie."""

    model_config = ConfigDict(strict=True, extra="forbid")

    names: list[str]
    states: list[list[str]]
    parents: list[list[int]]
    nests: list[list[int]] = []
    reduction: _ReductionData | None = None
    tables: list[Any]
    dropped_contexts: int
    codes: int
    weights: int
    tokens: int
    token_codes: int
    joint: int
    words: list[str] | None = None
    """Names, where tokens are words."""


def _worlds_from_data(structure: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[World, ...]:
    distinct = [
        _world_from_data(_WorldData.model_validate(entry), tensors, number)
        for number, entry in enumerate(structure["worlds"])
    ]
    return tuple(distinct[number] for number in structure["of_run"])


def _world_from_data(entry: _WorldData, tensors: dict[str, Tensor], number: int) -> World:
    # Through the checks of a network: a row that sums to 1 comes out as it went in, to the bit.
    rows = [
        torch.tensor(table, dtype=torch.float64).reshape(-1, len(states))
        for table, states in zip(entry.tables, entry.states, strict=True)
    ]
    model = from_tables(
        entry.names,
        {name: table.tolist() for name, table in zip(entry.names, rows, strict=True)},
        parents={
            name: [entry.names[parent] for parent in parents]
            for name, parents in zip(entry.names, entry.parents, strict=True)
        },
        states=dict(zip(entry.names, entry.states, strict=True)),
        source=WORLDS,
    )
    nests = tuple((parent, state, child) for parent, state, child in entry.nests)
    for parent, state, child in nests:
        if not (0 <= parent < model.concepts and 0 <= child < model.concepts):
            raise ValueError("nests: expected concepts of the world")
        if not 0 <= state < model.sizes[parent]:
            raise ValueError("nests: expected a state of the parent")
    world = World(
        model=replace(model, nests=nests, reduction=_reduction(entry.reduction, model)),
        dropped_contexts=entry.dropped_contexts,
        codes=tensors[f"world/{entry.codes}/codes"],
        weights=tensors[f"world/{entry.weights}/weights"],
        tokens=tensors[f"world/{entry.tokens}/tokens"],
        token_codes=tensors[f"world/{entry.token_codes}/token_codes"],
        joint=tensors[f"world/{entry.joint}/joint"],
        words=_words(entry.words, tensors, f"world/{number}/words"),
    )
    _require_whole(world)
    return world


def _words(names: list[str] | None, tensors: dict[str, Tensor], where: str) -> Words | None:
    if names is None:
        return None
    word, vector, share = (tensors[f"{where}/{field}"] for field in ("word", "vector", "share"))
    _require_form("word", word, torch.int64, (len(word),))
    _require_form("vector", vector, torch.int64, (len(word),))
    _require_form("share", share, torch.float64, (len(word),))
    if not torch.equal(word.unique_consecutive(), torch.arange(len(names))):
        raise ValueError("words: expected meanings of every word, in order")
    if not bool((vector >= 0).all() & (share > 0).all()):
        raise ValueError("words: expected concept vectors and probabilities")
    return Words(names=tuple(names), word=word, vector=vector, share=share)


def _reduction(found: _ReductionData | None, model: ConceptModel) -> Reduction | None:
    if found is None:
        return None
    added = tuple((parent, child) for parent, child in found.added)
    if not {*added} <= {*model.edges()} or not {*found.merged} <= {*model.names}:
        raise ValueError("reduction: expected edges and concepts of the world")
    return Reduction(variables=found.variables, added=added, merged=tuple(found.merged))


def _require_whole(world: World) -> None:
    """Tensors of one world that fit each other."""
    sizes, m = world.model.sizes, world.model.concepts
    contexts, tokens = len(world.codes), len(world.tokens)
    _require_form("codes", world.codes, torch.int8, (contexts, m))
    _require_form("weights", world.weights, torch.float64, (contexts,))
    _require_form("tokens", world.tokens, torch.int64, (tokens,))
    _require_form("token_codes", world.token_codes, torch.int8, (tokens, m))
    _require_form("joint", world.joint, torch.float64, (tokens if world.sampled else math.prod(sizes),))
    _require_states("codes", world.codes, [size + 1 for size in sizes])
    if world.words is not None:
        fits = torch.equal(world.words.possible(world.joint).codes(sizes), world.token_codes)
        fits &= torch.equal(world.tokens, torch.arange(len(world.words.names)))
    else:
        _require_states("token_codes", world.token_codes, sizes)
        numbers = torch.arange(tokens) if world.sampled else ravel(world.token_codes, sizes)
        fits = torch.equal(numbers, world.tokens)
    if not contexts or not fits:
        raise ValueError("token_codes: expected those of the tokens")


def _require_states(name: str, codes: Tensor, sizes: Sequence[int]) -> None:
    if bool(((codes < 0) | (codes >= torch.tensor(sizes))).any()):
        raise ValueError(f"{name}: expected states of the concepts")


def _require_fit(result: Result) -> None:
    """Tables and worlds of one run."""
    runs, dim = result.config.runs, result.config.model.dim or 0
    contexts = max(len(world.codes) for world in result.worlds)
    tokens = max(len(world.tokens) for world in result.worlds)
    kind = getattr(torch, result.config.compute.dtype)
    _require_form("embedding", result.embedding, kind, (runs, contexts, dim))
    _require_form("unembedding", result.unembedding, kind, (runs, tokens, dim))
    kept = result.snapshots.shape[1:2]
    _require_form(
        "snapshots", result.snapshots, torch.float32, (len(result.snapshot_steps), *kept, tokens, dim)
    )
    if result.spectrum is not None:
        shape = (len(result.snapshot_steps), *kept, dim)
        for name, values in zip(NAMES, result.spectrum.as_tensors()[STORED], strict=True):
            _require_form(f"singular values of {name}", values, torch.float64, shape)
    if result.wide is not None:
        shape = (len(result.wide.steps), *kept, tokens, dim)
        _require_form("wide snapshots", result.wide.snapshots, torch.float32, shape)


def _require_form(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if tensor.dtype != dtype or tuple(tensor.shape) != shape:
        raise ValueError(f"{name}: expected {dtype} {list(shape)}, got {tensor.dtype} {list(tensor.shape)}")
