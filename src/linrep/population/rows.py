"""Indices and tables of a batch of runs, padded, moved, gathered and spread.

Runs over the same contexts or tokens share one row of memory (stride 0 along the runs), and go on sharing it.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.worlds.transforms import Cube


def padded(rows: Sequence[Tensor], fill: int = 0) -> Tensor:
    """Stack rows of different lengths, filled at the end; equal rows share memory."""
    if all(row is rows[0] or torch.equal(row, rows[0]) for row in rows):
        return rows[0].expand(len(rows), -1)
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=fill)


def moved(table: Tensor, device: torch.device | str) -> Tensor:
    """The same table elsewhere; rows that share memory go on sharing it."""
    if table.stride(0) == 0:
        return table[:1].to(device).expand_as(table)
    return table.to(device)


def within(index: Tensor, cube: Cube) -> Tensor:
    """Flat indices counted from the cube's first context."""
    if not cube.first:
        return index
    return (index[:1] - cube.first).expand(len(index), -1) if index.stride(0) == 0 else index - cube.first


def take(columns: Tensor, index: Tensor) -> Tensor:
    """Entries of the last axis at each run's index; one plain gather when every run takes the same."""
    if len(index) == 1 or index.stride(0) == 0:
        return columns.index_select(-1, index[0])
    return columns.gather(-1, index.unsqueeze(1).expand(-1, columns.shape[1], -1))


def spread(columns: Tensor, index: Tensor, length: int) -> Tensor:
    """The transpose of :func:`take`: zeros but for the entries at each run's index; padding adds zeros."""
    wide = columns.new_zeros(*columns.shape[:-1], length)
    if len(index) == 1 or index.stride(0) == 0:
        return wide.index_add_(-1, index[0], columns)
    return wide.scatter_add_(-1, index.unsqueeze(1).expand_as(columns), columns)


def counts_up(index: Tensor, length: int) -> bool:
    """Whether every run's index is 0, 1, …, ``length`` − 1."""
    return index.shape[-1] == length and bool((index == torch.arange(length, device=index.device)).all())


def one_hot(index: Tensor, bases: tuple[int, ...], sizes: tuple[int, ...]) -> Float[Tensor, "*batch digits"]:
    """Indicators of the known digits of flat indices, all concepts side by side; unknown is all zeros."""
    columns: list[Tensor] = []
    for base, size in zip(reversed(bases), reversed(sizes), strict=True):
        states = torch.arange(size, device=index.device)
        columns.insert(0, (index % base).unsqueeze(-1) == states)
        index = index // base
    return torch.cat(columns, -1).double()
