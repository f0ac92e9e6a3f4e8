"""The table, the words and the figure of a user's own sweep, on planted numbers."""

import csv
import io
import itertools
from dataclasses import replace
from typing import Any

import pytest

from linrep.cli.views.sweep import show_answer
from linrep.page.experiment import experiment_page
from linrep.page.print_plot import figure
from linrep.page.shell import Block
from linrep.paper.record import LINEARITY_G
from linrep.paper.report import Report
from linrep.paper.sweep_dots import limit_of
from linrep.paper.table import as_csv, grid, lines, measured
from linrep.paper.user_sweep import user_experiment
from linrep.runs.toml import parse
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import cells
from linrep.sweeps.numbers import Numbers
from linrep.sweeps.sweep import Outcome

from .planted import ALIGNMENT, F, G, numbers

BASE = {"runs": 4, "world": {"kind": "chain", "concepts": 2}, "compute": {"threads": 1}}
ONE = {G: 0.5, F: 0.4, ALIGNMENT: 0.3}


def widths(**held: int) -> Numbers:
    """Widths 1, 2 and 3, of four runs each."""
    cells = {(name.removeprefix("k"),): many for name, many in held.items()}
    null = dict.fromkeys(ONE, 0.0)
    return numbers({"model.dim": list("123")}, {(k,): ONE for k in "123"}, held=cells, null=null)


WORLDS = ("world.concepts", ("4", "3"))


def two_axes(
    lines: tuple[str, tuple[str, ...]] = WORLDS, first: tuple[str, tuple[str, ...]] = ("seed", ("0", "1"))
) -> Numbers:
    """Linearity is width over ten and four runs of each cell; at width 1 all are on a plateau, at 2 half."""
    axes = dict((first, lines, ("model.dim", tuple("123"))))
    labels = list(itertools.product(*axes.values()))
    held = {at: {"1": 4, "2": 2, "3": 0}[at[2]] for at in labels}
    planted = {at: {G: int(at[2]) / 10, F: 0.4, ALIGNMENT: 0.3} for at in labels}
    return numbers(axes, planted, held=held, null={G: 0.0})


def figures(found: Numbers) -> dict[str, Block]:
    return {block.id: block for block in user_experiment("mine").figures(found)}


def names(block: Block) -> list[str]:
    """Of the lines of a chart, as its legend has them."""
    traces = (block.spec or {})["data"]
    return [trace["name"] for trace in traces if trace.get("name") and trace.get("showlegend", True)]


def dots(block: Block) -> list[tuple[str, list[float], list[float]]]:
    """Symbol and places of every run: their words tell how it ended."""
    traces = [trace for trace in (block.spec or {})["data"] if "text" in trace]
    return [(trace["marker"]["symbol"], trace["x"], trace["y"]) for trace in traces]


def report(found: Numbers, **base: Any) -> Report:
    axes = {"model.dim": [1, 2, 3]}
    sweep = parse_sweep({"base": {**BASE, **base}, "axes": axes, "question": "Which?"}, name="mine")
    return Report(
        experiment=user_experiment("mine"),
        sweep=sweep,
        numbers=found,
        outcomes=[Outcome(cell=cell) for cell in cells(sweep)],
        seconds=1.0,
        command="linrep sweep mine.toml",
    )


def test_a_table_is_of_runs_that_converged_and_brackets_say_where_none_did() -> None:
    planted = widths(k1=4, k2=1)
    found = lines(measured(planted, [LINEARITY_G]))
    assert [(line.labels[0], line.which, line.converged, line.runs) for line in found] == [
        ("1", "all", 0, 4),
        ("2", "converged", 3, 4),
        ("3", "converged", 4, 4),
    ]
    titles, body = grid(planted, found, [LINEARITY_G])
    assert titles == ["width k", "converged", "linearity g"]
    assert body[0] == ["1", "0 of 4", "(0.50 [0.50, 0.50])"]
    assert body[1] == ["2", "3 of 4", "0.50"], "three runs have no interval"
    assert body[2] == ["3", "4 of 4", "0.50 [0.50, 0.50]"]
    rows = list(csv.DictReader(io.StringIO(as_csv(planted, measured(planted, [LINEARITY_G])))))
    assert [(row["model.dim"], row["which_runs"], row["runs"]) for row in rows] == [
        ("1", "converged", "0"), ("1", "all", "4"), ("2", "converged", "3"),
        ("2", "all", "4"), ("3", "converged", "4"), ("3", "all", "4"),
    ]  # fmt: skip


@pytest.mark.parametrize("axes", [1, 2, 3, 5])
def test_a_table_has_six_columns_at_most(axes: int) -> None:
    names = {f"axis{i}": ["a", "b"] for i in range(axes)}
    cells_of = dict.fromkeys(itertools.product(*names.values()), ONE)
    planted = numbers({**names, "one point": ["x"]}, {(*at, "x"): one for at, one in cells_of.items()})
    columns = [LINEARITY_G] * 7
    titles, body = grid(planted, lines(measured(planted, columns)), columns)
    assert len(titles) == 6
    assert {len(row) for row in body} == {6}
    assert titles[0] == ("axis0" if axes < 4 else " · ".join(names))
    assert len(body) == 2**axes


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"k1": 4, "k2": 4, "k3": 4}, "0 of 12 runs converged; 12 ended on a plateau."),
        ({"k2": 1}, "11 of 12 runs converged; 1 ended on a plateau."),
        ({}, "All 12 runs converged."),
    ],
)
def test_the_page_says_how_many_runs_converged(held: dict[str, int], said: str) -> None:
    found = report(widths(**held))
    assert [line.claim for line in experiment_page(found).lines][1] == said
    assert found.record()["ended"]["converged"] == 12 - sum(held.values())


def test_an_answer_is_told_on_80_columns_and_below_its_title(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = report(widths())
    asked = replace(found.sweep, question="Does width suffice? " * 10)
    show_answer(replace(found, sweep=asked))
    title, *below = capsys.readouterr().out.splitlines()
    assert title == found.sweep.title
    assert all(line.startswith("  ") and len(line) <= 80 for line in below)
    words = " ".join(line.strip() for line in below)
    assert words.count("Does width suffice?") == 10
    assert "All 12 runs converged." in words


def test_figures_name_their_lines_and_say_what_is_pooled() -> None:
    drawn = figures(two_axes())
    linear = drawn["linearity-unembedding"]
    shapes = ["converged", "on a plateau"]
    assert names(linear) == ["4 concepts", "3 concepts", "random pairs", "untrained", *shapes]
    assert (linear.spec or {})["layout"]["xaxis"]["title"]["text"] == "width k"
    assert "Runs of every seed are taken together." in linear.caption
    assert "means over all cells at the same width k" in linear.caption


def test_every_run_is_a_dot_by_how_it_ended_and_lines_are_of_those_that_converged() -> None:
    varied = numbers(
        {"model.dim": ["1", "2"]},
        {("1",): {G: lambda run: 0.1 * run}, ("2",): {G: lambda run: 0.5 + 0.1 * run}},
        held={("1",): 4, ("2",): 2},
        null={G: 0.0},
    )
    drawn = figures(varied)["linearity-unembedding"]
    assert dots(drawn) == [
        ("circle", [2, 2], pytest.approx([0.7, 0.8])),
        ("square", [1, 1, 1, 1, 2, 2], pytest.approx([0.0, 0.1, 0.2, 0.3, 0.5, 0.6])),
    ]
    line = (drawn.spec or {})["data"][0]
    assert (line["x"], line["y"]) == ([2], pytest.approx([0.75])), "of the two that converged"


def test_limits_and_k_is_m_are_those_of_the_cells() -> None:
    axes = {"model.dim": [2, 3, 8], "world.concepts": [2, 3]}
    asked = parse_sweep({"base": BASE, "axes": axes}, name="mine")
    grid_of = cells(asked)
    labels = {axis: [str(each) for each in points] for axis, points in axes.items()}
    planted = numbers(labels, dict.fromkeys(itertools.product(*labels.values()), ONE), null={G: 0.0})
    drawn = {block.id: block for block in user_experiment("mine", grid_of).figures(planted)}
    traces = {trace["name"]: trace for trace in (drawn["linearity-unembedding"].spec or {})["data"]}
    limits = sorted(zip(traces["predicted limit"]["x"], traces["predicted limit"]["y"], strict=True))
    assert [at for at, _ in limits] == [2, 3, 3, 8, 8], "k = m and k of at least the rank"
    assert [value for _, value in limits] == pytest.approx([1, 0.2679, 1, 0.2262, 0.2679], abs=1e-3)
    assert traces["k = m"]["x"] == [2, 2, 2, 3, 3, 3]
    assert traces["k = m"]["y"] == [0.0, 1.0, None, 0.0, 1.0, None]
    assert "predicted limit" not in {
        trace["name"] for trace in (figures(planted)["alignment"].spec or {})["data"]
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"contexts": {"kind": "fraction", "fraction": 0.5}},
        {"tokens": {"kind": "fraction", "fraction": 0.5}},
        {"model": {"encoder": "mlp"}},
        {"world": {"kind": "chain", "concepts": 2, "probability_range": [0.0, 0.7]}},
        {"world": {"kind": "network", "network": "cancer"}},
    ],
)
def test_no_limit_where_theory_says_nothing(changed: dict[str, Any]) -> None:
    for given, predicted in (({}, True), (changed, False)):
        config = parse({**BASE, **given, "model": {"dim": 8, **given.get("model", {})}})
        assert (limit_of(config, G) is not None) == predicted


def test_how_runs_ended_has_its_panel_of_stacked_shares() -> None:
    spec = figures(two_axes())["ended"].spec or {}
    assert spec["data"][0]["x"] == [3 * ["4 concepts"] + 3 * ["3 concepts"], 2 * ["1", "2", "3"]]
    assert {trace["name"]: trace["y"] for trace in spec["data"]} == {
        "converged": 2 * [0.0, 0.5, 1.0],
        "on a plateau": 2 * [1.0, 0.5, 0.0],
    }


def test_two_axes_of_numbers_have_maps_with_the_smallest_at_the_lower_left() -> None:
    drawn = figures(two_axes())
    (linear,), (ended,) = ((drawn[f"map-{name}"].spec or {})["data"] for name in ("linearity", "converged"))
    assert linear["z"] == 2 * [[None, pytest.approx(0.2), pytest.approx(0.3)]], "none converged at width 1"
    assert ended["z"] == 2 * [[0.0, 0.5, 1.0]]
    layout = (drawn["map-converged"].spec or {})["layout"]
    assert (layout["xaxis"]["ticktext"], layout["yaxis"]["ticktext"]) == (["1", "2", "3"], ["4", "3"])
    assert layout["yaxis"]["autorange"] == "reversed"
    panels = figure(list(drawn.values())).axes
    cells = [[text.get_text() for text in axes.texts] for axes in panels[-2:]]
    assert cells == [2 * ["0.20", "0.30"], 2 * ["0.00", "0.50", "1.00"]]


def test_an_axis_of_words_has_lines_and_no_map() -> None:
    drawn = figures(two_axes(("training.optimizer", ("gd", "sgd"))))
    assert not any(name.startswith("map") for name in drawn)


def test_lines_are_of_numbers_where_there_are_any_and_the_rest_is_pooled() -> None:
    drawn = figures(two_axes(first=("method", ("GD", "SGD"))))["alignment"]
    assert names(drawn)[:2] == ["4 concepts", "3 concepts"]
    assert "Runs of every method are taken together." in drawn.caption


def test_one_axis_has_one_line() -> None:
    drawn = figures(widths())
    lines = ["mean of those that converged", "random pairs", "untrained"]
    assert names(drawn["alignment"]) == [*lines, "converged"]
    assert "together" not in drawn["alignment"].caption


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
    for name in ("linearity-unembedding", "alignment"):
        axis = (drawn[name].spec or {})["layout"]["xaxis"]
        assert (axis.get("type"), axis["tickvals"]) == (kind, [float(each) for each in points])


def test_more_lines_than_a_figure_holds_are_counted() -> None:
    drawn = figures(two_axes(("method", tuple(f"M{n}" for n in range(14)))))["alignment"]
    assert len([name for name in names(drawn) if name.startswith("method")]) == 10
    assert "The first 10 of 14 lines are drawn." in drawn.caption


def test_a_sweep_whose_runs_all_diverged_has_a_page() -> None:
    found = widths()
    empty = report(Numbers.of_frame(found.frame.iloc[:0], axes=found.axes))
    assert empty.converged == ""
    assert "did not converge" in experiment_page(empty).lines[0].claim
