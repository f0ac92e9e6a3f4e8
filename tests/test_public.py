"""The public surface: small, listed, lazy, and shown by examples."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import linrep


def test_every_public_name_is_there() -> None:
    rooms = [name for name in linrep.__all__ if isinstance(getattr(linrep, name), ModuleType)]
    assert len(rooms) == 14
    assert len(linrep.__all__) - len(rooms) <= 30
    for name in linrep.__all__:
        assert getattr(linrep, name) is not None
    assert dir(linrep) == linrep.__all__
    with pytest.raises(AttributeError, match="nothing"):
        _ = linrep.nothing  # pyright: ignore


ROOMS = sorted(name for name in linrep.__all__ if isinstance(getattr(linrep, name), ModuleType))


@pytest.mark.parametrize("name", [room for room in ROOMS if room != "cli"])
def test_a_room_shows_its_nouns_and_no_module_hides_one(name: str) -> None:
    room = getattr(linrep, name)
    modules = {path.stem for path in Path(room.__file__).parent.glob("*")}
    assert room.__all__
    assert not modules & set(room.__all__), "a module would hide the noun of its name"
    for noun in room.__all__:
        assert not isinstance(getattr(room, noun), ModuleType)


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'pandas', 'numpy', 'plotly', 'matplotlib', 'transformers'}"
    verbs = "linrep.measure, linrep.run, linrep.sweep, linrep.open, linrep.predict"
    named = f"linrep.geometry, linrep.sweeps, linrep.theory, linrep.page, {verbs}"
    code = f"import sys, linrep; {named}; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


NEEDS_A_MODEL = {"LMResult", "LanguageModel", "SteerResult", "load_model", "measure", "steer"}
"""Of the room of language models: an example would have to train or load one; its tests do."""


@pytest.mark.parametrize("name", ["", *(room for room in ROOMS if room != "cli")])
def test_every_public_name_shows_an_example(name: str) -> None:
    """Examples themselves run as doctests."""
    place = getattr(linrep, name) if name else linrep
    nouns = {noun: getattr(place, noun) for noun in place.__all__}
    without = {
        noun
        for noun, what in nouns.items()
        if callable(what) and ">>>" not in (what.__doc__ or "") and not isinstance(what, ModuleType)
    }
    assert without == (NEEDS_A_MODEL if name == "llm" else set())
