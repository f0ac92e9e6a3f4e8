"""The runs of a folder in a terminal: a line each, with as many columns as fit, or those asked for."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from linrep.errors import InputError, shown
from linrep.page.numbers import cosine
from linrep.page.runs_dots import ended_words, endings
from linrep.runs.index import RunTable

MISSING = "—"
CUT = "…"
RUN, ENDED = "run", "ended"
LISTED = {
    RUN: "run",
    "m": "concepts",
    "k": "model.dim",
    "optim.": "training.optimizer",
    "steps": "training.steps",
    "contexts": "counts.contexts",
    "tokens": "counts.tokens",
    "excess": "final.excess_loss_nats.median",
    "lin g": "final.linearity.unembedding.median",
    "lin f": "final.linearity.embedding.median",
    "align": "final.alignment.median",
    ENDED: "",
}
"""Titles of the listing, and the columns of the table of runs behind them; how runs ended is of several."""
BRIEF: dict[str, Callable[[Any], str]] = {
    "steps": lambda value: f"{value:,.0f}",
    "excess": lambda value: f"{value:.2g}",
    "lin g": cosine,
    "lin f": cosine,
    "align": cosine,
}
"""How numbers are written where there is little room."""
KEY = re.compile(r"(?P<name>.+)-k\d+-[a-z]+-(?P<hash>[0-9a-f]+)")
FIRST_TO_GO = ("tokens", "contexts", "lin f", "m", "steps", "align", "excess", "lin g")
"""Where there is no room for all."""
NAME = 16
"""Letters of a run's name that are kept before a column is left out, where there is no room for both."""
HASH = 4
"""Letters of its hash that are shown at least: as many as tell runs apart, and `linrep report` asks for."""


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
    brief = width is not None and columns is None
    if columns is not None:
        shown_columns = {name: _cells(table, name) for name in _chosen(table, columns)}
    else:
        present = [title for title, name in LISTED.items() if title == ENDED or name in table.column_names]
        others = [name for name in more if name not in LISTED.values()]
        shown_columns = {
            title: _cells(table, title, brief=brief) for title in [*present[:-1], *others, ENDED]
        }
        if width is not None:
            asked = {title for title, name in LISTED.items() if name in more}
            _make_room(shown_columns, width, [title for title in FIRST_TO_GO if title not in asked])
    padded = [_padded([title, *cells]) for title, cells in shown_columns.items()]
    for line in zip(*padded, strict=True):
        text = "  ".join(line).rstrip()
        yield text[: width - 1] + CUT if width is not None and brief and len(text) > width else text


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
        return [_briefly_ended(row) if brief else ended_words(row) for row in rows]
    values: list[Any] = table[LISTED.get(title, title)].to_pylist()
    if brief and title == RUN:
        return _short_names(values)
    return [_brief(title, value) if brief else _plain(value) for value in values]


def _briefly_ended(row: dict[str, Any]) -> str:
    """How a run's seeds ended, the best way alone where there are several."""
    found = endings(row)
    if len(found) < 2:
        return ended_words(row)
    word, number = next(iter(found.items()))
    return f"{number:,}/{sum(found.values()):,} {word}"


def _short_names(keys: Sequence[str]) -> list[str]:
    """World and beginning of the hash of every run: its width and optimizer have columns of their own.

    Example:
        >>> _short_names(["chain-k4-gd-0123456789ab", "chain-k8-gd-0123999999ab", "mine"])
        ['chain 01234', 'chain 01239', 'mine']
    """
    parts = [KEY.fullmatch(key) for key in keys]
    hashes = {part["hash"] for part in parts if part}
    size = HASH
    while len({each[:size] for each in hashes}) < len(hashes):
        size += 1
    return [
        f"{part['name']} {part['hash'][:size]}" if part else key
        for key, part in zip(keys, parts, strict=True)
    ]


def _make_room(columns: dict[str, list[str]], width: int, first_to_go: Sequence[str]) -> None:
    """Shorten the longest names, then leave out what matters least until a line fits."""

    def room() -> int:
        """Left for the names."""
        widths = [max(map(len, [name, *cells])) for name, cells in columns.items() if name != RUN]
        return width - sum(widths) - 2 * len(widths)

    runs = columns.get(RUN, [])
    longest = max(map(len, runs), default=0)
    for title in first_to_go:
        if room() >= min(longest, NAME + HASH + 1):
            break
        columns.pop(title, None)
    if runs and room() < longest:
        columns[RUN] = [_cut(name, max(room(), NAME + HASH + 1)) for name in runs]


def _cut(name: str, size: int) -> str:
    """A short name in so many letters: the hash stays whole."""
    world, _, hashed = name.rpartition(" ")
    if len(name) <= size or not world:
        return name
    return f"{world[: size - len(hashed) - 2]}{CUT} {hashed}"


def _padded(cells: list[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _plain(value: object) -> str:
    return MISSING if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _brief(title: str, value: Any) -> str:
    return BRIEF.get(title, _plain)(value) if value is not None else MISSING
