"""One world trained by several processes: what one process finds, whoever stops, dies or goes on."""

import os
import signal
import subprocess
import sys
import time
from functools import lru_cache

import pytest
import torch

import linrep
from linrep import cli
from linrep.errors import InputError, LostError
from linrep.laboratory.run import run_shared
from linrep.population.sharding import Team
from linrep.runs.toml import parse
from tests.support.ranks import KILLED, on_ranks

TRAINING = {
    "gd": {"optimizer": "gd", "step_size": 0.5},
    "adam": {"optimizer": "adam", "step_size": 0.02},
    "sgd": {"optimizer": "sgd", "step_size": 0.3, "batch_size": 20},
}
OFTEN = {"output": {"checkpoint_seconds": 0.05}}


def config(optimizer="adam", steps=100, **sections):
    return parse(
        {
            "runs": 2,
            "world": {"kind": "random", "concepts": 3},
            "training": TRAINING[optimizer] | {"steps": steps, "snapshots": 3},
            "measure": {"bootstrap": 100, "null_draws": 3},
            "compute": {"threads": 1},
        }
        | sections
    )


def assert_same(found, exact):
    """Within what rounding and its growth over the steps allow."""
    assert found.key == exact.key
    for one, other in ((found.embedding, exact.embedding), (found.unembedding, exact.unembedding)):
        assert (one - other).abs().max() <= 1e-4 * other.abs().max()
    assert found.snapshot_steps == exact.snapshot_steps
    assert losses(found) == pytest.approx(losses(exact), rel=1e-3)


def losses(result):
    return result.trace.query("measure == 'excess_loss_nats'")["value"].to_numpy()


@lru_cache
def alone(optimizer, steps):
    return linrep.run(config(optimizer, steps, **OFTEN))


@pytest.mark.parametrize("ranks", [2, 3])
def test_a_hundred_steps_are_those_of_one_process(ranks, tmp_path):
    expected = [alone(name, 100) for name in TRAINING]  # first: what it loads, the ranks need not

    def results(team):
        return [run_shared(config(name, **OFTEN), team, out=tmp_path / f"{team.rank}") for name in TRAINING]

    answers = on_ranks(ranks, results)
    for found, exact in zip(answers[0], expected, strict=True):
        assert_same(found, exact)
        assert found.provenance["machine"]["processes"] == ranks
    assert answers[1:] == [[None] * len(TRAINING)] * (ranks - 1)
    assert [path.name for path in tmp_path.iterdir()] == ["0"]  # rank 0 alone writes


def test_training_on_samples_draws_what_one_process_draws():
    """Every rank draws all pairs and keeps those of its contexts."""
    training = TRAINING["sgd"] | {"steps": 100, "snapshots": 3, "samples": 50}
    exact = linrep.run(config(training=training))
    everything = linrep.run(config("sgd"))
    found, none = on_ranks(2, lambda team: run_shared(config(training=training), team))
    assert none is None
    assert_same(found, exact)
    assert (everything.embedding - exact.embedding).abs().max() > 1e-2, "50 pairs are another teacher"


def test_full_batch_steps_on_samples_are_of_one_process():
    training = {"optimizer": "gd", "step_size": "auto", "steps": 10, "samples": 50}
    answers = on_ranks(2, lambda team: refused(config(training=training), team))
    assert (
        answers
        == ["training.samples: expected optimizer 'sgd' with several processes, got 'gd'; start one"] * 2
    )


def refused(settings, team):
    try:
        run_shared(settings, team)
    except InputError as error:
        return str(error)
    return "accepted"


def stopped_at(looks, team, out, optimizer, how):
    """Train until the last rank has been asked ``looks`` times, then ``how``."""
    asked = []

    def stop():
        asked.append(0)
        return len(asked) >= looks and team.rank == team.ranks - 1 and how()

    try:
        run_shared(config(optimizer, 300, **OFTEN), team, out=out, stop=stop)
    except KeyboardInterrupt:
        return "interrupted"
    except LostError as error:
        return str(error)
    return "finished"


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_another_number_of_ranks_goes_on(optimizer, tmp_path):
    def body(team):
        return stopped_at(5, team, tmp_path, optimizer, lambda: True)

    assert on_ranks(3, body) == ["interrupted"] * 3
    assert list(tmp_path.glob(".partial/*/checkpoint.safetensors"))
    began = []

    def second(team):
        def progress(done, steps, loss):
            began.append(done)

        result = run_shared(config(optimizer, 300, **OFTEN), team, out=tmp_path, progress=progress)
        return result, min(began, default=None)

    (result, first_step), (nothing, silent) = on_ranks(2, second)
    assert first_step > 8  # not from the beginning
    assert (nothing, silent) == (None, None)
    assert_same(result, alone(optimizer, 300))


def test_one_process_goes_on_where_several_stopped_and_finds_what_they_finished(tmp_path):
    assert (
        on_ranks(2, lambda team: stopped_at(5, team, tmp_path, "adam", lambda: True)) == ["interrupted"] * 2
    )
    result = linrep.run(config("adam", 300, **OFTEN), out=tmp_path)
    assert_same(result, alone("adam", 300))
    found, nothing = on_ranks(
        2, lambda team: run_shared(config("adam", 300, **OFTEN), team, out=tmp_path, stop=lambda: True)
    )
    assert torch.equal(found.embedding, result.embedding)
    assert nothing is None


def test_a_killed_rank_is_one_line_on_the_others_and_nothing_is_lost(tmp_path):
    def body(team):
        return stopped_at(4, team, tmp_path, "adam", lambda: os.kill(os.getpid(), signal.SIGKILL))

    answers = on_ranks(3, body)
    assert answers[2] == KILLED
    assert all(answer.startswith("another process ended") and "\n" not in answer for answer in answers[:2])
    assert not list(tmp_path.glob("random-*"))
    assert_same(linrep.run(config("adam", 300, **OFTEN), out=tmp_path), alone("adam", 300))


def test_every_run_diverged_is_said_on_every_rank():
    def body(team):
        try:
            run_shared(config("gd", training={"optimizer": "gd", "step_size": 1e9, "steps": 50}), team)
        except linrep.DivergedError as error:
            return str(error)

    first, second = on_ranks(2, body)
    assert first == second
    assert "diverged" in first


def test_other_encoders_are_refused():
    network = config(model={"encoder": "mlp"})
    with pytest.raises(
        InputError, match=r"^model.encoder: expected 'table' with several processes, got 'mlp'"
    ):
        run_shared(network, Team(0, 2))


def test_other_commands_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(cli, "SHARED", True)
    assert cli.execute(["runs"]) == cli.USAGE
    assert "got 'runs'; start that without torchrun" in capsys.readouterr().err
    monkeypatch.setattr(cli, "FIRST", False)
    assert cli.execute(["runs"]) == cli.USAGE
    assert capsys.readouterr().err == ""


def test_torchrun_is_interrupted_and_one_process_goes_on(tmp_path):
    file, out = tmp_path / "c.toml", tmp_path / "runs"
    settings = config("adam", 60_000, **OFTEN)
    file.write_text(
        'runs = 2\nworld = { kind = "random", concepts = 3 }\ncompute = { threads = 1 }\n'
        'training = { optimizer = "adam", step_size = 0.02, steps = 60000, snapshots = 3 }\n'
        "measure = { bootstrap = 100, null_draws = 3 }\noutput = { checkpoint_seconds = 0.05 }\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "linrep", "run", str(file), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(out.glob(".partial/*/checkpoint.safetensors")) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=60)
    assert process.returncode
    assert not said
    assert complained.count("linrep: interrupted; the same command goes on from here") == 1
    assert "linrep: error" not in complained
    # One process finds the checkpoint, and goes on from it.
    began = []
    with pytest.raises(KeyboardInterrupt):
        linrep.run(settings, out=out, stop=lambda: True, progress=lambda done, *_: began.append(done))
    assert began[0] > 8
