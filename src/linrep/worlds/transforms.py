r"""Linear maps between the joint table and the context table, in one small pass per concept.

:math:`A` stacks the identity on a row of ones (rows: value 0, 1, ..., unknown), so :math:`A^{\otimes m}`
turns a table over concept vectors into one over all contexts: entry d is the sum over the concept vectors
compatible with d. Tables lie along the last axis, row-major with concept 0 most significant; leading axes
are free, so a table of vectors goes in feature-major, ``[..., dim, joint]``, the layout in which every
pass is fast.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError, counted

# The last concepts are summed at once, by one small matrix product: their blocks are too short to add one
# by one.
CONTEXTS_AT_ONCE = 3**5


def subset_sum(x: Float[Tensor, "*batch joint"], sizes: tuple[int, ...]) -> Float[Tensor, "*batch contexts"]:
    r"""Sum over the concept vectors compatible with each context, :math:`A^{\otimes m} x`.

    Naively: ``[sum(x[c] for c in joint if compatible(c, d)) for d in contexts]``.

    Args:
        x: One value per concept vector, prod(sizes) of them, any leading axes.
        sizes: Number of states of each concept.

    Returns:
        One value per context, prod(v + 1 for v in sizes) of them. Sums of zeros are exact zeros. Time and
        memory are a small multiple of the result's: the passes before the last form a geometric series.

    Raises:
        InputError: If the last axis does not have prod(sizes) entries.

    Example:
        >>> subset_sum(torch.tensor([0.25, 0.75]), (2,))
        tensor([0.2500, 0.7500, 1.0000])
    """
    _expect(x, math.prod(sizes), "concept vectors")
    batch = x.shape[:-1]
    first = _first_at_once(sizes)
    rest = math.prod(v + 1 for v in sizes[first:])
    x = x.reshape(-1, math.prod(sizes[first:])) @ _matrix(sizes[first:], x.dtype, x.device).mT
    # Then from the least significant concept up, so that every pass adds long contiguous blocks.
    for size in reversed(sizes[:first]):
        x = x.reshape(-1, size, rest)
        grown = x.new_empty(x.shape[0], size + 1, rest)
        grown[:, :-1] = x
        torch.sum(x, 1, out=grown[:, -1])
        x, rest = grown, rest * (size + 1)
    return x.reshape(*batch, rest)


def subset_sum_transpose(
    y: Float[Tensor, "*batch contexts"], sizes: tuple[int, ...]
) -> Float[Tensor, "*batch joint"]:
    r"""Sum over the contexts compatible with each concept vector, :math:`(A^{\otimes m})^\top y`.

    Naively: ``[sum(y[d] for d in contexts if compatible(c, d)) for c in joint]``.

    Args:
        y: One value per context, prod(v + 1 for v in sizes) of them, any leading axes.
        sizes: Number of states of each concept.

    Returns:
        One value per concept vector.

    Raises:
        InputError: If the last axis does not have prod(v + 1) entries.

    Example:
        >>> subset_sum_transpose(torch.tensor([1.0, 2.0, 10.0]), (2,))
        tensor([11., 12.])
    """
    contexts = math.prod(v + 1 for v in sizes)
    _expect(y, contexts, "contexts")
    batch = y.shape[:-1]
    first = _first_at_once(sizes)
    for size in sizes[:first]:
        contexts //= size + 1
        y = y.reshape(-1, size + 1, contexts)
        y = y[:, :-1] + y[:, -1:]
    y = y.reshape(-1, contexts) @ _matrix(sizes[first:], y.dtype, y.device)
    return y.reshape(*batch, math.prod(sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    r"""The contexts whose first digits lie in a range: all of them, or one process's part.

    The rows of :math:`A^{\otimes m}` that belong to such contexts are a few rows of :math:`A^{\otimes l}` for
    the first l concepts, and all of :math:`A^{\otimes (m-l)}` for the others: a part costs its share of the
    time and memory of the whole.
    """

    sizes: tuple[int, ...]
    """Number of states of each concept."""
    leading: int = 0
    """l, how many of the first concepts are cut along."""
    prefixes: tuple[int, int] = (0, 1)
    """First and last (excluded) value of their digits, read as one number."""

    @property
    def stride(self) -> int:
        """Contexts of one prefix."""
        return math.prod(size + 1 for size in self.sizes[self.leading :])

    @property
    def first(self) -> int:
        """Flat index of the first context."""
        return self.prefixes[0] * self.stride

    @property
    def contexts(self) -> int:
        """How many there are."""
        return (self.prefixes[1] - self.prefixes[0]) * self.stride

    def subset_sum(self, x: Float[Tensor, "*batch joint"]) -> Float[Tensor, "*batch contexts"]:
        """:func:`subset_sum`, these contexts alone.

        Naively: ``subset_sum(x, self.sizes)[..., self.first : self.first + self.contexts]``.

        Example:
            >>> Cube(sizes=(2, 2), leading=1, prefixes=(2, 3)).subset_sum(torch.tensor([0.1, 0.2, 0.3, 0.4]))
            tensor([0.4000, 0.6000, 1.0000])
        """
        if not self.leading:
            return subset_sum(x, self.sizes)
        _expect(x, math.prod(self.sizes), "concept vectors")
        head = self._head(x)
        x = head @ x.reshape(*x.shape[:-1], head.shape[1], -1)
        return subset_sum(x, self.sizes[self.leading :]).flatten(-2)

    def subset_sum_transpose(self, y: Float[Tensor, "*batch contexts"]) -> Float[Tensor, "*batch joint"]:
        """:func:`subset_sum_transpose` of a table that is zero at every other context.

        Example:
            >>> Cube(sizes=(2,), leading=1, prefixes=(1, 3)).subset_sum_transpose(torch.tensor([2.0, 10.0]))
            tensor([10., 12.])
        """
        if not self.leading:
            return subset_sum_transpose(y, self.sizes)
        _expect(y, self.contexts, "contexts")
        head = self._head(y)
        y = subset_sum_transpose(y.reshape(*y.shape[:-1], head.shape[0], -1), self.sizes[self.leading :])
        return (head.mT @ y).flatten(-2)

    def _head(self, like: Tensor) -> Float[Tensor, "prefixes states"]:
        return _matrix(self.sizes[: self.leading], like.dtype, like.device)[slice(*self.prefixes)]


def _first_at_once(sizes: tuple[int, ...]) -> int:
    """Where the concepts begin that are summed by one matrix product."""
    first, contexts = len(sizes), 1
    while first and contexts * (sizes[first - 1] + 1) <= CONTEXTS_AT_ONCE:
        first -= 1
        contexts *= sizes[first] + 1
    return first


@lru_cache(maxsize=64)
def _matrix(
    sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "contexts joint"]:
    r""":math:`A^{\otimes m}` itself, for few concepts."""
    matrix = torch.ones(1, 1, dtype=dtype, device=device)
    for size in sizes:
        factor = torch.cat([torch.eye(size), torch.ones(1, size)])
        matrix = torch.kron(matrix, factor.to(matrix))
    return matrix


def _expect(table: Tensor, expected: int, noun: str) -> None:
    if table.shape[-1] != expected:
        raise InputError(
            f"table: expected {counted(expected)} {noun} on the last axis, "
            f"got {table.shape[-1]}; transpose it"
        )
