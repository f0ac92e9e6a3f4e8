"""Runs as dots: one each, its shape how the run ended, its colour what it was; and which may be averaged."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from linrep.page.ends import UNKNOWN, in_order, look
from linrep.page.interval import BESIDE, MEASURED, Estimates, Trace, line, points
from linrep.page.shell import label

FEW, MANY = 200, 2_000
"""Up to so many dots are large, beyond so many they are small."""
MOST_PLACES = 60
"""Most values along an axis for which medians are drawn."""

Cell = float | int | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A run, or those of its seeds that ended alike."""

    run: str
    across: Any
    up: float
    shade: Cell = None
    """What its colour tells."""
    ended: str = UNKNOWN
    """A word of :data:`linrep.runs.summary.END_WORDS` or of :mod:`linrep.page.ends`."""
    seeds: int = 1
    of: int = 1
    """Seeds of the run."""

    @property
    def words(self) -> str:
        """Which it is, for a reader who points at it."""
        seeds = "" if self.of == 1 else f"{self.seeds} of {self.of} seeds, "
        return f"{label(self.run)}<br>{seeds}{self.ended}"


def place(value: Any) -> Any:
    """A value where plotly is to put it: truth values are words."""
    return str(value) if isinstance(value, bool) else value


def ordered(values: set[Any]) -> list[Any]:
    """Numbers before words, each ascending."""
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def alike(dots: Sequence[Dot]) -> list[Dot]:
    """Those that may be averaged: that converged; where none did, those of the most common end.

    Args:
        dots: In any order, which is kept.

    Example:
        >>> words = ("unfinished", "converged", "unfinished")
        >>> [dot.ended for dot in alike([Dot(run="a", across=1, up=0.5, ended=word) for word in words])]
        ['converged']
    """
    seeds: Counter[str] = Counter()
    for dot in dots:
        seeds[dot.ended] += dot.seeds
    word = "converged" if seeds["converged"] else max(seeds, key=seeds.__getitem__, default="")
    return [dot for dot in dots if dot.ended == word]


def drawn(dots: Sequence[Dot], name: str, colour: str | None, *, listed: bool, size: int) -> list[Trace]:
    """A trace for each way in which they ended.

    Args:
        dots: Of one colour.
        name: Of the colour.
        colour: As the palette names it; None where each end has its own.
        listed: Whether the legend has the name; else :func:`keys` tell all.
        size: How many dots the whole figure has.
    """
    radius, opacity = (8, 0.8) if size <= FEW else (6, 0.55) if size <= MANY else (4, 0.35)
    traces: list[Trace] = []
    for word in in_order({dot.ended for dot in dots}):
        those, found = [dot for dot in dots if dot.ended == word], look(word)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(name or word),
                "showlegend": listed,
                "x": [place(dot.across) for dot in those],
                "y": [dot.up for dot in those],
                "text": [dot.words for dot in those],
                "hovertemplate": "%{text}<br>%{x}: %{y:.3g}<extra></extra>",
                "marker": {
                    "color": colour or found.colour,
                    "symbol": found.symbol,
                    "size": radius,
                    "opacity": opacity,
                },
            }
        )
    return traces


def keys(words: set[str], *, own: bool) -> list[Trace]:
    """What the legend says of shapes.

    Args:
        words: For how runs ended.
        own: Whether each has its own colour.
    """
    return [_key(word, look(word).colour if own else "--ink", look(word).symbol) for word in in_order(words)]


def colour_keys(names: Sequence[tuple[str, str]]) -> list[Trace]:
    """What the legend says of colours: names, and colours as the palette names them."""
    return [_key(name, colour, "circle") for name, colour in names]


def _key(name: str, colour: str, symbol: str) -> Trace:
    marker = {"color": colour, "symbol": symbol, "size": 9}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "x": [None],
        "y": [None],
        "hoverinfo": "skip",
        "marker": marker,
    }


def medians(dots: Sequence[Dot], name: str, colour: str, *, joined: bool) -> list[Trace]:
    """A line through the medians of those that ended alike, or a bar at each where nothing lies between.

    Args:
        dots: Of one colour.
        name: Of it.
        colour: As the palette names it.
        joined: Whether places across are numbers.
    """
    at: dict[Any, list[float]] = defaultdict(list)
    for dot in alike(dots):
        at[dot.across].append(dot.up)
    if len(at) not in range(2, MOST_PLACES + 1):
        return []
    places = ordered(set(at))
    given = Estimates(
        name=name,
        colour=colour,
        x=[place(each) for each in places],
        centre=[median(at[each]) for each in places],
        hover="median at %{x}: %{y:.3g}<extra></extra>",
        listed=False,
    )
    if joined:
        return line(given, width=BESIDE)
    return points(given, symbol="line-ew", size=26, outline=MEASURED)


def limits(found: Sequence[tuple[Any, float]]) -> list[Trace]:
    """What theory says at each place, a diamond each.

    Args:
        found: Places and numbers; equal ones are drawn once.
    """
    once = list(dict.fromkeys(found))
    given = Estimates(
        name="predicted limit",
        colour="--predicted",
        x=[place(at) for at, _ in once],
        centre=[value for _, value in once],
        hover="predicted limit at %{x}: %{y:.3f}<extra></extra>",
    )
    return points(given, symbol="diamond", size=8) if once else []
