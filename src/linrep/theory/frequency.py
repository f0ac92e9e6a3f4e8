r"""How long a concept takes to become a direction, against how often it is known.

Tables that start small grow along the modes of the first gradient, :func:`linrep.theory.order.first_modes`,
each by its own rate :math:`\sigma` and from equal lengths. So after n steps the expected inner products of
tokens are

.. math::

    E[G G^\top] \propto \Pi_0 + \sum_i
    \tfrac12 \big[(1 + \eta\sigma_i)^{2n} + (1 - \eta\sigma_i)^{2n}\big] v_i v_i^\top,

with :math:`\Pi_0` the projection on what does not grow, and every expected cosine between steering vectors
follows, whatever the scale of the start. Of fair, independent concepts, concept i known in a share
:math:`q_i` of contexts, the modes are the Walsh characters of the sets S of concepts, with

.. math::

    \sigma_S = 2^{-m/2} \prod_{i \in S} \frac{q_i}{\sqrt 2} \prod_{i \notin S}
    \sqrt{\tfrac{q_i^2}{2} + (1 - q_i)^2},

so that the rate of a rare concept is in proportion to its share, its direction takes steps in proportion to
:math:`1/q_i`, and has then been met equally often, whatever its share: a threshold in occurrences. It is one
of training alone: the limit of descent (theory claim C6) rests on which tokens contexts exclude, not on
weights.

It is exact while logits are small. Of fair, independent concepts a learned one leaves what is to be learned
of the others as it was, :math:`\sum_c (p - \hat p)(c|d)\, \chi_i(c)`, so that it goes on to hold. Where
states are not equally likely, or concepts depend on each other, the strongest modes bend the steering vectors
of weaker concepts until they are learned, and this says nothing of what comes then.
"""

import math

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.order import Modes, first_modes
from linrep.worlds.contexts import World

PLACES = 2000
"""Numbers of steps that are looked at, evenly in their logarithm."""
ROUNDING = 1e-10
LONGEST = 60.0
"""In units of growth of the slowest mode: beyond, nothing changes any more."""


def forming_steps(world: World, *, step_size: float, level: float = 0.5) -> Float64[Tensor, " concepts"]:
    """Steps of gradient descent from a small start until each concept's linearity of g passes a level.

    Naively: many wide tables, trained from a start of 1e-8 and measured after every step.

    Args:
        world: Of concepts with two states; its weights say how often each is known.
        step_size: η, for both tables.
        level: Linearity, in (0, 1).

    Returns:
        Steps, not rounded; NaN where small tables never get there: a stronger mode bends the concept.
        Ratios of expectations stand for expected cosines: exact for wide tables. In proportion to 1/η for
        small steps; no matter how small the start is.

    Raises:
        InputError: A number is out of its range, a concept has more than two states, or fewer than two pairs.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> from linrep.worlds.frequency import spoken_of
        >>> rare = spoken_of(world(independent(3, probabilities=[0.5] * 3)), (0.4, 0.1, 0.025))
        >>> [round(steps) for steps in forming_steps(rare, step_size=0.5).tolist()]
        [27, 154, 666]

    References:
        :cite:`merullo:25` for the threshold, in language models.
    """
    if not (step_size > 0 and 0 < level < 1):
        raise InputError(
            f"forming_steps: expected a step_size above 0 and a level in (0, 1), got {step_size:g} and "
            f"{level:g}"
        )
    if set(world.model.sizes) != {2}:
        raise InputError(
            f"forming_steps: expected concepts of two states, got {max(world.model.sizes)}; merge states"
        )
    modes = first_modes(world)
    slowest = math.log1p(step_size * float(modes.rates[-1]))
    steps = torch.logspace(-2, math.log10(LONGEST / slowest), PLACES, dtype=torch.float64)
    found = [
        _first_passed(
            steps, _expected_linearity(modes, _differences(world, concept), steps, step_size), level
        )
        for concept in range(world.model.concepts)
    ]
    return torch.tensor(found, dtype=torch.float64)


def _differences(world: World, concept: int) -> Float64[Tensor, "pairs tokens"]:
    """A row for each counterfactual pair of tokens: 1 at the high one, -1 at the low one."""
    codes = world.token_codes.long()
    flipped = codes.clone()
    flipped[:, concept] = 1 - flipped[:, concept]
    same: Bool[Tensor, "tokens tokens"] = (codes[:, None] == flipped[None]).all(-1)
    low, high = (same & (codes[:, concept] == 0)[:, None]).nonzero(as_tuple=True)
    if len(low) < 2:
        raise InputError(
            f"forming_steps: expected two pairs of tokens or more that differ in one concept alone, got "
            f"{len(low)} of {world.model.names[concept]}; use a world in which more tokens exist"
        )
    rows = torch.arange(len(low))
    found = torch.zeros(len(low), len(codes), dtype=torch.float64)
    found[rows, high], found[rows, low] = 1, -1
    return found


def _expected_linearity(
    modes: Modes,
    differences: Float64[Tensor, "pairs tokens"],
    steps: Float64[Tensor, " steps"],
    step_size: float,
) -> Float64[Tensor, " steps"]:
    """Mean cosine over pairs of distinct steering vectors, of expected inner products."""
    grown, shrunk = (
        2 * steps[:, None] * (1 + sign * step_size * modes.rates).abs().log() for sign in (1, -1)
    )
    # Over the strongest, so that nothing overflows.
    most = grown[:, :1]
    energy = ((grown - most).exp() + (shrunk - most).exp()) / 2
    on = differences @ modes.tokens
    # A strong mode that does not touch the concept must not enter by rounding, times its growth.
    on[on.abs() < ROUNDING] = 0
    rest = differences @ differences.T - on @ on.T
    gram = torch.einsum("ns,ps,qs->npq", energy, on, on) + (-most).exp()[:, :, None] * rest
    length = gram.diagonal(dim1=1, dim2=2).clamp_min(1e-300).rsqrt()
    cosines = gram * length[:, :, None] * length[:, None, :]
    number = len(differences)
    return (cosines.sum((1, 2)) - number) / (number * (number - 1))


def _first_passed(steps: Float64[Tensor, " steps"], values: Float64[Tensor, " _"], level: float) -> float:
    """Between places by the logarithm of steps; NaN if never, or from the first place on."""
    there = (values >= level).nonzero()
    if not len(there) or not int(there[0]):
        return math.nan
    place = int(there[0])
    part = (level - values[place - 1]) / (values[place] - values[place - 1])
    x = steps[place - 1 : place + 1].log()
    return float((x[0] + part * (x[1] - x[0])).exp())
