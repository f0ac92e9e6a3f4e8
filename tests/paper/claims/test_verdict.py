"""Verdicts follow from numbers: planted numbers flip them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from linrep.geometry import Null, Similarity
from linrep.laboratory.build import worlds
from linrep.paper.claims import c3
from linrep.paper.claims.bench import QUICK, Bench
from linrep.paper.claims.verdict import Claim, Estimate, Rule, Trial, estimate, judge
from linrep.runs.result import Result
from linrep.runs.summary import Final, Stuck, Summary
from linrep.runs.toml import parse

RULE = Rule(kind="at least", bound=0.95)


def measured(low: float, high: float, seeds: int = 20) -> Estimate:
    return Estimate(mean=(low + high) / 2, interval95=(low, high), seeds=seeds)


def trial(low: float, high: float, **changes: Any) -> Trial:
    given = Trial(
        name="somewhere",
        quantity="linearity of g",
        role="test",
        experiments=("narrow",),
        measured=measured(low, high),
        prediction=1.0,
        rule=RULE,
    )
    return replace(given, **changes)


def claim(*trials: Trial) -> Claim:
    return Claim(id="C0", short="planted", title="Planted", statement="Planted.", trials=trials)


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (RULE, 0.95, 0.99, "holds"),
        (RULE, 0.94, 0.99, "undecided"),
        (RULE, 0.80, 0.94, "fails"),
        (Rule(kind="at most", bound=0.1), 0.0, 0.1, "holds"),
        (Rule(kind="at most", bound=0.1), 0.05, 0.2, "undecided"),
        (Rule(kind="at most", bound=0.1), 0.11, 0.2, "fails"),
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


def test_verdict_in_all_its_forms() -> None:
    good, bad = trial(0.96, 0.99), trial(0.5, 0.6)
    broken = replace(bad, role="control", condition="k = m")
    plain = replace(bad, role="control")
    assert claim(good).verdict == "holds"
    assert claim(good, plain).verdict == "holds"
    assert claim(good, plain, broken).verdict == "holds under k = m"
    second = replace(broken, condition="no stuck run")
    assert claim(good, broken, second, broken).verdict == "holds under k = m and no stuck run"
    assert claim(bad, broken).verdict == "fails"
    assert claim().verdict == claim(broken).verdict == "fails"


def test_a_control_that_does_not_fail_takes_the_verdict_away() -> None:
    powerless = trial(0.96, 0.99, role="control", condition="k = m", name="k ≫ m")
    found = claim(trial(0.96, 0.99), powerless)
    assert found.verdict == "fails"
    assert found.reason == "control not seen to fail: k ≫ m"
    assert claim(trial(0.96, 0.99), replace(powerless, measured=measured(0.9, 0.99))).verdict == "fails"


def test_conjectures_do_not_count() -> None:
    assert claim(trial(0.96, 0.99), trial(0.1, 0.2, role="conjecture")).verdict == "holds"


def planted_bench(free: float, stuck: float, wide: float) -> Bench:
    """Experiments whose alignments are planted: 24 free and 24 stuck runs at k = m, 20 wide ones."""

    def result(values: list[float], flags: list[bool]) -> Result:
        record = Similarity(
            mean=None,
            median=None,
            interval95=None,
            null=Null(mean=0.0, q95=0.0, kind="random pairs"),
            per_concept={},
            per_run=tuple(values),
        )
        config = parse({"runs": len(values), "world": {"kind": "chain", "concepts": 1, "per_run": False}})
        return Result(
            key="planted",
            config=config,
            worlds=worlds(config),
            embedding=torch.zeros(len(values), 3, 1),
            unembedding=torch.zeros(len(values), 2, 1),
            trace=pd.DataFrame(),
            snapshot_steps=(0,),
            snapshots=torch.zeros(1, 1, 2, 1),
            summary=Summary.model_construct(
                final=Final.model_construct(alignment=record),
                stuck=Stuck.model_construct(per_run=tuple(flags)),
            ),
            provenance={},
        )

    runs = {
        "narrow": result([free] * 24 + [stuck] * 24, [False] * 24 + [True] * 24),
        "wide": result([wide] * 20, [False] * 20),
    }
    return Bench(out=Path("nowhere"), scale=QUICK, configs={}, say=lambda words: None, done=runs)


def test_planted_experiments_flip_a_claim() -> None:
    assert c3.claim(planted_bench(0.99, 0.6, 0.3)).verdict == "holds under runs that are not stuck and k = m"
    assert c3.claim(planted_bench(0.90, 0.6, 0.3)).verdict == "fails"
    found = c3.claim(planted_bench(0.99, 0.6, 0.97))
    assert found.verdict == "fails"
    assert found.reason == "control not seen to fail: k ≫ m"
