"""Checks on conditional probability tables and their graph; every error names the variable, and the row."""

import heapq
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from linrep.errors import InputError, counted, short, shown

ROW_TOLERANCE = 1e-6
"""How far a row of a table may sum from 1. Published tables are rounded; beyond rounding it is an error."""


def row_name(row: int, parents: Sequence[int], names: Sequence[str], states: Sequence[Sequence[str]]) -> str:
    """The parent configuration a row of a table is for, such as ``lung=no, tub=yes``.

    Example:
        >>> row_name(1, [0], ["smoke"], [["no", "yes"]])
        'smoke=yes'
    """
    words: list[str] = []
    for parent in reversed(parents):
        row, state = divmod(row, len(states[parent]))
        words.append(f"{names[parent]}={states[parent][state]}")
    return ", ".join(reversed(words))


def checked_table(
    name: str,
    rows: Sequence[Sequence[float]],
    own: tuple[str, ...],
    parents: tuple[int, ...],
    names: Sequence[str],
    states: Sequence[tuple[str, ...]],
    source: str,
) -> Tensor:
    shape = [len(states[parent]) for parent in parents]
    if len(rows) != math.prod(shape):
        raise InputError(
            f"{source}: variable '{short(name)}' needs {counted(math.prod(shape))} rows, "
            f"one per configuration of its {len(parents)} parents, got {len(rows)}"
        )
    table: list[list[float]] = []
    for index, row in enumerate(rows):
        where = f"{source}: variable '{short(name)}', row {index}"
        if parents:
            where += f" ({short(row_name(index, parents, names, states))})"
        table.append(probability_row(row, len(own), where))
    return torch.tensor(table, dtype=torch.float64).reshape(*shape, len(own))


def probability_row(row: Sequence[float], size: int, where: str) -> list[float]:
    """A row of probabilities; one off by no more than the rounding of what was written is scaled.

    Args:
        row: What was given.
        size: How many there should be.
        where: For errors.

    Raises:
        InputError: Another number of them, none, or some outside [0, 1] or of another sum.

    Example:
        >>> probability_row([0.25, 0.75], 2, "coin")
        [0.25, 0.75]
    """
    try:
        values = [float(value) for value in row]
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected a list of {size} probabilities, got {shown(row)}") from None
    if len(values) != size:
        raise InputError(f"{where}: expected {size} probabilities, got {len(values)}")
    if not all(0 <= value <= 1 + ROW_TOLERANCE for value in values):
        raise InputError(f"{where}: probabilities must lie in [0, 1], got {shown(values)}")
    total = math.fsum(values)
    if abs(total - 1) > ROW_TOLERANCE:
        raise InputError(
            f"{where}: probabilities must sum to 1, got {shown(values)}, which sum to {total:.12g}"
        )
    # A row exact to rounding is kept to the bit, so that tables survive being written and read again.
    return values if abs(total - 1) < 1e-12 else [value / total for value in values]


UNKNOWN = "?"
"""How the text of a context says that a concept is unknown (⋄)."""


def _states(given: object) -> Sequence[str]:
    return given if isinstance(given, list | tuple) else ()


def check_names(
    names: Sequence[str],
    tables: Mapping[str, object],
    parents: Mapping[str, object],
    states: Mapping[str, object],
    source: str,
) -> None:
    if not names:
        raise InputError(f"{source}: expected at least one variable, got none")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{source}: variable '{short(name)}' is declared twice; rename one")
        seen.add(name)
        if name not in tables:
            raise InputError(f"{source}: variable '{short(name)}' has no table; add its probabilities")
    for word in (*names, *(state for name in states for state in _states(states[name]))):
        if not word or word == UNKNOWN or not word.isprintable():
            raise InputError(
                f"{source}: {shown(word)} cannot name a variable or state, for labels must be told apart; "
                f"use printable characters, and not a lone '{UNKNOWN}'"
            )
    for what, given in (("table", tables), ("list of parents", parents), ("list of states", states)):
        for name in given:
            if name not in seen:
                raise InputError(
                    f"{source}: a {what} is given for the unknown variable '{short(name)}'; "
                    "declare it or remove it"
                )


def topological_order(
    names: Sequence[str], parents: Sequence[Sequence[int]], source: str = "graph"
) -> tuple[int, ...]:
    """Parents before children, the lowest index first among those that are ready.

    Raises:
        InputError: If the graph has a cycle, naming it.

    Example:
        >>> topological_order(["a", "b", "c"], [[2], [], []])
        (1, 2, 0)
    """
    waiting = [len(set(own)) for own in parents]
    children: list[list[int]] = [[] for _ in parents]
    for child, own in enumerate(parents):
        for parent in set(own):
            children[parent].append(child)
    ready = [concept for concept, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while ready:
        order.append(heapq.heappop(ready))
        for child in children[order[-1]]:
            waiting[child] -= 1
            if waiting[child] == 0:
                heapq.heappush(ready, child)
    if len(order) < len(parents):
        cycle = " -> ".join(names[concept] for concept in _cycle(parents, set(order)))
        raise InputError(
            f"{source}: the graph must have no cycle, got {short(cycle)}; remove one of these edges"
        )
    return tuple(order)


def _cycle(parents: Sequence[Sequence[int]], done: set[int]) -> list[int]:
    """A cycle, along its edges: what is not done has a parent not done, so walk up until one repeats."""
    path, seen = [next(concept for concept in range(len(parents)) if concept not in done)], set[int]()
    while path[-1] not in seen:
        seen.add(path[-1])
        path.append(next(parent for parent in parents[path[-1]] if parent not in done))
    return path[path.index(path[-1]) :][::-1]
