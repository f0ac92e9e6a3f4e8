"""Pairs and triples of rows with several meanings, against their definition."""

import itertools

import torch

from linrep import geometry
from linrep.geometry.compatibility import triples
from linrep.geometry.meanings import meaning_pairs, possible_triples


def listed(pairs):
    return sorted(zip(pairs.group.tolist(), pairs.low.tolist(), pairs.high.tolist(), strict=True))


def test_one_meaning_a_row_gives_the_pairs_and_triples_of_codes():
    sizes = (2, 3, 2)
    codes = torch.tensor(list(itertools.product(*map(range, sizes))))[[0, 1, 2, 4, 5, 7, 9, 11]]
    contexts = torch.tensor(list(itertools.product(*(range(size + 1) for size in sizes))))
    wanted = geometry.contrasts(sizes)
    pairs = meaning_pairs(torch.arange(len(codes)), codes, wanted)
    assert listed(pairs) == listed(geometry.contrast_pairs(codes, wanted))
    agree = ((contexts[:, None] == codes) | (contexts[:, None] == torch.tensor(sizes))).all(2)
    for known in (False, True):
        own = possible_triples(
            contexts, agree, torch.arange(len(contexts)), pairs, wanted, sizes, known=known
        )
        other = triples(contexts, codes, sizes, known=known, generator=torch.Generator())

        def named(found):
            low, high, group = found.pairs.low, found.pairs.high, found.pairs.group
            return sorted(
                (int(d), int(group[p]), int(low[p]), int(high[p]), int(sign))
                for block in found.blocks()
                for d, p, sign in zip(block.context, block.pair, block.sign, strict=True)
            )

        assert named(own) == named(other)
        assert named(own)


def test_merged_rows_pair_by_all_that_they_mean():
    """{000, 001} with {100, 101} in the first concept; each of two synonyms with what differs from both."""
    row = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5])
    codes = torch.tensor(
        [[0, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 1]]
    )
    pairs = meaning_pairs(row, codes, geometry.contrasts((2, 2, 2)))
    assert listed(pairs) == [(0, 0, 1), (0, 4, 3), (0, 5, 3), (2, 2, 4), (2, 2, 5)]


def test_rows_of_which_none_is_in_one_state_have_no_pair():
    row, codes = torch.tensor([0, 0, 1, 1]), torch.tensor([[0, 0], [1, 1], [0, 1], [1, 0]])
    assert meaning_pairs(row, codes, geometry.contrasts((2, 2))).counts().tolist() == [0, 0]
