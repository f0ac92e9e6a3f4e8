"""Costs are those of the gradient asked for, on the machine named, and growth is fitted as it should be."""

import math
from collections import defaultdict

import pytest
import torch
from scipy.stats import linregress

import linrep
from linrep.intervals import slope
from linrep.paper import experiment
from linrep.paper.complexity import (
    BYTES,
    DENSE,
    FUSED,
    MACHINE,
    PER_LOGIT,
    SECONDS,
    STORED,
    extra,
    size,
)
from linrep.paper.cost import growth, interleaved, tensors_peak
from linrep.paper.extra_numbers import extra_rows


def test_growth_is_fitted_exactly_where_it_is_geometric() -> None:
    found = growth([9, 10, 11, 12], [5 * 6.0**m for m in range(4)])
    assert found.value == pytest.approx(6)
    assert found.interval95 == pytest.approx((6, 6))
    assert growth([9, 10], [1.0, 3.0]).interval95 is None


def test_the_interval_is_that_of_a_straight_line_through_logarithms() -> None:
    concepts, values = [8.0, 8.0, 9.0, 9.0, 10.0], [1.0, 1.1, 5.0, 6.5, 37.0]
    logs = [math.log(each) for each in values]
    found, line = growth(concepts, values), linregress(concepts, logs)
    assert found.value == pytest.approx(math.exp(line.slope))
    expected = slope(torch.tensor(concepts).double(), torch.tensor(logs).double()).interval95
    assert expected is not None
    assert found.interval95 == pytest.approx([math.exp(end) for end in expected])


def test_memory_of_tensors_is_the_highest_alive_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    def call() -> torch.Tensor:
        large = torch.empty(1_000_000)
        del large
        return torch.empty(600_000) + torch.empty(300_000).repeat(2)  # two summands and their sum

    assert tensors_peak(call) == pytest.approx(4 * 1_800_000, rel=0.01)
    assert capfd.readouterr() == ("", "")


def test_rounds_go_in_turn() -> None:
    order: list[str] = []

    def busy(name: str) -> None:
        order.append(name)
        sum(range(1_000_000))  # long enough to be called once in a round

    found = interleaved({name: lambda name=name: busy(name) for name in "ab"}, 4, seconds=60.0)
    assert {name: len(times) for name, times in found.items()} == {"a": 4, "b": 4}
    assert "".join(dict.fromkeys(order[-2:])) == "ab"


def test_costs_are_of_each_run_on_the_threads_it_names(tmp_path) -> None:
    config = {
        "runs": 2,
        "world": {"kind": "random", "concepts": 3},
        "compute": {"threads": 1},
        "training": {"optimizer": "gd", "steps": 0, "snapshots": 2},
    }
    result, before = linrep.run(config), torch.get_num_threads()
    study = experiment("complexity")
    rows = extra_rows(study, result, tmp_path)
    assert torch.get_num_threads() == before
    found = defaultdict(list)
    for step, _, measure, table, _, value in rows:
        assert step == 1, "the step that these gradients would be taken for"
        found[measure, table].append(value)
    logits = 27 * 8
    assert found[STORED, DENSE] == [4 * logits] * 2
    assert all(value > 2 * 4 * logits for value in found[BYTES, DENSE]), (
        "what is stored, and logits that become residuals in their place"
    )
    assert all(value >= 4 * 3 * (27 + 8) for value in found[BYTES, FUSED]), "at least both gradients"
    for form in (FUSED, DENSE):
        assert all(value > 0 for value in found[SECONDS, form])
        assert found[PER_LOGIT, form] == pytest.approx([value / logits for value in found[SECONDS, form]])
    ((_, where),) = [key for key in found if key[0] == MACHINE]
    assert where.endswith(", 1 thread")
    assert extra_rows(study, result, tmp_path) == rows, "kept beside the run, however often it is asked for"


def test_large_worlds_do_without_the_stored_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linrep.paper.complexity.MOST_LOGITS", 10)
    result = linrep.run({"runs": 1, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 1}})
    assert {row[3] for row in extra(result)} & {FUSED, DENSE} == {FUSED}


def test_sizes_have_units() -> None:
    assert [size(each) for each in (512.0, 1e4, 725_830_000.0)] == ["0.51 kB", "10 kB", "726 MB"]
