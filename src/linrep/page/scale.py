"""The two answers that every finding has, on every page and in every terminal: is it there, and how much?

*Is it there?* says the 95 % interval, held against what chance gives: yes where all of it lies beyond, no
where none of it does, undecided where it straddles. *How much?* is a number on a scale whose end is stated:
the predicted limit where theory gives one, else 1 or 0. So 0.39 beyond its null is a yes, 0.68 within a no,
and neither word says how much.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from linrep.geometry.record import Null, Similarity
from linrep.page.numbers import ABSENT, cosine, finite

Standing = Literal["yes", "no", "undecided", "note"]
"""Whether it is there; *note* where nothing can be said."""
HEIGHT = 14
"""Pixels of a drawn scale."""
CHANCE = 0.025
"""Of concepts of which each is held against 97.5 % of its own null, the share found where there are none."""
APART = 0.05
"""An overlap below which directions are apart, where chance's own overlaps reach down to 0."""
RULE = (
    "Is it there? Yes: the whole 95 % interval (Student's t over runs or, of one run, over vectors) lies "
    "beyond what chance gives; no: none of it does; undecided: it straddles it, or there are too few for an "
    "interval.",
    "How much? A number on a scale to a stated end: the predicted limit where theory gives one, else 1 "
    "(cosines, shares) or 0 (overlaps, gaps). The tick is chance, the whisker the interval.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A number between a start and an end that are stated, beside what chance gives.

    Example:
        >>> linear = Scale(name="linearity of g", value=0.93, interval95=(0.9, 0.95), null=0.12, end=0.95,
        ...                end_name="predicted")
        >>> linear.there, linear.words
        ('yes', 'linearity of g 0.93 [0.90, 0.95] of a predicted 0.95')
        >>> Scale(name="overlap", value=0.02, interval95=(0.0, 0.4), null=0.3, start=1.0, end=0.0).there
        'undecided'
    """

    name: str
    """Of the measure."""
    value: float | None
    """None where it does not exist."""
    interval95: tuple[float, float] | None = None
    null: float | None = None
    """Up to where chance reaches: its upper quantile, on a falling scale its lower."""
    null_name: str = "chance"
    """What chance is here, such as random pairs."""
    start: float = 0.0
    end: float = 1.0
    """Below the start, the scale falls: less is more, as of overlaps and gaps."""
    end_name: Literal["", "predicted"] = ""
    """Where the end comes from."""
    write: Callable[[Any], str] = cosine
    unit: str = ""
    """Follows the number, such as nats."""
    exact: bool = False
    """Nothing was sampled, so there is no interval: the number itself is held against chance."""

    @property
    def falls(self) -> bool:
        """Whether less is more."""
        return self.end < self.start

    @property
    def there(self) -> Standing:
        """Is it there? By the interval against chance alone: the end plays no part."""
        if finite(self.value) is None or finite(self.null) is None:
            return "note"
        ends = _numbers((self.value,) if self.exact else self.interval95 or ())
        if not ends:
            return "undecided"
        sign = -1 if self.falls else 1
        reached = [sign * end for end in ends]
        null = sign * (self.null or 0.0)
        return "yes" if min(reached) > null else "undecided" if max(reached) > null else "no"

    @property
    def number(self) -> str:
        """``0.93 [0.90, 0.95]``, with its unit."""
        if finite(self.value) is None:
            return ABSENT
        ends = _numbers(self.interval95 or ())
        bounds = f" [{self.write(ends[0])}, {self.write(ends[1])}]" if ends else ""
        return f"{self.write(self.value)}{bounds}{self.unit and ' '}{self.unit}"

    @property
    def whole(self) -> str:
        """Of what: ``of 1``, ``of a predicted 0.95``, ``towards 0``."""
        end = f"{self.end:g}" if self.end in (0, 1) else self.write(self.end)
        return f"{'towards' if self.falls else 'of'} {'a predicted ' if self.end_name else ''}{end}"

    @property
    def words(self) -> str:
        """In words: name, number and end."""
        return f"{self.name} {self.number} {self.whole}" if self.number != ABSENT else f"{self.name} {ABSENT}"

    @property
    def against(self) -> str:
        """What chance gives, in words; empty where that is not known."""
        if finite(self.null) is None:
            return ""
        return f"{self.null_name} {'down' if self.falls else 'up'} to {self.write(self.null)}"

    def at(self, number: float) -> float:
        """How far along the scale, from 0 at its start to 1 at its end or at what reaches further."""
        reached = [self.end, *_numbers((self.value,)), *_numbers(self.interval95 or ())]
        far = min(reached) if self.falls else max(reached)
        return min(max((number - self.start) / (far - self.start), 0.0), 1.0)


def similarity(
    found: Similarity | None,
    name: str,
    *,
    falls: bool = False,
    predicted: float | None = None,
) -> Scale:
    """A measure of the ruler on its scale.

    Args:
        found: Its record; None where there is none.
        name: Of the measure.
        falls: Whether less is more: an overlap. Chance then reaches down to its 95 % quantile mirrored at its
            mean, which lies below its lower quantile where it leans to the right, as means of |cosines| do;
            where that is no overlap at all, down to :data:`APART`.
        predicted: The limit, where theory gives one.

    Example:
        >>> similarity(None, "linearity of g").there
        'note'
    """
    null, start, end = None if found is None else found.null, float(falls), float(not falls)
    known = predicted is not None and predicted != start
    return Scale(
        name=name,
        value=None if found is None else found.mean,
        interval95=None if found is None else found.interval95,
        null=None if null is None else _low_end(null) if falls else null.q95,
        null_name="chance" if null is None else null.kind,
        start=start,
        end=predicted if predicted is not None and known else end,
        end_name="predicted" if known else "",
    )


def _low_end(null: Null) -> float:
    """Where chance's own overlaps begin, as far as a record keeps it."""
    mirrored = 2 * null.mean - null.q95
    return mirrored if mirrored > 0 else APART


def counted(part: int, whole: int, name: str) -> Scale:
    """How many of several concepts were found, each against its own null: a share with its exact interval.

    Clopper and Pearson (1934); by chance :data:`CHANCE` of them are found.

    Args:
        part: Those found.
        whole: Those looked for.
        name: Of the share.

    Example:
        >>> [counted(part, 4, "found").there for part in (0, 1, 3)]
        ['no', 'undecided', 'yes']
    """
    from scipy.stats import binomtest

    if not whole:
        return Scale(name=name, value=None)
    between = binomtest(part, whole).proportion_ci(0.95, "exact")
    low, high = float(between.low), float(between.high)
    return Scale(
        name=name,
        value=part / whole,
        interval95=(low, high if part else min(high, CHANCE)),  # none found is none there
        null=CHANCE,
    )


def _numbers(values: Iterable[float | None]) -> list[float]:
    """All of them, if all exist: half an interval is none."""
    found = [finite(value) for value in values]
    return [] if None in found else [value for value in found if value is not None]


def svg(scale: Scale) -> str:
    """The scale as a bar to its end, chance a tick, the interval a whisker; its numbers stand beside.

    Args:
        scale: What is drawn; nothing where it has no number.

    Example:
        >>> svg(Scale(name="a", value=0.5, null=0.1)).count("<line")
        2
    """
    value = finite(scale.value)
    if value is None:
        return ""
    middle = HEIGHT / 2

    def at(number: float) -> str:
        return f"{100 * scale.at(number):.1f}%"

    drawn = f'<rect class="track" y="4" width="100%" height="{HEIGHT - 8}"/>'
    drawn += f'<rect class="fill" y="4" width="{at(value)}" height="{HEIGHT - 8}"/>'
    if ends := _numbers(scale.interval95 or ()):
        low, high = map(at, ends)
        drawn += f'<line class="whisker" x1="{low}" x2="{high}" y1="{middle:g}" y2="{middle:g}"/>'
    if (null := finite(scale.null)) is not None:
        drawn += f'<line class="chance" x1="{at(null)}" x2="{at(null)}" y2="{HEIGHT}"/>'
    kind = "end predicted" if scale.end_name else "end"
    drawn += f'<line class="{kind}" x1="{at(scale.end)}" x2="{at(scale.end)}" y2="{HEIGHT}"/>'
    said = escape(". ".join(filter(None, (scale.words, scale.against))), quote=True)
    return f'<svg class="scale" role="img" aria-label="{said}" height="{HEIGHT}">{drawn}</svg>'


def bar(scale: Scale, width: int = 20) -> str:
    """The same in characters: filled up to the number, the interval shaded, chance a stroke.

    Args:
        scale: What is drawn; blank where it has no number.
        width: Characters.

    Example:
        >>> bar(Scale(name="a", value=0.5, interval95=(0.4, 0.6), null=0.1), 10)
        '█┃██▒▒····'
    """
    value = finite(scale.value)
    if value is None:
        return " " * width
    cells = ["█" if (i + 0.5) / width <= scale.at(value) else "·" for i in range(width)]
    if ends := _numbers(scale.interval95 or ()):
        low, high = sorted(map(scale.at, ends))
        cells = ["▒" if low <= (i + 0.5) / width <= high else cell for i, cell in enumerate(cells)]
    if (null := finite(scale.null)) is not None:
        cells[min(int(scale.at(null) * width), width - 1)] = "┃"
    return "".join(cells)
