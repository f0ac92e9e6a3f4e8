"""From a TOML file and dotted overrides to a checked config, or to one clear line; and back to TOML."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from linrep.errors import InputError, in_our_words, many, short, shown
from linrep.runs.config import Config
from linrep.runs.near import UNIONS, did_you_mean, kinds_of, kinds_with
from linrep.runs.overrides import dotted, overridden
from linrep.worlds.network_file import NETWORKS, named

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


def as_toml(config: Mapping[str, Any]) -> str:
    """A config as the text of a TOML file, without what has no value.

    Args:
        config: Nested plain data.

    Example:
        >>> print(as_toml({"seed": 0, "model": {"dim": None}, "world": {"kind": "chain"}}), end="")
        seed = 0
        <BLANKLINE>
        [model]
        <BLANKLINE>
        [world]
        kind = "chain"
    """
    return tomli_w.dumps(_present(config))


def _present(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _present(each) for key, each in value.items() if each is not None}
    return [_present(each) for each in value] if isinstance(value, list | tuple) else value


def _holds_huge(value: Any) -> bool:
    """Whether there is an integer larger than TOML allows; hexadecimal ones may have millions of digits."""
    if isinstance(value, Mapping | list):
        return any(map(_holds_huge, value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _within(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, Mapping | list)]


def with_network_beside(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    """Plain data whose network, if it names a file, is looked for beside the config's own file, then here.

    Args:
        fields: Of a config; changed in place.
        path: Of the file that it was read from.

    Returns:
        The same.

    Raises:
        InputError: There is no such file; names both places.
    """
    name = network_of(fields)
    if not isinstance(name, str) or not name or "\0" in name or named(name) is not None:
        return fields
    beside = path.parent / name
    if os.path.exists(beside):
        fields["world"] = {**fields["world"], "network": str(beside)}
    elif not os.path.exists(name):
        where = f"beside the config, in {short(str(path.parent.absolute()))}"
        here = f", nor in the current folder, {short(os.getcwd())}"
        raise InputError(
            f"{path}: world.network: expected one of {', '.join(NETWORKS)}, a network of pgmpy such as "
            f"alarm, or a BIF file, got {shown(name)}; there is no such file {where}"
            f"{here if path.parent.absolute() != Path.cwd() else ''}"
        )
    return fields


def load(path: Path | str | None, overrides: Sequence[str] = ()) -> Config:
    """Read a config file and apply dotted overrides such as ``training.steps=5000``.

    Args:
        path: A TOML file; None for the one that ``linrep init`` writes.
        overrides: ``key=value`` with a dotted key; the value is TOML, a number such as ``.01``, or else a
            string. One that changes a table's kind lets go of what only the kind before had.

    Returns:
        The checked config.

    Raises:
        InputError: Missing or unreadable file, malformed TOML, a sweep, unknown key, wrong type: one line
            each.

    Example:
        >>> import linrep, tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        ...     _ = file.write('world = { kind = "chain", concepts = 3 }')
        ...     file.flush()
        ...     linrep.load(file.name, ["training.steps=7"]).training.steps
        7
    """
    if path is None:
        return parse(overridden(begun(overrides), overrides), source="--set")
    path = Path(path)
    fields = read_toml(path, missing=f"`linrep init {path}` writes a commented one")
    if is_sweep(fields):
        raise InputError(f"{path}: expected the config of a run, got a sweep; `linrep sweep {path}` runs it")
    changed = overridden(fields, overrides)
    # What is named on the command line lies where that is typed.
    beside = network_of(changed) == network_of(fields)
    return parse(with_network_beside(changed, path) if beside else changed, source=str(path))


def begun(overrides: Sequence[str]) -> dict[str, Any]:
    """What ``linrep init`` writes, without what the overrides leave no place for.

    A world, contexts or tokens of another kind begin from that kind's own defaults, and a network as encoder
    from a normal start: a wide one is cut from tables.

    Args:
        overrides: ``key=value`` with a dotted key.

    Example:
        >>> begun(["world.concepts=3"])["world"], "world" in begun(["world.network=survey"])
        ({'kind': 'random', 'concepts': 5}, False)
    """
    fields = tomllib.loads((files("linrep") / "template.toml").read_text(encoding="utf-8"))
    keys = [dotted(override).split(".") for override in overrides]
    for table in UNIONS:
        own = kinds_of(table)[fields[table]["kind"]].model_fields.keys() - {"kind"}
        if any(key[0] == table and not own.issuperset(key[1:2] or ["kind"]) for key in keys):
            del fields[table]
    if ["model", "encoder"] in keys:
        del fields["model"]["start"]
    return fields


def network_of(fields: Mapping[str, Any]) -> Any:
    """What a config, as written, names as its network; None where it names none."""
    world = fields.get("world")
    return world.get("network") if isinstance(world, Mapping) else None


def parse(fields: Mapping[str, Any], *, source: str = "config") -> Config:
    """Check plain data against the schema.

    Args:
        fields: Nested mappings as read from TOML or JSON.
        source: Named in the error.

    Raises:
        InputError: The first thing that is wrong, with its dotted key.
    """
    try:
        return Config.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{source}: {explain(error)}") from None


TOML_TYPES = dict.fromkeys(
    ("model_type", "model_attributes_type", "dict_type", "dataclass_type"), "expected a table"
) | {"tuple_type": "expected a list"}
"""Kinds of errors, and what a file should have had, by the names that TOML has for it."""


def explain(error: ValidationError) -> str:
    """A validation error in one line: the dotted key, what was expected, what was got, a near name."""
    # A misspelt key is more telling than the missing one it was meant to be.
    found = error.errors(include_url=False)
    problems = sorted(found, key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    location = [str(part) for part in first["loc"]]
    # Below a table with kinds, the second part of the location is the kind, not a key.
    kind = location.pop(1) if len(location) > 1 and location[0] in UNIONS else None
    key = short(".".join(location)) or "config"
    context = first.get("ctx", {})
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    match first["type"]:
        case "extra_forbidden":
            where = f" for kind = {kind!r}" if kind else ""
            whole = _whole(location, first["input"])
            others = " or ".join(map(repr, kinds_with(whole)))
            message = f"unknown key {shown('.'.join(whole))}{where}" + (
                f", which kind = {others} has; set that kind too, or remove the key"
                if others
                else f"{did_you_mean(whole, kind)}; remove it or correct its name"
            )
        case "missing":
            message = f"{key}: missing; it has no default, set it"
        case "union_tag_not_found":
            message = f"{key}: needs a kind; set {key}.kind to one of {', '.join(kinds_of(location[0]))}"
        case "union_tag_invalid":
            kinds = ", ".join(kinds_of(location[0]))
            message = f"{key}.kind: expected one of {kinds}, got {shown(context['tag'])}"
        case "too_short" | "too_long":
            bound = "at least" if first["type"] == "too_short" else "at most"
            most: int = context["min_length" if first["type"] == "too_short" else "max_length"]
            given = first["input"]
            what = "table" if isinstance(given, Mapping) else "list"
            message = f"{key}: expected a {what} of {bound} {many(most, 'value')}, got {shown(given)}"
        case "value_error":
            message = f"{key}: {context['error']}" if location else str(context["error"])
        case _:
            words = in_our_words(first["msg"])
            expected = TOML_TYPES.get(first["type"], words)
            message = f"{key}: {expected[0].lower()}{expected[1:]}, got {shown(first['input'])}"
    return message + rest


def _whole(location: list[str], value: Any) -> list[str]:
    """An unknown key, as far as it was written: below an unknown table of one key, with that key."""
    while isinstance(value, Mapping) and len(value) == 1:
        ((key, value),) = value.items()
        location = [*location, str(key)]
    return location
