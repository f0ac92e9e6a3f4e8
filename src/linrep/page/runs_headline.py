"""What many runs come to, in sentences that are true of their numbers: of runs that ended alike alone."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

from linrep.errors import many
from linrep.page.dots import MOST_PLACES, Dot, alike
from linrep.page.ends import SEVERAL, UNKNOWN, in_order
from linrep.page.numbers import count
from linrep.page.runs_dots import Drawn
from linrep.page.runs_plot import words, writer, written
from linrep.page.shell import Line


def headline(dots: Sequence[Dot], x: str, y: str) -> str:
    """Where the median over runs that ended alike is highest, and where lowest.

    Args:
        dots: At least one.
        x: Field across.
        y: Field up.

    Example:
        >>> given = [("a", 2, 0.9, "converged"), ("b", 8, 0.4, "converged"), ("c", 8, 0.9, "unfinished")]
        >>> dots = [Dot(run=run, across=at, up=up, ended=end) for run, at, up, end in given]
        >>> headline(dots, "model.dim", "final.alignment.median")
        'Over the 2 runs that converged, alignment is highest at width k = 2 (0.90) and lowest at 8 (0.40)'
    """
    chosen, write = alike(dots), writer(y)
    name = words(y).removesuffix(" (median)")
    who = of_whom(chosen, dots)
    at: dict[Any, list[float]] = defaultdict(list)
    for dot in chosen:
        at[dot.across].append(dot.up)
    values = {place: median(found) for place, found in at.items()}
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    if len(values) > MOST_PLACES:
        ends = [write(f(dot.up for dot in chosen)) for f in (min, max)]
        return f"{who}, {name} lies between {ends[0]} and {ends[1]}"
    if write(values[low]) == write(values[high]):
        where = f"at every {words(x)}" if len(values) > 1 else f"at {words(x)} {written(low)}"
        return f"{who}, {name} is {write(values[high])} {where}"
    equals = " = " if not isinstance(high, str) else " "
    most, least = f"{written(high)} ({write(values[high])})", f"{written(low)} ({write(values[low])})"
    return f"{who}, {name} is highest at {words(x)}{equals}{most} and lowest at {least}"


def of_whom(chosen: Sequence[Dot], dots: Sequence[Dot]) -> str:
    """Which runs a sentence speaks of.

    Args:
        chosen: Those that ended alike.
        dots: All.
    """
    number, ended = count(len({dot.run for dot in chosen})), chosen[0].ended
    runs = "run" if number == "1" else "runs"
    if ended in (UNKNOWN, SEVERAL):
        return f"Over {number} {runs}{' whose seeds ended differently' if ended == SEVERAL else ''}"
    if any(dot.of > 1 for dot in dots):
        how = "converged" if ended == "converged" else f"ended {ended}"
        how = "stayed on a plateau" if ended == "on a plateau" else how
        return f"Where seeds {how} ({number} of {count(len({dot.run for dot in dots}))} runs)"
    how = {"converged": "that converged", "on a plateau": "on a plateau"}.get(ended, f"that ended {ended}")
    return f"Over the {number} {runs} {how}"


def lines(found: Drawn, failed: int, y: str, x: str) -> list[Line]:
    """How runs ended, how far they are from theory, and what is not drawn."""
    said = [ends(found.dots)]
    if found.apart:
        write = writer(y)
        runs = many(len(found.apart), "run")
        said.append(
            Line(
                there="note",
                word="theory",
                claim=f"{write(median(found.apart))} from the predicted limit, the median over {runs} that "
                "converged and have one.",
                detail=f"The farthest is {write(max(found.apart))} from it.",
            )
        )
    if found.missing:
        runs = many(found.missing, "run")
        claim = f"Not drawn: {runs} without {words(x)} or {words(y)}."
        said.append(Line(there="note", claim=claim))
    if failed:
        are = "is" if failed == 1 else "are"
        claim = f"{many(failed, 'failed cell')} of sweeps in this folder {are} named below."
        said.append(Line(there="note", claim=claim))
    return said


def ends(dots: Sequence[Dot]) -> Line:
    """How many seeds ended in each way."""
    seeds: Counter[str] = Counter()
    for dot in dots:
        seeds[dot.ended] += dot.seeds
    several = any(dot.of > 1 for dot in dots)
    parts = [f"{count(seeds[word])} {word}" for word in in_order(set(seeds))]
    what = "Seeds of these runs" if several else "These runs"
    said = "how they ended was not measured" if set(seeds) == {UNKNOWN} else ", ".join(parts)
    return Line(
        there="note",
        word="runs",
        claim=f"{what}: {said}.",
        detail="Those that ended differently are never averaged." if len(seeds) > 1 else "",
    )
