"""Planted directions are read back, planted nulls are not found, and the ruler is the ruler."""

import json
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from linrep import geometry
from linrep.errors import InputError
from linrep.vectors import VectorsOptions, VectorsResult, measure_vectors
from linrep.vectors.attributes import join
from linrep.vectors.directions import directions
from linrep.vectors.pairs import design, of_group
from linrep.vectors.reading import read_vectors
from linrep.vectors.stability import evidence, shuffled_statistic

from .planted import additive, grid, named, rng

FEW = VectorsOptions(draws=100)


def planted_directions(cosine: float, dim: int = 12) -> torch.Tensor:
    """Two unit vectors at that cosine, and a zero."""
    axes = torch.linalg.qr(torch.randn(dim, 3, generator=rng(5), dtype=torch.float64))[0].T
    second = cosine * axes[0] + (1 - cosine**2) ** 0.5 * axes[1]
    return torch.stack([axes[0], 3 * second, torch.zeros(dim, dtype=torch.float64)])


@pytest.mark.parametrize("cosine", [0.0, 0.6, -0.3])
def test_planted_directions_and_cosines_are_recovered(cosine: float) -> None:
    codes = grid((2, 2, 2), copies=40)
    truth = planted_directions(cosine)
    found = measure_vectors(additive(codes, truth, 0.05), named(codes), options=FEW)
    assert [each["found"] for each in found.summary["concepts"]] == [True, True, False]
    assert found.matrix("orthogonality_mean").loc["a", "b"] == pytest.approx(abs(cosine), abs=0.02)
    # Noise adds 2 s² to the mean square cosine from either side, less where the direction is 3 long.
    rms = (cosine**2 + (1 - cosine**2) * 2 * 0.05**2 * (1 + 1 / 9)) ** 0.5
    assert found.matrix("orthogonality_rms").loc["a", "b"] == pytest.approx(rms, abs=0.02)
    # Noise of sd s in both rows of a pair: the mean cosine is about 1/(1 + 2 s² (dim - 1)).
    linear = found.value("linearity", "a")
    assert linear.value == pytest.approx(1 / (1 + 2 * 0.05**2 * 11), abs=0.01)
    assert linear.low < linear.value < linear.high
    assert linear.low > max(linear.shuffled.q95, linear.null.q95)
    assert found.value("split_half", "a").value > 0.99
    assert found.value("additive_share").value > 0.99


def test_directions_themselves() -> None:
    codes = grid((2, 2, 2), copies=40)
    truth = planted_directions(0.4)
    table = additive(codes, truth, 0.05)
    sample = join(read_vectors(table), named(codes))
    for fewest in (10, 10_000):  # matched pairs, class means
        plan = design(sample.attributes, fewest=fewest, most=1000, generator=rng())
        found = directions(table, plan)
        agreement = (found[:2] * torch.nn.functional.normalize(truth[:2], dim=1)).sum(1)
        assert bool((agreement > 0.99).all())


def test_interaction_lowers_the_additive_share() -> None:
    codes = grid((2, 2), copies=30)
    truth = planted_directions(0.0)
    bent = additive(codes, truth[:2], 0.05)
    bent += (
        2 * (codes[:, 0] * codes[:, 1])[:, None] * torch.randn(1, 12, generator=rng(9), dtype=torch.float64)
    )
    straight = measure_vectors(additive(codes, truth[:2], 0.05), named(codes), options=FEW)
    found = measure_vectors(bent, named(codes), options=FEW)
    assert found.value("additive_share").value < 0.9 < straight.value("additive_share").value
    assert found.value("linearity", "a").value < straight.value("linearity", "a").value - 0.2


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_attributes_kill_every_effect(seed: int) -> None:
    codes = grid((2, 2), copies=60)
    table = additive(codes, planted_directions(0.0)[:2], 0.3)
    shuffled = codes[torch.randperm(len(codes), generator=rng(seed))]
    found = measure_vectors(table, named(shuffled), seed=seed, options=FEW)
    for name in "ab":
        row = found.value("linearity", name)
        assert abs(row.value) < 0.05
        assert found.value("linearity", name).p > 0.01
    kept = measure_vectors(table, named(codes), seed=seed, options=FEW)
    assert min(kept.value("linearity", name).value for name in "ab") > 0.3


def test_false_alarms_are_as_rare_as_said() -> None:
    """A concept is found at p ≤ 0.05: over pure noise, in about one of twenty."""
    codes = grid((2, 2), copies=12)
    given = join(read_vectors(torch.randn(len(codes), 6, generator=rng())), named(codes)).attributes
    for fewest in (2, 1000):
        plan = design(given, fewest=fewest, most=99, generator=rng())
        alarms = 0
        for seed in range(300):
            table = torch.randn(len(codes), 6, generator=rng(seed))
            found = evidence(table, plan, 0, generator=rng(seed))
            value, shuffled = shuffled_statistic(found, draws=99, generator=rng(seed))
            alarms += 1 + int((shuffled >= value).sum()) <= 5
        assert 3 <= alarms <= 30  # 15 expected; 4 standard deviations


def test_the_ruler_is_the_ruler() -> None:
    """What is reported for all pairs of a full grid is what geometry says of the same pairs."""
    codes = grid((2, 2, 2, 2))
    table = torch.randn(16, 7, generator=rng(1), dtype=torch.float64)
    options = VectorsOptions(draws=20, fewest_pairs=2)
    found = measure_vectors(table, named(codes), options=options)
    moments = geometry.steering_moments(table, geometry.counterfactual_pairs(codes))
    linearity = geometry.linearity(moments)
    for i, name in enumerate("abcd"):
        assert found.value("linearity", name).value == pytest.approx(float(linearity[i]), abs=1e-12)
    torch.testing.assert_close(
        torch.tensor(found.matrices["orthogonality_rms"].values, dtype=torch.float64),
        geometry.orthogonality_rms(moments)[0],
    )
    share = geometry.additive_share(table[None], codes, (2, 2, 2, 2)).share
    assert found.value("additive_share").value == pytest.approx(float(share[0]))


def test_unmatched_data_fall_back_to_class_means_and_say_so() -> None:
    """Attributes that never vary alone: no matched pair exists."""
    codes = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]).repeat(30, 1)
    truth = torch.eye(3, 8, dtype=torch.float64)
    truth[2] = 0
    found = measure_vectors(additive(codes, truth, 0.3), named(codes), options=FEW)
    concepts = found.summary["concepts"]
    assert {each["method"] for each in concepts} == {"class means"}
    assert {each["matched_pairs"] for each in concepts} == {0}
    assert [each["found"] for each in concepts] == [True, True, False]
    assert found.summary["notes"][0].startswith(
        "a: no matched pair, too few: measured as the difference of class"
    )
    row = found.value("linearity", "a")
    assert row.value != row.value  # without pairs there is none
    assert found.summary["measures"]["linearity"]["per_concept"]["a"] is None
    assert found.value("split_half", "a").value > 0.9
    assert found.value("resampled", "a").low > 0.9
    assert found.matrix("orthogonality_mean").loc["a", "b"] < 0.15
    json.dumps(found.json(), allow_nan=False)


def test_pairs_and_class_means_side_by_side() -> None:
    """Few matched pairs for one concept only."""
    codes = torch.cat([grid((2, 1), 30), torch.tensor([[0, 1]] * 3)])
    table = additive(codes, torch.eye(2, 5), 0.2)
    found = measure_vectors(table, named(codes), options=VectorsOptions(draws=100, fewest_pairs=10))
    assert [each["method"] for each in found.summary["concepts"]] == ["matched pairs", "class means"]
    assert "b: 3 matched pairs, too few" in found.summary["notes"][0]
    plainly = measure_vectors(table, named(codes), options=FEW)
    assert [each["method"] for each in plainly.summary["concepts"]] == ["matched pairs", "matched pairs"]
    assert plainly.value("linearity", "b").value > 0.5
    assert "b (3): fewer than 10 matched pairs" in plainly.summary["notes"][0]
    assert found.summary["measures"]["orthogonality_mean"]["mean"] is not None


def test_categorical_attributes() -> None:
    codes = grid((3, 2), copies=30)
    centres = torch.eye(4, 10, dtype=torch.float64)
    table = 2 * centres[codes[:, 0]] + 3 * codes[:, 1, None] * centres[3]
    table = table + 0.1 * torch.randn(table.shape, generator=rng(), dtype=torch.float64)
    colours = ["red", "green", "blue"]
    given = {"colour": [colours[c] for c in codes[:, 0]], "big": codes[:, 1].tolist()}
    found = measure_vectors(table, given, options=FEW)
    assert found.concepts == ("colour: blue → green", "colour: blue → red", "big")
    assert all(each["found"] for each in found.summary["concepts"])
    # One value is shared, so these two overlap by construction; that is left out of the means.
    assert found.matrix("orthogonality_mean").iloc[0, 1] == pytest.approx(0.5, abs=0.05)
    assert found.value("orthogonality_mean", "colour: blue → red").value < 0.1
    assert found.summary["measures"]["orthogonality_mean"]["interval95"] is None
    assert any("overlap by construction" in note for note in found.summary["notes"])


def test_causal_inner_product_whitens() -> None:
    """Cosines under Cov⁻¹ do not change when the vectors are mapped by any invertible matrix."""
    codes = grid((2, 2), copies=40)
    table = additive(codes, planted_directions(0.6)[:2], 0.5)
    mixed = table @ torch.randn(12, 12, generator=rng(3), dtype=torch.float64)
    one, two = (measure_vectors(x, named(codes), inner="causal", options=FEW) for x in (table, mixed))
    euclid = measure_vectors(mixed, named(codes), options=FEW)
    value = one.value("linearity", "a").value
    assert two.value("linearity", "a").value == pytest.approx(value, abs=1e-6)
    assert abs(euclid.value("linearity", "a").value - value) > 0.01


def test_seeds() -> None:
    codes = grid((2, 2), copies=20)
    table = additive(codes, planted_directions(0.0)[:2], 1.0)
    one, again, other = (measure_vectors(table, named(codes), seed=seed, options=FEW) for seed in (0, 0, 1))
    assert one.json() == again.json()
    assert one.json() != other.json()
    assert one.summary["data_hash"] == other.summary["data_hash"]
    moved = measure_vectors(table + 1, named(codes), options=FEW)
    assert moved.summary["data_hash"] != one.summary["data_hash"]
    assert one.summary["options"]["draws"] == 100


def test_invariant_to_rotation_shift_and_scale() -> None:
    codes = grid((2, 2), copies=20)
    table = additive(codes, planted_directions(0.2)[:2], 0.3)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=rng(2), dtype=torch.float64))[0]
    one, two = (measure_vectors(x, named(codes), options=FEW) for x in (table, 7 * (table @ turn) + 5))
    for measure in ("linearity", "orthogonality_mean", "split_half", "resampled"):
        assert two.value(measure, "a").value == pytest.approx(one.value(measure, "a").value, abs=1e-6)


def test_result_is_tidy_and_saved(tmp_path: Path) -> None:
    import pandas as pd

    codes = grid((2, 2), copies=20)
    found = measure_vectors(additive(codes, torch.eye(2, 5), 0.2), named(codes), options=FEW)
    assert not found.table.duplicated(["concept", "measure"]).any()
    folder = found.save(tmp_path / "new" / "out")
    assert json.loads((folder / "result.json").read_text())["vectors"]["rows"] == 80
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "table.parquet"), found.table)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "map.parquet"), found.map)
    assert len(pd.read_csv(folder / "table.csv")) == len(found.table)
    assert found.plot().data[0].z is not None
    with pytest.raises(KeyError, match="found 0"):
        found.value("linearity", "nobody")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inner": "random"}, 'inner: expected "euclid" or "causal"'),
        ({"options": VectorsOptions(fewest_pairs=1)}, "fewest_pairs: expected at least 2"),
        ({"options": VectorsOptions(axes=("a", "z"))}, "axes: expected two or three .* got 'z'"),
        ({"options": VectorsOptions(axes=("a",))}, "got 1"),
        ({"other": torch.randn(7, 3)}, "other: expected 80 rows, as many as vectors has, got 7"),
    ],
)
def test_wrong_choices_in_one_line(options: dict, words: str) -> None:
    codes = grid((2, 2), copies=20)
    with pytest.raises(InputError, match=words):
        measure_vectors(additive(codes, torch.eye(2, 5), 0.2), named(codes), **options)


def test_a_pair_of_equal_rows_and_equal_classes() -> None:
    """Differences of zero have no direction: absent, never NaN in the record."""
    codes = grid((2, 2), copies=12)
    table = codes[:, :1].to(torch.float64) * torch.ones(1, 3)
    found = measure_vectors(table, named(codes), options=FEW)
    assert found.summary["concepts"][1]["found"] is None
    json.dumps(found.json(), allow_nan=False)


def test_the_null_of_pairs_is_the_rulers_with_rows_exchanged() -> None:
    """Turning unit vectors round is what exchanging low and high in `Pairs` does."""
    from linrep.geometry import Pairs, linearity, steering_moments
    from linrep.vectors.directions import units

    codes = grid((2, 2), copies=10)
    table = torch.randn(40, 4, generator=rng(), dtype=torch.float64)
    plan = design(join(read_vectors(table), named(codes)).attributes, fewest=2, most=99, generator=rng())
    one = of_group(plan.pairs, 0)
    swap = torch.rand(len(one.low), generator=rng()) < 0.5
    low, high = torch.where(swap, one.high, one.low), torch.where(swap, one.low, one.high)
    direct = linearity(steering_moments(table, Pairs(low=low, high=high, group=one.group, groups=1)))
    signed = torch.where(swap, -1.0, 1.0).to(torch.float64) @ units(table, plan.pairs, 0)
    number = len(swap)
    assert float(direct[0]) == pytest.approx(
        float((signed.square().sum() - number) / (number * (number - 1)))
    )


def test_a_hundred_thousand_rows_in_seconds_and_little_memory() -> None:
    rows, dim = 100_000, 256
    codes = torch.randint(0, 2, (rows, 3), generator=rng())
    table = torch.randn(rows, dim, generator=rng())
    table[:, 0] += 3 * codes[:, 0]
    attributes = named(codes)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.process_time()
    found = measure_vectors(table, attributes, options=VectorsOptions(draws=100, most_pairs=500))
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
    assert [each["found"] for each in found.summary["concepts"]] == [True, False, False]
    assert seconds < 30
    assert grown < 1_000_000  # KiB: ten times the vectors; all pairs would take 600 times as much


def test_reading_leaves_the_caller_alone() -> None:
    codes = grid((2, 2), copies=12)
    table = additive(codes, torch.eye(2, 4), 0.2).numpy()
    before = table.copy()
    measure_vectors(table, named(codes), other=table, inner="causal", options=VectorsOptions(draws=20))
    np.testing.assert_array_equal(table, before)


@pytest.mark.parametrize("by", ["id", "content"])
def test_the_order_of_rows_is_nothing(by: str) -> None:
    """Ids or what rows hold decide who is dealt to whom, not where rows stand."""
    table, other = (torch.randn(60, dim, generator=rng(dim)) for dim in (4, 3))
    codes, order = torch.randint(0, 2, (60, 2), generator=rng(2)), torch.randperm(60, generator=rng(1))

    def frame(x: torch.Tensor, rows: torch.Tensor) -> pd.DataFrame:
        own = {"id": [f"row {i}" for i in rows.tolist()]} if by == "id" else {}
        return pd.DataFrame(x[rows].numpy()).add_prefix("x").assign(**own)

    def measured(rows: torch.Tensor) -> VectorsResult:
        attributes = frame(codes, rows).rename(columns={"x0": "a", "x1": "b"})
        return measure_vectors(frame(table, rows), attributes, other=frame(other, rows), options=FEW)

    straight, mixed = measured(torch.arange(60)), measured(order)
    pd.testing.assert_frame_equal(straight.table, mixed.table, check_exact=True)
    for name in ("data_hash", "transfer", "measures"):
        assert straight.summary[name] == mixed.summary[name]
    table[0] += 1
    assert not measured(order).table.equals(mixed.table), "other data have other numbers"
