r"""How often must a concept's words occur for it to be a direction? A threshold, its interval and its null.

At one checkpoint, concept i is a direction (:math:`y_i = 1`) with probability
:math:`\sigma(\beta(x_i - \theta))`, x the logarithm of how often its words occur. Few concepts, and a
threshold that parts them without exception, leave maximum likelihood without an answer (:math:`\beta \to
\infty`). Jeffreys' penalty :math:`\tfrac12 \ln\det I` gives one always, and its profile gives the interval
of :math:`\theta`.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.llm.history.profile import Ends, fitted

WIDE = 3.0
"""How many times the range of the counts, beyond it, an end of the interval is looked for."""
PLACES = 701
SLOPES = (1e-2, 1e3, 51)
"""Least, steepest and number of slopes looked at, over the range of the counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where half of the concepts are directions."""

    count: float | None
    """Occurrences; None where all concepts are on one side, or rarer ones are the directions."""
    interval95: Ends
    """By profile likelihood; None for an end that the data leave open."""
    p: float
    """How often counts dealt anew part directions from the others as well; NaN where nothing parts them."""
    concepts: int
    directions: int

    def json(self) -> dict[str, object]:
        """As plain data."""
        return {
            "count": self.count,
            "interval95": list(self.interval95),
            "p": None if math.isnan(self.p) else self.p,
            "concepts": self.concepts,
            "directions": self.directions,
        }


def threshold(
    counts: Float64[Tensor, " concepts"],
    direction: Bool[Tensor, " concepts"],
    *,
    generator: torch.Generator,
    draws: int = 400,
) -> Threshold:
    r"""The count at which a concept is as likely a direction as not.

    Naively: ``LogisticRegression(C=inf).fit(log(counts), direction)`` and its intercept over its slope, which
    is not defined where the two classes are apart.

    Args:
        counts: How often each concept's words occur, positive.
        direction: Whether each is one.
        generator: Deals the counts anew.
        draws: How often.

    Returns:
        The threshold. It scales with the counts.

    Example:
        >>> counts = torch.tensor([10.0, 20, 40, 80, 160, 320, 640, 1280], dtype=torch.float64)
        >>> found = threshold(counts, counts > 100, generator=torch.Generator().manual_seed(0))
        >>> round(found.count), found.interval95[0] > 10, found.interval95[1] < 1280, found.p < 0.05
        (113, True, True, True)

    References:
        Firth 1993; Heinze and Schemper 2002; :cite:`merullo:25`.
    """
    number, ones = len(counts), int(direction.sum())
    absent = Threshold(count=None, interval95=(None, None), p=math.nan, concepts=number, directions=ones)
    if not 0 < ones < number or bool((counts == counts[0]).all()):
        return absent
    x, y = counts.log(), direction.to(torch.float64)
    middle, span = float(x.mean()), float(x.max() - x.min())
    scaled = (x - middle) / span
    places = torch.linspace(
        float(scaled.min()) - WIDE, float(scaled.max()) + WIDE, PLACES, dtype=torch.float64
    )
    slopes = torch.logspace(math.log10(SLOPES[0]), math.log10(SLOPES[1]), SLOPES[2], dtype=torch.float64)
    found = fitted(places, penalised(scaled, y, places, slopes).amax(1))
    orders = torch.rand(draws, number, generator=generator).argsort(1)
    # Of the same counts and as many directions: how well any cut of them parts the two.
    p = float((_parting(x, y[orders]) >= _parting(x, y[None])[0] - 1e-9).double().mean())
    if found is None:
        return replace(absent, p=p)
    at = replace(
        found,
        value=middle + span * found.value,
        interval95=tuple(None if end is None else middle + span * end for end in found.interval95),
    ).exp()
    return replace(absent, count=at.value, interval95=at.interval95, p=p)


def penalised(
    x: Float64[Tensor, " concepts"],
    y: Float64[Tensor, " concepts"],
    places: Float64[Tensor, " places"],
    slopes: Float64[Tensor, " slopes"],
) -> Float64[Tensor, "places slopes"]:
    r"""Log likelihood of thresholds and slopes with Jeffreys' penalty, :math:`\ell + \tfrac12 \ln\det X^T W
    X`.

    Naively: a loop over places and slopes.

    Example:
        >>> x, y = torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.0, 1.0]).double()
        >>> penalised(x, y, torch.zeros(1).double(), torch.ones(1).double()).shape
        torch.Size([1, 1])
    """
    z = slopes[:, None] * (x - places[:, None, None])
    sides = torch.where(y > 0, z, -z)
    likelihood = torch.nn.functional.logsigmoid(sides).sum(-1)
    weight = torch.sigmoid(z) * torch.sigmoid(-z)
    total, first, second = ((weight * x**power).sum(-1) for power in (0, 1, 2))
    return likelihood + 0.5 * (total * second - first.square()).clamp(min=1e-300).log()


def _parting(x: Tensor, y: Float64[Tensor, "draws concepts"]) -> Float64[Tensor, " draws"]:
    """Mean of x over directions less its mean over the others."""
    ones = y.sum(1)
    return (y @ x) / ones - ((1 - y) @ x) / (y.shape[1] - ones)
