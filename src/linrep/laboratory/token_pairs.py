"""Which tokens of a world differ in one concept alone, be each one concept vector or a word of several.

Of words with a single meaning it is as without words; merged ones are compared by all that they mean. What a
word says of log-odds depends on the context, through its meanings that agree with it:

.. math:: f(d) \\cdot (g(y_1) - g(y_0)) \\to \\ln p(y_1 \\mid d) / p(y_0 \\mid d).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep import geometry
from linrep.geometry.compatibility import Triples
from linrep.geometry.meanings import meaning_pairs, possible_triples
from linrep.geometry.pairs import Contrast, Pairs
from linrep.worlds.tokens import unravel
from linrep.worlds.truth import World, posterior

MOST = 2**20
"""Pairs of a context and a token, or of a context and a token pair, that are looked at for words."""


def token_pairs(world: World, wanted: Sequence[Contrast]) -> Pairs:
    """The counterfactual token pairs of a world, by contrast.

    Args:
        world: Whose tokens.
        wanted: The contrasts.

    Example:
        >>> import linrep
        >>> from linrep.worlds import independent, tell
        >>> model = independent(2, probabilities=[0.5, 0.5])
        >>> token_pairs(linrep.world(model, tokens=tell(model, of=["C2"])), [(0, 0, 1), (1, 0, 1)]).counts()
        tensor([0, 1])
    """
    if world.words is None:
        return geometry.contrast_pairs(world.token_codes, wanted)
    return meaning_pairs(world.words.word, unravel(world.words.vector, world.model.sizes), wanted)


def token_triples(
    world: World, *, known: bool, generator: torch.Generator, max_contexts: int | None = None
) -> Triples:
    """The triples of a world, as :func:`linrep.geometry.triples` has them.

    Args:
        world: Whose contexts and tokens.
        known: Whether the concept is known in the context.
        generator: Draws the contexts, where not all are looked at.
        max_contexts: At most this many.
    """
    if world.words is None:
        return geometry.triples(
            world.codes,
            world.token_codes,
            world.model.sizes,
            known=known,
            generator=generator,
            max_contexts=max_contexts,
        )
    wanted = geometry.contrasts(world.model.sizes)
    pairs = token_pairs(world, wanted)
    number = len(world.codes)
    most = max(1, MOST // max(1, len(world.tokens), len(pairs.low)))
    most = most if max_contexts is None else min(most, max_contexts)
    rows = torch.arange(number)
    if most < number:
        rows = torch.randperm(number, generator=generator)[:most].sort().values
    possible = posterior(world, world.codes[rows]) > 0
    return possible_triples(world.codes, possible, rows, pairs, wanted, world.model.sizes, known=known)


def token_log_p(
    worlds: Sequence[World], rows: Int64[Tensor, " used"]
) -> Float64[Tensor, "runs tokens"] | Float64[Tensor, "runs used tokens"]:
    """Natural logarithms of p whose differences are true log-odds: of tokens, or of words in each context.

    Args:
        worlds: Of some runs, of the same contexts and tokens.
        rows: The contexts that are looked at.
    """
    if worlds[0].words is None:
        return torch.stack([world.joint[world.tokens].log() for world in worlds])
    return torch.stack([posterior(world, world.codes[rows]).log() for world in worlds])
