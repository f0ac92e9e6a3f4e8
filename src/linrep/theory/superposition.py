r"""More concepts than dimensions: the cross-talk of m directions in k dimensions, and what it costs.

Let token vectors be additive, :math:`g(c) = \sum_i c_i v_i` with unit :math:`v_i \in \mathbb{R}^k`, and read
concept i as :math:`v_i^\top g(c) = c_i + \sum_{j \ne i} c_j \cos_{ij}`.

- The root mean square of the cosines is at least :func:`welch_bound`, and :func:`random_cross_talk` for
  directions drawn at random: with m far above k both are about :math:`1/\sqrt{k}`, whatever m is.
- A concept that is on is told from one that is off while the sum over the others stays below one half:
  :func:`read_out_error`. Its variance grows with how many concepts are on, so k dimensions carry more than k
  concepts only if few of them are on at once: the sparsity of Elhage et al. 2022.
- In the worst case over all inputs with s concepts on, :func:`sufficient_dimension` is enough. Garg,
  Kleinberg and Peng 2026 (arXiv 2602.11246) prove that :math:`O_\epsilon(s^2 \log m)` dimensions suffice to
  represent and to read m concepts linearly, and that
  :math:`\Omega_\epsilon(s^2 / \log s \cdot \log(m/s))` are needed; without the demand that reading be linear
  :math:`O(s \log(m/s))` do.
"""

import math

from linrep.errors import InputError


def welch_bound(concepts: int, dim: int) -> float:
    r"""Least root mean square cosine of m directions in k dimensions, :math:`\sqrt{(m-k)/(k(m-1))}`.

    The Gram matrix of unit vectors has trace m and rank at most k, hence squares that sum to :math:`m^2/k` or
    more; equality for tight frames. 0 where k is at least m.

    Naively: minimise ``(normalise(V) @ normalise(V).T).square()`` off the diagonal over V of shape (m, k).

    Args:
        concepts: m, 1 or more.
        dim: k, 1 or more.

    Raises:
        InputError: A number below 1.

    Example:
        >>> round(welch_bound(3, 2), 6), welch_bound(3, 3)  # three directions at 120 degrees
        (0.5, 0.0)

    References:
        Welch, Lower bounds on the maximum cross correlation of signals, 1974.
    """
    _require_positive(concepts=concepts, dim=dim)
    return math.sqrt((concepts - dim) / (dim * (concepts - 1))) if concepts > dim else 0.0


def random_cross_talk(dim: int) -> float:
    r"""Root mean square cosine of directions drawn uniformly, :math:`1/\sqrt{k}`.

    Naively: ``cosine(randn(n, k), randn(n, k)).square().mean().sqrt()``.

    Args:
        dim: k, 1 or more.

    Raises:
        InputError: If it is below 1.

    Example:
        >>> random_cross_talk(16)
        0.25
    """
    _require_positive(dim=dim)
    return 1 / math.sqrt(dim)


def read_out_error(concepts: int, probability: float, cross_talk: float) -> float:
    r"""How often a concept is read wrong along its own direction, mean of both kinds of error.

    Independent concepts, each on with probability p; with n others on interference is normal with variance
    :math:`\mu^2 n (1 - n/(m-1))`, cosines of root mean square :math:`\mu` about their mean, n binomial; the
    threshold lies half-way:

    .. math:: \sum_n \mathrm{Bin}(n; m-1, p)\; \Phi\!\left(-\frac{1}{2 \mu \sqrt{n (1 - n/(m-1))}}\right).

    Naively: draw additive tables with random directions, read each concept, and count.

    Args:
        concepts: m, 1 or more.
        probability: p.
        cross_talk: μ, by :func:`welch_bound` or :func:`random_cross_talk`.

    Raises:
        InputError: A number out of range.

    Example:
        >>> sparse, dense = (read_out_error(64, p, random_cross_talk(16)) for p in (0.03, 0.5))
        >>> round(sparse, 3), round(dense, 3)
        (0.067, 0.306)

    References:
        Elhage et al., Toy Models of Superposition, 2022, for interference that sparsity makes rare.
    """
    _require_positive(concepts=concepts)
    if not 0 <= probability <= 1 or cross_talk < 0:
        raise InputError(
            f"read_out_error: expected a probability in [0, 1] and a cross-talk of at least 0, got "
            f"{probability} and {cross_talk}"
        )
    others, total = concepts - 1, 0.0
    for on in range(1, others):
        weight = math.comb(others, on) * probability**on * (1 - probability) ** (others - on)
        deviation = cross_talk * math.sqrt(on * (1 - on / others))
        total += weight * (math.erfc(1 / (2 * math.sqrt(2) * deviation)) / 2 if deviation > 0 else 0.0)
    return total


def sufficient_dimension(concepts: int, on: int, error: float) -> int:
    r"""Dimensions in which some m directions read every concept to within ε whatever s of them are on.

    Of random unit vectors :math:`P(|\cos| \ge t) \le 2 e^{-k t^2 / 2}`; over all pairs below 1 from
    :math:`k = 4 \ln(m) / t^2` on; and s cosines of at most :math:`t = \epsilon / s` add to no more than ε.
    This is the upper bound :math:`O_\epsilon(s^2 \log m)` with its constant; at tens of concepts it
    exceeds m.

    Naively: draw unit vectors until none of their cosines exceeds ε/s, in ever fewer dimensions.

    Args:
        concepts: m, 1 or more.
        on: s, the most concepts that are on at once.
        error: ε, beside the 1 that a concept reads when it is on alone.

    Raises:
        InputError: A number out of range.

    Example:
        >>> sufficient_dimension(1000, 2, 0.5), sufficient_dimension(1_000_000, 2, 0.5)
        (443, 885)

    References:
        Garg, Kleinberg and Peng 2026.
    """
    _require_positive(concepts=concepts, on=on)
    if not error > 0:
        raise InputError(f"error: expected a number above 0, got {error}")
    return max(1, math.ceil(4 * math.log(concepts) * (on / error) ** 2))


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name}: expected at least 1, got {number}")
