"""A change of the world in mid-training: what changes, what stays; stops on either side change nothing."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import linrep
from linrep import geometry
from linrep.errors import InputError
from linrep.laboratory.build import shifted, worlds
from linrep.laboratory.stage import stages_of
from linrep.population.gradient import Population, population_gradient
from linrep.runs import folder as run_folder
from linrep.runs.config import Config
from linrep.runs.store import Store
from linrep.runs.toml import parse
from linrep.training.training import MOST_STEPS

STEP, STEPS = 300, 700
"""Neither is a border between chunks of minibatches."""


GD = {"optimizer": "gd", "step_size": 5.0}


def config(**sections: Any) -> Config:
    fields: dict[str, Any] = {
        "runs": 3,
        "world": {"kind": "random", "concepts": 3},
        "model": {"dim": 3},
        "training": {"steps": STEPS, "batch_size": 20, "snapshots": 8, "step_size": 0.5},
        "shift": {"step": STEP},
        "measure": {"bootstrap": 100, "null_draws": 3},
        "compute": {"threads": 1},
    }
    for name, value in sections.items():
        fields[name] = fields.get(name, {}) | value if isinstance(value, dict) else value
    return parse({name: value for name, value in fields.items() if value is not None})


@functools.cache
def once(text: str) -> linrep.Result:
    """A run that several tests compare with."""
    return linrep.run(parse(json.loads(text)))


def over_steps(result: linrep.Result, measure: str, table: str = "", kind: str = "value") -> Any:
    rows: Any = result.trace
    rows = rows[(rows.measure == measure) & (rows.table == table) & (rows.kind == kind)]
    return rows[rows.concept == ""].pivot_table(index="step", columns="run", values="value")


@pytest.mark.parametrize("kind", ["independent", "chain", "random"])
@pytest.mark.parametrize("weights", ["uniform", "occurrence"])
def test_only_probabilities_change(kind: str, weights: str) -> None:
    given = config(world={"kind": kind}, contexts={"weights": weights})
    old = worlds(given)
    new = shifted(given, old)
    for before, after in zip(old, new, strict=True):
        assert after.model.parents == before.model.parents
        assert torch.equal(after.codes, before.codes)
        assert torch.equal(after.tokens, before.tokens)
        assert torch.equal(after.weights, before.weights) == (weights == "uniform")
        for table, fresh in zip(before.model.tables, after.model.tables, strict=True):
            assert not torch.isclose(table, fresh).all()
            torch.testing.assert_close(fresh.sum(-1), torch.ones(fresh.shape[:-1], dtype=torch.float64))
            assert bool((fresh[..., 1] >= 0.3).all() and (fresh[..., 1] <= 0.7).all())
    drawn = [world.model.tables[0] for world in new]
    assert not torch.equal(drawn[0], drawn[1])


def test_contexts_held_out_stay_held_out() -> None:
    given = config(contexts={"held_out": 0.3, "weights": "occurrence"})
    for before, after in zip(worlds(given), shifted(given, worlds(given)), strict=True):
        assert int(before.held_out.sum()) == 8
        assert torch.equal(before.held_out, after.held_out)
        assert not torch.equal(before.weights, after.weights)


def test_strength_mixes_old_and_new_tables() -> None:
    old, new = (shifted(config(shift={"strength": s}), worlds(config())) for s in (0.0, 1.0))
    mixed = shifted(config(shift={"strength": 0.25}), worlds(config()))
    for start, end, found, built in zip(old, new, mixed, worlds(config()), strict=True):
        for a, b, c, d in zip(
            start.model.tables, end.model.tables, found.model.tables, built.model.tables, strict=True
        ):
            assert torch.equal(a, d)
            torch.testing.assert_close(c, 0.75 * a + 0.25 * b)


def test_runs_that_share_a_world_share_the_next() -> None:
    given = config(world={"per_run": False})
    assert len({id(world) for world in shifted(given, worlds(given))}) == 1


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_strength_zero_is_training_without_a_shift(optimizer: str) -> None:
    """Bit-equal: a control in everything, what sgd draws included."""
    training = {"optimizer": optimizer, "step_size": 0.01 if optimizer == "adam" else 0.5}
    control = linrep.run(config(training=training, shift={"strength": 0.0}))
    plain = linrep.run(config(training=training, shift=None))
    assert torch.equal(control.unembedding, plain.unembedding)
    assert torch.equal(control.embedding, plain.embedding)
    changed = linrep.run(config(training=training))
    assert not torch.equal(changed.unembedding, plain.unembedding)


def test_each_side_is_judged_against_its_own_world() -> None:
    given = config(training=GD, world={"probability_range": [0.1, 0.9]})
    result = linrep.run(given)
    before, after = worlds(given), shifted(given, worlds(given))
    loss = over_steps(result, "excess_loss_nats").mean(axis=1)
    gap = over_steps(result, "log_odds_gap_nats").mean(axis=1)
    assert list(loss.index) == list(result.snapshot_steps)
    assert {0, STEP, STEP + 1, STEPS} <= set(result.snapshot_steps)
    assert loss[STEP] < 0.5 * loss[0]
    assert loss[STEP + 1] > 2 * loss[STEP]
    assert gap[STEP + 1] > 1.2 * gap[STEP]
    assert loss[STEPS] < 0.7 * loss[STEP + 1]
    here, there = (
        population_gradient(
            Population.of(each, dtype=torch.float32), result.embedding, result.unembedding
        ).excess_loss
        for each in (after, before)
    )
    torch.testing.assert_close(
        here,
        torch.tensor(result.summary.final.excess_loss_nats.per_run).double(),
        rtol=1e-5,
        atol=1e-6,  # trained in float32
    )
    assert bool((there > here).all())
    for kept, world in zip(result.worlds, after, strict=True):
        assert torch.equal(kept.joint, world.joint)


def test_the_trace_up_to_the_shift_is_that_of_a_run_without() -> None:
    short = linrep.run(config(training={**GD, "steps": STEP, "snapshots": 4}, shift=None))
    long = linrep.run(config(training=GD))
    for name in ("excess_loss_nats", "log_odds_gap_nats", "margin"):
        kept = over_steps(long, name)
        pairs = kept[kept.index <= STEP]
        assert pairs.equals(over_steps(short, name)), name


def test_a_shift_before_the_first_step_is_training_in_the_new_world_alone() -> None:
    """A fresh run: bit-equal to one given the tables of the new world."""
    given = config(training=GD, runs=1, shift={"step": 0})
    fresh = linrep.run(given)
    (new,) = shifted(given, worlds(given))
    alone = linrep.run(world=new.model, runs=1, dim=3, training=GD | {"steps": STEPS}, compute={"threads": 1})
    assert torch.equal(fresh.unembedding, alone.unembedding)
    assert torch.equal(fresh.embedding, alone.embedding)
    assert torch.equal(fresh.worlds[0].joint, new.joint)
    assert list(over_steps(fresh, "turn_degrees", "unembedding").index) == list(fresh.snapshot_steps)
    changed = linrep.run(config(training=GD, runs=1))
    assert not torch.equal(fresh.unembedding, changed.unembedding)


def test_turns_by_hand() -> None:
    """The last angle, from the tables themselves: arc cosine of mean unit steering vectors."""
    before = linrep.run(config(training={**GD, "steps": STEP}, shift=None))
    after = linrep.run(config(training=GD))
    for table in ("embedding", "unembedding"):
        found = over_steps(after, "turn_degrees", table)
        assert list(found.index) == [step for step in after.snapshot_steps if step >= STEP]
        assert (found.loc[STEP] == 0).all()
        for run, world in enumerate(after.worlds):
            codes = world.codes if table == "embedding" else world.token_codes
            pairs = geometry.counterfactual_pairs(codes)
            sides = []
            for result in (before, after):
                rows = getattr(result, table)[run].double()
                difference = rows[pairs.high] - rows[pairs.low]
                unit = difference / difference.norm(dim=1, keepdim=True)
                sides.append(torch.stack([unit[pairs.group == c].mean(0) for c in range(3)]))
            cosines = torch.cosine_similarity(*sides, dim=1)
            assert found.loc[STEPS, run] == pytest.approx(float(cosines.acos().rad2deg().mean()), abs=1e-4)
            assert found.loc[STEPS, run] > 0.1


def test_directions_of_other_runs_stand_at_right_angles() -> None:
    short = {"steps": 100, "snapshots": 2}
    result = linrep.run(config(runs=12, model={"dim": 6}, training=short, shift={"step": 50}))
    null = over_steps(result, "turn_degrees", "unembedding", "null").to_numpy()
    assert abs(np.mean(null) - 90) < 15
    alone = linrep.run(config(runs=1, training=short, shift={"step": 50}))
    assert over_steps(alone, "turn_degrees", "unembedding", "null").empty


def test_a_run_folder_is_read_back_with_the_world_it_ended_in(tmp_path: Path) -> None:
    given = config(training={**GD, "steps": 60}, shift={"step": 30})
    result = linrep.run(given, out=tmp_path)
    assert result.folder is not None
    again = run_folder.read(result.folder)
    assert again.config.shift == result.config.shift
    assert again.trace.equals(result.trace)
    assert again.summary == result.summary
    ended = stages_of(again.config, worlds(again.config))[-1].worlds
    for kept, world in zip(again.worlds, ended, strict=True):
        assert torch.equal(kept.joint, world.joint)
    other = config(training={**GD, "steps": 60}, shift={"step": 30, "strength": 0.5})
    assert linrep.run(other, out=tmp_path).key != result.key


@pytest.mark.parametrize(
    ("optimizer", "stop_at"),
    [("sgd", 192), ("sgd", STEP), ("sgd", STEP + 20), ("sgd", 600), ("adam", STEP + 20)],
)
def test_stopped_on_either_side_goes_on_bit_equal(optimizer: str, stop_at: int, tmp_path: Path) -> None:
    training = {"optimizer": optimizer, "step_size": 0.01 if optimizer == "adam" else 0.5}
    given = config(runs=2, training=training)
    whole = once(given.model_dump_json())
    steps: list[int] = []

    def watch(step: int, total: int, loss: float) -> None:
        steps.append(step)

    with pytest.raises(KeyboardInterrupt):
        linrep.run(given, out=tmp_path, progress=watch, stop=lambda: steps[-1] >= stop_at)
    assert stop_at <= steps[-1] <= stop_at + MOST_STEPS
    assert Store(tmp_path).finished() == []
    again = linrep.run(given, out=tmp_path)
    assert torch.equal(again.unembedding, whole.unembedding)
    assert torch.equal(again.embedding, whole.embedding)
    assert again.trace.equals(whole.trace)
    assert again.summary == whole.summary


TABLES = {"kind": "tables", "variables": [{"name": "a", "table": [[0.5, 0.5]]}]}
CATEGORICAL = {"kind": "categorical", "concepts": 2}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"shift": {"step": STEPS}}, "shift.step: expected a step before the last.*700, got 700"),
        ({"shift": {"step": -1}}, "shift.step: .*greater than or equal to 0"),
        ({"shift": {"step": 10, "strength": 1.5}}, "shift.strength: .*less than or equal to 1"),
        ({"shift": {"stpe": 10}}, "unknown key 'shift.stpe', did you mean 'shift.step'"),
        ({"world": {"kind": "network", "network": "asia"}}, "drawn .*got 'network'"),
        ({"world": TABLES}, "drawn .*got 'tables'"),
        ({"world": CATEGORICAL}, "drawn .*got 'categorical'"),
        (
            {"world": {"kind": "independent", "concepts": 1, "probabilities": [0.5]}},
            "drawn .*got given probabilities",
        ),
    ],
)
def test_bad_shifts_are_one_line(sections: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"world": {"kind": "chain", "concepts": 2}, "shift": {"step": 5}}
    with pytest.raises(InputError, match=message) as caught:
        parse({"training": {"steps": STEPS}} | fields | sections)
    assert len(str(caught.value).splitlines()) == 1


def test_steps_start_again_after_the_shift() -> None:
    from linrep.training.schedule import snapshot_steps

    for steps, shift, count in itertools.product([20, 1000], [1, 7, 19], [4, 9, 40]):
        found = snapshot_steps(steps, count, shift)
        assert found == sorted(set(found))
        assert {0, shift, shift + 1, steps} <= set(found)
        assert len(found) <= count + 2
