"""How many bytes a Parquet file becomes when it is read, and the refusal of too many, before they are taken.

Whatever repeats is stored once, and lists of a fixed size are not stored where they are null: a file of 300
bytes can hold gigabytes. So what its head announces is counted first; then texts are read as they are stored,
and what they come to is counted before they are written out. A file whose head lies is not found out here.
"""

import json
import os
import subprocess
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from linrep.errors import InputError

FORMATS = ".safetensors, .npz, .npy, .parquet, .csv, .tsv, or .txt of words with their numbers"


@contextmanager
def one_line(path: Path) -> Generator[None]:
    """What a file can do wrong, in one line that names it."""
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    try:
        # A head of a file may announce a product of sizes that overflows, of which numpy warns first.
        with np.errstate(all="ignore"):
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except OSError as error:
        words = " ".join(str(error.strerror or error).split())
        raise InputError(f"{path}: cannot be read ({words[:160]}); check the file") from None
    except MemoryError:
        raise InputError(f"{path}: announces more numbers than memory holds; is it damaged?") from None
    except (ValueError, TypeError, KeyError, EOFError, RuntimeError, OverflowError, SyntaxError, zlib.error,
            zipfile.BadZipFile, tokenize.TokenError, SafetensorError, ArrowException) as error:  # fmt: skip
        words = " ".join(str(error).split())
        if "pickle" in words or "Object arrays" in words:
            raise InputError(
                f"{path}: holds pickled objects, which are refused; save plain numbers"
            ) from None
        raise InputError(f"{path}: cannot be read ({words[:160]}); expected {FORMATS}") from None


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a safetensors file, all of which can be read.

    Raises:
        InputError: Missing or malformed file.
    """
    from safetensors import safe_open

    with one_line(path), safe_open(path, framework="pt") as file:
        return {key: tuple(file.get_tensor(key).shape) for key in file.keys()}  # noqa: SIM118


def parquet_schema(path: Path) -> dict[str, bool]:
    """The columns of a Parquet file, and whether each holds numbers or lists of them.

    Raises:
        InputError: Missing or malformed file, or one that unpacks into too much.
    """
    import pyarrow.parquet as pq
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_list, types.is_fixed_size_list)
    with one_line(path):
        require_readable(path)
        return {field.name: any(test(field.type) for test in tests) for field in pq.read_schema(path)}


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


SMALL_BYTES = 2**28
"""So much any file may unpack into."""
MOST_TIMES = 1100
"""A larger file may unpack into so many times its size: a little more than zip can."""
COUNTED = """
import json, sys
from pyarrow.parquet import ParquetFile
file = ParquetFile(sys.argv[1]).metadata
groups = map(file.row_group, range(file.num_row_groups))
lists = int(sys.argv[2])
chosen = [each for each in range(file.num_columns) if file.schema.column(each).max_repetition_level >= lists]
print(json.dumps([{each: group.column(each).num_values for each in chosen} for group in groups]))
"""
"""Counts the values of columns: a process of its own, which some damaged heads end at once."""


def require_readable(path: Path, most: int | None = None) -> None:
    """Refuse a Parquet file that unpacks into too much.

    Args:
        path: The file.
        most: Bytes; by default as many as :func:`require_room` allows.

    Raises:
        InputError: With both sizes.
        OSError: No file that can be read.
        ArrowException: No Parquet, or with columns whose size cannot be told.
    """
    import pyarrow.parquet as parquet

    head = parquet.ParquetFile(path)
    _require(_announced(head, path), path, most)
    texts = _texts(head)
    if texts:
        # Extension types would write texts out at once.
        file = parquet.ParquetFile(
            path, read_dictionary=texts, page_checksum_verification=True, arrow_extensions_enabled=False
        )
        groups = (file.read_row_group(each, columns=texts) for each in range(file.num_row_groups))
        _require(sum(map(_texts_written_out, groups)), path, most)


def flat_columns(content: bytes, path: Path) -> Any:
    """A Parquet file of numbers and texts alone as a pyarrow table; texts stay as codes and their dictionary.

    As safe as :func:`require_readable` and then reading it, in one go.

    Args:
        content: Of the file.
        path: Where it lies, named in errors.

    Raises:
        InputError: It unpacks into too much.
        ArrowException: No Parquet, or with columns of other kinds.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    head = parquet.ParquetFile(arrow.BufferReader(content))
    if any(head.schema.column(each).max_repetition_level for each in range(len(head.schema))):
        raise arrow.ArrowInvalid("a column of lists")
    _require(_announced(head, path), path, None)
    file = parquet.ParquetFile(
        arrow.BufferReader(content),
        metadata=head.metadata,
        read_dictionary=_texts(head),
        page_checksum_verification=True,
        arrow_extensions_enabled=False,
    )
    table = file.read(use_threads=False, use_pandas_metadata=False)
    _require(_texts_written_out(table.select(_texts(head))), path, None)
    return table


def _texts(file: Any) -> list[str]:
    leaves = [file.schema.column(each) for each in range(len(file.schema))]
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _texts_written_out(table: Any) -> int:
    return sum(_written_out(chunk) for column in table.columns for chunk in column.chunks)


def require_room(size: int, path: Path) -> None:
    """Refuse a file that unpacks into more than half of the machine's memory, or too many times its size.

    Args:
        size: Bytes, unpacked.
        path: An existing file.

    Raises:
        InputError: With both sizes.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _require(size, path, min(memory // 2, max(SMALL_BYTES, MOST_TIMES * path.stat().st_size)))


def _require(size: int, path: Path, most: int | None) -> None:
    if most is None:
        require_room(size, path)
    elif size > most:
        raise InputError(f"{path}: unpacks into {size:,} bytes, expected at most {most:,}; is it damaged?")


def _announced(file: Any, path: Path) -> int:
    """Bytes that all columns take, or more; each text counts as one number."""
    import pyarrow as arrow

    leaves = [file.schema.column(each) for each in range(len(file.schema))]
    sizes = [size for field in file.schema_arrow for size in _fixed_sizes(field.type)]
    if len(sizes) != len(leaves):
        raise arrow.ArrowInvalid("a column without content")
    counted = value_counts(path, lists=True) if any(leaf.max_repetition_level for leaf in leaves) else []
    total = 0
    for number, group in enumerate(map(file.metadata.row_group, range(file.num_row_groups))):
        taken = 0
        for each, (leaf, (fixed, in_lists)) in enumerate(zip(leaves, sizes, strict=True)):
            values = counted[number][each] if leaf.max_repetition_level else 0
            values = values * fixed if in_lists else max(values, group.num_rows * fixed)
            taken += values * max(8, leaf.length)
        total += max(taken, group.total_byte_size)
    return total


def value_counts(path: Path, *, lists: bool = False) -> list[dict[int, int]]:
    """How many values a head announces, by row group and column.

    Args:
        path: An existing file.
        lists: Only of columns that hold lists: those of others are told by the number of rows.

    Raises:
        ArrowException: No Parquet, or a damaged head.
    """
    import pyarrow as arrow

    words = [sys.executable, "-c", COUNTED, str(path), str(int(lists))]
    counted = subprocess.run(words, check=False, capture_output=True, text=True)
    if counted.returncode:
        raise arrow.ArrowInvalid("its head contradicts itself")
    return [{int(each): values for each, values in group.items()} for group in json.loads(counted.stdout)]


def _fixed_sizes(kind: Any, fixed: int = 1, in_lists: bool = False) -> Iterator[tuple[int, bool]]:
    """Per stored column of a type: values of a row even if null, and whether lists of any size hold them."""
    import pyarrow as arrow
    from pyarrow import types

    if isinstance(kind, arrow.BaseExtensionType):
        yield from _fixed_sizes(kind.storage_type, fixed, in_lists)
    elif types.is_fixed_size_list(kind):
        yield from _fixed_sizes(kind.value_type, fixed * kind.list_size, in_lists)
    elif kind.num_fields:
        for each in range(kind.num_fields):
            yield from _fixed_sizes(kind.field(each).type, fixed, in_lists or not types.is_struct(kind))
    else:
        yield fixed, in_lists


def _written_out(array: Any) -> int:
    """Bytes of an arrow array in which every value stands for itself, texts read as dictionaries."""
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
