"""The next-token SVM for g with embeddings fixed: certificate, planted answers, and when there is none."""

import pytest
import torch

from linrep.errors import InputError
from linrep.theory.next_token_svm import direction_cosine, next_token_margin
from linrep.theory.nuclear_norm import nuclear_norm_limit
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import conditional, world


def support(concepts):
    return conditional(world(independent(concepts, probabilities=[0.5] * concepts, generator=None))) > 0


@pytest.mark.parametrize("concepts", [2, 3])
def test_limit_embeddings_have_the_limit_unembeddings(concepts):
    """At the infinite-time limit (F, G), G is the max-margin answer to F: fixing F changes nothing."""
    table = support(concepts)
    limit = nuclear_norm_limit(table, gap=1e-10)
    found = next_token_margin(limit.embedding, table, slack=1e-4)
    assert found.exists
    assert found.violation < 1e-6
    assert -1e-6 <= found.certificate.relative_gap < 1e-6
    assert direction_cosine(found.unembedding, limit.unembedding) > 1 - 1e-4


def test_certificate_without_slack():
    table = support(2)
    f = torch.where(table, 1.0, 0.0).double()  # indicator embeddings: every support is an exposed face
    found = next_token_margin(f, table)
    assert found.exists
    assert abs(found.certificate.relative_gap) < 1e-6
    assert found.violation < 1e-8


def test_generic_embeddings_have_no_hard_margin_and_the_size_is_said():
    f = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = next_token_margin(f, support(2))
    assert not found.exists
    assert "9 contexts × 4 tokens in 2 dimensions" in found.reason
    assert "infeasible" in found.solver_status
    loose = next_token_margin(f, support(2), slack=0.1)
    assert not loose.exists


def test_refusals():
    with pytest.raises(InputError, match="200 contexts × 200 tokens"):
        next_token_margin(torch.eye(200).double(), torch.eye(200, dtype=torch.bool))
    with pytest.raises(InputError, match="one row repeated"):
        direction_cosine(torch.ones(3, 2), torch.ones(3, 2))
