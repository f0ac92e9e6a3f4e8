"""Verdicts follow from numbers: planted numbers flip them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from linrep.geometry import Null, Similarity
from linrep.laboratory.build import worlds
from linrep.paper.claims import c3
from linrep.paper.claims.bench import QUICK, Bench
from linrep.paper.claims.verdict import Claim, Estimate, Rule, Trial, estimate, judge
from linrep.runs.result import Result
from linrep.runs.summary import Ended, EndWord, Final, Summary
from linrep.runs.toml import parse

RULE = Rule(kind="at least", bound=0.95, target=1.0)


def measured(low: float, high: float, seeds: int = 20) -> Estimate:
    return Estimate(mean=(low + high) / 2, interval95=(low, high), seeds=seeds)


def trial(low: float, high: float, **changes: Any) -> Trial:
    planted = Trial(
        name="somewhere",
        quantity="linearity of g",
        role="test",
        experiments=("narrow",),
        measured=measured(low, high),
        rule=RULE,
    )
    return replace(planted, **changes)


def claim(*trials: Trial) -> Claim:
    return Claim(id="C0", short="planted", title="Planted", statement="Planted.", trials=trials)


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (RULE, 0.95, 0.99, "holds"),
        (RULE, 0.94, 0.99, "undecided"),
        (RULE, 0.80, 0.94, "fails"),
        (Rule(kind="at most", bound=0.1, target=0.0), 0.0, 0.1, "holds"),
        (Rule(kind="at most", bound=0.1, target=0.0), 0.05, 0.2, "undecided"),
        (Rule(kind="at most", bound=0.1, target=0.0), 0.11, 0.2, "fails"),
        (Rule(kind="near", bound=0.1, target=1.0), 0.95, 1.05, "holds"),
        (Rule(kind="near", bound=0.1, target=1.0), 0.85, 1.0, "undecided"),
        (Rule(kind="near", bound=0.1, target=1.0), 1.2, 1.5, "fails"),
        (Rule(kind="near", bound=0.1, target=1.0), 0.1, 1.5, "undecided"),
    ],
)
def test_the_whole_interval_decides(rule: Rule, low: float, high: float, outcome: str) -> None:
    assert judge(measured(low, high), rule) == outcome


def test_too_few_seeds_decide_nothing() -> None:
    assert judge(measured(0.96, 0.99, seeds=19), RULE) == "undecided"
    assert judge(estimate([]), RULE) == judge(estimate([1.0]), RULE) == "undecided"


def test_an_estimate_leaves_out_seeds_without_a_value() -> None:
    found = estimate([0.0, None, 1.0, float("nan")] * 20)
    assert found.seeds == 40
    assert found.mean == 0.5
    assert found.interval95 is not None
    assert found.interval95[0] < 0.5 < found.interval95[1]


def test_a_claim_has_one_of_three_verdicts() -> None:
    good, bad, unclear = trial(0.96, 0.99), trial(0.5, 0.6), trial(0.9, 0.99)
    control = replace(bad, role="control", condition="k = m")
    assert claim(good).verdict == claim(good, control).verdict == "holds"
    assert claim(good, bad).verdict == claim(bad, control).verdict == claim(bad, unclear).verdict == "fails"
    assert claim(good, unclear).verdict == claim(unclear, control).verdict == "undecided"
    assert claim().verdict == claim(control).verdict == "undecided", "nothing was tested"
    assert claim(good, replace(good, measured=measured(0.96, 0.99, seeds=19))).verdict == "undecided"


def test_conditions_are_facts_beside_the_verdict() -> None:
    good, broken = trial(0.96, 0.99), trial(0.5, 0.6, role="control", condition="k = m")
    second = replace(broken, condition="a balanced gauge")
    assert claim(good, replace(broken, condition="")).conditions == ()
    found = claim(good, broken, second, broken)
    assert (found.verdict, found.conditions) == ("holds", ("k = m", "a balanced gauge"))
    assert claim(good, replace(broken, measured=measured(0.9, 0.99))).conditions == ()


def test_a_control_that_does_not_fail_leaves_the_claim_undecided() -> None:
    powerless = trial(0.96, 0.99, role="control", condition="k = m", name="k ≫ m")
    found = claim(trial(0.96, 0.99), powerless)
    assert found.verdict == "undecided"
    assert found.reason == "control not seen to fail: k ≫ m"
    assert claim(trial(0.96, 0.99), replace(powerless, measured=measured(0.9, 0.99))).verdict == "undecided"
    assert claim(trial(0.5, 0.6), powerless).verdict == "fails", "a test that fails needs no control"


@given(
    kind=st.sampled_from(["at most", "at least", "near"]),
    target=st.floats(-5, 5),
    allowed=st.floats(0.01, 5),
    low=st.floats(-10, 10),
    width=st.floats(0, 5),
)
def test_the_line_of_the_forest_plot_is_the_rule(
    kind: Any, target: float, allowed: float, low: float, width: float
) -> None:
    """An interval lies left of 1 exactly if it meets the rule, right of it if it breaks it."""
    bound = {"near": allowed, "at most": target + allowed, "at least": target - allowed}[kind]
    rule, high = Rule(kind=kind, bound=bound, target=target), low + width
    nearest, farthest = rule.distances(low, high)
    assume(abs(nearest - 1) > 1e-6 and abs(farthest - 1) > 1e-6)
    outcome = judge(measured(low, high), rule)
    assert outcome == ("holds" if farthest < 1 else "fails" if nearest > 1 else "undecided")
    assert nearest <= rule.distance((low + high) / 2) * (1 + 1e-9) + 1e-9
    assert rule.distance((low + high) / 2) <= farthest * (1 + 1e-9) + 1e-9


def test_conjectures_do_not_count() -> None:
    assert claim(trial(0.96, 0.99), trial(0.1, 0.2, role="conjecture")).verdict == "holds"


def planted_bench(narrow: float, wide: float, *, there: int = 24) -> Bench:
    """Experiments of planted alignments: at k = m so many runs converged and 24 more that did not, at 0.6."""

    def result(values: list[float], ended: Sequence[EndWord]) -> Result:
        record = Similarity(
            mean=None,
            median=None,
            interval95=None,
            null=Null(mean=0.0, q95=0.0, kind="random pairs"),
            per_concept={},
            per_run=tuple(values),
        )
        config = parse(
            {"seed": 0, "runs": len(values), "world": {"kind": "chain", "concepts": 2, "per_run": False}}
        )
        draw = torch.Generator().manual_seed(0)
        return Result(
            key="planted",
            config=config,
            worlds=worlds(config),
            embedding=torch.randn(len(values), 9, 2, generator=draw),
            unembedding=torch.randn(len(values), 4, 2, generator=draw),
            trace=pd.DataFrame(),
            snapshot_steps=(0,),
            snapshots=torch.zeros(1, 1, 4, 2),
            summary=Summary.model_construct(
                final=Final.model_construct(alignment=record),
                ended=Ended.model_construct(per_run=tuple(ended)),
            ),
            provenance={},
        )

    came: list[EndWord] = ["converged"]
    stayed: list[EndWord] = ["on a plateau"]
    runs = {
        "narrow": result([narrow] * there + [0.6] * 24, came * there + stayed * 24),
        "wide-start": result([narrow] * 20, came * 20),
        "wide": result([wide] * 20, came * 20),
    }
    return Bench(out=Path("nowhere"), scale=QUICK, configs={}, say=lambda words: None, done=runs)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Computations are planted too, and not written."""

    def compute(bench: Bench, name: str, count: int, function: Any, *settings: Any) -> list[float | None]:
        return [function(seed) for seed in range(count)]

    monkeypatch.setattr(Bench, "compute", compute)


def test_planted_experiments_flip_a_claim() -> None:
    found = c3.claim(planted_bench(0.99, 0.3))
    assert (found.verdict, found.conditions) == ("holds", ("the gauge that training keeps", "k = m"))
    assert c3.claim(planted_bench(0.90, 0.3)).verdict == "fails"
    found = c3.claim(planted_bench(0.99, 0.97))
    assert found.verdict == "undecided"
    assert found.reason == "control not seen to fail: k ≫ m"


def test_only_runs_that_converged_speak_of_the_limit() -> None:
    test = c3.claim(planted_bench(0.99, 0.3)).trials[0]
    assert test.measured.mean == pytest.approx(0.99)
    assert test.count == "24 of 48 runs"
    few = c3.claim(planted_bench(0.99, 0.3, there=19))
    assert few.verdict == "undecided"
    assert "k = m, from small starts: only 19 seeds have a value" in few.reason
