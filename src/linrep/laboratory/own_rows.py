"""What the rows of a user's tables are: concept values, or pairs of rows, as index pairs for the ruler."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from linrep import geometry
from linrep.errors import InputError, short, shown
from linrep.laboratory.own_tables import in_memory

UNKNOWN = ("", "?", "⋄", "-1", "nan", "<NA>")
"""Texts of a concept value that is not known; so are -1, NaN and None."""
PAIRS = 'write pairs={"male-female": [(3, 8), …]}, each (low row, high row)'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the rows of some tables are, for one run."""

    names: tuple[str, ...]
    """Of the concepts."""
    pairs: tuple[geometry.Pairs, ...]
    """Of each table, in its order."""
    concept_of: Int64[Tensor, " contrasts"] | None = None
    """The concept of each group of pairs; None where groups are concepts."""
    codes: tuple[Int64[Tensor, "_ concepts"], ...] = ()
    """Concept values as digits, of each table; none where pairs were given."""
    levels: tuple[tuple[int, ...], ...] = ()
    """How many digits each concept has in each table; "unknown" is the last, where a row has it."""


def rows_from_pairs(given: Any, sizes: Sequence[int]) -> Rows:
    """Rows told apart by lists of pairs.

    Args:
        given: By concept, pairs of (low row, high row); with two tables a tuple of two such mappings, or one
            for both.
        sizes: Rows of each table.

    Raises:
        InputError: Another form, or a row that is not there.

    Example:
        >>> rows_from_pairs({"sex": [(0, 1), (2, 3)], "age": [(0, 2)]}, [4]).pairs[0].counts()
        tensor([2, 1])
    """
    parts: list[Any] = _parts(given, len(sizes), "pairs", Mapping)
    for part in parts:
        if not isinstance(part, Mapping):
            raise InputError(f"pairs: expected pairs by concept, got {shown(part)}; {PAIRS}")
    if len(parts) == 1 and len(sizes) == 2:
        _require_shared("pairs", sizes)
        parts *= 2
    names = tuple(dict.fromkeys(str(name) for part in parts for name in part))
    if not names:
        raise InputError(f"pairs: expected at least one concept, got none; {PAIRS}")
    _require_names("pairs", names)
    lists = [{str(name): _pair_list(str(name), own) for name, own in part.items()} for part in parts]
    for size, part in zip(sizes, lists, strict=True):
        for name, own in part.items():
            _require_rows(name, own, size)
    return Rows(
        names=names,
        pairs=tuple(
            geometry.pairs_from_lists([[(a, b) for a, b in part.get(name, [])] for name in names])
            for part in lists
        ),
    )


def rows_from_codes(given: Any, sizes: Sequence[int], names: Sequence[str] | None = None) -> Rows:
    """Rows told apart by their concept values: two that differ in one concept alone are a pair of it.

    Args:
        given: ``[rows, concepts]`` as nested lists, an array, a tensor, texts of one digit a concept, a
            DataFrame or columns by name; -1, None, NaN, "?" and "⋄" stand for unknown. With two tables a
            tuple of two such, or one for both.
        sizes: Rows of each table.
        names: Of the concepts; by default those of the columns, else C1, C2, ….

    Raises:
        InputError: Another number of rows, two equal rows, a concept of one value.

    Example:
        >>> rows = rows_from_codes(["00", "01", "1?", "11"], [4])
        >>> rows.names, rows.pairs[0].counts()
        (('C1', 'C2'), tensor([1, 1]))
    """
    parts: list[Any] = _parts(given, len(sizes), "codes", (Mapping, str))
    tables = [_columns(part) for part in parts]
    if len(tables) == 1 and len(sizes) == 2:
        _require_shared("codes", sizes)
        tables *= 2
    headers = [header for header, _ in tables]
    if len({len(header) for header in headers}) > 1 or not headers[0]:
        raise InputError(
            f"codes: expected the same concepts, at least one, for both tables, got "
            f"{' and '.join(str(len(header)) for header in headers)}; give one column each"
        )
    listed = isinstance(names, Iterable) and not isinstance(names, str)
    if names is not None and not listed:
        raise InputError(f"names: expected a list of {len(headers[0])}, got {shown(names)}")
    called = tuple(map(str, names)) if names is not None else headers[0]
    if len(called) != len(headers[0]) or len({*called}) < len(called):
        raise InputError(
            f"names: expected {len(headers[0])} different ones, one for each concept, got {shown(called)}"
        )
    _require_names("names", called)
    which = ("G",) if len(sizes) == 1 else ("F", "G")
    for table, size, (_, columns) in zip(which, sizes, tables, strict=True):
        if len(columns[0]) != size:
            raise InputError(
                f"codes: expected one row for each of {size} rows of {table}, got {len(columns[0])}; "
                "give [rows, concepts]"
            )
    return _coded(called, [columns for _, columns in tables])


def _parts(given: Any, tables: int, what: str, whole: Any) -> list[Any]:
    """What is meant for each table, or for all."""
    if tables == 2 and isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], str):
        parts = cast("tuple[Any, Any]", given)
        if what == "codes" or all(isinstance(part, whole) for part in parts):
            return list(parts)
    return [given]


def _require_shared(what: str, sizes: Sequence[int]) -> None:
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{what}: got one for F with {sizes[0]} rows and G with {sizes[1]}, whose rows are not the same; "
            f"give two, {what}=(of_F, of_G)"
        )


def _require_names(what: str, names: Sequence[str]) -> None:
    """The row of a table without a concept is that of all of them."""
    if not all(name.strip() for name in names):
        raise InputError(f"{what}: expected a name for each concept, got {shown(names)}; name them all")


def _pair_list(name: str, given: Any) -> list[list[int]]:
    try:
        array = np.asarray(in_memory(given, f"pairs {shown(name)}"))
    except (ValueError, TypeError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        array = np.zeros((0, 3))
    if array.size == 0 and array.ndim == 1:
        return []
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu" or np.ma.is_masked(given):
        raise InputError(f"pairs {shown(name)}: expected pairs of row numbers, got {shown(given)}; {PAIRS}")
    return [[int(low), int(high)] for low, high in array]


def _require_rows(name: str, pairs: Sequence[Sequence[int]], rows: int) -> None:
    for low, high in pairs:
        if not (0 <= low < rows and 0 <= high < rows):
            beyond = low if not 0 <= low < rows else high
            raise InputError(
                f"pairs {shown(name)}: expected rows from 0 to {rows - 1}, got {beyond}; check the pairs"
            )
        if low == high:
            raise InputError(f"pairs {shown(name)}: row {low} is paired with itself; leave that pair out")
    seen: set[frozenset[int]] = set()
    for pair in map(frozenset, pairs):
        if pair in seen:
            raise InputError(
                f"pairs {shown(name)}: rows {' and '.join(map(str, sorted(pair)))} are paired twice, which "
                "agrees with itself; give each pair once"
            )
        seen.add(pair)


def _columns(given: Any) -> tuple[tuple[str, ...], list[list[Any]]]:
    """Names, and the values of each concept, as plain Python."""
    given = in_memory(given, "codes")
    if hasattr(given, "columns") and hasattr(given, "dtypes"):  # a DataFrame, where names may repeat
        return tuple(str(name) for name in given.columns), [each.tolist() for _, each in given.items()]
    if isinstance(given, Mapping):
        named = cast("Mapping[Any, Iterable[Any]]", given)
        columns = [_listed(column) for column in named.values()]
        if len({len(column) for column in columns}) > 1:
            raise InputError("codes: expected columns of one length, got several; equalise them")
        return tuple(str(name) for name in named), columns
    rows = [_listed(row) for row in _listed(given)]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or widths == {0}:
        got = "none" if not rows else f"rows of {short(', '.join(map(str, sorted(widths))))} values"
        raise InputError(
            f"codes: expected [rows, concepts], one value of each concept for each row, got {got}; "
            "give such as codes=[[0, 0], [0, 1], [1, 0]]"
        )
    return tuple(f"C{i + 1}" for i in range(widths.pop())), [
        list(column) for column in zip(*rows, strict=True)
    ]


def _listed(given: Any) -> list[Any]:
    given = in_memory(given, "codes")
    if hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, Iterable):
        raise InputError(
            f"codes: expected [rows, concepts], got a row {shown(given)}; give one value of each concept, "
            "such as codes=[[0, 0], [0, 1], [1, 0]]"
        )
    return list(cast("Iterable[Any]", given))


def _coded(names: tuple[str, ...], tables: Sequence[Sequence[Sequence[Any]]]) -> Rows:
    """Digits by value, contrasts between every two values."""
    texts = [[[_text(value) for value in column] for column in columns] for columns in tables]
    values: list[list[str]] = []
    for concept, name in enumerate(names):
        seen = {text for columns in texts for text in columns[concept]} - {""}
        if len(seen) < 2:
            raise InputError(
                f"codes: concept {shown(name)} has {f'one value, {min(seen)}' if seen else 'no value'} "
                "in all rows (-1 stands for unknown), so nothing differs in it; leave it out"
            )
        values.append(sorted(seen, key=_order(seen)))
    _require_no_hidden_unknown(texts, values)
    contrasts = geometry.contrasts([len(each) for each in values])
    codes = tuple(
        torch.tensor(
            [
                [{**{v: i for i, v in enumerate(own)}, "": len(own)}[text] for text in column]
                for own, column in zip(values, columns, strict=True)
            ],
            dtype=torch.int64,
        ).T.contiguous()
        for columns in texts
    )
    for table in codes:
        _require_distinct(table)
    plain = len(contrasts) == len(names)
    return Rows(
        names=names,
        pairs=tuple(geometry.contrast_pairs(table, contrasts) for table in codes),
        concept_of=None if plain else torch.tensor([concept for concept, _, _ in contrasts]),
        codes=codes,
        levels=tuple(
            tuple(len(own) + int((table[:, i] == len(own)).any()) for i, own in enumerate(values))
            for table in codes
        ),
    )


def _text(value: Any) -> str:
    """A value as text, empty where it is unknown; 1 and 1.0 are one value."""
    whole = isinstance(value, bool | np.bool_) or (isinstance(value, float) and value.is_integer())
    text = str(int(value)) if whole else str(value).strip()
    return "" if value is None or text in UNKNOWN else text


def _order(values: set[str]) -> Any:
    try:
        for value in values:
            float(value)
    except ValueError:
        return str
    return float


def _require_distinct(codes: Tensor) -> None:
    _, where, counts = codes.unique(dim=0, return_inverse=True, return_counts=True)
    if int(counts.max()) > 1:
        first, second = (where == int(counts.argmax())).nonzero()[:2, 0].tolist()
        raise InputError(
            f"codes: rows {first} and {second} have the same values, so which one is meant is undecided; "
            "keep one row each, give pairs=, or let linrep.vectors.measure_vectors(G, attributes) match rows"
        )


def _require_no_hidden_unknown(
    texts: Sequence[Sequence[Sequence[str]]], values: Sequence[Sequence[str]]
) -> None:
    """A digit for "unknown" is easily taken for a value: F has it in every concept, G in none."""
    if len(texts) != 2:
        return
    last = [own[-1] for own in values]
    only_f = all(
        last[i] in texts[0][i] and last[i] not in texts[1][i] and len(values[i]) > 2
        for i in range(len(values))
    )
    if only_f and {*last} == {"2"}:
        raise InputError(
            "codes: every concept of F has a value 2 that no row of G has; if it stands for unknown write "
            "-1, or give the world itself: linrep.measure(F, G, world=world)"
        )
