"""Rows are those that were written; a small file that unpacks into a large one is refused unread."""

from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from linrep.errors import InputError
from linrep.llm.winograd import read_winograd
from linrep.runs import formats as module
from linrep.runs.formats import MOST_VALUES, parquet_rows

MEGABYTE = "x" * 10**6


def repeated(text: str, times: int) -> Any:
    return arrow.DictionaryArray.from_arrays(arrow.array([0] * times, arrow.int32()), arrow.array([text]))


def in_lists(times: int) -> Any:
    """One row with everything in it."""
    return arrow.ListArray.from_arrays([0, times], repeated(MEGABYTE, times))


def in_structs(times: int) -> Any:
    return arrow.StructArray.from_arrays([repeated(MEGABYTE, times)], ["a"])


MANY = 100_000
SWOLLEN = {
    "rows": (repeated(MEGABYTE, MANY), "unpacks into 100,000,000,000 bytes, expected at most 268,435,456"),
    "lists": (in_lists(MANY), "unpacks into 100,000,000,000 bytes"),
    "structs": (in_structs(MANY), "unpacks into 100,000,000,000 bytes"),
    "numbers": (
        arrow.array([0] * 2 * MOST_VALUES),
        "unpacks into 4,194,304 rows, expected at most 2,097,152",
    ),
    "elements": (
        arrow.ListArray.from_arrays([0, 2 * MOST_VALUES], arrow.array([0] * 2 * MOST_VALUES)),
        "unpacks into 4,194,304 values, expected at most 2,097,152",
    ),
}
"""No test could hold these: what unpacks them does not end well."""


@pytest.mark.parametrize("kind", SWOLLEN)
@pytest.mark.parametrize("schema", [False, True])
def test_few_bytes_that_hold_many_are_one_line(kind: str, schema: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    column, said = SWOLLEN[kind]
    parquet.write_table(arrow.table({"text": column}), path, compression="zstd", store_schema=schema)
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match=f"^{path}: {said}") as caught:
        read_winograd(path)
    assert "\n" not in str(caught.value)


def test_rows_are_those_that_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    rows = [
        {"text": "Zwölf", "options": ["a", None, "bcd"], "label": 1, "deep": [{"x": ["e"]}], "raw": b"1"},
        {"text": None, "options": [], "label": None, "deep": [], "raw": None},
        {"text": "Zwölf", "options": None, "label": -3, "deep": None, "raw": b"1"},
    ]
    table = arrow.Table.from_pylist(rows)
    for size in (1, 2, 3):
        parquet.write_table(table, path, row_group_size=size)
        assert parquet_rows(path) == rows
    parquet.write_table(arrow.table({"text": repeated("Zwölf" * 4, 100)}), path)
    stored = parquet.read_metadata(path).row_group(0).column(0).total_uncompressed_size
    assert stored < 600, "written out they are more than they are as stored"
    monkeypatch.setattr(module, "LARGEST_BYTES", 2400)
    assert len(parquet_rows(path)) == 100
    monkeypatch.setattr(module, "LARGEST_BYTES", 2399)
    with pytest.raises(InputError, match="unpacks into 2,400 bytes, expected at most 2,399"):
        parquet_rows(path)
    monkeypatch.setattr(module, "LARGEST_BYTES", 799)
    with pytest.raises(InputError, match="unpacks into 800 bytes"):
        parquet_rows(path)


def test_a_head_that_announces_less_than_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unpacks into 2,097,153 values"):
        module._require_few(1, [3, -1], tmp_path)  # pyright: ignore[reportPrivateUsage]
