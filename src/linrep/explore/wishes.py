"""What a tab asked for and has not got yet, in order: of starts of one run the last alone."""

import queue
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from linrep.errors import InputError, shown
from linrep.explore.setting import field_of

Wish = Mapping[str, Any]


class Wishes:
    """A queue between a tab's connection and its thread.

    Who moves a slider asks for a start at every notch. Only the last of them is wanted, and what is under way
    for an earlier one may end.

    Example:
        >>> wishes = Wishes()
        >>> for dim in (3, 4, 5):
        ...     wishes.put({"do": "start", "config": {"model": {"dim": dim}}})
        >>> wishes.get(0.0)["config"]["model"]["dim"], len(wishes)
        (5, 0)
    """

    def __init__(self) -> None:
        self._waiting: deque[Wish] = deque()
        self._there = threading.Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, wish: Wish) -> None:
        """Add one at the end."""
        with self._there:
            self._waiting.append(wish)
            self._there.notify()

    def get(self, seconds: float) -> Wish:
        """The next one.

        Args:
            seconds: To wait for it.

        Raises:
            queue.Empty: Where none has come.
        """
        with self._there:
            if not self._there.wait_for(lambda: self._waiting, seconds):
                raise queue.Empty
            wish = self._waiting.popleft()
            while wish.get("do") == "start" and self._starts(wish.get("run", 0)):
                wish = self._waiting.popleft()
            return wish

    def starts(self, run: int) -> bool:
        """Whether a start of a run waits, so that nothing more is wanted of the one before.

        Args:
            run: 0, or 1 for the one beside it.
        """
        with self._there:
            return self._starts(run)

    def _starts(self, run: object) -> bool:
        return any(each.get("do") == "start" and each.get("run", 0) == run for each in self._waiting)


def number_of(wish: Wish) -> int:
    """Of the run that a wish is about, by default the first."""
    number = wish.get("run", 0)
    if type(number) is not int or number not in (0, 1):
        raise InputError(f"run: expected 0 or 1, got {shown(number)}")
    return number


def as_much_wider(model: object, before: int, after: int) -> dict[str, Any]:
    """The width of a world that has another number of concepts; nothing where none is set."""
    dim = model.get("dim") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not isinstance(dim, int):
        return {}
    return {"model": {**model, "dim": max(1, dim + after - before)}}


def place_of(error: InputError, wish: Wish | None) -> str:
    """Where to say what is wrong: beside the button, or the name, that asked for a change of the graph."""
    field, edit = field_of(error), (wish or {}).get("edit")
    kind = edit.get("kind") if isinstance(edit, Mapping) else None
    asked = "bif" if kind == "bif" else "name" if kind == "rename" else ""
    return asked if asked and field.partition(".")[0] in ("", "world") else field
