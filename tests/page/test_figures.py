"""Figures for a paper."""

from pathlib import Path
from typing import Any

import pytest

from linrep import page
from linrep.laboratory.comparison import Beside
from linrep.page import rendering

NAMES = ["alignment", "concept-graph", "hypercube", "log-odds", "overlap", "spectrum", "traces"]
FIRST = {".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}


def test_every_figure_as_pdf_svg_and_png(dags: Any, tmp_path: Path) -> None:
    written = page.save_figures(dags, tmp_path / "figures")
    assert sorted({path.stem for path in written}) == NAMES
    assert sorted(path.suffix for path in written) == [".pdf"] * 7 + [".png"] * 7 + [".svg"] * 7
    for path in written:
        assert path.read_bytes().startswith(FIRST[path.suffix])
    assert "C5" in (tmp_path / "figures" / "overlap.svg").read_text(encoding="utf-8")


def test_equal_results_give_equal_bytes(dags: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = page.figures
    few = ("alignment", "concept-graph")  # all are saved alike; these two are fast
    monkeypatch.setattr(rendering, "figures", lambda *given: {name: every(*given)[name] for name in few})
    first, again = (page.save_figures(dags, tmp_path / name) for name in ("first", "again"))
    assert len(first) == 6
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_a_figure_that_does_not_exist_is_left_out(asia: Any) -> None:
    assert "spectrum" not in page.figures(asia)


@pytest.mark.parametrize("which", ["asia", "hostile"])
def test_absent_concepts_and_odd_names(which: str, request: pytest.FixtureRequest) -> None:
    drawn = page.figures(request.getfixturevalue(which), Beside(sentence="", levels={("alignment", ""): 0.5}))
    assert {"hypercube", "traces"} <= set(drawn)
    for figure in drawn.values():
        figure.draw_without_rendering()


def test_no_window_is_opened(dags: Any) -> None:
    import matplotlib.pyplot as plt

    page.figures(dags)
    assert plt.get_fignums() == []
