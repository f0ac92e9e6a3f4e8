"""What is laid beside a run: levels, rates, singular values and the sentence."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.geometry.record import MEAN_DIRECTIONS
from linrep.laboratory.comparison import LARGEST_DRAWN, Beside, beside, for_config
from linrep.runs.result import Result
from linrep.runs.toml import parse
from linrep.theory.additive import additive_logits
from linrep.theory.factors import balanced_factors

INDEPENDENT = {"kind": "independent", "concepts": 3}


def trained(**changes: Any) -> Result:
    fields = {
        "runs": 2,
        "world": INDEPENDENT,
        "training": {"optimizer": "gd", "step_size": 5.0, "steps": 400, "snapshots": 8},
        "compute": {"threads": 1},
        "measure": {"bootstrap": 100, "null_draws": 2},
    }
    return linrep.run(fields | changes)


@pytest.fixture(scope="module")
def narrow() -> Result:
    return trained(model={"start": "wide"})


def test_a_config_is_predicted_at_its_own_width_or_at_another() -> None:
    config = parse({"world": INDEPENDENT})
    assert for_config(config).status == "additive_not_proven_optimal"
    assert for_config(config, 7).status == "optimal"
    assert for_config(config, 2).status == "unreachable"
    known = parse({"world": INDEPENDENT, "contexts": {"kind": "known", "at_most": 1}, "model": {"dim": 9}})
    assert for_config(known).geometry == for_config(known, 3).geometry
    with pytest.raises(InputError, match="dim: expected at least 1"):
        for_config(config, 0)


def test_incomplete_worlds_take_the_general_program_and_large_ones_say_their_size() -> None:
    listed = {"kind": "list", "contexts": ["0??", "1??", "00?", "111"]}
    found = for_config(parse({"world": INDEPENDENT, "contexts": listed, "model": {"dim": 8}}))
    assert found.status == "optimal"
    assert {value.degree for value in found.singular_values} == {None}
    asia = parse({"world": {"kind": "network", "network": "asia"}, "model": {"dim": 64}})
    with pytest.raises(InputError, match="5103 contexts × 128 tokens"):
        for_config(asia)


def test_levels_are_those_of_the_limit(narrow: Result) -> None:
    found = beside(narrow)
    assert found.levels["linearity", "unembedding"] == found.levels["alignment", ""] == 1.0
    assert found.levels[MEAN_DIRECTIONS, "embedding"] == found.levels["log_odds_gap_nats", ""] == 0.0
    assert found.spectrum == (1.0, 0.0, 0.0)
    assert "additive solution, not proven to be the limit" in found.sentence


def test_late_rates_go_through_the_last_median(narrow: Result) -> None:
    found = beside(narrow)
    (first, loss), (last, final) = (
        found.rates["excess_loss_nats", ""][0],
        found.rates["excess_loss_nats", ""][-1],
    )
    assert last == 400
    assert final == pytest.approx(narrow.summary.final.excess_loss_nats.median, rel=1e-6)
    assert loss / final == pytest.approx(last / first)
    (first, low), *_, (last, high) = found.rates["margin", ""]
    assert high - low == pytest.approx(math.log(last / first))


def test_rates_are_left_out_where_theory_has_none() -> None:
    adam = trained(training={"optimizer": "adam", "steps": 20, "snapshots": 3})
    assert not beside(adam).rates
    wide = trained(model={"dim": 8}, training={"optimizer": "gd", "steps": 20, "snapshots": 3})
    assert ("margin", "") not in beside(wide).rates, "margins of the wide limit differ from one another"
    assert beside(wide).levels["linearity", "unembedding"] == pytest.approx(0.226, abs=1e-3)


def test_a_planted_limit_is_at_distance_zero_with_the_predicted_singular_values(narrow: Result) -> None:
    toy = narrow.worlds[0]
    f, g, _ = balanced_factors(additive_logits(toy.codes, toy.token_codes), tolerance=1e-9)
    ended = narrow.summary.ended
    medians = ended.medians["converged"]
    medians = medians.model_copy(update=dict.fromkeys(dict(medians), 1.0) | {"runs": 2})
    ends = ended.model_copy(update={"medians": {"converged": medians}})
    summary = narrow.summary.model_copy(update={"ended": ends})
    planted = replace(
        narrow, embedding=torch.stack([f, 2 * f]), unembedding=torch.stack([g + 1, g]), summary=summary
    )
    found = beside(planted)
    assert "within 0.000 of" in found.sentence
    assert [shares[0] for shares in found.singular_values] == pytest.approx([1 / 3] * 3)
    assert [shares[1] for shares in found.singular_values] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"dim": 2}}, "There is no limit of zero loss to reach: width 2 cannot separate"),
        ({"model": {"dim": 5}}, "Theory has no limit to compare with: between the additive width 3"),
        (
            {"contexts": {"kind": "fraction", "fraction": 0.6}},
            "No limit was computed: the runs have contexts",
        ),
        (
            {
                "world": {"kind": "independent", "concepts": 5},
                "contexts": {"kind": "fraction", "fraction": 0.9, "per_run": False},
            },
            "No limit was computed: the program for",
        ),
    ],
)
def test_no_prediction_is_said_with_its_reason(changes: dict[str, Any], words: str) -> None:
    run = trained(training={"optimizer": "gd", "steps": 5, "snapshots": 2}, **changes)
    found = beside(run)
    assert found.sentence.startswith(words)
    assert not found.has_lines
    assert found.spectrum == found.singular_values == ()
    assert LARGEST_DRAWN < 219 * 32


def test_runs_that_did_not_converge_are_said_to_be_such() -> None:
    measure = {"bootstrap": 100, "null_draws": 2}
    run = trained(training={"optimizer": "gd", "steps": 2, "snapshots": 2}, measure=measure)
    assert "the 2 runs that ended unfinished are within" in beside(run).sentence


def test_every_prediction_can_be_drawn(narrow: Result) -> None:
    from linrep.page import render

    page = render(narrow, beside(narrow))
    assert "predicted limit" in page
    assert "Singular values of the logits" in page
    assert "additive solution, not proven to be the limit" in page
    plain = render(narrow, Beside(sentence="No limit was computed: why."))
    assert "No limit was computed: why." in plain
    assert plain.count("predicted limit") < page.count("predicted limit")
    assert "Singular values of the logits" not in plain
