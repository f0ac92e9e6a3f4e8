"""The ridge path approaches the limit; its loss does not cancel."""

import math

import pytest
import torch

from linrep.errors import InputError
from linrep.theory.factors import factor_geometry
from linrep.theory.limit_geometry import symmetric_geometry
from linrep.theory.ridge import excess_terms, extrapolate, ridge_path
from linrep.theory.symmetric import symmetric_limit
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import conditional, world

STRENGTHS = [10.0**-n for n in range(1, 9)]


def path(concepts, dim, strengths=STRENGTHS, seed=0):
    toy = world(independent(concepts, probabilities=[0.5] * concepts, generator=None))
    points = ridge_path(toy, strengths, dim=dim, generator=torch.Generator().manual_seed(seed))
    return [
        factor_geometry(p.embedding, p.unembedding, toy.codes, toy.token_codes, toy.model.sizes)
        for p in points
    ]


def assert_extrapolates(concepts, geometry, strengths):
    limit = symmetric_geometry(symmetric_limit(concepts))
    for name in ("linearity_unembedding", "linearity_embedding", "alignment"):
        guess = extrapolate(strengths[2:], [getattr(g, name) for g in geometry[2:]])
        assert guess == pytest.approx(getattr(limit, name), abs=0.02), name


def test_two_concepts_reference_values_and_extrapolation():
    geometry = path(2, 4)
    measured = [g.linearity_unembedding for g in geometry]
    reference = [0.3668, 0.3435, 0.3302, 0.3210, 0.3143, 0.3091, 0.3050, 0.3017]
    assert measured == pytest.approx(reference, abs=1e-3)
    assert_extrapolates(2, geometry, STRENGTHS)


def test_three_concepts_extrapolate_to_the_limit():
    assert_extrapolates(3, path(3, 8, STRENGTHS[:6]), STRENGTHS[:6])


@pytest.mark.slow
@pytest.mark.parametrize("concepts", [3, 4])
def test_the_whole_path_extrapolates_to_the_limit(concepts):
    assert_extrapolates(concepts, path(concepts, 2**concepts), STRENGTHS)


def test_width_m_is_exactly_linear_aligned_and_orthogonal():
    last = path(3, 3, [0.1, 1e-2, 1e-4])[-1]
    assert last.linearity_unembedding == pytest.approx(1, abs=1e-4)
    assert last.linearity_embedding == pytest.approx(1, abs=1e-4)
    assert last.alignment == pytest.approx(1, abs=1e-4)
    assert last.orthogonality_rms_unembedding == pytest.approx(0, abs=1e-3)


def test_excess_and_its_slope_against_the_plain_form_and_autograd():
    toy = world(independent(3, probabilities=[0.2, 0.5, 0.7], generator=None))
    target = conditional(toy)
    logits = torch.randn(27, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits.requires_grad_()
    log_target = torch.where(target > 0, target, 1.0).log()
    plain = (target * (log_target - logits.log_softmax(1))).sum(1)
    (slope,) = torch.autograd.grad(plain.sum(), logits)
    value, ours = excess_terms(logits.detach(), target)
    torch.testing.assert_close(value, plain.detach(), atol=1e-13, rtol=1e-12)
    torch.testing.assert_close(ours, slope, atol=1e-13, rtol=1e-12)
    shifted, _ = excess_terms(logits.detach() + torch.arange(27.0, dtype=torch.float64)[:, None], target)
    torch.testing.assert_close(shifted, value, atol=1e-12, rtol=1e-12)


def test_excess_does_not_cancel_where_the_plain_loss_is_rounding():
    target = torch.tensor([[0.25, 0.75, 0.0]], dtype=torch.float64)
    nudge = 1e-9
    logits = torch.tensor([[math.log(0.25) + nudge, math.log(0.75), -60.0]], dtype=torch.float64)
    exact = 0.5 * 0.25 * 0.75 * nudge**2 + math.exp(-60.0)
    assert float(excess_terms(logits, target)[0]) == pytest.approx(exact, rel=1e-5)


def test_bad_strengths():
    toy = world(independent(1, probabilities=[0.5], generator=None))
    for wrong in ([], [0.1, 0.2], [0.1, 0.0]):
        with pytest.raises(InputError, match="strengths"):
            ridge_path(toy, wrong, dim=2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="three or more"):
        extrapolate([0.1, 0.01], [1.0, 2.0])
