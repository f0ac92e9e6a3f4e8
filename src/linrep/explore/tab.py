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
from typing import Any

from linrep.errors import InputError, shown
from linrep.explore.course import Course
from linrep.explore.frames import Frame, packed
from linrep.explore.graph import edited
from linrep.explore.measures import Ahead, ahead, measured
from linrep.explore.report import begun_report, end_report, theory_report
from linrep.explore.setting import FIRST, Setting, setting_of
from linrep.explore.share import page_of, toml_of
from linrep.explore.turns import SLICE, Turns
from linrep.explore.view import View
from linrep.explore.watched import Watched, found_of
from linrep.explore.wishes import Wish, Wishes, as_much_wider, number_of, place_of
from linrep.laboratory.machine import enough_memory

Send = Callable[[bytes | dict[str, Any]], None]
UNSEEN = 2
"""Looks of a run that may be under way to the tab before it has drawn them."""
MOST_WISHES = 10_000
"""That wait: more no page asks for."""
PATIENCE = 1.0
"""Seconds after which a tab that draws nothing, because nobody sees it, no longer holds its run up."""
SLOW_LOOKS = 600
"""Looks of a whole run at the slow pace, which stays the same."""
GROWTH = {"normal": 1.02, "fast": 1.1}
"""By which factor a look lies further on than the last one."""
PACES = ("slow", *GROWTH, "full")
ORDINALS = ("first", "second")


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
            self._send({"kind": "refused", "field": place_of(error, wish), "says": str(error), **of})
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
                self._look_again(stale=True)
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
                        self._onward(each, each.course.step + 1, 1)
                self._look_again(stale=True)
            case "step size" | "dimension" | "train on" | "toml" | "page":
                self._of_run(wish)
            case "nothing":
                pass
            case other:
                raise InputError(f"do: expected a wish, got {shown(other)}")

    def _of_run(self, wish: Mapping[str, Any]) -> None:
        """Wishes that concern one run, by default the first."""
        number = number_of(wish)
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
                whose = ORDINALS[number] if len(self._runs) > 1 else ""
                self._send({"kind": "toml", "run": number, "text": toml_of(course, whose)})
                return
            case _:
                text = page_of(course, stop=lambda: self._unwanted(number))
                self._send({"kind": "page", "run": number, "text": text})
                return
        each.told_end = False
        self._ask_theory(each)
        self._send(begun_report(each.number, course, each.view, changed=True))
        self._look(each)

    def _start(self, wish: Wish) -> None:
        number, asked, edit = number_of(wish), wish.get("config", FIRST), wish.get("edit")
        if not isinstance(asked, Mapping):
            raise InputError(f"start: expected a config, got {shown(asked)}")
        if not isinstance(edit, Mapping | None):
            raise InputError(f"edit: expected a change of the graph, got {shown(edit)}")
        given = setting_of(asked, network=self._network)
        if edit is not None:
            world = edited(given.world.model, edit)
            model = as_much_wider(asked.get("model"), given.world.model.concepts, len(world["variables"]))
            given = setting_of({**asked, **model, "world": world}, network=self._network)
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
                self._send(theory_report(each.number, found_of(each.theory)))
            if each.told_theory and each.course.over and not each.told_end:
                each.told_end = True
                self._send(end_report(each.number, each.course, found_of(each.theory)))

    def _train(self) -> None:
        for each in list(self._runs.values()):
            if each.course.over:
                continue
            self._onward(each, *self._goal(each.course))
        if all(each.course.over for each in self._runs.values()):
            self._play(False)

    def _goal(self, course: Course) -> tuple[int, int]:
        """The step at which the next look is wanted, and the stride where it is wanted at that very step."""
        match self._pace:
            case "full":
                return 2**62, 0
            case "slow":
                stride = max(1, course.config.training.steps // SLOW_LOOKS)
                return (course.step // stride + 1) * stride, stride
            case pace:
                return max(course.step + 1, int(course.step * GROWTH[pace])), 0

    def _onward(self, each: Watched, goal: int, stride: int) -> None:
        with self._turns.turn():
            each.course.advance(goal, seconds=SLICE, stride=stride)
            if not self._behind or time.monotonic() > self._sent_at + PATIENCE or each.course.over:
                self._look(each)

    def _look_again(self, *, stale: bool = False) -> None:
        """At every run, or at those that have gone on since, for the tab was behind."""
        for each in self._runs.values():
            if not stale or each.told_step != each.course.step:
                self._look(each)

    def _look(self, each: Watched) -> None:
        course, each.told_step = each.course, each.course.step
        picture = each.view.picture(*course.tables, contexts=self._contexts)
        frame = Frame(run=each.number, step=course.step, picture=picture, measures=measured(course.look()))
        self._unseen, self._sent_at = self._unseen + 1, time.monotonic()
        self._send(packed(frame))
