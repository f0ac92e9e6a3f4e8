"""The key of a run: a name that follows from what was run, and from nothing else."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from linrep.runs.config import Config
from linrep.worlds.network_file import stem

LATER: dict[str, dict[str, Any]] = {
    "world": {"dependence": 1.0, "keep": None, "ancestors_of": None, "merge": None},
    "contexts": {"of": None, "frequency_ratio": 1.0},
    "model": {"start": "normal", "starts": 1},
    "training": {"until_excess": None, "until_gradient": None, "ridge": None, "stream": "shared"},
}
"""Keys that came after runs had been named, and the value at which they mean what was done before."""


def run_key(config: Config, data_hash: str | None) -> str:
    """Readable name and content hash of a resolved config and the data it read, not of the code's version.

    Args:
        config: Resolved.
        data_hash: Hash of the file it reads; stands in for the file's path, which may move.
    """
    return key_of(config.model_dump(mode="json"), data_hash)


def key_of(fields: Mapping[str, Any], data_hash: str | None) -> str:
    """The key of a config as plain data, as written: keys that came later are not filled in.

    Args:
        fields: Of a resolved config.
        data_hash: As of :func:`run_key`.

    Example:
        >>> from linrep.runs.toml import parse
        >>> config = parse({"world": {"kind": "chain", "concepts": 2}, "model": {"dim": 2}})
        >>> key_of(config.model_dump(mode="json"), None) == run_key(config, None)
        True
    """
    content = {name: value for name, value in fields.items() if name != "output"}
    for table, later in LATER.items():
        given: Mapping[str, Any] = content[table]
        content[table] = {
            name: value for name, value in given.items() if name not in later or value != later[name]
        }
    world = content["world"]
    name = stem(world["network"]) if world["kind"] == "network" else str(world["kind"])
    if data_hash is not None:
        content["world"] = {**world, "network": data_hash}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:24]
    return f"{safe}-k{content['model']['dim']}-{content['training']['optimizer']}-{digest[:12]}"
