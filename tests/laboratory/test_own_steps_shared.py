"""Steps that each run finds by itself, and wide starts: on several processes, stopped, and killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.laboratory.run import run_shared
from linrep.population.sharding import Team
from linrep.runs.config import Config
from linrep.runs.result import Result
from linrep.runs.toml import parse
from tests.support.ranks import on_ranks

SCRIPT = Path(__file__).parents[1] / "support" / "wide_start.py"
PLAIN: dict[str, Any] = {
    "runs": 2,
    "world": {"kind": "random", "concepts": 3},
    "training": {"optimizer": "gd", "steps": 80, "snapshots": 3},
    "measure": {"null_draws": 2},
    "compute": {"threads": 1, "dtype": "float64"},
    "output": {"checkpoint_seconds": 0.05},
}


def config(**sections: Any) -> Config:
    return parse(PLAIN | sections)


def assert_equal(one: Result, other: Result) -> None:
    assert torch.equal(one.embedding, other.embedding)
    assert torch.equal(one.unembedding, other.unembedding)
    assert one.trace.equals(other.trace)
    assert one.summary == other.summary


def test_ranks_find_one_process_s_steps_the_same_bits_every_time_and_after_a_stop(tmp_path: Path) -> None:
    alone = linrep.run(config(), progress=False)

    def stopped(team: Team) -> Result | None:
        asked: list[int] = []

        def stop() -> bool:
            asked.append(0)
            return len(asked) > 1 and team.rank == 1

        with pytest.raises(KeyboardInterrupt):
            run_shared(config(), team, out=tmp_path, stop=stop)
        return run_shared(config(), team, out=tmp_path)

    def body(team: Team) -> list[Result | None]:
        return [run_shared(config(), team), run_shared(config(), team), stopped(team)]

    (first, again, resumed), nothing = on_ranks(2, body)
    assert nothing == [None] * 3
    assert_equal(first, again)
    assert_equal(first, resumed)
    # One process adds up its contexts in another order: the same to rounding, which decides no step here.
    torch.testing.assert_close(first.embedding, alone.embedding, rtol=1e-6, atol=1e-8)
    assert first.summary.ending.time.per_run == pytest.approx(alone.summary.ending.time.per_run)


def test_ranks_count_the_rises_of_a_fixed_step_and_name_the_same_stable_one() -> None:
    training = {"optimizer": "gd", "step_size": 12.0, "steps": 120, "snapshots": 3}
    alone = linrep.run(config(training=training), progress=False).summary.rises
    found, _ = on_ranks(2, lambda team: run_shared(config(training=training), team))
    rises = found.summary.rises
    assert alone is not None
    assert alone.stable_step_size is not None
    assert rises.share == alone.share
    assert rises.stable_step_size == pytest.approx(alone.stable_step_size)


def test_ranks_turn_adams_tables_too() -> None:
    training = {"optimizer": "adam", "step_size": 0.02, "steps": 80, "snapshots": 3}
    alone = linrep.run(config(training=training), progress=False).summary.gauge
    found, _ = on_ranks(2, lambda team: run_shared(config(training=training), team))
    assert alone is not None
    assert found.summary.gauge.read == "balanced"
    assert found.summary.gauge.balanced.alignment.mean == pytest.approx(alone.balanced.alignment.mean)


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"model": {"start": "wide"}}, r"model.start = 'wide'"),
        ({"training": {"optimizer": "newton"}}, r"training.optimizer = 'newton'"),
    ],
)
def test_what_needs_the_whole_world_is_refused_in_one_line(sections: Any, named: str) -> None:
    with pytest.raises(InputError, match=f"{named}: needs the whole world in one process, got 2; start one"):
        run_shared(config(**sections), Team(rank=0, ranks=2))


@pytest.mark.parametrize("starts", [1, 2])
def test_a_wide_start_that_was_stopped_is_begun_again_to_the_same_bits(starts: int, tmp_path: Path) -> None:
    wide = config(model={"start": "wide", "starts": starts})
    whole = linrep.run(wide, progress=False)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(0)
        return len(asked) == 250 * starts

    with pytest.raises(KeyboardInterrupt):
        linrep.run(wide, out=tmp_path, progress=False, stop=stop)
    assert not list(tmp_path.glob(".partial/*/checkpoint.safetensors"))
    assert_equal(linrep.run(wide, out=tmp_path, progress=False), whole)


def test_a_wide_start_that_was_killed_is_begun_again_to_the_same_bits(tmp_path: Path) -> None:
    wide = PLAIN | {"model": {"start": "wide"}}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), json.dumps(wide), str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"half way\n"
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert not list(tmp_path.glob("*/result.json"))
    again = linrep.run(parse(wide), out=tmp_path, progress=False)
    assert_equal(again, linrep.run(parse(wide), progress=False))
