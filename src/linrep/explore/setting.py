"""What the page asks for: plain data of a config, checked, and kept to what can be watched."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linrep.errors import InputError, counted, shown
from linrep.laboratory.build import concept_model, resolve, worlds
from linrep.laboratory.machine import AUTO, enough_memory
from linrep.runs.config import Config
from linrep.runs.toml import parse
from linrep.runs.world_config import CategoricalWorld, NetworkWorld, SparseWorld
from linrep.worlds.network_file import named
from linrep.worlds.truth import World

MOST_CONCEPTS, MOST_DIM, MOST_STEPS = 8, 64, 1_000_000
"""What is drawn and trained in a tab: the cube of eight concepts has 256 corners."""
MOST_UNKNOWNS, MOST_SYSTEMS = 2**10, 2**20
"""Numbers of G that newton moves, and times all contexts: with twice as many a step, which nothing
interrupts, takes seconds."""
MOST_TOKENS, MOST_CONTEXTS, MOST_ENTRIES = 2**10, 2**17, 2**21
"""And contexts × tokens: eight binary concepts have 256 tokens and 6561 contexts."""
MOST_BATCH, MOST_SAMPLES = 2**12, 2**20
"""Pairs that are drawn at once, some hundred batches of them, take a second."""
MOST_WEIGHTS, MOST_WORK = 2**20, 2**31
"""Of a network, and of all its contexts together: a step takes a second or two."""
LARGEST_SEED = 2**53 - 1
"""A page's numbers have no more digits: of a larger one it would ask for another."""
LARGEST_WISH = 2**20
"""Bytes of one: a BIF file of eight variables is far smaller."""
ONE = {"runs": 1}
OF_THE_WORLD = ("tables:", "BIF file", "concepts:", "network:")
"""How errors begin that the tables of a world are refused with."""
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
    compute = asked.get("compute", {})
    more: dict[str, Any] = {}
    if isinstance(compute, Mapping):
        device = compute.get("device", "cpu")
        more["compute"] = {**compute, "threads": BY_ITSELF, "device": "cpu" if device == AUTO else device}
    config = _without_source({**asked, **ONE, **more})
    _require_watchable(config, network)
    with enough_memory():
        _require_few(_sizes(config))
        built = worlds(config)
    (world,) = built
    resolved = resolve(config, built)
    _require_quick(resolved, world)
    return Setting(config=resolved, world=world)


def field_of(error: InputError) -> str:
    """The dotted key that an error speaks of, "" where it names none: the place to say it.

    Example:
        >>> field_of(InputError("model.dim: expected 1, got 0; set it"))
        'model.dim'
        >>> field_of(InputError("tables: variable 'a' is declared twice; rename one"))
        'world'
        >>> field_of(InputError("nothing: is wrong here"))
        ''
    """
    if str(error).startswith(OF_THE_WORLD):
        return "world"
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
    """What is wrong before anything is built."""
    given, training = config.world, config.training
    if isinstance(given, SparseWorld):
        raise InputError(
            "world.kind: a sparse world has no cube to be watched, got 'sparse'; `linrep run` it"
        )
    if isinstance(given, NetworkWorld) and given.network != network and named(given.network) is None:
        raise InputError(
            f"world.network: expected a published network such as asia, got {shown(given.network)}; open the "
            "BIF file by its button, or start with `linrep explore CONFIG`"
        )
    if config.shift is not None:
        raise InputError("shift: one world is watched; leave it out")
    if config.compute.device != "cpu":
        raise InputError(
            f"compute.device: tabs share the processor, got {shown(config.compute.device)}; leave it out"
        )
    if not training.steps:
        raise InputError("training.steps: expected at least 1 to be watched, got 0; use more")
    for key, got, most in (
        ("world.concepts", getattr(given, "concepts", 1), MOST_CONCEPTS),
        ("model.dim", config.model.dim, MOST_DIM),
        ("training.steps", training.steps, MOST_STEPS),
        ("training.batch_size", training.batch_size, MOST_BATCH),
        ("training.samples", training.samples, MOST_SAMPLES),
        ("seed", config.seed, LARGEST_SEED),
    ):
        if got is not None and got > most:
            less = "give a smaller one" if key == "seed" else "use fewer"
            raise InputError(f"{key}: expected at most {most:,} to be watched, got {got:,}; {less}")


def _sizes(config: Config) -> tuple[int, ...]:
    """States of every concept; what is drawn is not drawn for it."""
    given = config.world
    if isinstance(given, CategoricalWorld):
        return tuple(size + 1 for size in given.sizes) if given.nested else given.sizes
    return concept_model(config, 0).sizes


def _require_few(sizes: tuple[int, ...]) -> None:
    """No more concepts, tokens and contexts than can be drawn, asked before they are enumerated."""
    if len(sizes) > MOST_CONCEPTS:
        raise InputError(
            f"world.concepts: expected at most {MOST_CONCEPTS} to be watched, got {len(sizes)}; use fewer"
        )
    for what, count, most in (
        ("tokens", math.prod(sizes), MOST_TOKENS),
        ("contexts", math.prod(size + 1 for size in sizes), MOST_CONTEXTS),
    ):
        if count > most:
            raise InputError(
                f"world: expected at most {most:,} {what} to be watched, got {counted(count)}; use fewer "
                "concepts, or fewer states of them"
            )


def _require_quick(config: Config, world: World) -> None:
    """No step that takes more than some seconds: nothing interrupts it, and other tabs wait."""
    contexts, tokens, model = len(world.codes), len(world.tokens), config.model
    if contexts * tokens > MOST_ENTRIES:
        raise InputError(
            f"contexts: expected at most {MOST_ENTRIES:,} contexts × tokens to be watched, got "
            f"{contexts:,} × {tokens:,}; use fewer contexts, or fewer states of concepts"
        )
    unknowns = tokens * (model.dim or 1)
    large = unknowns > MOST_UNKNOWNS or contexts * unknowns > MOST_SYSTEMS
    if config.training.optimizer == "newton" and large:
        raise InputError(
            f"training.optimizer: a step of newton is too slow to be watched with {unknowns:,} numbers of G "
            f"(tokens × k) and {contexts:,} contexts, expected at most {MOST_UNKNOWNS:,} and "
            f"{MOST_SYSTEMS // max(unknowns, 1):,}; use fewer concepts or contexts, a smaller k, or gd"
        )
    # A block has twelve matrices of width × width, and meets every concept of a context.
    whole = 12 if model.encoder == "transformer" else 1
    weights = whole * (model.layers or 0) * (model.width or 0) ** 2
    work = weights * contexts * (world.model.concepts if model.encoder == "transformer" else 1)
    if weights > MOST_WEIGHTS or work > MOST_WORK:
        raise InputError(
            f"model.width: expected at most {MOST_WEIGHTS:,} weights in all layers, and {MOST_WORK:,} times "
            f"all contexts, to be watched, got {counted(weights)} and {counted(work)}; use a smaller width, "
            "or fewer layers or contexts"
        )
