"""Predicted log-odds against enumeration; where they are constant, where they move."""

import itertools
import math

import torch

from linrep.theory.log_odds import agreement_basis, predicted_log_odds
from linrep.worlds.concepts import chain, independent, random_dag
from linrep.worlds.contexts import world


def by_enumeration(toy, context, concept):
    """All log-odds of a concept among the tokens of a context, from conditional probabilities."""
    joint = {tuple(c): float(toy.joint[n]) for n, c in zip(toy.tokens, toy.token_codes.tolist(), strict=True)}
    suits = [c for c in joint if all(d in (x, 2) for d, x in zip(context, c, strict=True))]
    found = []
    for c in suits:
        one = (*c[:concept], 1, *c[concept + 1 :])
        if c[concept] == 0 and one in joint:
            found.append(math.log(joint[one] / joint[c]))
    return found


def test_ranges_by_enumeration():
    toy = world(random_dag(4, edge_probability=0.6, generator=torch.Generator().manual_seed(1)))
    prediction = predicted_log_odds(toy)
    for (n, context), concept in itertools.product(enumerate(toy.codes.tolist()), range(4)):
        if context[concept] != 2:
            assert prediction.absent[n, concept]
            continue
        found = by_enumeration(toy, context, concept)
        assert math.isclose(float(prediction.least[n, concept]), min(found), abs_tol=1e-9)
        assert math.isclose(float(prediction.greatest[n, concept]), max(found), abs_tol=1e-9)
        assert bool(prediction.constant[n, concept]) == (max(found) - min(found) <= 1e-9)


def test_independent_concepts_are_constant_and_a_dag_is_not():
    odds = [0.2, 0.5, 0.9]
    prediction = predicted_log_odds(world(independent(3, probabilities=odds, generator=None)))
    assert prediction.constant_concepts.all()
    for concept, p in enumerate(odds):
        assert math.isclose(float(prediction.values[0, concept]), math.log(p / (1 - p)), abs_tol=1e-12)
    moving = predicted_log_odds(world(chain(3, generator=torch.Generator().manual_seed(0))))
    assert not moving.constant_concepts.any()


def test_a_context_that_knows_the_blanket_fixes_the_log_odds():
    toy = world(random_dag(4, edge_probability=0.5, generator=torch.Generator().manual_seed(3)))
    prediction = predicted_log_odds(toy)
    for concept, blanket in enumerate(prediction.blankets):
        knows = (toy.codes[:, list(blanket)] != 2).all(1) & (toy.codes[:, concept] == 2)
        assert prediction.constant[knows, concept].all()


def test_missing_tokens_are_absent_not_numbers():
    toy = world(independent(2, probabilities=[0.5, 0.5], generator=None), tokens=torch.tensor([0, 1, 3]))
    prediction = predicted_log_odds(toy)
    assert prediction.values[2, 0].isfinite()
    assert prediction.values[0, 0].isnan()
    context = toy.codes.tolist().index([2, 0])
    assert prediction.absent[context, 0]


def test_agreement_basis_spans_the_shared_contexts():
    toy = world(independent(3, probabilities=[0.5] * 3, generator=None))
    embedding = torch.randn(27, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = agreement_basis(toy, embedding, 0, (0, 1))  # tokens 000 and 001 share ⋄0⋄ and ⋄⋄⋄
    assert basis.shape == (5, 2)
    rows = embedding[[toy.codes.tolist().index(d) for d in ([2, 0, 2], [2, 2, 2])]]
    torch.testing.assert_close(rows @ basis @ basis.T, rows)
