"""The house: rooms in storeys, few modules at the top, tests that mirror it, and the plan that is drawn."""

import ast
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import linrep

ROOT = Path(__file__).parents[1]
SOURCE = Path(linrep.__file__).parent
ROOMS = sorted(name for name in linrep.__all__ if isinstance(getattr(linrep, name), ModuleType))
BESIDE = {"theorems", "support", "faults", "data", "docs"}
PLAN = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def contract() -> dict[str, object]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return settings["tool"]["importlinter"]["contracts"][0]


def storeys() -> list[str]:
    layers = contract()["layers"]
    assert isinstance(layers, list)
    return layers


def folders(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.is_dir() and any(path.rglob("*.*"))} - {
        "__pycache__"
    }


def test_every_room_has_a_storey_and_there_are_few() -> None:
    assert contract()["exhaustive"] is True
    assert len(storeys()) <= 12
    placed = {name for storey in storeys() for name in re.findall(r"\w+", storey)}
    assert set(ROOMS) == folders(SOURCE)
    assert placed >= set(ROOMS)
    assert placed - set(ROOMS) == {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}


def test_the_top_of_the_house_stays_small() -> None:
    assert len(list(SOURCE.glob("*.py"))) <= 8


def test_tests_mirror_the_rooms() -> None:
    assert folders(ROOT / "tests") == {*ROOMS, *BESIDE}
    for room in ROOMS:
        assert list((ROOT / "tests" / room).rglob("test_*.py")), f"{room} has no tests"


def test_the_plan_is_the_contract() -> None:
    (drawn,) = re.findall(r"```text\n(.*?)```", PLAN, flags=re.DOTALL)
    assert drawn.splitlines() == storeys()


def paragraphs() -> dict[str, str]:
    return dict(re.findall(r"^- \*\*(\w+)\*\* (.*?)(?=^- |^\n|\Z)", PLAN, flags=re.DOTALL | re.MULTILINE))


def nouns(room: str) -> set[str]:
    """What a room defines anywhere."""
    found: set[str] = set()
    for path in (SOURCE / room).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_paragraph_of_each_room_names_objects_that_live_there(room: str) -> None:
    text = paragraphs()[room]
    named = set(re.findall(r"`(\w+)`", text)) - set(ROOMS)
    assert named <= nouns(room), f"{room}: not there: {named - nouns(room)}"
    assert named or room in ("page", "cli")
