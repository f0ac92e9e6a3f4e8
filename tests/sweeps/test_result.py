"""A sweep from Python: the same cells as from a file, a table, a page; with workers and without."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import linrep
from linrep.errors import InputError

BASE = {"runs": 2, "training": {"steps": 5, "snapshots": 3}}


def test_a_sweep_from_dicts_is_the_sweep_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        "[base]\nruns = 2\ntraining = { steps = 5, snapshots = 3 }\n"
        'world = { kind = "network", network = "cancer" }\n[axes]\n"model.dim" = [2, 3]\n'
    )
    read = linrep.sweep(file, out=tmp_path / "runs")
    given = linrep.sweep(BASE, {"model.dim": np.array([2, 3])}, world="cancer", out=tmp_path / "runs")
    assert read.table.equals(given.table)
    assert given.table["model.dim"].tolist()[0] == 2
    assert len(linrep.open(tmp_path / "runs")) == 2
    assert given.result(**{"model.dim": 3}).config.model.dim == 3


def test_workers_change_no_number(tmp_path: Path) -> None:
    axes = {"model.dim": [2, 3], "world": ["cancer", linrep.load_network("earthquake")]}
    base = {**BASE, "compute": {"threads": 1}}
    alone = linrep.sweep(base, axes)
    with ThreadPoolExecutor(2) as pool:
        together = linrep.sweep(base, axes, executor=pool, out=tmp_path)
    assert alone.table.equals(together.table)
    assert {*alone.table["world"]} == {"cancer", "2"}


def test_a_sweep_draws_itself(tmp_path: Path) -> None:
    found = linrep.sweep(BASE, {"model.dim": [2, 3]}, world="cancer", question="Which width?")
    assert repr(found) == "SweepResult(sweep: 2 cells of model.dim, 4 runs)"
    assert "<table" in found._repr_html_()
    assert "Which width?" in found.page(tmp_path / "deep" / "page.html").read_text()
    assert found.plot().layout.title.text == "Linearity of g"
    with pytest.raises(InputError, match="this has linearity_unembedding"):
        found.plot("nothing")
    with pytest.raises(InputError, match="no run was kept"):
        found.result(**{"model.dim": 3})


def test_a_cell_that_fails_is_named_and_the_rest_go_on() -> None:
    axes = {"training.step_size": [1.0, 1e30]}
    base = {**BASE, "training": {"optimizer": "gd", "steps": 20}}
    found = linrep.sweep(base, axes, world="cancer")
    assert len(found.failed) == 1
    assert "diverged" in found.failed[0]
    assert "1 failed" in repr(found)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"axes": None}, "axes: missing"),
        ({"axes": {"model.dim": 3}}, "expected a list of values"),
        ({"axes": {"model.dimm": [3]}}, "did you mean 'model.dim'"),
        ({"axes": {"model.dim": [3]}, "executor": "cloud"}, "expected one of processes, dask, slurm"),
        ({"axes": {"model.dim": [3]}, "executor": ThreadPoolExecutor(1), "workers": 2}, "brings its own"),
    ],
)
def test_what_cannot_be_used_is_one_line(wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        linrep.sweep(BASE, world="cancer", **wrong)
    assert "\n" not in str(caught.value)


def test_reporting_what_is_finished_loads_neither_pandas_nor_solvers(tmp_path: Path) -> None:
    """Half of the memory that a sweep of thousands of cells takes is what it imports."""
    (tmp_path / "s.toml").write_text(
        '[base]\nruns = 2\nworld = { kind = "chain", concepts = 2 }\ntraining = { steps = 5 }\n'
        '[axes]\n"model.dim" = [1, 2]\n'
    )
    found = linrep.sweep(tmp_path / "s.toml", out=tmp_path)
    assert [*found.numbers.frame][-2:] == ["ended", "last"]
    code = (
        "import sys; from linrep.cli import execute; execute(['sweep', 's.toml', '--out', '.', '--quiet']);"
        "print(sorted({'pandas', 'plotly', 'scipy.optimize', 'cvxpy', 'pgmpy'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code]
    ran = subprocess.run(words, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.stdout.splitlines()[-1:], ran.stderr) == (["[]"], "")
