"""All runs of a folder as one table: a row for each, its config and its final numbers under dotted names.

The folders are the truth. ``<root>/.index.parquet`` keeps what was read from them, so that only runs that are
new or were trained again are opened; it is written whole or not at all, whoever writes it last, and when it
is lost, damaged or of another form it is made anew.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linrep.errors import DamagedError, InputError
from linrep.files import write_file
from linrep.progress import counted
from linrep.runs.config import Config
from linrep.runs.formats import require_readable
from linrep.runs.store import (
    CONFIG,
    PROVENANCE,
    RESULT,
    TABLES,
    WORLDS,
    Store,
    holds_run,
    parse_json,
    read_intact,
    read_json,
)

RunTable = Any
"""A pyarrow table of runs, dotted names as columns; pyarrow has no types that a checker could know."""
INDEX = ".index.parquet"
RUN, STAMP = "run", "stamp"
FORM = {b"linrep.index": b"1"}
"""Of the file; another form is not read."""
LEFT_OUT = (
    *("output", "figures", "spectrum", "ending.ended_at"),
    *("ended.target_nats", "ended.rate", "ended.floor_nats", "ended.best_nats"),
)
"""Tables of a config or result that no row holds, beside whatever is told per concept or per run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIndex:
    """The runs of a folder."""

    table: RunTable
    """One row a run, by key. Absent values are null."""
    damaged: tuple[str, ...]
    """One line for each folder that could not be read."""


def run_index(store: Store) -> RunIndex:
    """Read what is new, keep the index for the next time.

    Args:
        store: A folder of runs. Where the index cannot be written, it is made in memory each time.

    Example:
        >>> run_index(Store(Path("nowhere"))).table.num_rows
        0
    """
    stamps = dict(_stamps(store))
    path = store.root / INDEX
    known = _load(path)
    rows = zip(known[RUN].to_pylist(), known[STAMP].to_pylist(), strict=True)
    still = [stamps.get(run) == stamp for run, stamp in rows]
    kept = known if all(still) else known.filter(still)
    fresh, damaged = _read(store, stamps, set(kept[RUN].to_pylist()))
    table = kept if not fresh else _joined(kept, _table(fresh))
    if fresh or len(kept) < len(known):
        _save(path, table)
    return RunIndex(table=table.drop_columns([STAMP]), damaged=(*damaged, *_lost(store, stamps)))


def flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested plain data under dotted names: pairs of numbers as low and high, other lists as their length.

    Example:
        >>> dict(flat({"model": {"dim": 4}, "range": [0.3, 0.7], "concepts": ["a", "b", "c"]}))
        {'model.dim': 4, 'range.low': 0.3, 'range.high': 0.7, 'concepts': 3}
    """
    for key, value in fields.items():
        name = prefix + key.replace(" ", "_")  # so that an expression can name it
        if key == "per_concept" or name in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif not isinstance(value, list):
            yield name, value
        elif key != "per_run":
            numbers = all(isinstance(each, int | float) for each in value)
            ends = (f"{name}.low", f"{name}.high")
            yield from zip(ends, value, strict=True) if numbers and len(value) == 2 else [(name, len(value))]


def _stamps(store: Store) -> Iterator[tuple[str, str]]:
    """What changes when a run is trained again: its folder is then another, and so is the file in it."""
    for key in store.finished():
        try:
            found = os.stat(store.root / key / RESULT)
        except OSError:  # removed since, or not to be read: reading it tells
            yield key, ""
        else:
            yield key, f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def _read(
    store: Store, stamps: Mapping[str, str], kept: set[str]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    rows: list[dict[str, Any]] = []
    damaged: list[str] = []
    new = [(key, stamp) for key, stamp in stamps.items() if key not in kept]
    for key, stamp in counted(new, "runs"):
        try:
            rows.append({RUN: key, STAMP: stamp, **_row(store.root / key)})
        except InputError as error:
            if store.find(key) is not None:
                damaged.append(str(error))
    return rows, tuple(damaged)


def _lost(store: Store, stamps: Mapping[str, str]) -> Iterator[str]:
    """A line for each folder in which a run is left, but not its result."""
    entries = os.scandir(store.root) if store.root.is_dir() else ()
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name not in stamps and not entry.name.startswith(".") and entry.is_dir():
            folder = Path(entry.path)
            left = any((folder / name).exists() for name in (PROVENANCE, WORLDS, TABLES))
            if left and not holds_run(folder):
                yield f"{folder / RESULT}: missing; run it again"


def _row(folder: Path) -> dict[str, Any]:
    expected = read_json(folder / PROVENANCE).get("sha256")
    found: dict[str, Any] = {}
    for name in (CONFIG, RESULT):
        content = read_intact(folder / name, expected)
        fields = parse_json(content, folder / name)
        if name == RESULT and fields.get("run") != folder.name:
            raise DamagedError(f"{folder}: holds another run ({fields.get('run')})")
        found |= flat(fields)
    return {name: value for name, value in found.items() if name not in (RUN, STAMP)}


def _load(path: Path) -> RunTable:
    """The index as it was left; empty where there is none that can be trusted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        require_readable(path)
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        kinds = [table.schema.field(name).type for name in (RUN, STAMP)]
        if (table.schema.metadata or {}).items() >= FORM.items() and kinds == [pa.string()] * 2:
            return table
    except (OSError, ValueError, KeyError, MemoryError, pa.ArrowException):
        pass
    return pa.table({RUN: pa.array([], pa.string()), STAMP: pa.array([], pa.string())})


def _save(path: Path, table: RunTable) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(FORM), written, write_page_checksum=True)
    try:
        write_file(path, written.getvalue().to_pybytes())
    except (OSError, InputError):  # a full disk, a folder of somebody else's: it is only a cache
        return


def _table(rows: Sequence[Mapping[str, Any]]) -> RunTable:
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        # Of several kinds: integers that take more than 64 bits, or words among numbers.
        if all(value is None or isinstance(value, int | float) for value in values):
            return pa.array([None if value is None else float(value) for value in values])
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values])


def _joined(kept: RunTable, fresh: RunTable) -> RunTable:
    """Both tables, by key; columns in the order of the config, then of the result."""
    import pyarrow as pa

    for name in set(kept.column_names) & set(fresh.column_names):
        kinds = {str(each.schema.field(name).type) for each in (kept, fresh)} - {"null"}
        if len(kinds) > 1 and not kinds <= {"int64", "double"}:
            kept, fresh = (_as_text(each, name) for each in (kept, fresh))
    table = pa.concat_tables([kept, fresh], promote_options="permissive").combine_chunks()
    tables = [RUN, STAMP, *Config.model_fields]
    place = {name: tables.index(top) if (top := name.partition(".")[0]) in tables else len(tables)
             for name in table.column_names}  # fmt: skip
    return table.select(sorted(table.column_names, key=place.__getitem__)).sort_by(RUN)


def _as_text(table: RunTable, name: str) -> RunTable:
    import pyarrow as pa

    return table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
