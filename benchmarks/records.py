"""Rows of numbers on their way to a CSV file and back, and tables of them in Markdown."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = dict[str, str | int | float]


def write(path: Path | str, rows: Sequence[Row]) -> None:
    """One line per row; a column that a row lacks stays empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path | str) -> list[Row]:
    """The rows of a file, numbers as numbers again, empty columns left out."""
    with open(path, newline="") as file:
        found = list(csv.DictReader(file))
    if any(None in row for row in found):
        raise csv.Error("a line has more columns than the first")
    return [{key: _value(text) for key, text in row.items() if text} for row in found]


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is words, the rest numbers."""
    marks = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, marks, *lines))


def shown(row: Row, column: str, form: str, unit: float = 1.0) -> str:
    """One number of a row, or a dash."""
    return format(float(row[column]) / unit, form) if column in row else "—"


def aim(what: str, values: Sequence[float], *, at_most: float | None = None, at_least: float = 0.0) -> str:
    """One line: what was aimed at, what was found, and whether that is all there."""
    wanted = f"≥ {at_least:g}" if at_most is None else f"≤ {at_most:g}"
    if not values:
        return f"- Aim: {what} {wanted}. Not measured here."
    met = min(values) >= at_least if at_most is None else max(values) <= at_most
    return f"- Aim: {what} {wanted}. Found {span(values)}: {'met' if met else 'not met'}."


def span(values: Sequence[float]) -> str:
    """The lowest and the highest."""
    if not values:
        return "nothing, not measured"
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _value(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
