"""Attributes of the rows: read, joined to the vectors, and turned into digits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.vectors.ids import BY_ORDER, as_text, distinct_ids, id_column_of, index_ids, join_rows
from linrep.vectors.reading import Vectors, frame_of

if TYPE_CHECKING:
    import pandas as pd

MOST_VALUES = 50
MISSING = -1
NOTHING = ("NA", "N/A", "n/a", "#N/A", "<NA>")
"""Cells that mean a missing value, beside the empty one, nan and null."""


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

    def rank(self) -> Int64[Tensor, " rows"]:
        """An order of the rows that does not depend on the order in which they stand.

        By id where rows were joined by it, else by what they hold: rows that hold the same may change places.
        """
        if self.about["joined_by"] == "id":
            names: Sequence[str | bytes] = self.labels
        else:
            codes, match = self.attributes.codes.numpy(), self.attributes.match.numpy()
            # NumPy has no bfloat16; every number of it is a float32 as well.
            rows = (part.float() if part.dtype == torch.bfloat16 else part for part in self.table)
            held = zip(rows, codes, match, strict=True)
            names = [
                hashlib.blake2b(row.numpy().tobytes() + of_row.tobytes() + shared.tobytes()).digest()
                for row, of_row, shared in held
            ]
        return torch.tensor(sorted(range(len(names)), key=names.__getitem__), dtype=torch.int64)

    def at(self, rows: Int64[Tensor, " rows"]) -> "Sample":
        """The same rows in another order."""
        given = self.attributes
        return replace(
            self,
            table=self.table[rows],
            attributes=replace(given, codes=given.codes[rows], match=given.match[rows]),
            labels=tuple(self.labels[row] for row in rows.tolist()),
        )


def join(
    vectors: Vectors,
    attributes: Any,
    *,
    id_column: str | None = None,
    columns: Sequence[str] | None = None,
    match: Sequence[str] = (),
) -> Sample:
    """Join vectors and attributes by id where both have ids, by row order where neither has.

    Args:
        vectors: As read.
        attributes: A CSV, TSV or Parquet file, a pandas frame, or columns by name.
        id_column: The column of ids; by default one called "id", an index that was written without a name,
            or a frame's own; "none" where rows of both stand in the same order.
        columns: Which columns are attributes; by default all but the ids and `match`.
        match: Columns in which the rows of a pair must be equal, of any number of values.

    Returns:
        The rows that have both.

    Raises:
        InputError: If no row has both, only one of the two has ids, or an attribute is not there, constant,
            or has too many values.
    """
    source = str(attributes) if isinstance(attributes, str | Path) else "attributes"
    frame = frame_of(attributes, "attributes")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{source}: column {twice!r} comes twice; rename one")
    ids, aside = attribute_ids(frame, id_column, source)
    wanted = (
        list(columns) if columns else [c for c in frame.columns if str(c) not in aside and c not in match]
    )
    for column in (*wanted, *match):
        if column not in frame.columns:
            have = ", ".join(str(c) for c in frame.columns[:8])
            raise InputError(f"{source}: no attribute {column!r}; it has {have}")
    if not wanted:
        raise InputError(f"{source}: expected a column of attributes, got none beside the ids; add one")
    joined = join_rows(
        vectors.ids,
        ids,
        (len(vectors.table), len(frame)),
        (vectors.called, source),
        by_order=id_column == BY_ORDER,
    )
    at_vectors, at_attributes = joined.first, joined.second
    about = {
        "joined_by": joined.by,
        "vectors_left_out": joined.left_out[0],
        "attributes_left_out": joined.left_out[1],
        "joined": joined.said,
    }
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


def attribute_ids(
    frame: "pd.DataFrame", id_column: str | None, source: str
) -> tuple[tuple[str, ...] | None, list[str]]:
    """Ids of a table of attributes, if it has any, and its columns that are no attributes.

    Raises:
        InputError: If the column asked for is not there, an id is empty, or comes twice.
    """
    own = index_ids(frame)
    if own is not None and id_column is not None and id_column == frame.index.name:
        distinct_ids(own, source)
        return own, []
    name, aside = id_column_of([str(each) for each in frame.columns], id_column, source)
    if name is None:
        ids = own if id_column is None else None
    else:
        column = frame[name]
        ids = tuple("" if gone else as_text(v) for v, gone in zip(column, column.isna(), strict=True))
    if ids is not None:
        distinct_ids(ids, source)
    return ids, aside


def _coded(column: "pd.Series", name: str, *, most: int | None) -> tuple[Tensor, tuple[str, ...]]:
    """Digits and the values they stand for."""
    import pandas as pd

    numbers, found = pd.factorize(column)
    texts = [as_text(value) for value in found]
    gone = {text for text in texts if text == "" or text in NOTHING or text.casefold() in ("nan", "null")}
    ordered = sorted(set(texts) - gone, key=_by_size(sorted(set(texts) - gone)))
    place = {text: digit for digit, text in enumerate(ordered)} | dict.fromkeys(gone, MISSING)
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
