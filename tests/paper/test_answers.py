"""Every answer sentence follows from its numbers: planted results flip it."""

from typing import Any

import pytest

from linrep.page.print_plot import figure
from linrep.paper import NAMES, experiment
from linrep.paper.complexity import BYTES, DENSE, FUSED, MACHINE, SECONDS, STORED
from linrep.paper.record import Answer
from linrep.runs.summary import END_WORDS
from linrep.sweeps.numbers import Numbers

from .planted import EXCESS, G, numbers
from .planted_directions import (
    PLANTED_DIRECTIONS,
    dimension,
    emergence,
    graphs,
    hierarchy,
    orthogonality,
    real_worlds,
    setting,
)
from .planted_paths import PLANTED_PATHS
from .planted_training import PLANTED_TRAINING

PREDICTED = ("predicted_linearity", "unembedding")


def complexity(fast: float, bent: float = 1.0, small: float = 3.0, stored: float = 6.0) -> Numbers:
    """Overhead up to m = 6, then time × ``fast`` (``bent`` at m = 8), memory × ``small`` and ``stored``."""
    labels = [str(m) for m in range(4, 10)]
    cells: dict[tuple[str, ...], Any] = {}
    for m, label in enumerate(labels, 4):
        time = 1e-3 * fast ** (m - 6) * (bent if m == 8 else 1.0) if m > 6 else 1e-3
        cells[(label,)] = {
            (SECONDS, FUSED): time, (SECONDS, DENSE): 2 * time, (MACHINE, "Abacus, 1 thread"): 1.0,
            (BYTES, FUSED): 1e6 * small ** (m - 9), (BYTES, DENSE): 1e8 * stored ** (m - 9),
            (STORED, DENSE): 4 * 6.0**m,
        }  # fmt: skip
    return numbers({"world.concepts": labels}, cells)


PLANTED = {
    **PLANTED_TRAINING,
    **PLANTED_PATHS,
    **PLANTED_DIRECTIONS,
    "complexity": (complexity(5.5), complexity(5.5, bent=0.6), complexity(7.0)),
}


@pytest.mark.parametrize("name", NAMES)
def test_planted_results_flip_the_answer(name: str) -> None:
    study = experiment(name)
    found: list[Answer] = [study.answer(each) for each in PLANTED[name] if each is not None]
    standings = [answer.standing for answer in found]
    assert standings[0] == "yes"
    assert len(set(standings)) == len(standings), standings
    assert len({answer.sentence for answer in found}) == len(found)
    assert all(answer.sentence.startswith(("Yes: ", "Undecided: ", "No: ")) for answer in found)
    assert len({answer.rule for answer in found}) == 1
    if len(found) == 3:
        assert standings == ["yes", "undecided", "no"]


def test_sentences_quote_the_numbers() -> None:
    normal = experiment("emergence").answer(emergence(0.931)).finding
    assert "normal start: linearity of g at least 0.93" in normal
    half = experiment("setting").answer(setting(0.912)).finding
    assert "half of the contexts: linearity of g at least 0.91" in half
    slope = experiment("graphs").answer(graphs(0.39)).finding
    assert "a nat of dependence changes linearity of g by −0.40 [−0.40, −0.40] (cancer) to −0.38" in slope
    width = experiment("dimension").answer(dimension(0.2)).finding
    assert "0.98 at k = 4 and 0.20 at k = 16 (predicted 0.17" in width
    nested = experiment("hierarchy").answer(hierarchy(9.125, 0.03, twice=0.17)).finding
    flat = (
        "regular simplices in 0 of 2 worlds at k = 6 and 0 of 2 worlds at k = 24 (farthest: 9.12° for nested"
    )
    assert flat in nested
    above = "minus parent in 2 of 2 worlds at k = 6 and 1 of 2 worlds at k = 24 (|cosine|, farthest: 0.17 for"
    assert above in nested
    assert "it is 0.25 at k = 3 (dealt labels 0.12), 0.25 at k = 6 (dealt labels 0.12) and 0.00" in nested
    cost = experiment("complexity").answer(complexity(5.5)).finding
    for quoted in ("5.50 times the time", "Abacus, 1 thread", "8.71 GB and 313 GB", "27 MB and 243 MB"):
        assert quoted in cost


def test_controls_count_against_the_claim() -> None:
    """An angle no smaller than that of random pairs, or an overlap no smaller than untrained, is no."""
    assert experiment("orthogonality").answer(orthogonality(0.04, moved=0.03)).standing == "no"
    assert experiment("orthogonality").answer(orthogonality(0.04, slope=0.5)).standing == "no"
    assert experiment("hierarchy").answer(hierarchy(1.0, 0.02, dealt=(1.5, 0.3))).standing == "no"
    assert experiment("hierarchy").answer(hierarchy(1.0, 0.02, dealt=(15.0, 0.03))).standing == "no"
    assert experiment("emergence").answer(emergence(0.97, overlap=0.2)).standing == "no"
    assert experiment("real-worlds").answer(real_worlds(0.95, null=0.97)).standing == "no"


def test_memory_counts_and_so_does_the_form_that_stores() -> None:
    """A fused form that grows faster than tables do, or no slower than storing p(c|d), is no."""
    assert experiment("complexity").answer(complexity(5.5, small=4.0)).standing == "no"
    assert experiment("complexity").answer(complexity(5.5, small=3.0, stored=2.9)).standing == "no"


def test_times_of_two_machines_are_not_fitted_together() -> None:
    planted = complexity(5.5)
    frame = planted.frame.astype({"table": "str"})
    frame.loc[(frame["measure"] == MACHINE) & (frame["world.concepts"] == "9"), "table"] = "Fingers"
    answer = experiment("complexity").answer(Numbers.of_frame(frame, axes=planted.axes))
    assert answer.standing == "note"
    assert "Abacus, 1 thread; Fingers" in answer.sentence


def test_what_is_mere_overhead_is_not_fitted() -> None:
    planted = complexity(5.5)
    small = planted.frame[planted.frame["world.concepts"].isin(["4", "5", "6", "7"])]
    assert experiment("complexity").answer(Numbers.of_frame(small, axes=planted.axes)).standing == "undecided"


def test_runs_are_told_apart_by_how_they_ended() -> None:
    planted = numbers({"k": ["3"]}, {("3",): {G: 0.9}}, held={("3",): 2})
    assert planted.runs() == 4
    assert planted.runs(ended="converged") == planted.runs(ended=("on a plateau", "diverged")) == 2
    assert planted.runs(ended="unfinished") == 0
    assert planted.shares() == dict.fromkeys(END_WORDS, 0.0) | {"converged": 0.5, "on a plateau": 0.5}


def test_what_a_diverged_run_had_before_counts_nowhere_but_in_the_shares() -> None:
    planted = numbers({"k": ["3"]}, {("3",): {G: 0.9}}, held={("3",): 2})
    frame = planted.frame.copy()
    frame.loc[frame["run"] == 0, "ended"] = "diverged"
    kept = Numbers.of_frame(frame[(frame["run"] != 0) | (frame["step"] == 0)], axes=planted.axes)
    assert kept.runs() == len(kept.values("linearity", "unembedding", at="start")) == 3
    assert kept.counts() == dict.fromkeys(END_WORDS, 0) | {"converged": 2, "on a plateau": 1, "diverged": 1}


@pytest.mark.parametrize("name", NAMES)
def test_no_numbers_give_no_answer(name: str) -> None:
    some = next(each for each in PLANTED[name] if each is not None)
    empty = Numbers.of_frame(some.frame.iloc[:0], axes=some.axes)
    answer = experiment(name).answer(empty)
    assert answer.standing == "undecided"
    assert "did not converge, diverged or are absent" in answer.sentence
    assert answer.would_change


@pytest.mark.parametrize("name", NAMES)
def test_controls_stand_in_every_figure(name: str) -> None:
    some = next(each for each in PLANTED[name] if each is not None)
    blocks = [block for block in experiment(name).figures(some) if block.kind == "plot"]
    names = {trace.get("name", "") for block in blocks for trace in (block.spec or {})["data"]}
    assert any(
        word in each for each in names for word in ("random", "untrained", "storing p", "dealt", "another")
    ), names
    assert all(block.alt for block in blocks)
    assert len({block.id for block in blocks}) == len(blocks)


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_has_its_panel_on_paper(name: str) -> None:
    some = next(each for each in PLANTED[name] if each is not None)
    blocks = [block for block in experiment(name).figures(some) if block.kind == "plot"]
    drawn = figure(blocks)
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert len(titles) == len(blocks)
    drawn.draw_without_rendering()


def test_excess_loss_is_planted_too() -> None:
    assert emergence(0.9).of(concepts="3").mean(*EXCESS) == pytest.approx(0.001)
