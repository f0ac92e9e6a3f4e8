"""Extra numbers are measured once for a run, and never believed when they could be another's."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import linrep
from linrep.paper.extra_numbers import FOLDER, _modules, extra_rows
from linrep.paper.record import Answer, Experiment
from linrep.runs.result import Result
from linrep.sweeps.numbers import Row

ASKED: list[str] = []


def extra(result: Result) -> Iterator[Row]:
    ASKED.append(result.key)
    yield 10, 0, "third", "", "value", 1 / 3
    yield 10, 1, "sum", "unembedding", "null", float(result.unembedding.sum())
    yield 10, 1, "nothing", "", "value", float("nan")


STUDY = Experiment(
    name="planted",
    answer=lambda numbers: Answer(standing="note", finding="", rule=""),
    figures=lambda numbers: [],
    extra=extra,
)


@pytest.fixture(scope="module")
def result() -> Result:
    return linrep.run({"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 10}})


@pytest.fixture(autouse=True)
def nobody_asked() -> None:
    ASKED.clear()


def same(one: list[Row], other: list[Row]) -> bool:
    return repr(one) == repr(other)  # NaN is itself here


def test_asked_once_and_read_again_to_the_bit(result: Result, tmp_path: Path) -> None:
    first, again = (extra_rows(STUDY, result, tmp_path) for _ in range(2))
    assert len(ASKED) == 1
    assert same(first, again)
    assert same(first, list(extra(result)))
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


def test_other_tables_are_measured_anew(result: Result, tmp_path: Path) -> None:
    extra_rows(STUDY, result, tmp_path)
    moved = replace(result, unembedding=result.unembedding + 1)
    assert same(extra_rows(STUDY, moved, tmp_path), list(extra(moved)))
    assert len(ASKED) == 3


def test_another_definition_is_measured_anew(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra_rows(STUDY, result, tmp_path)
    monkeypatch.setattr("inspect.getsource", lambda module: "def extra(result): ...")
    extra_rows(STUDY, result, tmp_path)
    assert len(ASKED) == 2


def test_the_solver_that_an_experiment_calls_is_part_of_its_definition() -> None:
    from linrep.paper import implicit_bias

    assert {"linrep.paper.implicit_bias", "linrep.theory.max_margin"} <= set(_modules(implicit_bias))


def _half(content: dict[str, Any]) -> str:
    return json.dumps(content)[:-40]


def _changed(content: dict[str, Any]) -> str:
    content["rows"][0][-1] = 0.5
    return json.dumps(content)


def _shorter(content: dict[str, Any]) -> str:
    return json.dumps(content | {"rows": content["rows"][:1]})


@pytest.mark.parametrize("harm", [_half, _changed, _shorter, lambda content: "[]", lambda content: ""])
def test_a_damaged_file_is_not_believed(harm: Any, result: Result, tmp_path: Path) -> None:
    first = extra_rows(STUDY, result, tmp_path)
    (path,) = (tmp_path / FOLDER).iterdir()
    whole = path.read_text()
    path.write_text(harm(json.loads(whole)))
    assert same(extra_rows(STUDY, result, tmp_path), first)
    assert len(ASKED) == 2
    assert path.read_text() == whole


def test_runs_are_listed_without_it(result: Result, tmp_path: Path) -> None:
    from linrep.runs.store import Store

    extra_rows(STUDY, result, tmp_path)
    assert Store(tmp_path).finished() == []


def test_no_extra_no_file(result: Result, tmp_path: Path) -> None:
    assert extra_rows(replace(STUDY, extra=None), result, tmp_path) == []
    assert not list(tmp_path.iterdir())
