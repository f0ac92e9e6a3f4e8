"""A config that gives each run its own stream: another key, and a run that does not see what is beside it."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.laboratory.run import run_shared
from linrep.population.sharding import Team
from linrep.runs.keys import key_of
from linrep.runs.toml import parse


def config(**training: Any) -> dict[str, Any]:
    return {
        "runs": 3,
        "world": {"kind": "random", "concepts": 2},
        "training": {"optimizer": "sgd", "stream": "own", "steps": 300, "step_size": 0.5, "snapshots": 4}
        | training,
        "measure": {"null_draws": 2},
        "compute": {"threads": 1},
        "output": {"checkpoint_seconds": 1e-9},
    }


def test_it_is_stopped_resumed_and_found_to_the_same_bits(tmp_path: Path) -> None:
    whole = linrep.run(config())
    looked = itertools.count()
    with pytest.raises(KeyboardInterrupt):
        linrep.run(config(), out=tmp_path, progress=_stop_at(70))
    assert list((tmp_path / ".partial").glob("*/checkpoint.safetensors"))
    resumed = linrep.run(config(), out=tmp_path, progress=lambda *_: next(looked))
    assert torch.equal(resumed.unembedding, whole.unembedding)
    assert torch.equal(resumed.embedding, whole.embedding)
    assert resumed.trace.equals(whole.trace)
    assert linrep.run(config(), out=tmp_path).key == resumed.key


def _stop_at(step: int):
    """A progress that is killed there: nothing of the process is asked to save what it does."""

    def progress(done: int, *_: Any) -> None:
        if done >= step:
            raise KeyboardInterrupt

    return progress


def test_more_runs_leave_the_first_as_they_were() -> None:
    three, five = linrep.run(config()), linrep.run(config() | {"runs": 5})
    assert torch.equal(three.unembedding, five.unembedding[:3])
    shared = [linrep.run(config(stream="shared") | {"runs": runs}) for runs in (3, 5)]
    assert not torch.equal(shared[0].unembedding, shared[1].unembedding[:3])


def test_a_stream_of_its_own_is_part_of_the_key_and_the_shared_one_is_as_before() -> None:
    own, shared = (parse(config(stream=name)).model_dump(mode="json") for name in ("own", "shared"))
    assert key_of(own, None) != key_of(shared, None)
    before = shared | {"training": {k: v for k, v in shared["training"].items() if k != "stream"}}
    assert key_of(before, None) == key_of(shared, None)
    exact = parse({**config(optimizer="adam"), "world": {"kind": "chain", "concepts": 2}})
    assert exact.training.stream == "shared"  # what does not apply is as if it had not been said


def test_several_processes_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^training\.stream: 'own' needs one process, got 2; start one"):
        run_shared(config(), Team(0, 2))


def test_huge_steps_end_in_one_line() -> None:
    with pytest.raises(linrep.DivergedError, match="no run stayed finite"):
        linrep.run(config(step_size=1e30))


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_nothing_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="batch_size"):
        linrep.run(config(batch_size=size))


def test_a_batch_may_be_larger_than_the_world_and_come_from_few_samples() -> None:
    found = linrep.run(config(batch_size=500, samples=7, steps=20))
    assert bool(found.unembedding.isfinite().all())
