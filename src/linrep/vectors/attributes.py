"""Attributes of the rows: read, joined to the vectors, and turned into digits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.vectors.reading import Vectors, as_text, distinct_ids, frame_of

if TYPE_CHECKING:
    import pandas as pd

MOST_VALUES = 50
MISSING = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Attributes as digits, one row for each vector."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """By attribute, in order: numbers by size, words by alphabet."""
    codes: Int64[Tensor, "rows attributes"]
    """Position in `values`; -1 = missing."""
    match: Int64[Tensor, "rows columns"]
    """Columns that both rows of a pair must share though they are no concepts; -1 = missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Vectors and attributes of the same rows."""

    table: Float[Tensor, "rows dim"]
    attributes: Attributes
    labels: tuple[str, ...]
    """What to call each row: its id, or its number."""
    about: Mapping[str, Any]
    """How rows were joined and how many were left out."""


def join(
    vectors: Vectors,
    attributes: Any,
    *,
    id_column: str | None = None,
    columns: Sequence[str] | None = None,
    match: Sequence[str] = (),
) -> Sample:
    """Join vectors and attributes by id where both have ids, else by row order.

    Args:
        vectors: As read.
        attributes: A CSV, TSV or Parquet file, a pandas frame, or columns by name.
        id_column: The column of ids; by default one called "id", if there is.
        columns: Which columns are attributes; by default all but the ids and `match`.
        match: Columns in which the rows of a pair must be equal, of any number of values.

    Returns:
        The rows that have both.

    Raises:
        InputError: If no row has both, or an attribute is not there, constant, or has too many values.
    """
    source = str(attributes) if isinstance(attributes, str | Path) else "attributes"
    frame = frame_of(attributes, "attributes")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{source}: column {twice!r} comes twice; rename one")
    ids = _ids(frame, id_column, source)
    name = id_column or "id"
    wanted = list(columns) if columns else [c for c in frame.columns if c != name and c not in match]
    for column in (*wanted, *match):
        if column not in frame.columns:
            have = ", ".join(str(c) for c in frame.columns[:8])
            raise InputError(f"{source}: no attribute {column!r}; it has {have}")
    if not wanted:
        raise InputError(f"{source}: expected a column of attributes, got none beside the ids; add one")
    at_vectors, at_attributes, about = _joined(vectors, ids, len(frame), source)
    kept = frame.iloc[at_attributes]
    coded = [_coded(kept[column], column, most=MOST_VALUES) for column in wanted]
    others = [_coded(kept[column], column, most=None)[0] for column in match]
    whole = at_vectors == list(range(len(vectors.table)))
    named = vectors.ids if vectors.ids is not None else ids
    rows = at_vectors if vectors.ids is not None else at_attributes
    return Sample(
        table=vectors.table if whole else vectors.table[torch.tensor(at_vectors)],
        attributes=Attributes(
            names=tuple(str(column) for column in wanted),
            values=tuple(values for _, values in coded),
            codes=torch.stack([codes for codes, _ in coded], 1),
            match=torch.stack(others, 1) if others else torch.zeros(len(kept), 0, dtype=torch.int64),
        ),
        labels=tuple(str(row) if named is None else named[row] for row in rows),
        about={"source": source, "columns": [str(c) for c in wanted], "match": list(match), **about},
    )


def _ids(frame: "pd.DataFrame", id_column: str | None, source: str) -> tuple[str, ...] | None:
    name = id_column or "id"
    if name not in frame.columns:
        if id_column is not None:
            have = ", ".join(str(c) for c in frame.columns[:8])
            raise InputError(f"{source}: no column {id_column!r} for ids; it has {have}")
        return None
    column = frame[name]
    ids = tuple("" if gone else as_text(v) for v, gone in zip(column, column.isna(), strict=True))
    distinct_ids(ids, source)
    return ids


def _joined(
    vectors: Vectors, ids: tuple[str, ...] | None, rows: int, source: str
) -> tuple[list[int], list[int], dict[str, Any]]:
    """Positions in the vectors and in the attributes, in the order of the vectors."""
    number = len(vectors.table)
    if vectors.ids is None or ids is None:
        if rows != number:
            raise InputError(
                f"{source}: expected {number} rows, as many as vectors, got {rows}; "
                "equalise them, or give both an id column (--id)"
            )
        order = list(range(number))
        return order, order, {"joined_by": "row order", "vectors_left_out": 0, "attributes_left_out": 0}
    where = {each: row for row, each in enumerate(ids)}
    at_vectors = [row for row, each in enumerate(vectors.ids) if each in where]
    if len(at_vectors) < 2:
        raise InputError(
            f"{source}: attributes match {'one vector only' if at_vectors else 'no vector'}, ids are like "
            f"{ids[0] if ids else ''!r} here and {vectors.ids[0]!r} in {vectors.source}; make them agree"
        )
    at_attributes = [where[vectors.ids[row]] for row in at_vectors]
    left_out = {"vectors_left_out": number - len(at_vectors), "attributes_left_out": rows - len(at_vectors)}
    return at_vectors, at_attributes, {"joined_by": "id", **left_out}


def _coded(column: "pd.Series", name: str, *, most: int | None) -> tuple[Tensor, tuple[str, ...]]:
    """Digits and the values they stand for."""
    import pandas as pd

    numbers, found = pd.factorize(column)
    texts = [as_text(value) for value in found]
    ordered = sorted(set(texts) - {""}, key=_by_size(texts))
    place = {text: digit for digit, text in enumerate(ordered)} | {"": MISSING}
    digits = np.array([*(place[text] for text in texts), MISSING], dtype=np.int64)
    codes = torch.from_numpy(digits[numbers])
    if most is not None:
        if not ordered:
            raise InputError(f"attribute {name!r}: every row's value is missing; fill it in or leave it out")
        if len(ordered) == 1:
            raise InputError(f"attribute {name!r}: constant, every row is {ordered[0]!r}; leave it out")
        if len(ordered) > most:
            raise InputError(
                f"attribute {name!r}: expected at most {most} values, got {len(ordered)}; bin it, leave it "
                "out by naming the others (--column), or let pairs share it (--match)"
            )
    return codes, tuple(ordered)


def _by_size(texts: list[str]) -> Any:
    """Numbers by size if all are numbers, else text as text."""
    try:
        for text in texts:
            float(text or 0)
    except ValueError:
        return str
    return float
