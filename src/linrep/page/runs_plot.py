"""Figures of many runs: one dot a run, its shape how it ended, limits and k = m; the grid of medians."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any

from linrep.page import axis_words, heat, palette
from linrep.page.dots import MOST_PLACES, Cell, Dot, alike, colour_keys, drawn, keys, limits, medians, ordered
from linrep.page.ends import UNKNOWN
from linrep.page.interval import Trace, null
from linrep.page.numbers import ABSENT, cosine, count, short
from linrep.page.runs_dots import Drawn
from linrep.page.shell import Block, label
from linrep.runs.config import Config

MOST_COLOURS = 10
MOST_TICKS = 12
MOST_WRITTEN = 120
"""Most cells of a grid whose numbers are written into them."""
OF = ("of g", "of f")
WORDS = {"unembedding": OF[0], "embedding": OF[1], "rmse": "RMSE"}


def words(field: str) -> str:
    """A field as a reader says it; of those of the config only a few have a name beside the key.

    Example:
        >>> words("final.linearity.unembedding.median"), words("final.excess_loss_nats.mean")
        ('linearity of g (median)', 'excess loss in nats (mean)')
        >>> words("model.dim"), words("world.edge_probability")
        ('width k', 'world.edge_probability')
    """
    if field.partition(".")[0] in Config.model_fields:
        return axis_words.title(field)
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


COSINES = ("linearity", "alignment", "orthogonality", "share", "overlap")
"""In names of measures that are cosines or shares."""


def writer(y: str) -> Callable[[Any], str]:
    """How a number of that field is written."""
    unit = "nats" in y or "degrees" in y
    return cosine if not unit and any(word in y for word in COSINES) else short


def scatter(found: Drawn, x: str, y: str, colour: str | None, widths: Sequence[int]) -> Block:
    """Every run as a dot, lines through the medians of those that ended alike, and their yardsticks.

    Args:
        found: The dots, theory's limits and nulls.
        x: Field across.
        y: Field up.
        colour: Field of colours.
        widths: Numbers of concepts at which k = m is drawn, where x is the width.
    """
    dots = found.dots
    shades = ordered({dot.shade for dot in dots if dot.shade is not None})
    graded = len(shades) > MOST_COLOURS and not any(isinstance(each, str) for each in shades)
    named = any(isinstance(dot.across, str | bool) for dot in dots)
    ends = {dot.ended for dot in dots}
    title = {"text": label(words(colour or ""))}
    if graded:
        data = _graded(dots, joined=not named)
    else:
        data = _grouped(dots, shades if len(shades) > 1 else [], joined=not named)
    own = graded or len(shades) <= 1
    data += keys(ends, own=own and not graded) if len(ends) > 1 or own else []
    data += limits(found.limits)
    data += _null(found) if not named else []
    across = _across([dot.across for dot in dots])
    layout = {
        "xaxis": {"title": {"text": label(words(x))}, **across},
        "yaxis": {"title": {"text": label(words(y))}},
        "showlegend": True,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "title": {**title, "side": "top", "font": {"size": 12}},
        },
        "coloraxis": {"colorscale": heat.SCALE, "colorbar": _bar(title, side="right")},
        **_k_is_m(widths, log=across.get("type") == "log"),
    }
    below = {"orientation": "h", "x": 0.5, "y": -0.25, "yanchor": "top", "len": 1}
    narrow = {"coloraxis": {"colorscale": heat.SCALE, "colorbar": {**_bar(title, side="bottom"), **below}}}
    return Block(
        id="scatter",
        kind="plot",
        title=f"{words(y)[0].upper()}{words(y)[1:]} against {words(x)}",
        caption=_caption(dots, named=named),
        alt=f"Scatter of {count(len(dots))} dots: {words(y)} against {words(x)}"
        + (f", coloured by {words(colour)}." if colour else "."),
        spec={"data": data, "layout": layout, "narrow": narrow},
        size="wide",
    )


def _caption(dots: Sequence[Dot], *, named: bool) -> str:
    several = any(dot.of > 1 for dot in dots)
    each = "a run, or those of its seeds that ended alike (median)" if several else "a run"
    what = "A bar is a median" if named else "A line joins the medians"
    return f"A dot is {each}; its shape is how it ended. {what} of runs that ended alike."


def _grouped(dots: Sequence[Dot], shades: Sequence[Any], *, joined: bool) -> list[Trace]:
    """In a colour for each value, the last for the rest; without values in that of how they ended."""
    size = len(dots)
    if not shades:
        line = medians(dots, "", "--ink", joined=joined)
        return [*line, *drawn(dots, "", None, listed=False, size=size)]
    chosen = shades[:MOST_COLOURS]
    groups = [(written(each), palette.concept(i), {each}) for i, each in enumerate(chosen)]
    groups.append(("other", "--muted", {dot.shade for dot in dots} - set(chosen)))
    plain = len({dot.ended for dot in dots}) == 1
    traces: list[Trace] = []
    names: list[tuple[str, str]] = []
    for name, colour, values in groups:
        those = [dot for dot in dots if dot.shade in values]
        if those:
            names.append((name, colour))
            traces += medians(those, name, colour, joined=joined)
            traces += drawn(those, name, colour, listed=plain, size=size)
    return traces if plain else [*traces, *colour_keys(names)]


def _graded(dots: Sequence[Dot], *, joined: bool) -> list[Trace]:
    """On a scale. Its ends are near the ground: an outline shows them."""
    traces = medians(dots, "", "--muted", joined=joined)
    for trace in drawn(dots, "", "--muted", listed=False, size=len(dots)):
        word = trace["name"]
        values = [dot.shade for dot in dots if dot.ended == word]
        marker = {"color": values, "coloraxis": "coloraxis", "line": {"width": 1, "color": "--muted"}}
        traces.append(trace | {"marker": trace["marker"] | marker | {"opacity": 1}})
    return traces


def _null(found: Drawn) -> list[Trace]:
    """What random pairs give, on average over the runs at a place."""
    at: dict[Any, list[float]] = defaultdict(list)
    for place, value in found.nulls:
        at[place].append(value)
    places = ordered(set(at))
    if len(places) not in range(2, MOST_PLACES + 1):
        return []
    return null(places, [mean(at[place]) for place in places], name="random pairs")


def _k_is_m(widths: Sequence[int], *, log: bool) -> dict[str, Any]:
    """A dashed line at each width that is the number of concepts."""
    if not widths:
        return {}
    stroke = {"color": "--ink/0.55", "width": 1.2, "dash": "dash"}
    at = [math.log10(m) if log else m for m in widths]
    shapes = [
        {"type": "line", "xref": "x", "yref": "paper", "x0": m, "x1": m, "y0": 0, "y1": 1, "line": stroke}
        for m in widths
    ]
    notes = [
        {
            "x": place,
            "xref": "x",
            "y": 0.02,
            "yref": "paper",
            "yanchor": "bottom",
            "xanchor": "left",
            "text": f"k = m = {m}" if len(widths) == 1 or m == widths[-1] else f"m = {m}",
            "showarrow": False,
            "textangle": -90,
            "xshift": 2,
            "font": {"size": 11, "color": "--muted"},
        }
        for place, m in zip(at, widths, strict=True)
    ]
    return {"shapes": shapes, "annotations": notes}


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


def grid(dots: Sequence[Dot], x: str, y: str, colour: str | None, equal: set[tuple[Any, Any]]) -> list[Block]:
    """The phase diagram: medians over both fields, where both take few values and some are shared.

    Args:
        dots: Runs; only those that ended alike are taken together.
        x: Field across.
        y: Field whose median a cell shows.
        colour: Field upwards.
        equal: Cells (x, colour) in which k = m, outlined.
    """
    cells: dict[tuple[Any, Any], list[Dot]] = defaultdict(list)
    for dot in dots:
        if dot.shade is not None:
            cells[dot.across, dot.shade].append(dot)
    columns, rows = (ordered({at[side] for at in cells}) for side in (0, 1))
    few = all(2 <= len(side) <= MOST_PLACES for side in (columns, rows))
    if colour is None or not few or len(cells) in (len(columns), len(rows)):
        return []
    chosen = {at: alike(found) for at, found in cells.items()}
    values = {at: median(dot.up for dot in found) for at, found in chosen.items()}
    doubt = {at for at, found in chosen.items() if found[0].ended not in ("converged", UNKNOWN)}
    texts = {at: f"({writer(y)(up)})" if at in doubt else writer(y)(up) for at, up in values.items()}
    low, high = min(values.values()), max(values.values())
    medians: dict[str, Any] = {
        "type": "heatmap",
        "x": [written(each) for each in columns],
        "y": [written(each) for each in rows],
        "z": [[values.get((c, r)) for c in columns] for r in rows],
        "zmin": low,
        "zmax": high,
        "text": [[texts.get((c, r), "") for c in columns] for r in rows],
        "xgap": 1,
        "ygap": 1,
        "colorscale": heat.SCALE,
        "colorbar": {"thickness": 10, "outlinewidth": 0},
        "hovertemplate": f"{label(x)} %{{x}}, {label(colour)} %{{y}}: %{{text}}<extra></extra>",
        "hoverongaps": False,
    }
    numbers = [
        heat.number(rows.index(r), columns.index(c), texts[c, r], (up - low) / (high - low or 1.0))
        for (c, r), up in values.items()
        if len(columns) * len(rows) <= MOST_WRITTEN
    ]
    layout = {
        "xaxis": {"title": {"text": label(words(x))}, "type": "category", "showgrid": False},
        "yaxis": {"title": {"text": label(words(colour))}, "type": "category", "showgrid": False},
        "annotations": numbers,
        "shapes": [
            _outline(i, j) for i, c in enumerate(columns) for j, r in enumerate(rows) if (c, r) in equal
        ],
    }
    sizes = sorted(len(found) for found in chosen.values())
    least, most = count(sizes[0]), count(sizes[-1])
    of_each = least if least == most else f"{least} to {most}"
    caption = f"Median over the runs of a cell that converged, {of_each} in each"
    caption += "; in brackets, where none did, over those of the most common end." if doubt else "."
    caption += " Outlined: k = m." if layout["shapes"] else ""
    return [
        Block(
            id="grid",
            kind="plot",
            title=f"By {words(x)} and {words(colour)}: {words(y)}",
            caption=caption,
            alt=f"Heatmap: median over runs of {words(y)}, by {words(x)} and {words(colour)}.",
            spec={"data": [medians], "layout": layout, "narrow": {"annotations": []}},
            size="wide",
        )
    ]


def _outline(column: int, row: int) -> dict[str, Any]:
    ends = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    return {"type": "rect", "xref": "x", "yref": "y", **ends, "line": {"color": "--ink", "width": 2}}
