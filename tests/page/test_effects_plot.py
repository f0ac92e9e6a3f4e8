"""Effects against their bounds, bars of shares, and one legend for charts that mean the same."""

import re
from dataclasses import replace

import pytest
import torch

from linrep.intervals import average
from linrep.page.bars import stacked
from linrep.page.chart import Series, chart, means
from linrep.page.effects import Row, ends, html
from linrep.page.experiment import experiment_page
from linrep.page.one_legend import with_one_legend
from linrep.page.print_plot import figure, first_row
from linrep.page.shell import Block
from linrep.paper.effects import Held, above
from linrep.paper.record import Answer, Experiment
from tests.paper.test_user_sweep import report, two_axes

INF = float("inf")


def row(claimed: tuple[float, float], interval: tuple[float, float] | None, value: float = 0.5) -> Row:
    words = {"name": "<b>", "measured": "m", "bound": "b", "count": "20", "standing": "yes"}
    return Row(value=value, interval=interval, claimed=claimed, **words)


def test_what_is_claimed_is_shaded_from_the_bound_on() -> None:
    drawn = html([row((0.0, INF), (0.4, 0.6))])
    (left, width), *_ = re.findall(r'class="claimed" x="([\d.]+)%" width="([\d.]+)%"', drawn)
    low, high = ends(row((0.0, INF), (0.4, 0.6)))
    assert float(left) == pytest.approx(-100 * low / (high - low), abs=0.01)
    assert float(left) + float(width) == pytest.approx(100, abs=0.02)
    assert "&lt;b&gt;" in drawn
    assert drawn.count('class="at-rule"') == 1


def test_a_region_between_bounds_has_both_and_an_effect_without_interval_no_bar() -> None:
    drawn = html([row((0.4, 0.6), None)])
    assert drawn.count('class="at-rule"') == 2
    assert 'class="bar"' not in drawn
    assert 'class="mark" cx="50.00%"' in drawn


def test_a_long_list_of_effects_is_folded_after_the_first_few() -> None:
    few, many = (html([row((0.0, INF), (0.4, 0.6))] * size) for size in (8, 9))
    assert [drawn.count('class="yes rest"') for drawn in (few, many)] == [0, 4]
    assert many.count('class="yes"') == 5


def test_of_many_effects_those_that_speak_against_come_first() -> None:
    held, against, fewer = 0.95, 0.1, 8
    effects = [
        above(f"effect {at}", average(torch.full((4,), held, dtype=torch.float64)), 0.5)
        for at in range(fewer)
    ]
    late = above("too small", average(torch.full((4,), against, dtype=torch.float64)), 0.5)

    def first(given: list[Held]) -> str:
        answer = Answer(standing="no", finding="so.", rule="", effects=tuple(given))
        study = Experiment(name="mine", answer=lambda _: answer, figures=lambda _: [])
        page = experiment_page(replace(report(two_axes()), experiment=study))
        (forest,) = (block for block in page.blocks if block.kind == "forest")
        assert forest.many == len(given)
        return re.findall(r'<th scope="row">(.*?)</th>', forest.drawing)[0]

    assert first([*effects, late]) == "too small"
    assert first([*effects[1:], late]) == "effect 1", "a short list keeps its order"


def lines(name: str, colour: str) -> Block:
    drawn = Series(name=name, colour=colour, x=[1, 2], points=means([0.1, 0.2]))
    return chart(f"{name}-{colour}", "T", [drawn], x="x", y="y")


def legends(blocks: list[Block]) -> list[bool]:
    return [bool((block.spec or {})["layout"]["showlegend"]) for block in blocks if block.kind == "plot"]


def test_charts_share_a_legend_only_where_names_and_looks_agree() -> None:
    alike = with_one_legend([lines("g", "--null"), lines("f", "--embedding"), lines("g", "--null")])
    assert alike[0].kind == "legend"
    assert [name for *_, name in alike[0].rows] == ["g", "f"]
    assert legends(alike) == [False, False, False]
    two_looks = with_one_legend([lines("g", "--null"), lines("f", "--embedding"), lines("g", "--fair")])
    assert legends(two_looks) == [False, False, True]
    two_names = with_one_legend([lines("g", "--null"), lines("f", "--null")])
    assert legends(two_names) == [True, True]
    assert all(block.kind == "plot" for block in two_names)


def test_bars_stand_on_one_another_in_their_groups_also_on_paper() -> None:
    places = [("3 concepts", "2"), ("3 concepts", "4"), ("4 concepts", "2")]
    shares = {"in": [1.0, 0.25, 0.5], "out": [0.0, 0.75, 0.5], "never": [0.0, 0.0, 0.0]}
    block = stacked("b", "B", places, shares, colours=("--good", "--poor", "--null"), x="k", y="share")
    (axes,) = figure([block]).axes
    bars = [(bar.get_x() + bar.get_width() / 2, bar.get_y(), bar.get_height()) for bar in axes.patches]
    assert bars == [
        pytest.approx(each)
        for each in [(0, 0, 1), (1, 0, 0.25), (3, 0, 0.5), (0, 1, 0), (1, 0.25, 0.75), (3, 0.5, 0.5)]
    ]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2\n3 concepts", "4", "2\n4 concepts"]
    assert "3 concepts, 4: 25% in, 75% out" in block.alt


def test_the_first_row_is_what_a_page_sets_side_by_side() -> None:
    blocks = [lines(name, "--null") for name in "abc"]
    assert [block.id for block in first_row(blocks)] == ["a---null", "b---null"]
    assert [block.size for block in first_row(blocks[:1])] == ["wide"]
    assert first_row([]) == []
