"""A folder of runs is opened: one run as it was, many as a table that is asked."""

from pathlib import Path

import pytest
import torch

import linrep
from linrep.errors import InputError

SMALL = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 5}}


def test_runs_are_listed_chosen_and_read(tmp_path: Path) -> None:
    made = [linrep.run(SMALL, dim=dim, out=tmp_path) for dim in (1, 2, 3)]
    runs = linrep.open(tmp_path)
    assert {*runs.keys} == {each.key for each in made}
    wide = runs.where("model.dim >= 2").sort("model.dim", descending=True)
    assert [each.config.model.dim for each in wide] == [3, 2]
    assert wide.table["model.dim"].tolist() == [3, 2]
    assert torch.equal(wide[0].unembedding, made[2].unembedding)
    assert torch.equal(runs[made[0].key].unembedding, made[0].unembedding)
    assert linrep.open(tmp_path / made[0].key).key == made[0].key
    assert repr(wide) == f"Runs({str(tmp_path)!r}, 2 runs)"
    assert "<table" in wide._repr_html_()
    assert "<html" in runs.page(tmp_path / "page.html").read_text()


def test_a_measurement_is_told_from_a_run(tmp_path: Path) -> None:
    square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    kept = linrep.measure(square, codes=square).save(tmp_path / "kept")
    with pytest.raises(InputError, match="kept: expected a run, got a measurement; "):
        linrep.open(kept)


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        linrep.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no run in it"):
        linrep.open(tmp_path)
    linrep.run(SMALL, out=tmp_path)
    with pytest.raises(InputError, match=r"unknown field 'model\.dims'"):
        linrep.open(tmp_path).where("model.dims > 2")
