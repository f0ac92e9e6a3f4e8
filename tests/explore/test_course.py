"""A run that is watched is the run of ``linrep run``: looks, pauses and paces change no bit of it."""

import itertools
import tomllib
from typing import Any

import pytest
import torch

import linrep
from linrep.explore.course import Course, places
from linrep.explore.setting import setting_of
from linrep.explore.share import SAME, toml_of

WORLD = {"kind": "chain", "concepts": 3}
GD = {"optimizer": "gd", "step_size": 1.0, "steps": 300, "snapshots": 12}


def course(**parts: Any) -> Course:
    return Course(setting_of({"seed": 4, "world": WORLD, "training": GD, **parts}))


def to_the_end(course: Course, growth: float) -> None:
    while not course.over:
        course.advance(max(course.step + 1, int(course.step * growth)))
        course.look()


TRAININGS = {
    "gd": GD,
    "own steps": {"optimizer": "gd", "steps": 120, "until_excess": 0.4},
    "falling": {"optimizer": "gd", "step_size": 2.0, "schedule": "cosine", "steps": 200},
    "adam": {"optimizer": "adam", "steps": 150},
    "sgd": {"optimizer": "sgd", "steps": 300, "batch_size": 20},
    "newton": {"optimizer": "newton", "steps": 12},
}


@pytest.mark.parametrize("name", TRAININGS)
def test_tables_and_numbers_are_those_of_a_run_to_the_bit(name: str) -> None:
    seen = course(training=TRAININGS[name])
    to_the_end(seen, 1.3)
    whole = linrep.run(seen.config, progress=False)
    f, g = seen.tables
    assert torch.equal(f, whole.embedding[0])
    assert torch.equal(g, whole.unembedding[0])
    last = whole.trace[whole.trace["step"] == whole.trace["step"].max()]
    for series, values in seen.look_without_tables().items():
        rows = last[
            (last["measure"] == series.measure)
            & (last["table"] == series.table)
            & (last["kind"] == series.kind)
        ]
        if values.dim() == 1 and len(rows):
            assert rows[rows["concept"] == ""]["value"].tolist() == values.tolist(), series
    assert seen.end(None).word == whole.summary.ended.per_run[0]
    assert not seen.by_hand


@pytest.mark.parametrize("until", [{"until_excess": 0.1}, {"until_gradient": 0.05}])
@pytest.mark.parametrize("optimizer", [{"optimizer": "gd", "step_size": 5.0}, {"optimizer": "adam"}])
def test_a_run_that_ends_early_ends_where_it_does_unwatched(
    optimizer: dict[str, Any], until: dict[str, Any]
) -> None:
    seen = course(training={**optimizer, **until, "steps": 2000})
    to_the_end(seen, 1.3)
    whole = linrep.run(seen.config, progress=False)
    assert seen.step < 2000
    assert torch.equal(seen.tables[1], whole.unembedding[0])
    assert toml_of(seen).splitlines()[0] == SAME


CUT = {**TRAININGS, "ends early": {**GD, "until_excess": 1e-9}}


@pytest.mark.parametrize("name", CUT)
def test_the_config_of_a_run_under_way_says_what_it_makes(name: str) -> None:
    seen = course(training=CUT[name])
    seen.advance(5)
    text = toml_of(seen)
    steps = tomllib.loads(text)["training"]["steps"]
    if name in ("falling", "ends early"):
        assert f"it stands at step {seen.step} of {steps}" in text.splitlines()[1]
        assert steps == CUT[name]["steps"]
        return
    assert (text.splitlines()[:2], steps) == ([SAME, ""], seen.step)
    assert torch.equal(linrep.run(tomllib.loads(text), progress=False).unembedding[0], seen.tables[1])


@pytest.mark.parametrize("name", TRAININGS)
def test_single_steps_anywhere_are_single_and_change_no_bit(name: str) -> None:
    training = {key: value for key, value in TRAININGS[name].items() if key != "until_excess"}
    seen = course(training=training)
    seen.advance(training["steps"] // 3)
    before = seen.step
    for more in (1, 2, 3):
        seen.advance(before + more, stride=1)
        assert seen.step == before + more
    to_the_end(seen, 1.5)
    assert torch.equal(seen.tables[1], linrep.run(seen.config, progress=False).unembedding[0])


def test_a_wide_start_is_that_of_a_run() -> None:
    seen = course(model={"dim": 3, "start": "wide"}, training={**GD, "steps": 20})
    to_the_end(seen, 2)
    assert torch.equal(seen.tables[1], linrep.run(seen.config, progress=False).unembedding[0])


def test_twice_as_long_is_the_run_of_twice_the_steps() -> None:
    seen = course()
    to_the_end(seen, 1.5)
    seen.train_on()
    assert not seen.over
    to_the_end(seen, 1.5)
    assert seen.step == 600
    assert torch.equal(seen.tables[0], linrep.run(seen.config, progress=False).embedding[0])


def test_another_step_size_on_the_way_is_another_run_and_is_said() -> None:
    seen, plain = course(), course()
    for each in (seen, plain):
        each.advance(100)
    seen.set_step_size(0.25)
    before = seen.tables[1].clone()
    seen.advance(101)
    plain.advance(101)
    moved, as_planned = seen.tables[1] - before, plain.tables[1] - before
    torch.testing.assert_close(moved * 4, as_planned, rtol=1e-3, atol=1e-6)
    assert [(each.step, each.what) for each in seen.changes] == [(100, "training.step_size 1 → 0.25")]


@pytest.mark.parametrize("optimizer", ["gd", "adam", "sgd"])
def test_one_more_dimension_keeps_what_was_learned_and_is_then_used(optimizer: str) -> None:
    seen = course(model={"dim": 2}, training={**TRAININGS[optimizer], "steps": 2000})
    seen.advance(1000)
    f, g = (each.clone() for each in seen.tables)
    seen.add_dimension()
    wider_f, wider_g = (each.clone() for each in seen.tables)
    assert wider_g.shape[1] == seen.config.model.dim == 3
    assert torch.equal(wider_f[:, :2], f)
    assert torch.equal(wider_g[:, :2], g)
    assert 0 < wider_g[:, 2].abs().max() < 1
    seen.advance(2000)
    assert seen.tables[1][:, 2].abs().max() > wider_g[:, 2].abs().max()
    assert seen.by_hand


def test_a_run_that_diverges_says_when_and_what_to_do() -> None:
    seen = course(training={**GD, "step_size": 1e6})
    to_the_end(seen, 2)
    end = seen.end(None)
    assert (end.word, end.step) == ("diverged", int(seen.state.diverged_at))
    assert "step size 1e+06; lower training.step_size" in end.advice


def test_a_budget_of_time_ends_a_stretch() -> None:
    seen = course(training={**GD, "steps": 500_000})
    seen.advance(500_000, seconds=0.0)
    assert 0 < seen.step < 500


@pytest.mark.parametrize(
    ("parts", "act", "words"),
    [
        ({"training": {"optimizer": "gd"}}, lambda seen: seen.set_step_size(1.0), "find their own size"),
        ({}, lambda seen: seen.set_step_size(-1.0), "expected a number above 0, got -1"),
        ({"training": TRAININGS["falling"]}, lambda seen: seen.train_on(), "the schedule ends"),
        ({"model": {"dim": 64}}, lambda seen: seen.add_dimension(), "at most 64"),
        (
            {"training": {**GD, "until_excess": 10.0}},
            lambda seen: (to_the_end(seen, 9), seen.train_on()),
            "the run ended at step",
        ),
        (
            {"training": {**GD, "steps": 600_000}},
            lambda seen: seen.train_on(),
            "at most 1,000,000, got 1,200",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(parts: Any, act: Any, words: str) -> None:
    with pytest.raises(linrep.InputError, match=words):
        act(course(**parts))


@pytest.mark.parametrize("name", ["gd", "sgd"])
def test_stretches_that_take_long_are_made_short_and_change_no_bit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = course(training={**TRAININGS[name], "steps": 400})
    seen.advance(250)
    monkeypatch.setattr("linrep.explore.course.LONG", 0.0)
    monkeypatch.setattr("linrep.explore.course.SHORT", 0.0)
    seen.advance(400, seconds=0.0)  # a stretch of several steps, the last one
    assert not seen.over
    for step in range(seen.step + 1, seen.step + 4):
        seen.advance(400, seconds=0.0)
        assert seen.step == step
    to_the_end(seen, 1.5)
    assert torch.equal(seen.tables[1], linrep.run(seen.config, progress=False).unembedding[0])


def test_places_are_dense_at_first_and_end_with_the_last() -> None:
    found = places(5000)
    assert found[:201] == list(range(201))
    assert found[-1] == 5000
    assert all(b <= a * 1.011 + 1 for a, b in itertools.pairwise(found))
