"""Which rows are compared for each concept: rows that differ in one attribute alone, else whole classes."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from linrep.geometry import Pairs
from linrep.vectors.attributes import MISSING, Attributes

Method = Literal["matched pairs", "class means"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A binary attribute, or one value of a categorical attribute against its commonest value."""

    name: str
    attribute: int
    low: int
    high: int
    states: tuple[str, str]
    """The values of the row that is subtracted, and of the row it is subtracted from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What each concept is measured on."""

    concepts: tuple[Concept, ...]
    methods: tuple[Method, ...]
    found: tuple[int, ...]
    """Matched pairs that exist, used or not."""
    every: Pairs
    """All of them; a concept measured by class means has none."""
    pairs: Pairs
    """At most so many of each concept, drawn at random: what the ruler sees."""
    classes: tuple[tuple[Tensor, Tensor], ...]
    """The rows of the low and of the high value, for every concept."""


def concepts(attributes: Attributes) -> tuple[Concept, ...]:
    """The contrasts of all attributes; a categorical one has as many as it has values, less one.

    Example:
        >>> codes = torch.tensor([[0, 0], [1, 1], [0, 2], [1, 1]])
        >>> given = Attributes(names=("sex", "colour"), values=(("f", "m"), ("blue", "green", "red")),
        ...                    codes=codes, match=codes[:, :0])
        >>> [concept.name for concept in concepts(given)]
        ['sex', 'colour: green → blue', 'colour: green → red']
    """
    found: list[Concept] = []
    for i, (name, values) in enumerate(zip(attributes.names, attributes.values, strict=True)):
        column = attributes.codes[:, i]
        number = torch.bincount(column[column != MISSING], minlength=len(values))
        low = 0 if len(values) == 2 else int(number.argmax())
        for high in range(len(values)):
            if high != low:
                states = (values[low], values[high])
                called = name if len(values) == 2 else f"{name}: {states[0]} → {states[1]}"
                found.append(Concept(name=called, attribute=i, low=low, high=high, states=states))
    return tuple(found)


def matched_pairs(
    attributes: Attributes, wanted: tuple[Concept, ...], *, generator: torch.Generator
) -> Pairs:
    """Rows equal in every other attribute, dealt one to one: no row is in two pairs of a concept.

    Naively: ``[(a, b) for a in rows for b in rows if differing(a, b) == {i}]``, quadratic in the rows.

    Args:
        attributes: Digits; a row with a missing one is in no pair.
        wanted: The concepts, one group each.
        generator: Deals rows where a combination of attributes has several; and draws the hash.

    Returns:
        Pairs of rows. O(rows · (attributes + log rows)) for each concept: rows are found by a 64-bit hash of
        their other attributes, and every pair is compared digit by digit after.

    Example:
        >>> codes = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1], [0, 1]])
        >>> given = Attributes(names=("a", "b"), values=(("0", "1"),) * 2, codes=codes, match=codes[:, :0])
        >>> matched_pairs(given, concepts(given), generator=torch.Generator()).counts()
        tensor([2, 2])
    """
    digits = torch.cat([attributes.codes, attributes.match], 1)
    whole = (digits != MISSING).all(1)
    weights = [_random_words(int(column.max()) + 2, generator) for column in digits.T]
    key = sum(
        (word[column] for word, column in zip(weights, digits.T, strict=True)), torch.zeros_like(digits[:, 0])
    )
    low: list[Tensor] = []
    high: list[Tensor] = []
    for concept in wanted:
        column = digits[:, concept.attribute]
        rest = key - weights[concept.attribute][column]
        sides = [(whole & (column == digit)).nonzero()[:, 0] for digit in (concept.low, concept.high)]
        a, b = _deal(rest, sides[0], sides[1], generator)
        others = torch.arange(digits.shape[1]) != concept.attribute
        same = (digits[a][:, others] == digits[b][:, others]).all(1)
        low.append(a[same])
        high.append(b[same])
    sizes = torch.tensor([len(rows) for rows in low], dtype=torch.int64)
    group = torch.repeat_interleave(torch.arange(len(wanted)), sizes)
    return Pairs(low=torch.cat(low), high=torch.cat(high), group=group, groups=len(wanted))


def design(attributes: Attributes, *, fewest: int, most: int, generator: torch.Generator) -> Design:
    """Decide for each concept what it is measured on.

    Args:
        attributes: Digits of all rows.
        fewest: With fewer matched pairs, the difference of class means takes their place.
        most: With more, so many are drawn at random for the ruler.
        generator: Deals and draws.
    """
    wanted = concepts(attributes)
    every = matched_pairs(attributes, wanted, generator=generator)
    found = every.counts()
    every = _keep(every, (found >= fewest)[every.group])
    noise = torch.rand(len(every.group), dtype=torch.float64, generator=generator)
    order = torch.argsort(noise)
    order = order[torch.argsort(every.group[order], stable=True)]
    counts = every.counts()
    rank = torch.arange(len(order)) - (counts.cumsum(0) - counts)[every.group]
    kept = torch.zeros(len(order), dtype=torch.bool)
    kept[order[rank < most]] = True
    columns = [attributes.codes[:, concept.attribute] for concept in wanted]
    return Design(
        concepts=wanted,
        methods=tuple("matched pairs" if n >= fewest else "class means" for n in found.tolist()),
        found=tuple(found.tolist()),
        every=every,
        pairs=_keep(every, kept),
        classes=tuple(
            ((column == concept.low).nonzero()[:, 0], (column == concept.high).nonzero()[:, 0])
            for concept, column in zip(wanted, columns, strict=True)
        ),
    )


def of_group(pairs: Pairs, group: int) -> Pairs:
    """One concept's pairs by themselves.

    Example:
        >>> from linrep.geometry import pairs_from_lists
        >>> of_group(pairs_from_lists([[(0, 1)], [(2, 3), (4, 5)]]), 1).low
        tensor([2, 4])
    """
    first, last = torch.searchsorted(pairs.group.contiguous(), torch.tensor([group, group + 1])).tolist()
    return Pairs(
        low=pairs.low[first:last],
        high=pairs.high[first:last],
        group=torch.zeros(last - first, dtype=torch.int64),
        groups=1,
    )


def _keep(pairs: Pairs, kept: Tensor) -> Pairs:
    return Pairs(low=pairs.low[kept], high=pairs.high[kept], group=pairs.group[kept], groups=pairs.groups)


def _random_words(number: int, generator: torch.Generator) -> Int64[Tensor, " number"]:
    """One random 64-bit word for each digit; sums of them wrap around."""
    return torch.randint(-(2**63), 2**63 - 1, (number,), generator=generator)


def _deal(key: Tensor, low: Tensor, high: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pair the n-th low row of each key with its n-th high row, in random order, as far as both go."""
    low = low[torch.randperm(len(low), generator=generator)]
    high = high[torch.randperm(len(high), generator=generator)]
    low = low[torch.argsort(key[low], stable=True)]
    high = high[torch.argsort(key[high], stable=True)]
    mine, theirs = key[low], key[high]
    rank = torch.arange(len(low)) - torch.searchsorted(mine, mine)
    start = torch.searchsorted(theirs, mine)
    there = rank < torch.searchsorted(theirs, mine, right=True) - start
    return low[there], high[(start + rank)[there]]
