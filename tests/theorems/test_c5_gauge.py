"""Claim C5: the loss does not choose Euclid, gradient flow does: it conserves FᵀF − GᵀG and the sum of g."""

import itertools

import torch

from linrep.theory.gauge import balanced_gauge, conserved, regauge
from linrep.theory.ridge import excess_terms
from linrep.worlds.concepts import random_dag
from linrep.worlds.contexts import conditional, world


def toy():
    return world(random_dag(3, edge_probability=0.5, generator=torch.Generator().manual_seed(0)))


def train(place, f, g, step, time, adam=False):
    """Full-batch descent on the exact population loss; returns both tables."""
    target, weights = conditional(place), place.weights
    f, g = f.clone(), g.clone()
    second = [torch.zeros_like(f), torch.zeros_like(g)]
    for _ in range(round(time / step)):
        _, slope = excess_terms(f @ g.T, target)
        pull = weights[:, None] * slope
        moves = [pull @ g, pull.T @ f]
        if adam:
            for memory, move in zip(second, moves, strict=True):
                memory.mul_(0.99).add_(0.01 * move**2)
            moves = [move / (memory.sqrt() + 1e-8) for move, memory in zip(moves, second, strict=True)]
        f, g = f - step * moves[0], g - step * moves[1]
    return f, g


def begin(place, scale=0.5, dim=4, seed=1):
    gen = torch.Generator().manual_seed(seed)
    f = scale * torch.randn(len(place.codes), dim, generator=gen, dtype=torch.float64)
    return f, scale * torch.randn(len(place.tokens), dim, generator=gen, dtype=torch.float64)


def test_drift_of_the_gauge_halves_with_the_step():
    place = toy()
    f, g = begin(place)
    drift = [
        float((conserved(*train(place, f, g, step, 100.0)) - conserved(f, g)).norm())
        for step in (1.0, 0.5, 0.25, 0.125)
    ]
    assert all(1.8 < a / b < 2.2 for a, b in itertools.pairwise(drift)), drift


def test_the_sum_of_unembeddings_is_conserved_exactly():
    place = toy()
    f, g = begin(place)
    _, after = train(place, f, g, 1.0, 200.0)
    torch.testing.assert_close(after.sum(0), g.sum(0), atol=1e-12, rtol=0)


def test_a_small_start_stays_near_the_balanced_gauge_and_adam_does_not():
    place = toy()
    f, g = begin(place, scale=0.02)

    def imbalance(pair):
        return float(conserved(*pair).norm() / (pair[0].T @ pair[0]).norm())

    descended = imbalance(train(place, f, g, 1.0, 2000.0))
    assert descended < 0.05
    assert imbalance(train(place, f, g, 0.01, 10.0, adam=True)) > 2 * descended


def test_loss_is_blind_to_the_gauge_and_cosines_are_not():
    place = toy()
    f, g = train(place, *begin(place), 1.0, 200.0)
    transform = torch.diag(torch.tensor([3.0, 1.0, 1.0, 0.2], dtype=torch.float64))
    other = regauge(f, g, transform)
    target = conditional(place)
    same, _ = excess_terms(f @ g.T, target)
    also, _ = excess_terms(other[0] @ other[1].T, target)
    torch.testing.assert_close(same, also, atol=1e-10, rtol=1e-8)
    cosine = torch.cosine_similarity
    assert float((cosine(f[:-1], f[1:]) - cosine(other[0][:-1], other[0][1:])).abs().max()) > 0.05
    back = balanced_gauge(*other)
    straight = balanced_gauge(f, g)
    torch.testing.assert_close(
        back.embedding @ back.embedding.T, straight.embedding @ straight.embedding.T, atol=1e-6, rtol=1e-6
    )
