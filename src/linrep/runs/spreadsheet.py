"""Tables as CSV: numbers with all their digits, and texts that no spreadsheet takes for formulas.

A label such as ``=1+1`` or ``@name`` would be worked out by whoever opens the file, with all that a formula
can do there. Behind an apostrophe it is text; numbers stay as they are, -0.3 too.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def to_csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    r"""Comma-separated text; what is absent is an empty cell, numbers keep all their digits.

    Example:
        >>> to_csv(["concept", "value"], [["=1+1", -0.3], ["-0.3", None]])
        "concept,value\n'=1+1,-0.3\n-0.3,\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_cell(cell) for cell in head)
    writer.writerows([_cell(cell) for cell in line] for line in lines)
    return text.getvalue()


def frame_to_csv(frame: "pd.DataFrame") -> str:
    """A pandas frame, without its index."""
    from pandas.api.types import is_numeric_dtype

    words = [name for name, kind in frame.dtypes.items() if not is_numeric_dtype(kind)]
    safe = frame.assign(**{name: frame[name].astype(object).map(_cell, na_action="ignore") for name in words})
    return safe.rename(columns=_cell).to_csv(index=False)


def escaped(text: str) -> str:
    """A text as a cell.

    Example:
        >>> [escaped(each) for each in ("-0.3", "-x", "'=x", "it's")]
        ['-0.3', "'-x", "''=x", "it's"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescaped(cell: str) -> str:
    """The text of a cell.

    Example:
        >>> [unescaped(escaped(each)) for each in ("-0.3", "-x", "'=x", "it's")]
        ['-0.3', '-x', "'=x", "it's"]
    """
    return cell[1:] if _ESCAPED.match(cell) else cell


def _cell(value: Any) -> Any:
    return escaped(value) if isinstance(value, str) else "" if value is None else value
