"""What a user gives in place of a config: keywords, and worlds in memory, written out as a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError, shown
from linrep.runs.config import Config
from linrep.runs.toml import is_sweep, parse, read_toml, with_network_beside
from linrep.worlds import contexts as context_sets
from linrep.worlds.codes import labels
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.network import load_network
from linrep.worlds.network_file import network_path
from linrep.worlds.tokens import unravel
from linrep.worlds.truth import World
from linrep.worlds.words import Words


def checked(config: Any = None, *, world: Any = None, dim: int | None = None, **tables: Any) -> Config:
    """A config out of one and what is said by keyword, which wins.

    Args:
        config: A checked one, plain data, the path of a TOML file, or None.
        world: In its place: in memory, by name, by path, or plain data.
        dim: In place of ``model.dim``.
        **tables: Other parts of a config; a table is laid over the one of the config, key by key.

    Raises:
        InputError: What cannot be used, in one line.

    Example:
        >>> checked({"world": {"kind": "chain", "concepts": 3}, "runs": 9}, dim=4, runs=2).model.dim
        4
    """
    fields = fields_of(config, world=world is None and "world" not in tables)
    if world is not None:
        fields |= world_fields(world)
    if dim is not None:
        tables["model"] = {**_table("model", tables.get("model", {})), "dim": dim}
    for name, value in tables.items():
        before = fields.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            # Of a table with kinds another kind has other keys: it takes the place of the one before.
            other = "kind" in value and value["kind"] != before.get("kind")
            fields[name] = {**({} if other else before), **value}
        else:
            fields[name] = value
    if "world" not in fields:
        raise InputError(
            'world: missing; give one, such as linrep.run(world="asia") or world=linrep.load_network("asia")'
        )
    return parse(fields)


def fields_of(config: Any, *, world: bool = True) -> dict[str, Any]:
    """A config as plain data that may be changed.

    Args:
        config: As :func:`checked` takes it.
        world: Whether its world is wanted: a file that it names is then looked for.

    Raises:
        InputError: No config.
    """
    if config is None:
        return {}
    if isinstance(config, Config):
        return config.model_dump(mode="json")
    if isinstance(config, Mapping):
        fields = dict(config)
        return fields | world_fields(fields["world"]) if "world" in fields else fields
    if isinstance(config, ConceptModel | World):
        raise InputError("config: expected a config, got a world; give it by name: linrep.run(world=…)")
    if not isinstance(config, str | Path):
        raise InputError(f"config: expected plain data or the path of a TOML file, got {shown(config)}")
    path = Path(config)
    fields = read_toml(path, missing="`linrep init` writes a config, or give a world: linrep.run(world=…)")
    if is_sweep(fields):
        raise InputError(f"{path}: expected the config of a run, got a sweep; `linrep sweep {path}` runs it")
    return with_network_beside(fields, path) if world else fields


def is_config(given: Any) -> TypeGuard[Config | Mapping[str, Any] | str | Path]:
    """Whether what is given is a config rather than a world.

    Example:
        >>> is_config("asia"), is_config("my.toml"), is_config({"world": {"kind": "chain"}})
        (False, True, True)
    """
    if isinstance(given, str | Path):
        return Path(given).suffix == ".toml"
    return isinstance(given, Config) or (isinstance(given, Mapping) and "world" in given)


def world_of(given: Any) -> World:
    """A world in memory: as it is, or with all contexts of a concept model, a network or plain data.

    Raises:
        InputError: What is no world.
    """
    if isinstance(given, World):
        return given
    if isinstance(given, ConceptModel):
        return context_sets.world(given)
    if isinstance(given, str | Path):
        return context_sets.world(load_network(str(given)))
    if isinstance(given, Mapping):
        from linrep.laboratory.build import worlds

        return worlds(parse({"world": given, "runs": 1}))[0]
    raise InputError(f"world: expected a concept model, a world, a name or a path, got {shown(given)}")


def world_fields(given: Any) -> dict[str, Any]:
    """The sections of a config that make a world.

    A concept model, and a world in memory, are written out as tables of a config: their content is then part
    of a run's key, and its folder holds all that it takes to make them again.

    Args:
        given: In memory, the name of a network or a path, or plain data, which is left as it is.

    Returns:
        ``world``; and ``contexts`` and ``tokens`` where a world in memory has not all of them.

    Raises:
        InputError: No world, or one that a config cannot hold.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> world_fields(independent(1, probabilities=[0.25], generator=None))["world"]["variables"]
        [{'name': 'C1', 'states': ['0', '1'], 'parents': [], 'table': [[0.75, 0.25]]}]
    """
    if isinstance(given, ConceptModel):
        return {"world": _tables(given)}
    if isinstance(given, World):
        if given.sampled:
            raise InputError(
                "world: a config holds no sampled one, got one in memory; ask for it by "
                'world={"kind": "sparse", "concepts": 200}'
            )
        return {"world": _tables(given.model), **_parts(given)}
    if isinstance(given, str | Path):
        network_path(str(given))
        return {"world": {"kind": "network", "network": str(given)}}
    if isinstance(given, Mapping):
        return {"world": given}
    raise InputError(
        f"world: expected a concept model, a world, the name of a network, a .bif file or a table, got "
        f"{shown(given)}"
    )


def _tables(model: ConceptModel) -> dict[str, Any]:
    if model.nests:
        raise InputError(
            "world: a config can hold no nested concepts in tables, got some; write them as a .bif file with "
            "linrep.write_bif and give its path, or ask for kind 'categorical'"
        )
    return {
        "kind": "tables",
        "variables": [
            {
                "name": name,
                "states": list(states),
                "parents": [model.names[parent] for parent in parents],
                "table": table.reshape(-1, len(states)).tolist(),
            }
            for name, states, parents, table in zip(
                model.names, model.states, model.parents, model.tables, strict=True
            )
        ],
    }


def _parts(given: World) -> dict[str, Any]:
    """Contexts and tokens of a world, where they are not all."""
    if bool(given.held_out.any()):
        raise InputError(
            "world: holds contexts out of training, which a config draws by itself; give the world without, "
            'and contexts={"held_out": 0.2}'
        )
    found: dict[str, Any] = {}
    whole = context_sets.world(given.model)
    tokens = given.words
    if given.words is not None:
        found["tokens"] = {"kind": "words", "said": _said(given, given.words)}
    elif not torch.equal(whole.tokens, given.tokens):
        tokens = given.tokens
        found["tokens"] = {"kind": "list", "tokens": _texts(given.model, given.token_codes)}
    known = (given.codes < torch.tensor(given.model.sizes)).sum(1)
    low, high = int(known.min()), int(known.max())
    span = context_sets.known(given.model.sizes, at_least=low, at_most=high)
    contexts: dict[str, Any] = {"kind": "known", "at_least": low, "at_most": high}
    if torch.equal(context_sets.world(given.model, tokens=tokens).codes, given.codes):
        contexts = {"kind": "complete"}
    elif not torch.equal(context_sets.world(given.model, codes=span, tokens=tokens).codes, given.codes):
        contexts = {"kind": "list", "contexts": _texts(given.model, given.codes)}
    return found | {"contexts": contexts | {"weights": _weighting(given)}}


def _said(given: World, words: Words) -> dict[str, dict[str, float]]:
    """What a config says of words, by concept vector."""
    vectors = words.vector.unique()
    texts = dict(zip(vectors.tolist(), _texts(given.model, unravel(vectors, given.model.sizes)), strict=True))
    found: dict[str, dict[str, float]] = {text: {} for text in texts.values()}
    meanings = zip(words.word.tolist(), words.vector.tolist(), words.share.tolist(), strict=True)
    for word, vector, share in meanings:
        found[texts[vector]][words.names[word]] = share
    return found


def _weighting(given: World) -> str:
    for weighting in ("uniform", "occurrence"):
        tokens = given.tokens if given.words is None else given.words
        again = context_sets.world(given.model, codes=given.codes, tokens=tokens, weighting=weighting)
        if _close(again.weights, given.weights):
            return weighting
    raise InputError(
        "world: weights of contexts are uniform, or by occurrence, got others; make it with linrep.world(…)"
    )


def _close(a: Float64[Tensor, " contexts"], b: Float64[Tensor, " contexts"]) -> bool:
    return torch.allclose(a, b, rtol=1e-12, atol=0)


def _texts(model: ConceptModel, codes: Tensor) -> list[str]:
    """A digit for each concept, "?" where it is unknown; in words where ten digits are too few."""
    if max(model.sizes) > 10:
        return list(labels(model, codes))
    digits = ["0123456789"[:size] + "?" for size in model.sizes]
    return ["".join(own[digit] for own, digit in zip(digits, row, strict=True)) for row in codes.tolist()]


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{name}: expected a table, got {shown(value)}")
    return value
