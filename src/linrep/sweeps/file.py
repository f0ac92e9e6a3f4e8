"""What a sweep file says: a base config, the axes it varies, and what changes when it is to be quick.

.. code-block:: toml

    title = "Width"
    question = "Which width makes concepts linear?"

    [base]                                # a config, as `linrep run` reads it
    runs = 20
    world = { kind = "random", concepts = 4 }

    [axes]
    "model.dim" = [2, 4, 8]               # a key of the config and its values

    [axes.optimizer]                      # or several keys at once, each point under its label
    SGD = { "training.optimizer" = "sgd", "training.schedule" = "cosine" }
    GD = { "training.optimizer" = "gd" }

    [quick]                               # with --quick: keys of the base, and axes, to replace
    runs = 5
    axes = { "model.dim" = [2, 4] }
"""

import copy
import difflib
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linrep.errors import InputError, short, shown
from linrep.runs.overrides import dotted, overridden
from linrep.runs.toml import is_sweep, network_of, read_toml
from linrep.worlds.network_file import named

TOP = ("title", "question", "base", "axes", "quick")
RESERVED = ("run", "step", "measure", "table", "kind", "value", "ended")
"""Columns of every sweep's numbers; no axis may be called so."""
LARGEST_GRID = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of an axis."""

    label: str
    changes: tuple[tuple[str, Any], ...]
    """Dotted keys of the config and what they become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What varies, in order."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A sweep file, its form checked; the configs are checked when cells are made of it.

    Example:
        >>> from linrep.sweeps import parse_sweep
        >>> base = {"world": {"kind": "chain", "concepts": 2}}
        >>> asked = parse_sweep({"base": base, "axes": {"model.dim": [1, 2]}})
        >>> [axis.name for axis in asked.axes]
        ['model.dim']
    """

    name: str
    title: str
    question: str
    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    source: str
    """Named in errors."""
    file: Path | None = None
    """It was read from: networks are looked for beside it."""
    quick: bool = False


def load_sweep(path: Path | str, overrides: Sequence[str] = (), *, quick: bool = False) -> Sweep:
    """Read a sweep file.

    Args:
        path: A TOML file.
        overrides: ``key=value`` with a dotted key of the base, as :func:`linrep.load` takes them.
        quick: Apply its ``quick`` table.

    Returns:
        The sweep, named after the file.

    Raises:
        InputError: Missing or malformed file, a run's config, unknown key, an axis or a grid that is empty,
            an override of what an axis varies: one line each.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        ...     print('base.world.kind = "chain"', 'axes."world.concepts" = [2, 3]', sep=chr(10), file=file)
        ...     file.flush()
        ...     load_sweep(file.name).axes[0].name
        'world.concepts'
    """
    path = Path(path)
    fields = read_toml(path, missing="give a sweep file with [base] and [axes]")
    if "world" in fields and not is_sweep(fields):
        raise InputError(f"{path}: expected a sweep, got the config of a run; `linrep run {path}` runs it")
    read = parse_sweep(fields, name=path.stem, source=str(path), file=path, quick=quick)
    return _overridden(read, overrides) if overrides else read


def parse_sweep(
    fields: Mapping[str, Any],
    *,
    name: str = "sweep",
    source: str = "sweep",
    file: Path | None = None,
    quick: bool = False,
) -> Sweep:
    """Check the form of a sweep given as plain data.

    Args:
        fields: As read from TOML.
        name: What the sweep is called.
        source: Named in errors.
        file: It was read from, if it was: networks are looked for beside it.
        quick: Apply the ``quick`` table.

    Raises:
        InputError: The first thing that is wrong.

    Example:
        >>> plain = {"base": {"world": {"kind": "chain"}}, "axes": {"world.concepts": [2, 3]}}
        >>> [point.label for point in parse_sweep(plain).axes[0].points]
        ['2', '3']
    """
    for key in fields:
        if key not in TOP:
            close = difflib.get_close_matches(key, TOP, n=1)
            near = f", did you mean {close[0]!r}?" if close else ""
            raise InputError(f"{source}: unknown key {shown(key)}{near}; a sweep has {', '.join(TOP)}")
    base = copy.deepcopy(dict(_table(fields, "base", source)))
    axes = dict(_flat(_table(fields, "axes", source)))
    if quick and "quick" not in fields:
        raise InputError(f"{source}: no [quick] table to apply; add one, or leave --quick out")
    changed = dict(_table(fields, "quick", source)) if quick else {}
    for key, given in _flat(_table(changed, "axes", source)).items():
        if key not in axes:
            raise InputError(
                f"{source}: quick.axes: no axis {shown(key)} to replace; name one of {short(_names(axes))}"
            )
        axes[key] = given
    for key, value in changed.items():
        if key != "axes":
            set_key(base, key, value, source)
    if not axes:
        raise InputError(f"{source}: empty grid: no axes; add [axes] with a key and its values")
    built = tuple(_axis(key, given, source) for key, given in axes.items())
    if math.prod(len(axis.points) for axis in built) > LARGEST_GRID:
        raise InputError(f"{source}: more than {LARGEST_GRID:,} cells; shorten an axis")
    return Sweep(
        name=name,
        title=_text(fields, "title", source) or name,
        question=_text(fields, "question", source),
        base=base,
        axes=built,
        source=source,
        file=file,
        quick=quick,
    )


def _overridden(sweep: Sweep, overrides: Sequence[str]) -> Sweep:
    """With another base. What an axis varies cannot be set: it would stay as the axis says."""
    base = overridden(sweep.base, overrides)
    varied = {key: axis.name for axis in sweep.axes for point in axis.points for key, _ in point.changes}
    for override in overrides:
        key = dotted(override)
        axis = next((name for each, name in varied.items() if f"{key}.".startswith(f"{each}.")), None)
        if axis is not None:
            raise InputError(
                f"--set {short(key)}: axis {shown(axis)} of {sweep.source} varies it; set another key, or "
                "change the axis"
            )
    # What is named on the command line lies where that is typed.
    name = network_of(base)
    if (
        name != network_of(sweep.base)
        and isinstance(name, str)
        and named(name) is None
        and Path(name).exists()
    ):
        base["world"] = {**base["world"], "network": os.path.abspath(name)}
    return replace(sweep, base=base)


def set_key(fields: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Set one dotted key of nested plain data in place."""
    *tables, last = key.split(".")
    table = fields
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputError(
                f"{source}: {short(key)}: {shown(part)} is a value, not a table; name a key inside a table"
            )
    table[last] = copy.deepcopy(value)


def _table(fields: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    given = fields.get(key, {})
    if not isinstance(given, Mapping):
        raise InputError(f"{source}: {key}: expected a table, got {shown(given)}; write [{key}]")
    return given


def _text(fields: Mapping[str, Any], key: str, source: str) -> str:
    given = fields.get(key, "")
    if not isinstance(given, str):
        raise InputError(f"{source}: {key}: expected text, got {shown(given)}; put it in quotes")
    return given


def _flat(axes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Axes by name; an unquoted dotted key, which TOML reads as tables within tables, is put together."""
    found: dict[str, Any] = {}
    for key, given in axes.items():
        if isinstance(given, Mapping) and given and not all(isinstance(v, Mapping) for v in given.values()):
            found |= _flat(given, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = given
    return found


def _axis(name: str, given: Any, source: str) -> Axis:
    if name in RESERVED:
        raise InputError(f"{source}: axis {shown(name)}: this name is taken by a column; choose another")
    if isinstance(given, Mapping):
        points = [Point(label=label, changes=tuple(_changes(change))) for label, change in given.items()]
    elif isinstance(given, list):
        points = [Point(label=_label(value), changes=((name, value),)) for value in given]
    else:
        raise InputError(
            f"{source}: axis {shown(name)}: expected a list of values, got {shown(given)}; put it in brackets"
        )
    if not points:
        raise InputError(f"{source}: empty grid: axis {shown(name)} has no values; give it one or more")
    for label, times in Counter(point.label for point in points).items():
        if times > 1:
            raise InputError(f"{source}: axis {shown(name)}: {short(label)} stands there twice; remove one")
    return Axis(name=name, points=tuple(points))


def _changes(change: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Dotted keys and values; ``world`` and other whole tables may be replaced too."""
    return list(change.items())


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _names(axes: Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in axes) or "none"
