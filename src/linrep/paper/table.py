"""The table of an experiment: mean, 10–90 %, runs and nulls of every cell, for page, CSV and Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linrep.page.concept_table import to_csv
from linrep.page.numbers import finite
from linrep.paper.record import Column, percent
from linrep.sweeps.numbers import Numbers, Spread

ALL, FREE, STUCK = "all", "free", "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One measure in one cell."""

    column: Column
    found: Spread
    null: float | None
    """Mean over runs of the same measure on random pairs."""
    untrained: float | None
    """Mean over runs before training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell: its labels, which runs, how many, and its measures."""

    labels: tuple[str, ...]
    which: str
    """Which of the cell's runs: all of them ("all free" or "all stuck" where they are alike), or one kind."""
    runs: int
    stuck: float
    """Share of these runs; NaN without runs."""
    entries: tuple[Entry, ...]


def lines(numbers: Numbers, columns: Sequence[Column], *, split: bool) -> list[Line]:
    """Every cell as a line; with ``split`` a cell with free and stuck runs is followed by both apart."""
    found: list[Line] = []
    for labels, cell in _cells(numbers):
        kinds = [kind for kind, free in ((FREE, True), (STUCK, False)) if cell.runs(free=free)]
        alike = f"{ALL} {kinds[0]}" if split and len(kinds) == 1 else ALL
        found.append(_line(labels, cell, columns, alike, None))
        if split and len(kinds) > 1:
            found.append(_line(labels, cell, columns, FREE, True))
            found.append(_line(labels, cell, columns, STUCK, False))
    return found


def grid(
    numbers: Numbers, found: Sequence[Line], columns: Sequence[Column], *, split: bool
) -> tuple[list[str], list[list[str]]]:
    """Column titles, and the lines as text; a null or untrained column that no cell has is left out."""
    titles = [*numbers.axes, *(["which runs", "runs", "stuck"] if split else ["runs"])]
    body = [
        [*line.labels, *([line.which, str(line.runs), percent(line.stuck)] if split else [str(line.runs)])]
        for line in found
    ]
    for place, column in enumerate(columns):
        entries = [line.entries[place] for line in found]
        _add(f"{column.title}: mean [10–90 %]", [_interval(entry) for entry in entries], titles, body)
        for title, values in (
            ("null", [entry.null for entry in entries]),
            ("untrained", [entry.untrained for entry in entries]),
        ):
            if any(value is not None for value in values):
                _add(title, [column.write(value) for value in values], titles, body)
    return titles, body


def _add(title: str, cells: Sequence[str], titles: list[str], body: list[list[str]]) -> None:
    titles.append(title)
    for row, cell in zip(body, cells, strict=True):
        row.append(cell)


def as_csv(numbers: Numbers, found: Sequence[Line]) -> str:
    """One row for each cell and measure, with every digit."""
    spread = ("runs", "mean", "median", "q10", "q90")
    found_titles = ("measure", "table", *spread, "null", "untrained", "stuck_share")
    titles = [*numbers.axes, "which_runs", *found_titles]
    body = [
        [
            *line.labels,
            line.which,
            entry.column.measure,
            entry.column.table,
            entry.found.runs,
            entry.found.mean,
            entry.found.median,
            entry.found.low,
            entry.found.high,
            entry.null,
            entry.untrained,
            finite(line.stuck),
        ]
        for line in found
        for entry in line.entries
    ]
    return to_csv(titles, body)


def as_markdown(titles: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    written = [[cell.replace("|", "\\|") for cell in row] for row in (titles, *body)]
    text = ["| " + " | ".join(row) + " |" for row in written]
    return "\n".join([text[0], "|" + "---|" * len(titles), *text[1:]])


def _cells(numbers: Numbers) -> Iterator[tuple[tuple[str, ...], Numbers]]:
    """Every cell that holds numbers, the last axis varying fastest."""

    def below(
        names: Sequence[str], part: Numbers, labels: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Numbers]]:
        if not names:
            yield labels, part
            return
        for label, inner in part.each(names[0]):
            yield from below(names[1:], inner, (*labels, label))

    yield from below(list(numbers.axes), numbers, ())


def _line(
    labels: tuple[str, ...], cell: Numbers, columns: Sequence[Column], which: str, free: bool | None
) -> Line:
    entries = tuple(
        Entry(
            column=column,
            found=cell.spread(column.measure, column.table, free=free),
            null=cell.spread(column.measure, column.table, kind="null", free=free).mean,
            untrained=cell.spread(column.measure, column.table, at="start", free=free).mean,
        )
        for column in columns
    )
    stuck = cell.stuck_share() if free is None else float(not free)
    return Line(labels=labels, which=which, runs=cell.runs(free=free), stuck=stuck, entries=entries)


def _interval(entry: Entry) -> str:
    write, found = entry.column.write, entry.found
    text = write(found.mean)
    return f"{text} [{write(found.low)}, {write(found.high)}]" if found.runs > 1 else text
