"""Two answers, one vocabulary: whether it is there says the interval against chance alone."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linrep.cli.views.answers import measures
from linrep.geometry.record import Null, Similarity
from linrep.page import vectors
from linrep.page.lm import verdict as lm_verdict
from linrep.page.scale import Scale, bar, counted, similarity, svg
from linrep.page.verdict import G, scale
from linrep.page.view import view
from linrep.runs.row import NullRange, Row

from .planted import DAGS, edited, planted

ORDER = {"no": 0, "undecided": 1, "yes": 2}
SHARE = st.floats(0.0, 1.0)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[float, float, float]:
    """An interval with its middle."""
    low, value, high = sorted(draw(st.tuples(SHARE, SHARE, SHARE)))
    return low, value, high


def record(low: float, value: float, high: float, null: float) -> Similarity:
    chance = Null(mean=null, q95=null, kind="random pairs")
    return Similarity(
        mean=value, median=value, interval95=(low, high), null=chance, per_concept={}, per_run=(value,)
    )


def row(low: float, value: float, high: float, null: float) -> Row:
    chance = NullRange(mean=null, low=null, high=null, q95=null)
    return Row(
        concept="",
        measure="linearity",
        value=value,
        low=low,
        high=high,
        null=chance,
        shuffled=chance,
        pairs=9,
    )


def answers(found: tuple[float, float, float], null: float, limit: float) -> set[str]:
    """Of every page that judges a cosine: a run's, a language model's, measured vectors'."""
    return {
        similarity(record(*found, null), "linearity of g").there,
        similarity(record(*found, null), "linearity of g", predicted=limit).there,
        lm_verdict.of_row(row(*found, null), "linearity").there,
        vectors.of_linearity(row(*found, null)).there,
    }


@given(numbers(), SHARE, SHARE, SHARE)
def test_one_number_has_one_answer_on_every_page_whatever_the_limit(
    found: tuple[float, float, float], null: float, limit: float, other: float
) -> None:
    (answer,) = answers(found, null, limit)
    assert answers(found, null, other) == {answer}
    low, _, high = found
    assert answer == ("yes" if low > null else "no" if high <= null else "undecided")


@given(numbers(), numbers(), SHARE)
def test_no_number_is_a_no_where_a_smaller_one_is_a_yes(
    one: tuple[float, float, float], two: tuple[float, float, float], null: float
) -> None:
    (first,), (second,) = answers(one, null, 1.0), answers(two, null, 0.5)
    if all(a <= b for a, b in zip(one, two, strict=True)):
        assert ORDER[first] <= ORDER[second]
    if first == "no" and second == "yes":
        assert one[1] <= two[1]


@given(numbers(), SHARE)
def test_of_overlaps_less_is_more(found: tuple[float, float, float], null: float) -> None:
    low, value, high = found
    overlap = Scale(name="o", value=value, interval95=(low, high), null=null, start=1.0, end=0.0).there
    mirrored = Scale(name="o", value=-value, interval95=(-high, -low), null=-null).there
    assert overlap == mirrored


def test_a_run_is_judged_by_its_interval_against_its_null_alone() -> None:
    there = planted(DAGS, held=())
    for low, high, q95, answer in (
        (0.3, 0.5, 0.1, "yes"),
        (0.6, 0.7, 0.75, "no"),
        (0.3, 0.9, 0.5, "undecided"),
    ):
        linear = {
            "mean": 0.5,
            "interval95": [low, high],
            "null": {"mean": 0.0, "q95": q95, "kind": "random pairs"},
        }
        seen = view(edited(there, {"final": {"linearity": {"unembedding": linear}}}))
        assert scale(seen, G).there == answer


def test_nothing_is_said_of_what_has_no_value_no_null_or_no_interval() -> None:
    given_all: dict[str, Any] = {"name": "a", "value": 0.5, "interval95": (0.4, 0.6), "null": 0.1}
    assert Scale(**given_all).there == "yes"
    for absent in (None, math.nan):
        assert Scale(**given_all | {"value": absent}).there == "note"
        assert Scale(**given_all | {"null": absent}).there == "note"
    for interval in (None, (math.nan, 0.6), (0.4, math.nan)):
        assert Scale(**given_all | {"interval95": interval}).there == "undecided"
        assert "[" not in Scale(**given_all | {"interval95": interval}).number
    assert Scale(**given_all | {"interval95": None, "exact": True}).there == "yes"


def test_where_chance_overlaps_reach_is_mirrored_and_never_below_a_stated_bound() -> None:
    def overlap(mean: float, q95: float) -> Scale:
        found = record(0.01, 0.02, 0.03, 0.0)
        null = Null(mean=mean, q95=q95, kind="random pairs")
        return similarity(found.model_copy(update={"null": null}), "overlap", falls=True)

    assert overlap(0.34, 0.4).null == pytest.approx(0.28)
    assert overlap(0.4, 0.9).null == 0.05


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_of_more_concepts_found_more_is_said(given_: tuple[int, int]) -> None:
    part, whole = given_
    assert ORDER[counted(part, whole, "found").there] <= ORDER[counted(part + 1, whole, "found").there]
    assert counted(0, whole, "found").there == "no"


@given(numbers(), SHARE, st.floats(0.01, 1.0))
def test_what_is_drawn_lies_on_its_scale(
    found: tuple[float, float, float], null: float, limit: float
) -> None:
    low, value, high = found
    drawn = Scale(name="<b>", value=value, interval95=(low, high), null=null, end=limit, end_name="predicted")
    places = [drawn.at(number) for number in (0.0, low, value, high)]
    assert places == sorted(places)
    assert places[0] == 0.0
    assert max(drawn.at(limit), places[-1]) == pytest.approx(1.0)
    assert "<b>" not in svg(drawn)
    assert len(bar(drawn, 17)) == 17


def test_a_terminal_of_eighty_columns_holds_both_answers() -> None:
    from rich.console import Console

    share = similarity(record(0.99652, 0.99712, 0.99801, 0.5), "energy in simplices", predicted=0.955)
    gap = Scale(name="log-odds gap", value=0.1, interval95=None, null=12.5, start=12.5, end=0.0, unit="nats")
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(measures([share], 80))
    assert "…" not in captured.get()
    with console.capture() as captured:
        console.print(measures([share, gap, Scale(name="absent", value=None)], 80))
    lines = captured.get().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert "…" not in captured.get()
    assert lines[1].split()[:4] == ["yes", "energy", "in", "simplices"]
    assert lines[1].rstrip().endswith("0.997 [0.997, 0.998]  0.95 predicted")
    assert lines[2].split()[0] == "undecided"
