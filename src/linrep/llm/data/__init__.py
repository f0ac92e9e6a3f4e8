"""The language data that ships with linrep, written for it, and the one way its readers open a text file."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from linrep.errors import InputError, in_our_words

PROVENANCE = "written for linrep"
LICENCE = "Apache-2.0"

Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An entry that a reader left out: what it was, why, and where it stood (`file:line`)."""

    text: str
    reason: str
    where: str
    pair: tuple[str, str] | None = None
    """The two words, where it was a pair."""


def builtin_text(name: str) -> str:
    """The text of a built-in data file, such as ``word_pairs/male-female.tsv``."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises:
        InputError: If there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file; give the path of an existing one") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check the path and its rights"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.object[error.start]:#04x} at offset {error.start}); "
            "save the file as UTF-8"
        ) from None


def numbered_lines(text: str) -> list[tuple[int, str]]:
    r"""The lines that are not blank, each with its number from 1; LF, CRLF and CR all end a line.

    ``str.splitlines`` would also split at U+0085 and U+2028, which may stand inside a sentence.

    Example:
        >>> numbered_lines("a\tb\r\n\r\nc\td\n\n")
        [(1, 'a\tb'), (3, 'c\td')]
    """
    return [(n, line) for n, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1) if line.strip()]


def json_lines(text: str, source: str) -> list[tuple[str, dict[str, object]]]:
    """The objects of a JSON Lines text, each with its ``file:line``.

    Raises:
        InputError: If a line is not a JSON object.
    """
    rows: list[tuple[str, dict[str, object]]] = []
    for number, line in numbered_lines(text):
        where = f"{source}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON ({error.msg}); write one JSON object per line") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not JSON ({error}); write one JSON object per line") from None
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a JSON object, got {type(value).__name__}")
        rows.append((where, value))
    return rows


def checked(model: type[Row], row: dict[str, object], where: str) -> Row:
    """The row as a record of ``model``.

    Raises:
        InputError: If a field is missing, unknown or of the wrong type: one line naming `file:line` and
            field.
    """
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        expected = ", ".join(model.model_fields)
        raise InputError(
            f"{where}: field '{field}': {in_our_words(first['msg'])}; expected the fields {expected}"
        ) from None


def require_known(asked: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse a concept that is not there, with the nearest name.

    Raises:
        InputError: On the first unknown one.
    """
    names = tuple(known)
    for name in asked:
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.0)
            raise InputError(
                f"{what}: no concept '{name}'; did you mean '{near[0]}'? (one of {', '.join(names)})"
            )
