"""A world of many sparse concepts, from config to result, by every way that trains it."""

from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.runs.toml import parse

WORLD = {"kind": "sparse", "concepts": 70, "samples": 12, "contexts": 12, "probability": 0.05}


def trained(**more: Any) -> linrep.Result:
    training = {"steps": 6, "optimizer": "gd", "snapshots": 2} | more.pop("training", {})
    settings: dict[str, Any] = {"world": WORLD, "dim": 5, "runs": 2, "measure": {"null_draws": 2}}
    return linrep.run(**(settings | {"training": training} | more), progress=False)


def test_a_run_is_kept_read_and_found_again(tmp_path: Path):
    result = trained(out=tmp_path)
    world = result.worlds[0]
    assert world.sampled
    assert world.token_codes.shape[1] == 70
    again = linrep.open(str(result.folder))
    for one, other in zip(result.worlds, again.worlds, strict=True):
        assert torch.equal(one.codes, other.codes)
        assert torch.equal(one.joint, other.joint)
    assert trained(out=tmp_path).folder == result.folder
    final = again.summary.final
    assert final.linearity["unembedding"].pairs > 80
    assert final.log_odds_gap_nats is not None
    assert again.summary.price_of_linearity_nats is None


@pytest.mark.parametrize(
    "more",
    [
        {"model": {"encoder": "mlp", "width": 8}},
        {"model": {"encoder": "transformer", "width": 8, "heads": 2, "layers": 1}},
        {"model": {"start": "wide"}, "runs": 1, "world": {**WORLD, "samples": 4, "contexts": 4}},
        {"training": {"optimizer": "sgd", "step_size": 1.0, "batch_size": 8}},
        {"training": {"optimizer": "adam"}},
        {"training": {"optimizer": "newton"}, "runs": 1},
        {"training": {"samples": 200}},
        {"contexts": {"held_out": 0.3, "weights": "occurrence"}},
        {"world": {**WORLD, "per_run": False}},
    ],
)
def test_whatever_trains_it_the_loss_falls(more: dict[str, Any]):
    trace = trained(**more).trace
    loss = trace[(trace.measure == "excess_loss_nats") & (trace.kind == "value")].groupby("step").value.mean()
    assert loss.iloc[-1] < loss.iloc[0]


@pytest.mark.parametrize(
    "world",
    [
        {"concepts": 1},
        {"probability": 0.0},
        {"probability": 1.0},
        {"samples": 1},
        {"known": 0.0},
        {"known": 1.0},
        {"concepts": 3, "probability": 0.5, "samples": 40},
        {"flips": 0},
    ],
)
def test_the_ends_of_every_range_run(world: dict[str, Any]):
    result = trained(world=WORLD | world)
    assert len(result.summary.diverged) == 0


def test_what_asks_for_too_much_is_one_line():
    for table in ("contexts", "tokens"):
        with pytest.raises(InputError, match=f"{table}: a sparse world samples its own, got kind 'fraction'"):
            parse({"world": WORLD, table: {"kind": "fraction", "fraction": 0.5}})
    with pytest.raises(InputError, match="70 concepts is a sample") as error:
        linrep.predict({"world": WORLD})
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="a config holds no sampled one"):
        linrep.run(world=trained().worlds[0])
