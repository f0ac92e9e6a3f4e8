"""One tab's laboratory: wishes in, looks out, a thread of its own that trains by turns.

A wish is plain data with a ``do``; what is sent is bytes for a look and plain data, with a ``kind``, for all
else. The thread ends within a slice of training once the tab is closed.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from linrep.errors import InputError, shown
from linrep.explore.course import Course
from linrep.explore.frames import Frame, packed
from linrep.explore.graph import edited
from linrep.explore.measures import Ahead, ahead, measured
from linrep.explore.report import begun_report, end_report, theory_report
from linrep.explore.setting import FIRST, Setting, field_of, setting_of
from linrep.explore.share import page_of, toml_of
from linrep.explore.turns import SLICE, Turns
from linrep.explore.view import View
from linrep.explore.wishes import Wish, Wishes
from linrep.laboratory.machine import enough_memory

Send = Callable[[bytes | dict[str, Any]], None]
UNSEEN = 2
"""Looks of a run that may be under way to the tab before it has drawn them."""
MOST_WISHES = 10_000
"""That wait: more no page asks for."""
PATIENCE = 1.0
"""Seconds after which a tab that draws nothing, because nobody sees it, no longer holds its run up."""
PACES = {"slow": 1.004, "normal": 1.02, "fast": 1.1, "full": float("inf")}
"""By which factor a look lies further on than the last one."""


@dataclass(slots=True)
class Watched:
    """A run in a tab."""

    number: int
    course: Course
    view: View
    theory: "Future[Ahead]"
    told_theory: bool = False
    told_end: bool = False

    @property
    def untold(self) -> bool:
        """Whether there is something to be said of it."""
        if self.told_theory:
            return self.course.over and not self.told_end
        return self.theory.done()


class Tab:
    """Everything one tab does.

    Args:
        turns: At the processors, shared by all tabs.
        theorist: Works out predictions, beside training.
        send: To the tab; called from the thread, and never after :meth:`close` has returned from its effect.
        network: A network's file that it may read.
    """

    def __init__(self, turns: Turns, theorist: Executor, send: Send, *, network: str | None = None) -> None:
        self._turns, self._theorist, self._send, self._network = turns, theorist, send, network
        self._wishes = Wishes()
        self._closed = threading.Event()
        self._runs: dict[int, Watched] = {}
        self._playing, self._contexts, self._pace = False, False, "normal"
        self._unseen, self._sent_at = 0, 0.0
        self.thread = threading.Thread(target=self._work, name="linrep explore", daemon=True)
        self.thread.start()

    def do(self, wish: Wish) -> bool:
        """Take a wish; it is done soon, in the order in which wishes came.

        Returns:
            Whether it was taken: not where too many wait.
        """
        if len(self._wishes) >= MOST_WISHES:
            return False
        self._wishes.put(wish)
        return True

    def close(self) -> None:
        """Let the thread end at the next look."""
        self._closed.set()
        self._wishes.put({"do": "nothing"})

    def _work(self) -> None:
        try:
            while not self._closed.is_set():
                self._survive(self._on)
        finally:
            for each in self._runs.values():
                each.theory.cancel()
            self._runs.clear()

    def _on(self) -> None:
        """Do what is asked for by now, and train a little."""
        self._next_wish()
        if self._closed.is_set():
            return
        self._tell_theory()
        if self._playing:
            self._train()

    def _survive(self, act: Callable[[], None], wish: Wish | None = None) -> None:
        """Act; what goes wrong is said, and the tab lives on."""
        of: dict[str, Any] = {} if wish is None else {"do": wish.get("do"), "serial": wish.get("serial")}
        try:
            with enough_memory():
                act()
        except InputError as error:
            self._send({"kind": "refused", "field": _place(error, wish), "says": str(error), **of})
        except KeyboardInterrupt:  # a wide start, or a page, that nobody waits for any more
            pass
        except Exception as error:
            if not self._closed.is_set():
                self._play(False)
                self._send(
                    {"kind": "failed", "says": " ".join(f"{type(error).__name__}: {error}".split()), **of}
                )
                logging.getLogger(__name__).exception("the laboratory failed")

    def _next_wish(self) -> None:
        """Do all that is asked for by now; wait where nothing else is to be done."""
        wait = self._waits()
        with contextlib.suppress(queue.Empty):
            while not self._closed.is_set():
                wish = self._wishes.get(wait)
                self._survive(lambda wish=wish: self._fulfil(wish), wish)
                wait = 0.0

    def _waits(self) -> float:
        """Seconds without a wish after which to go on."""
        if self._playing and not all(each.course.over for each in self._runs.values()):
            held_up = self._behind and self._pace != "full"
            return max(self._sent_at + PATIENCE - time.monotonic(), 0.0) if held_up else 0.0
        ready = any(each.untold for each in self._runs.values())
        return 0.0 if ready else 3600.0

    @property
    def _behind(self) -> bool:
        """Whether the tab draws more slowly than looks come."""
        return self._unseen >= UNSEEN * len(self._runs)

    def _fulfil(self, wish: Mapping[str, Any]) -> None:
        match wish.get("do"):
            case "start":
                self._start(wish)
            case "alone":
                if (second := self._runs.pop(1, None)) is not None:
                    second.theory.cancel()
                self._send({"kind": "alone"})
            case "play" | "pause" as which:
                self._play(which == "play")
            case "seen":
                self._unseen = max(self._unseen - 1, 0)
            case "pace":
                pace = wish.get("pace")
                if not isinstance(pace, str) or pace not in PACES:
                    raise InputError(f"pace: expected one of {', '.join(PACES)}, got {shown(pace)}")
                self._pace = pace
            case "contexts":
                self._contexts = bool(wish.get("shown"))
                self._look_again()
            case "step":
                self._play(False)
                for each in self._runs.values():
                    if not each.course.over:
                        self._onward(each, each.course.step + 1)
            case "step size" | "dimension" | "train on" | "toml" | "page":
                self._of_run(wish)
            case "nothing":
                pass
            case other:
                raise InputError(f"do: expected a wish, got {shown(other)}")

    def _of_run(self, wish: Mapping[str, Any]) -> None:
        """Wishes that concern one run, by default the first."""
        number = _number(wish)
        if (each := self._runs.get(number)) is None:
            raise InputError("run: there is none yet; start one")
        course = each.course
        match wish["do"]:
            case "step size":
                size = wish.get("size")
                if isinstance(size, bool) or not isinstance(size, int | float):
                    raise InputError(f"training.step_size: expected a number, got {shown(size)}; set one")
                small = isinstance(size, float) or abs(size) < 2**1000  # a float has no room for more
                course.set_step_size(float(size) if small else float("inf"))
            case "dimension":
                course.add_dimension()
            case "train on":
                course.train_on()
            case "toml":
                self._send({"kind": "toml", "run": each.number, "text": toml_of(course)})
                return
            case _:
                text = page_of(course, stop=lambda: self._unwanted(number))
                self._send({"kind": "page", "run": each.number, "text": text})
                return
        each.told_end = False
        self._ask_theory(each)
        self._send(begun_report(each.number, course, each.view, changed=True))
        self._look(each)

    def _start(self, wish: Wish) -> None:
        number, asked, edit = _number(wish), wish.get("config", FIRST), wish.get("edit")
        if not isinstance(asked, Mapping):
            raise InputError(f"start: expected a config, got {shown(asked)}")
        if not isinstance(edit, Mapping | None):
            raise InputError(f"edit: expected a change of the graph, got {shown(edit)}")
        given = setting_of(asked, network=self._network)
        if edit is not None:
            world = edited(given.world.model, edit)
            given = setting_of({**asked, "world": world}, network=self._network)
        course = Course(given, stop=lambda: self._unwanted(number))
        if number in self._runs:
            self._runs[number].theory.cancel()
        each = Watched(number=number, course=course, view=View(course.world), theory=self._asked(given))
        self._runs[number] = each
        self._send(begun_report(number, course, each.view) | {"serial": wish.get("serial")})
        self._look(each)

    def _unwanted(self, number: int) -> bool:
        """Whether nobody waits for what is being made of a run."""
        return self._closed.is_set() or self._wishes.starts(number)

    def _play(self, playing: bool) -> None:
        self._playing = playing
        self._send({"kind": "playing", "playing": playing})

    def _asked(self, given: Setting) -> "Future[Ahead]":
        found = self._theorist.submit(ahead, given)
        found.add_done_callback(lambda _: self._wishes.put({"do": "nothing"}))
        return found

    def _ask_theory(self, each: Watched) -> None:
        each.theory.cancel()
        each.theory = self._asked(Setting(config=each.course.config, world=each.course.world))
        each.told_theory = False

    def _tell_theory(self) -> None:
        for each in self._runs.values():
            if not each.told_theory and each.theory.done():
                each.told_theory = True
                self._send(theory_report(each.number, _found(each.theory)))
            if each.told_theory and each.course.over and not each.told_end:
                each.told_end = True
                self._send(end_report(each.number, each.course, _found(each.theory)))

    def _train(self) -> None:
        for each in list(self._runs.values()):
            if each.course.over:
                continue
            factor = PACES[self._pace]
            step = each.course.step
            goal = 2**62 if factor == float("inf") else max(step + 1, int(step * factor))
            self._onward(each, goal)
        if all(each.course.over for each in self._runs.values()):
            self._play(False)

    def _onward(self, each: Watched, goal: int) -> None:
        with self._turns.turn():
            each.course.advance(goal, seconds=SLICE)
            if not self._behind or time.monotonic() > self._sent_at + PATIENCE or each.course.over:
                self._look(each)

    def _look_again(self) -> None:
        for each in self._runs.values():
            self._look(each)

    def _look(self, each: Watched) -> None:
        course = each.course
        picture = each.view.picture(*course.tables, contexts=self._contexts)
        frame = Frame(run=each.number, step=course.step, picture=picture, measures=measured(course.look()))
        self._unseen, self._sent_at = self._unseen + 1, time.monotonic()
        self._send(packed(frame))


def _number(wish: Wish) -> int:
    """Of the run that a wish is about, by default the first."""
    number = wish.get("run", 0)
    if type(number) is not int or number not in (0, 1):
        raise InputError(f"run: expected 0 or 1, got {shown(number)}")
    return number


def _place(error: InputError, wish: Wish | None) -> str:
    """Where to say what is wrong: beside the button, or the name, that asked for a change of the graph."""
    field, edit = field_of(error), (wish or {}).get("edit")
    kind = edit.get("kind") if isinstance(edit, Mapping) else None
    asked = "bif" if kind == "bif" else "name" if kind == "rename" else ""
    return asked if asked and field.partition(".")[0] in ("", "world") else field


def _found(theory: "Future[Ahead]") -> Ahead:
    """What theory says; where it broke down, that it did."""
    if (error := theory.exception()) is None:
        return theory.result()
    logging.getLogger(__name__).error("the prediction failed", exc_info=error)
    return Ahead(status="", reason="the prediction failed", no_price="the prediction failed")
