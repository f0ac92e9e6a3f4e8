"""Sweeps: the grid, one line for each mistake, nothing lost when killed."""

import json
import re
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from linrep.cli import execute
from linrep.cli.views.runs import listing_of_failed
from linrep.errors import InputError
from linrep.runs.failures import Failure, forget, kept
from linrep.runs.store import Store
from linrep.sweeps.file import load_sweep, parse_sweep
from linrep.sweeps.gathering import gather, tidy
from linrep.sweeps.grid import cells
from linrep.sweeps.sweep import run_cells
from tests.support.small_sweep import BASE

SWEEP = """
[base]
runs = 2
world = { kind = "chain", concepts = 2 }
training = { steps = 20, snapshots = 3, step_size = 0.5, optimizer = "gd" }
measure = { bootstrap = 100, null_draws = 2 }
compute = { threads = 1 }

[axes]
"model.dim" = [2, 3]
world.concepts = [2, 3]

[quick]
"training.steps" = 4
axes = { "model.dim" = [1, 2] }
"""


def sweep(axes: dict[str, Any], **more: Any) -> Any:
    return parse_sweep({"base": BASE, "axes": axes, **more})


def test_the_grid_is_every_combination_in_order(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SWEEP)
    grid = cells(load_sweep(path))
    assert [cell.label for cell in grid] == [
        f"model.dim {k}, world.concepts {m}" for k in (2, 3) for m in (2, 3)
    ]
    assert [cell.config.model.dim for cell in grid] == [2, 2, 3, 3]
    quick = cells(load_sweep(path, quick=True))
    assert {cell.config.training.steps for cell in quick} == {4}
    assert [cell.config.model.dim for cell in quick] == [1, 1, 2, 2]


def test_points_change_several_keys_under_one_label() -> None:
    points = {
        "SGD": {"training.optimizer": "sgd", "training.batch_size": 7},
        "other world": {"world": {"kind": "independent", "concepts": 3}},
    }
    first, second = cells(sweep({"what": points}))
    assert first.config.training.batch_size == 7
    assert first.config.world.kind == "chain"
    assert second.config.world.kind == "independent"
    assert second.config.training.optimizer == "gd"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"axes": {}}, "empty grid: no axes"),
    ({"axes": {"model.dim": []}}, "empty grid: axis 'model.dim' has no values"),
    ({"axes": {"training.batch_size": [9, 8], "model.dim": [1, 2]}}, "'training.batch_size' varies nothing"),
    ({"axes": {"model.dim": [2, 2]}}, "stands there twice"),
    ({"axes": {"model.dims": [2, 3]}}, "unknown key 'model.dims', did you mean 'model.dim'?"),
    ({"axes": {"model.dim": [2, "three"]}}, "model.dim: expected a valid integer"),
    ({"axes": {"model.dim": 3}}, "expected a list of values"),
    ({"axes": {"training.steps.more": [3, 4]}}, "is a value, not a table"),
    ({"axes": {"run": [3, 4]}}, "taken by a column"),
    ({"axes": {"model.dim": [2, 3]}, "base2": {}}, "unknown key 'base2', did you mean 'base'?"),
    ({"axes": {"model.dim": [2, 3]}, "title": 3}, "title: expected text"),
    ({"axes": {"seed": list(range(400)), "model.dim": list(range(1, 400))}}, "more than 100,000 cells"),
    (
        {"axes": {"training.optimizer": ["gd", "sgd"], "training.batch_size": [10, 20]}},
        "two cells are the same run: (training.optimizer gd, training.batch_size 10)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), MISTAKES, ids=[words[:40] for _, words in MISTAKES])
def test_mistakes_are_one_line_before_anything_is_trained(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        cells(parse_sweep({"base": BASE, **fields}))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_example_in_the_docs_is_a_sweep() -> None:
    text = (
        (Path(__file__).parents[2] / "docs/sweeps.md").read_text().split("## The file\n")[1].split("\n`")[0]
    )
    example = tomllib.loads(textwrap.dedent(text))
    assert len(cells(parse_sweep(example))) == 6
    assert len(cells(parse_sweep(example, quick=True))) == 4


def test_quick_may_only_replace_axes_that_exist() -> None:
    with pytest.raises(InputError, match=r"quick.axes: no axis 'seed'"):
        parse_sweep(
            {"base": BASE, "axes": {"model.dim": [1, 2]}, "quick": {"axes": {"seed": [1, 2]}}}, quick=True
        )


def test_quick_without_its_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text(SWEEP.split("[quick]")[0])
    assert execute(["sweep", str(path), "--out", str(out), "--quick"]) == 2
    assert capsys.readouterr().err == (
        f"linrep: error: {path}: no [quick] table to apply; add one, or leave --quick out\n"
    )
    assert not out.exists()


def test_an_axis_may_have_one_value(tmp_path: Path) -> None:
    axes = {"seed": [2], "training.batch_size": [9], "model.dim": [2, 3]}
    assert [cell.config.model.dim for cell in cells(sweep(axes))] == [2, 3]
    (alone,) = cells(sweep({"seed": [2]}))
    assert (alone.config.seed, alone.label) == (2, "seed 2")
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text(SWEEP.split("[axes]")[0] + "[axes]\nseed = [2]\n")
    assert execute(["sweep", str(path), "--out", str(out), "--quiet"]) == 0
    assert len(Store(out).finished()) == 1
    assert (out / "s.html").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[axes", "malformed TOML"),
        (SWEEP.replace("[2, 3]", "[]", 1), "has no values"),
        (SWEEP.split("[axes]")[0].replace("[base]", ""), "got the config of a run; `linrep run "),
        (None, "no such file"),
    ],
)
def test_bad_files_exit_with_2_and_one_line(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    if text is not None:
        path.write_text(text)
    assert execute(["sweep", str(path), "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert words in said.err
    assert not out.exists()


def test_numbers_hold_every_run_and_the_start() -> None:
    grid = cells(sweep({"model.dim": [1, 2]}))
    frames = [
        tidy(each.cell, each.finished) for each in run_cells(grid, out=_folder()) if each.finished is not None
    ]
    numbers = gather(grid, frames)
    assert numbers.axes == {"model.dim": ["1", "2"]}
    for label, cell in numbers.each("model.dim"):
        assert len(cell.values("linearity", "unembedding")) == 2, label
        assert len(cell.values("linearity", "unembedding", at="start")) == 2
        steps, values = cell.over_steps("excess_loss_nats")
        assert steps.tolist() == [0, 1, 20]
        assert values.shape == (3, 2)


def test_the_null_of_a_cell_is_over_all_draws() -> None:
    (cell,) = cells(sweep({"model.dim": [2]}))
    (outcome,) = run_cells([cell], out=_folder())
    assert outcome.result is not None
    assert outcome.finished is not None
    found, final = gather([cell], [tidy(cell, outcome.finished)]), outcome.result.summary.final
    similar = {
        ("linearity", "unembedding"): final.linearity["unembedding"],
        ("alignment", ""): final.alignment,
    }
    overlap = final.orthogonality["embedding"]
    similar[("orthogonality.mean_directions", "embedding")] = overlap.mean_directions
    similar[("orthogonality.rms", "embedding")] = overlap.rms
    for (measure, table), record in similar.items():
        values = found.values(measure, table, kind="null")
        assert values.tolist() == pytest.approx(2 * [record.null.mean])
    zero = found.values("log_odds_gap_nats", kind="null")
    drawn = outcome.result.trace
    drawn = drawn[(drawn["kind"] == "null") & (drawn["concept"] == "") & (drawn["step"] == final.step)]
    assert zero.tolist() == drawn[drawn["measure"] == "log_odds_gap_nats"]["value"].tolist()


def _folder() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp())


def test_a_cell_that_diverges_keeps_its_error_and_the_rest_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        SWEEP.replace('"model.dim" = [2, 3]', '"training.step_size" = [0.5, 1e30]').split("[quick]")[0]
    )
    code = execute(["sweep", str(path), "--out", str(tmp_path / "out"), "--json"])
    said = capsys.readouterr()
    record = json.loads(said.out)
    assert code == 1
    errors = [each["error"] for each in record["results"]]
    assert [error is None for error in errors] == [True, True, False, False]
    assert "diverged" in errors[2]
    assert said.err.count("diverged") == 2
    assert len(Store(tmp_path / "out").finished()) == 2
    assert (tmp_path / "out" / "s.html").is_file()


def test_the_list_of_runs_tells_of_cells_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, page = tmp_path / "s.toml", tmp_path / "out", tmp_path / "runs.html"
    axes = '"training.step_size" = [0.5, 1e30]\n'
    path.write_text(SWEEP.split("[axes]")[0] + f"[axes]\n{axes}")
    assert execute(["sweep", str(path), "--out", str(out), "--quiet"]) == 1
    (done,), (failed,) = Store(out).finished(), kept(out)
    told = f"linrep: failed: training.step_size 1e+30 ({failed.key}): {failed.error}\n"
    capsys.readouterr()

    def listed(*words: str) -> tuple[str, str]:
        assert execute(["runs", "--out", str(out), *words]) == 0
        said = capsys.readouterr()
        assert failed.key not in said.out
        return said.out, said.err

    table, notice = listed()
    assert (table.count(done), notice) == (1, told)
    numbers, notice = listed("--csv", "-")
    assert (len(numbers.splitlines()), notice) == (2, told)
    chosen, notice = listed("--where", f"training.step_size > 0.4 and run == '{done}'")
    assert chosen.count(done) == 1
    assert notice == f"linrep: failed, whatever --where asks: 1; `linrep runs --out {out}` names them\n"
    assert told in listed("--page", str(page))[1]
    assert failed.key in page.read_text()
    forget(out, failed.key)
    assert listed()[1] == ""


def test_many_failures_are_a_short_list() -> None:
    failed = [Failure(key=f"k{n}", label=f"seed {n}", error="no", final=False) for n in range(12)]
    lines = list(listing_of_failed(failed, Path("runs"), condition=None))
    assert lines[9] == "failed: seed 9 (k9): no"
    assert lines[10:] == ["failed: 12 in all; runs/.failed has every error"]
    assert len(list(listing_of_failed(failed[:10], Path("runs"), condition=None))) == 10
    assert list(listing_of_failed([], Path("runs"), condition="seed > 1")) == []


def test_finished_cells_are_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text(SWEEP)
    assert execute(["sweep", str(path), "--out", str(out), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    stamps = {key: (out / key / "result.json").stat().st_mtime_ns for key in Store(out).finished()}
    table = (out / "s.csv").read_bytes()
    assert execute(["sweep", str(path), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert {key: (out / key / "result.json").stat().st_mtime_ns for key in stamps} == stamps
    assert (out / "s.csv").read_bytes() == table
    assert len(stamps) == 4


@pytest.mark.parametrize("executor", [[], ["--workers", "1"]], ids=["here", "workers"])
def test_a_damaged_cell_is_told_and_the_rest_go_on_until_it_is_trained_again(
    executor: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text(SWEEP)
    command = ["sweep", str(path), "--out", str(out), "--json", *executor]
    assert execute(command) == 0
    whole = json.loads(capsys.readouterr().out)
    run = whole["results"][1]["run"]
    good = (out / run / "result.json").read_bytes()
    (out / run / "result.json").write_bytes(good[:100])
    assert execute(command) == 1
    said = capsys.readouterr()
    assert [bool(each["error"]) for each in json.loads(said.out)["results"]] == [False, True, False, False]
    assert said.err.count("\n") == 1
    assert f"{run}/result.json: damaged" in said.err
    assert said.err.endswith("; train it again with --retry\n")
    assert "--force" not in said.err + (out / "s.html").read_text()
    stamps = {key: (out / key).stat().st_ino for key in Store(out).finished()}
    assert execute([*command, "--retry"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == whole["results"]
    assert (out / run / "result.json").read_bytes() == good
    assert [key for key, stamp in stamps.items() if (out / key).stat().st_ino != stamp] == [run]
    assert not list((out / ".partial").iterdir())


def test_numbers_on_the_screen_are_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "out"
    path.write_text(SWEEP)
    shown = {}
    for screen in ("", "1"):
        monkeypatch.setenv("COLUMNS", "60")
        monkeypatch.setenv("FORCE_COLOR", screen)  # rich takes this for a terminal
        monkeypatch.setenv("NO_COLOR", "1")
        assert execute(["sweep", str(path), "--out", str(out), "--quick"]) == 0
        shown[screen] = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert shown[""][0] == "0 of 8 runs converged; 8 ended unfinished."
    assert any("alignment" in line for line in shown[""])
    assert not any("…" in line for lines in shown.values() for line in lines)
    table = shown["1"][: len(shown[""]) - 2]
    assert max(map(len, table)) <= 60
    assert all(full.startswith(part.rstrip()) for full, part in zip(shown[""], table, strict=False))
    assert "more columns" in shown["1"][-3]
    assert shown["1"][0] == "0 of 8 runs converged; 8 ended unfinished."


def test_a_killed_sweep_goes_on_to_the_same_results(tmp_path: Path) -> None:
    """SIGKILL inside a later cell; the same command ends with the same table, byte for byte."""
    widths = list(range(2, 10))  # So many that whoever looks late still comes before the end.
    path = tmp_path / "s.toml"
    text = SWEEP.replace("steps = 20", "steps = 2000").replace("[2, 3]", str(widths), 1)
    text = text.replace("compute =", "output = { checkpoint_seconds = 0.01 }\ncompute =")
    path.write_text(text.replace("world.concepts = [2, 3]", "").split("[quick]")[0])
    assert execute(["sweep", str(path), "--out", str(tmp_path / "whole"), "--quiet"]) == 0
    out = tmp_path / "killed"
    arguments = ["sweep", str(path), "--out", str(out), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "linrep", *arguments])
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if Store(out).finished() and list(out.glob(".partial/*/checkpoint.safetensors")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    assert len(Store(out).finished()) < len(widths)
    assert not (out / "s.csv").exists()
    assert execute(arguments) == 0
    assert (out / "s.csv").read_bytes() == (tmp_path / "whole" / "s.csv").read_bytes()
    assert len(Store(out).finished()) == len(widths)
    for key in Store(out).finished():
        for name in ("result.json", "tables.safetensors"):
            assert (out / key / name).read_bytes() == (tmp_path / "whole" / key / name).read_bytes(), name
