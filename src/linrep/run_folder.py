"""A Result as files, and back: JSON, Parquet and safetensors; nothing is pickled."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linrep.concepts import ConceptModel
from linrep.config_file import parse
from linrep.contexts import World
from linrep.errors import InputError
from linrep.laboratory import set_of
from linrep.result import Result
from linrep.store import (
    CONFIG,
    PROVENANCE,
    RESULT,
    SNAPSHOTS,
    TABLES,
    TRACE,
    WORLDS,
    Store,
    file_hashes,
    read_intact,
    read_json,
    read_tensors,
)

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
        },
        RESULT: _json(result.summary),
    }
    files[PROVENANCE] = _json(result.provenance | {"sha256": file_hashes(files)})
    return replace(result, folder=store.publish(result.key, files))


def read(folder: Path) -> Result:
    """A finished run from its folder.

    Raises:
        InputError: No run there, or a file of it is missing or damaged.
    """
    import pandas as pd

    _require_intact(folder)
    config = parse(read_json(folder / CONFIG), source=str(folder / CONFIG))
    structure, summary, source = (read_json(folder / name) for name in (WORLDS, RESULT, PROVENANCE))
    tables, snapshots = read_tensors(folder / TABLES), read_tensors(folder / SNAPSHOTS)
    try:
        trace = pd.read_parquet(folder / TRACE)
        return Result(
            key=folder.name,
            config=config,
            worlds=_worlds_from_data(structure, tables),
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
            summary=summary,
            provenance=source,
            folder=folder,
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{folder}: damaged run ({error!r}); run it again with --force") from None


def _require_intact(folder: Path) -> None:
    """Compare what lies there with the hashes written beside it."""
    expected = read_json(folder / PROVENANCE).get("sha256")
    names = (CONFIG, WORLDS, TABLES, TRACE, SNAPSHOTS, RESULT)
    if not isinstance(expected, dict) or set(names) - set(expected):
        raise InputError(f"{folder / PROVENANCE}: damaged, the hashes are missing; run again with --force")
    for name in names:
        if name not in (TABLES, SNAPSHOTS):
            read_intact(folder / name, expected)
        elif file_hashes({name: read_tensors(folder / name)})[name] != expected[name]:
            raise InputError(
                f"{folder / name}: damaged, its hash is not the one recorded; run again with --force"
            )


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _worlds_to_data(worlds: tuple[World, ...]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Models as JSON (floats there are exact), index tensors once for every distinct content."""
    distinct = set_of(worlds)
    tensors: dict[str, Tensor] = {}
    entries: list[dict[str, Any]] = []
    for number, world in enumerate(distinct):
        entry: dict[str, Any] = {
            "names": world.model.names,
            "states": world.model.states,
            "parents": world.model.parents,
            "tables": [table.tolist() for table in world.model.tables],
            "dropped_contexts": world.dropped_contexts,
        }
        for field in ("codes", "weights", "tokens", "token_codes", "joint"):
            value: Tensor = getattr(world, field)
            same = tensors.get(f"world/0/{field}")
            entry[field] = 0 if same is not None and torch.equal(same, value) else number
            if entry[field] == number:
                tensors[f"world/{number}/{field}"] = value
        entries.append(entry)
    position = {id(world): number for number, world in enumerate(distinct)}
    return {"worlds": entries, "of_run": [position[id(world)] for world in worlds]}, tensors


def _worlds_from_data(structure: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[World, ...]:
    distinct = [_world_from_data(entry, tensors) for entry in structure["worlds"]]
    return tuple(distinct[number] for number in structure["of_run"])


def _world_from_data(entry: dict[str, Any], tensors: dict[str, Tensor]) -> World:
    model = ConceptModel(
        names=tuple(entry["names"]),
        states=tuple(tuple(states) for states in entry["states"]),
        parents=tuple(tuple(parents) for parents in entry["parents"]),
        tables=tuple(torch.tensor(table, dtype=torch.float64) for table in entry["tables"]),
    )
    fields = {
        field: tensors[f"world/{entry[field]}/{field}"]
        for field in ("codes", "weights", "tokens", "token_codes", "joint")
    }
    return World(model=model, dropped_contexts=entry["dropped_contexts"], **fields)
