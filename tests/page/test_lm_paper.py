"""The page of the paper's figures: in their order, each with its sentence or why there is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from linrep.llm import LMPaper, MeasureOptions, paper
from linrep.page.lm.paper import TITLES, Seen, drawn, lines, render, save, save_figures, title
from linrep.runs.row import NullRange
from tests.llm.planted import planted


@pytest.fixture(scope="module")
def found() -> LMPaper:
    world, options = planted(), MeasureOptions(inner="euclid", draws=100)
    return paper(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=options)


def changed(found: LMPaper, low: float, high: float, null: NullRange) -> LMPaper:
    """Every headline with that interval beside that null."""
    rows = tuple(
        replace(row, low=low, high=high, null=null) if row.concept in ("", "winograd") else row
        for row in found.rows
    )
    return replace(found, rows=rows)


def test_four_figures_stand_in_the_papers_order_and_one_table_after_them(found: LMPaper) -> None:
    text = render(found)
    places = [text.index(f'id="{name}"') for name in (*TITLES, "inner-table")]
    assert places == sorted(places)
    for block in ("linearity-plot", "overlap-euclid", "overlap-causal", "overlap-random", "winograd-plot"):
        assert text.count(f'id="{block}"') == 1
    assert found.page() == text
    assert [line.claim for line in lines(found)][:4] == [f"{each}." for each in TITLES.values()]


@pytest.mark.parametrize(
    ("low", "high", "cosines", "overlap"),
    [(0.5, 0.6, "yes", "no"), (0.0, 0.02, "no", "yes"), (0.04, 0.5, "undecided", "undecided")],
)
def test_the_whole_interval_decides(
    found: LMPaper, low: float, high: float, cosines: str, overlap: str
) -> None:
    seen = Seen(changed(found, low, high, NullRange(mean=0.1, low=0.05, high=0.2)))
    assert [seen.scale(name).there for name in TITLES] == [cosines, overlap, cosines, cosines]


def test_what_is_absent_has_a_line_and_no_figure() -> None:
    world, options = planted(), MeasureOptions(inner="causal", draws=50)
    found = paper(world.pair, world.pairs, None, None, seed=0, options=options)
    text = render(found)
    assert text.count("Not measured: the model was not run: only a table of it was read.") == 4
    assert 'id="winograd-plot"' not in text
    assert "of the 2 findings of the paper that could be asked hold in" in title(Seen(found))
    assert set(drawn(found)) == {"linearity", "overlap"}


def test_page_and_figures_are_files(found: LMPaper, tmp_path: Path) -> None:
    save(found, tmp_path / "page")
    assert {each.name for each in (tmp_path / "page").iterdir()} == {
        "page.html",
        "result.json",
        "table.csv",
        "table.parquet",
    }
    written = save_figures(found, tmp_path / "figures")
    assert len(written) == 3 * len(TITLES)
    assert all(each.stat().st_size > 1000 for each in written)
