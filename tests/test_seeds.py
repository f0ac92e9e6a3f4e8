"""Named streams: equal coordinates give equal draws, any other coordinate an independent one."""

import itertools

import torch

from linrep.seeds import generator


def test_streams_differ() -> None:
    keys = list(itertools.product((0, 1), ("start", "order"), (0, 1)))
    draws = [torch.rand(4, generator=generator(seed, stream, run)) for seed, stream, run in keys]
    for first, second in itertools.combinations(draws, 2):
        assert not torch.equal(first, second)
    again = torch.rand(4, generator=generator(*keys[3]))
    assert torch.equal(again, draws[3])
