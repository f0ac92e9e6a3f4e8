r"""Linear maps between the joint table and the context table, in one small pass per concept.

:math:`A` stacks the identity on a row of ones (rows: value 0, 1, ..., unknown), so :math:`A^{\otimes m}` turns a table over
concept vectors into one over all contexts: entry d is the sum over the concept vectors compatible with d.
Tables are row-major with concept 0 most significant, as everywhere.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from linrep.errors import InputError


def subset_sum(x: Float[Tensor, "*batch joint"], sizes: tuple[int, ...]) -> Float[Tensor, "*batch contexts"]:
    r"""Sum over the concept vectors compatible with each context, :math:`A^{\otimes m} x`.

    Naively: ``[sum(x[c] for c in joint if compatible(c, d)) for d in contexts]``.

    Args:
        x: One value per concept vector, prod(sizes) of them, any leading axes.
        sizes: Number of states of each concept.

    Returns:
        One value per context, prod(v + 1 for v in sizes) of them. Sums of non-negative values: exact zeros stay zero.

    Raises:
        InputError: If the last axis does not have prod(sizes) entries.

    Example:
        >>> subset_sum(torch.tensor([0.25, 0.75]), (2,))
        tensor([0.2500, 0.7500, 1.0000])
    """
    return subset_sum_table(x.unsqueeze(-1), sizes).squeeze(-1)


def subset_sum_table(
    x: Float[Tensor, "*batch joint dim"], sizes: tuple[int, ...]
) -> Float[Tensor, "*batch contexts dim"]:
    r"""The map of :func:`subset_sum` on a table of row vectors, :math:`A^{\otimes m} X`.

    Naively: ``torch.stack([subset_sum(column, sizes) for column in x.unbind(-1)], -1)``.

    Args:
        x: One row per concept vector, any leading axes.
        sizes: Number of states of each concept.

    Returns:
        One row per context. Time and memory are those of the result: the passes before the last form a geometric series.

    Raises:
        InputError: If the second last axis does not have prod(sizes) entries.

    Example:
        >>> subset_sum_table(torch.eye(2), (2,))
        tensor([[1., 0.],
                [0., 1.],
                [1., 1.]])
    """
    _expect_rows(x, math.prod(sizes), "concept vectors")
    batch, dim = x.shape[:-2], x.shape[-1]
    # Last concept first: tables grow from the least significant digit, so every pass adds long contiguous blocks.
    for i in reversed(range(len(sizes))):
        rest = math.prod(v + 1 for v in sizes[i + 1 :]) * dim
        x = x.reshape(-1, sizes[i], rest)
        grown = x.new_empty(x.shape[0], sizes[i] + 1, rest)
        grown[:, :-1] = x
        torch.sum(x, 1, out=grown[:, -1])
        x = grown
    return x.reshape(*batch, -1, dim)


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
    return subset_sum_transpose_table(y.unsqueeze(-1), sizes).squeeze(-1)


def subset_sum_transpose_table(
    y: Float[Tensor, "*batch contexts dim"], sizes: tuple[int, ...]
) -> Float[Tensor, "*batch joint dim"]:
    r"""The map of :func:`subset_sum_transpose` on a table of row vectors, :math:`(A^{\otimes m})^\top Y`.

    Naively: ``torch.stack([subset_sum_transpose(column, sizes) for column in y.unbind(-1)], -1)``.

    Args:
        y: One row per context, any leading axes.
        sizes: Number of states of each concept.

    Returns:
        One row per concept vector.

    Raises:
        InputError: If the second last axis does not have prod(v + 1) entries.

    Example:
        >>> subset_sum_transpose_table(torch.eye(3), (2,))
        tensor([[1., 0., 1.],
                [0., 1., 1.]])
    """
    _expect_rows(y, math.prod(v + 1 for v in sizes), "contexts")
    batch, dim = y.shape[:-2], y.shape[-1]
    for i, size in enumerate(sizes):
        rest = math.prod(v + 1 for v in sizes[i + 1 :]) * dim
        y = y.reshape(-1, size + 1, rest)
        y = y[:, :-1] + y[:, -1:]
    return y.reshape(*batch, -1, dim)


def walsh_hadamard(x: Float[Tensor, "*batch joint"]) -> Float[Tensor, "*batch joint"]:
    r"""Orthonormal Walsh–Hadamard transform over binary concepts, :math:`\hat x_S = 2^{-m/2} \sum_c (-1)^{|c \wedge S|} x_c`.

    Naively: ``2 ** (-m / 2) * [sum((-1) ** popcount(c & s) * x[c] for c in joint) for s in joint]``.

    Args:
        x: One value per vector of m binary concepts, 2^m of them, any leading axes.

    Returns:
        Coefficient of subset S at the index whose digits are the indicator of S. Its own inverse; keeps sums of squares.

    Raises:
        InputError: If the last axis is not a power of two.

    Example:
        >>> walsh_hadamard(torch.tensor([1.0, 1.0, 1.0, 1.0]))
        tensor([2., 0., 0., 0.])
    """
    length = x.shape[-1]
    if length < 1 or length & (length - 1):
        raise InputError(
            f"x: expected 2^m values on the last axis, got {length}; pad or select binary concepts"
        )
    shape = x.shape
    stride = 1
    while stride < length:
        low, high = x.reshape(-1, length // (2 * stride), 2, stride).unbind(-2)
        x = torch.stack((low + high, low - high), -2)
        stride *= 2
    return x.reshape(shape) * length**-0.5


def _expect_rows(table: Tensor, expected: int, noun: str) -> None:
    if table.shape[-2] != expected:
        raise InputError(
            f"table: expected {expected} {noun} for these sizes, got {table.shape[-2]}; check the order of axes"
        )
