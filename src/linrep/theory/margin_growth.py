r"""How fast gradient flow drives a margin once tables are additive and balanced: the law behind "like ln t".

With :math:`f(d) = a \sum_{i \in K(d)} d_i e_i` and :math:`g(c) = b \sum_i c_i e_i`, signs for values, every
margin is one number, :math:`q = 2ab`, and the unknown concepts of a fair world cost nothing. C contexts of
equal weight, T tokens and a share :math:`\kappa` of known concepts give

.. math::

    \dot a = \frac{2b\,\sigma(-q)}{C}, \quad \dot b = \frac{2a \kappa\, \sigma(-q)}{T}, \quad
    C\kappa a^2 = T b^2 \;\text{(balanced)} \;\Rightarrow\;
    \dot q = r\, \frac{q}{1 + e^q}, \quad r = 4 \sqrt{\frac{\kappa}{C T}},

so that :math:`\mathrm{Ei}(q) + \ln q` grows by r per unit of time, and :math:`q \to \ln rt + \ln\ln rt`: both
tables learn, so it is a little faster than the ln t of a table alone.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.errors import InputError

NEWTON_STEPS = 50


def margin_rate(contexts: int, tokens: int, known_share: float) -> float:
    r"""The rate r of :func:`grown_margin`, per unit of time: :math:`4\sqrt{\kappa/(CT)}`.

    Naively: ``4 * (known_share / (contexts * tokens)) ** 0.5``.

    Args:
        contexts: C, in use, of equal weight.
        tokens: T.
        known_share: κ, the share of pairs of a context and a concept in which it is known; 2/3 where contexts
            are complete.

    Raises:
        InputError: If a number is not positive, or the share is above 1.

    Example:
        >>> round(margin_rate(27, 8, 2 / 3), 6)
        0.222222
    """
    if not (contexts > 0 and tokens > 0 and 0 < known_share <= 1):
        raise InputError(
            "margin_rate: expected positive numbers of contexts and tokens and a share above 0, at most 1; "
            f"got {contexts}, {tokens}, {known_share}"
        )
    return 4 * math.sqrt(known_share / (contexts * tokens))


def grown_margin(
    margin: Float64[Tensor, "*runs"], elapsed: Float64[Tensor, "*runs"], rate: float
) -> Float64[Tensor, "*runs"]:
    r"""The margin some time later, by :math:`\mathrm{Ei}(q) + \ln q = \mathrm{Ei}(q_0) + \ln q_0 + rt`.

    Naively: Euler's steps of ``q += dt * rate * q / (1 + exp(q))``.

    Args:
        margin: q_0, above 0, in nats.
        elapsed: Time t of gradient flow since, not negative: the sum of step sizes.
        rate: By :func:`margin_rate`.

    Returns:
        Nats, at least the margin given.

    Raises:
        InputError: If a margin is not positive, or a time negative.

    Example:
        >>> start = torch.tensor([5.0, 5.0], dtype=torch.float64)
        >>> later = grown_margin(start, torch.tensor([0.0, 1e4], dtype=torch.float64), 2 / 9)
        >>> [round(q, 3) for q in later.tolist()]
        [5.0, 9.89]

    References:
        Theory claim C2; Lyu and Li 2020 for the rate of homogeneous models in general.
    """
    if bool((margin <= 0).any()) or bool((elapsed < 0).any()):
        raise InputError("grown_margin: expected margins above 0, times not below 0; start from a later one")
    goal = _spent(margin) + rate * elapsed
    first = goal.clamp_min(math.e).log()
    # Ei(q) is about e^q / q: so near the end Newton's steps do not overshoot.
    found = torch.maximum(margin, first + first.log())
    for _ in range(NEWTON_STEPS):
        step = (_spent(found) - goal) / (found.exp() + 1) * found
        found = torch.maximum(found - step, margin)
        if bool((step.abs() <= 1e-14 * found).all()):
            break
    return found


def _spent(margin: Tensor) -> Tensor:
    """Ei(q) + ln q: the time that a margin has taken, times the rate, up to a constant."""
    from scipy.special import expi

    return torch.as_tensor(expi(margin.numpy())) + margin.log()
