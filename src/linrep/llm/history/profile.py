"""A number by maximum likelihood, with the interval of its profile."""

import math
from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

CUT = 3.841459
"""95 % quantile of chi-squared with one degree of freedom."""
Ends = tuple[float | None, float | None]
"""None for an end that the data leave open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A number with its interval by profile likelihood."""

    value: float
    interval95: Ends

    def json(self) -> dict[str, object]:
        """As plain data."""
        return {"value": self.value, "interval95": list(self.interval95)}

    def exp(self) -> "Fitted":
        """The number whose logarithm this is."""
        low, high = (None if end is None else math.exp(end) for end in self.interval95)
        return Fitted(value=math.exp(self.value), interval95=(low, high))


def fitted(
    places: Float64[Tensor, " places"], profile: Float64[Tensor, " _"], cut: float = CUT
) -> Fitted | None:
    r"""The likeliest place, and where twice the log likelihood has fallen by 3.84 on either side.

    Args:
        places: In ascending order, close to each other against the width of the interval.
        profile: The highest log likelihood at each.
        cut: Another fall, where few observations ask for one: see :func:`student_cut`.

    Returns:
        The number; None where the profile is highest at the first or the last place: it lies beyond them.

    Example:
        >>> import torch
        >>> at = torch.linspace(-5, 5, 2001, dtype=torch.float64)
        >>> found = fitted(at, -(at - 1).square() / 2)
        >>> round(found.value, 2), [round(end, 2) for end in found.interval95]
        (1.0, [-0.96, 2.96])

    References:
        Wilks 1938.
    """
    # A plateau has no one highest place: its middle stands for it.
    top = (profile >= profile.amax() - 1e-9).nonzero()[:, 0]
    best = int(top[len(top) // 2])
    if int(top[0]) == 0 or int(top[-1]) == len(places) - 1:
        return None
    inside = (2 * (profile[best] - profile) < cut).tolist()
    first = next((i for i in range(best, -1, -1) if not inside[i]), None)
    last = next((i for i in range(best, len(places)) if not inside[i]), None)
    ends = (
        None
        if first is None
        else _crossing(places, profile, first, first + 1, float(profile[best]) - cut / 2),
        None if last is None else _crossing(places, profile, last, last - 1, float(profile[best]) - cut / 2),
    )
    return Fitted(value=float(places[best]), interval95=ends)


def student_cut(number: int, parameters: int) -> float:
    r"""By how much twice the log likelihood falls at the ends of Student's interval, :math:`n \ln(1 +
    t^2/(n-p))`.

    Exact for normal numbers about a line of p parameters whose spread is estimated too; 3.84 for many.

    Example:
        >>> round(student_cut(10, 2), 2), round(student_cut(100_000, 2), 2)
        (5.1, 3.84)
    """
    from scipy.special import stdtrit

    free = number - parameters
    return number * math.log1p(float(stdtrit(free, 0.975)) ** 2 / free)


def _crossing(places: Tensor, profile: Tensor, out: int, within: int, target: float) -> float:
    """Where a straight line between two places falls to a target."""
    a, b = float(profile[out]), float(profile[within])
    share = (target - a) / (b - a) if math.isfinite(a) and b > a else 0.0
    return float(places[out]) + share * float(places[within] - places[out])
