"""What names the rows of a table, and how the rows of two tables are joined: by ids that both have, by order
where neither has any, or not at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linrep.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

BY_ORDER = "none"
"""As the name of the id column: rows stand in the same order, whatever ids there are."""
ID_NAMES = ("id", "ids", "index")
INDEX = re.compile(r"__index_level_\d+__")
FIRST = re.compile(r"|Unnamed: 0")
"""What an index is called that was written without a name, always the first column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Rows of two tables that belong together, in the order of the first."""

    first: list[int]
    second: list[int]
    by: str
    """"id" or "row order"."""
    left_out: tuple[int, int]
    """Rows of each that have no partner."""
    said: str
    """The same in a sentence."""


def id_column_of(
    names: Sequence[str], asked: str | None, source: str, *, index: Sequence[str] = ()
) -> tuple[str | None, list[str]]:
    """Which column names rows, and which are no data of their own.

    Args:
        names: The columns, in order.
        asked: The one asked for; :data:`BY_ORDER` for none.
        source: What to call the table in errors.
        index: Columns that the file itself marks as its index.

    Returns:
        The column (None if there is none) and those to leave out.

    Raises:
        InputError: If the column asked for is not there.

    Example:
        >>> id_column_of(["", "a", "b"], None, "t.csv"), id_column_of(["a", "Id"], None, "t.csv")
        (('', ['']), ('Id', ['Id']))
    """
    written = [
        n for i, n in enumerate(names) if n in index or INDEX.fullmatch(n) or (i == 0 and FIRST.fullmatch(n))
    ]
    usual = [n for n in names if n.lower() in ID_NAMES]
    if asked is not None and asked in names:
        return asked, list(dict.fromkeys([asked, *written]))
    if asked == BY_ORDER:
        return None, list(dict.fromkeys([*usual, *written]))
    if asked is not None:
        have = ", ".join(repr(n) if not n.strip() else n for n in names[:8])
        raise InputError(f"{source}: no column {asked!r} for ids; it has {have or 'none'}")
    found = next(iter([*usual, *written]), None)
    return found, written if found is None or found in written else [found, *written]


def index_ids(frame: "pd.DataFrame") -> tuple[str, ...] | None:
    """A frame's own index as ids; None where it only counts the rows."""
    import pandas as pd

    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return None
    return tuple(as_text(each) for each in index)


def join_rows(
    first: tuple[str, ...] | None,
    second: tuple[str, ...] | None,
    rows: tuple[int, int],
    sources: tuple[str, str],
    *,
    by_order: bool = False,
) -> Joined:
    """Join two tables, or refuse to.

    Naively: `zip(first, second)`, which pairs strangers as soon as one table was sorted.

    Args:
        first: Ids of the first table's rows; None where it has none.
        second: Ids of the second's.
        rows: How many each has.
        sources: What to call them.
        by_order: Rows stand in the same order, the caller says.

    Returns:
        Rows that belong together.

    Raises:
        InputError: If only one has ids, no two agree, or rows without ids are not equally many.

    Example:
        >>> join_rows(("a", "b", "c"), ("c", "a"), (3, 2), ("v", "t")).second
        [1, 0]
    """
    by_order = by_order or (first is None and second is None) or _counts(first, second)
    if by_order:
        if rows[0] != rows[1]:
            raise InputError(
                f"{sources[1]}: expected {rows[0]} rows, as many as {sources[0]} has, got {rows[1]}; "
                "equalise them, or give both a column of ids (--id)"
            )
        order = list(range(rows[0]))
        said = f"rows of {sources[0]} and {sources[1]} were joined by their order, all {rows[0]:,} of them"
        return Joined(first=order, second=order, by="row order", left_out=(0, 0), said=said)
    if first is None or second is None:
        has, lacks = sources if second is None else sources[::-1]
        raise InputError(
            f"{lacks}: has no ids to join by, and {has} has ({(first or second or ('',))[0]!r}, …); name "
            f"the column of ids in both (--id), or say that rows stand in the same order: --id {BY_ORDER}"
        )
    where = {each: row for row, each in enumerate(second)}
    kept = [row for row, each in enumerate(first) if each in where]
    almost = _almost(first, second)
    if len(kept) < 2:
        raise InputError(
            f"{sources[1]}: {'only one row' if kept else 'no row'} has an id of {sources[0]}: ids are like "
            f"{second[0] if second else ''!r} here and {first[0]!r} there{almost}; make them agree"
        )
    left = (rows[0] - len(kept), rows[1] - len(kept))
    said = (
        f"rows were joined by id: {len(kept):,} are measured, {left[0]:,} of {sources[0]} and {left[1]:,} of "
        f"{sources[1]} have no partner{almost}"
    )
    return Joined(first=kept, second=[where[first[row]] for row in kept], by="id", left_out=left, said=said)


def _counts(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> bool:
    """Whether the only ids there are do no more than count the rows, from 0 or 1."""
    if (first is None) == (second is None):
        return False
    ids = first or second or ()
    return any(ids == tuple(map(str, range(start, start + len(ids)))) for start in (0, 1))


def _almost(first: Sequence[str], second: Sequence[str]) -> str:
    """Ids without a partner that would have one if case, zeros in front or a point behind did not count."""
    apart = set(first) ^ set(second)
    plain = {_plain(each): each for each in second if each in apart}
    near = [(each, plain[_plain(each)]) for each in first if each in apart and _plain(each) in plain]
    if not near:
        return ""
    return f"; {len(near):,} almost match, such as {near[0][0]!r} and {near[0][1]!r}"


def _plain(text: str) -> str:
    return re.sub(r"^0+(?=.)", "", re.sub(r"\.0*$", "", "".join(text.split()).casefold()))


def distinct_ids(ids: tuple[str, ...], source: str) -> None:
    """Refuse an id that is empty or comes twice, naming it."""
    seen: dict[str, int] = {}
    for row, each in enumerate(ids):
        if each == "":
            raise InputError(f"{source}: row {row} has no id; fill it in or drop the row")
        if each in seen:
            raise InputError(f"{source}: id {each!r} comes twice, in rows {seen[each]} and {row}; keep one")
        seen[each] = row


def as_text(value: Any) -> str:
    """A cell as text: 1.0 and 1 are the same value, text loses its outer blanks, bytes are text.

    Example:
        >>> as_text(1.0), as_text(" yes "), as_text(0.5), as_text(b"cat")
        ('1', 'yes', '0.5', 'cat')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    return str(value).strip()
