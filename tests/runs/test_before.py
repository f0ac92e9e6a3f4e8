"""A folder of runs written by an earlier version (tests/data/before): found, listed, drawn, resumed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import linrep
from linrep.cli import app
from linrep.runs.folder import read
from linrep.runs.store import Store

BEFORE = Path(__file__).parents[1] / "data" / "before"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BEFORE / "runs", tmp_path / "runs"))


def test_it_is_found_listed_and_reported(runs: Path, tmp_path: Path) -> None:
    (key,) = Store(runs).finished()
    found = linrep.run(json.loads((BEFORE / "gd.json").read_text()), out=runs)
    assert found.key == key
    assert found.provenance == read(runs / key).provenance  # read, not trained again
    listed = CliRunner().invoke(app, ["runs", "--out", str(runs), "--csv", "-"])
    assert listed.exit_code == 0, listed.output
    assert key in listed.output
    page = tmp_path / "page.html"
    drawn = CliRunner().invoke(app, ["report", key, "--out", str(runs), "--page", str(page)])
    assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_resumed_to_the_same_bits(optimizer: str, runs: Path) -> None:
    (partial,) = (runs / ".partial").glob(f"*{optimizer}*")
    seen: list[int] = []
    config = json.loads((BEFORE / f"{optimizer}.json").read_text())
    result = linrep.run(config, out=runs, progress=lambda done, *_: seen.append(done))
    assert seen[0] > config["training"]["steps"] / 4, "it went on from its checkpoint"
    assert result.key == partial.name
    whole = read(BEFORE / "whole" / result.key)
    assert torch.equal(result.embedding, whole.embedding)
    assert torch.equal(result.unembedding, whole.unembedding)
    before, now = (_without_intervals(each.summary.final.as_dict()) for each in (whole, result))
    assert now == before
    assert result.trace.equals(whole.trace)
    assert result.spectrum is None  # begun before there was one


def _without_intervals(numbers: Any) -> Any:
    """Intervals have been Student's t since; before, they were a percentile bootstrap's."""
    if not isinstance(numbers, dict):
        return numbers
    return {name: _without_intervals(each) for name, each in numbers.items() if name != "interval95"}
