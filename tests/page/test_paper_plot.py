"""Plots of a page on paper: what the page shows is what is drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linrep.page.chart import Series, chart, heatmap, means
from linrep.page.print_plot import figure
from linrep.page.print_style import save
from linrep.page.shell import Block
from linrep.sweeps.numbers import Spread


def spread(mean: float) -> Spread:
    return Spread(mean=mean, median=mean, low=mean - 0.1, high=mean + 0.1, runs=5)


def lines(name: str = "over-steps", title: str = "Linearity", *, colour: str = "--unembedding") -> Block:
    series = [
        Series(name="g", colour=colour, x=[0, 10, 100], points=[spread(v) for v in (0.0, 0.4, 0.9)]),
        Series(name="a & b", colour="--null", x=[0, 100], points=means([0.1, 0.2]), dash="dot", plain=True),
    ]
    return chart(name, title, series, x="step", y="mean cosine", log_x=True)


def categories() -> Block:
    series = [Series(name="start", colour="--both", x=["GD", "SGD"], points=[spread(0.5), spread(0.7)])]
    return chart("methods", "Methods", series, x="method", y="$ per run", unit=False)


def handles(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def test_means_bands_and_labels_are_those_of_the_page() -> None:
    (axes,) = figure([lines()]).axes
    solid, dotted = axes.lines
    np.testing.assert_allclose(solid.get_xdata(), [0.5, 10, 100])
    np.testing.assert_allclose(solid.get_ydata(), [0.0, 0.4, 0.9])
    assert solid.get_color() == "#0072b2"
    assert dotted.get_linestyle() != "-"
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert {(10.0, 0.3), (10.0, 0.5)} <= {(float(x), round(float(y), 6)) for x, y in corners}
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "10", "100"]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "step"
    (legend,) = axes.figure.legends
    assert handles(legend) == ["g", "a & b"]


def test_categories_have_bars_from_10_to_90_percent() -> None:
    (axes,) = figure([categories()]).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["GD", "SGD"]
    (bars,) = axes.containers
    segments = bars.lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], [[0.4, 0.6], [0.6, 0.8]])
    assert axes.get_ylabel() == r"\$ per run"


def test_panels_of_the_same_lines_share_a_legend_and_their_ends() -> None:
    drawn = figure(
        [
            lines(),
            lines("other"),
            heatmap("m", "M", [[1.0, None], [0.5, 1.0]], ["a", "b"], ["a", "b"], alt=""),
        ]
    )
    one, other, square = drawn.axes
    assert one.get_ylim() == other.get_ylim()
    assert len(drawn.legends) == 1
    assert one.get_legend() is None
    assert np.ma.is_masked(square.images[0].get_array()[0, 1])
    assert [axes.get_title(loc="left")[:3] for axes in drawn.axes] == ["(a)", "(b)", "(c)"]


def test_one_look_under_two_names_is_not_put_into_one_legend() -> None:
    series = [Series(name="f", colour="--unembedding", x=[0, 1], points=[spread(0.1)] * 2)]
    other = chart("other", "Other", series, x="step", y="mean cosine", log_x=True)
    drawn = figure([lines(), other])
    assert not drawn.legends
    assert [handles(axes.get_legend()) for axes in drawn.axes] == [["g", "a & b"], ["f"]]


def test_nothing_to_draw_is_no_figure() -> None:
    assert figure([]) is None
    assert figure([Block(id="t", kind="table", title="T")]) is None


def test_equal_figures_have_equal_bytes_and_svgs_are_small(tmp_path: Path) -> None:
    first, again = (save({"f": figure([lines(), categories()])}, tmp_path / n) for n in ("1", "2"))
    assert [path.suffix for path in first] == [".pdf", ".svg", ".png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    svg = first[1].read_text()
    assert "a &amp; b" in svg
    assert len(svg) < 30_000


@pytest.mark.parametrize("given", ["svg", "png"])
def test_only_the_format_asked_for(given: str, tmp_path: Path) -> None:
    assert [path.name for path in save({"f": figure([categories()])}, tmp_path, [given])] == [f"f.{given}"]


def test_numbers_that_are_written_in_an_svg_keep_their_digits(tmp_path: Path) -> None:
    small = Series(name="0.000610", colour="--unembedding", x=[1, 2], points=[spread(0.1)] * 2)
    (path,) = save({"f": figure([chart("c", "C", [small], x="0.12345", y="y")])}, tmp_path, ["svg"])
    text = path.read_text()
    assert ">0.000610<" in text
    assert ">0.12345<" in text
