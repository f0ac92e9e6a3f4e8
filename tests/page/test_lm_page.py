"""The page of a measured language model says what its numbers say, and nothing else."""

from dataclasses import replace

import pytest

from linrep.llm import LMResult, MeasureOptions, measure, steer
from linrep.page.lm import steer as steer_page
from linrep.page.lm.page import render, save
from linrep.page.lm.verdict import lines
from linrep.page.lm.view import View
from tests.llm.planted import CONCEPTS, planted


@pytest.fixture(scope="module")
def result() -> LMResult:
    world = planted()
    options = MeasureOptions(inner="euclid", draws=200, layer="all")
    return measure(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=options)


def said(result: LMResult) -> dict[str, str]:
    return {line.claim: line.there for line in lines(View(result))}


def test_the_planted_concepts_are_told_from_the_empty_one(result: LMResult) -> None:
    text = render(result)
    assert "3 of 4 concepts are directions in" in text
    for figure in ("linearity", "overlap-causal", "alignment-heat", "depth-linearity", "winograd"):
        assert f'id="{figure}"' in text
    assert 'id="beside-tables"' not in text
    assert said(result)["Word pairs: 3 of 4 concepts are one direction."] == "yes"


def test_a_direction_that_is_first_but_not_beyond_its_null_is_not_aligned(result: LMResult) -> None:
    claim = "Alignment: the matching direction comes first for"
    before = {told.partition(" for ")[0]: standing for told, standing in said(result).items()}
    assert before[claim.removesuffix(" for")] != "no"
    rows = tuple(
        replace(row, value=0.0) if row.measure in ("aligned", "found") else row for row in result.rows
    )
    standings = said(replace(result, rows=rows))
    assert [standing for told, standing in standings.items() if told.startswith(claim)] == ["no"]
    assert standings["Fewer than two concepts are directions: none to be apart from."] == "note"


def test_a_name_is_never_markup() -> None:
    hostile, world = "<script>alert(1)</script>", planted()
    pairs = {hostile if name == CONCEPTS[0] else name: each for name, each in world.pairs.items()}
    result = measure(world.pair, pairs, seed=0, options=MeasureOptions(draws=50))
    text = render(result)
    assert hostile not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert View(result).concepts[0] == hostile


def test_page_and_files_lie_together(result: LMResult, tmp_path) -> None:
    page = save(result, tmp_path / "a" / "b")
    files = {"result.json", "table.csv", "table.parquet", "page.html"}
    assert {path.name for path in page.parent.iterdir()} == files


def test_pushed_and_not_pushed() -> None:
    world = planted()
    result = steer(world.pair, "red", ("frame0 redend0v0",), seed=0, pairs=world.pairs, inner="euclid")
    assert [line.there for line in steer_page.lines(result)] == ["yes", "yes"]
    still = {**result.summary, "target_shift_per_unit": 0.1, "other_to_target": 0.9}
    assert [line.there for line in steer_page.lines(replace(result, summary=still))] == ["no", "no"]
    assert len(steer_page.figure(result).data) == len(CONCEPTS)
    assert 'id="slopes"' in steer_page.render(result)
