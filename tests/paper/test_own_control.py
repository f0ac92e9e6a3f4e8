"""Runs as their own control: slopes and differences against what was planted."""

import pytest

from linrep.paper.own_control import less, slopes
from linrep.sweeps.numbers import Numbers

from .planted import ALIGNMENT, G, numbers

X = ("dependence", "")


def planted(steep: float, *, stuck: int = 0) -> list[Numbers]:
    """Runs of their own level, all with one slope."""
    cells = {(str(x),): {X: float(x), G: steep * x, ALIGNMENT: 0.25} for x in (0, 1, 2)}
    found = numbers({"x": ["0", "1", "2"]}, cells, null={G: 0.5}, held={("2",): stuck})
    frame = found.frame.copy()
    own = (frame["measure"] == G[0]) & (frame["kind"] == "value")
    frame.loc[own, "value"] += 10.0 * frame.loc[own, "run"]
    return [part for _, part in Numbers.of_frame(frame, axes=found.axes).each("x")]


def test_a_slope_sees_no_level() -> None:
    assert slopes(planted(-0.25), X, G).tolist() == pytest.approx([-0.25] * 4)
    assert slopes(planted(0.0), X, G).tolist() == pytest.approx([0.0] * 4)


def test_a_slope_is_taken_where_a_run_converged() -> None:
    assert len(slopes(planted(1.0, stuck=4), X, G)) == 4
    assert len(slopes(planted(1.0)[:1], X, G)) == 0
    assert len(slopes([], X, G)) == 0


def test_less_is_run_by_run() -> None:
    (first, *_) = planted(1.0)
    assert less(first, G, ALIGNMENT).value == pytest.approx(15.0 - 0.25)
    assert less(first, G, G, share=0.5, kind="null").value == pytest.approx(15.0 - 0.25)
    assert less(first, G, G).interval95 == (0.0, 0.0)
