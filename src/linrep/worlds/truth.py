r"""A world's record and its exact truths: conditional, entropy and log-odds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int8, Int64
from torch import Tensor

from linrep.errors import InputError, many, short
from linrep.worlds.codes import labels
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.tokens import affine_rank, ravel, unravel
from linrep.worlds.transforms import subset_sum
from linrep.worlds.words import Words

AT_ONCE = 2**22
"""Pairs of context and meaning looked at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a predictor is trained on: contexts with their weights, tokens with their probabilities.

    Example:
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("asia"))
        >>> len(world.codes), len(world.tokens), world.dropped_contexts
        (5103, 128, 1458)
        >>> linrep.world(linrep.load_network("cancer"))
        World(243 contexts, 32 tokens of Pollution, Smoker, Cancer, Xray, Dyspnoea)
    """

    model: ConceptModel
    codes: Int8[Tensor, "contexts concepts"]
    """Contexts in use, ascending by flat index, all possible."""
    weights: Float64[Tensor, " contexts"]
    """ω(d), sums to 1; 0 for contexts held out of training."""
    tokens: Int64[Tensor, " tokens"]
    """Tokens in use: indices into the joint, ascending, all of positive probability; numbers of words, where
    tokens are words."""
    token_codes: Int8[Tensor, "tokens concepts"]
    """The concept vector of each token in use; of a word the states that all its meanings share, and one past
    the last state where they differ."""
    joint: Float64[Tensor, " joint"]
    """p over all concept vectors, zero off the tokens in use, sums to 1; of a sampled world, over its tokens
    alone, whose indices then count up."""
    dropped_contexts: int
    """How many of the contexts asked for cannot occur, Z(d) = 0, and were left out."""
    words: Words | None = None
    """What tokens stand for; None where each is one concept vector, and the only token of it."""

    def __repr__(self) -> str:
        size = f"{many(len(self.codes), 'context')}, {many(len(self.tokens), 'token')}"
        return f"World({size} of {short(', '.join(self.model.names))})"

    @property
    def held_out(self) -> Bool[Tensor, " contexts"]:
        """Contexts that training never sees."""
        return self.weights == 0

    @property
    def sampled(self) -> bool:
        """Whether its tokens are a sample of more concept vectors than its joint holds.

        Example:
            >>> from linrep.worlds.concepts import independent
            >>> from linrep.worlds.contexts import world
            >>> world(independent(1, probabilities=[0.5], generator=None)).sampled
            False
        """
        return len(self.joint) != math.prod(self.model.sizes)

    def token_labels(self) -> tuple[str, ...]:
        """Readable tokens, such as ``smoke=yes lung=no``."""
        return labels(self.model, self.token_codes) if self.words is None else self.words.names

    @property
    def probability(self) -> Float64[Tensor, " tokens"]:
        """How often each token is said, p(y), where a context says nothing."""
        if self.words is None:
            return self.joint[self.tokens]
        mass = self.joint[self.words.vector] * self.words.share
        return torch.zeros(len(self.tokens), dtype=torch.float64).index_add_(0, self.words.word, mass)

    @property
    def vectors(self) -> tuple[Int8[Tensor, "vectors concepts"], Float64[Tensor, " vectors"]]:
        """Every concept vector that can occur, and its probability.

        Example:
            >>> from linrep.worlds.concepts import independent
            >>> from linrep.worlds.contexts import world
            >>> codes, p = world(independent(1, probabilities=[0.25], generator=None)).vectors
            >>> codes.tolist(), p.tolist()
            ([[0], [1]], [0.75, 0.25])
        """
        if self.sampled:
            return self.token_codes, self.joint
        there = self.joint.nonzero()[:, 0]
        return unravel(there, self.model.sizes), self.joint[there]

    @property
    def span(self) -> int:
        """Dimension of the affine span of what tokens tell: of concepts that some token fixes."""
        if self.words is None:
            return affine_rank(self.token_codes)
        fixed = (self.token_codes < torch.tensor(self.model.sizes)).any(0)
        if not bool(fixed.any()):
            return 0
        vectors = unravel(self.words.vector.unique(), self.model.sizes)
        return min(affine_rank(vectors[:, fixed]), len(self.tokens) - 1)


def same_sets(one: World, other: World) -> bool:
    """Whether two worlds have the same contexts, and tokens that mean the same; probabilities may differ.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> same_sets(*(world(independent(1, probabilities=[p], generator=None)) for p in (0.5, 0.1)))
        True
    """
    if one is other:
        return True
    same = torch.equal(one.codes, other.codes) and torch.equal(one.tokens, other.tokens)
    if one.words is None or other.words is None:
        return same and one.words is other.words
    first, second = one.words, other.words
    return same and torch.equal(first.word, second.word) and torch.equal(first.vector, second.vector)


def distinct(worlds: Iterable[World]) -> list[World]:
    """The different worlds of a batch of runs, in order of first appearance.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> coin = world(independent(1, probabilities=[0.5], generator=None))
        >>> len(distinct([coin, coin]))
        1
    """
    return list({id(each): each for each in worlds}.values())


def require_enumerated(world: World, what: str) -> None:
    """Refuse a sampled world where all of its concept vectors are summed over.

    Args:
        world: Any.
        what: Asks for it, in a word or two.

    Raises:
        InputError: It is sampled; in one line.
    """
    if world.sampled:
        raise InputError(
            f"{what}: sums over every concept vector, and this world of {world.model.concepts} concepts is a "
            f"sample of {len(world.tokens):,} of them; take a world of few concepts, not sampled"
        )


def compatible(
    codes: Int8[Tensor, "contexts concepts"],
    token_codes: Int8[Tensor, "tokens concepts"],
    sizes: Sequence[int],
) -> Bool[Tensor, "contexts tokens"]:
    """Which tokens agree with all that a context knows, by counting the digits that they share.

    Naively: ``[[all(d in (c, size) for c, d, size in zip(c, d, sizes)) for c in tokens] for d in contexts]``.

    Args:
        codes: Contexts; digit ``sizes[i]`` says that concept i is unknown.
        token_codes: Tokens.
        sizes: States of each concept.

    Example:
        >>> asked = torch.tensor([[1, 2]], dtype=torch.int8)
        >>> compatible(asked, torch.tensor([[1, 0], [0, 1]], dtype=torch.int8), [2, 2])
        tensor([[ True, False]])
    """
    shared = torch.zeros(len(codes), len(token_codes))  # of float32: whole numbers up to 2^24 are exact
    for state in range(max(sizes)):
        # A column of state s in a concept that has none is that of its unknown: no token has it.
        shared.addmm_((codes == state).float(), (token_codes == state).float().mT)
    return shared == (codes < torch.tensor(sizes)).sum(1, keepdim=True)


def conditional(world: World) -> Float64[Tensor, "contexts tokens"]:
    r"""Exact distribution of tokens in each context, :math:`p(c \mid d) = p(c)\,1[c \sim d] / Z(d)`, dense;
    of words, :math:`p(y \mid d) = \sum_c e(y \mid c)\, p(c \mid d)`.

    The reference for small worlds, in float64; training stores at most small ones.

    Naively: ``[[p[c] * compatible(c, d) / Z(d) for c in tokens] for d in contexts]``.

    Returns:
        Probabilities; rows sum to 1.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> model = independent(1, probabilities=[0.25], generator=None)
        >>> conditional(world(model))
        tensor([[1.0000, 0.0000],
                [0.0000, 1.0000],
                [0.7500, 0.2500]], dtype=torch.float64)
    """
    return posterior(world, world.codes)


def posterior(world: World, codes: Int8[Tensor, "rows concepts"]) -> Float64[Tensor, "rows tokens"]:
    """:func:`conditional` of any contexts that can occur.

    Args:
        world: Whose tokens.
        codes: The contexts.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> coin = world(independent(1, probabilities=[0.25], generator=None))
        >>> posterior(coin, torch.tensor([[2]], dtype=torch.int8))
        tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """
    words = world.words
    if words is None:
        mass = compatible(codes, world.token_codes, world.model.sizes) * world.joint[world.tokens]
        return mass / mass.sum(1, keepdim=True)
    found = torch.zeros(len(codes), len(world.tokens), dtype=torch.float64)
    meanings, mass = unravel(words.vector, world.model.sizes), world.joint[words.vector] * words.share
    for rows in torch.arange(len(codes)).split(max(1, AT_ONCE // len(meanings))):
        said = compatible(codes[rows], meanings, world.model.sizes) * mass
        found[rows] = torch.zeros(len(rows), len(world.tokens), dtype=torch.float64).index_add_(
            1, words.word, said
        )
    return found / found.sum(1, keepdim=True)


def entropy(world: World) -> Float64[Tensor, " contexts"]:
    r"""Entropy in each context, :math:`H(d) = \ln Z(d) - (A^{\otimes m}(p \ln p))(d) / Z(d)`, in nats.

    Naively: ``-(P * P.log()).nansum(1)`` with ``P = conditional(world)``.

    Returns:
        Nats, >= 0.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> entropy(world(independent(1, probabilities=[0.5], generator=None)))
        tensor([0.0000, 0.0000, 0.6931], dtype=torch.float64)
    """
    if world.words is not None or world.sampled:
        p = conditional(world)
        return -torch.xlogy(p, p).sum(1)
    index = ravel(world.codes, [size + 1 for size in world.model.sizes])
    mass = subset_sum(world.joint, world.model.sizes)[index]
    plogp = subset_sum(torch.xlogy(world.joint, world.joint), world.model.sizes)[index]
    return (mass.log() - plogp / mass).clamp_min(0)


def log_odds(world: World, *, low: int = 0, high: int = 1) -> Float64[Tensor, "tokens concepts"]:
    r"""True log-odds of each concept at each token, :math:`\ln p(c_{i \to 1}) / p(c_{i \to 0})`, in nats.

    Naively: ``[[log(p[replace(c, i, 1)] / p[replace(c, i, 0)]) for i in concepts] for c in tokens]``.

    Args:
        world: Whose tokens and joint.
        low: The state in the denominator.
        high: The state in the numerator.

    Returns:
        Nats; infinite where one of the two tokens is not in use, NaN where neither is (three states or more).

    Raises:
        InputError: Of words: what a context says does not cancel where they have several meanings.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> from linrep.worlds.contexts import world
        >>> log_odds(world(independent(1, probabilities=[0.75], generator=None)))
        tensor([[1.0986],
                [1.0986]], dtype=torch.float64)
    """
    if world.words is not None:
        raise InputError(
            "log_odds: expected tokens of one concept vector each, got words, whose log-odds depend on the "
            "context; take those of linrep.worlds.conditional"
        )
    require_enumerated(world, "log-odds of all tokens")
    sizes = world.model.sizes
    logs = world.joint.log()
    columns: list[Tensor] = []
    for concept, state in enumerate(world.token_codes.T.long()):
        stride = math.prod(sizes[concept + 1 :])
        base = world.tokens - state * stride
        columns.append(logs[base + high * stride] - logs[base + low * stride])
    return torch.stack(columns, 1)
