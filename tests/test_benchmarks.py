"""Benchmarks run at tiny sizes, say what they compared, and survive the way through a file to the page."""

import math
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from benchmarks import (
    baselines,
    cli,
    gradient,
    growth,
    machine,
    many_cells,
    memory,
    profile,
    records,
    report,
    store,
    sweep,
    timing,
    worlds,
)
from benchmarks.__main__ import BENCHMARKS, main

from linrep.cli import execute
from linrep.population.gradient import population_gradient, table_gradients
from linrep.runs.index import run_index
from linrep.runs.store import Store
from linrep.sweeps.sweep import run_cells

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
RATIOS = {
    "gradient": "--concepts 2 3 --runs 1 2 --repeats 1",
    "training": "--concepts 2 --runs 1 2 --repeats 1",
    "profile": "--concepts 3 --repeats 1",
    "cli": "--repeats 1",
    "store": "--runs 2 --repeats 1",
    "many_cells": "--cells 2 --trained 2 --repeats 1",
    "coverage": "--units 5 --repetitions 3",
    "ruler": "--repeats 1",
    "finish": "--concepts 2 --runs 1 --networks --skewed 1 --watched 1",
}

SWEEP = "--cells 2 --concepts 2 --runs 1 --steps 5 --repeats 1"


@pytest.fixture(autouse=True)
def few_and_empty_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "ENGINES", dict(list(sweep.ENGINES.items())[:1]))
    monkeypatch.setattr(cli, "COMMANDS", dict.fromkeys((cli.EMPTY, "another"), ("-S", "-c", "pass")))
    monkeypatch.setattr(store, "COMMANDS", dict.fromkeys((store.FIRST, store.NAIVE), ("-S", "-c", "pass")))
    monkeypatch.setattr(many_cells, "COMMANDS", dict.fromkeys(many_cells.COMMANDS, ("-S", "-c", "pass")))
    monkeypatch.setattr(timing, "SHORTEST_ROUND", 1e-4)


@pytest.mark.parametrize("name", RATIOS)
def test_rows_carry_their_machine_and_ratios_are_of_the_times_beside_them(name, tmp_path, capsys) -> None:
    path = tmp_path / "x.csv"
    main([name, *RATIOS[name].split(), "--output", str(path)])
    rows = records.read(path)
    assert rows
    assert all(set(machine.COLUMNS) <= set(row) for row in rows)
    for row in rows:
        for ratio in (column for column in row if "/" in column):
            above, below = ratio.split("/")
            if above in row and below in row:
                assert row[ratio] == pytest.approx(row[above] / row[below])
    assert capsys.readouterr().out.strip() in report.page(rows, BENCHMARKS)


def test_gradient_compares_every_form(tmp_path) -> None:
    path = tmp_path / "x.csv"
    main(["gradient", "--concepts", "2", "--repeats", "1", "--output", str(path)])
    (row,) = records.read(path)
    assert {"autograd", "plain", "dense", "fused", "auto", "floor"} <= set(row)
    assert {"autograd/fused", "plain/fused", "plain/auto", "fused/floor", "auto/floor"} <= set(row)


def test_sweeps_on_workers_are_compared_with_one_cell_after_another(tmp_path, capsys) -> None:
    path = tmp_path / "x.csv"
    main(["sweep", *SWEEP.split(), "--output", str(path)])
    assert capsys.readouterr().out.strip() in report.page(records.read(path), BENCHMARKS)
    rows = {row["way"]: row for row in records.read(path)}
    assert all(
        row["way/bare"] == pytest.approx(row["seconds_per_cell"] / rows[sweep.BARE]["seconds_per_cell"])
        for row in rows.values()
    )
    alone, row = rows[sweep.SERIAL], rows["on 1 process"]
    seconds, start = 2 * row["seconds_per_cell"], row["seconds_to_start"]
    assert row["serial/way"] == pytest.approx(2 * alone["seconds_per_cell"] / seconds)
    assert row["serial/way_and_start"] == pytest.approx(2 * alone["seconds_per_cell"] / (seconds + start))
    assert start > 0
    assert all("seconds_to_start" not in other for way, other in rows.items() if way != "on 1 process")


def test_profile_leaves_no_time_out(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "SMALLEST_SHARE", 0.0)
    path = tmp_path / "x.csv"
    main(["profile", "--concepts", "4", "--repeats", "2", "--output", str(path)])
    rows = {row["operation"]: row for row in records.read(path)}
    whole = rows["all, under the profiler"]["ns_per_logit"]
    parts = [row["ns_per_logit"] for row in rows.values() if "calls" in row]
    assert sum(parts) + rows["all smaller ones"]["ns_per_logit"] == pytest.approx(whole)
    assert any("over dim" in name for name in rows)


def test_the_loop_over_a_folder_of_runs_finds_what_the_index_finds(tmp_path, monkeypatch) -> None:
    """They are whole runs to both, and both are asked the same."""
    monkeypatch.chdir(tmp_path)
    store.fill(tmp_path / "runs", 40)
    assert execute(["runs", *store.CHOSEN, "--csv", "chosen.csv"]) == 0
    cli.process(("-c", store.SCRIPT), str(tmp_path))()
    found, naive = (pd.read_csv(name)["run"].to_list() for name in ("chosen.csv", "naive.csv"))
    assert found == naive
    assert 5 < len(found) < 40
    index = run_index(Store(tmp_path / "runs"))
    assert len(set(index.table["seed"].to_pylist())) == 40
    assert index.damaged == ()


def test_the_cells_of_a_sweep_that_is_only_reported_are_whole(tmp_path) -> None:
    grid = many_cells.grid_of(tmp_path / "cells.toml", 5)
    many_cells.fill(tmp_path / "out", grid)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    found = list(run_cells(grid, out=tmp_path / "out"))
    assert [outcome.error for outcome in found] == [""] * 5
    assert [outcome.result.config.seed for outcome in found if outcome.result] == [0, 1, 2, 0, 1]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_growth_writes_its_aims() -> None:
    rows = [
        {"concepts": m, "dim": 8, "fused": 7.0**m, "extra_bytes": 3.0**m, "tensor_bytes": 3.0**m}
        for m in (9, 10, 11)
    ]
    text = growth.section(rows)
    assert "time × ≤ 6.5. Found 7.00: not met." in text
    assert "memory of the process × ≤ 3.1. Found 3.00: met." in text


def test_memory_of_a_process_is_at_least_that_of_its_tensors() -> None:
    held = torch.ones(2_000_000)
    assert memory.process_peak() > held.nbytes


def test_baselines_are_the_gradient() -> None:
    population = worlds.population(3, 2)
    f, g = worlds.tables(population, 3, trained=False)
    exact = table_gradients(population, f, g)
    torch.testing.assert_close(baselines.autograd(population, f, g)(), exact, atol=1e-7, rtol=1e-5)
    torch.testing.assert_close(baselines.closed_form(population, f, g)(), exact, atol=1e-7, rtol=1e-5)
    jitted = baselines.jax_gradient(population, f, g)
    if jitted is not None:
        found = tuple(torch.tensor(each.tolist()) for each in jitted())
        torch.testing.assert_close(found, exact, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_the_usual_script_learns(optimizer) -> None:
    """A baseline that did no work would be fast."""
    population = worlds.population(3)
    f, g = worlds.tables(population, 3, trained=False)
    tables = [each.clone() for each in (f, g)]
    step_size = 0.05 if optimizer == "adam" else 1.0
    step = baselines.script_step(population, tables[0], tables[1], optimizer, step_size, 50)
    before = population_gradient(population, f, g).excess_loss
    for _ in range(300):
        trained = step()
    after = population_gradient(population, *(each.detach() for each in trained)).excess_loss
    assert float(after) < 0.5 * float(before)


def test_the_minibatch_gradient_is_exact_on_average() -> None:
    population = worlds.population(2)
    f, g = worlds.tables(population, 2, trained=True)
    exact = table_gradients(population, f, g)[1]
    sampled = baselines.sampled_gradient(population, f, g, 200_000)()[1]
    assert float((sampled - exact).norm()) < 0.02 * float(g.norm())
    assert not math.isclose(float(sampled.norm()), 0.0, abs_tol=1e-6)


def test_numbers_survive_a_file(tmp_path) -> None:
    rows = [{"word": "a b", "count": 3, "time": 1.25e-7}, {"word": "c", "other": 2}]
    records.write(tmp_path / "x.csv", rows)
    assert records.read(tmp_path / "x.csv") == rows


def test_page_names_every_machine(tmp_path) -> None:
    where = machine.description()
    row = {"benchmark": "cli", "command": "x", "seconds": 1.0, "command/empty": 2.0}
    records.write(tmp_path / "a.csv", [row | where])
    records.write(tmp_path / "b.csv", [row | where | {"commit": "another"}])
    both = report.page(report.gather([tmp_path]), BENCHMARKS)
    assert "another" in both
    assert "Measured in parts that differ" in both
    assert "Measured in parts" not in report.page(report.gather([tmp_path / "a.csv"]), BENCHMARKS)


def test_no_name_is_all_of_them(monkeypatch, tmp_path, capsys) -> None:
    """What cannot be imported is left out aloud; what can goes on."""
    main_module = sys.modules["benchmarks.__main__"]

    def run(name, _, given):
        if name == "lm":
            raise ModuleNotFoundError("No module named 'transformers'")
        assert given.benchmark == name
        return [{"benchmark": name}]

    monkeypatch.setattr(main_module, "_run", run)
    assert main(["--output-dir", str(tmp_path), "--output", str(tmp_path / "every.csv")]) == 0
    kept = [name for name in BENCHMARKS if name != "lm"]
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted([*kept, "every"])
    assert [row["benchmark"] for row in records.read(tmp_path / "every.csv")] == kept
    assert re.search("lm: left out: .*transformers", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("gradient --concepts 0", "--concepts: expected a whole number from 1 to 16, got '0'"),
        ("gradient --concepts 3 --runs many", "--runs: expected a whole number from 1, got 'many'"),
        ("gradient --device cuda:99", "cuda:99 is not here"),
        ("training --device tpu", "expected cpu or cuda, got 'tpu'"),
        ("gradient --concepts 2 4 --dim 3 --trained", "--dim: expected at least 4 for trained tables, got 3"),
        ("cli --output nowhere/x.csv", "no folder 'nowhere' to write it to"),
        ("all --output .", "expected a file, got the folder '.'"),
        ("all --output-dir junk.csv/x", "junk.csv/x: cannot be written"),
        ("report nowhere", "nowhere: cannot be read (No such file or directory)"),
        ("report .", "junk.csv: no 'benchmark' in a row"),
        ("report wide.txt", "wide.txt: cannot be read (a line has more columns than the first)"),
        ("report other.txt", "cli: its rows are of another form ('command')"),
        ("bogus", "invalid choice: 'bogus'"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is_measured(
    words: str, told: str, tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "interleaved", lambda *_, **__: pytest.fail("measured"))
    where = ",".join(machine.COLUMNS)
    (tmp_path / "junk.csv").write_text("a,b\n1,2\n")
    (tmp_path / "wide.txt").write_text("a,b\n1,2,3\n")
    (tmp_path / "other.txt").write_text(f"benchmark,{where}\ncli{',1' * len(machine.COLUMNS)}\n")
    files = sorted(tmp_path.iterdir())
    try:
        code = main(words.split())
    except SystemExit as end:
        code = end.code
    found = capsys.readouterr()
    assert code == 2
    assert told in found.err
    assert found.err.count("\n") == 1
    assert found.out == ""
    assert sorted(tmp_path.iterdir()) == files


def test_an_aim_for_many_runs_is_judged_by_many() -> None:
    row = {"concepts": 5, "dim": 5, "tables": "fresh", "plain/auto": 1.5}
    few, many = row | {"runs": 20}, row | {"runs": 100, "plain/auto": 3.0}
    aims = [line for line in gradient.section([few]).splitlines() if "100 runs or more" in line]
    assert ["Not measured here" in line for line in aims] == [True]
    assert "≥ 2. Found 3.00: met." in gradient.section([few, many])


def test_the_floor_is_told_with_either_exponential() -> None:
    row = {"runs": 1, "tables": "trained", "autograd": 8.0, "autograd/fused": 4.0, "floor": 1.0}
    over = {"fused/floor": 2.2, "fused/floor_exp2": 2.7}
    text = gradient.section([row | over | {"concepts": m, "dim": m} for m in (8, 10)])
    assert "fresh and trained, ≤ 2.5. Found 2.20: met." in text
    assert "≤ 2. Found 2.20: not met." in text
    assert "fused over floor_exp2, m = 9 to 12. Found 2.70." in text
    assert "autograd takes 8.00\n" in text
    times = {"exp": 4.0 * 2**18, "exp2": 2**18, "product": 0.0}
    assert timing.take_floors(times, 10, 3) == {"floor": 40.0, "floor_exp2": 10.0}
    assert times == {}


def test_the_pages_are_what_their_numbers_print(tmp_path) -> None:
    """Nobody wrote into them by hand, and the code that writes them still does."""
    rows = report.gather([RESULTS])
    assert (ROOT / "docs/performance.md").read_text() == report.page(rows, BENCHMARKS)
    assert (ROOT / "benchmarks/README.md").read_text() == report.with_profile(
        ROOT / "benchmarks/README.md", rows
    )
    emptied = tmp_path / "README.md"
    emptied.write_text("a\n" + "x\n".join(report.MARKS) + "\nb\n")
    main(["report", str(RESULTS), "--profile", str(emptied)])
    text = emptied.read_text()
    assert text.startswith("a\n" + report.MARKS[0] + "## Where the time goes")
    assert text.endswith(report.MARKS[1] + "\nb\n")
    emptied.write_text("no marks")
    assert main(["report", str(RESULTS), "--profile", str(emptied)]) == 2
    assert emptied.read_text() == "no marks"
