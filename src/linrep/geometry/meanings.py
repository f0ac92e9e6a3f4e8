"""Tokens of several meanings: which two differ in one concept alone, and where contexts tell them apart.

The geometry takes what each row stands for: any number of rows of digits, its meanings.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from linrep.geometry.compatibility import BLOCK, Block, Triples
from linrep.geometry.pairs import Contrast, Pairs, pairs_from_lists


def meaning_pairs(
    row: Int64[Tensor, " meanings"], codes: Int[Tensor, "meanings concepts"], wanted: Sequence[Contrast]
) -> Pairs:
    """All pairs of rows of which one means just what the other means, but for one concept.

    Of both the concept is in one state in every meaning: `low` in all of one row, `high` in all of the other.
    Rows that mean the same are each in a pair of their own. With one meaning a row, and none twice, it is
    :func:`linrep.geometry.contrast_pairs`.

    Naively: ``[(a, b) for i, u, v in wanted for a in rows for b in rows if put(meanings[a], i, v) ==
    meanings[b] and all(c[i] == u for c in meanings[a])]``.

    Args:
        row: Of each meaning the row it belongs to, from 0 on, each at least once.
        codes: The digits of each meaning, none twice in a row.
        wanted: The contrasts.

    Returns:
        The pairs, by contrast, within one in the order of the `low` rows.

    Example:
        >>> codes = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])  # of the first two the second digit is 0
        >>> pairs = meaning_pairs(torch.tensor([0, 0, 1, 1]), codes, [(0, 0, 1), (1, 0, 1)])
        >>> pairs.low.tolist(), pairs.high.tolist(), pairs.group.tolist()
        ([0], [1], [1])
    """
    means: list[list[tuple[int, ...]]] = [[] for _ in range(int(row.max()) + 1)]
    for each, digits in zip(row.tolist(), codes.tolist(), strict=True):
        means[each].append(tuple(digits))
    # For each concept: the rows in which it has one state, by that state and all the rest.
    fixed: dict[int, dict[tuple[int, frozenset[tuple[int, ...]]], list[int]]] = {}
    for concept in {concept for concept, _, _ in wanted}:
        found = fixed.setdefault(concept, {})
        for each, own in enumerate(means):
            if len({digits[concept] for digits in own}) == 1:
                rest = frozenset((*digits[:concept], *digits[concept + 1 :]) for digits in own)
                found.setdefault((own[0][concept], rest), []).append(each)
    return pairs_from_lists(
        [
            sorted(
                (a, b)
                for (state, rest), rows in fixed[concept].items()
                if state == low
                for a in rows
                for b in fixed[concept].get((high, rest), ())
            )
            for concept, low, high in wanted
        ]
    )


def possible_triples(
    context_codes: Int[Tensor, "contexts concepts"],
    possible: Bool[Tensor, "used tokens"],
    rows: Int64[Tensor, " used"],
    pairs: Pairs,
    wanted: Sequence[Contrast],
    sizes: Sequence[int],
    *,
    known: bool,
) -> Triples:
    """All (d, i, pair) of which d allows both tokens, i unknown in it, or, i known in it, just one of them.

    Naively: ``[(d, i, (a, b)) for d in rows for i, (a, b) in pairs if possible[d, a] and possible[d, b]]``
    where i is unknown; where it is known, ``if possible[d, a] != possible[d, b]``.

    Args:
        context_codes: Digits of the contexts; digit ``sizes[i]`` means that concept i is unknown.
        possible: Which tokens can follow each context that is looked at.
        rows: Which contexts these are, ascending.
        pairs: By contrast, as of :func:`meaning_pairs`.
        wanted: The contrasts.
        sizes: States per concept.
        known: False: i is unknown in d (log-odds). True: i is known in d (margin).

    Example:
        >>> pairs = meaning_pairs(torch.tensor([0, 1]), torch.tensor([[0], [1]]), [(0, 0, 1)])
        >>> codes, both = torch.tensor([[0], [2]]), torch.tensor([[True, False], [True, True]])
        >>> found = possible_triples(codes, both, torch.arange(2), pairs, [(0, 0, 1)], (2,), known=False)
        >>> [block.context.tolist() for block in found.blocks()]
        [[1]]
    """
    concept_of = torch.tensor([concept for concept, _, _ in wanted])
    concept = concept_of[pairs.group]
    blocks: list[Block] = []
    for part in torch.arange(len(rows)).split(max(1, BLOCK // max(1, len(pairs.low)))):
        low, high = possible[part][:, pairs.low], possible[part][:, pairs.high]
        unknown = context_codes[rows[part]][:, concept] == torch.tensor(sizes)[concept]
        at, pair = ((low ^ high) & ~unknown if known else low & high & unknown).nonzero(as_tuple=True)
        blocks.append(
            Block(
                context=rows[part][at],
                pair=pair,
                sign=torch.where(high[at, pair], 1, -1) if known else torch.ones_like(at),
            )
        )
    return Triples(
        context_codes=context_codes,
        token_codes=context_codes[:0],
        sizes=tuple(sizes),
        pairs=pairs,
        concept_of=concept_of,
        rows=rows,
        known=known,
        cached=tuple(block for block in blocks if len(block.context)),
    )
