"""Krawtchouk polynomials over {0, 1}^u, normalised so that they stay in [−1, 1] where binomials are large."""

from math import comb

import torch
from jaxtyping import Float64
from torch import Tensor


def krawtchouk(known: int) -> Float64[Tensor, "degrees distances"]:
    r"""Normalised Krawtchouk polynomials, entry [k, h] = Kr_k(h; u) / C(u, k) for k, h = 0..u.

    :math:`Kr_k(h; u) = \sum_j (-1)^j C(h, j) C(u - h, k - j)` is the sum of all degree-k Walsh characters
    at a point of weight h. Summed in integers, divided once: exact to the last bit however large u is.

    Naively: ``[[mean(prod((-1) ** x[s]) over s of size k) at |x| = h for h ...] for k ...]``.

    Args:
        known: Number u ≥ 0 of known concepts.

    Returns:
        Square table of side u + 1, no unit, in [−1, 1]; row 0 and column 0 are 1.

    Raises:
        ValueError: If ``known`` is negative.

    Example:
        >>> krawtchouk(2)
        tensor([[ 1.,  1.,  1.],
                [ 1.,  0., -1.],
                [ 1., -1.,  1.]], dtype=torch.float64)

    References:
        Theory claim C6 (margins of the symmetric program).
    """
    if known < 0:
        raise ValueError(f"known: expected a count >= 0, got {known}; give the number of known concepts")
    sums = [
        [
            sum((-1) ** j * comb(h, j) * comb(known - h, k - j) for j in range(min(h, k) + 1))
            / comb(known, k)
            for h in range(known + 1)
        ]
        for k in range(known + 1)
    ]
    return torch.tensor(sums, dtype=torch.float64)
