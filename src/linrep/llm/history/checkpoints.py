"""The checkpoints of one training: folders, or revisions on the Hub, each with the step in its name."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from linrep.errors import InputError, shown
from linrep.llm.source import ADAPTER, LoadOptions, Source, locate

STEP = re.compile(r"(?:step|checkpoint|iter(?:ation)?)[-_ ]?(\d+)", re.IGNORECASE)
TOKENS = re.compile(r"tokens?[-_ ]?(\d+(?:\.\d+)?)([kmbt]?)(?![a-z0-9])", re.IGNORECASE)
SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
READ = (".json", ".safetensors", ".model", ".txt", ".py", ".jinja")
"""Ends of the files of a folder that decide what a measurement of it gives."""
CHUNK = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model on its way, not yet read."""

    name: str
    """Of its folder, or of its revision."""
    model: str
    """The folder, or the Hub id."""
    load: LoadOptions
    """With the revision, if it is on the Hub."""
    step: int
    tokens: float | None = None
    """How many were read by then, where the name or the caller says so."""

    def locate(self) -> Source:
        """The model, found but not loaded."""
        return locate(self.model, self.load)


def checkpoints(
    model: str | Path | Sequence[str | Path],
    revisions: Sequence[str] | None = None,
    *,
    steps: Sequence[int] | None = None,
    tokens_per_step: int | float | None = None,
    load: LoadOptions | None = None,
) -> tuple[Checkpoint, ...]:
    """What is to be measured, in the order of steps.

    Args:
        model: A Hub id or a folder with `revisions`; or folders, one a checkpoint; or one folder that holds
            such folders (``step0``, ``step512``, …).
        revisions: Branches, tags or commits on the Hub; of a folder, folders in it.
        steps: One for each, where names do not say.
        tokens_per_step: How many tokens a step reads, where names do not say.
        load: What passes through to the library.

    Raises:
        InputError: If fewer than two are given, a name says no step, or two say the same.

    Example:
        >>> found = checkpoints("owner/name", ["step512", "step0", "step1000-tokens4B"])
        >>> [(each.step, each.tokens) for each in found]
        [(0, None), (512, None), (1000, 4000000000.0)]
    """
    load = load or LoadOptions()
    given = [model] if isinstance(model, str | Path) else list(model)
    places = _places([str(each) for each in given], revisions)
    if len(places) < 2:
        raise InputError(
            f"checkpoints: expected two or more, got {len(places)}; a history has a before and after"
        )
    if steps is not None and len(steps) != len(places):
        raise InputError(f"steps: expected one for each of {len(places)} checkpoints, got {len(steps)}")
    found: list[Checkpoint] = []
    for at, (where, name, revision) in enumerate(places):
        own = load if revision is None else replace(load, revision=revision)
        step = _step(name) if steps is None else int(steps[at])
        tokens = _tokens(name)
        if tokens is None and tokens_per_step is not None:
            tokens = float(step * tokens_per_step)
        found.append(Checkpoint(name=name, model=where, load=own, step=step, tokens=tokens))
    found.sort(key=lambda each: each.step)
    twice = next((b for a, b in pairwise(found) if a.step == b.step), None)
    if twice is not None:
        raise InputError(f"checkpoints: expected each step once, got {twice.step:,} twice; leave one out")
    return tuple(found)


def _places(given: list[str], revisions: Sequence[str] | None) -> list[tuple[str, str, str | None]]:
    """Where each checkpoint lies, what it is called, and its revision if it is on the Hub."""
    if len(given) > 1:
        if revisions is not None:
            raise InputError(
                "revisions: expected one model to take them of, got several; leave one or the other out"
            )
        return [(each, Path(each).name, None) for each in given]
    if not given:
        return []
    (only,) = given
    folder = Path(only)
    if not folder.is_dir():
        if revisions is None:
            raise InputError(
                f"revisions: expected some of {shown(only)}, or folders, one a checkpoint, got none; "
                "name them, as in --revisions step0,step512"
            )
        return [(only, name, name) for name in revisions]
    if revisions is not None:
        return [(str(folder / name), name, None) for name in revisions]
    inside = [
        each for each in sorted(folder.iterdir()) if _is_model(each) and STEP.search(each.name) is not None
    ]
    if not inside:
        raise InputError(
            f"checkpoints: expected folders such as step0 and step512 in {only}, found none; "
            "name the folders, one a checkpoint"
        )
    return [(str(each), each.name, None) for each in inside]


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or (folder / ADAPTER).is_file()


def _step(name: str) -> int:
    found = STEP.search(name)
    if found is None:
        raise InputError(
            f"checkpoints: expected a step in each name, such as step512 or checkpoint-500, got "
            f"{shown(name)}; give the numbers with --steps (steps=)"
        )
    return int(found[1])


def _tokens(name: str) -> float | None:
    found = TOKENS.search(name)
    return None if found is None else float(found[1]) * SCALES[found[2].lower()]


def identity(source: Source) -> str:
    """What a checkpoint is by its content: a hash of its files, or its commit on the Hub.

    Two folders of equal files have one identity, whatever they are called; a file that changes changes it.

    Raises:
        InputError: If the Hub does not say which commit it is.
    """
    if source.folder is None:
        if source.revision is None:
            raise InputError(f"model {source.name}: the Hub names no commit of it; name one as its revision")
        return f"{source.name}@{source.revision}"
    folders = [source.folder, *([source.adapter] if source.adapter is not None else [])]
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix in READ:
                digest.update(json.dumps([path.name, path.stat().st_size]).encode())
                with path.open("rb") as file:
                    while part := file.read(CHUNK):
                        digest.update(part)
    return digest.hexdigest()
