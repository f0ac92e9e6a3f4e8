"""The additive solution: logits count the known concepts on which a token agrees with a context."""

from math import comb

import torch
from jaxtyping import Float64, Int8
from torch import Tensor

from linrep.errors import InputError

LARGEST = 32
"""Most concepts the symmetric program takes: its certificate was seen to close to 1e-9 up to here."""


def known_range(concepts: int, known: tuple[int, int] | None) -> tuple[int, int]:
    """The range A..B of known concepts that matters: 1..m when None; 0 becomes 1 (nothing known: a zero row).

    Naively: ``known or (1, concepts)``.

    Args:
        concepts: Number m of concepts, 1 to 32.
        known: Least and most known concepts of a context, or None for every context.

    Returns:
        (A, B) with 1 ≤ A ≤ B ≤ m.

    Raises:
        InputError: If m is out of range, or A..B is empty, leaves 0..m or has no context that knows a
            concept.

    Example:
        >>> known_range(4, None), known_range(4, (0, 2))
        ((1, 4), (1, 2))

    References:
        Theory claim C6.
    """
    if not 1 <= concepts <= LARGEST:
        raise InputError(
            f"concepts: expected 1 to {LARGEST}, got {concepts}; the symmetric program stops there"
        )
    if known is None:
        return 1, concepts
    least, most = known
    if not (0 <= least <= most <= concepts and most >= 1):
        raise InputError(
            f"known: expected A B with 0 <= A <= B <= {concepts} and B >= 1, got {least} {most}; "
            "contexts that know nothing ask for no margin"
        )
    return max(least, 1), most


def degree_weight(concepts: int, known: tuple[int, int], degree: int) -> int:
    r"""The integer :math:`S_k = \sum_{u=\max(A,k)}^{B} 2^u C(m-k, u-k)`.

    Naively: count the contexts in use that know a given set of k concepts.

    Args:
        concepts: Number m of concepts.
        known: Least A and most B known concepts.
        degree: The degree k, 1 to m.

    Returns:
        Number of contexts in use that know all of k given concepts.

    Example:
        >>> degree_weight(2, (1, 2), 1)  # contexts that know concept 1: 1⋄, 0⋄, and four that know both
        6

    References:
        Theory claim C6.
    """
    least, most = known
    return sum(2**u * comb(concepts - degree, u - degree) for u in range(max(least, degree), most + 1))


def limit_is_linear(concepts: int, known: tuple[int, int] | None = None) -> bool:
    r"""Whether the additive solution is optimal: :math:`k^2 S_k \le S_1` for :math:`2 \le k \le B`.

    Exact: integers only. Equality is a tie: additive is then one optimum of several.

    Naively: solve the program and ask whether only degree 1 has a singular value.

    Args:
        concepts: Number m of concepts.
        known: Least A and most B known concepts; None for complete contexts.

    Returns:
        True when the limit may be taken exactly linear at any dimension.

    Raises:
        InputError: As :func:`known_range`.

    Example:
        >>> limit_is_linear(5, (1, 2)), limit_is_linear(4, (1, 2)), limit_is_linear(9, (1, 3))
        (True, False, True)

    References:
        Theory claim C6, "When the limit is linear".
    """
    span = known_range(concepts, known)
    first = degree_weight(concepts, span, 1)
    return all(k * k * degree_weight(concepts, span, k) <= first for k in range(2, span[1] + 1))


def additive_logits(
    context_codes: Int8[Tensor, "contexts concepts"], token_codes: Int8[Tensor, "tokens concepts"]
) -> Float64[Tensor, "contexts tokens"]:
    r"""L(d, c) = number of known concepts of d on which c agrees, rows centred over the tokens.

    For binary concepts this is :math:`\tfrac12 \sum_i D_i C_i^\top` up to a shift of each row. Feasible at
    unit margin for every set of contexts and tokens; its rank is at most the affine rank of the tokens;
    exactly linear.

    Naively: ``[[sum(a == b for a, b in zip(d, c)) for c in tokens] for d in contexts]``.

    Args:
        context_codes: Digits of each context, the number of states where unknown.
        token_codes: Digits of each token.

    Returns:
        The table, rows summing to zero.

    Example:
        >>> digits = torch.tensor([[0], [1]], dtype=torch.int8)
        >>> additive_logits(digits, digits)
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)

    References:
        Theory claim C6, "With k = m".
    """
    agree = torch.zeros(len(context_codes), len(token_codes), dtype=torch.float64)
    for known, state in zip(context_codes.T, token_codes.T, strict=True):
        agree += known[:, None] == state
    return agree - agree.mean(1, keepdim=True)
