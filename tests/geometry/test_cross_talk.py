"""Cross-talk against loops, planted tables, changes of gauge, and tables without structure."""

import pytest
import torch

from linrep import geometry
from linrep.llm.inner import euclid
from linrep.llm.intervention import head_push
from tests.support.seeded_worlds import cube, planted, seeded


def directions(table, pairs):
    return geometry.steering_moments(table, pairs, second=False).direction


def random_table(rows, dim, seed=0):
    return torch.randn(rows, dim, generator=seeded(seed), dtype=torch.float64)


def slow(table, pairs, vectors):
    """One push and one pair at a time."""
    members = [
        [table[b] - table[a] for a, b, g in zip(pairs.low, pairs.high, pairs.group, strict=True) if g == i]
        for i in range(pairs.groups)
    ]
    mean, rms = torch.zeros(2, pairs.groups, pairs.groups, dtype=torch.float64)
    for i in range(pairs.groups):
        push = vectors[i] / (sum(vectors[i] @ delta for delta in members[i]) / len(members[i]))
        for j in range(pairs.groups):
            moved = torch.stack([push @ delta for delta in members[j]])
            mean[i, j], rms[i, j] = moved.mean(), moved.square().mean().sqrt()
    return mean, rms


def test_it_equals_loops() -> None:
    table = random_table(16, 5)
    pairs = geometry.counterfactual_pairs(cube(4))
    vectors = directions(table, pairs)
    found = geometry.cross_talk(table, pairs, vectors)
    mean, rms = slow(table, pairs, vectors)
    torch.testing.assert_close(found.mean[0], mean)
    torch.testing.assert_close(found.rms[0], rms)


def test_runs_do_not_see_each_other() -> None:
    one, other = random_table(16, 5), random_table(16, 5, seed=1)
    pairs = geometry.counterfactual_pairs(cube(4))
    both = torch.cat([one, other])
    stacked = geometry.repeat(pairs, 2, 16)
    found = geometry.cross_talk(both, stacked, directions(both, stacked), runs=2)
    for run, table in enumerate((one, other)):
        alone = geometry.cross_talk(table, pairs, directions(table, pairs))
        torch.testing.assert_close(found.rms[run], alone.rms[0])
        torch.testing.assert_close(found.mean[run], alone.mean[0])


def test_planted_orthogonal_concepts_do_not_move_and_random_tables_do() -> None:
    f, g = planted()
    pairs = geometry.counterfactual_pairs(cube(4))
    for vectors in (directions(g, pairs), directions(f, geometry.counterfactual_pairs(cube(4, 3)))):
        found = geometry.cross_talk(g, pairs, vectors)
        torch.testing.assert_close(found.rms[0], torch.eye(4, dtype=torch.float64), atol=1e-12, rtol=0)
    table = random_table(16, 4)
    noise = geometry.cross_talk(table, pairs, directions(table, pairs)).rms
    assert float(geometry.off_diagonal(noise).min()) > 0.5


def test_a_planted_overlap_is_read_back() -> None:
    """Two concepts whose directions have cosine 0.6 and lengths 1 and 3: a nat along the one is 1.8."""
    axes = torch.tensor([[1.0, 0.0], [1.8, 2.4]], dtype=torch.float64)
    g = cube(2).double() @ axes
    pairs = geometry.counterfactual_pairs(cube(2))
    found = geometry.cross_talk(g, pairs, directions(g, pairs))
    expected = torch.tensor([[1.0, 1.8], [0.2, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(found.mean[0], expected)
    torch.testing.assert_close(found.rms[0], expected)


def test_a_change_of_gauge_that_takes_the_directions_along_changes_nothing() -> None:
    table, change = random_table(16, 5), random_table(5, 5, seed=2)
    pairs = geometry.counterfactual_pairs(cube(4))
    vectors = directions(table, pairs)
    found = geometry.cross_talk(table, pairs, vectors)
    moved = geometry.cross_talk(3.0 * table @ torch.linalg.inv(change).T, pairs, 0.1 * vectors @ change)
    torch.testing.assert_close(moved.rms, found.rms)
    still = geometry.cross_talk(table @ torch.linalg.inv(change).T, pairs, vectors)
    assert not torch.allclose(still.rms, found.rms)


def test_concepts_without_pairs_or_direction_are_absent() -> None:
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    pairs = geometry.pairs_from_lists([[(0, 1)], [], [(0, 1)]])
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    found = geometry.cross_talk(table, pairs, vectors).mean[0]
    assert found.isnan().tolist() == [[False, True, False], [True] * 3, [True] * 3]


def test_it_is_what_steering_a_head_does() -> None:
    """A language model's push and this one point the same way; they move other concepts in one proportion."""
    _, g = planted(concepts=3, dim=5)
    table = g + 0.1 * random_table(len(g), 5)
    pairs = geometry.counterfactual_pairs(cube(3))
    found = geometry.cross_talk(table, pairs, directions(table, pairs)).mean[0, 0]
    both = torch.stack([pairs.low, pairs.high], 1)
    push = head_push(table, both[pairs.group == 0], euclid())
    moved = [float((table[p[:, 1]] - table[p[:, 0]]).mean(0) @ push) for p in both.split(4)]
    assert moved[1] / moved[0] == pytest.approx(float(found[1]))
    assert moved[2] / moved[0] == pytest.approx(float(found[2]))
