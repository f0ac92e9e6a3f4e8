"""The table of an experiment: a reader's with at most six columns, and all of it with every digit as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linrep.intervals import Interval, mean_interval
from linrep.page import axis_words
from linrep.page.numbers import count
from linrep.paper.ended import CONVERGED
from linrep.paper.record import Column
from linrep.runs.spreadsheet import to_csv
from linrep.sweeps.numbers import At, Numbers, Spread, mean_of, spread

MOST_COLUMNS = 6
ALL = "all"
SPREAD = ("runs", "mean", "low95", "high95", "median", "q10", "q90", "null", "untrained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One measure in one cell."""

    column: Column
    found: Spread
    interval95: Interval | None
    """Of the mean."""
    null: float | None
    """Mean over runs of the same measure on random pairs."""
    untrained: float | None
    """Mean over runs at step 0; of wide starts after they are cut to width k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One cell: its labels, which of its runs, how those ended, and its measures."""

    labels: tuple[str, ...]
    which: str
    """All of the cell's runs, or only those that converged."""
    runs: int
    """Of the cell."""
    converged: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One cell, measured over its runs that converged and over all of them."""

    converged: Line
    all: Line


def measured(numbers: Numbers, columns: Sequence[Column]) -> list[Measured]:
    """Every cell."""
    return [
        Measured(
            converged=_line(labels, cell, columns, which=CONVERGED),
            all=_line(labels, cell, columns, which=ALL),
        )
        for labels, cell in cells_of(numbers)
    ]


def lines(found: Sequence[Measured], *, trained: bool = True) -> list[Line]:
    """Every cell as a line: the runs that converged, or all where none did or nothing was trained."""
    return [cell.converged if trained and cell.all.converged > 0 else cell.all for cell in found]


def grid(
    numbers: Numbers, found: Sequence[Line], columns: Sequence[Column], *, trained: bool = True
) -> tuple[list[str], list[list[str]]]:
    """Column titles, and the lines as text, :data:`MOST_COLUMNS` at most.

    Axes of one point have no column, more axes than three share one; then how many runs converged, then as
    many measures as there is room for. Numbers of a cell in which no run converged stand in brackets.
    """
    axes = [at for at, points in enumerate(numbers.axes.values()) if len(points) > 1]
    titles = [axis_words.title(list(numbers.axes)[at]) for at in axes]
    labels = [[line.labels[at] for at in axes] for line in found]
    if len(axes) > 3:
        titles, labels = [" · ".join(titles)], [[" · ".join(words)] for words in labels]
    if trained:
        titles = [*titles, CONVERGED]
        labels = [[*words, _share(line)] for words, line in zip(labels, found, strict=True)]
    shown = columns[: MOST_COLUMNS - len(titles)]
    body = [
        [
            *words,
            *(_written(entry, doubt=trained and line.which == ALL) for entry in line.entries[: len(shown)]),
        ]
        for words, line in zip(labels, found, strict=True)
    ]
    return [*titles, *(column.title for column in shown)], body


def as_csv(numbers: Numbers, found: Sequence[Measured]) -> str:
    """One row for each cell and measure, of its converged runs and of all, with every digit."""
    body = [
        [
            *line.labels,
            line.which,
            entry.column.measure,
            entry.column.table,
            entry.found.runs,
            entry.found.mean,
            *(entry.interval95 or (None, None)),
            entry.found.median,
            entry.found.low,
            entry.found.high,
            entry.null,
            entry.untrained,
        ]
        for cell in found
        for line in (cell.converged, cell.all)
        for entry in line.entries
    ]
    return to_csv([*numbers.axes, "which_runs", "measure", "table", *SPREAD], body)


def as_markdown(titles: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    written = [[cell.replace("|", "\\|") for cell in row] for row in (titles, *body)]
    text = ["| " + " | ".join(row) + " |" for row in written]
    return "\n".join([text[0], "|" + "---|" * len(titles), *text[1:]])


def cells_of(numbers: Numbers) -> Iterator[tuple[tuple[str, ...], Numbers]]:
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


def _line(labels: tuple[str, ...], cell: Numbers, columns: Sequence[Column], *, which: str) -> Line:
    found = cell.counts()
    entries = tuple(_entry(cell, column, which) for column in columns)
    return Line(
        labels=labels, which=which, runs=sum(found.values()), converged=found[CONVERGED], entries=entries
    )


def _entry(cell: Numbers, column: Column, which: str) -> Entry:
    def taken(kind: str = "value", at: At = "end") -> NDArray[np.float64]:
        ended = CONVERGED if which == CONVERGED else None
        return cell.values(column.measure, column.table, at=at, kind=kind, ended=ended)

    values = taken()
    return Entry(
        column=column,
        found=spread(values),
        interval95=mean_interval(torch.from_numpy(values), column.within),
        null=mean_of(taken("null")),
        untrained=mean_of(taken(at="start")),
    )


def _share(line: Line) -> str:
    return f"{count(line.converged)} of {count(line.runs)}"


def _written(entry: Entry, *, doubt: bool) -> str:
    """Mean and interval, in brackets where no run converged."""
    write = entry.column.write
    text = write(entry.found.mean)
    if entry.interval95 is not None:
        text = f"{text} [{write(entry.interval95[0])}, {write(entry.interval95[1])}]"
    return f"({text})" if doubt and entry.found.runs else text
