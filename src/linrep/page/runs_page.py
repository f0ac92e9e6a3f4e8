"""The page of many runs: one dot a run, medians, the grid of medians, what varies, and the numbers."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import linrep
from linrep.config import Config
from linrep.errors import InputError
from linrep.failures import Failure
from linrep.page import palette
from linrep.page.concept_table import to_csv
from linrep.page.numbers import count, finite, short
from linrep.page.shell import Block, Line, Page, Section, assemble, label
from linrep.run_index import RunTable

MOST_COLOURS = 10
MOST_PLACES = 60
"""Most values along an axis for which medians are drawn."""
MOST_ROWS = 200

Cell = float | int | str | bool | None
Dot = tuple[str, Any, float, Cell]
"""A run: its key, and where it lies across, up and by colour."""


def render(
    table: RunTable, failed: Sequence[Failure] = (), *, x: str | None, y: str, colour: str | None
) -> str:
    """One HTML file that opens offline.

    Args:
        table: Of runs, dotted names as columns.
        failed: What could not be finished in the folder of these runs.
        x: Field across; by default the number of the config that takes the most values.
        y: Field up, a number.
        colour: Field by which dots are coloured; by default another one of the config that varies.

    Raises:
        InputError: No such field, no number in y, or no run to draw.
    """
    varies = _varying(table)
    x = x or _across(varies)
    if colour is None:
        others = [name for name, values in varies.items() if name != x and len(values) <= MOST_COLOURS]
        colour = min(others, key=lambda name: len(varies[name]), default=None)
    columns = [_column(table, name) for name in ("run", x, y)]
    colours = [""] * len(table) if colour is None else _column(table, colour)
    dots: list[Dot] = [
        (run, across, up, shade)
        for run, across, given, shade in zip(*columns, colours, strict=True)
        if across is not None and (up := finite(given)) is not None
    ]
    if not dots:
        raise InputError(
            f"page: none of {len(table)} runs has both {x} and a number {y}; choose other fields"
        )
    low, high = (f(dots, key=lambda dot: dot[2]) for f in (min, max))
    missing = len(table) - len(dots)
    notes = [f"{count(missing)} runs without {x} or {y} are not drawn."] if missing else []
    notes += [f"Failed cells of sweeps in this folder: {count(len(failed))}, named below."] if failed else []
    return assemble(
        Page(
            title=f"{count(len(dots))} runs: {y} against {x}",
            kicker="Runs compared",
            lines=[
                Line(
                    standing="note",
                    claim=f"{word} {y}: {short(dot[2])}.",
                    detail=f"{x} {dot[1]}, run {dot[0]}.",
                )
                for word, dot in (("Largest", high), ("Smallest", low))
            ]
            + [Line(standing="note", claim=note) for note in notes],
            sections=[
                Section(
                    id="drawn",
                    title="Drawn",
                    blocks=[_scatter(dots, x, y, colour), *_grid(dots, x, y, colour)],
                ),
                Section(id="varies", title="What varies", blocks=[_what_varies(varies)]),
                Section(
                    id="runs",
                    title="Runs",
                    blocks=[_runs(table, [x, y, *([colour] if colour else [])], varies)],
                ),
                *([Section(id="failed", title="Failed", blocks=[_failed(failed)])] if failed else []),
            ],
            footer=f"linrep {linrep.__version__}.",
        )
    )


def _varying(table: RunTable) -> dict[str, list[Any]]:
    """Fields of the config with more than one value, and their values in order; seeds are no choice."""
    found: dict[str, list[Any]] = {}
    for name in table.column_names:
        if name.partition(".")[0] in Config.model_fields and name != "seed":
            values = _ordered(set(table[name].to_pylist()) - {None})
            if len(values) > 1:
                found[name] = values
    return found


def _across(varies: dict[str, list[Any]]) -> str:
    numbers = [name for name, values in varies.items() if not isinstance(values[0], str | bool)]
    return max(numbers, key=lambda name: len(varies[name]), default=next(iter(varies), "seed"))


def _column(table: RunTable, name: str) -> list[Any]:
    if name not in table.column_names:
        raise InputError(f"page: unknown field {name!r}; `linrep runs --csv -` shows all")
    return table[name].to_pylist()


def _ordered(values: set[Any]) -> list[Any]:
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def _scatter(dots: Sequence[Dot], x: str, y: str, colour: str | None) -> Block:
    shades = _ordered({dot[3] for dot in dots if dot[3] is not None})
    graded = len(shades) > MOST_COLOURS and not any(isinstance(each, str) for each in shades)
    if graded or len(shades) <= 1:
        groups = {"": list(dots)}
    else:
        groups = {str(each): [dot for dot in dots if dot[3] == each] for each in shades[:MOST_COLOURS]}
        groups["other"] = [dot for dot in dots if str(dot[3]) not in groups]
    traces: list[dict[str, Any]] = []
    for place, (name, group) in enumerate((name, group) for name, group in groups.items() if group):
        shade = "--muted" if name == "other" else palette.concept(place)
        traces.append(_dots(group, name, {"color": shade, "size": 5, "opacity": 0.45}))
        if graded:
            scale = [[0, "--heat-0"], [0.5, "--heat-1"], [1, "--heat-2"]]
            bar = {"thickness": 10, "outlinewidth": 0, "title": {"text": label(colour or "")}}
            traces[-1]["marker"] |= {"color": [dot[3] for dot in group], "colorscale": scale, "colorbar": bar}
        if len({dot[1] for dot in group}) in range(2, MOST_PLACES + 1):
            traces.append(_medians(group, name, "--ink" if graded else shade))
    words = any(isinstance(dot[1], str) for dot in dots)
    layout = {
        "xaxis": {"title": {"text": label(x)}, **({"type": "category"} if words else {})},
        "yaxis": {"title": {"text": label(y)}},
        "showlegend": len(groups) > 1,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "title": {"text": label(colour or "")},
        },
    }
    return Block(
        id="scatter",
        kind="plot",
        title="Every run",
        caption="A dot is a run (its seeds together); a line joins the medians.",
        alt=f"Scatter of {len(dots)} runs: {y} against {x}" + (f", coloured by {colour}." if colour else "."),
        spec={"data": traces, "layout": layout},
        size="wide",
    )


def _dots(group: Sequence[Dot], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "x": [dot[1] for dot in group],
        "y": [dot[2] for dot in group],
        "text": [label(dot[0]) for dot in group],
        "hovertemplate": "%{text}<br>%{x}: %{y:.3g}<extra></extra>",
        "marker": marker,
    }


def _medians(group: Sequence[Dot], name: str, shade: str) -> dict[str, Any]:
    at: dict[Any, list[float]] = defaultdict(list)
    for dot in group:
        at[dot[1]].append(dot[2])
    places = _ordered(set(at))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(f"{name} median".strip()),
        "showlegend": False,
        "x": places,
        "y": [median(at[place]) for place in places],
        "line": {"color": shade, "width": 2.4},
        "hovertemplate": "median at %{x}: %{y:.3g}<extra></extra>",
    }


def _grid(dots: Sequence[Dot], x: str, y: str, colour: str | None) -> list[Block]:
    """The phase diagram: medians over both fields, where both take few values."""
    cells: dict[tuple[Any, Any], list[float]] = defaultdict(list)
    for _, across, up, shade in dots:
        if shade is not None:
            cells[across, shade].append(up)
    columns, rows = (_ordered({at[side] for at in cells}) for side in (0, 1))
    if colour is None or not all(2 <= len(side) <= MOST_PLACES for side in (columns, rows)):
        return []
    heat = {
        "type": "heatmap",
        "x": [str(each) for each in columns],
        "y": [str(each) for each in rows],
        "z": [[median(cells[c, r]) if (c, r) in cells else None for c in columns] for r in rows],
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, "--heat-0"], [0.5, "--heat-1"], [1, "--heat-2"]],
        "colorbar": {"thickness": 10, "outlinewidth": 0},
        "hovertemplate": f"{label(x)} %{{x}}, {label(colour)} %{{y}}: %{{z:.3g}}<extra></extra>",
        "hoverongaps": False,
    }
    layout = {
        "xaxis": {"title": {"text": label(x)}, "type": "category"},
        "yaxis": {"title": {"text": label(colour)}, "type": "category"},
    }
    return [
        Block(
            id="grid",
            kind="plot",
            title=f"Median {y}",
            caption=f"Over the runs of a cell: {count(min(map(len, cells.values())))} to "
            f"{count(max(map(len, cells.values())))} of them.",
            alt=f"Heatmap: median {y} by {x} and {colour}.",
            spec={"data": [heat], "layout": layout},
            size="wide",
        )
    ]


def _what_varies(varies: dict[str, list[Any]]) -> Block:
    def shown(values: list[Any]) -> str:
        words = [str(value) for value in values]
        return ", ".join(words if len(words) <= 12 else [*words[:6], "…", *words[-5:]])

    return Block(
        id="fields",
        kind="table",
        title="Fields of the config with more than one value",
        columns=("field", "values", ""),
        rows=[(name, count(len(values)), shown(values)) for name, values in varies.items()],
    )


def _runs(table: RunTable, asked: Sequence[str], varies: dict[str, list[Any]]) -> Block:
    head = list(dict.fromkeys(["run", *asked, *varies]))
    body = list(zip(*(table[name].to_pylist() for name in head), strict=True))
    return Block(
        id="table",
        kind="table",
        title="Runs and what they differ in",
        caption=_cut(body),
        columns=head,
        rows=[[_cell(value) for value in row] for row in body[:MOST_ROWS]],
        download=("runs.csv", to_csv(head, body)),
    )


def _failed(failed: Sequence[Failure]) -> Block:
    """Named whatever the runs were chosen by: what failed has no fields to choose by."""
    head, body = ("cell", "run", "error"), [(each.label, each.key, each.error) for each in failed]
    return Block(
        id="failures",
        kind="table",
        title="Cells of sweeps that could not be finished",
        caption=_cut(body),
        columns=head,
        rows=body[:MOST_ROWS],
        download=("failed.csv", to_csv(head, body)),
    )


def _cut(body: Sequence[object]) -> str:
    return f"The first {MOST_ROWS} of {count(len(body))}; the file has all." if len(body) > MOST_ROWS else ""


def _cell(value: Cell) -> str:
    return short(value) if isinstance(value, float) or value is None else str(value)
