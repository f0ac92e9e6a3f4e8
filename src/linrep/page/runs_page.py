"""The page of many runs: what they come to, one dot a run, the grid of medians, the numbers, what varies."""

from collections.abc import Sequence
from typing import Any

import linrep
from linrep.errors import InputError, many
from linrep.page.dots import Cell, ordered
from linrep.page.numbers import count, short
from linrep.page.runs_dots import Drawn, K, M, dots_of, ended_words, rows_of
from linrep.page.runs_headline import headline, lines
from linrep.page.runs_plot import MOST_COLOURS, grid, scatter, words, writer, written
from linrep.page.shell import Block, Page, Section, assemble
from linrep.runs.config import Config
from linrep.runs.failures import Failure
from linrep.runs.index import RunTable
from linrep.runs.spreadsheet import to_csv

Fields = dict[str, list[Any]]
"""Of the config, with their values in order."""
BESIDE = ("runs", "training.until_excess", "training.until_gradient", "training.snapshots")
"""Numbers of the config that no one asks what a run comes to by."""
MOST_ROWS = 200
MOST_IN_FILE = 2_000
"""Rows of the file that the page carries."""
MOST_WIDTHS = 6
"""Lines k = m that can be told apart."""


def render(
    table: RunTable, failed: Sequence[Failure] = (), *, x: str | None, y: str, colour: str | None
) -> str:
    """One HTML file that opens offline: :func:`page`, assembled."""
    return assemble(page(table, failed, x=x, y=y, colour=colour))


def page(
    table: RunTable, failed: Sequence[Failure] = (), *, x: str | None, y: str, colour: str | None
) -> Page:
    """All that the page of many runs says.

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
    found = dots_of(table, x, y, colour)
    if not found.dots:
        raise InputError(
            f"page: none of {len(table)} runs has both {x} and a number {y}; choose other fields"
        )
    figures = [
        scatter(found, x, y, colour, _widths(table) if x == K else []),
        *grid(found.dots, x, y, colour, _equal(table, x, colour)),
    ]
    return Page(
        title=headline(found.dots, x, y),
        kicker=f"{many(len(table), 'run')} compared",
        lines=lines(found, len(failed), y, x),
        sections=[
            Section(id="drawn", title="Figure", blocks=figures),
            Section(id="runs", title="Runs", blocks=[_runs(table, found, x, y, colour, varies)]),
            Section(id="varies", title="What varies", blocks=[_what_varies(varies)], folded=True),
            *([Section(id="failed", title="Failed", blocks=[_failed(failed)])] if failed else []),
        ],
        footer=f"linrep {linrep.__version__}. f: embedding of contexts, g: unembedding of tokens.",
    )


def _widths(table: RunTable) -> list[int]:
    """The numbers of concepts for which k = m is drawn; none where they are too many to be told apart."""
    found = sorted(set(_optional(table, M)) - {None})
    return found if len(found) <= MOST_WIDTHS else []


def _equal(table: RunTable, x: str, colour: str | None) -> set[tuple[Any, Any]]:
    """Cells in which every run is as wide as it has concepts; none where neither field is the width."""
    if colour is None or K not in (x, colour):
        return set()
    widths, concepts = _optional(table, K), _optional(table, M)
    cells = list(zip(_column(table, x), _column(table, colour), strict=True))
    unequal = {cell for cell, k, m in zip(cells, widths, concepts, strict=True) if k != m}
    return set(cells) - unequal


def _optional(table: RunTable, name: str) -> list[Any]:
    return table[name].to_pylist() if name in table.column_names else [None] * len(table)


def _varying(table: RunTable) -> Fields:
    """Fields of the config with more than one value, and their values in order; seeds are no choice."""
    found: dict[str, list[Any]] = {}
    for name in table.column_names:
        if name.partition(".")[0] in Config.model_fields and name != "seed":
            values = ordered(set(table[name].to_pylist()) - {None})
            if len(values) > 1:
                found[name] = values
    return found


def _across(varies: Fields) -> str:
    """The number with the most values, of those that say what is trained, if any, and not for how long."""
    numbers = [name for name, values in varies.items() if not isinstance(values[0], str | bool)]
    asked = [name for name in numbers if name not in BESIDE and not name.startswith(("compute.", "measure."))]
    return max(asked or numbers, key=lambda name: len(varies[name]), default=next(iter(varies), "seed"))


def _colour(table: RunTable, varies: Fields, x: str) -> str | None:
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


def _what_varies(varies: Fields) -> Block:
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


def _runs(table: RunTable, found: Drawn, x: str, y: str, colour: str | None, varies: Fields) -> Block:
    """A row a dot, six columns at most; the file has a row a run, with what varies."""
    several = any(dot.of > 1 for dot in found.dots)
    write = writer(y)
    rows = [
        [
            dot.run,
            written(dot.across),
            *([_cell(dot.shade, colour in varies)] if colour else []),
            write(dot.up),
            *([f"{count(dot.seeds)} of {count(dot.of)}"] if several else []),
            dot.ended,
        ]
        for dot in found.dots[:MOST_ROWS]
    ]
    head: list[str] = list(dict.fromkeys(["run", x, *([colour] if colour else []), y, *varies]))
    body = [[*(row[name] for name in head), ended_words(row)] for row in rows_of(table)]
    return Block(
        id="table",
        kind="table",
        title="Every run, its seeds that ended alike together" if several else "Every run",
        caption=_cut(found.dots, len(body)),
        columns=[
            "run",
            words(x),
            *([words(colour)] if colour else []),
            words(y),
            *(["seeds"] if several else []),
            "ended",
        ],
        rows=rows,
        download=("runs.csv", to_csv([*head, "ended"], body[:MOST_IN_FILE])),
    )


def _failed(failed: Sequence[Failure]) -> Block:
    """Named whatever the runs were chosen by: what failed has no fields to choose by."""
    head, body = ("cell", "run", "error"), [(each.label, each.key, each.error) for each in failed]
    return Block(
        id="failures",
        kind="table",
        title="Cells of sweeps that could not be finished",
        caption=_cut(body, len(body)),
        columns=head,
        rows=body[:MOST_ROWS],
        download=("failed.csv", to_csv(head, body)),
    )


def _cut(shown: Sequence[object], runs: int) -> str:
    """What is not in the table, or not in the file."""
    said = f"The first {count(MOST_ROWS)} of {count(len(shown))}. " if len(shown) > MOST_ROWS else ""
    if runs > MOST_IN_FILE:
        said += f"The file has the first {count(MOST_IN_FILE)} runs; `linrep runs --csv` has all."
    return said.strip()


def _cell(value: Cell, exact: bool) -> str:
    """What was measured is rounded, what was set is not."""
    return short(value) if isinstance(value, float) and not exact else written(value)
