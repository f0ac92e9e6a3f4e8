"""The cells of a sweep: every combination of its axes, as checked configs and as runs of the store."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linrep.errors import InputError, short, shown
from linrep.laboratory.build import data_hash, resolve, worlds
from linrep.runs.config import Config
from linrep.runs.keys import run_key
from linrep.runs.toml import parse, with_network_beside
from linrep.sweeps.file import Axis, Sweep, set_key

Coordinates = tuple[tuple[str, str], ...]
"""Axis and label, in the order of the axes."""

STEP_COST, LOGIT_COST, LOOK_COST = 5e-4, 1.2e-8, 2e-3
"""Seconds for a step, for a logit of each run in it, and for measuring a run once: a rough estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the grid.

    Example:
        >>> from linrep.sweeps import parse_sweep
        >>> base = {"world": {"kind": "chain", "concepts": 2}}
        >>> asked = parse_sweep({"base": base, "axes": {"model.dim": [1, 2]}})
        >>> cells(asked, threads=1)[1].coordinates
        (('model.dim', '2'),)
    """

    coordinates: Coordinates
    config: Config
    """As it will run: every default filled in."""
    key: str
    """Of its run in the store."""
    cost: float
    """Seconds to expect, roughly."""

    @property
    def label(self) -> str:
        """The coordinates in words."""
        return _words(self.coordinates)


def cells(sweep: Sweep, *, threads: int | None = None) -> tuple[Cell, ...]:
    """Every cell of a sweep, checked before anything is trained.

    Args:
        sweep: As read from a file.
        threads: For cells whose config names none; by default all that this process may use. They are part
            of a run's key, so sweeps over the same threads find each other's runs, on however many workers.

    Returns:
        The cells, the last axis varying fastest.

    Raises:
        InputError: An unknown key or a bad value in any config, an axis that varies nothing, or two cells
            that are the same run.

    Example:
        >>> from linrep.sweeps.file import parse_sweep
        >>> plain = {"base": {"world": {"kind": "chain"}}, "axes": {"world.concepts": [2, 3]}}
        >>> [cell.label for cell in cells(parse_sweep(plain))]
        ['world.concepts 2', 'world.concepts 3']
    """
    found = tuple(_cell(config, coordinates) for coordinates, config in configs(sweep, threads=threads))
    require_distinct(sweep, {cell.coordinates: cell.key for cell in found})
    return found


def configs(sweep: Sweep, *, threads: int | None = None) -> Iterator[tuple[Coordinates, Config]]:
    """The config of every cell, as written: nothing is built, and no default that needs a world filled in.

    Args:
        sweep: As read from a file.
        threads: For cells whose config names none.

    Yields:
        Coordinates and config, the last axis varying fastest.

    Raises:
        InputError: An unknown key or a bad value in any config.

    Example:
        >>> from linrep.sweeps.file import parse_sweep
        >>> plain = {"base": {"world": {"kind": "chain"}}, "axes": {"world.concepts": [2, 3]}}
        >>> [config.world.concepts for _, config in configs(parse_sweep(plain))]
        [2, 3]
    """
    for points in itertools.product(*(axis.points for axis in sweep.axes)):
        fields = copy.deepcopy(dict(sweep.base))
        for key, value in (change for point in points for change in point.changes):
            set_key(fields, key, value, sweep.source)
        coordinates = tuple((axis.name, point.label) for axis, point in zip(sweep.axes, points, strict=True))
        if sweep.file is not None:
            with_network_beside(fields, sweep.file)
        words = ", ".join(f"{short(axis)} = {short(label)}" for axis, label in coordinates)
        config = parse(fields, source=f"{sweep.source}: cell {words}")
        if config.compute.threads is None and threads is not None:
            config = config.model_copy(
                update={"compute": config.compute.model_copy(update={"threads": threads})}
            )
        yield coordinates, config


def require_distinct(sweep: Sweep, keys: Mapping[Coordinates, str]) -> None:
    """Refuse an axis whose several values vary nothing, and two cells that are one run.

    Args:
        sweep: Whose cells they are.
        keys: What tells the runs of any two cells apart.

    Raises:
        InputError: Naming the axis, or both cells.
    """
    for axis in sweep.axes:
        if len(axis.points) > 1 and _varies_nothing(axis, keys):
            raise InputError(
                f"{sweep.source}: axis {shown(axis.name)} varies nothing: whatever its value, the runs are "
                "the same; remove it or correct its key"
            )
    seen: dict[str, Coordinates] = {}
    for coordinates, key in keys.items():
        other = seen.setdefault(key, coordinates)
        if other is not coordinates:
            raise InputError(
                f"{sweep.source}: two cells are the same run: ({short(_words(other))}) and "
                f"({short(_words(coordinates))}) both have the key {key}; vary what matters to both, or name "
                "the points of one axis"
            )


def _cell(config: Config, coordinates: Coordinates) -> Cell:
    # Without a width the widest of all runs' worlds gives it; with one, a single world tells the cost.
    built = worlds(config if config.model.dim is None else config.model_copy(update={"runs": 1}))
    resolved = resolve(config, built)
    contexts = max(len(world.codes) for world in built)
    tokens = max(len(world.tokens) for world in built)
    rows = config.training.batch_size or contexts
    step = STEP_COST + LOGIT_COST * config.runs * rows * tokens
    look = LOOK_COST * config.runs * (1 + contexts / 300)
    return Cell(
        coordinates=coordinates,
        config=resolved,
        key=run_key(resolved, data_hash(resolved)),
        cost=config.training.steps * step + config.training.snapshots * look,
    )


def _varies_nothing(axis: Axis, keys: Mapping[Coordinates, str]) -> bool:
    """Whether the cells that differ in this axis alone are the same runs, all over the grid."""
    alike: dict[Coordinates, set[str]] = {}
    for coordinates, key in keys.items():
        rest = tuple(each for each in coordinates if each[0] != axis.name)
        alike.setdefault(rest, set()).add(key)
    return all(len(each) == 1 for each in alike.values())


def _words(coordinates: Coordinates) -> str:
    return ", ".join(f"{axis} {label}" for axis, label in coordinates)
