"""What the page asks for: plain data of a config, checked, and kept to what can be watched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linrep.errors import InputError, shown
from linrep.laboratory.build import resolve, worlds
from linrep.runs.config import Config
from linrep.runs.toml import parse
from linrep.runs.world_config import NetworkWorld, SparseWorld
from linrep.worlds.network_file import named
from linrep.worlds.truth import World

MOST_CONCEPTS, MOST_DIM, MOST_STEPS = 8, 64, 1_000_000
"""What is drawn and trained in a tab: the cube of eight concepts has 256 corners."""
MOST_UNKNOWNS = 1024
"""Numbers of G that newton moves: with twice as many a step, which nothing interrupts, takes seconds."""
ONE = {"runs": 1}
BY_ITSELF = 1
"""Threads of a run: tabs share the processors, and equal threads give equal bits."""
FIRST: dict[str, Any] = {
    "seed": 2,
    "world": {"kind": "independent", "concepts": 3, "probabilities": [0.5, 0.5, 0.5]},
    "model": {"dim": 3},
    "training": {"optimizer": "gd", "step_size": 1.0, "steps": 3000},
}
"""What is shown where nothing was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One run to be watched: its config with every default filled in, and its world.

    Example:
        >>> setting_of(FIRST).world.model.names
        ('C1', 'C2', 'C3')
    """

    config: Config
    """Resolved: one run, one thread."""
    world: World


def setting_of(asked: Mapping[str, Any], *, network: str | None = None) -> Setting:
    """Check what was asked for.

    Args:
        asked: Plain data of a config.
        network: A network's file that may be read: the one named where the laboratory was started. Else only
            published networks are, so that a page reads no files.

    Returns:
        One run of it.

    Raises:
        InputError: The first thing that is wrong; its text begins with the dotted key.

    Example:
        >>> setting_of({"world": {"kind": "chain", "concepts": 9}})
        Traceback (most recent call last):
        linrep.errors.InputError: world.concepts: expected at most 8 to be watched, got 9; use fewer
    """
    compute = asked.get("compute")
    more = {"compute": {**(compute if isinstance(compute, Mapping) else {}), "threads": BY_ITSELF}}
    config = _without_source({**asked, **ONE, **more})
    _require_watchable(config, network)
    built = worlds(config)
    (world,) = built
    if world.model.concepts > MOST_CONCEPTS:
        raise InputError(
            f"world.concepts: expected at most {MOST_CONCEPTS} to be watched, got {world.model.concepts}; "
            "use fewer"
        )
    resolved = resolve(config, built)
    unknowns = len(world.tokens) * (resolved.model.dim or 1)
    if resolved.training.optimizer == "newton" and unknowns > MOST_UNKNOWNS:
        raise InputError(
            f"training.optimizer: expected at most {MOST_UNKNOWNS:,} numbers of G (tokens × k) for newton to "
            f"be watched, got {unknowns:,}; use fewer concepts, a smaller k, or gd"
        )
    return Setting(config=resolved, world=world)


def field_of(error: InputError) -> str:
    """The dotted key that an error speaks of, "" where it names none: the place to say it.

    Example:
        >>> field_of(InputError("model.dim: expected 1, got 0; set it"))
        'model.dim'
        >>> field_of(InputError("nothing: is wrong here"))
        ''
    """
    key = str(error).partition(":")[0].removeprefix("unknown key ").strip("'")
    return key if key.partition(".")[0] in Config.model_fields else ""


def _without_source(asked: Mapping[str, Any]) -> Config:
    """Checked; an error begins with the key, for on a page there is no file to name."""
    source = "config"
    try:
        return parse(asked, source=source)
    except InputError as error:
        raise InputError(str(error).removeprefix(f"{source}: ")) from None


def _require_watchable(config: Config, network: str | None) -> None:
    given, dim = config.world, config.model.dim
    concepts = getattr(given, "concepts", 1)
    if isinstance(given, SparseWorld):
        raise InputError(
            "world.kind: a sparse world has no cube to be watched, got 'sparse'; `linrep run` it"
        )
    if concepts > MOST_CONCEPTS:
        raise InputError(
            f"world.concepts: expected at most {MOST_CONCEPTS} to be watched, got {concepts}; use fewer"
        )
    if isinstance(given, NetworkWorld) and given.network != network and named(given.network) is None:
        raise InputError(
            f"world.network: expected a published network such as asia, got {shown(given.network)}; open the "
            "BIF file by its button, or start with `linrep explore CONFIG`"
        )
    if dim is not None and dim > MOST_DIM:
        raise InputError(f"model.dim: expected at most {MOST_DIM} to be watched, got {dim}; use fewer")
    if config.training.steps > MOST_STEPS:
        raise InputError(
            f"training.steps: expected at most {MOST_STEPS:,} to be watched, got {config.training.steps:,}; "
            "use fewer"
        )
    if config.shift is not None:
        raise InputError("shift: one world is watched; leave it out")
    if config.compute.device != "cpu":
        raise InputError(
            f"compute.device: tabs share the processor, got {shown(config.compute.device)}; leave it out"
        )
