"""Linearity, alignment, orthogonality: planted answers, slow twins, invariances, their converse, controls."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep import geometry
from linrep.errors import InputError
from tests.geometry import oracles


def cube(concepts, digits=2):
    return torch.tensor(list(itertools.product(range(digits), repeat=concepts)), dtype=torch.int8)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def tables(seed, concepts=3, dim=4, dtype=torch.float64):
    f = torch.randn(3**concepts, dim, generator=seeded(seed), dtype=torch.float64).to(dtype)
    g = torch.randn(2**concepts, dim, generator=seeded(seed + 1), dtype=torch.float64).to(dtype)
    return (
        f,
        g,
        geometry.counterfactual_pairs(cube(concepts, 3)),
        geometry.counterfactual_pairs(cube(concepts)),
    )


def ragged_pairs(rows, seed, groups=4):
    """Groups of very different sizes, one empty, one of one pair, with zero differences."""
    generator = seeded(seed)
    sizes = [0, 1, 3, 40][:groups]
    return geometry.pairs_from_lists(
        [[tuple(torch.randint(rows, (2,), generator=generator).tolist()) for _ in range(n)] for n in sizes]
    )


@pytest.mark.parametrize("chunk", [2**21, 16])
@pytest.mark.parametrize("dim", [2, 5, 60])
def test_slow_twin(dim, chunk, monkeypatch):
    monkeypatch.setattr("linrep.geometry.moments.CHUNK", chunk)
    f, g = (torch.randn(9, dim, generator=seeded(s), dtype=torch.float64) for s in (1, 2))
    pf, pg = ragged_pairs(9, 3), ragged_pairs(9, 4)
    mf, mg = geometry.steering_moments(f, pf), geometry.steering_moments(g, pg)
    us = [oracles.vectors(f, pf, i) for i in range(4)]
    vs = [oracles.vectors(g, pg, i) for i in range(4)]
    assert mf.count.tolist() == [len(u) for u in us]
    assert (mf.count + mf.zero).tolist() == [0, 1, 3, 40]
    assert int(mf.zero.sum()) > 0

    def same(ours, twin):
        twin = torch.as_tensor(twin, dtype=torch.float64)
        torch.testing.assert_close(ours, twin, equal_nan=True, rtol=0, atol=1e-12)

    same(geometry.linearity(mf), [oracles.linearity(u) for u in us])
    same(geometry.alignment(mf, mg), [oracles.alignment(u, v) for u, v in zip(us, vs, strict=True)])
    same(geometry.alignment_matrix(mf, mg)[0], [[oracles.alignment(u, v) for v in vs] for u in us])
    same(geometry.orthogonality_mean(mf)[0], [[oracles.orthogonality_mean(u, v) for v in us] for u in us])
    same(geometry.orthogonality_rms(mf)[0], [[oracles.orthogonality_rms(u, v) for v in us] for u in us])


def test_planted_additive_and_orthogonal():
    """Exactly additive tables with orthonormal directions: linear, aligned, orthogonal, to rounding."""
    basis = torch.linalg.qr(torch.randn(6, 6, generator=seeded(0), dtype=torch.float64)).Q[:4]
    codes, contexts = cube(4), cube(4, 3)
    g = codes.double() @ basis + 7
    f = torch.tensor([-1.0, 1.0, 0.0], dtype=torch.float64)[contexts.long()] @ (basis * 3)
    mf = geometry.steering_moments(f, geometry.counterfactual_pairs(contexts))
    mg = geometry.steering_moments(g, geometry.counterfactual_pairs(codes))
    one, eye = torch.ones(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(geometry.linearity(mf), one)
    torch.testing.assert_close(geometry.linearity(mg), one)
    torch.testing.assert_close(geometry.alignment(mf, mg), one)
    torch.testing.assert_close(geometry.orthogonality_mean(mg)[0], eye)
    torch.testing.assert_close(geometry.orthogonality_rms(mf)[0], eye)
    assert mf.count.tolist() == [27] * 4
    assert mg.count.tolist() == [8] * 4


def test_planted_angle():
    """Two concepts at 60 degrees; the third's vectors cancel: it has no mean direction but has an RMS."""
    table = torch.tensor([[0.0, 0], [1, 0], [0.5, 0.75**0.5]], dtype=torch.float64)
    moments = geometry.steering_moments(
        table, geometry.pairs_from_lists([[(0, 1)], [(0, 2)], [(0, 1), (1, 0)]])
    )
    mean, rms = geometry.orthogonality_mean(moments)[0], geometry.orthogonality_rms(moments)[0]
    torch.testing.assert_close(mean[0, 1].item(), 0.5)
    assert mean[2].isnan().all()
    torch.testing.assert_close(rms[0], torch.tensor([1, 0.5, 1], dtype=torch.float64))
    torch.testing.assert_close(geometry.linearity(moments)[2].item(), -1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_invariance(seed, scale):
    f, g, pf, pg = tables(seed)
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=seeded(seed + 2), dtype=torch.float64)).Q
    before = [geometry.steering_moments(f, pf), geometry.steering_moments(g, pg)]
    after = [
        geometry.steering_moments(scale * f @ rotation + 1, pf),
        geometry.steering_moments(g @ rotation, pg),
    ]
    for measure in (geometry.linearity, geometry.orthogonality_mean, geometry.orthogonality_rms):
        for a, b in zip(before, after, strict=True):
            torch.testing.assert_close(measure(a), measure(b), rtol=0, atol=1e-7)
    torch.testing.assert_close(geometry.alignment(*before), geometry.alignment(*after), rtol=0, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_change_of_basis_keeps_logits_and_moves_cosines(seed):
    f, g, pf, pg = tables(seed)
    a = torch.diag(torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64))
    f2, g2 = f @ a, g @ torch.linalg.inv(a).mT
    torch.testing.assert_close(f @ g.mT, f2 @ g2.mT)
    before = geometry.steering_moments(f, pf), geometry.steering_moments(g, pg)
    after = geometry.steering_moments(f2, pf), geometry.steering_moments(g2, pg)
    for k in range(2):
        assert (geometry.linearity(before[k]) - geometry.linearity(after[k])).abs().max() > 1e-3
        assert (
            geometry.orthogonality_rms(before[k]) - geometry.orthogonality_rms(after[k])
        ).abs().max() > 1e-3
    assert (geometry.alignment(*before) - geometry.alignment(*after)).abs().max() > 1e-3


def test_negative_control_random_tables():
    """Random tables in a high dimension show no structure."""
    f, g, pf, pg = tables(5, concepts=4, dim=400)
    mf, mg = geometry.steering_moments(f, pf), geometry.steering_moments(g, pg)
    assert geometry.linearity(mf).abs().max() < 0.05
    assert geometry.linearity(mg).abs().max() < 0.1
    assert geometry.alignment(mf, mg).abs().max() < 0.1
    assert (geometry.off_diagonal(geometry.orthogonality_rms(mg)) < 0.3).all()


def test_negative_control_random_pairs():
    """On a perfectly linear table, random pairs must not look linear."""
    codes = cube(6)
    g = codes.double() @ torch.eye(6, dtype=torch.float64)
    pairs = geometry.counterfactual_pairs(codes)
    drawn = geometry.random_pairs(pairs, rows=torch.tensor([64]), stride=64, generator=seeded(0))
    assert geometry.linearity(geometry.steering_moments(g, pairs)).min() > 1 - 1e-12
    assert geometry.linearity(geometry.steering_moments(g, drawn)).abs().max() < 0.15


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_error_budget(dtype):
    """Differences are taken in float64: half-precision tables are measured exactly as stored."""
    f = (torch.randn(27, 4, generator=seeded(0)) + 100).to(dtype)
    pairs = geometry.counterfactual_pairs(cube(3, 3))
    low = geometry.steering_moments(f, pairs)
    torch.testing.assert_close(
        geometry.linearity(low), geometry.linearity(geometry.steering_moments(f.double(), pairs))
    )


def test_batch_of_runs_equals_single_runs():
    runs = [tables(seed) for seed in range(3)]
    table = torch.stack([f for f, *_ in runs])
    pairs = geometry.stack([p for _, _, p, _ in runs], rows=27)
    batch = geometry.steering_moments(table.flatten(0, 1), pairs)
    singles = [geometry.steering_moments(f, p) for f, _, p, _ in runs]
    torch.testing.assert_close(geometry.linearity(batch), torch.cat([geometry.linearity(s) for s in singles]))
    for measure in (geometry.orthogonality_mean, geometry.orthogonality_rms):
        torch.testing.assert_close(measure(batch, 3), torch.cat([measure(s) for s in singles]))


def test_not_finite_is_refused():
    f, _, pf, _ = tables(0)
    f[3] = torch.nan
    with pytest.raises(InputError, match="finite"):
        geometry.steering_moments(f, pf)


def test_rms_needs_second_moments():
    f, _, pf, _ = tables(0)
    with pytest.raises(ValueError, match="second"):
        geometry.orthogonality_rms(geometry.steering_moments(f, pf, second=False))
