"""Triples, log-odds gap, margin, gauge: enumeration by hand, planted answers, invariances, sampling."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep import geometry
from linrep.errors import InputError
from tests.support.seeded_worlds import cube, planted, seeded


def by_hand(contexts, tokens, sizes, known):
    """{(context row, low token row, high token row, sign)} by loops over everything."""
    rows = {tuple(c): n for n, c in enumerate(tokens.tolist())}
    found = set()
    for n, d in enumerate(contexts.tolist()):
        for i in range(len(sizes)):
            if (d[i] != sizes[i]) != known:
                continue
            for c in rows:
                if any(d[j] not in (c[j], sizes[j]) for j in range(len(sizes))):
                    continue
                for low, high in itertools.combinations(range(sizes[i]), 2):
                    pair = [rows.get((*c[:i], v, *c[i + 1 :])) for v in (low, high)]
                    if None not in pair and c[i] in (low, high):
                        found.add((n, *pair, (1 if c[i] == high else -1) if known else 1))
    return found


def ours(found):
    listed = [
        (c, int(found.pairs.low[p]), int(found.pairs.high[p]), s)
        for block in found.blocks()
        for c, p, s in zip(block.context.tolist(), block.pair.tolist(), block.sign.tolist(), strict=True)
    ]
    assert len(listed) == len(set(listed))
    return set(listed)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([(2, 2, 2), (2, 3, 2), (2,), (3, 4)]), st.booleans(), st.booleans()
)
def test_triples_equal_enumeration(seed, sizes, known, complete):
    tokens = torch.cartesian_prod(*[torch.arange(v) for v in sizes]).reshape(-1, len(sizes))
    contexts = torch.cartesian_prod(*[torch.arange(v + 1) for v in sizes]).reshape(-1, len(sizes))
    if not complete:
        tokens = tokens[torch.randperm(len(tokens), generator=seeded(seed))[: 1 + seed % len(tokens)]]
        contexts = contexts[torch.randperm(len(contexts), generator=seeded(seed))[: 1 + seed % len(contexts)]]
    found = geometry.triples(contexts, tokens, sizes, known=known, generator=seeded(0))
    assert ours(found) == by_hand(contexts, tokens, sizes, known)


@pytest.mark.parametrize("known", [False, True])
def test_complete_count(known):
    """Complete m: m·4^(m-1) triples with i unknown, twice as many with i known."""
    found = geometry.triples(cube(5, 3), cube(5), (2,) * 5, known=known, generator=seeded(0))
    assert sum(len(b.pair) for b in found.blocks()) == 5 * 4**4 * (2 if known else 1)


def test_streaming_equals_caching(monkeypatch):
    cached = world(False)
    monkeypatch.setattr("linrep.geometry.compatibility.CACHE", 10)
    monkeypatch.setattr("linrep.geometry.compatibility.BLOCK", 7)
    # By module: the package's attribute of that name is the function.
    monkeypatch.setattr("linrep.geometry.moments.CHUNK", 20)
    streamed = world(False)
    assert cached.cached is not None
    assert streamed.cached is None
    assert ours(cached) == ours(streamed) == ours(streamed)
    f, g, log_p = tables(0)
    a, b = (geometry.log_odds_gap(f, g, log_p, t, points=0, generator=seeded(0)) for t in (cached, streamed))
    torch.testing.assert_close(a.rmse, b.rmse)
    torch.testing.assert_close(a.max, b.max)


def tables(seed, runs=3, dim=4):
    f = torch.randn(runs, 81, dim, generator=seeded(seed), dtype=torch.float64)
    g = torch.randn(runs, 16, dim, generator=seeded(seed + 1), dtype=torch.float64)
    log_p = torch.log_softmax(torch.randn(runs, 16, generator=seeded(seed + 2), dtype=torch.float64), 1)
    return f, g, log_p


def world(known, tokens=None, **more):
    tokens = cube(4) if tokens is None else tokens
    return geometry.triples(cube(4, 3), tokens, (2,) * 4, known=known, generator=seeded(0), **more)


def test_gap_and_margin_slow_twin():
    """The naive lines of the docstrings, executed."""
    f, g, log_p = tables(0)
    keep = torch.tensor([0, 1, 2, 3, 5, 8, 9, 11, 12, 15])
    tokens, g, log_p = cube(4)[keep], g[:, keep], log_p[:, keep]
    gap = geometry.log_odds_gap(f, g, log_p, world(False, tokens), points=0, generator=seeded(0))
    margins = geometry.margin(f, g, world(True, tokens))
    for run in range(3):
        unknown = by_hand(cube(4, 3), tokens, (2,) * 4, known=False)
        difference = np.array([float(f[run, d] @ (g[run, h] - g[run, w])) for d, w, h, _ in sorted(unknown)])
        true = np.array([float(log_p[run, h] - log_p[run, w]) for _, w, h, _ in sorted(unknown)])
        assert gap.rmse[run].item() == pytest.approx(np.sqrt(np.mean((difference - true) ** 2)), rel=1e-12)
        assert gap.max[run].item() == pytest.approx(np.abs(difference - true).max(), rel=1e-12)
        assert gap.rmse_of_zero[run].item() == pytest.approx(np.sqrt(np.mean(true**2)), rel=1e-12)
        assert gap.triples == len(unknown)
        known = by_hand(cube(4, 3), tokens, (2,) * 4, known=True)
        signed = [s * float(f[run, d] @ (g[run, h] - g[run, w])) for d, w, h, s in known]
        assert margins.mean[run].item() == pytest.approx(np.mean(signed), rel=1e-12)
        assert margins.min[run].item() == pytest.approx(np.min(signed), rel=1e-12)
        assert margins.triples == len(known)


def test_planted_logits_have_no_gap():
    """Where ln p(c) is one coordinate of g that every f reads, f(d)·Δg is the true log-odds."""
    _, _, log_p = tables(0, runs=2)
    f = torch.eye(16, dtype=torch.float64)[:1].expand(2, 81, 16)
    g = torch.zeros(2, 16, 16, dtype=torch.float64)
    g[:, :, 0] = log_p + 3
    gap = geometry.log_odds_gap(f, g, log_p, world(False), points=0, generator=seeded(0))
    assert gap.max.max() < 1e-12
    shuffled = geometry.log_odds_gap(f, g, log_p.flip(1), world(False), points=0, generator=seeded(0))
    assert (shuffled.rmse > 0.5 * shuffled.rmse_of_zero).all()


def test_planted_margin():
    """f·g = Σ ±1·±1 over known concepts: every right value leads by exactly 2."""
    f, g = planted(4)
    found = geometry.margin(f[None], g[None], world(True))
    torch.testing.assert_close(
        torch.stack([found.mean, found.min]), torch.full((2, 1), 2.0, dtype=torch.float64)
    )
    wrong = geometry.margin(-f[None], g[None], world(True))
    assert wrong.min.item() == pytest.approx(-2)


def test_points_lie_on_the_measured_triples():
    f, g, log_p = tables(3)
    found = world(False)
    full = geometry.log_odds_gap(f, g, log_p, found, points=10**6, generator=seeded(1)).points
    assert len(full.true) == 4 * 4**3
    few = geometry.log_odds_gap(f, g, log_p, found, points=50, generator=seeded(1))
    assert len(few.points.true) == 50
    assert set(few.points.concept.tolist()) == {0, 1, 2, 3}
    assert set(few.points.run.tolist()) == {0, 1, 2}
    assert (few.points.measured - few.points.true).abs().max() <= few.max.max()
    again = geometry.log_odds_gap(f, g, log_p, found, points=50, generator=seeded(1))
    torch.testing.assert_close(few.points.measured, again.points.measured, rtol=0, atol=0)


def test_sampled_contexts_are_said_and_unbiased():
    f, g, log_p = tables(4)
    whole = geometry.log_odds_gap(f, g, log_p, world(False), points=0, generator=seeded(0))
    some = world(False, max_contexts=60)
    part = geometry.log_odds_gap(f, g, log_p, some, points=0, generator=seeded(0))
    assert (part.contexts, part.contexts_available) == (60, 81)
    assert (whole.contexts, whole.contexts_available) == (81, 81)
    torch.testing.assert_close(part.rmse, whole.rmse, rtol=0.3, atol=0)


def test_absent_without_triples():
    f, g, log_p = tables(0)
    alone = cube(4)[:1]
    gap = geometry.log_odds_gap(f, g[:, :1], log_p[:, :1], world(False, alone), points=5, generator=seeded(0))
    assert gap.triples == 0
    assert gap.rmse.isnan().all()
    assert gap.max.isnan().all()
    assert len(gap.points.true) == 0
    assert geometry.margin(f, g[:, :1], world(True, alone)).min.isnan().all()
    with pytest.raises(InputError, match="number of concepts"):
        geometry.triples(cube(4, 3), cube(4), (2,) * 3, known=True, generator=seeded(0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_change_of_basis_moves_only_the_gauge(seed):
    f, g, log_p = tables(seed)
    a = torch.diag(torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64))
    f2, g2 = f @ a, g @ torch.linalg.inv(a).mT + 5
    unknown = world(False)
    before = geometry.log_odds_gap(f, g, log_p, unknown, points=0, generator=seeded(0))
    after = geometry.log_odds_gap(f2, g2, log_p, unknown, points=0, generator=seeded(0))
    torch.testing.assert_close(before.rmse, after.rmse)
    assert (geometry.gauge_imbalance(f, g) - geometry.gauge_imbalance(f2, g2)).abs().min() > 1e-3


def test_gauge_slow_twin_and_limits():
    f, g, _ = tables(0)
    for run in range(3):
        c = g[run] - g[run].mean(0)
        ff, gg = f[run].T @ f[run], c.T @ c
        naive = (ff - gg).norm() / (ff.norm() + gg.norm())
        assert geometry.gauge_imbalance(f, g)[run].item() == pytest.approx(naive.item())
    rotation = torch.linalg.qr(f[0, :4]).Q
    torch.testing.assert_close(
        geometry.gauge_imbalance(3 * f @ rotation, 3 * g @ rotation - 1), geometry.gauge_imbalance(f, g)
    )
    balanced = g - g.mean(1, keepdim=True)
    assert geometry.gauge_imbalance(balanced, g).max() < 1e-12
    zero = torch.zeros_like(g)
    assert geometry.gauge_imbalance(zero, zero).tolist() == [0] * 3
    torch.testing.assert_close(geometry.gauge_imbalance(f, zero), torch.ones(3, dtype=torch.float64))


def test_error_budget_float32():
    """Float32 tables cost no more than their own rounding."""
    f, g, log_p = tables(5)
    low = geometry.log_odds_gap(f.float(), g.float(), log_p, world(False), points=0, generator=seeded(0))
    high = geometry.log_odds_gap(f, g, log_p, world(False), points=0, generator=seeded(0))
    torch.testing.assert_close(low.rmse, high.rmse, rtol=1e-6, atol=0)
