"""Singular values over training: recorded, kept by folder and checkpoint, drawn with marks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import linrep
from linrep.laboratory import trajectory
from linrep.laboratory.appearing import appearances
from linrep.laboratory.comparison import beside
from linrep.laboratory.ruler import SPECTRUM, absent_where_dead
from linrep.page.growth import blocks
from linrep.page.view import view
from linrep.runs.result import Result
from linrep.runs.spectrum import NAMES, STORED
from linrep.training.checkpoint import FILE

SMALL: dict[str, Any] = {
    "runs": 2,
    "world": {"kind": "random", "concepts": 2, "probability_range": [0.1, 0.9]},
    "contexts": {"kind": "fraction", "fraction": 0.8, "per_run": True},
    "model": {"init_scale": 1e-3, "dim": 4},
    "training": {"optimizer": "gd", "step_size": 1.0, "schedule": "constant", "steps": 60, "snapshots": 12},
    "measure": {"null_draws": 2},
    "compute": {"threads": 1},
}


@pytest.fixture(scope="module")
def small() -> Result:
    return linrep.run(SMALL, progress=False)


def same(one: Result, other: Result) -> bool:
    assert one.spectrum is not None
    assert other.spectrum is not None
    return torch.equal(one.spectrum.as_tensors()[STORED], other.spectrum.as_tensors()[STORED])


def test_the_last_look_is_of_the_tables_that_are_left(small: Result) -> None:
    assert small.spectrum is not None
    assert small.spectrum.logits.shape == (len(small.snapshot_steps), 2, 4)
    for run, world in enumerate(small.worlds):
        f = small.embedding[run, : len(world.codes)].double()
        g = small.unembedding[run, : len(world.tokens)].double()
        wanted = np.linalg.svd((f @ (g - g.mean(0)).T).numpy(), compute_uv=False)[:4]
        np.testing.assert_allclose(small.spectrum.logits[-1, run].numpy()[:3], wanted[:3], rtol=1e-6)
        np.testing.assert_allclose(
            small.spectrum.embedding[-1, run].numpy(), np.linalg.svd(f.numpy(), compute_uv=False), rtol=1e-6
        )


def test_it_outlives_a_folder_and_a_stop(small: Result, tmp_path: Path) -> None:
    asked = iter([False] * 6 + [True])
    with pytest.raises(KeyboardInterrupt):
        linrep.run(SMALL, out=tmp_path, progress=False, stop=lambda: next(asked))
    (saved,) = tmp_path.glob(f".partial/*/{FILE}")
    assert STORED.encode() in saved.read_bytes()
    resumed = linrep.run(SMALL, out=tmp_path, progress=False)
    assert resumed.folder is not None
    assert same(resumed, small)
    again = linrep.open(resumed.folder)
    assert isinstance(again, Result)
    assert same(again, small)
    assert STORED not in set(resumed.trace["measure"])


def test_it_has_as_many_runs_as_the_snapshots(monkeypatch: pytest.MonkeyPatch, small: Result) -> None:
    monkeypatch.setattr(trajectory, "SNAPSHOT_BYTES", 4 * 4 * 4 * 12)
    fewer = linrep.run(SMALL, progress=False)
    assert fewer.spectrum is not None
    assert small.spectrum is not None
    assert fewer.snapshots.shape[1] == 1
    assert torch.equal(fewer.spectrum.logits, small.spectrum.logits[:, :1])


def test_a_run_that_diverged_has_none() -> None:
    alive = torch.tensor([True, False])
    (found,) = absent_where_dead({SPECTRUM: torch.ones(2, 3, 4, dtype=torch.float64)}, alive).values()
    assert bool(found[1].isnan().all())
    assert bool((found[0] == 1).all())


def test_an_encoder_that_overflows_while_its_weights_are_finite_is_no_crash() -> None:
    fast = {"optimizer": "sgd", "steps": 100, "snapshots": 20}
    with pytest.raises(linrep.DivergedError):
        linrep.run(
            {**SMALL, "model": {"encoder": "mlp"}, "training": {**fast, "step_size": 50.0}}, progress=False
        )


def test_modes_appear_where_the_first_gradient_puts_the_marks() -> None:
    """And with a start that is not small there are no marks, nor would they be right."""
    world = {"kind": "random", "concepts": 3, "probability_range": [0.1, 0.9]}
    whole = {**SMALL, "world": world, "contexts": {}, "runs": 1, "model": {"init_scale": 1e-4, "dim": 6}}
    result = linrep.run(whole, training={"steps": 200, "snapshots": 40}, progress=False)
    steps, reason = appearances(result)
    assert not reason
    assert result.spectrum is not None
    for mode in range(3):  # the later ones grow among logits that are no longer small
        seen = result.spectrum.logits[:, 0, mode].log().numpy()
        at = float(np.interp(0.0, seen, result.snapshot_steps))
        assert at == pytest.approx(steps[mode], rel=0.1)
    drawn, tables = blocks(view(result, beside(result)))
    assert drawn.spec is not None
    marks = drawn.spec["data"][-1]
    assert marks["x"] == [step for step in steps if step <= 200]
    assert set(marks["y"]) == {1.0}
    assert "as trained" in tables.caption
    large = linrep.run(whole, model={"init_scale": 0.3, "dim": 6}, training={"steps": 5}, progress=False)
    (), why = appearances(large)
    assert "not 0.1 or less" in why
    assert why in blocks(view(large, beside(large)))[0].caption


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"encoder": "mlp"}}, "network"),
        ({"training": {"optimizer": "adam", "step_size": 0.01}}, "not full-batch"),
        ({"training": {"step_size": "auto"}}, "not one and the same"),
        ({"training": {"schedule": "cosine", "final_step_size": 0.1}}, "not one and the same"),
    ],
)
def test_where_its_conditions_fail_it_says_which(change: Any, words: str) -> None:
    training = {**SMALL["training"], "steps": 2} | change.get("training", {})
    model = SMALL["model"] | change.get("model", {})
    result = linrep.run({**SMALL, "runs": 1, "model": model, "training": training}, progress=False)
    steps, why = appearances(result)
    assert steps == ()
    assert words in why


def test_records_of_before_are_drawn_without_it(small: Result) -> None:
    before = replace(small, spectrum=None)
    assert blocks(view(before, beside(before))) == []
    assert set(NAMES) == {"logits", "embedding", "unembedding"}
