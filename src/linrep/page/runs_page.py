"""The page of many runs: one dot a run, medians, the grid of medians, what varies, and the numbers."""

from collections.abc import Sequence
from typing import Any

import linrep
from linrep.errors import InputError
from linrep.page.concept_table import to_csv
from linrep.page.numbers import count, finite, short
from linrep.page.runs_plot import MOST_COLOURS, Cell, Dot, grid, ordered, scatter, words, written
from linrep.page.shell import Block, Line, Page, Section, assemble
from linrep.runs.config import Config
from linrep.runs.failures import Failure
from linrep.runs.index import RunTable

MOST_ROWS = 200


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
    if not len(table):
        raise InputError("page: expected runs to draw, got none; ask for others with --out or --where")
    varies = _varying(table)
    x = x or _across(varies)
    colour = colour or _colour(table, varies, x)
    columns = [_column(table, field) for field in ("run", x, y)]
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
    notes = [f"{count(missing)} runs without {words(x)} or {words(y)} are not drawn."] if missing else []
    notes += [f"Failed cells of sweeps in this folder: {count(len(failed))}, named below."] if failed else []
    return assemble(
        Page(
            title=f"{words(y)[0].upper()}{words(y)[1:]} against {words(x)}",
            kicker=f"{count(len(dots))} runs compared",
            lines=[
                Line(
                    standing="note",
                    claim=f"{word} {words(y)}: {short(dot[2])}.",
                    detail=f"{words(x)} {written(dot[1])}, run {dot[0]}.",
                )
                for word, dot in (("Largest", high), ("Smallest", low))
            ]
            + [Line(standing="note", claim=note) for note in notes],
            sections=[
                Section(
                    id="drawn",
                    title="Figures",
                    blocks=[scatter(dots, x, y, colour), *grid(dots, x, y, colour)],
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
            values = ordered(set(table[name].to_pylist()) - {None})
            if len(values) > 1:
                found[name] = values
    return found


def _across(varies: dict[str, list[Any]]) -> str:
    numbers = [name for name, values in varies.items() if not isinstance(values[0], str | bool)]
    return max(numbers, key=lambda name: len(varies[name]), default=next(iter(varies), "seed"))


def _colour(table: RunTable, varies: dict[str, list[Any]], x: str) -> str | None:
    """The field of the config with the most values that colours can tell apart, x not settling them."""
    across = _column(table, x)
    others = [
        field
        for field, values in varies.items()
        if field != x
        and len(values) <= MOST_COLOURS
        and len(set(zip(across, table[field].to_pylist(), strict=True))) > len(set(across))
    ]
    return max(others, key=lambda field: len(varies[field]), default=None)


def _column(table: RunTable, name: str) -> list[Any]:
    if name not in table.column_names:
        raise InputError(f"page: unknown field {name!r}; `linrep runs --csv -` shows all")
    return table[name].to_pylist()


def _what_varies(varies: dict[str, list[Any]]) -> Block:
    def shown(values: list[Any]) -> str:
        names = [written(value) for value in values]
        return ", ".join(names if len(names) <= 12 else [*names[:6], "…", *names[-5:]])

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
        rows=[
            [_cell(value, field in varies) for field, value in zip(head, row, strict=True)]
            for row in body[:MOST_ROWS]
        ],
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


def _cell(value: Cell, exact: bool) -> str:
    """What was measured is rounded, what was set is not."""
    return short(value) if isinstance(value, float) and not exact else written(value)
