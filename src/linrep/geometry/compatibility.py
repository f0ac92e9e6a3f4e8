"""Which context meets which counterfactual token pair: the index sets behind log-odds gap and margin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry.pairs import Pairs, contrast_pairs, contrasts, key_strides

BLOCK = 2**18
"""Triples handled at a time."""
CACHE = 2**20
"""Up to this many triples are kept, so that measuring again and again does not enumerate again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some of the triples (context d, concept i, token pair)."""

    context: Int64[Tensor, " triples"]
    """Row of the context."""
    pair: Int64[Tensor, " triples"]
    """Index into the token pairs; their group is the contrast."""
    sign: Int64[Tensor, " triples"]
    """+1 where the context says `high` (or leaves it unknown), -1 where it says `low`."""

    def to(self, device: torch.device | str) -> "Block":
        """The same triples on another device."""
        return Block(context=self.context.to(device), pair=self.pair.to(device), sign=self.sign.to(device))


@dataclass(frozen=True, slots=True, kw_only=True)
class Triples:
    """All (d, i, c) with c ~ d, both tokens of the pair of c in use, and i unknown (or known) in d.

    Example:
        >>> import linrep
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> few = torch.Generator()
        >>> found = triples(
        ...     world.codes, world.token_codes, [2] * 5, known=False, generator=few, max_contexts=9
        ... )
        >>> len(found.rows)
        9
    """

    context_codes: Int[Tensor, "contexts concepts"]
    token_codes: Int[Tensor, "tokens concepts"]
    sizes: tuple[int, ...]
    pairs: Pairs
    """The counterfactual token pairs, every two values of every concept: the group is the contrast."""
    concept_of: Int64[Tensor, " contrasts"]
    """The concept of each contrast."""
    rows: Int64[Tensor, " used"]
    """The contexts that are enumerated: all, or a random sample."""
    known: bool
    """Whether i is known in d (margin) or unknown (log-odds)."""
    cached: tuple[Block, ...] | None
    """All blocks, when they are few enough to keep."""

    def blocks(self) -> Iterator[Block]:
        """All triples, in blocks of about `BLOCK`; the same ones in the same order every time."""
        return iter(self.cached) if self.cached is not None else _blocks(self)

    def to(self, device: torch.device | str) -> "Triples":
        """The same triples, handed out, or worked out, on another device."""
        return replace(
            self,
            context_codes=self.context_codes.to(device),
            token_codes=self.token_codes.to(device),
            pairs=self.pairs.to(device),
            concept_of=self.concept_of.to(device),
            rows=self.rows.to(device),
            cached=None if self.cached is None else tuple(block.to(device) for block in self.cached),
        )


def triples(
    context_codes: Int[Tensor, "contexts concepts"],
    token_codes: Int[Tensor, "tokens concepts"],
    sizes: Sequence[int],
    *,
    known: bool,
    generator: torch.Generator,
    max_contexts: int | None = None,
) -> Triples:
    """The triples of a world: contexts d, concepts i, tokens c ~ d whose partner, flipped in i, exists.

    A concept of more than two values is flipped between every two of them.

    Naively: ``[(d, i, c) for d in contexts for i in U(d) for c in tokens if c ~ d and flip(c, i) exists]``.

    Args:
        context_codes: Digits of the contexts; digit ``sizes[i]`` means that concept i is unknown.
        token_codes: Digits of the tokens in use.
        sizes: States per concept.
        known: False: i is unknown in d, each pair {c_{i→1}, c_{i→0}} once. True: i is known in d.
        generator: Draws the contexts when they are sampled; otherwise unused.
        max_contexts: At most this many contexts, drawn without replacement; None = all.

    Returns:
        The triples, enumerated lazily unless few: at complete m = 12 there are 50 million.

    Raises:
        InputError: If the two codes differ in the number of concepts.

    Example:
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> found = triples(torch.tensor([[2, 1]]), codes, (2, 2), known=False, generator=torch.Generator())
        >>> [(b.context.tolist(), found.pairs.low[b.pair].tolist()) for b in found.blocks()]
        [([0], [1])]
    """
    if context_codes.shape[1] != token_codes.shape[1] or len(sizes) != token_codes.shape[1]:
        got = (context_codes.shape[1], token_codes.shape[1], len(sizes))
        raise InputError(f"codes: expected one number of concepts in contexts, tokens, sizes, got {got}")
    rows = torch.arange(len(context_codes), device=context_codes.device)
    if max_contexts is not None and max_contexts < len(rows):
        drawn = torch.randperm(len(rows), generator=generator, device=generator.device)[:max_contexts]
        rows = drawn.sort().values.to(context_codes.device)
    wanted = contrasts(sizes)
    found = Triples(
        context_codes=context_codes,
        token_codes=token_codes,
        sizes=tuple(sizes),
        pairs=contrast_pairs(token_codes, wanted),
        concept_of=torch.tensor([concept for concept, _, _ in wanted], device=context_codes.device),
        rows=rows,
        known=known,
        cached=None,
    )
    kept: list[Block] = []
    for block in _blocks(found):
        kept.append(block)
        if sum(len(b.context) for b in kept) > CACHE:
            return found
    return replace(found, cached=tuple(kept))


def _blocks(found: Triples) -> Iterator[Block]:
    """Pattern by pattern of known concepts: there, contexts and tokens join on the known digits.

    The join costs what it yields; comparing every context with every token costs 80 times more at m = 12.
    """
    waiting: list[Block] = []
    for block in _by_pattern(found):
        waiting.append(block)
        if sum(len(b.context) for b in waiting) >= BLOCK:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _by_pattern(found: Triples) -> Iterator[Block]:
    codes = found.context_codes[found.rows].to(torch.int64)
    tokens = found.token_codes.to(torch.int64)
    device = codes.device
    partner = _pair_of_token(found.pairs, len(tokens))
    strides = key_strides(found.sizes).to(device)
    known = codes != torch.tensor(found.sizes, device=device)
    patterns, pattern_of = torch.unique(known, dim=0, return_inverse=True)
    members = torch.argsort(pattern_of, stable=True).split(torch.bincount(pattern_of).tolist())
    # Which digit of a pair the token itself has: +1 = high, -1 = low.
    side = torch.zeros_like(partner)
    side[found.pairs.high, found.pairs.group] = 1
    side[found.pairs.low, found.pairs.group] = -1
    for pattern, rows in zip(patterns, members, strict=True):
        kept = strides * pattern
        token_key, token_order = torch.sort((tokens * kept).sum(1))
        context_key = (codes[rows] * kept).sum(1)
        left = torch.searchsorted(token_key, context_key)
        number = torch.searchsorted(token_key, context_key, right=True) - left
        start = number.cumsum(0) - number
        within = torch.arange(int(number.sum()), device=device) - torch.repeat_interleave(
            start - left, number
        )
        token = token_order[within]
        context = torch.repeat_interleave(found.rows[rows], number)
        concepts = pattern if found.known else ~pattern
        columns = concepts[found.concept_of].nonzero()[:, 0]
        usable = partner[token][:, columns] >= 0
        if not found.known:
            usable &= side[token][:, columns] < 0
        at, which = usable.nonzero(as_tuple=True)
        contrast = columns[which]
        yield Block(
            context=context[at],
            pair=partner[token[at], contrast],
            sign=side[token[at], contrast] if found.known else torch.ones_like(at),
        )


def _pair_of_token(pairs: Pairs, tokens: int) -> Int64[Tensor, "tokens contrasts"]:
    """For each token and contrast, the pair it is part of, or -1."""
    table = torch.full((tokens, pairs.groups), -1, dtype=torch.int64, device=pairs.low.device)
    index = torch.arange(len(pairs.low), device=pairs.low.device)
    table[pairs.low, pairs.group] = index
    table[pairs.high, pairs.group] = index
    return table


def _joined(blocks: list[Block]) -> Block:
    return Block(
        context=torch.cat([block.context for block in blocks]),
        pair=torch.cat([block.pair for block in blocks]),
        sign=torch.cat([block.sign for block in blocks]),
    )
