"""An answer follows from intervals against bounds, and from nothing else."""

import pytest
import torch

from linrep.intervals import Effect, average
from linrep.paper.effects import Held, above, below, judged, within
from linrep.paper.record import Answer


def effect(low: float, high: float) -> Effect:
    return Effect(value=(low + high) / 2, interval95=(low, high), runs=(20,))


FEW = Effect(value=0.9, interval95=None, runs=(3,))


@pytest.mark.parametrize(
    ("held", "standing"),
    [
        (above("x", effect(0.6, 0.8), 0.5), "yes"),
        (above("x", effect(0.4, 0.8), 0.5), "undecided"),
        (above("x", effect(0.1, 0.4), 0.5), "no"),
        (below("x", effect(0.1, 0.4), 0.5), "yes"),
        (below("x", effect(0.6, 0.8), 0.5), "no"),
        (within("x", effect(-0.55, -0.45), (-0.6, -0.4)), "yes"),
        (within("x", effect(-0.65, -0.45), (-0.6, -0.4)), "undecided"),
        (within("x", effect(-0.9, -0.7), (-0.6, -0.4)), "no"),
        (within("x", effect(-0.3, -0.2), (-0.6, -0.4)), "no"),
        (within("x", effect(-0.9, -0.1), (-0.6, -0.4)), "undecided"),
        (above("x", FEW, 0.5), "undecided"),
    ],
)
def test_a_standing_is_where_the_whole_interval_lies(held: Held, standing: str) -> None:
    assert held.standing == standing
    assert held.record()["standing"] == standing


def test_an_answer_is_yes_only_if_every_effect_is_and_no_if_one_is() -> None:
    yes, no, open_ = (above("x", each, 0.5) for each in (effect(0.6, 0.8), effect(0.1, 0.4), FEW))
    assert judged([yes, yes]) == "yes"
    assert judged([yes, open_]) == "undecided"
    assert judged([yes, open_, no]) == "no"
    assert judged([]) == "undecided"


def test_an_answer_says_where_too_few_runs_converged() -> None:
    held = above("linearity of g", FEW, 0.5)
    answer = Answer(standing=judged([held]), finding="it is 0.90.", rule="r", effects=(held,))
    assert answer.sentence == (
        "Undecided: it is 0.90. Too few runs converged for an interval: linearity of g."
    )


def test_many_effects_without_an_interval_are_counted() -> None:
    held = tuple(above(name, FEW, 0.5) for name in "abc")
    answer = Answer(standing=judged(held), finding="it is.", rule="r", effects=held)
    assert answer.few == "Too few runs converged for 3 of 3 intervals."


def test_an_average_is_of_what_is_there() -> None:
    found = average(torch.tensor([0.1, 0.2, torch.nan], dtype=torch.float64))
    assert (found.value, found.interval95, found.runs) == (pytest.approx(0.15), None, (2,))
    assert average(torch.tensor([torch.nan], dtype=torch.float64)).runs == (0,)
