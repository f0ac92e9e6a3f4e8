"""Figures for a paper."""

from pathlib import Path
from typing import Any

import pytest

from linrep import page
from linrep.laboratory.comparison import Beside
from linrep.page import cube, rendering
from linrep.page.view import view

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


def texts(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def test_what_is_drawn_is_told_in_the_legend_within_one_or_two_columns(dags: Any) -> None:
    levels = {("alignment", ""): 0.5}
    drawn = page.figures(dags, Beside(sentence="", levels=levels))
    assert all(
        figure.get_figwidth() in (3.5, 7.2) for name, figure in drawn.items() if name != "concept-graph"
    )
    (traces,) = drawn["traces"].legends
    assert {
        "unembedding g",
        "each run",
        "10 to 90 % of runs",
        "predicted limit, or rate late in training",
    } <= set(texts(traces))
    (odds,) = drawn["log-odds"].legends
    assert texts(odds)[:2] == ["as in the data", "predicting zero"]


def test_the_caption_says_how_much_of_the_cloud_is_seen(dags: Any) -> None:
    seen = view(dags)
    each = cube.cube(seen, seen.typical)
    table = seen.snapshots[-1, seen.typical]
    whole = float(((table - table.mean(axis=0)) ** 2).sum())
    assert each.shown == pytest.approx(float((each.frames[-1] ** 2).sum()) / whole)
    assert 0 < each.shown < 1
    assert f"holds {each.shown:.0%}".replace("%", "\u00a0%") in cube.block(seen).caption


def test_no_window_is_opened(dags: Any) -> None:
    import matplotlib.pyplot as plt

    page.figures(dags)
    assert plt.get_fignums() == []
