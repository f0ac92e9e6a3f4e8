"""The rows of a small Parquet file of texts, which cannot unpack into more than it should."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linrep.errors import InputError
from linrep.unpacking import require_readable, value_counts

LARGEST_BYTES = 2**28
"""Of all texts, stored and written out. The published schemas take less than a tenth of a megabyte."""
MOST_VALUES = 2**21
"""Numbers and texts of all columns together."""


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """Every row as plain data.

    Args:
        path: A file of texts, numbers and lists of them.

    Raises:
        InputError: In one line: no such file, no Parquet, or more in it than such a file has.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an existing one")
    try:
        values = [each for group in value_counts(path) for each in group.values()]
        _require_few(parquet.read_metadata(path).num_rows, values, path)
        require_readable(path, LARGEST_BYTES)
        return parquet.ParquetFile(path).read().to_pylist()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"{path}: not a Parquet file ({reason}); give the file as it was downloaded"
        ) from None


def _require_few(rows: int, values: Sequence[int], path: Path) -> None:
    """Refuse a file whose head announces too many rows or values."""
    for amounts, what in (([rows], "rows"), (values, "values")):
        # A damaged head may announce less than nothing.
        amount = sum(amounts) if min(amounts, default=0) >= 0 else MOST_VALUES + 1
        if amount > MOST_VALUES:
            raise InputError(
                f"{path}: unpacks into {amount:,} {what}, expected at most {MOST_VALUES:,}; is it damaged?"
            )
