"""How a run ended: planted cases, each with a control that ends otherwise."""

import math
from typing import Any

import numpy as np
import pytest
import torch

import linrep
from linrep.laboratory.ended import AT_REST, FLAT, SMALL, excess_of_nothing
from linrep.laboratory.rate import last_rate
from linrep.runs.result import Result
from linrep.theory.width import least_excess

MEASURE = {"null_draws": 2}
TWO = {
    "kind": "tables",
    "variables": [
        {"name": "a", "states": ["no", "yes"], "parents": [], "table": [[0.5, 0.5]]},
        {"name": "b", "states": ["no", "yes"], "parents": ["a"], "table": [[0.9, 0.1], [0.1, 0.9]]},
    ],
}
"""Width 2 is too narrow for them, though it is their number: theory.width."""


def trained(m: int, model: dict[str, Any], training: dict[str, Any], **more: Any) -> Result:
    fields = {
        "runs": 8,
        "world": {"kind": "random", "concepts": m},
        "model": model,
        "training": {"optimizer": "gd", **training},
        "compute": {"threads": 1},
        "measure": MEASURE,
    }
    return linrep.run(fields | more, progress=False)


def excess(result: Result) -> list[float]:
    found = result.summary.final.excess_loss_nats.per_run
    return [math.nan if each is None else each for each in found]


@pytest.mark.parametrize("m", [3, 4])
def test_wide_starts_converge_and_small_ones_end_on_plateaus(m: int) -> None:
    wide = trained(m, {"start": "wide"}, {})
    assert wide.summary.ended.per_run == ("converged",) * 8
    assert wide.summary.converged == (True,) * 8
    small = trained(m, {"init_scale": 0.1}, {"steps": 6000})
    words = small.summary.ended.per_run
    assert {"converged", "on a plateau"} <= set(words) <= {"converged", "on a plateau", "unfinished"}
    # The wide start shows that these worlds have a better end than the plateaus.
    held = [run for run, word in enumerate(words) if word == "on a plateau"]
    assert all(excess(small)[run] > 10 * excess(wide)[run] for run in held)
    rates = [small.summary.ended.rate[run] for run in held]
    assert all(rate is not None and abs(rate) < FLAT for rate in rates)


def test_the_same_run_cut_short_is_unfinished_with_its_rate() -> None:
    cut, whole = (trained(4, {"start": "wide"}, {"steps": steps}) for steps in (30, 3000))
    assert cut.summary.ended.per_run == ("unfinished",) * 8
    middle, final = cut.summary.ended.medians["unfinished"], cut.summary.final
    assert middle.linearity_unembedding == final.linearity["unembedding"].median
    assert middle.excess_loss_nats == final.excess_loss_nats.median
    assert middle.excess_loss_nats == pytest.approx(np.median(excess(cut)), rel=1e-12)
    assert all(rate is not None and rate < -FLAT for rate in cut.summary.ended.rate)
    assert set(whole.summary.ended.per_run) == {"converged"}


def test_before_it_has_begun_a_run_is_unfinished_however_slow() -> None:
    slow = trained(4, {"init_scale": 1e-3}, {"steps": 40, "step_size": 0.01})
    assert all(rate is not None and abs(rate) < FLAT for rate in slow.summary.ended.rate)
    assert slow.summary.ended.per_run == ("unfinished",) * 8


def test_tables_that_cannot_represent_the_supports_are_too_narrow() -> None:
    narrow = trained(4, {"start": "wide", "dim": 3}, {})
    assert narrow.summary.ended.per_run == ("too narrow",) * 8
    floors = [least_excess(world, 3).floor for world in narrow.worlds]
    assert narrow.summary.ended.floor_nats == pytest.approx(floors)
    assert all(floor > 0 for floor in floors)


def test_a_floor_is_the_reason_at_k_equal_to_m_only_where_it_is_near() -> None:
    two = trained(2, {"start": "wide"}, {}, world=TWO, runs=2)
    assert two.summary.ended.per_run == ("too narrow",) * 2
    three = trained(2, {"start": "wide", "dim": 3}, {}, world=TWO, runs=2)
    assert three.summary.ended.per_run == ("converged",) * 2


def test_a_step_that_is_too_large_diverges_beside_runs_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from linrep.laboratory import trajectory

    begin = trajectory.start

    def spoiled(*arguments: Any, **more: Any) -> Any:
        state = begin(*arguments, **more)
        state.embedding[1] *= 1e38
        return state

    monkeypatch.setattr(trajectory, "start", spoiled)
    ended = trained(3, {}, {"step_size": 1.0, "steps": 3000}, runs=3).summary.ended
    assert ended.per_run[1] == "diverged"
    assert "diverged" not in (ended.per_run[0], ended.per_run[2])
    assert ended.shares["diverged"] == pytest.approx(1 / 3)
    assert "diverged" not in ended.medians


def test_noise_of_minibatches_is_no_plateau_and_falls_with_the_step() -> None:
    sgd = {"optimizer": "sgd", "steps": 6000, "batch_size": 100}
    noisy = trained(3, {"start": "wide"}, sgd | {"step_size": 5.0})
    assert noisy.summary.ended.per_run == ("unfinished",) * 8
    ending = noisy.summary.ending
    assert ending is not None
    gradient = ending.gradient_nats.per_run
    assert all(g is not None and g > 10 * e for g, e in zip(gradient, excess(noisy), strict=True))
    quiet = trained(
        3, {"start": "wide"}, sgd | {"step_size": 1.0, "schedule": "geometric", "final_step_size": 1e-3}
    )
    assert max(excess(quiet)) < min(excess(noisy)) / 10
    assert all(rate is not None and rate < -FLAT for rate in quiet.summary.ended.rate)


@pytest.mark.parametrize("steps", [{"optimizer": "gd"}, {"optimizer": "sgd", "step_size": 1.0}])
def test_a_small_gradient_where_every_run_begins_ends_none(steps: dict[str, Any]) -> None:
    """Small tables have small gradients: the start is a saddle, which is left."""
    asked = trained(3, {"init_scale": 1e-3}, steps | {"steps": 400, "until_gradient": 1e-2}, runs=2)
    ending = asked.summary.ending
    assert ending is not None
    assert asked.summary.final.step == 400 or min(step or 0 for step in ending.ended_at) > 10
    nothing = [excess_of_nothing(world) for world in asked.worlds]
    assert all(e < 0.9 * most for e, most in zip(excess(asked), nothing, strict=True))


@pytest.mark.parametrize("tokens", [["000"], None])
@pytest.mark.parametrize("start", ["normal", "wide"])
@pytest.mark.parametrize("optimizer", ["gd", "newton", "adam"])
def test_where_there_is_nothing_to_learn_runs_converge(
    tokens: list[str] | None, start: str, optimizer: str
) -> None:
    even = {"kind": "independent", "concepts": 3, "probabilities": [0.5, 0.5, 0.5]}
    chosen: dict[str, Any] = {"tokens": {"kind": "list", "tokens": tokens}} if tokens else {}
    chosen["contexts"] = {"kind": "list", "contexts": ["???"]}
    steps = {"optimizer": optimizer} | ({"steps": 3000} if optimizer != "newton" else {})
    result = trained(3, {"start": start, "dim": 2}, steps, world=even, runs=2, **chosen)
    assert result.summary.ended.per_run == ("converged",) * 2
    assert max(excess(result)) <= 1e-9 or optimizer == "newton"  # which ends at what it was asked for


def test_what_was_asked_for_and_reached_is_converged() -> None:
    asked = trained(3, {"start": "wide"}, {"until_excess": 0.05})
    assert asked.summary.ended.per_run == ("converged",) * 8
    assert asked.summary.ended.target_nats == (0.05,) * 8
    not_reached = trained(3, {"start": "wide"}, {"until_excess": 0.001, "steps": 20})
    assert not_reached.summary.ended.per_run == ("unfinished",) * 8


def test_newton_converges_by_its_own_end() -> None:
    newton = {"optimizer": "newton"}
    skewed = {"kind": "network", "network": "cancer"}
    found = trained(5, {"start": "wide"}, newton, world=skewed, runs=2)
    assert found.summary.ended.per_run == ("converged",) * 2
    assert found.summary.ended.target_nats == (1e-3,) * 2
    best = found.summary.ended.best_nats
    assert best == pytest.approx((min(excess(found)),) * 2)
    assert trained(4, {}, {"steps": 5}, runs=2).summary.ended.best_nats == (None, None)


def test_targets_are_shares_of_what_a_table_that_knows_nothing_leaves() -> None:
    run = trained(3, {"start": "wide"}, {}, runs=3)
    for world, target in zip(run.worlds, run.summary.ended.target_nats, strict=True):
        p = linrep.worlds.conditional(world)
        nothing = float((world.weights @ torch.xlogy(p, p * len(world.tokens))).sum())
        assert excess_of_nothing(world) == pytest.approx(nothing)
        assert target is not None
        assert min(abs(target - share * nothing) for share in (SMALL, AT_REST * SMALL)) < 1e-12


def test_the_rate_is_the_exponent_of_a_power_law_wherever_it_was_measured() -> None:
    time = torch.tensor([0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 170.0, 400.0], dtype=torch.float64)
    powers = torch.tensor([-2.0, -0.5, 0.0, 0.3], dtype=torch.float64)
    losses = torch.where(time[:, None] > 0, 7 * time[:, None].clamp_min(1) ** powers, 7.0)
    found = last_rate(losses, time[:, None].expand(-1, 4))
    torch.testing.assert_close(found, powers)
    short = last_rate(losses[[0, 6, 7]], time[[0, 6, 7], None].expand(-1, 4))
    assert bool(short.isnan().all()), "a stretch shorter than an e-fold tells nothing"
    losses[-1, 0] = torch.nan
    assert math.isnan(float(last_rate(losses, time[:, None].expand(-1, 4))[0]))


def test_a_rate_after_a_shift_is_of_the_new_world_alone() -> None:
    shifted = trained(3, {"start": "wide"}, {"steps": 2000}, shift={"step": 600}, runs=4)
    still = trained(3, {"start": "wide"}, {"steps": 2000}, shift={"step": 600, "strength": 0.0}, runs=4)
    for run in (shifted, still):
        rate = run.summary.ended.rate
        assert all(each is not None and math.isfinite(each) for each in rate)


def test_words_say_how_many() -> None:
    ended = trained(3, {"init_scale": 0.1}, {"steps": 6000}).summary.ended
    there = ended.per_run.count("converged")
    assert ended.words.startswith(f"{there} of 8 runs converged, ")
    assert trained(3, {"start": "wide"}, {}, runs=1).summary.ended.words == "converged"
