"""Of the experiments about training itself: what their sentences quote, and what they may not rest on."""

from typing import Any

import numpy as np
import pytest
import torch

import linrep
from linrep.paper import experiment
from linrep.paper.deletion import linearity_of, parallelograms
from linrep.paper.log_odds import times
from linrep.paper.optimizers import chosen
from linrep.paper.order import appearances
from linrep.paper.paired import growth_exponent, of_runs, paired_difference
from linrep.paper.superposition import read_out
from linrep.theory.order import Modes
from linrep.worlds import sampled_world, sparse
from linrep.worlds.concepts import independent

from .planted import G, numbers
from .planted_training import (
    PLANTED_TRAINING,
    all_or_none,
    deletion,
    frequency,
    implicit_bias,
    kept,
    log_odds,
    optimizers,
    order,
    overfitting,
    superposition,
    synonyms,
)


def test_sentences_quote_rates_with_their_intervals_and_constants() -> None:
    found = experiment("implicit-bias").answer(implicit_bias(-1.0, growth=0.97)).finding
    assert "grow 0.97 [0.97, 0.97] of what gradient flow predicts" in found
    assert "from 1.00° to 0.50° (random token pairs 90.00°)" in found
    assert "to the power of −1.00 [−1.00, −1.00] (predicted −1)" in found


def test_a_margin_off_its_law_is_no_whatever_the_angle_does() -> None:
    assert experiment("implicit-bias").answer(implicit_bias(-1.0, growth=0.8)).standing == "no"


def test_g_f_and_alignment_are_each_judged() -> None:
    answer = experiment("incomplete-tokens").answer(kept(0.97, f=0.5))
    assert [effect.standing for effect in answer.effects] == ["yes", "no", "yes"]
    assert "linearity of g down to 50 %, linearity of f down to 75 %" in answer.finding
    assert "0.001 nats at a price of linearity of 0.004 with 50 %" in answer.finding


def test_the_step_is_chosen_on_other_seeds_than_those_that_judge() -> None:
    planted = optimizers(0.96)
    best = chosen(planted)
    assert set(best.values()) == {"GD, step 2", "SGD, batch 30, step 2", "Adam, step 2"}
    answer = experiment("optimizers").answer(planted)
    assert "Adam −0.01 [−0.01, −0.01] and 0.00" in answer.finding
    assert "GD 2, SGD, batch 30 2 and Adam 2" in answer.finding
    assert experiment("optimizers").answer(optimizers(0.96, aligned=0.8)).standing == "no"


def test_times_are_compared_in_each_run_and_on_a_logarithmic_scale() -> None:
    same = experiment("log-odds").answer(log_odds(1.0))
    half = next(effect for effect in same.effects if "50 %, GD" in effect.name)
    assert half.effect.value == pytest.approx(10 ** ((0.5 - 0.45) / 0.4 - (0.475 - 0.45) / 0.4))
    assert half.effect.runs == (8,)


def test_a_time_is_that_from_which_on_a_share_is_passed() -> None:
    clock = np.array([[0.0], [1.0], [10.0], [100.0], [1000.0]])
    there_and_back = np.array([[0.0], [0.9], [0.2], [0.6], [1.0]])
    assert float(times(clock, there_and_back, 0.5)[0]) == pytest.approx(np.log(10 ** (1 + 0.75)))
    assert np.isnan(float(times(clock, np.ones((5, 1)), 0.5)[0]))


def test_an_order_that_no_start_could_lose_decides_nothing() -> None:
    assert experiment("order").answer(order(1.0, lost=0.95)).standing == "undecided"
    found = experiment("order").answer(order(1.0)).finding
    assert "equal weights: rank correlation 0.90 [0.90, 0.90], 1.00 [1.00, 1.00] times" in found
    assert "By supports alone the rank correlation is 0.50 (equal weights); from a start of 0.3" in found


def test_a_direction_that_nothing_could_delete_decides_nothing() -> None:
    assert experiment("deletion").answer(deletion(0.95, told=0.9)).standing == "undecided"
    found = experiment("deletion").answer(deletion(0.5)).finding
    assert "0.50 [0.50, 0.50] (eigenvectors 0.50; fair concepts) where no context leaves both" in found
    assert "comes after 1.00 [1.00, 1.00] (fair concepts, alone)" in found
    assert "its length is 0.01 [0.01, 0.01] of the others'" in found


def test_parallelograms_close_on_a_cube_and_on_no_cloud_nor_where_pairs_have_collapsed() -> None:
    cube = linrep.world(independent(3, probabilities=[0.5] * 3, generator=None))
    codes = cube.token_codes.double()
    assert parallelograms(cube, codes) == 1.0
    assert linearity_of(cube, codes) == pytest.approx(1.0)
    draw = torch.Generator().manual_seed(0)
    cloud = torch.randn(8, 16, dtype=torch.float64, generator=draw)
    assert parallelograms(cube, cloud) < 0.2
    assert abs(linearity_of(cube, cloud)) < 0.2
    collapsed = codes * torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    assert parallelograms(cube, collapsed) == 0.0
    assert np.isnan(linearity_of(cube, collapsed))
    assert np.isnan(linearity_of(cube, codes * torch.nan))


def test_what_merging_leaves_is_held_against_what_it_was_predicted_to() -> None:
    assert experiment("synonyms").answer(synonyms(1.0, merged=0.95)).standing == "no"
    assert experiment("synonyms").answer(synonyms(1.0, control=0.95)).standing == "undecided", (
        "no control fails"
    )
    found = experiment("synonyms").answer(synonyms(1.0)).finding
    assert "half merged: 0.90 [0.90, 0.90] (predicted 0.90), linearity of g 0.30 (0.30)" in found
    left = found.partition(
        "Rows dealt anew: 0.10. Linearity of g and alignment where contexts know concepts, "
    )[2]
    assert "a token each (8 of 8 runs, which converged): 0.97 [0.97, 0.97] and 0.98 [0.98, 0.98]; " in left
    assert "a quarter merged (8 of 8 runs, which converged): 0.70 [0.70, 0.70] and 0.80 [0.80, 0.80]." in left


def test_all_or_none_is_judged_by_what_must_agree_what_may_differ_and_another_model() -> None:
    study = experiment("all-or-none")
    found = study.answer(all_or_none(0.2)).finding
    assert "linearity g, balanced, alignment, balanced and overlap g, balanced; not linear map of g" in found
    assert (
        "of logits differ by at most 0.00 [0.00, 0.00] where they must agree (wider, large start)." in found
    )
    assert "and at least 0.20 [0.20, 0.20] elsewhere (wider, small start)" in found
    assert "Another model of the world, as good, lies 0.10 nats away" in found
    assert study.answer(all_or_none(0.2, must=0.1)).standing == "no", "what must agree does not"
    assert study.answer(all_or_none(0.2, another=0.01)).standing == "undecided", "all models are alike"
    assert study.answer(all_or_none(0.2, left=6)).standing == "undecided"
    assert study.answer(all_or_none(0.2, left=8)).standing == "undecided"


def test_frequency_is_judged_in_training_in_a_language_and_in_the_end() -> None:
    study = experiment("frequency")
    found = study.answer(frequency(-1.3))
    assert (
        "8 times: steps go like the share to the power of −1.30 [−1.30, −1.30] (predicted −1.30)"
        in found.finding
    )
    (exponent,) = [held for held in found.effects if held.name == "exponent, a language"]
    assert exponent.effect.value == pytest.approx(1, abs=0.05)
    assert exponent.effect.runs == (32,)
    assert study.answer(frequency(-1.3, exponent=0.0)).standing == "no", (
        "a language that forms all at one step"
    )
    assert study.answer(frequency(-1.3, final=0.05)).standing == "no", "a frequency still seen in the end"
    assert study.answer(frequency(-1.3, dealt=-0.5)).standing == "undecided", "any shares would do"
    assert study.answer(frequency(-1.3, left=8)).standing == "undecided"


def test_a_mode_appears_where_its_logarithm_passes_the_length() -> None:
    modes = Modes(
        rates=torch.ones(3, dtype=torch.float64),
        contexts=torch.eye(3, dtype=torch.float64),
        tokens=torch.eye(3, dtype=torch.float64),
    )
    looks = torch.tensor([[0.01, 2.0, 0.1], [0.1, 3.0, 0.1], [10.0, 4.0, 0.1]], dtype=torch.float64)
    found = appearances(modes, (0, 10, 20), looks[..., None])
    assert found[0] == pytest.approx(15.0)
    assert found[1:].isnan().all(), "one was there at the first look, one never came"


def test_the_law_is_read_where_log_odds_are_matched_and_overfitting_is_named() -> None:
    def found(**planted: Any) -> str:
        return experiment("overfitting").answer(overfitting(-0.5, **planted)).finding

    assert "from N = 1,000 to 1,000,000 like N to the power of −0.50 [−0.50, −0.50]" in found()
    assert "N = 100 overfit." in found()
    late = found(zero=1.0, rising=(100, 1_000_000))
    assert "from N = 10,000 to 1,000,000 like N to the power of −0.50 [−0.50, −0.50]" in late
    assert "N = 100 and 1,000,000 overfit." in late
    assert "no N overfits." in found(rising=())


def test_the_most_pairs_must_reach_the_level_and_beat_predicting_zero() -> None:
    study = experiment("overfitting")
    far = study.answer(overfitting(-0.5, 0.01))
    assert [effect.standing for effect in far.effects] == ["yes", "no"]
    assert study.answer(overfitting(-0.5, zero=0.01)).standing == "undecided"


def test_what_sampling_adds_joins_the_numbers_of_one_run() -> None:
    """A run that did not come to rest at some N leaves the others' slope alone."""
    answer = experiment("overfitting").answer(overfitting(-0.5, left=2))
    assert answer.effects[0].effect.runs == (6,)
    assert answer.effects[0].measured == "−0.50 [−0.50, −0.50]"


@pytest.mark.parametrize("left", [5, 8])
def test_too_few_converged_runs_are_undecided(left: int) -> None:
    for name, planted in (
        ("implicit-bias", implicit_bias(-1.0, left=left)),
        ("incomplete-contexts", kept(0.97, left=left)),
        ("log-odds", log_odds(3.0, left=left)),
        ("optimizers", optimizers(0.96, left=left)),
        ("overfitting", overfitting(-0.5, left=left)),
    ):
        assert experiment(name).answer(planted).standing == "undecided", name


def test_pairs_are_of_one_world() -> None:
    """A difference between worlds that all runs share does not widen the interval of what one changes."""
    cells = {("a",): {G: lambda run: 0.5 + 0.05 * run}, ("b",): {G: lambda run: 0.4 + 0.05 * run}}
    planted = numbers({"cell": ["a", "b"]}, cells, runs=6, held={("b",): 2})
    found = paired_difference(planted.of(cell="a"), planted.of(cell="b"), *G)
    assert found.runs == (4,)
    assert found.interval95 == pytest.approx((0.1, 0.1))
    missing = of_runs([planted.of(cell="a")], G, [5, 99])
    assert missing[0].isnan().tolist() == [False, True]


def test_an_exponent_is_found_and_its_interval_covers() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)[:, None].expand(4, 10)
    inside = 0
    for _ in range(300):
        noise = torch.randn(4, 10, generator=draw, dtype=torch.float64)
        found = growth_exponent(x, 3 * x**-0.5 * (1 + 0.2 * noise))
        assert found.interval95 is not None
        inside += found.interval95[0] < -0.5 < found.interval95[1]
    assert 0.9 < inside / 300 < 0.99
    none = growth_exponent(x[:1], x[:1])
    assert np.isnan(none.value)
    assert none.interval95 is None


def test_cross_talk_above_chance_is_no_and_a_control_that_holds_as_much_is_undecided() -> None:
    assert experiment("superposition").answer(superposition(40.0, talk=0.3)).standing == "no"
    assert experiment("superposition").answer(superposition(40.0, dense=30.0)).standing == "undecided"
    found = experiment("superposition").answer(superposition(40.0)).finding
    assert "2.5 [2.5, 2.5] concepts read out a dimension" in found.replace("2.50", "2.5")


def test_concepts_are_read_along_their_own_directions() -> None:
    draw = torch.Generator().manual_seed(0)
    world = sampled_world(sparse(40, probability=0.05), samples=150, generator=draw)
    codes = world.token_codes.double()
    apart = read_out(codes @ torch.eye(40, dtype=torch.float64), world.token_codes)
    assert apart.talk < 1e-9
    assert float(apart.error.nan_to_num().max()) == 0
    v = torch.nn.functional.normalize(torch.randn(40, 20, dtype=torch.float64, generator=draw), dim=1)
    packed = read_out(codes @ v, world.token_codes)
    cosines = (v @ v.T)[~torch.eye(40, dtype=torch.bool)]
    assert packed.talk == pytest.approx(float(cosines.square().mean().sqrt()), rel=1e-6)
    assert 0 < float(packed.error.nanmean()) < 0.1
    dealt = read_out(codes[torch.randperm(len(codes), generator=draw)] @ v, world.token_codes)
    assert float(dealt.error.nanmean()) > 0.3
    common = read_out(codes @ (v + 3 * torch.eye(20, dtype=torch.float64)[0]), world.token_codes)
    assert common.shared > 0.9 > 0.4 > packed.shared


def test_what_is_planted_is_a_yes_an_undecided_and_a_no() -> None:
    for name, planted in PLANTED_TRAINING.items():
        standings = [experiment(name).answer(each).standing for each in planted]
        assert standings == ["yes", "undecided", "no"], (name, standings)
