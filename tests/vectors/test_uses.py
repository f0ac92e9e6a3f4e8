"""Anomalies, transfer, stability and map on planted answers."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from linrep.errors import InputError
from linrep.linalg import cosine
from linrep.page.vectors import render
from linrep.vectors import VectorsOptions, VectorsResult, measure_vectors
from linrep.vectors.anomalies import pair_anomalies
from linrep.vectors.attributes import join
from linrep.vectors.directions import units
from linrep.vectors.map import concept_map
from linrep.vectors.pairs import design
from linrep.vectors.reading import read_vectors
from linrep.vectors.transfer import procrustes

from .planted import additive, grid, named, rng

FEW = VectorsOptions(draws=60)


def rotation(dim: int, seed: int = 0) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(dim, dim, generator=rng(seed), dtype=torch.float64))[0]


# --- anomalies ---


def test_pair_cosines_leave_the_pair_out() -> None:
    codes = grid((2, 2), copies=9)
    table = torch.randn(36, 5, generator=rng(), dtype=torch.float64)
    plan = design(join(read_vectors(table), named(codes)).attributes, fewest=2, most=99, generator=rng())
    found = pair_anomalies(table, plan.every)
    for group in range(2):
        u = units(table, plan.every, group)
        slow = [float(cosine(u[p], u.sum(0) - u[p])) for p in range(len(u))]
        np.testing.assert_allclose(found.cosine[plan.every.group == group].numpy(), slow, atol=1e-12)


@pytest.mark.parametrize("kind", ["turned", "mislabelled"])
def test_a_planted_anomaly_is_found_first(kind: str) -> None:
    codes = grid((2, 2), copies=40)
    table = additive(codes, 4 * torch.eye(2, 10), 0.3)
    table[17] = 5 * torch.nn.functional.one_hot(torch.tensor(7), 10) if kind == "turned" else table[17]
    attributes = named(codes)
    if kind == "mislabelled":
        attributes["a"][17] = 1 - attributes["a"][17]
    found = measure_vectors(table, attributes, options=FEW).summary["anomalies"]
    assert "17" in (found["pairs"][0]["low"], found["pairs"][0]["high"])
    assert found["pairs"][0]["score"] > 5
    assert found["rows"][0]["row"] == "17"
    if kind == "mislabelled":
        assert found["rows"][0]["concept"] == "a"
        assert found["rows"][0]["wrong_side"] is True
        assert found["pairs"][0]["cosine"] < 0.5  # both rows are alike: their difference is noise
    assert not found["rows"][1]["wrong_side"]


def test_anomalous_rows_are_found_without_pairs_too() -> None:
    codes = torch.tensor([[0, 0], [1, 1]]).repeat(40, 1)
    table = additive(codes, 4 * torch.eye(2, 10), 0.3)
    table[6] *= -3
    table[6, 0] = 9
    found = measure_vectors(table, named(codes), options=FEW).summary["anomalies"]
    assert found["pairs"] == []
    assert found["rows"][0]["row"] == "6"


# --- transfer ---


def test_procrustes_is_scipys_and_orthogonal() -> None:
    x, y = (torch.randn(40, 6, generator=rng(s), dtype=torch.float64) for s in (1, 2))
    found, scale = procrustes(x, y)
    expected, overlap = orthogonal_procrustes((x - x.mean(0)).numpy(), (y - y.mean(0)).numpy())
    torch.testing.assert_close(found, torch.from_numpy(expected))
    assert scale == pytest.approx(overlap / float((x - x.mean(0)).square().sum()))
    torch.testing.assert_close(found @ found.T, torch.eye(6, dtype=torch.float64))


@pytest.mark.parametrize("wide", [8, 12])
@pytest.mark.parametrize("matched", [True, False])
def test_a_planted_rotation_carries_directions_over(wide: int, matched: bool) -> None:
    codes = grid((2, 2), copies=50) if matched else torch.tensor([[0, 0], [1, 1]]).repeat(100, 1)
    table = additive(codes, 2 * torch.eye(2, 8), 0.5)
    turn = rotation(wide, 3)[:8]
    other = 3 * table @ turn + 1 + 0.05 * torch.randn(len(table), wide, generator=rng(4), dtype=torch.float64)
    found = measure_vectors(table, named(codes), other=other, options=FEW)
    row = found.value("transfer", "a")
    own = found.value("transfer_own", "a").value
    assert row.value == pytest.approx(own, abs=0.02)
    assert row.value > 0.6  # at most 2/√(4 + 2 · 8 · 0.5²) = 0.71 with single pairs
    assert row.value > row.null.q95 + 0.1
    assert found.summary["transfer"]["rows_explained"] > 0.98
    if matched:
        assert row.low < row.value < row.high
        assert row.pairs > 20


def test_unrelated_vectors_carry_nothing_over() -> None:
    codes = grid((2, 2), copies=50)
    table = additive(codes, 2 * torch.eye(2, 8), 0.5)
    other = torch.randn(200, 8, generator=rng(8), dtype=torch.float64)
    found = measure_vectors(table, named(codes), other=other, options=FEW)
    for name in "ab":
        assert abs(found.value("transfer", name).value) < 0.15
    assert found.summary["transfer"]["rows_explained"] < 0.1


def test_a_concept_the_other_set_lacks_does_not_carry_over() -> None:
    codes = grid((2, 2), copies=100)
    directions = 2 * torch.eye(2, 8)
    lacking = directions.clone()
    lacking[1] = 0
    rest = torch.randn(400, 8, generator=rng(1), dtype=torch.float64)
    table = additive(codes, directions, 0.0) + rest
    other = (additive(codes, lacking, 0.0) + rest) @ rotation(8)
    found = measure_vectors(table, named(codes), other=other, options=FEW)
    assert found.value("transfer", "a").value > 0.35
    assert found.value("transfer", "b").value < 0.15


def test_other_vectors_are_joined_by_id() -> None:
    import pandas as pd

    codes = grid((2, 2), copies=30)
    table = additive(codes, 2 * torch.eye(2, 4), 0.3)
    ids = [f"i{row}" for row in range(120)]
    first = pd.DataFrame(table.numpy(), columns=list("wxyz")).assign(id=ids)
    order = torch.randperm(120, generator=rng()).tolist()
    second = first.iloc[order]
    attributes = {"id": ids, **named(codes)}
    found = measure_vectors(first, attributes, other=second, options=FEW)
    assert found.summary["transfer"]["rows_explained"] > 0.999
    with pytest.raises(InputError, match="other: expected vectors for the same ids, 20 of 120"):
        measure_vectors(first, attributes, other=first.iloc[:100], options=FEW)


# --- stability ---


def noisy(noise: float) -> VectorsResult:
    codes = grid((2, 2), copies=25)
    return measure_vectors(additive(codes, torch.eye(2, 20), noise), named(codes), options=FEW)


def test_stability_falls_with_noise() -> None:
    results = [noisy(level) for level in (0.1, 1.0, 5.0)]
    for measure in ("split_half", "resampled", "linearity"):
        values = [result.value(measure, "a").value for result in results]
        assert values[0] > values[1] + 0.02 > values[2] + 0.03
    added = [results[0].value(f"noise_{level}", "a").value for level in ("0.1", "0.3", "1", "3")]
    assert added == sorted(added, reverse=True)
    assert added[0] > 0.99
    linear = [results[0].value(f"linearity_noise_{level}", "a").value for level in ("0.1", "0.3", "1", "3")]
    assert linear == sorted(linear, reverse=True)


def test_halves_of_one_direction_agree_and_of_none_do_not() -> None:
    result = noisy(0.05)
    assert result.value("split_half", "a").low > 0.99
    codes = grid((2, 2), copies=25)
    nothing = measure_vectors(torch.randn(100, 50, generator=rng(2)), named(codes), options=FEW)
    row = nothing.value("split_half", "a")
    assert abs(row.value) < 0.3
    assert row.shuffled.mean == pytest.approx(0, abs=0.1)


# --- map ---


def test_map_axes_are_orthonormal_and_nearest() -> None:
    directions = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]], dtype=torch.float64), dim=1
    )
    table = torch.randn(50, 4, generator=rng(), dtype=torch.float64)
    found = concept_map(table, directions, ["a", "b"], most=100, generator=rng())
    assert found.tilt[0] == pytest.approx(found.tilt[1])  # neither concept goes first
    centred = table - table.mean(0)
    flat = torch.linalg.qr(directions.T)[0].T
    torch.testing.assert_close(torch.cdist(found.coordinates, found.coordinates),
                               torch.cdist(centred @ flat.T, centred @ flat.T))  # fmt: skip


def test_map_separates_the_values_of_its_axes() -> None:
    codes = grid((2, 2, 2), copies=25)
    options = VectorsOptions(draws=60, map_rows=60)
    found = measure_vectors(additive(codes, 3 * torch.eye(3, 6), 0.2), named(codes), options=options)
    assert len(found.map) == 60
    for axis, name in zip("xyz", found.summary["map"]["axes"], strict=True):
        low, high = (found.map[found.map[name] == value][axis] for value in ("0", "1"))
        assert low.max() < high.min()


def test_axes_of_ones_own_and_parallel_ones() -> None:
    codes = grid((2, 2, 2), copies=25)
    same = torch.stack([torch.eye(4)[0], torch.eye(4)[0], torch.eye(4)[1]])
    options = VectorsOptions(draws=60, axes=("c", "b"))
    found = measure_vectors(additive(codes, 3 * same, 0.01), named(codes), options=options)
    assert found.summary["map"]["axes"] == ["c", "b"]
    line = concept_map(torch.eye(4).double(), same[:2].double(), ["a", "b"], most=9, generator=rng())
    assert line.axes == ("a",)


def test_concepts_not_found_are_no_third_axis() -> None:
    codes = grid((2, 2, 2), copies=25)
    directions = 3 * torch.eye(3, 6)
    directions[0] = 0
    found = measure_vectors(additive(codes, directions, 0.2), named(codes), options=FEW)
    assert sorted(found.summary["map"]["axes"]) == ["b", "c"]


def test_attributes_may_be_called_as_coordinates_are() -> None:
    codes = grid((2, 2), copies=15)
    attributes = {"x": codes[:, 0], "row": codes[:, 1]}
    found = measure_vectors(additive(codes, 3 * torch.eye(2, 6), 0.2), attributes, options=FEW)
    assert list(found.map.columns) == ["x (attribute)", "row (attribute)", "row", "x", "y"]
    assert found.map["x"].dtype == float
    assert "x: 1" in render(found)
