r"""How often a concept is spoken of: contexts weighted so that some concepts are known less often.

Uniformly weighted, every concept is known in two of three contexts. Planted, concept i is known in a share
:math:`q_i = \tfrac23 \rho^{-r_i/(m-1)}`, evenly spaced in the logarithm from the commonest (rank 0) to the
rarest, :math:`\rho` times rarer; whether one is known says nothing of another. The training signal for its
direction, and in a language the words that say it, are as rare as that.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from linrep.errors import InputError
from linrep.worlds.contexts import World

COMMONEST = 2 / 3
"""As under uniform weights."""


def shares(concepts: int, ratio: float, *, generator: torch.Generator) -> tuple[float, ...]:
    r"""The share of sentences that speak of each concept; which concept has which rank is drawn.

    Naively: ``2 / 3 * ratio ** (-rank / (concepts - 1))`` for the ranks 0, 1, … in an order that is drawn.

    Args:
        concepts: How many, m.
        ratio: How many times as often the commonest is spoken of as the rarest, :math:`\rho \ge 1`.
        generator: Deals the ranks.

    Raises:
        InputError: If the ratio is below 1, or there is one concept alone to differ from itself.

    Example:
        >>> drawn = shares(3, 4.0, generator=torch.Generator().manual_seed(0))
        >>> [round(share, 3) for share in sorted(drawn)]
        [0.167, 0.333, 0.667]
    """
    if not 1 <= ratio < float("inf"):
        raise InputError(f"frequency_ratio: expected at least 1, got {ratio:g}; 1 makes all equally frequent")
    if ratio == 1:
        return (COMMONEST,) * concepts
    if concepts < 2:
        raise InputError(f"frequency_ratio: expected 1 for a single concept, got {ratio:g}; give it more")
    ranks = torch.randperm(concepts, generator=generator).tolist()
    return tuple(COMMONEST * ratio ** (-rank / (concepts - 1)) for rank in ranks)


def spoken_of(world: World, share: Sequence[float]) -> World:
    """The world with contexts weighted so that each concept is known in that share of sentences.

    Naively: ``[prod(q / 2 if known else 1 - q for q, known in zip(share, code < 2)) for code in codes]``.

    Args:
        world: Complete contexts, none of them impossible, for the shares to be exact; their weights are
            replaced.
        share: One in (0, 1) for each concept, spread evenly over its states.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world as world_of
        >>> rare = spoken_of(world_of(independent(2, probabilities=[0.5, 0.5])), (0.5, 0.1))
        >>> [round(float(rare.weights[rare.codes[:, i] < 2].sum()), 3) for i in (0, 1)]
        [0.5, 0.1]
    """
    asked = torch.tensor(list(share), dtype=torch.float64)
    sizes = torch.tensor(world.model.sizes)
    weights = torch.where(world.codes < sizes, asked / sizes, 1 - asked).prod(1)
    return replace(world, weights=weights / weights.sum())
