r"""Contexts, and the world they make: which partial concept vectors are asked about, and with what weight.

A context code has one digit per concept: a state index, or the number of states for unknown (⋄).
Contexts are kept in ascending order of flat index, tokens in ascending order of index in the joint.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float64, Int8, Int64
from torch import Tensor

from linrep.errors import InputError, shown
from linrep.worlds.codes import labels, parse_contexts
from linrep.worlds.concepts import ConceptModel, require_enumerable
from linrep.worlds.tokens import (
    affine_rank,
    random_share,
    ravel,
    supported_tokens,
    token_fraction,
    token_list,
    unravel,
)
from linrep.worlds.transforms import subset_sum
from linrep.worlds.truth import World, conditional, entropy, log_odds
from linrep.worlds.words import Words

__all__ = [
    "Weighting",
    "World",
    "affine_rank",
    "complete",
    "conditional",
    "entropy",
    "flat_index",
    "fraction",
    "hold_out",
    "known",
    "log_odds",
    "parse_contexts",
    "part",
    "supported_tokens",
    "token_fraction",
    "token_list",
    "world",
]

Weighting = Literal["uniform", "occurrence"]


def complete(sizes: Sequence[int]) -> Int8[Tensor, "contexts concepts"]:
    r"""Every context, :math:`\prod_i (v_i + 1)` of them: each concept known in one of its states, or unknown.

    Naively: ``list(itertools.product(*(range(size + 1) for size in sizes)))``.

    Raises:
        InputError: If there are too many to enumerate.

    Example:
        >>> complete([2]).tolist()
        [[0], [1], [2]]
    """
    require_enumerable(sizes)
    bases = [size + 1 for size in sizes]
    return unravel(torch.arange(math.prod(bases)), bases)


def known(
    sizes: Sequence[int],
    *,
    at_least: int = 0,
    at_most: int | None = None,
    of: Sequence[int] | None = None,
) -> Int8[Tensor, "contexts concepts"]:
    """The contexts that know between ``at_least`` and ``at_most`` concepts.

    Args:
        sizes: Number of states of each concept.
        at_least: Fewest known concepts, >= 0.
        at_most: Most known concepts; all of them if None.
        of: The concepts that may be known; all if None. The others are unknown in every context.

    Raises:
        InputError: If the bounds are out of order or out of range.

    Example:
        >>> known([2, 2], at_least=2).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    concepts = len(sizes) if of is None else len(of)
    most = concepts if at_most is None else at_most
    if at_least < 0 or most > concepts:
        raise InputError(
            f"contexts: know between 0 and {concepts} concepts, got at_least = {at_least}, at_most = {most}"
        )
    if at_least > most:
        raise InputError(f"contexts: at_least must not exceed at_most, got {at_least} > {most}")
    if of is None:
        codes = complete(sizes)
    else:
        chosen = complete([sizes[concept] for concept in of])
        codes = torch.tensor(sizes, dtype=torch.int8).repeat(len(chosen), 1)
        codes[:, list(of)] = chosen
    count = torch.zeros(len(codes), dtype=torch.int8)
    for concept, size in enumerate(sizes):
        count += codes[:, concept] != size
    return codes[(count >= at_least) & (count <= most)]


def fraction(
    model: ConceptModel,
    share: float,
    *,
    tokens: Int64[Tensor, " tokens"] | None = None,
    generator: torch.Generator,
) -> Int8[Tensor, "contexts concepts"]:
    """A random share of the contexts that can occur, at least one, in ascending order.

    Args:
        model: The concepts and their joint.
        share: How much to keep, in (0, 1].
        tokens: Tokens in use, which decide what can occur; all of positive probability if None.
        generator: Where the randomness comes from.

    Raises:
        InputError: If the share leaves (0, 1], or as :func:`world` for the tokens.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> model = independent(2, probabilities=[0.5, 0.5], generator=None)
        >>> fraction(model, 0.5, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
    """
    _, joint = _restricted(model, tokens)
    possible = subset_sum(joint, model.sizes).nonzero()[:, 0]
    return unravel(random_share(possible, share, generator=generator), [size + 1 for size in model.sizes])


def flat_index(codes: Int8[Tensor, "contexts concepts"], sizes: Sequence[int]) -> Int64[Tensor, " contexts"]:
    """Index of each context in the table over all contexts, in the order given.

    Naively: ``[numpy.ravel_multi_index(code, [size + 1 for size in sizes]) for code in codes]``.

    Raises:
        InputError: If a digit is out of range.

    Example:
        >>> flat_index(complete([2, 2]), [2, 2])
        tensor([0, 1, 2, 3, 4, 5, 6, 7, 8])
    """
    return ravel(codes, [size + 1 for size in sizes])


def world(
    model: ConceptModel,
    *,
    codes: Int8[Tensor, "contexts concepts"] | None = None,
    tokens: Int64[Tensor, " tokens"] | Words | None = None,
    weighting: Weighting = "uniform",
) -> World:
    r"""The world of a concept model: p restricted to the tokens in use, impossible contexts dropped.

    Args:
        model: The concepts and their joint.
        codes: Contexts asked for, in any order; all if None.
        tokens: Tokens in use, as indices into the joint, in any order; all of positive probability if None.
            Or words, each of which may stand for several concept vectors, and several for the same.
        weighting: "uniform" over the contexts in use, or by "occurrence", :math:`\omega(d) \propto Z(d)`.

    Returns:
        The world, contexts and tokens in ascending order.

    Raises:
        InputError: If it is no model, no context is possible, a token has no support, or anything is given
            twice.

    Example:
        >>> from linrep.worlds.concepts import from_tables
        >>> tables = {"a": [[0.5, 0.5]], "b": [[1.0, 0.0], [0.0, 1.0]]}
        >>> model = from_tables(["a", "b"], tables, parents={"b": ["a"]})
        >>> copy = world(model)
        >>> copy.token_labels(), len(copy.codes), copy.dropped_contexts
        (('a=0 b=0', 'a=1 b=1'), 7, 2)
    """
    if not isinstance(model, ConceptModel):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f'world: expected a concept model, got {shown(model)}; write linrep.load_network("cancer") for a '
            "network by name"
        )
    if weighting not in ("uniform", "occurrence"):
        raise InputError(f'weighting: expected "uniform" or "occurrence", got {weighting!r}')
    words = tokens if isinstance(tokens, Words) else None
    in_use, restricted = _restricted(model, None if isinstance(tokens, Words) else tokens)
    if words is not None:
        words = words.possible(restricted)
    bases = [size + 1 for size in model.sizes]
    if codes is None:
        index = torch.arange(math.prod(bases))
    else:
        index = _ascending(flat_index(codes, model.sizes), bases, model, "contexts")
    occurrence = subset_sum(restricted, model.sizes)[index]
    possible = occurrence > 0
    kept = index[possible]
    if not len(kept):
        raise InputError(
            f"contexts: expected at least one that can occur, got {len(index)}, none possible; choose others"
        )
    weights = (
        occurrence[possible] if weighting == "occurrence" else torch.ones(len(kept), dtype=torch.float64)
    )
    return World(
        model=model,
        codes=unravel(kept, bases),
        weights=weights / weights.sum(),
        tokens=in_use if words is None else torch.arange(len(words.names)),
        token_codes=unravel(in_use, model.sizes) if words is None else words.codes(model.sizes),
        joint=restricted,
        dropped_contexts=len(index) - len(kept),
        words=words,
    )


def hold_out(world: World, share: float, *, generator: torch.Generator) -> World:
    """The world with a random share of its contexts held out: their weight is 0, so that training skips them.

    Args:
        world: At least two contexts.
        share: How many to hold out, in (0, 1); rounded to a whole number, at least one held and one kept.
        generator: Where the randomness comes from.

    Raises:
        InputError: If the share leaves (0, 1), or there are fewer than two contexts.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> whole = world(independent(2, probabilities=[0.5, 0.5], generator=None))
        >>> held = hold_out(whole, 0.3, generator=torch.Generator().manual_seed(0))
        >>> int(held.held_out.sum()), len(held.codes)
        (3, 9)
    """
    number = len(world.codes)
    if not 0 < share < 1:
        raise InputError(f"held_out: expected a share above 0 and below 1, got {share}")
    if number < 2:
        raise InputError("held_out: expected at least two contexts, got one; there is none to train on")
    held = min(number - 1, max(1, round(share * number)))
    weights = world.weights.clone()
    weights[torch.randperm(number, generator=generator)[:held]] = 0
    return replace(world, weights=weights / weights.sum())


def part(world: World, chosen: Bool[Tensor, " contexts"]) -> World:
    """The world of some of its contexts, with their weights; uniform ones where all of these are held out.

    Example:
        >>> from linrep.worlds.concepts import independent
        >>> whole = world(independent(1, probabilities=[0.5], generator=None))
        >>> part(whole, torch.tensor([True, False, True])).codes.flatten()
        tensor([0, 2], dtype=torch.int8)
    """
    weights = world.weights[chosen]
    weights = weights if bool(weights.any()) else torch.ones_like(weights)
    return replace(world, codes=world.codes[chosen], weights=weights / weights.sum())


def _restricted(
    model: ConceptModel, tokens: Int64[Tensor, " tokens"] | None
) -> tuple[Int64[Tensor, " tokens"], Float64[Tensor, " joint"]]:
    """Tokens in use, ascending, and p restricted to them and renormalised."""
    joint = model.joint()
    in_use = supported_tokens(joint) if tokens is None else _supported(model, joint, tokens)
    restricted = torch.zeros_like(joint)
    restricted[in_use] = joint[in_use] / joint[in_use].sum()
    if float(restricted[in_use].min()) < torch.finfo(restricted.dtype).tiny:
        rarest = in_use[restricted[in_use].argmin()]
        label = labels(model, unravel(rarest[None], model.sizes))[0]
        raise InputError(
            f"probabilities: expected 0 or at least {torch.finfo(restricted.dtype).tiny:.1e}, got "
            f"{float(restricted[rarest]):.1e} for '{label}'; nothing rarer can be divided by: make it 0"
        )
    return in_use, restricted


def _supported(
    model: ConceptModel, joint: Float64[Tensor, " joint"], tokens: Int64[Tensor, " tokens"]
) -> Int64[Tensor, " tokens"]:
    if not len(tokens):
        raise InputError("tokens: expected at least one, got none; add one or use all of them")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= len(joint):
        raise InputError(f"tokens: expected indices 0..{len(joint) - 1}, got {low}..{high}")
    absent = tokens[joint[tokens] == 0]
    if len(absent):
        label = labels(model, unravel(absent[:1], model.sizes))[0]
        raise InputError(
            f"tokens: every token needs p > 0, got '{label}', which has probability 0; remove it"
        )
    return _ascending(tokens, model.sizes, model, "tokens")


def _ascending(
    index: Int64[Tensor, " rows"], bases: Sequence[int], model: ConceptModel, what: str
) -> Int64[Tensor, " rows"]:
    ordered = index.sort().values
    twice = ordered[1:][ordered.diff() == 0]
    if len(twice):
        label = labels(model, unravel(twice[:1], bases))[0]
        raise InputError(f"{what}: expected each once, got '{label}' twice; remove one")
    return ordered
