"""Ways held against each other run by run: what counts, what does not, and what the sentences say."""

import math
from dataclasses import replace

import pytest
import torch

from linrep.paper import experiment
from linrep.paper.entanglement import MOVED
from linrep.paper.paired import by_run, mean_difference, stacked
from linrep.paper.record import Answer
from linrep.paper.ridge_path import NORM, along
from linrep.sweeps.numbers import Numbers

from .planted import EXCESS, G, numbers
from .planted_paths import (
    LENGTH,
    entanglement,
    equal_loss,
    generalisation,
    knowledge,
    scattered,
    shift,
)


def asked(name: str, planted: Numbers) -> Answer:
    return experiment(name).answer(planted)


def test_numbers_stand_in_their_runs_places_and_what_did_not_converge_is_nan() -> None:
    planted = numbers({"a": ["x", "y"]}, {("x",): {G: 0.5}, ("y",): {G: 0.7}}, held={("x",): 1})
    planted = scattered(planted, {G: 0.1})
    one, other = (part for _, part in planted.each("a"))
    assert by_run(one, *G).isnan().tolist() == [True, False, False, False]
    torch.testing.assert_close(by_run(one, *G)[1:], torch.tensor([0.4, 0.6, 0.4], dtype=torch.float64))
    assert mean_difference(by_run(other, *G), by_run(one, *G)).value == pytest.approx(0.2)
    assert mean_difference(by_run(other, *G), by_run(one, *G)).runs == (3,)
    assert stacked([one, other], *G).shape == (2, 4)
    assert not len(by_run(Numbers.of_frame(one.frame.iloc[:0], axes=one.axes), *G))


def test_a_path_says_nothing_beyond_its_ends() -> None:
    places = torch.tensor([[3.0, 1.0], [1.0, math.nan], [2.0, 3.0]], dtype=torch.float64)
    values = torch.tensor([[0.3, 0.1], [0.1, 0.5], [0.2, 0.3]], dtype=torch.float64)
    found = along(places, values, torch.tensor([2.5, 2.0], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([0.25, 0.2], dtype=torch.float64))
    assert along(places, values, torch.tensor([3.5, 0.5], dtype=torch.float64)).isnan().all()


def test_runs_at_another_loss_are_no_ways_to_this_one() -> None:
    bent = equal_loss(0.6)
    for loss in (0.02, 0.0001):
        frame = bent.frame.copy()
        frame.loc[(frame["way"] == "GD") & (frame["measure"] == EXCESS[0]), "value"] = loss
        answer = asked("equal-loss", Numbers.of_frame(frame, axes=bent.axes))
        # What is left of the difference is Newton's half of it.
        assert answer.effects[0].effect.value == pytest.approx(0.19)


def test_where_the_control_is_not_determined_nothing_is() -> None:
    assert asked("equal-loss", equal_loss(0.6, known=0.9)).standing == "undecided"
    bent = equal_loss(0.6)
    alone = bent.of(world="earthquake")
    assert asked("equal-loss", alone).standing == "undecided"


def test_equal_loss_says_what_the_norm_has_to_do_with_it() -> None:
    finding = asked("equal-loss", equal_loss(0.6)).finding
    assert (
        "0.38 [0.38, 0.38] (earthquake); in earthquake they are ridge path 0.98, Newton 0.79, GD 0.60"
        in finding
    )
    # Two doublings of the norm from path to GD, and the path itself falls by 0.08 over them.
    assert "longer tables are more bent: per doubling of the norm linearity changes by −0.19" in finding
    assert "at equal norm runs lie −0.22 [−0.22, −0.22] from the ridge path" in finding


def test_knowledge_compares_at_equal_norm_only() -> None:
    answer = asked("knowledge", knowledge(0.8))
    assert "from start 0.1 by 0.00 [0.00, 0.00] (1 of 4 known) to 0.30 [0.30, 0.30] (2 of" in answer.finding
    assert asked("knowledge", knowledge(0.5, norm=60.0)).standing == "undecided"
    assert asked("knowledge", knowledge(0.5, norm=35.0)).effects[1].effect.value == pytest.approx(-0.01)


def test_a_shift_is_held_against_a_fresh_run() -> None:
    """Directions may be kept and the end still another one; either way of failing is no."""
    assert asked("shift", shift(6.0, linear=0.8)).standing == "no"
    assert asked("shift", shift(6.0, gap=0.3)).standing == "no"
    finding = asked("shift", shift(6.0, gap=0.22)).finding
    assert "1.10 [1.10, 1.10] times their log-odds gap" in finding
    assert "of f by 6.0° [6.0°, 6.0°] (without a change 0.5°, from another run's 90.0°)" in finding


def test_networks_must_keep_directions_that_a_table_does_not() -> None:
    assert asked("generalisation", generalisation(0.1, 0.97, table=0.9)).standing == "no"
    finding = asked("generalisation", generalisation(0.9, 0.97)).finding
    assert "directions are kept by every network at every share" in finding
    assert "log-odds are matched by no network at any share" in finding
    assert "(the table's 1.17 times)" in finding


def test_cross_talk_no_smaller_than_that_of_random_pairs_is_no() -> None:
    assert asked("entanglement", entanglement(0.04, 0.07, random=0.06)).standing == "no"
    assert "0.07 [0.07, 0.07] (m = 4, k = 16)" in asked("entanglement", entanglement(0.04, 0.07)).finding


def test_widths_below_the_number_of_concepts_do_not_count() -> None:
    planted = entanglement(0.04, 0.07)
    frame = planted.frame.copy()
    frame.loc[(frame["measure"] == MOVED) & (frame["model.dim"] == "2"), "value"] = 50.0
    assert asked("entanglement", Numbers.of_frame(frame, axes=planted.axes)).standing == "yes"


def test_few_runs_decide_nothing() -> None:
    for name, planted in (
        ("equal-loss", equal_loss(0.6, runs=3)),
        ("knowledge", knowledge(0.8, runs=3)),
        ("shift", shift(40.0, runs=3)),
        ("generalisation", generalisation(0.9, 0.97, runs=3)),
        ("entanglement", entanglement(0.5, 0.2, runs=3)),
    ):
        assert asked(name, planted).standing == "undecided"
        assert "Too few runs converged" in asked(name, planted).sentence


def test_the_balanced_norm_does_not_see_the_gauge() -> None:
    import linrep
    from linrep.paper.ridge_path import norm_rows

    result = linrep.run(world="cancer", runs=2, training={"steps": 20}, progress=False)
    turn = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    moved = replace(
        result, embedding=result.embedding @ turn, unembedding=result.unembedding @ torch.linalg.inv(turn).T
    )
    own, other = ([value for *_, value in norm_rows(each)] for each in (result, moved))
    assert own == pytest.approx(other, rel=1e-4)
    lengths = [
        float((f.square().sum() + (g - g.mean(0)).square().sum()).sqrt())
        for f, g in zip(moved.embedding, moved.unembedding, strict=True)
    ]
    assert all(least < length for least, length in zip(other, lengths, strict=True))
    assert LENGTH == (NORM, "")
