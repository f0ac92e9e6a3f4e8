"""First and second moments of unit steering vectors: all that the similarities need, in O(N)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry.pairs import Pairs

CHUNK, CHUNK_ELSEWHERE = 2**20, 2**25
"""Numbers per working buffer (8 MiB in float64): fast products, bounded memory; and on a card, where a buffer
must be so large that the calls that fill it do not count."""


def chunk(device: torch.device) -> int:
    """Numbers per working buffer on a device.

    Example:
        >>> chunk(torch.device("cpu")) == CHUNK
        True
    """
    return CHUNK if device.type == "cpu" else CHUNK_ELSEWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Moments of the unit steering vectors of each group, in float64.

    Example:
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> steering_moments(torch.eye(2), pairs_from_lists([[(0, 1)]])).count
        tensor([1])
    """

    direction: Float64[Tensor, "groups dim"]
    """Mean unit vector (zero for an empty group); its length is 1 only if all vectors agree."""
    second: Float64[Tensor, "groups dim dim"] | None
    """S = mean of ûûᵀ; None where `units` says the same in less memory, or where it was not asked for."""
    units: Float64[Tensor, "groups most dim"] | None
    """The unit vectors over sqrt(N), zero-padded: S = unitsᵀ units. Kept when they are fewer than dim."""
    count: Int64[Tensor, " groups"]
    """N: how many non-zero steering vectors each group has."""
    zero: Int64[Tensor, " groups"]
    """How many differences were exactly zero: they have no direction and were dropped."""
    draws: int = 1
    """As the pairs had."""


def steering_moments(table: Float[Tensor, "rows dim"], pairs: Pairs, *, second: bool = True) -> Moments:
    r"""Moments of the unit vectors :math:`\hat u = \Delta t/\|\Delta t\|, \Delta t = t_{high} - t_{low}`.

    Naively: ``[normalise(t[high[group == g]] - t[low[group == g]]).mean(0) for g in range(groups)]``.

    Args:
        table: Representations, one row each, of any float type; differences are taken in float64.
        pairs: Which rows to subtract.
        second: Whether the second moments are wanted too.

    Returns:
        The moments. One pass, O(N·dim) time for the mean, O(N·dim²) for the second; memory beyond the result
        is bounded. Invariant to a shift and to positive rescaling of the table; rotates with it.

    Raises:
        InputError: If a vector that is used is not finite.

    Example:
        >>> from linrep.geometry.pairs import pairs_from_lists
        >>> table = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
        >>> steering_moments(table, pairs_from_lists([[(0, 1)], [(0, 2), (2, 0), (1, 1)]])).direction
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]], dtype=torch.float64)
    """
    dim, device = table.shape[1], table.device
    counts = pairs.counts()
    most = int(counts.max()) if pairs.groups else 0
    keep_units = second and most < dim
    total = torch.zeros(pairs.groups, dim, dtype=torch.float64, device=device)
    number = torch.zeros(pairs.groups, dtype=torch.int64, device=device)
    outer = total.new_zeros(pairs.groups, dim, dim) if second and not keep_units else None
    units = total.new_zeros(pairs.groups, most, dim) if keep_units else None

    def of(every: Tensor, first: int, last: int) -> Tensor:
        """The part of a result that a block of groups has, in every draw."""
        return every.unflatten(0, (pairs.draws, -1))[:, first:last]

    for first, last, start, unit, usable in unit_vectors(table, pairs, counts):
        of(total, first, last).add_(unit.sum(2))
        of(number, first, last).add_(usable.sum(2))
        if outer is not None:
            of(outer, first, last).add_(draw_by_draw(_outer, pairs.draws, unit))
        if units is not None:
            of(units, first, last)[:, :, start : start + unit.shape[2]] = unit
    if not bool(torch.isfinite(total).all()):
        raise InputError("table: expected finite numbers in the rows that pairs use, got NaN or infinity")
    divisor = number.clamp(min=1).to(torch.float64)
    return Moments(
        direction=total / divisor[:, None],
        second=None if outer is None else outer / divisor[:, None, None],
        units=None if units is None else units / divisor.sqrt()[:, None, None],
        count=number,
        zero=counts - number,
        draws=pairs.draws,
    )


def _outer(vectors: Float64[Tensor, "*batch some dim"]) -> Float64[Tensor, "*batch dim dim"]:
    return vectors.mT @ vectors


def draw_by_draw(product: Callable[..., Tensor], draws: int, *factors: Tensor) -> Tensor:
    """A product of matrices of several draws, to the bit what each draw would have by itself.

    The last bit of a product depends on where in memory its matrices begin.

    Args:
        product: Of tensors whose first axis counts draws, or runs of draws one behind the other.
        draws: How many.
        factors: Its arguments.

    Example:
        >>> draw_by_draw(torch.mul, 2, torch.tensor([1, 2]), torch.tensor([3, 4]))
        tensor([3, 8])
    """
    if draws == 1:
        return product(*factors)
    each = zip(*(factor.chunk(draws) for factor in factors), strict=True)
    return torch.cat([product(*(part.clone() for part in parts)) for parts in each])


def unit_vectors(
    table: Float[Tensor, "rows dim"], pairs: Pairs, counts: Int64[Tensor, " groups"]
) -> Iterator[tuple[int, int, int, Float64[Tensor, "draws some most dim"], Bool[Tensor, "draws some most"]]]:
    """Unit steering vectors in blocks of at most about `CHUNK` numbers of a draw, the same blocks in each.

    Yields:
        (first group, last group (excluded), position within the groups, vectors, which of them exist); groups
        as counted in each draw. Padding and differences of exactly zero are zero vectors that do not exist.
    """
    counts = counts.view(pairs.draws, -1)
    starts = counts.flatten().cumsum(0).view_as(counts) - counts
    most = max(chunk(table.device) // max(table.shape[1], 1), 1)
    for first, last, start, width in _blocks(counts[0].tolist(), most):
        column = start + torch.arange(width, device=table.device)
        inside = column < counts[:, first:last, None]
        at = (starts[:, first:last, None] + column).clamp(max=len(pairs.low) - 1)
        # index_select is the fast gather; converting after it keeps a half-precision table half-size.
        high = table.index_select(0, pairs.high[at].flatten()).to(torch.float64)
        difference = high.sub_(table.index_select(0, pairs.low[at].flatten()))
        length = torch.linalg.vector_norm(difference, dim=-1)
        usable = inside.flatten() & (length != 0)
        # Division by infinity makes the padding zero, and keeps NaN where the table has it.
        unit = difference.div_(length.masked_fill_(~usable, torch.inf)[:, None])
        shape = (pairs.draws, last - first, width)
        yield first, last, start, unit.reshape(*shape, table.shape[1]), usable.reshape(shape)


def _blocks(sizes: list[int], limit: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut groups into blocks (first, last, start, width) of at most `limit` vectors, little of it padding."""
    first = 0
    while first < len(sizes):
        if sizes[first] > limit:
            for start in range(0, sizes[first], limit):
                yield first, first + 1, start, min(limit, sizes[first] - start)
            first += 1
            continue
        last, width, filled = first, 0, 0
        while last < len(sizes) and sizes[last] <= limit:
            wider = max(width, sizes[last])
            padded = wider * (last + 1 - first)
            if padded > limit or padded > 2 * (filled + sizes[last]) + 64:
                break
            width, filled, last = wider, filled + sizes[last], last + 1
        # A group always fits alone: its padded size is its size.
        if width:
            yield first, last, 0, width
        first = max(last, first + 1)
