"""What was measured of each checkpoint, kept whole under a key of its content: never measured twice.

A key is a hash of all that decides the numbers: the checkpoint's files or commit, the words and sentences,
the options and the seed. A file is written whole or not at all, so whoever is killed loses the checkpoint
under way.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

import linrep
from linrep.files import one_line_errors, write_file
from linrep.llm.history.laboratory import TableHistory
from linrep.llm.result import LMResult
from linrep.runs.row import Row

log = logging.getLogger("linrep.llm")
FOLDER = "checkpoints"
"""Of the output folder."""


class Kept(BaseModel):
    """One checkpoint measured."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    key: str
    rows: tuple[Row, ...]
    summary: dict[str, Any]
    """As :class:`LMResult` has it: where and how it was read."""

    @classmethod
    def of(cls, key: str, result: LMResult) -> "Kept":
        """A result under its key."""
        return cls(key=key, rows=result.rows, summary=result.summary)


class KeptTables(BaseModel):
    """The laboratory's curve beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    key: str
    history: TableHistory


AnyKept = TypeVar("AnyKept", Kept, KeptTables)


def key_of(identity: str, asked: Mapping[str, Any]) -> str:
    """Of a checkpoint and of all that is asked of it.

    Args:
        identity: What the checkpoint is by its content.
        asked: Data, options and seed: plain values, sequences, mappings and records of them.

    Example:
        >>> key_of("a", {"seed": 0}) == key_of("a", {"seed": 0}) != key_of("a", {"seed": 1})
        True
    """
    text = json.dumps([linrep.__version__, identity, _plain(asked)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Shelf:
    """Where measured checkpoints of one output folder lie."""

    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER

    def get(self, key: str, kind: type[AnyKept]) -> AnyKept | None:
        """What was measured under a key; None if nothing was, or its file is damaged."""
        path = self._path(key)
        try:
            kept = kind.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError, UnicodeDecodeError):
            log.warning("%s is damaged; what it held is measured again", path)
            return None
        return kept if kept.key == key else None

    def put(self, kept: Kept | KeptTables) -> None:
        """Keep a measurement, whole."""
        with one_line_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(self._path(kept.key), kept.model_dump_json().encode())

    def mark(self, key: str) -> Path:
        """A file that says: what is downloaded for this checkpoint was not there before."""
        return self.folder / f"{key}.download"

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
