"""What an answer rests on: effect sizes with their intervals, each held against the bound claimed."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from linrep.intervals import Effect, Range
from linrep.page.numbers import short
from linrep.page.scale import Standing

UNIT: Range = (-1, 1)
"""Where a cosine can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An effect held against a bound; made by :func:`above`, :func:`below` and :func:`within`."""

    name: str
    """What is measured and where, as in "linearity of g, m = 5, wide start"."""
    effect: Effect
    claimed: Range
    """Where it lies if the answer is yes; one end may be infinite."""
    write: Callable[[Any], str] = short

    @property
    def standing(self) -> Literal["yes", "no", "undecided"]:
        """Yes if the whole interval lies where it is claimed, no if it lies wholly elsewhere.

        Example:
            >>> few = Effect(value=0.99, interval95=None, runs=(2,))
            >>> above("linearity of g", few, 0.9).standing
            'undecided'
        """
        if self.effect.interval95 is None or math.isnan(self.effect.value):
            return "undecided"
        (low, high), (least, most) = self.effect.interval95, self.claimed
        if low > least and high < most:
            return "yes"
        return "no" if high <= least or low >= most else "undecided"

    @property
    def measured(self) -> str:
        """Value and interval, as in "0.98 [0.97, 0.99]"."""
        value, interval = self.write(self.effect.value), self.effect.interval95
        if interval is None:
            return value
        return f"{value} [{self.write(interval[0])}, {self.write(interval[1])}]"

    @property
    def bound(self) -> str:
        """As in "above 0.9" or "between −0.6 and −0.4"."""
        least, most = self.claimed
        if math.isinf(most):
            return f"above {self.write(least)}"
        if math.isinf(least):
            return f"below {self.write(most)}"
        return f"between {self.write(least)} and {self.write(most)}"

    @property
    def count(self) -> str:
        """How many runs stand behind it, as in "20" or "20 and 18"."""
        return " and ".join(map(str, self.effect.runs))

    def record(self) -> dict[str, Any]:
        """Plain data; an infinite end is null."""
        return {
            "name": self.name,
            "value": None if math.isnan(self.effect.value) else self.effect.value,
            "interval95": self.effect.interval95 and list(self.effect.interval95),
            "runs": list(self.effect.runs),
            "measured": self.measured,
            "bound": self.bound,
            "claimed": [None if math.isinf(end) else end for end in self.claimed],
            "standing": self.standing,
        }


def above(name: str, effect: Effect, bound: float, write: Callable[[Any], str] = short) -> Held:
    """An effect that is claimed to lie above a bound.

    Args:
        name: What is measured, and where.
        effect: From :func:`linrep.paper.ended.mean_over`, :func:`linrep.intervals.difference` or another.
        bound: The claim.
        write: How its numbers are written; :func:`linrep.page.numbers.cosine` for cosines.

    Example:
        >>> held = above("gain", Effect(value=0.2, interval95=(0.1, 0.3), runs=(8, 8)), 0.0)
        >>> held.standing, held.measured, held.bound, held.count
        ('yes', '0.20 [0.10, 0.30]', 'above 0.00', '8 and 8')
    """
    return Held(name=name, effect=effect, claimed=(bound, math.inf), write=write)


def below(name: str, effect: Effect, bound: float, write: Callable[[Any], str] = short) -> Held:
    """An effect that is claimed to lie below a bound; as :func:`above`."""
    return Held(name=name, effect=effect, claimed=(-math.inf, bound), write=write)


def within(name: str, effect: Effect, claimed: Range, write: Callable[[Any], str] = short) -> Held:
    """An effect that is claimed to lie between two bounds, such as near a predicted constant.

    Example:
        >>> slope = Effect(value=-0.5, interval95=(-0.7, -0.3), runs=(20,))
        >>> within("slope", slope, (-0.6, -0.4)).standing
        'undecided'
    """
    return Held(name=name, effect=effect, claimed=claimed, write=write)


def judged(effects: Iterable[Held]) -> Standing:
    """Yes if every interval lies where it is claimed, no if one lies wholly elsewhere, else undecided.

    Example:
        >>> sure = Effect(value=0.2, interval95=(0.1, 0.3), runs=(8,))
        >>> judged([above("a", sure, 0.0), above("b", sure, 0.2)]), judged([below("a", sure, 0.0)])
        ('undecided', 'no')
    """
    found = {each.standing for each in effects}
    if found == {"yes"}:
        return "yes"
    return "no" if "no" in found else "undecided"


def span(effects: Sequence[Held]) -> str:
    """The least and the largest, each with where it was seen: what a name says after its first comma.

    Example:
        >>> found = [Effect(value=x, interval95=(x - 0.1, x + 0.1), runs=(8,)) for x in (0.3, 0.5, 0.2)]
        >>> span([above(f"gain, m = {m}", each, 0.0) for m, each in zip((3, 4, 5), found, strict=True)])
        '0.20 [0.10, 0.30] (m = 5) to 0.50 [0.40, 0.60] (m = 4)'
    """
    ordered = sorted(effects, key=lambda each: each.effect.value)
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return " to ".join(f"{each.measured} ({each.name.partition(', ')[2]})" for each in ends)
