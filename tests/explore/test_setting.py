"""What cannot be watched is refused before it is built: a step that nothing interrupts holds up every tab."""

from typing import Any

import pytest

import linrep
from linrep.explore.setting import MOST_ENTRIES, field_of, setting_of

WORLD = {"kind": "chain", "concepts": 3}


def categorical(concepts: int, states: int) -> dict[str, Any]:
    return {"kind": "categorical", "concepts": concepts, "states": states}


def written(concepts: int, states: int) -> dict[str, Any]:
    names = [f"s{state}" for state in range(states)]
    row = [1 / states] * states
    variables = [{"name": f"v{n}", "states": names, "table": [row]} for n in range(concepts)]
    return {"kind": "tables", "variables": variables}


TOO_MUCH: list[tuple[dict[str, Any], str, str]] = [
    ({"world": {"kind": "network", "network": "alarm"}}, "world", "too many to enumerate"),
    ({"world": written(12, 2)}, "world.concepts", "at most 8 to be watched, got 12"),
    ({"world": written(6, 4)}, "world", "at most 1,024 tokens to be watched, got 4,096"),
    (
        {"world": categorical(8, 100)},
        "world",
        "at most 1,024 tokens to be watched, got 10,000,000,000,000,000",
    ),
    ({"world": categorical(2, 32)}, "", ""),
    ({"world": categorical(3, 10)}, "", ""),
    ({"world": categorical(6, 3)}, "contexts", "contexts × tokens to be watched, got 4,096 × 729"),
    ({"training": {"optimizer": "sgd", "batch_size": 100_000}}, "training.batch_size", "at most 4,096"),
    ({"training": {"samples": 100_000_000}}, "training.samples", "at most 1,048,576"),
    ({"training": {"steps": 10**9}}, "training.steps", "at most 1,000,000 to be watched"),
    ({"training": {"steps": 0}}, "training.steps", "at least 1 to be watched, got 0"),
    ({"world": {"network": "asia"}, "training": {"optimizer": "newton"}}, "training.optimizer", "too slow"),
    ({"model": {"dim": 65}}, "model.dim", "at most 64 to be watched, got 65"),
    ({"model": {"encoder": "mlp", "width": 40_000, "layers": 1}}, "model.width", "1,600,000,000"),
    (
        {"model": {"encoder": "transformer", "width": 100_000, "layers": 100}},
        "model.width",
        "1,048,576 weights",
    ),
    ({"model": {"encoder": "transformer"}}, "", ""),
    ({"seed": 2**53}, "seed", "at most 9,007,199,254,740,991 to be watched"),
    ({"seed": 2**53 - 1}, "", ""),
    ({"compute": {"device": "cuda"}}, "compute.device", "tabs share the processor"),
    ({"world": {"kind": "network", "network": "../networks/asia"}}, "world.network", "a published network"),
]


@pytest.mark.parametrize(("parts", "field", "words"), TOO_MUCH)
def test_too_much_is_refused_at_once_and_what_is_not_is_taken(
    parts: dict[str, Any], field: str, words: str
) -> None:
    asked = {"world": WORLD, "training": {"optimizer": "gd", "steps": 10}, **parts}
    if not words:
        world = setting_of(asked).world
        assert len(world.codes) * len(world.tokens) <= MOST_ENTRIES
        return
    with pytest.raises(linrep.InputError) as error:
        setting_of(asked)
    assert words in str(error.value)
    assert field_of(error.value) == field
    assert "\n" not in str(error.value)


def test_a_card_that_may_be_taken_is_not() -> None:
    asked = {"world": WORLD, "compute": {"device": "auto", "threads": 7}}
    assert setting_of(asked).config.compute.device == "cpu"
    assert setting_of(asked).config.compute.threads == 1
