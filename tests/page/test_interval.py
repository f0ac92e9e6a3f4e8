"""A line in its band, a point with its bar: what is drawn is what was given, and nothing more."""

import math

import numpy as np
import pytest

from linrep.page.interval import Estimates, line, null, null_ranges, points, predicted
from linrep.page.print_plot import draw

PLANTED = Estimates(
    name="g <b>",
    colour="--unembedding",
    x=[1, 2, 3],
    centre=[0.5, 0.25, None],
    low=[0.25, 0.0, None],
    high=[0.75, 0.5, 1.0],
)
BARE = Estimates(name="g", colour="--unembedding", x=[1, 2], centre=[0.5, 0.25])


def test_a_band_lies_behind_its_line_between_low_and_high() -> None:
    lower, upper, middle = line(PLANTED, dash="dash", symbol="x")
    assert (lower["y"], upper["y"], middle["y"]) == (PLANTED.low, PLANTED.high, PLANTED.centre)
    assert upper["fill"] == "tonexty"
    assert "fill" not in lower
    assert {trace["showlegend"] for trace in (lower, upper)} == {False}
    assert {trace["hoverinfo"] for trace in (lower, upper)} == {"skip"}
    assert middle["mode"] == "lines+markers"
    assert middle["line"]["dash"] == "dash"


@pytest.mark.parametrize("along", ["x", "y"])
def test_bars_reach_from_the_centre_to_both_ends(along: str) -> None:
    (dots,) = points(PLANTED, along=along)  # type: ignore[arg-type]
    bars = dots[f"error_{along}"]
    assert bars["array"] == [0.25, 0.25, 0.0]
    assert bars["arrayminus"] == [0.25, 0.25, 0.0]
    assert dots[along] == PLANTED.centre
    assert f"%{{{along}" in dots["hovertemplate"], "the words at a dot say its number, not its place"
    assert dots["x" if along == "y" else "y"] == PLANTED.x
    (joined,) = line(PLANTED, with_bars=True)
    assert joined["error_y"] == bars


def test_an_interval_that_leaves_out_its_centre_has_no_bar_on_that_side() -> None:
    one = Estimates(name="g", colour="--null", x=[0], centre=[1.0], low=[1.5], high=[math.nan])
    (dots,) = points(one)
    assert (dots["error_y"]["array"], dots["error_y"]["arrayminus"]) == ([0.0], [0.0])


def test_without_an_interval_there_is_neither_band_nor_bar() -> None:
    (alone,), (dots,) = line(BARE), points(BARE)
    assert "fill" not in alone
    assert not {"error_x", "error_y"} & {*dots, *alone}
    assert alone["mode"] == "lines"


def test_names_are_no_markup() -> None:
    for trace in (line(PLANTED)[-1], points(PLANTED)[0]):
        assert trace["name"] == "g &lt;b&gt;"
        assert "<b>" not in trace["hovertemplate"]


def test_measured_null_and_predicted_are_told_apart() -> None:
    looks = [trace["line"] for trace in (*line(BARE), *null([1], [0.1]), *predicted([1], [0.2]))]
    assert len({(look["dash"], look["color"]) for look in looks}) == 3
    assert len({look["dash"] for look in looks}) == 3
    (stroke,) = null_ranges([0.0, 1.0], [-0.1, -0.2], [0.1, 0.2], "random pairs", listed=False)
    assert stroke["x"] == [0.0, 0.0, None, 1.0, 1.0, None]
    assert stroke["y"] == [-0.1, 0.1, None, -0.2, 0.2, None]


def test_paper_draws_the_same_numbers() -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    thin = Estimates(name="run 0", colour="--null/0.3", x=[1, 2, 3], centre=np.array([0.1, 0.2, 0.3]))
    found = draw(axes, [*line(PLANTED), *line(thin)])
    assert list(found) == ["g <b>", "run 0"]
    np.testing.assert_array_equal(found["g <b>"].handle.get_ydata(), [0.5, 0.25, np.nan])
    (band,) = axes.collections
    corners = {tuple(map(float, corner)) for path in band.get_paths() for corner in path.vertices}
    assert {(1.0, 0.25), (1.0, 0.75), (2.0, 0.0), (2.0, 0.5)} <= corners
    assert band.get_alpha() == 0.14
    assert (found["run 0"].handle.get_alpha(), found["g <b>"].handle.get_alpha()) == (0.3, None)
