"""The runs of a folder in a terminal: a line each, with as many columns as fit, or those asked for."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from linrep.errors import InputError, shown
from linrep.page.runs_dots import ended_words, endings
from linrep.runs.index import RunTable

MISSING = "—"
CUT = "…"
ENDED = "ended"
LISTED = {
    "run": "run",
    "m": "concepts",
    "k": "model.dim",
    "optim.": "training.optimizer",
    "contexts": "counts.contexts",
    "tokens": "counts.tokens",
    "excess": "final.excess_loss_nats.median",
    "lin g": "final.linearity.unembedding.median",
    "lin f": "final.linearity.embedding.median",
    "align": "final.alignment.median",
    ENDED: "",
}
"""Titles of the listing, and the columns of the table of runs behind them; how runs ended is of several."""
FIRST_TO_GO = ("tokens", "contexts", "m", "excess", "align", "lin f", "lin g")
"""Where there is no room for all."""


def listing(
    table: RunTable, more: Sequence[str] = (), *, columns: str | None = None, width: int | None = None
) -> Iterator[str]:
    """One line a run, as plain text: there may be many thousands.

    Args:
        table: Of runs.
        more: Columns to show besides.
        columns: Titles and columns that are shown, with commas, and no others.
        width: Of the terminal, in characters; None where nothing is left out.

    Raises:
        InputError: A column that is not there, with those that are.

    Example:
        >>> import pyarrow as pa
        >>> print(*listing(pa.table({"run": ["a", "b"], "model.dim": [2, 16]}), columns="k,run"), sep=chr(10))
        k   run
        2   a
        16  b
    """
    if columns is not None:
        shown_columns = {name: _cells(table, name) for name in _chosen(table, columns)}
    else:
        present = [title for title, name in LISTED.items() if title == ENDED or name in table.column_names]
        others = [name for name in more if name not in LISTED.values()]
        shown_columns = {
            title: _cells(table, title, brief=width is not None) for title in [*present[:-1], *others, ENDED]
        }
        if width is not None:
            asked = {title for title, name in LISTED.items() if name in more}
            _make_room(shown_columns, width, [title for title in FIRST_TO_GO if title not in asked])
    padded = [_padded([title, *cells]) for title, cells in shown_columns.items()]
    for line in zip(*padded, strict=True):
        text = "  ".join(line).rstrip()
        too_long = width is not None and columns is None and len(text) > width
        yield text[: width - 1] + CUT if width is not None and too_long else text


def _chosen(table: RunTable, text: str) -> list[str]:
    """The titles and columns that were asked for, each once."""
    found = list(dict.fromkeys(each.strip() for each in text.split(",")))
    known = [title for title, name in LISTED.items() if title == ENDED or name in table.column_names]
    for name in found:
        if name not in known and name not in table.column_names:
            close = difflib.get_close_matches(name, [*known, *table.column_names], n=1)
            near = f", did you mean {close[0]!r}?" if close else ""
            raise InputError(
                f"--columns: unknown column {shown(name)}{near}; there are {', '.join(known)}, and every "
                "field that `linrep runs --csv -` shows"
            )
    return found


def _cells(table: RunTable, title: str, *, brief: bool = False) -> list[str]:
    """One column as text."""
    if title == ENDED and ENDED not in table.column_names:
        names = [name for name in table.column_names if name.startswith("ended.shares.")]
        names += [name for name in ("counts.runs", "runs") if name in table.column_names]
        rows: list[dict[str, Any]] = table.select(names).to_pylist() if names else [{}] * len(table)
        return [_brief(row) if brief else ended_words(row) for row in rows]
    return [_plain(value) for value in table[LISTED.get(title, title)].to_pylist()]


def _brief(row: dict[str, Any]) -> str:
    """How a run's seeds ended, the best way alone where there are several."""
    found = endings(row)
    if len(found) < 2:
        return ended_words(row)
    word, number = next(iter(found.items()))
    return f"{number:,} of {sum(found.values()):,} {word}"


def _make_room(columns: dict[str, list[str]], width: int, first_to_go: Sequence[str]) -> None:
    """Leave out what matters least until a line fits."""
    for title in first_to_go:
        widths = [max(map(len, [name, *cells])) for name, cells in columns.items()]
        if sum(widths) + 2 * (len(widths) - 1) <= width:
            return
        columns.pop(title, None)


def _padded(cells: list[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _plain(value: object) -> str:
    return MISSING if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
