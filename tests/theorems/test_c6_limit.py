"""Claim C6: the limit is a convex program of the supports, linear when contexts fix few concepts."""

import pytest
import torch

from linrep.theory.additive import limit_is_linear
from linrep.theory.factors import factor_geometry
from linrep.theory.limits import predict
from linrep.theory.nuclear_norm import nuclear_norm_limit
from linrep.theory.ridge import extrapolate, ridge_path
from linrep.worlds.concepts import chain, independent
from linrep.worlds.contexts import conditional, known, world

STRENGTHS = [10.0**-n for n in range(2, 7)]


def test_limit_depends_on_supports_only():
    one = conditional(world(chain(3, generator=torch.Generator().manual_seed(0)))) > 0
    other = conditional(world(independent(3, probabilities=[0.01, 0.5, 0.9], generator=None))) > 0
    assert torch.equal(one, other)


def test_probabilities_move_the_path_but_not_its_end():
    ends = []
    for p in (0.5, 0.2):
        toy = world(independent(2, probabilities=[p, p], generator=None))
        path = ridge_path(toy, STRENGTHS, dim=4, generator=torch.Generator().manual_seed(0))
        values = [
            factor_geometry(
                x.embedding, x.unembedding, toy.codes, toy.token_codes, (2, 2)
            ).linearity_unembedding
            for x in path
        ]
        ends.append(extrapolate(STRENGTHS, values))
    limit = predict(2).geometry
    assert limit is not None
    assert ends == pytest.approx([limit.linearity_unembedding] * 2, abs=0.02)


def test_contexts_that_fix_few_concepts_are_linear_at_any_width():
    """m = 5, at most two known: the ridge path is linear at full width, where complete contexts are not."""
    assert limit_is_linear(5, (1, 2))
    assert not limit_is_linear(5)
    toy = world(
        independent(5, probabilities=[0.5] * 5, generator=None), codes=known((2,) * 5, at_least=1, at_most=2)
    )
    limit = nuclear_norm_limit(conditional(toy) > 0)
    assert limit.objective == pytest.approx(60, rel=1e-6)
    assert limit.rank == 5
    geometry = factor_geometry(
        limit.embedding, limit.unembedding, toy.codes, toy.token_codes, toy.model.sizes
    )
    assert geometry.linearity_unembedding == pytest.approx(1, abs=1e-4)
    assert geometry.linearity_embedding == pytest.approx(1, abs=1e-4)
    assert geometry.alignment == pytest.approx(1, abs=1e-4)
