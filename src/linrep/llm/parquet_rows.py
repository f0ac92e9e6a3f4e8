"""The rows of a small Parquet file of texts, which cannot unpack into more than it should.

A text that is repeated is stored once: a file of 300 bytes can hold gigabytes. So texts are read as they
are stored, and what they come to is counted before they are written out.
"""

from pathlib import Path
from typing import Any

from linrep.errors import InputError

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
        texts = _require_few(parquet.read_metadata(path), path)
        table = parquet.ParquetFile(path, read_dictionary=texts).read()
        chunks = (chunk for column in table.columns for chunk in column.chunks)
        _require(sum(_written_out(chunk) for chunk in chunks), LARGEST_BYTES, "bytes", path)
        return table.to_pylist()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"{path}: not a Parquet file ({reason}); give the file as it was downloaded"
        ) from None


def _require_few(metadata: Any, path: Path) -> list[str]:
    """Refuse a file whose head announces too much; the columns of text, as Parquet calls them."""
    groups = [metadata.row_group(each) for each in range(metadata.num_row_groups)]
    columns = [group.column(each) for group in groups for each in range(group.num_columns)]
    announced = (
        ([metadata.num_rows], MOST_VALUES, "rows"),
        ([each.num_values for each in columns], MOST_VALUES, "values"),
        ([each.total_uncompressed_size for each in columns], LARGEST_BYTES, "bytes"),
    )
    for amounts, most, what in announced:
        # A damaged head may announce less than nothing.
        _require(sum(amounts) if min(amounts, default=0) >= 0 else most + 1, most, what, path)
    leaves = [metadata.schema.column(each) for each in range(metadata.num_columns)]
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _written_out(array: Any) -> int:
    """Bytes of an array in which every value stands for itself."""
    import pyarrow as arrow
    import pyarrow.compute as compute

    if isinstance(array, arrow.DictionaryArray):
        lengths = compute.call_function("binary_length", [array.dictionary])
        total = compute.call_function("sum", [lengths.take(array.indices).cast(arrow.int64())])
        return total.as_py() or 0
    if isinstance(array, arrow.ListArray | arrow.LargeListArray | arrow.FixedSizeListArray | arrow.MapArray):
        return _written_out(array.flatten())
    if isinstance(array, arrow.StructArray):
        return sum(map(_written_out, array.flatten()))
    if arrow.types.is_nested(array.type) or arrow.types.is_run_end_encoded(array.type):
        raise arrow.ArrowInvalid(f"a column of {array.type}")
    return array.nbytes


def _require(amount: int, most: int, what: str, path: Path) -> None:
    if amount > most:
        raise InputError(f"{path}: unpacks into {amount:,} {what}, expected at most {most:,}; is it damaged?")
