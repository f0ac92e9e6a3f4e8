"""Tokens: which concept vectors are in use, as indices into the joint, and the dimension they span."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int8, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.codes import parse_tokens
from linrep.worlds.concepts import ConceptModel

MOST_EXACT = 64
"""Directions up to which a rank is found without dividing: its integers grow with every step."""
PRIME = 2**31 - 1


def ravel(codes: Int8[Tensor, "rows concepts"], bases: Sequence[int]) -> Int64[Tensor, " rows"]:
    """Flat index of each row of digits, the first digit most significant.

    Naively: ``[numpy.ravel_multi_index(row, bases) for row in codes]``.

    Raises:
        InputError: If a digit is negative or not below its base.

    Example:
        >>> ravel(torch.tensor([[1, 2], [0, 1]], dtype=torch.int8), [2, 3])
        tensor([5, 1])
    """
    if codes.shape[1] != len(bases):
        raise InputError(f"codes: expected one digit for each of {len(bases)} concepts, got {codes.shape[1]}")
    index = torch.zeros(len(codes), dtype=torch.int64)
    for concept, base in enumerate(bases):
        digit = codes[:, concept]
        low, high = (int(digit.min()), int(digit.max())) if len(digit) else (0, 0)
        if low < 0 or high >= base:
            raise InputError(f"codes: expected digits 0..{base - 1} for concept {concept}, got {low}..{high}")
        index.mul_(base).add_(digit)
    return index


def unravel(index: Int64[Tensor, " rows"], bases: Sequence[int]) -> Int8[Tensor, "rows concepts"]:
    """The digits of each flat index, the inverse of :func:`ravel`.

    Example:
        >>> unravel(torch.tensor([5, 1]), [2, 3])
        tensor([[1, 2],
                [0, 1]], dtype=torch.int8)
    """
    codes = torch.empty(len(index), len(bases), dtype=torch.int8)
    rest = index.clone()
    for concept in reversed(range(len(bases))):
        codes[:, concept] = rest % bases[concept]
        rest = rest.div_(bases[concept], rounding_mode="floor")
    return codes


def supported_tokens(joint: Float64[Tensor, " joint"]) -> Int64[Tensor, " tokens"]:
    """Every concept vector of positive probability, ascending.

    Example:
        >>> supported_tokens(torch.tensor([0.5, 0.0, 0.5], dtype=torch.float64))
        tensor([0, 2])
    """
    return joint.nonzero()[:, 0]


def random_share(
    rows: Int64[Tensor, " rows"], fraction: float, *, generator: torch.Generator
) -> Int64[Tensor, " chosen"]:
    """A random share of the entries, at least one, in their original order.

    Args:
        rows: What to choose from.
        fraction: The share to keep, in (0, 1]; rounded to a whole number of entries.
        generator: Where the randomness comes from.

    Raises:
        InputError: If the fraction leaves (0, 1].

    Example:
        >>> len(random_share(torch.arange(8), 0.25, generator=torch.Generator().manual_seed(0)))
        2
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction: expected a number above 0 and at most 1, got {fraction}")
    keep = min(len(rows), max(1, round(fraction * len(rows))))
    return rows[torch.randperm(len(rows), generator=generator)[:keep].sort().values]


def token_fraction(
    model: ConceptModel, share: float, *, generator: torch.Generator
) -> Int64[Tensor, " tokens"]:
    """A random share of the tokens that have positive probability, as ascending indices into the joint.

    Raises:
        InputError: If the share leaves (0, 1].

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(3, probabilities=[0.5, 0.5, 0.5], generator=None)
        >>> len(token_fraction(model, 0.5, generator=torch.Generator().manual_seed(0)))
        4
    """
    return random_share(supported_tokens(model.joint()), share, generator=generator)


def token_list(model: ConceptModel, texts: Sequence[str]) -> Int64[Tensor, " tokens"]:
    """Tokens from text (``smoke=yes lung=no`` or ``10``), as indices into the joint, in the order given.

    Raises:
        InputError: For text that names no token.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> token_list(independent(2, probabilities=[0.5, 0.5], generator=None), ["11", "C1=0 C2=1"])
        tensor([3, 1])
    """
    return ravel(parse_tokens(model, texts), model.sizes)


def affine_rank(token_codes: Int8[Tensor, "tokens concepts"]) -> int:
    r"""Dimension of the affine span of the tokens, each concept's states written as indicators.

    For binary concepts the rank of :math:`[1, c]` minus one: the smallest dimension in which additive vectors
    can tell all tokens apart by a linear map. Exact, in integer arithmetic; of more than :data:`MOST_EXACT`
    dimensions modulo a large prime, which a rank exceeds by a chance below 1e-6.

    Naively: ``numpy.linalg.matrix_rank(one_hot - one_hot[0])``.

    Args:
        token_codes: State indices, one row per token; at least one.

    Example:
        >>> affine_rank(torch.tensor([[0, 0], [0, 1], [1, 1]], dtype=torch.int8))
        2
    """
    differing: list[Tensor] = []
    for column in token_codes.T:
        # A state's indicator minus its value for the first token: what is constant gives no direction.
        indicators = [(column == state).double() for state in column.unique()[1:]]
        differing.extend(indicator - indicator[0] for indicator in indicators)
    if not differing:
        return 0
    table = torch.stack(differing)
    if len(table) > MOST_EXACT:
        return _rank_modulo(table.long())
    # Whole numbers below 2^53, so the float64 product is exact, and it has the rank of the table.
    return _integer_rank([[int(entry) for entry in row] for row in (table @ table.T).tolist()])


def _integer_rank(matrix: list[list[int]]) -> int:
    """Rank by fraction-free elimination."""
    rank, previous = 0, 1
    for column in range(len(matrix)):
        pivot = next((row for row in range(rank, len(matrix)) if matrix[row][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        head = matrix[rank]
        for row in range(rank + 1, len(matrix)):
            factor = matrix[row][column]
            matrix[row] = [
                (head[column] * a - factor * b) // previous for a, b in zip(matrix[row], head, strict=True)
            ]
        previous = head[column]
        rank += 1
    return rank


def _rank_modulo(matrix: Int64[Tensor, "rows columns"]) -> int:
    """Rank modulo a prime, never above that over the rationals, of as few random sums of columns as rows."""
    mixed = torch.randint(PRIME, (matrix.shape[1], len(matrix)), generator=torch.Generator().manual_seed(0))
    # Entries are -1, 0, 1: sums of fewer than 2^31 products stay below 2^62.
    rest, rank = (matrix @ mixed) % PRIME, 0
    for column in range(rest.shape[1]):
        there = rest[rank:, column].nonzero()
        if not len(there):
            continue
        at = rank + int(there[0])
        rest[[rank, at]] = rest[[at, rank]]
        rest[rank] = rest[rank] * pow(int(rest[rank, column]), -1, PRIME) % PRIME
        rest[rank + 1 :] = (rest[rank + 1 :] - rest[rank + 1 :, column : column + 1] * rest[rank]) % PRIME
        rank += 1
    return rank
