"""The table, the words and the figure of a user's own sweep, on planted numbers."""

import csv
import io
import itertools
from typing import Any

import pytest

from linrep.page.experiment import experiment_page
from linrep.page.print_plot import figure
from linrep.page.shell import Block, assemble
from linrep.paper.record import LINEARITY_G
from linrep.paper.report import Report
from linrep.paper.table import as_csv, grid, lines
from linrep.paper.user_sweep import user_experiment
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import cells
from linrep.sweeps.numbers import Numbers
from linrep.sweeps.sweep import Outcome

from .planted import ALIGNMENT, F, G, numbers

BASE = {"runs": 4, "world": {"kind": "chain", "concepts": 2}, "compute": {"threads": 1}}
ABOVE = "ended at 0.01 nats or above."
ONE = {G: 0.5, F: 0.4, ALIGNMENT: 0.3}


def widths(**stuck: int) -> Numbers:
    """Widths 1, 2 and 3, of four runs each."""
    held = {(name.removeprefix("k"),): many for name, many in stuck.items()}
    null = dict.fromkeys(ONE, 0.0)
    return numbers({"model.dim": list("123")}, {(k,): ONE for k in "123"}, stuck=held, null=null)


WORLDS = ("world.concepts", ("4", "3"))


def two_axes(
    lines: tuple[str, tuple[str, ...]] = WORLDS, first: tuple[str, tuple[str, ...]] = ("seed", ("0", "1"))
) -> Numbers:
    """Linearity is width over ten and four runs of each cell; at width 1 all are stuck, at 2 half of them."""
    axes = dict((first, lines, ("model.dim", tuple("123"))))
    labels = list(itertools.product(*axes.values()))
    stuck = {at: {"1": 4, "2": 2, "3": 0}[at[2]] for at in labels}
    planted = {at: {G: int(at[2]) / 10, F: 0.4, ALIGNMENT: 0.3} for at in labels}
    return numbers(axes, planted, stuck=stuck, null={G: 0.0})


def figures(found: Numbers) -> dict[str, Block]:
    return {block.id: block for block in user_experiment("mine").figures(found)}


def names(block: Block) -> list[str]:
    """Of the lines of a chart, as its legend has them."""
    return [trace["name"] for trace in (block.spec or {})["data"] if trace.get("name")]


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
    assert [line.claim for line in experiment_page(found).lines][1] == said
    assert found.record()["stuck_runs"] == sum(stuck.values())


def test_the_threshold_is_that_of_the_sweep() -> None:
    found = report(widths(k1=4), measure={"free_threshold_nats": 0.2})
    assert found.stuck == "4 of 12 runs are stuck: the excess loss of each ended at 0.2 nats or above."


def test_figures_name_their_lines_and_say_what_is_pooled() -> None:
    drawn = figures(two_axes())
    linear = drawn["linearity-unembedding"]
    assert names(linear) == ["4 concepts", "3 concepts", "random pairs", "untrained"]
    assert (linear.spec or {})["layout"]["xaxis"]["title"]["text"] == "width k"
    assert "shaded from 10 to 90 %" in linear.caption
    assert "Runs of every seed are pooled." in linear.caption
    assert "means over all cells at the same width k" in linear.caption
    assert "10–90 %" in (linear.spec or {})["layout"]["yaxis"]["title"]["text"]


def test_the_share_of_stuck_runs_has_its_panel() -> None:
    stuck = figures(two_axes())["stuck"]
    assert names(stuck) == ["4 concepts", "3 concepts"]
    assert [trace["y"] for trace in (stuck.spec or {})["data"]] == 2 * [[1.0, 0.5, 0.0]]


def test_two_axes_of_numbers_have_maps_with_the_smallest_at_the_lower_left() -> None:
    drawn = figures(two_axes())
    (linear,), (stuck,) = ((drawn[f"map-{name}"].spec or {})["data"] for name in ("linearity", "stuck"))
    assert linear["z"] == 2 * [pytest.approx([0.1, 0.2, 0.3])]
    assert stuck["z"] == 2 * [[1.0, 0.5, 0.0]]
    layout = (drawn["map-stuck"].spec or {})["layout"]
    assert (layout["xaxis"]["ticktext"], layout["yaxis"]["ticktext"]) == (["1", "2", "3"], ["4", "3"])
    assert layout["yaxis"]["autorange"] == "reversed"
    panels = figure(list(drawn.values())).axes
    cells = [[text.get_text() for text in axes.texts] for axes in panels[-2:]]
    assert cells == [2 * ["0.10", "0.20", "0.30"], 2 * ["1.00", "0.50", "0.00"]]


def test_an_axis_of_words_has_lines_and_no_map() -> None:
    drawn = figures(two_axes(("training.optimizer", ("gd", "sgd"))))
    assert names(drawn["stuck"]) == ["gd", "sgd"]
    assert not any(name.startswith("map") for name in drawn)


def test_lines_are_of_numbers_where_there_are_any_and_the_rest_is_pooled() -> None:
    drawn = figures(two_axes(first=("method", ("GD", "SGD"))))["alignment"]
    assert names(drawn)[:2] == ["4 concepts", "3 concepts"]
    assert "Runs of every method are pooled." in drawn.caption


def test_one_axis_has_one_line() -> None:
    drawn = figures(widths())
    assert names(drawn["alignment"]) == ["trained", "random pairs", "untrained"]
    assert "pooled" not in drawn["alignment"].caption
    assert names(drawn["stuck"]) == ["trained"]


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        (("0.01", "0.1", "1.0"), "log"),
        (("2", "4", "64"), "log"),
        (("2", "3", "4"), None),
        (("0", "1", "64"), None),
    ],
)
def test_points_of_many_sizes_stand_apart(points: tuple[str, ...], kind: str | None) -> None:
    found = numbers({"model.init_scale": list(points)}, {(k,): ONE for k in points}, null={G: 0.0})
    drawn = figures(found)
    for name in ("linearity-unembedding", "alignment", "stuck"):
        axis = (drawn[name].spec or {})["layout"]["xaxis"]
        assert (axis.get("type"), axis["tickvals"]) == (kind, [float(each) for each in points])


def test_more_lines_than_a_figure_holds_are_counted() -> None:
    drawn = figures(two_axes(("method", tuple(f"M{n}" for n in range(14)))))["alignment"]
    assert len(names(drawn)) == 12
    assert "The first 10 of 14 lines are drawn." in drawn.caption


def test_a_wide_table_breaks_only_between_a_number_and_its_interval() -> None:
    html = assemble(experiment_page(report(widths(k1=4))))
    assert html.count('<table class="many">') == 1
    assert "<td>0.50 [0.50,\u00a00.50]</td>" in html
    assert "<td>100\u00a0%</td>" in html


def test_a_sweep_whose_runs_all_diverged_has_a_page() -> None:
    found = widths()
    empty = report(Numbers(axes=found.axes, frame=found.frame.iloc[:0]))
    assert empty.stuck == ""
    assert experiment_page(empty).lines[0].claim.startswith("No answer")
