"""Claim C1: log-odds matching makes steering vectors agree where contexts can see them, and only there.

Tables with excess loss of order e^-T are written down: L(d, c) = ln p(c) + T · (known concepts c agrees on).
"""

import pytest
import torch

from linrep.theory.additive import additive_logits
from linrep.theory.factors import balanced_factors
from linrep.theory.log_odds import agreement, agreement_basis, predicted_log_odds
from linrep.theory.ridge import excess_terms
from linrep.worlds.concepts import chain, independent, random_dag
from linrep.worlds.contexts import conditional, world


def matched_tables(toy, scale=40.0):
    logits = toy.joint[toy.tokens].log() + scale * additive_logits(toy.codes, toy.token_codes)
    return balanced_factors(logits, tolerance=1e-13)[:2]


@pytest.fixture(params=["independent", "chain", "dag"])
def toy(request):
    g = torch.Generator().manual_seed(2)
    model = {
        "independent": lambda: independent(3, generator=g),
        "chain": lambda: chain(3, generator=g),
        "dag": lambda: random_dag(3, edge_probability=1.0, generator=g),
    }[request.param]()
    return world(model)


def test_matched_tables_give_the_predicted_log_odds_everywhere(toy):
    f, g = matched_tables(toy)
    excess, _ = excess_terms(f @ g.T, conditional(toy))
    assert float(excess.max()) < 1e-12
    prediction = predicted_log_odds(toy)
    logits = f @ g.T
    for concept in range(3):
        low = (toy.token_codes[:, concept] == 0).nonzero()[:, 0]
        high = low + 2 ** (2 - concept)
        for d, code in enumerate(toy.codes.tolist()):
            if code[concept] != 2:
                continue
            suits = conditional(toy)[d, low] > 0
            measured = (logits[d, high] - logits[d, low])[suits]
            torch.testing.assert_close(measured, prediction.values[low, concept][suits], atol=1e-9, rtol=0)


def test_steering_vectors_agree_on_the_shared_subspace_and_nowhere_else(toy):
    """Random unembeddings fail (negative control); matched ones differ only across the subspace."""
    f, g = matched_tables(toy)
    # A copy that differs from the matched unembeddings where no context in use looks: the loss cannot see it.
    wide_f = torch.nn.functional.pad(f, (0, 2))
    noise = torch.randn(len(g), 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wide_g = torch.cat([g, 10 * noise], 1)
    for concept in range(3):
        found = agreement(toy, wide_f, wide_g, concept)
        if found.on_subspace is None:
            continue
        assert found.overall is not None
        assert found.overall > 0.1
        assert found.on_subspace < 1e-6
        control = agreement(
            toy,
            wide_f,
            torch.randn(8, wide_f.shape[1], generator=torch.Generator().manual_seed(1)).double(),
            concept,
        )
        assert control.on_subspace is not None
        assert control.on_subspace > 0.1


def test_contexts_that_suit_one_token_only_may_disagree():
    """f(d)·Δg_i is free where d excludes one of the two tokens: there the tables differ."""
    toy = world(independent(3, probabilities=[0.3, 0.5, 0.6], generator=None))
    logits = toy.joint[toy.tokens].log() + 20 * additive_logits(toy.codes, toy.token_codes)
    # Loss sees only that excluded tokens are far below: push them further by amounts of their own.
    extra = torch.rand(logits.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    logits = torch.where(conditional(toy) > 0, logits, logits - 20 * extra)
    f, g, _ = balanced_factors(logits, tolerance=1e-13)
    excess, _ = excess_terms(f @ g.T, conditional(toy))
    assert float(excess.max()) < 1e-6
    found = agreement(toy, f, g, 0)
    assert found.on_subspace is not None
    assert found.overall is not None
    assert found.on_subspace < 1e-6
    assert found.overall > 0.1
    shared = agreement_basis(toy, f, 0, (0, 3))
    assert shared.shape[1] < f.shape[1]


def test_log_odds_are_constant_exactly_for_independent_concepts():
    g = torch.Generator().manual_seed(0)
    assert predicted_log_odds(world(independent(4, generator=g))).constant_concepts.all()
    assert not predicted_log_odds(world(chain(4, generator=g))).constant_concepts.any()
