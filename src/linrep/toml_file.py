"""A TOML file as plain data, or one clear line; whatever is in it."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linrep.errors import InputError

LARGEST_BYTES = 2**23
"""Largest file that is read; what a person writes is far smaller."""
LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){1000}""")
"""A key of a thousand parts."""
DEEPEST = 32
"""Tables within tables; deeper ones would exhaust the stack of whatever walks them."""


def read_toml(path: Path, *, missing: str) -> dict[str, Any]:
    """Read a file.

    Args:
        path: Of a TOML file.
        missing: What to do where there is none.

    Raises:
        InputError: No file, too large, no UTF-8, malformed or nested too deeply.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(f"{path}: expected TOML of at most {LARGEST_BYTES:,} bytes, got {size:,}")
        text = path.read_text(encoding="utf-8-sig")
        # The parser's time is quadratic in the length of a dotted key.
        fields = tomllib.loads(text) if LONG_KEY.search(text) is None else None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {missing}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error}); give a TOML file") from None
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: malformed TOML: {error}") from None
    if fields is None or deeper(fields, DEEPEST):
        raise InputError(f"{path}: nested more than {DEEPEST} tables deep; remove what does not belong there")
    if _holds_huge(fields):
        raise InputError(f"{path}: holds a whole number beyond 64 bits, which TOML does not know; write less")
    return fields


def is_sweep(fields: Mapping[str, Any]) -> bool:
    """Whether a file is a sweep, by its tables; else it is the config of a run.

    Example:
        >>> is_sweep({"base": {"world": {"kind": "chain"}}}), is_sweep({"world": {"kind": "chain"}})
        (True, False)
    """
    return "axes" in fields or "base" in fields


def deeper(value: Any, depth: int) -> bool:
    """Whether plain data is nested more than so many levels deep.

    Example:
        >>> deeper({"a": {"b": 1}}, 1), deeper({"a": [1]}, 2)
        (True, False)
    """
    level = [value]
    for _ in range(depth):
        level = [each for outer in level for each in _within(outer)]
    return bool(level)


def _holds_huge(value: Any) -> bool:
    """Whether there is an integer larger than TOML allows; hexadecimal ones may have millions of digits."""
    if isinstance(value, Mapping | list):
        return any(map(_holds_huge, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _within(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, Mapping | list)]
