"""The table of runs as dots: seeds of a run that ended differently apart, theory's limit beside each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from linrep.errors import InputError
from linrep.page.dots import Dot
from linrep.page.ends import SEVERAL, UNKNOWN
from linrep.page.numbers import finite
from linrep.runs.index import RunTable
from linrep.runs.summary import END_WORDS, Key

K, M = "model.dim", "concepts"
APART = {
    "final.linearity.unembedding.median": "linearity_unembedding",
    "final.linearity.embedding.median": "linearity_embedding",
    "final.alignment.median": "alignment",
    "final.excess_loss_nats.median": "excess_loss_nats",
}
"""Medians over all seeds of a run, and the same over those that ended alike."""
WIDEST = 16
"""Concepts up to which a limit is asked for: a hundredth of a second for each width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn of a table of runs."""

    dots: tuple[Dot, ...]
    limits: tuple[tuple[Any, float], ...]
    """(across, theory's number) of every run that has both."""
    apart: tuple[float, ...]
    """|measured − limit| of the runs that converged and have a limit."""
    nulls: tuple[tuple[Any, float], ...]
    """(across, mean of the null) of every run that has one."""
    missing: int
    """Runs without both numbers."""


def dots_of(table: RunTable, x: str, y: str, colour: str | None) -> Drawn:
    """Every run of a table, one dot for each way in which its seeds ended.

    Args:
        table: Of runs, dotted names as columns.
        x: Column across.
        y: Column up, a number.
        colour: Column by which dots are coloured.

    Raises:
        InputError: No such column.
    """
    rows = rows_of(table)
    for name in (x, y, *([colour] if colour else [])):
        if name not in table.column_names:
            raise InputError(f"page: unknown field {name!r}; `linrep runs --csv -` shows all")
    dots: list[Dot] = []
    limits: list[tuple[Any, float]] = []
    apart: list[float] = []
    nulls: list[tuple[Any, float]] = []
    missing = 0
    for row in rows:
        own = list(_dots(row, x, y, colour))
        missing += not own
        limit = limit_of(row, y) if own else None
        if limit is not None:
            limits.append((row[x], limit))
            apart += [abs(dot.up - limit) for dot in own if dot.ended == "converged"]
        null = finite(row.get(f"{y.rpartition('.')[0]}.null.mean"))
        if own and null is not None:
            nulls.append((row[x], null))
        dots += own
    return Drawn(
        dots=tuple(dots), limits=tuple(limits), apart=tuple(apart), nulls=tuple(nulls), missing=missing
    )


def rows_of(table: RunTable) -> list[dict[str, Any]]:
    """Its rows, by name."""
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def endings(row: dict[str, Any]) -> dict[str, int]:
    """How many seeds of a run ended in each way; empty where it was not measured.

    Example:
        >>> endings({"counts.runs": 4, "ended.shares.converged": 0.75, "ended.shares.on_a_plateau": 0.25})
        {'converged': 3, 'on a plateau': 1}
    """
    of = _seeds(row)
    shares = {word: finite(row.get(f"ended.shares.{word.replace(' ', '_')}")) for word in END_WORDS}
    return {word: round(share * of) for word, share in shares.items() if share}


def ended_words(row: dict[str, Any]) -> str:
    """The same as text, such as "converged" or "3 converged, 1 on a plateau"."""
    found = endings(row)
    if not found:
        return UNKNOWN
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{number:,} {word}" for word, number in found.items())


def _seeds(row: dict[str, Any]) -> int:
    return int(row.get("counts.runs") or row.get("runs") or 1)


def _dots(row: dict[str, Any], x: str, y: str, colour: str | None) -> Iterator[Dot]:
    if row[x] is None:
        return
    found, of = endings(row), _seeds(row)
    dot = Dot(run=row["run"], across=row[x], up=0.0, shade=row[colour] if colour else None, of=of)
    measured = {
        word: value
        for word in found
        if y in APART
        and (value := finite(row.get(f"ended.medians.{word.replace(' ', '_')}.{APART[y]}"))) is not None
    }
    if measured and len(found) > 1:
        for word, value in measured.items():
            yield replace(dot, up=value, ended=word, seeds=found[word])
        return
    up = finite(row[y])
    if up is not None:
        finite_ends = [word for word in found if word != "diverged"] or list(found)
        ended = UNKNOWN if not found else finite_ends[0] if len(finite_ends) == 1 else SEVERAL
        yield replace(dot, up=up, ended=ended, seeds=found.get(ended, of))


def limit_of(row: dict[str, Any], y: str) -> float | None:
    """What theory says a run's measure tends to, of binary worlds in which every token can occur.

    Args:
        row: Of the table.
        y: Such as ``final.linearity.unembedding.median``.

    Example:
        >>> row = {"concepts": 3, "model.dim": 8, "counts.tokens": 8}
        >>> round(limit_of(row, "final.linearity.unembedding.median"), 3)
        0.226
        >>> limit_of({**row, "counts.tokens": 7}, "final.linearity.unembedding.median") is None
        True
    """
    m, k = row.get(M), row.get(K)
    kind = row.get("contexts.kind") or "complete"
    if not y.startswith("final.") or not m or not k or m > WIDEST or row.get("counts.tokens") != 2**m:
        return None
    network = (row.get("model.encoder") or "table") != "table"
    if network or kind not in ("complete", "known") or row.get("contexts.held_out") or row.get("shift"):
        return None
    known = None if kind == "complete" else (row.get("contexts.at_least") or 0, row["contexts.at_most"])
    return limit_at(m, k, known, key_of(y))


def limit_at(m: int, k: int, known: tuple[int, int] | None, key: Key) -> float | None:
    """What theory says a measure tends to in worlds of m binary concepts with every token, at width k.

    Args:
        m: Concepts.
        k: Width of both tables.
        known: Least and most concepts that a context knows; None for all contexts.
        key: Measure and table, as in the trace.

    Example:
        >>> limit_at(3, 3, None, ("alignment", "")), limit_at(3, 2, None, ("alignment", ""))
        (1.0, None)
    """
    return None if m > WIDEST else _levels(m, k, known).get(key)


def key_of(y: str) -> Key:
    """The measure and table of a column of final numbers, as in the trace.

    Example:
        >>> key_of("final.orthogonality.unembedding.rms.median")
        ('orthogonality.rms', 'unembedding')
    """
    parts = y.split(".")[1:-1]
    table = next((part for part in parts if part in ("embedding", "unembedding")), "")
    return ".".join(part for part in parts if part != table), table


@cache
def _levels(m: int, k: int, known: tuple[int, int] | None) -> Mapping[Key, float]:
    from linrep.laboratory.comparison import levels
    from linrep.theory.limits import predict

    found = predict(m, k, known).geometry
    return {} if found is None else levels(found)
