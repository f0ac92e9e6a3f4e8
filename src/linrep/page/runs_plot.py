"""Figures of many runs: one dot a run with medians, and the grid of medians."""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from linrep.page import heat, palette
from linrep.page.interval import MEASURED, Estimates, Trace, line, points
from linrep.page.numbers import ABSENT, count
from linrep.page.shell import Block, label
from linrep.runs.config import Config

MOST_COLOURS = 10
MOST_PLACES = 60
"""Most values along an axis for which medians are drawn."""
MOST_TICKS = 12
MOST_WRITTEN = 120
"""Most cells of a grid whose numbers are written into them."""
FEW = 200
"""Up to so many dots are large."""
OF = ("of g", "of f")
WORDS = {"unembedding": OF[0], "embedding": OF[1], "rmse": "RMSE"}

Cell = float | int | str | bool | None
Dot = tuple[str, Any, float, Cell]
"""A run: its key, and where it lies across, up and by colour."""


def words(field: str) -> str:
    """A field as a reader says it; those of the config keep the names under which they are set.

    Example:
        >>> words("final.linearity.unembedding.median"), words("final.excess_loss_nats.mean")
        ('linearity of g (median)', 'excess loss in nats (mean)')
        >>> words("training.step_size")
        'training.step_size'
    """
    if field.partition(".")[0] in Config.model_fields:
        return field
    measure, *rest = field.removeprefix("final.").split(".")
    for unit in ("nats", "degrees"):
        measure = measure.replace(f"_{unit}", f" in {unit}")
    named = [WORDS.get(part, part.replace("_", " ")) for part in rest]
    said = " ".join(
        [measure.replace("_", " ").replace("log odds", "log-odds"), *(n for n in named if n in OF)]
    )
    beside = ", ".join(each for each in named if each not in OF)
    return f"{said} ({beside})" if beside else said


def written(value: Cell) -> str:
    """A value of a field, as short as it is exact."""
    return ABSENT if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def ordered(values: set[Any]) -> list[Any]:
    """Numbers before words, each ascending."""
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def scatter(dots: Sequence[Dot], x: str, y: str, colour: str | None) -> Block:
    """Every run as a dot, and lines through the medians."""
    shades = ordered({dot[3] for dot in dots if dot[3] is not None})
    graded = len(shades) > MOST_COLOURS and not any(isinstance(each, str) for each in shades)
    if graded or len(shades) <= 1:
        groups = {"": list(dots)}
    else:
        groups = {written(each): [dot for dot in dots if dot[3] == each] for each in shades[:MOST_COLOURS]}
        groups["other"] = [dot for dot in dots if dot[3] not in shades[:MOST_COLOURS]]
    look = {"size": 8, "opacity": 0.75} if len(dots) <= FEW else {"size": 5, "opacity": 0.45}
    named = any(isinstance(dot[1], str | bool) for dot in dots)
    traces: list[dict[str, Any]] = []
    for place, (title, group) in enumerate((title, group) for title, group in groups.items() if group):
        shade = "--muted" if title == "other" else palette.concept(place)
        marker: dict[str, Any] = {"color": shade, **look}
        if graded:  # the ends of the scale are near the ground: an outline shows them
            values = [dot[3] for dot in group]
            marker |= {"color": values, "coloraxis": "coloraxis", "line": {"width": 1, "color": "--muted"}}
            marker["opacity"] = 1
        if len({dot[1] for dot in group}) in range(2, MOST_PLACES + 1):
            traces += _medians(group, title, "--muted" if graded else shade, joined=not named)
        traces.append(_dots(group, title, marker))
    title = {"text": label(words(colour or ""))}
    layout = {
        "xaxis": {"title": {"text": label(words(x))}, **_across([dot[1] for dot in dots])},
        "yaxis": {"title": {"text": label(words(y))}},
        "showlegend": len(groups) > 1,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "title": {**title, "font": {"size": 12}},
        },
        "coloraxis": {"colorscale": heat.SCALE, "colorbar": _bar(title, side="right")},
    }
    below = {"orientation": "h", "x": 0.5, "y": -0.25, "yanchor": "top", "len": 1}
    narrow = {"coloraxis": {"colorscale": heat.SCALE, "colorbar": {**_bar(title, side="bottom"), **below}}}
    return Block(
        id="scatter",
        kind="plot",
        title="Every run",
        caption="A dot is a run (its seeds together); "
        f"{'a bar is a median' if named else 'a line joins the medians'}.",
        alt=f"Scatter of {len(dots)} runs: {words(y)} against {words(x)}"
        + (f", coloured by {words(colour)}." if colour else "."),
        spec={"data": traces, "layout": layout, "narrow": narrow},
        size="wide",
    )


def _bar(title: dict[str, Any], *, side: str) -> dict[str, Any]:
    return {"thickness": 10, "outlinewidth": 0, "title": {**title, "side": side, "font": {"size": 12}}}


def _across(values: Sequence[Any]) -> dict[str, Any]:
    """The axis across: categories in order, or numbers, with a tick at each when they are few."""
    places = ordered(set(values))
    if any(isinstance(place, str | bool) for place in places):
        return {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [str(place) for place in places],
        }
    axis: dict[str, Any] = {"type": "log"} if even_in_log(places) else {}
    if len(places) <= MOST_TICKS:
        axis |= {"tickvals": places, "ticktext": [written(place) for place in places]}
    return axis


def even_in_log(places: Sequence[int | float]) -> bool:
    """Whether numbers stand on a logarithmic axis: over a decade or more, where it spaces them more evenly.

    Example:
        >>> even_in_log([0.01, 0.1, 1.0]), even_in_log([2, 4, 8, 64]), even_in_log(range(1, 21))
        (True, True, False)
        >>> even_in_log([0, 10, 1000]), even_in_log([2, 3, 4, 6]), even_in_log([1, 1000])
        (False, False, True)
    """
    found = sorted(set(places))
    if len(found) < 2 or found[0] <= 0 or found[-1] < 10 * found[0]:
        return False
    if len(found) == 2:
        return found[-1] >= 100 * found[0]
    logs = [math.log(place) for place in found]

    def widest(of: Sequence[int | float]) -> float:
        return max(b - a for a, b in pairwise(of)) / (of[-1] - of[0])

    return widest(logs) < widest(found)


def _dots(group: Sequence[Dot], title: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(title),
        "x": [_place(dot[1]) for dot in group],
        "y": [dot[2] for dot in group],
        "text": [label(dot[0]) for dot in group],
        "hovertemplate": "%{text}<br>%{x}: %{y:.3g}<extra></extra>",
        "marker": marker,
    }


def _place(value: Any) -> Any:
    return str(value) if isinstance(value, bool) else value


def _medians(group: Sequence[Dot], title: str, shade: str, *, joined: bool) -> list[Trace]:
    """A line through the medians, or a bar at each where nothing lies between two places."""
    at: dict[Any, list[float]] = defaultdict(list)
    for dot in group:
        at[dot[1]].append(dot[2])
    places = ordered(set(at))
    given = Estimates(
        name=title,
        colour=shade,
        x=[_place(place) for place in places],
        centre=[median(at[place]) for place in places],
        hover="median at %{x}: %{y:.3g}<extra></extra>",
        listed=False,
    )
    return line(given) if joined else points(given, symbol="line-ew", size=26, outline=MEASURED)


def grid(dots: Sequence[Dot], x: str, y: str, colour: str | None) -> list[Block]:
    """The phase diagram: medians over both fields, where both take few values and some are shared."""
    cells: dict[tuple[Any, Any], list[float]] = defaultdict(list)
    for _, across, up, shade in dots:
        if shade is not None:
            cells[across, shade].append(up)
    columns, rows = (ordered({at[side] for at in cells}) for side in (0, 1))
    few = all(2 <= len(side) <= MOST_PLACES for side in (columns, rows))
    if colour is None or not few or len(cells) in (len(columns), len(rows)):
        return []
    medians: dict[str, Any] = {
        "type": "heatmap",
        "x": [written(each) for each in columns],
        "y": [written(each) for each in rows],
        "z": [[median(cells[c, r]) if (c, r) in cells else None for c in columns] for r in rows],
        "xgap": 1,
        "ygap": 1,
        "colorscale": heat.SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0},
        "hovertemplate": f"{label(x)} %{{x}}, {label(colour)} %{{y}}: %{{z:.3g}}<extra></extra>",
        "hoverongaps": False,
    }
    if len(columns) * len(rows) <= MOST_WRITTEN:
        medians["texttemplate"] = "%{z:.2g}"
    layout = {
        "xaxis": {"title": {"text": label(words(x))}, "type": "category", "showgrid": False},
        "yaxis": {"title": {"text": label(words(colour))}, "type": "category", "showgrid": False},
    }
    sizes = sorted(map(len, cells.values()))
    least, most = count(sizes[0]), count(sizes[-1])
    of_each = least if least == most else f"{least} to {most}"
    return [
        Block(
            id="grid",
            kind="plot",
            title=f"By {words(x)} and {words(colour)}: {words(y)}",
            caption=f"Median over the runs of a cell, {of_each} in each.",
            alt=f"Heatmap: median over runs of {words(y)}, by {words(x)} and {words(colour)}.",
            spec={"data": [medians], "layout": layout},
            size="wide",
        )
    ]
