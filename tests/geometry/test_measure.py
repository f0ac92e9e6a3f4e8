"""The whole ruler: planted answers, absent concepts, nulls, intervals and their coverage."""

import json

import numpy as np
import pytest
import torch

from linrep import geometry
from linrep.errors import InputError
from linrep.geometry.uncertainty import CAP
from linrep.geometry.values import Side, similarity_values
from tests.support.seeded_worlds import cube, planted, seeded

NAMES = ("a", "b", "c", "d")
COMPLETE = geometry.counterfactual_pairs(cube(4, 3)), geometry.counterfactual_pairs(cube(4))


def random_tables(runs, dim=6, seed=0):
    f = torch.randn(runs, 81, dim, generator=seeded(seed), dtype=torch.float64)
    return f, torch.randn(runs, 16, dim, generator=seeded(seed + 1), dtype=torch.float64)


def every(found):
    records = [found.alignment] if found.alignment else []
    return [*records, *found.linearity.values(), *overlaps(found)]


def overlaps(found):
    return [each for both in found.orthogonality.values() for each in (both.mean_directions, both.rms)]


def test_planted_batch():
    f, g = (table.expand(4, *table.shape) for table in planted())
    pairs = [geometry.repeat(p, 4, t.shape[1]) for p, t in zip(COMPLETE, (f, g), strict=True)]
    found = geometry.measure(f, g, *pairs, generator=seeded(0))
    for record in (*found.linearity.values(), found.alignment):
        assert record.mean == pytest.approx(1)
        assert record.median == pytest.approx(1)
        assert record.interval95 == pytest.approx((1, 1))
        assert record.per_concept == pytest.approx(dict.fromkeys("0123", 1))
        assert record.per_run == pytest.approx([1] * 4)
        assert record.null.q95 < 0.5
        assert record.null.kind == "random pairs"
    for record in overlaps(found):
        assert record.mean == pytest.approx(0, abs=1e-7)
    assert found.linearity["embedding"].pairs == 4 * 4 * 27
    assert found.alignment.pairs == 4 * 4 * (27 + 8)
    torch.testing.assert_close(found.matrix("alignment"), torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("dim", [3, 64])
def test_random_tables_are_like_the_null(dim):
    """Negative control: on random tables the value is one more draw of the null, for every similarity."""
    exceeds = []
    for seed in range(5):
        f, g = random_tables(1, dim=dim, seed=100 * seed)
        found = geometry.measure(f, g, *COMPLETE, generator=seeded(seed), draws=40)
        exceeds.append([record.mean > record.null.q95 for record in every(found)])
        assert all(abs(record.mean - record.null.mean) < 0.3 for record in every(found))
    assert np.mean(exceeds) < 0.15


def test_shuffled_pairs_lose_the_structure():
    """On a linear table, dealing the high rows anew must cost linearity."""
    f, g = planted(4)
    found = geometry.measure(f[None], g[None], *COMPLETE, generator=seeded(0), null="shuffled pairs")
    assert found.linearity["unembedding"].null.kind == "shuffled pairs"
    assert found.linearity["unembedding"].null.q95 < 0.9
    with pytest.raises(InputError, match="shuffled"):
        geometry.measure(f[None], g[None], *COMPLETE, generator=seeded(0), null="none")


@pytest.mark.parametrize("runs", [1, 3])
def test_absent_concepts_are_none_and_left_out_of_means(runs):
    f, g = random_tables(runs)
    one = geometry.pairs_from_lists([[(0, 1), (2, 3), (4, 5)], [], [(0, 2), (4, 4)], [(1, 2), (5, 6)]])
    pairs = [geometry.repeat(one, runs, t.shape[1]) for t in (f, g)]
    found = geometry.measure(f, g, *pairs, names=NAMES, generator=seeded(0), draws=3)
    linear = found.linearity["embedding"]
    assert [value is None for value in linear.per_concept.values()] == [False, True, True, False]
    assert linear.mean == pytest.approx(np.mean([linear.per_concept["a"], linear.per_concept["d"]]))
    assert [value is None for value in found.alignment.per_concept.values()] == [False, True, False, False]
    assert found.values.zero == {"embedding": runs, "unembedding": runs}
    assert linear.pairs == 6 * runs
    for record in every(found):
        text = json.dumps(record.as_dict(), allow_nan=False)
        assert json.loads(text)["per_concept"]["b"] is None


def test_nothing_to_measure_is_none():
    _, g = random_tables(1)
    found = geometry.measure(None, g, None, geometry.pairs_from_lists([[], []]), generator=seeded(0))
    record = found.linearity["unembedding"]
    assert (record.mean, record.median, record.interval95, record.null, record.pairs) == (None,) * 4 + (0,)
    assert found.alignment is None
    assert "embedding" not in found.linearity


def test_batch_equals_single_runs_and_padding_is_inert():
    f, g = random_tables(3)
    stacked = [geometry.repeat(p, 3, t.shape[1]) for p, t in zip(COMPLETE, (f, g), strict=True)]
    batch = geometry.measure(f, g, *stacked, generator=seeded(0), draws=2)
    padded_f = torch.cat([f, torch.full((3, 9, 6), torch.nan, dtype=torch.float64)], 1)
    padded = geometry.measure(
        padded_f,
        g,
        geometry.repeat(COMPLETE[0], 3, 90),
        stacked[1],
        context_rows=torch.full((3,), 81),
        generator=seeded(0),
        draws=2,
    )
    for a, b in zip(every(batch), every(padded), strict=True):
        assert (a.per_run, a.per_concept, a.pairs) == (b.per_run, b.per_concept, b.pairs)
        assert b.null.mean == pytest.approx(a.null.mean, abs=0.2)
    for run in range(3):
        one = geometry.measure(f[run : run + 1], g[run : run + 1], *COMPLETE, generator=seeded(0), draws=1)
        for a, b in zip(every(batch), every(one), strict=True):
            assert a.per_run[run] == pytest.approx(b.mean, abs=1e-12)


def test_language_model_shaped():
    """One run, two vocabularies, half precision, ragged groups: a planted concept is found, noise is not."""
    rng = seeded(0)
    direction = torch.nn.functional.normalize(torch.randn(96, generator=rng), dim=0)
    words = torch.randn(400, 96, generator=rng)
    states = torch.randn(300, 96, generator=rng)
    words[1:80:2] = words[0:80:2] + 4 * direction + 0.1 * torch.randn(40, 96, generator=rng)
    states[1:60:2] = states[0:60:2] + 4 * direction + 0.1 * torch.randn(30, 96, generator=rng)
    word_pairs = geometry.pairs_from_lists(
        [[(2 * i, 2 * i + 1) for i in range(40)], [(2 * i + 100, 2 * i + 101) for i in range(50)]]
    )
    state_pairs = geometry.pairs_from_lists(
        [[(2 * i, 2 * i + 1) for i in range(30)], [(2 * i + 100, 2 * i + 101) for i in range(20)]]
    )
    found = geometry.measure(states.half()[None], words.half()[None], state_pairs, word_pairs, generator=rng)
    aligned = found.alignment.per_concept
    assert aligned["0"] > 0.9
    assert abs(aligned["1"]) < 0.1
    assert found.linearity["unembedding"].per_concept["0"] > 0.9
    assert abs(found.linearity["unembedding"].per_concept["1"]) < 0.1
    matrix = found.matrix("alignment")
    assert int(matrix[0].abs().argmax()) == 0
    low, high = found.alignment.interval95
    assert low < found.alignment.mean < high


def test_snapshot_is_measure_without_records():
    f, g = random_tables(3)
    stacked = [geometry.repeat(p, 3, t.shape[1]) for p, t in zip(COMPLETE, (f, g), strict=True)]
    values, null = geometry.snapshot(f, g, *stacked, generator=seeded(0))
    found = geometry.measure(f, g, *stacked, generator=seeded(1), draws=1)
    for key in values.concepts:
        torch.testing.assert_close(values.concepts[key], found.values.concepts[key])
        assert null.concepts[key].shape == values.concepts[key].shape


def test_equal_generators_give_equal_records():
    f, g = random_tables(1)
    one, two = (geometry.measure(f, g, *COMPLETE, generator=seeded(7), draws=3) for _ in range(2))
    assert every(one) == every(two)


def vectors_as_table(vectors):
    """A table whose first group's steering vectors are exactly these."""
    n = len(vectors)
    table = torch.cat([torch.zeros(1, vectors.shape[1], dtype=torch.float64), vectors])
    return table, geometry.pairs_from_lists([[(0, i + 1) for i in range(n)]])


@pytest.mark.parametrize("n", [40, 3 * CAP])
def test_coverage_over_vectors(n):
    """95 % intervals of linearity cover the population's ‖E û‖², all vectors or a part resampled."""
    rng = seeded(0)
    mean = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    many = torch.nn.functional.normalize(mean + torch.randn(10**6, 3, generator=rng, dtype=torch.float64))
    truth = many.mean(0).square().sum().item()
    covered, widths = [], []
    for _ in range(100):
        table, pairs = vectors_as_table(mean + torch.randn(n, 3, generator=rng, dtype=torch.float64))
        values = similarity_values(
            {"unembedding": Side(table=table[None], pairs=pairs, rows=torch.tensor([n]))}
        )
        interval = geometry.intervals_over_vectors({"unembedding": (table, pairs)}, values, generator=rng)[
            "linearity", "unembedding"
        ]
        covered.append(interval[0] <= truth <= interval[1])
        widths.append(interval[1] - interval[0])
    assert 0.86 <= np.mean(covered) <= 1
    # Linearity is quadratic in the mean: its standard error is 2‖m‖ times that of the mean along itself.
    along = (many @ (many.mean(0) / many.mean(0).norm())).std().item()
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 2 * truth**0.5 * along / n**0.5, rel=0.2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_vectors_have_no_interval(n):
    """Of three vectors nothing is known but their values."""
    mean = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    spread = torch.randn(n, 3, generator=seeded(0), dtype=torch.float64)
    table, pairs = vectors_as_table(mean + 0.2 * spread)
    side = Side(table=table[None], pairs=pairs, rows=torch.tensor([n]))
    values = similarity_values({"unembedding": side})
    found = geometry.intervals_over_vectors({"unembedding": (table, pairs)}, values, generator=seeded(0))
    assert set(found.values()) == {None}


def test_vectors_that_share_rows_are_not_counted_as_independent():
    """Rows of a cube with noise: every row is in one pair of each concept, so concepts vary together."""
    codes = torch.cartesian_prod(*[torch.arange(2)] * 4)
    pairs = geometry.counterfactual_pairs(codes)
    rng = seeded(0)
    found, covered, alone = [], [], []
    for _ in range(400):
        table = torch.nn.functional.pad(codes.double(), (0, 4))
        table += 0.2 * torch.randn(table.shape, generator=rng, dtype=torch.float64)
        side = Side(table=table[None], pairs=pairs, rows=torch.tensor([16]))
        values = similarity_values({"unembedding": side})
        intervals = geometry.intervals_over_vectors({"unembedding": (table, pairs)}, values, generator=rng)
        found.append(values.mean(("linearity", "unembedding")))
        covered.append(intervals["linearity", "unembedding"])
        # The same vectors, each pair given rows of its own.
        apart = torch.cat([table[pairs.low], table[pairs.high]])
        number = len(pairs.low)
        own = geometry.pairs_from_lists(
            [[(i, number + i) for i in (pairs.group == g).nonzero()[:, 0].tolist()] for g in range(4)]
        )
        side = Side(table=apart[None], pairs=own, rows=torch.tensor([len(apart)]))
        values = similarity_values({"unembedding": side})
        intervals = geometry.intervals_over_vectors({"unembedding": (apart, own)}, values, generator=rng)
        alone.append(intervals["linearity", "unembedding"])
    truth = float(np.mean(found))
    assert np.mean([low <= truth <= high for low, high in covered]) > 0.92
    assert np.mean([low <= truth <= high for low, high in alone]) < 0.91


def test_bad_input_is_said():
    f, g = random_tables(2)
    one = COMPLETE[1]
    with pytest.raises(InputError, match="both or none"):
        geometry.measure(None, g, COMPLETE[0], one, generator=seeded(0))
    with pytest.raises(InputError, match="neither"):
        geometry.measure(None, None, None, None, generator=seeded(0))
    with pytest.raises(InputError, match="beyond its end"):
        geometry.measure(None, g[:, :3], None, one, generator=seeded(0))
    with pytest.raises(InputError, match="one group per run"):
        geometry.measure(None, g, None, geometry.pairs_from_lists([[(0, 1)]] * 3), generator=seeded(0))
    with pytest.raises(InputError, match="equal runs"):
        geometry.measure(f, g, geometry.repeat(COMPLETE[0], 2, 81), one, generator=seeded(0))
