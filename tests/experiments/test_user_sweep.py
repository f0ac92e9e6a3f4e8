"""The table, the words and the figure of a user's own sweep, on planted numbers."""

import csv
import io
from typing import Any

import pytest

from linrep.experiments.record import LINEARITY_G
from linrep.experiments.report import Report, page
from linrep.experiments.table import as_csv, grid, lines
from linrep.experiments.user_sweep import user_experiment
from linrep.grid import cells
from linrep.sweep import Outcome
from linrep.sweep_file import parse_sweep
from linrep.sweep_numbers import Numbers

from .planted import ALIGNMENT, F, G, numbers

BASE = {"runs": 4, "world": {"kind": "chain", "concepts": 2}, "compute": {"threads": 1}}
ABOVE = "ended at 0.01 nats or above."
ONE = {G: 0.5, F: 0.4, ALIGNMENT: 0.3}


def widths(**stuck: int) -> Numbers:
    """Widths 1, 2 and 3, of four runs each."""
    held = {(name.removeprefix("k"),): many for name, many in stuck.items()}
    return numbers({"model.dim": list("123")}, {(k,): ONE for k in "123"}, stuck=held)


def report(found: Numbers, **base: Any) -> Report:
    axes = {"model.dim": [1, 2, 3]}
    sweep = parse_sweep({"base": {**BASE, **base}, "axes": axes, "question": "Which?"}, name="mine")
    return Report(
        experiment=user_experiment("mine"),
        sweep=sweep,
        numbers=found,
        outcomes=[Outcome(cell=cell, result=None, error="") for cell in cells(sweep)],
        seconds=1.0,
        command="linrep sweep mine.toml",
    )


def test_a_table_names_the_runs_of_a_cell_for_what_they_are() -> None:
    planted = widths(k1=4, k2=1)
    split = lines(planted, [LINEARITY_G], split=True)
    assert [(line.labels[0], line.which, line.runs, line.stuck) for line in split] == [
        ("1", "all stuck", 4, 1.0),
        ("2", "all", 4, 0.25),
        ("2", "free", 3, 0.0),
        ("2", "stuck", 1, 1.0),
        ("3", "all free", 4, 0.0),
    ]
    titles, body = grid(planted, split, [LINEARITY_G], split=True)
    assert titles[:4] == ["model.dim", "which runs", "runs", "stuck"]
    assert [row[3] for row in body] == ["100 %", "25 %", "0 %", "100 %", "0 %"]
    rows = list(csv.DictReader(io.StringIO(as_csv(planted, split))))
    assert [row["stuck_share"] for row in rows] == ["1.0", "0.25", "0.0", "1.0", "0.0"]
    whole = lines(planted, [LINEARITY_G], split=False)
    assert [(line.which, line.stuck) for line in whole] == [("all", 1.0), ("all", 0.25), ("all", 0.0)]


@pytest.mark.parametrize(
    ("stuck", "said"),
    [
        ({"k1": 4, "k2": 4, "k3": 4}, f"12 of 12 runs are stuck: the excess loss of each {ABOVE}"),
        ({"k2": 1}, f"1 of 12 runs is stuck: its excess loss {ABOVE}"),
        ({}, "No run is stuck: the excess loss of each ended below 0.01 nats."),
    ],
)  # fmt: skip
def test_the_page_says_how_many_runs_are_stuck(stuck: dict[str, int], said: str) -> None:
    found = report(widths(**stuck))
    assert [line.claim for line in page(found).lines][1] == said
    assert found.record()["stuck_runs"] == sum(stuck.values())


def test_the_threshold_is_that_of_the_sweep() -> None:
    found = report(widths(k1=4), measure={"free_threshold_nats": 0.2})
    assert found.stuck == "4 of 12 runs are stuck: the excess loss of each ended at 0.2 nats or above."
