"""A small file that becomes a large one is refused before the memory is taken; honest repetition is read."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linrep.cli.validate import validate
from linrep.errors import InputError
from linrep.runs import formats as unpacking
from linrep.runs.formats import (
    COUNTED,
    MOST_TIMES,
    SMALL_BYTES,
    one_line,
    parquet_schema,
    require_readable,
    require_room,
)
from linrep.vectors.reading import frame_of, read_vectors

SMALLER = 2**22
"""A bound for files that a test can hold, had they not been refused."""


POOLS: list[Any] = []
"""Kept as long as anything that was taken from them."""


def repeated(text: str, times: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


def in_one_list(times: int) -> Any:
    return pa.LargeListArray.from_arrays([0, times], pa.array(np.zeros(times, np.int8)))


def write(path: Path, *, typed: bool = True, **columns: Any) -> None:
    """Compressed well; with the types that the columns had, or with those that Parquet has."""
    table = pa.table(columns)
    pq.write_table(table, path, compression="zstd", store_schema=typed, dictionary_pagesize_limit=2**30)


def words(number: int) -> Any:
    return pa.array([f"w{each}" for each in range(number)])


@contextmanager
def counted() -> Generator[Any]:
    """What Arrow takes meanwhile, and the most that it holds at once."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    POOLS.append(pool)
    pa.set_memory_pool(pool)
    try:
        yield pool
    finally:
        pa.set_memory_pool(before)


def test_few_bytes_that_hold_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for columns, stored, said in (
        ({"id": words(4000), "a": repeated("x" * 10**6, 4000)}, 10_000, "4,000,018,890"),
        ({"a": in_one_list(SMALL_BYTES // 8 + 1)}, 1000, "268,435,464"),
    ):
        write(path, **columns, typed=False)
        assert path.stat().st_size < stored
        for read in (lambda: frame_of(path, "attributes"), lambda: read_vectors(path)):
            with counted() as pool, pytest.raises(InputError) as caught:
                read()
            assert pool.max_memory() < 2**24
            line = f"{path}: unpacks into {said} bytes, expected at most 268,435,456; is it damaged?"
            assert str(caught.value) == line


LONG = pa.list_(pa.float32(), 25_000)
SWOLLEN = {
    "texts": repeated("x" * 10**5, 100),
    "texts in lists": pa.ListArray.from_arrays([0, 100], repeated("x" * 10**5, 100)),
    "texts in structs": pa.StructArray.from_arrays([repeated("x" * 10**5, 100)], ["b"]),
    "texts of one kind": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1" * 10**5] * 100)),
    "bytes of one length": pa.array([b"x" * 10**5] * 100, pa.binary(10**5)),
    "null lists of one length": pa.nulls(100, LONG),
    "null lists of one length in structs": pa.array([{"b": None}] * 100, pa.struct({"b": LONG})),
    "null lists of one length in lists": pa.array([[None] * 100], pa.list_(LONG)),
    "numbers": pa.array(np.zeros(SMALLER // 8 + 1)),
}


@pytest.mark.parametrize("kind", SWOLLEN)
def test_whatever_repeats_is_counted_before_it_is_written_out(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, column = tmp_path / "x.parquet", SWOLLEN[kind]
    write(path, a=column, typed="of one length" in kind)
    assert path.stat().st_size < SMALLER // MOST_TIMES
    parquet_schema(path)
    with counted() as pool:
        pq.read_table(path)
    assert pool.max_memory() > SMALLER
    monkeypatch.setattr(unpacking, "SMALL_BYTES", SMALLER)
    with counted() as pool, pytest.raises(InputError, match=r"unpacks into .* at most 4,194,304;"):
        parquet_schema(path)
    assert pool.max_memory() < SMALLER


def test_what_is_not_small_is_bounded_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 0)
    path = tmp_path / "x.parquet"
    draws = np.random.default_rng(0)
    honest = {
        "vectors": pa.FixedSizeListArray.from_arrays(pa.array(draws.normal(size=2**18).astype("f4")), 1024),
        "lists": pa.ListArray.from_arrays(range(0, 1001, 10), pa.array(draws.normal(size=1000))),
        "category": pa.array(draws.choice(["a long name of a group", "another long name"], 10_000)),
        "constant": pa.array(["the same text in every row"] * 10_000),
    }
    for column in honest.values():
        write(path, id=words(len(column)), a=column)
        require_readable(path)
        assert pq.read_table(path)["a"].combine_chunks().equals(pa.chunked_array([column]).combine_chunks())
    require_readable(path, 308_890)
    with pytest.raises(InputError, match="unpacks into 308,890 bytes, expected at most 308,889;"):
        require_readable(path, 308_889)
    with pytest.raises(InputError, match="is it damaged"):
        require_room(MOST_TIMES * path.stat().st_size + 1, path)


def test_no_file_and_no_parquet_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(InputError, match="no such file"), one_line(path):
        require_readable(path)
    path.write_bytes(b"junk")
    with pytest.raises(InputError, match="cannot be read"), one_line(path):
        require_readable(path)


def test_a_head_that_ends_the_process_of_its_reader_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    column = pa.array([[1.0, 2.0], [3.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"v": column}), path, store_schema=False)
    content = path.read_bytes()
    optional, required = (b"%" + kind + b"\x18\x07element" for kind in (b"\x02", b"\x00"))
    assert content.count(optional) == 1
    path.write_bytes(content.replace(optional, required))
    ended = subprocess.run([sys.executable, "-c", COUNTED, path, "1"], check=False, capture_output=True)
    assert ended.returncode < 0, "by a signal: else it could be asked here"
    with pytest.raises(pa.ArrowInvalid, match="contradicts itself"):
        require_readable(path)
    assert "\n" not in (validate(path).error or "\n")
