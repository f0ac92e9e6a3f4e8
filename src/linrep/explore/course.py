"""One run under way: the training of ``linrep run``, handed out wherever it may be looked at or changed.

Who only looks changes nothing: stops, pauses and looks leave every bit of the tables as it is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.explore.setting import MOST_DIM, MOST_STEPS, Setting
from linrep.laboratory.ended import judge
from linrep.laboratory.ending import ending
from linrep.laboratory.machine import threads
from linrep.laboratory.rate import rate_of
from linrep.laboratory.stage import Stage, stages_of
from linrep.laboratory.trajectory import SNAPSHOTS, History, begun, observed, step_sizes, under_way
from linrep.runs.config import Config
from linrep.runs.trace import Series
from linrep.seeds import generator
from linrep.theory.price import Price
from linrep.training.encoder import Table
from linrep.training.schedule import snapshot_steps
from linrep.training.state import State

EVERY_STEP, GROWTH = 200, 1.01
"""Up to here each step may be looked at, from here on steps so much further in proportion."""
LONG, SHORT = 0.5, 0.2
"""Seconds of a stretch of steps that nothing can end after which stretches are made so short."""
STRIDES = 1000
"""So many are prepared where they are asked for."""
Row = dict[Series, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was changed by hand on the way."""

    step: int
    """After so many."""
    what: str
    """In words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended, as ``linrep run`` would say it."""

    word: str
    step: int
    excess_nats: float
    target_nats: float
    """Up to which it counts as converged."""
    advice: str = ""
    """Where it diverged: at which step size, and what to do."""


class Course:
    """A run from its first step to its last, and beyond.

    Args:
        given: What is trained.
        stop: Asked while a wide start is found.

    Raises:
        InputError: A world that cannot be trained.
        KeyboardInterrupt: When stopped.

    Example:
        >>> from linrep.explore.setting import FIRST, setting_of
        >>> course = Course(setting_of({**FIRST, "training": {"optimizer": "gd", "steps": 30}}))
        >>> course.advance(7)
        >>> course.step, course.over
        (7, False)
    """

    def __init__(self, given: Setting, *, stop: Callable[[], bool] = lambda: False) -> None:
        self.config: Config = given.config
        self.world = given.world
        self.changes: list[Change] = []
        with threads(self.config.compute.threads):
            (self.stage,) = stages_of(self.config, (self.world,))
            self.state: State = begun(self.config, self.stage.trained_on, stop=stop)
            self.history = History()
            self._note()
        self._go_on()

    @property
    def step(self) -> int:
        """How many are made."""
        return self.state.step

    @property
    def over(self) -> bool:
        """Whether there is nothing left to train."""
        return self._ended or not bool(self.state.alive.any())

    @property
    def can_be_cut(self) -> bool:
        """Whether a config of fewer steps makes the same run as far as it has come.

        A schedule falls by the number of steps; and where a run ends early by looks at its loss, it ends at
        one of those that a run of so many steps takes.
        """
        return self.config.training.schedule == "constant" and not self._ends_at_looks

    @property
    def by_hand(self) -> bool:
        """Whether a config alone no longer says what was trained."""
        return bool(self.changes)

    @property
    def tables(self) -> tuple[Tensor, Tensor]:
        """F and G, [contexts, dim] and [tokens, dim], as ``linrep.run`` would return them."""
        return self.state.embedding[0].detach(), self.state.unembedding[0]

    def advance(self, step: int, *, seconds: float = float("inf"), stride: int = 0) -> None:
        """Train up to a step, or a little beyond it where steps are taken together; less if time is up.

        Args:
            step: How many in all.
            seconds: After so many no more steps are begun.
            stride: Stop at that very step, and ready to at every so many from there; a run that looks may end
                cannot.
        """
        until = time.monotonic() + seconds
        with threads(self.config.compute.threads):
            if stride and step not in self._places and not self._ends_at_looks:
                self._stop_every(stride, step)
            while self.step < step and not self.over:
                first, began = self.step, time.monotonic()
                if next(self._steps, None) is None:
                    self._ended = True
                elif self.step in self._snapshots:
                    self._note()
                now, made = time.monotonic(), self.step - first
                if now - began > LONG and made > 1 and not self._ends_at_looks:
                    self._stop_every(max(1, int(made * SHORT / (now - began))))
                if now >= until:
                    return
            self._ended = self._ended or self.step >= self.config.training.steps or self.state.over

    def _stop_every(self, stride: int, first: int | None = None) -> None:
        """Make ready to stop at a step, by default the next, and at every so many from there."""
        start, last = self.step + stride if first is None else first, self.config.training.steps
        self._go_on([*range(start, min(last, start + STRIDES * stride) + 1, stride), last])

    def look(self) -> Row:
        """Every measure with its null, as the trace of ``linrep run`` has it at this step."""
        with threads(self.config.compute.threads):
            return observed(self.config, self.stage, self.state, self._rate)

    def set_step_size(self, size: float) -> None:
        """Go on by another step size.

        Raises:
            InputError: Steps that are not constant ones, or no size of one.
        """
        training = self.config.training
        if not isinstance(training.step_size, float) or training.schedule != "constant":
            raise InputError(
                "training.step_size: steps find their own size here, or fall by a schedule; start again with "
                "a number and a constant schedule"
            )
        if not 0 < size <= 1e30:
            raise InputError(f"training.step_size: expected a number above 0, got {size:g}; set one")
        words = f"training.step_size {training.step_size:g} → {size:g}"
        self._change(self._with("training", step_size=size), words)

    def add_dimension(self) -> None:
        """One column more to both tables, drawn as a start is; moments of Adam begin at zero.

        Raises:
            InputError: Wider than can be watched, or an encoder of one width.
        """
        dim = self.state.unembedding.shape[2]
        if dim >= MOST_DIM:
            raise InputError(
                f"model.dim: expected at most {MOST_DIM} to be watched, got {dim + 1}; stop here"
            )
        if self.config.model.encoder != "table":
            raise InputError("model.dim: a network keeps the width it began with; start again")
        draw = generator(self.config.seed, "explore dimension", dim)
        scale = self.config.model.init_scale
        state = self.state

        def wider(table: Tensor, deviation: float) -> Tensor:
            column = torch.randn(*table.shape[:2], 1, generator=draw, dtype=torch.float64) * deviation
            return torch.cat([table, column.to(table.dtype)], 2)

        state.parameters = [wider(each, scale) for each in state.parameters]
        state.unembedding = wider(state.unembedding, scale)
        state.moments = [wider(each, 0.0) for each in state.moments]
        state.encoder = Table(state.parameters[0].shape[1], dim + 1, init_scale=scale)
        self._change(self._with("model", dim=dim + 1), f"model.dim {dim} → {dim + 1}")

    def train_on(self) -> None:
        """Twice as many steps in all; no change by hand, for a config can say it.

        Raises:
            InputError: A run that ended where it was to, a schedule that ends with the last step, or more
                steps than are watched.
        """
        training = self.config.training
        steps = 2 * training.steps
        if self.state.over:
            raise InputError(
                f"training.steps: the run ended at step {self.step:,}, where it was asked to; start again "
                "with a smaller training.until_excess or training.until_gradient"
            )
        if training.schedule != "constant":
            raise InputError("training.steps: the schedule ends with the last step; start again with more")
        if steps > MOST_STEPS:
            raise InputError(f"training.steps: expected at most {MOST_STEPS:,}, got {steps:,}; stop here")
        self.config = self._with("training", steps=steps)
        self._go_on()

    def end(self, price: Price | None) -> End:
        """How it ended, or stands, in the words of ``linrep run``.

        Args:
            price: Of linearity, where it is known: one of the reasons a run may rest above zero.
        """
        if self.history.steps[-1] != self.step:
            self._note()  # it ended before its last step
        state, rate = self.state, self._rate
        loss = self.history.rows[-1][Series("excess_loss_nats")]
        if not bool(state.alive.any()):
            step = int(state.diverged_at.max())
            advice = f"it left the finite numbers at step size {rate(step - 1):g}; lower training.step_size"
            return End(word="diverged", step=step, excess_nats=float("nan"), target_nats=0.0, advice=advice)
        with threads(self.config.compute.threads):
            found = judge(
                (self.world,),
                loss,
                ending(self.stage.trained_on, state, self.config.compute.method),
                rate_of(self.config, self.history),
                self.config,
                [None if price is None else price.nats],
            )
        target = float(found.target[0])
        return End(word=found.words[0], step=self.step, excess_nats=float(loss[0]), target_nats=target)

    def _with(self, table: str, **fields: object) -> Config:
        """The config with some fields of a table changed; checked before."""
        inner = getattr(self.config, table).model_copy(update=fields)
        return self.config.model_copy(update={table: inner})

    def _change(self, config: Config, words: str) -> None:
        self.config = config
        self.changes.append(Change(step=self.step, what=words))
        # What was measured before is of another training: a rate over both would be of neither.
        self.history = History()
        self._note()
        self._go_on()

    def _note(self) -> None:
        """Keep a look for the rate at which the run ends."""
        row = self.look_without_tables()
        self.history.rows.append(row)
        self.history.steps.append(self.step)

    def look_without_tables(self) -> Row:
        """The measures alone."""
        return {series: values for series, values in self.look().items() if series != SNAPSHOTS}

    @property
    def _ends_at_looks(self) -> bool:
        """Whether it is looks that end it early: steps that find their own size are judged one by one."""
        training = self.config.training
        wanted = training.until_excess is not None or training.until_gradient is not None
        return wanted and isinstance(training.step_size, float)

    def _go_on(self, wanted: Sequence[int] | None = None) -> None:
        """From where the state stands, by the config as it is.

        Args:
            wanted: Where it may be looked at, beside the snapshots.
        """
        self.stage: Stage = replace(self.stage, until=self.config.training.steps)
        self._ended = self.step >= self.config.training.steps or self.state.over
        self._snapshots = frozenset(
            snapshot_steps(self.config.training.steps, self.config.training.snapshots)
        )
        self.__dict__.pop("_rate", None)
        # Looks of our own would end a run elsewhere than those of ``linrep run``.
        more = () if self._ends_at_looks else wanted or places(self.config.training.steps)
        self._places = {*self._snapshots, *more}
        self._steps: Iterator[Stage] = under_way(
            self.config, [self.stage], self.state, self._rate, sorted(self._places)
        )

    @cached_property
    def _rate(self) -> Callable[[int], float]:
        return step_sizes(self.config)


def places(steps: int) -> list[int]:
    """Steps at which a run may be looked at, whatever the pace.

    Example:
        >>> len(places(3000)), places(3000)[-1]
        (499, 3000)
    """
    found = {*range(min(steps, EVERY_STEP) + 1), steps}
    place = EVERY_STEP
    while place < steps:
        place = max(place + 1, int(place * GROWTH))
        found.add(min(place, steps))
    return sorted(found)
