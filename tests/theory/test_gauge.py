"""The gauge: logits stay, cosines move, and the balanced one is unique."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.theory.gauge import balanced_gauge, conserved, regauge


def tables(seed, contexts=9, tokens=5, dim=3):
    g = torch.Generator().manual_seed(seed)
    f = torch.randn(contexts, dim, generator=g, dtype=torch.float64)
    return f, torch.randn(tokens, dim, generator=g, dtype=torch.float64), g


def cosines(x):
    unit = torch.nn.functional.normalize(x, dim=1)
    return unit @ unit.T


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_regauging_keeps_logits_and_moves_cosines(seed):
    f, g, generator = tables(seed)
    transform = torch.eye(3).double() + 0.8 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    other_f, other_g = regauge(f, g, transform)
    torch.testing.assert_close(other_f @ other_g.T, f @ g.T, atol=1e-6, rtol=1e-6)
    assert float((cosines(other_f) - cosines(f)).abs().max()) > 1e-3


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_balanced_gauge_balances_keeps_the_softmax_and_forgets_the_gauge(seed):
    f, g, generator = tables(seed)
    balanced = balanced_gauge(f, g)
    assert balanced.transform is not None
    assert float(conserved(balanced.embedding, balanced.unembedding).abs().max()) < 1e-9
    torch.testing.assert_close(
        (balanced.embedding @ balanced.unembedding.T).softmax(1), (f @ g.T).softmax(1), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(balanced.embedding, f @ balanced.transform)
    transform = torch.eye(3).double() + 0.3 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    again = balanced_gauge(*regauge(f, g + 7.0, transform))
    torch.testing.assert_close(cosines(again.embedding), cosines(balanced.embedding), atol=1e-6, rtol=0)
    torch.testing.assert_close(cosines(again.unembedding), cosines(balanced.unembedding), atol=1e-6, rtol=0)


def test_balanced_gauge_is_the_naive_decomposition_up_to_rotation():
    f, g, _ = tables(3)
    u, s, vt = torch.linalg.svd(f @ (g - g.mean(0)).T, full_matrices=False)
    balanced = balanced_gauge(f, g)
    torch.testing.assert_close(balanced.embedding @ balanced.embedding.T, (u * s) @ u.T, atol=1e-9, rtol=0)
    torch.testing.assert_close(
        balanced.unembedding @ balanced.unembedding.T, (vt.T * s) @ vt, atol=1e-9, rtol=0
    )
    torch.testing.assert_close(balanced.singular_values, s[:3])


def test_wide_tables_have_no_transform_but_a_balanced_pair():
    f, g, _ = tables(5, dim=8)
    balanced = balanced_gauge(f, g)
    assert balanced.transform is None
    assert balanced.embedding.shape == (9, 8)
    assert float(conserved(balanced.embedding, balanced.unembedding).abs().max()) < 1e-9
    torch.testing.assert_close(
        (balanced.embedding @ balanced.unembedding.T).softmax(1), (f @ g.T).softmax(1), atol=1e-9, rtol=0
    )


def test_bad_input():
    f, g, _ = tables(0)
    with pytest.raises(InputError, match="finite"):
        balanced_gauge(f * torch.nan, g)
    with pytest.raises(InputError, match="invertible"):
        regauge(f, g, torch.zeros(3, 3).double())
