"""What a toy model's folder says of itself: settings, seed and the language they make."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linrep.errors import InputError
from linrep.llm.toy.language import Language
from linrep.llm.toy.make import ToySettings, toy_language
from linrep.llm.toy.save import WORLD, read_world


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that decided a toy model."""

    settings: ToySettings
    seed: int
    language: Language
    truth: dict[str, Any]
    """Everything that its `world.json` says."""


def known(folder: Path) -> Known | None:
    """The language of the toy model in a folder; None where it holds none of ours."""
    if not (folder / WORLD).is_file():
        return None
    try:
        _, truth = read_world(folder)
        settings, seed = ToySettings(**truth["settings"]), int(truth["seed"])
        spoken = toy_language(
            settings.concepts,
            settings.world,
            facts=settings.facts,
            frequency_ratio=settings.frequency_ratio,
            seed=seed,
        )
    except (InputError, KeyError, TypeError, ValueError):
        return None
    return Known(settings=settings, seed=seed, language=spoken, truth=truth)
