"""A wide start is looked at from its random cloud to the tables that training begins with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep import geometry
from linrep.laboratory import trajectory
from linrep.laboratory.build import resolve, worlds
from linrep.page.cube import block
from linrep.page.view import view
from linrep.population.population import Population
from linrep.runs.result import Result
from linrep.runs.toml import parse
from linrep.runs.wide_looks import NAMES
from linrep.seeds import generator
from linrep.training.checkpoint import FILE
from linrep.training.wide import STEPS, Looks, wide_start

WIDE: dict[str, Any] = {
    "runs": 3,
    "world": {"kind": "random", "concepts": 3},
    "model": {"start": "wide"},
    "training": {"optimizer": "gd", "step_size": "auto", "steps": 200},
    "measure": {"null_draws": 2},
    "compute": {"threads": 1},
}


@pytest.fixture(scope="module")
def wide() -> Result:
    return linrep.run(WIDE, progress=False)


def linearity(result: Result, table: torch.Tensor) -> tuple[float, float]:
    """Mean over runs of a look, and of its random pairs."""
    found: list[tuple[float, float]] = []
    for run, each in enumerate(table):
        pairs = geometry.counterfactual_pairs(result.worlds[run].token_codes)
        draw = torch.Generator().manual_seed(run)
        value, null = geometry.snapshot(None, each[None].double(), None, pairs, generator=draw)
        key = "linearity", "unembedding"
        found.append((value.mean(key), null.mean(key)))
    values, nulls = zip(*found, strict=True)
    return sum(values) / len(values), sum(nulls) / len(nulls)


def test_it_begins_as_a_random_cloud_and_ends_as_a_cube(wide: Result) -> None:
    assert wide.wide is not None
    looks = wide.wide
    assert looks.steps[0] == 0
    assert looks.until == STEPS > looks.steps[-1]
    assert wide.snapshot_steps[0] == 0
    # Three of six directions, chosen by what was learned along them, lean a little to it from the start.
    first, chance = linearity(wide, looks.snapshots[0])
    assert abs(first - chance) < 0.25
    assert linearity(wide, looks.snapshots[-1])[0] > 0.95
    assert float(looks.snapshots[0].norm()) < 0.2 * float(looks.snapshots[-1].norm())


@pytest.mark.parametrize("per_run", [False, True])
def test_the_map_that_cuts_a_look_cuts_the_last_one_into_the_table_at_the_start(per_run: bool) -> None:
    tokens = {"kind": "fraction", "fraction": 0.8, "per_run": True} if per_run else {"kind": "complete"}
    config = parse(WIDE | {"world": {"kind": "random", "concepts": 4}, "tokens": tokens})
    built = worlds(config)
    dim = resolve(config, built).model.dim or 0
    population = Population.of(built, dtype=torch.float64)
    seen: list[int] = []
    late = Looks(steps=(0, STEPS), kept=2)
    draws = [generator(0, "start", run) for run in range(3)]
    cut = wide_start(
        population, dim, init_scale=0.1, generators=draws, looks=late, watch=lambda: seen.append(0)
    )
    unseen = wide_start(
        population, dim, init_scale=0.1, generators=[generator(0, "start", run) for run in range(3)]
    )
    assert len(seen) == STEPS
    assert torch.equal(cut.unembedding, unseen.unembedding)
    assert torch.equal(cut.embedding, unseen.embedding)
    end = cut.unembedding[:2].float()
    torch.testing.assert_close(cut.looks[1], end, rtol=1e-5, atol=1e-6)
    assert float((cut.looks[0] - end).abs().max()) > 0.3 * float(end.abs().max())


def test_without_a_wide_start_there_are_no_looks() -> None:
    plain = linrep.run(WIDE | {"model": {}, "training": {"steps": 5, "step_size": 0.5}}, progress=False)
    assert plain.wide is None
    assert view(plain).wide_steps == 0
    assert "Before step 0" not in block(view(plain)).caption


def test_equal_seeds_and_a_folder_give_the_same_looks(wide: Result, tmp_path: Path) -> None:
    kept = linrep.run(WIDE, out=tmp_path, progress=False)
    assert wide.wide is not None
    assert kept.folder is not None
    for again in (kept, linrep.open(kept.folder)):
        assert again.wide is not None
        assert again.wide.steps == wide.wide.steps
        assert torch.equal(again.wide.snapshots, wide.wide.snapshots)


def test_looks_outlive_a_stop_in_the_middle_of_training(wide: Result, tmp_path: Path) -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(0)
        return len(asked) == STEPS + 10

    with pytest.raises(KeyboardInterrupt):
        linrep.run(WIDE, out=tmp_path, progress=False, stop=stop)
    (saved,) = tmp_path.glob(f".partial/*/{FILE}")
    assert NAMES[0].encode() in saved.read_bytes()
    resumed = linrep.run(WIDE, out=tmp_path, progress=False)
    assert wide.wide is not None
    assert resumed.wide is not None
    assert torch.equal(resumed.wide.snapshots, wide.wide.snapshots)
    assert resumed.trace.equals(wide.trace)


def test_looks_fit_the_budget_of_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectory, "SNAPSHOT_BYTES", 2 * 8 * 3 * 4 * 40)
    small = linrep.run(WIDE, progress=False)
    assert small.wide is not None
    assert small.wide.snapshots.shape[1:] == small.snapshots.shape[1:] == (2, 8, 3)
    assert len(small.wide.steps) < 40
    assert small.wide.snapshots.nbytes <= trajectory.SNAPSHOT_BYTES


def test_the_cube_begins_with_the_wide_start_and_says_what_it_leaves_out(wide: Result) -> None:
    drawn = block(view(wide))
    steps = drawn.spec["steps"]
    assert steps[0] == -STEPS
    assert 0 in [*steps]
    assert drawn.spec["wide"] == {"steps": STEPS, "dim": 3}
    assert "of these 6 you see the 3 that the cut keeps" in drawn.caption
    assert f"wide start, step 0 of {STEPS}" in drawn.alt
    before = view(replace(wide, wide=None))
    assert list(before.steps) == list(wide.snapshot_steps)
