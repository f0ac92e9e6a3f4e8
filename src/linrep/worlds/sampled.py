r"""Worlds of too many concepts to enumerate: their tokens and contexts are sampled, all else is exact.

A set :math:`T` of concept vectors is drawn, and a set of contexts. The world is that of
:mod:`linrep.worlds.contexts` with every other token left out:

.. math:: q(c \mid d) = \frac{q(c)\, 1[c \sim d]}{\sum_{c' \in T} q(c')\, 1[c' \sim d]}, \qquad c \in T.

Here :math:`q` is the distribution of the sample. A drawn vector counts once for each time it is drawn. (Its
own :math:`p(c)` on top would count rareness twice: a vector of four sparse concepts is drawn a thousandth as
often as the empty one, and would weigh a thousandth of that.) For :math:`q`, conditionals, entropies, the
loss and its gradient are exact; nothing in them is estimated. What sampling costs is that :math:`q` is not
:math:`p`.

Two random vectors of hundreds of concepts almost never differ in a single one. So each drawn vector brings
some of its neighbours, vectors with one concept flipped, the concept uniform over all. A neighbour c' of c
weighs :math:`p(c')/p(c)`, so that the log-odds of the pair are the model's, but for vectors that come from
two sides. Where concepts are independent, the background of such a pair is a draw from :math:`p` of the other
concepts, and a mean over pairs is unbiased for the mean over all tokens, but for vectors that are drawn twice
and stand in T once: few where many concepts vary. Pairs that happen to be drawn would favour light
backgrounds. Where concepts depend on each other, backgrounds are those of the model and not of the
conditional given the flipped concept.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float64, Int8, Int64
from torch import Tensor

from linrep.errors import InputError, counted
from linrep.worlds.codes import labels
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.truth import World, compatible

LARGEST = 2**27
"""Most contexts × tokens of one world; a byte each is kept, and two tables of targets while it trains."""


def sparse(concepts: int, *, probability: float) -> ConceptModel:
    """Independent binary concepts, each on with one probability; any number, since nothing is enumerated.

    Args:
        concepts: How many, m.
        probability: P(concept = 1), of every one.

    Raises:
        InputError: Fewer than one concept, or a probability outside [0, 1].

    Example:
        >>> sparse(200, probability=0.02).concepts
        200
    """
    if concepts < 1:
        raise InputError(f"concepts: expected at least 1, got {concepts}")
    if not 0 <= probability <= 1:
        raise InputError(f"probability: expected a number in [0, 1], got {probability}")
    table = torch.tensor([1 - probability, probability], dtype=torch.float64)
    return ConceptModel(
        names=tuple(f"C{i + 1}" for i in range(concepts)),
        states=(("0", "1"),) * concepts,
        parents=((),) * concepts,
        tables=(table,) * concepts,
    )


def log_probability(model: ConceptModel, codes: Int8[Tensor, "rows concepts"]) -> Float64[Tensor, " rows"]:
    r"""Natural logarithm of p of each concept vector, :math:`\sum_i \ln p(c_i \mid c_{pa(i)})`.

    Naively: ``model.joint()[ravel(codes, model.sizes)].log()``, which only small models allow.

    Returns:
        Nats, at most 0; minus infinity where the vector cannot occur.

    Example:
        >>> log_probability(sparse(2, probability=0.25), torch.tensor([[0, 1]], dtype=torch.int8)).exp()
        tensor([0.1875], dtype=torch.float64)
    """
    digits = codes.long()
    total = torch.zeros(len(codes), dtype=torch.float64)
    for concept, (parents, table) in enumerate(zip(model.parents, model.tables, strict=True)):
        total += table[tuple(digits[:, each] for each in (*parents, concept))].log()
    return total


def world_of_samples(
    model: ConceptModel,
    *,
    tokens: Int8[Tensor, "tokens concepts"],
    contexts: Int8[Tensor, "contexts concepts"],
    log_weights: Float64[Tensor, " tokens"] | None = None,
    occurrence: bool = False,
) -> World:
    r"""The world of given tokens and contexts, whatever the number of concepts.

    Args:
        model: The concepts and their distribution.
        tokens: Concept vectors in use, in any order; what cannot occur is left out.
        contexts: Contexts asked for, likewise; those that no token is compatible with are dropped.
        log_weights: Of each in q, which is normalised; what comes twice has both. By default the model's own
            p, renormalised, whatever comes twice.
        occurrence: :math:`\omega(d) \propto Z(d)`, the probability of the tokens that can follow; else
            uniform.

    Returns:
        The world, its tokens and contexts in ascending order of digits, its ``joint`` over the tokens alone.

    Raises:
        InputError: No token or context can occur, or there are too many of them to keep.

    Example:
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0]], dtype=torch.int8)
        >>> world = world_of_samples(sparse(2, probability=0.5), tokens=codes, contexts=codes + 1)
        >>> len(world.tokens), len(world.codes), world.sampled
        (3, 2, True)
    """
    token_codes, log_p = _possible(model, tokens, log_weights)
    codes = contexts.unique(dim=0)
    if (size := len(token_codes) * len(codes)) > LARGEST:
        raise InputError(
            f"world: {len(codes):,} contexts × {len(token_codes):,} tokens are {counted(size)} targets, "
            f"expected at most {counted(LARGEST)}; sample fewer"
        )
    probability = (log_p - log_p.logsumexp(0)).exp()
    if float(probability.min()) < torch.finfo(torch.float64).tiny:
        raise InputError(
            f"world: expected tokens of probability at least {torch.finfo(torch.float64).tiny:.1e}, got "
            f"{float(probability.min()):.1e}; take a probability nearer to 0.5, or fewer concepts"
        )
    agrees = compatible(codes, token_codes, model.sizes)
    possible = agrees.any(1)
    if not bool(possible.any()):
        raise InputError(
            f"contexts: expected at least one that can occur, got {len(codes)}, none possible; choose others"
        )
    mass = agrees[possible].double() @ probability
    weights = mass if occurrence else torch.ones_like(mass)
    return World(
        model=model,
        codes=codes[possible],
        weights=weights / weights.sum(),
        tokens=torch.arange(len(token_codes)),
        token_codes=token_codes,
        joint=probability,
        dropped_contexts=int((~possible).sum()),
    )


def sampled_world(
    model: ConceptModel,
    *,
    samples: int,
    flips: int = 4,
    contexts: int | None = None,
    known: float = 0.5,
    known_off: float = 0.0,
    occurrence: bool = False,
    generator: torch.Generator,
) -> World:
    r"""A world of sampled tokens and contexts; see the module for what is exact in it.

    A context is a drawn concept vector of which each concept is known with one probability where it is on,
    with another where it is off (in state 0). For every neighbour of the vector it brings two more, which
    also know the flipped concept, in either state: so pairs of contexts exist too, and each can occur.

    Args:
        model: The concepts and their distribution.
        samples: Concept vectors drawn from it.
        flips: Neighbours of each, every one with one other concept flipped.
        contexts: Contexts drawn; as many as vectors if None.
        known: Probability that a context knows a concept that is on.
        known_off: And one that is off.
        occurrence: As :func:`world_of_samples`.
        generator: Where the randomness comes from.

    Raises:
        InputError: A number out of range, or as :func:`world_of_samples`.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> world = sampled_world(sparse(100, probability=0.03), samples=50, generator=draw)
        >>> len(world.tokens), world.token_codes.shape[1]
        (247, 100)
    """
    if samples < 1 or flips < 0 or (contexts is not None and contexts < 1):
        raise InputError(
            f"sampled world: expected samples and contexts of at least 1 and flips of at least 0, got "
            f"{samples}, {contexts} and {flips}"
        )
    if not (0 <= known <= 1 and 0 <= known_off <= 1):
        raise InputError(
            f"known: expected probabilities in [0, 1], got {known} and {known_off} of what is off"
        )
    drawn = model.sample(samples, generator=generator)
    flipped = torch.rand(samples, model.concepts, generator=generator).argsort(1)[:, :flips]
    neighbours = drawn.repeat_interleave(flipped.shape[1], 0)
    other = _another(neighbours, flipped.flatten(), model.sizes, generator)
    base = torch.arange(samples if contexts is None else contexts) % samples
    chance = torch.where(drawn[base] > 0, known, known_off)
    seen = torch.rand(len(base), model.concepts, generator=generator) < chance
    unknown = torch.tensor(model.sizes, dtype=torch.int8)
    asked = [torch.where(seen, drawn[base], unknown)]
    ratio = log_probability(model, other) - log_probability(model, neighbours)
    there = ratio.isfinite().unflatten(0, flipped.shape)
    context, flip = there[base].nonzero(as_tuple=True)
    also = seen[context].scatter(1, flipped[base[context], flip][:, None], True)
    for vectors in (drawn[base[context]], other.unflatten(0, flipped.shape)[base[context], flip]):
        asked.append(torch.where(also, vectors, unknown))
    return world_of_samples(
        model,
        tokens=torch.cat([drawn, other]),
        contexts=torch.cat(asked),
        log_weights=torch.cat([torch.zeros(samples, dtype=torch.float64), ratio]),
        occurrence=occurrence,
    )


def _another(
    codes: Int8[Tensor, "rows concepts"],
    concept: Int64[Tensor, " rows"],
    sizes: Sequence[int],
    generator: torch.Generator,
) -> Int8[Tensor, "rows concepts"]:
    """The same vectors with one concept of each in another of its states, the other one if it has two."""
    rows, size = torch.arange(len(codes)), torch.tensor(sizes)[concept]
    step = 1 + (torch.rand(len(codes), generator=generator) * (size - 1)).long()
    changed = codes.clone()
    changed[rows, concept] = ((codes[rows, concept].long() + step) % size).to(torch.int8)
    return changed


def _possible(
    model: ConceptModel,
    tokens: Int8[Tensor, "tokens concepts"],
    log_weights: Float64[Tensor, " tokens"] | None,
) -> tuple[Int8[Tensor, "possible concepts"], Float64[Tensor, " possible"]]:
    """Distinct tokens that can occur, ascending, and the logarithm of their weight."""
    if not len(tokens):
        raise InputError("tokens: expected at least one, got none; sample more")
    distinct, place = tokens.unique(dim=0, return_inverse=True)
    log_p = log_probability(model, distinct)
    there: Bool[Tensor, " distinct"] = log_p.isfinite()
    if not bool(there.any()):
        raise InputError(
            f"tokens: expected at least one that can occur, got {len(distinct)} of probability 0, such as "
            f"'{labels(model, distinct[:1])[0][:60]}'; choose others"
        )
    if log_weights is not None:
        most = log_weights.max()
        weights = torch.zeros(len(distinct), dtype=torch.float64)
        log_p = weights.index_add(0, place, (log_weights - most).exp()).log()
    return distinct[there], log_p[there]
