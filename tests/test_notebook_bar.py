"""A notebook is no terminal: the bar is an output of the cell, rewritten, and empty at the end."""

import builtins
import sys
from types import ModuleType

import pytest

from linrep.progress import progress_bar


class ZMQInteractiveShell:
    """What rich takes for a notebook."""


class Place:
    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def update(self, shown: str) -> None:
        self.seen.append(shown)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    written: list[str] = []

    def display(shown: str, *, display_id: bool) -> Place:
        assert display_id
        written.append(shown)
        return Place(written)

    fake = ModuleType("IPython.display")
    fake.display, fake.HTML = display, str  # pyright: ignore
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr("linrep.progress.NOTEBOOK_SECONDS", -1.0)
    return written


def test_the_bar_of_a_notebook(seen: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("training <1>") as advance:
        advance(5, 10, 0.25)
    assert "training &lt;1&gt; <progress></progress>" in seen[0]
    assert '<progress value="5" max="10">' in seen[1]
    assert "excess 0.25 nats" in seen[1]
    assert seen[-1] == ""
    assert capfd.readouterr() == ("", "")


def test_it_goes_when_the_work_fails_and_can_be_silenced(seen: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), progress_bar("training"):
        raise KeyboardInterrupt
    assert seen[-1] == ""
    seen.clear()
    with progress_bar("training", quiet=True) as advance:
        assert advance is None
    assert not seen
