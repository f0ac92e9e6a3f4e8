"""Simplices and hierarchies: planted ones, slow twins, invariances, and controls that must not show them."""

import itertools

import numpy as np
import pytest
import torch

from linrep import geometry
from linrep.geometry.pairs import matrix_over_contrasts, over_contrasts
from tests.support.seeded_worlds import seeded

CODES = torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(2))


def orthonormal(dim, seed=0):
    return torch.linalg.qr(torch.randn(dim, dim, generator=seeded(seed), dtype=torch.float64)).Q


def planted(seed=0, dim=12):
    """Additive: a regular simplex of each concept, in subspaces of their own."""
    basis, table, at = orthonormal(dim, seed), 0, 0
    for column, size in zip(CODES.T, (3, 4, 2), strict=True):
        table = table + basis[at : at + size][column]
        at += size
    return table[None]


def noise(rows, dim=12, seed=3, runs=2):
    return torch.randn(runs, rows, dim, generator=seeded(seed), dtype=torch.float64)


def pairs_of(concept, values):
    return geometry.contrast_pairs(
        CODES, [(concept, low, high) for low, high in itertools.combinations(range(values), 2)]
    )


@pytest.mark.parametrize(("concept", "values"), [(0, 3), (1, 4)])
def test_planted_simplices_are_regular_and_noise_is_not(concept, values):
    corners = geometry.vertices(planted(), CODES[:, concept], values)
    assert float(geometry.regular_deviation(corners)) == pytest.approx(0, abs=1e-6)
    assert float(geometry.span_share(planted(), pairs_of(concept, values), values - 1)) == pytest.approx(1)
    assert int(torch.linalg.matrix_rank(corners[0])) == values - 1
    random = noise(len(CODES))
    assert geometry.regular_deviation(geometry.vertices(random, CODES[:, concept], values)).min() > 2
    assert geometry.span_share(random, pairs_of(concept, values), values - 1).max() < 0.8


def test_a_line_of_values_is_no_simplex():
    line = CODES[:, 0].double()[None, :, None] * torch.eye(1, 5, dtype=torch.float64)
    corners = geometry.vertices(line, CODES[:, 0], 3)
    # The vertex in the middle is zero: it has no angle.
    assert geometry.regular_deviation(corners).isnan().all()
    assert float(geometry.span_share(line, pairs_of(0, 3), 1)) == pytest.approx(1)


def test_slow_twins():
    table = noise(len(CODES))
    corners = geometry.vertices(table, CODES[:, 1], 4)
    for run, x in enumerate(np.asarray(table)):
        means = np.stack([x[np.asarray(CODES[:, 1]) == value].mean(0) for value in range(4)])
        means = means - means.mean(0)
        np.testing.assert_allclose(corners[run], means, atol=1e-12)
        angles = [
            np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
            for u, v in itertools.combinations(means, 2)
        ]
        expected = np.degrees(np.sqrt(np.mean((np.array(angles) - np.arccos(-1 / 3)) ** 2)))
        assert float(geometry.regular_deviation(corners)[run]) == pytest.approx(expected)
        found = pairs_of(1, 4)
        units = x[found.high] - x[found.low]
        units = units / np.linalg.norm(units, axis=1, keepdims=True)
        energy = np.linalg.svd(units, compute_uv=False) ** 2
        share = geometry.span_share(table, found, 3)
        assert float(share[run]) == pytest.approx(energy[:3].sum() / len(units))


PARENT = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1])
CHILD = torch.tensor([-1, -1, 0, 0, 1, 1, 2, 2])


def nested(seed=0):
    """Parent, child and one more binary concept, each with directions of its own."""
    basis = orthonormal(9, seed)
    child = torch.where(CHILD[:, None] >= 0, basis[1:4][CHILD] - basis[1:4].mean(0), 0.0)
    return (PARENT[:, None] * basis[0] + 2 * child + (torch.arange(8) % 2)[:, None] * basis[5])[None]


def test_a_planted_hierarchy_is_orthogonal_and_a_slanted_one_is_not():
    straight = geometry.child_overlap(nested(), PARENT, 1, CHILD, 3)
    assert straight.abs().max() < 1e-12
    slant = nested().clone()
    slant[:, CHILD == 0] += 3 * orthonormal(9)[0]
    assert geometry.child_overlap(slant, PARENT, 1, CHILD, 3)[0, 0] > 0.5


def test_child_overlap_slow_twin_and_invariance():
    table = noise(8, dim=6)
    found = geometry.child_overlap(table, PARENT, 1, CHILD, 3)
    for run, x in enumerate(table):
        w = x[PARENT == 1].mean(0)
        for value in range(3):
            child = x[value == CHILD].mean(0) - w
            expected = torch.cosine_similarity(w - x[PARENT == 0].mean(0), child, dim=0)
            assert float(found[run, value]) == pytest.approx(float(expected))
    turned = 3 * table @ orthonormal(6) + 5
    torch.testing.assert_close(geometry.child_overlap(turned, PARENT, 1, CHILD, 3), found)
    other = table @ torch.diag(torch.arange(1.0, 7.0, dtype=torch.float64))
    assert (geometry.child_overlap(other, PARENT, 1, CHILD, 3) - found).abs().max() > 0.01
    corners = geometry.vertices(table, CHILD, 3)
    same = geometry.vertices(turned, CHILD, 3)
    torch.testing.assert_close(geometry.regular_deviation(corners), geometry.regular_deviation(same))


def test_what_does_not_exist_is_nan():
    table = noise(8, dim=6)
    assert geometry.child_overlap(table, torch.ones(8).long(), 1, CHILD, 3).isnan().all()
    assert geometry.child_overlap(table, PARENT, 1, CHILD, 4)[:, 3].isnan().all()
    assert geometry.child_overlap(torch.ones(1, 8, 2), PARENT, 1, CHILD, 3).isnan().all()
    assert geometry.regular_deviation(geometry.vertices(table, CHILD, 4)).isnan().all()
    assert geometry.regular_deviation(geometry.vertices(table, PARENT, 2)).isnan().all()


def test_contrasts_are_every_two_values_and_slow_twin_agrees():
    wanted = geometry.contrasts((3, 4, 2))
    assert len(wanted) == 3 + 6 + 1
    found = geometry.contrast_pairs(CODES, wanted)
    rows = [tuple(row) for row in CODES.tolist()]
    slow = [
        (a, b, place)
        for place, (i, low, high) in enumerate(wanted)
        for a in range(len(rows))
        for b in range(len(rows))
        if rows[a][i] == low and rows[b] == (*rows[a][:i], high, *rows[a][i + 1 :])
    ]
    assert list(zip(found.low.tolist(), found.high.tolist(), found.group.tolist(), strict=True)) == slow


def test_a_concept_is_the_mean_of_its_contrasts():
    codes, wanted = CODES, geometry.contrasts((3, 4, 2))
    concept_of = torch.tensor([i for i, _, _ in wanted])
    table, pairs = noise(len(codes), runs=1), geometry.contrast_pairs(codes, wanted)
    found = geometry.measure(None, table, None, pairs, concept_of=concept_of, generator=seeded(0), draws=2)
    apart = geometry.measure(None, table, None, pairs, generator=seeded(0), draws=2)
    each = torch.tensor([*apart.linearity["unembedding"].per_concept.values()], dtype=torch.float64)
    expected = [float(each[concept_of == i].mean()) for i in range(3)]
    assert tuple(found.linearity["unembedding"].per_concept.values()) == pytest.approx(expected)
    whole, parts = (
        found.matrix("orthogonality.rms", "unembedding"),
        apart.matrix("orthogonality.rms", "unembedding"),
    )
    assert float(whole[0, 1]) == pytest.approx(float(parts[:3, 3:9].square().mean().sqrt()))
    assert float(found.matrix("orthogonality.mean_directions", "unembedding")[0, 0]) == pytest.approx(1)
    low, high = found.linearity["unembedding"].interval95 or (1, 0)
    assert low <= (found.linearity["unembedding"].mean or 0) <= high


def test_planted_tables_are_linear_and_orthogonal():
    wanted = geometry.contrasts((3, 4, 2))
    found = geometry.measure(
        planted(), planted(), *[geometry.contrast_pairs(CODES, wanted)] * 2,
        concept_of=torch.tensor([i for i, _, _ in wanted]), generator=seeded(0), draws=2,
    )  # fmt: skip
    assert tuple(found.linearity["unembedding"].per_concept.values()) == pytest.approx((1, 1, 1))
    assert found.alignment is not None
    assert tuple(found.alignment.per_concept.values()) == pytest.approx((1, 1, 1))
    assert found.orthogonality["unembedding"].rms.mean == pytest.approx(0, abs=1e-6)


def test_binary_concepts_are_left_as_they_are():
    values = noise(4, dim=4, runs=1)[0]
    assert over_contrasts(values, None) is values
    assert matrix_over_contrasts(values[None], None).data_ptr() == values.data_ptr()
    codes = torch.cartesian_prod(*[torch.arange(2)] * 3)
    one, other = (
        geometry.counterfactual_pairs(codes),
        geometry.contrast_pairs(codes, geometry.contrasts((2,) * 3)),
    )
    assert torch.equal(one.low, other.low)
    assert torch.equal(one.high, other.high)
    assert torch.equal(one.group, other.group)
