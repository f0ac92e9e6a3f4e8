"""What ``--set`` says: dotted keys and their values, laid over a config as it was written."""

import copy
import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from linrep.errors import InputError, InputWarning, short, shown
from linrep.runs.near import UNIONS, kinds_of

LARGEST_WHOLE = 2**53
"""Up to here every whole number is a float."""
NO_DIGIT_BEFORE = re.compile(r"(?<![\w.])\.(?=\d)")
NO_DIGIT_AFTER = re.compile(r"(?<=\d)\.(?![\d.])")
"""Of a point: TOML wants a digit on both sides."""


def overridden(fields: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A config with some keys set, and without those that only the kind before had, where one changes a kind.

    Args:
        fields: As written.
        overrides: ``key=value`` with a dotted key, the later ones over the earlier.

    Warns:
        InputWarning: Which keys were let go of, in one line a table.

    Raises:
        InputError: No ``key=value``, or a key below a value.

    Example:
        >>> overridden({"world": {"kind": "chain", "concepts": 3}}, ["world.concepts=1e1", "model.dim=2"])
        {'world': {'kind': 'chain', 'concepts': 10}, 'model': {'dim': 2}}
    """
    changed = copy.deepcopy(dict(fields))
    keys = [apply_override(changed, override) for override in overrides]
    for table in UNIONS:
        if [table, "kind"] in keys and [table] not in keys:
            own = {key[1] for key in keys if key[0] == table}
            _let_go(table, changed[table], fields.get(table), own)
    return changed


def apply_override(fields: dict[str, Any], override: str) -> list[str]:
    """Set one dotted key of nested plain data in place.

    Args:
        fields: Changed.
        override: ``key=value``; the value is TOML, a number such as ``.01``, or else taken as a string.

    Returns:
        The parts of the key.
    """
    key, equals, text = override.partition("=")
    parts = dotted(override).split(".")
    if not equals or not all(parts) or "\n" in text:
        raise InputError(f"--set: expected key=value such as training.steps=5000, got {shown(override)}")
    try:
        value = _value(text)
    except RecursionError:
        raise InputError(f"--set {short(key)}: nested too deeply; give a plain value") from None
    table = fields
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputError(
                f"--set {short(override)}: {shown(part)} is a value, not a table; name a key inside a table"
            )
    table[parts[-1]] = value
    return parts


def dotted(override: str) -> str:
    """The key of an override.

    Example:
        >>> dotted("model . dim=3")
        'model.dim'
    """
    return ".".join(part.strip() for part in override.partition("=")[0].split("."))


def _let_go(table: str, changed: dict[str, Any], before: Any, own: set[str]) -> None:
    """Take out what only the kind before knows, but for what was set beside the new one."""
    models, kind = kinds_of(table), changed.get("kind")
    former = before.get("kind") if isinstance(before, Mapping) else None
    if not isinstance(kind, str) or kind not in models or kind == former:
        return
    told = [models[former]] if isinstance(former, str) and former in models else list(models.values())
    known = {name for model in told for name in model.model_fields}
    gone = [name for name in changed if name in known - models[kind].model_fields.keys() - own]
    for name in gone:
        del changed[name]
    if gone:
        keys = ", ".join(f"{table}.{name}" for name in gone)
        warnings.warn(
            f"--set {table}.kind={kind}: let go of {keys}, which kind {kind!r} does not have",
            InputWarning,
            stacklevel=4,
        )


def _value(text: str) -> Any:
    """What was typed, as TOML, then as TOML once its points have digits on both sides, or as it stands."""
    completed = NO_DIGIT_AFTER.sub(".0", NO_DIGIT_BEFORE.sub("0.", text))
    # Within quotes a point belongs to a text.
    for written in (text, text if '"' in text or "'" in text else completed):
        try:
            return tomllib.loads(f"value = {written}", parse_float=_number)["value"]
        except ValueError:
            continue
    return text


def _number(text: str) -> int | float:
    """A number with a point or an exponent: 1e2 is the whole number that it is."""
    number = float(text)
    whole = "e" in text.lower() and number.is_integer() and abs(number) <= LARGEST_WHOLE
    return int(number) if whole else number
