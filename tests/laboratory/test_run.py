"""The whole path: equal seeds, equal bits; stopped or killed runs go on; half runs are never seen."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

import linrep
from linrep.errors import DamagedError, DivergedError, FolderError, InputError
from linrep.files import one_line_errors
from linrep.laboratory import trajectory
from linrep.laboratory.build import worlds
from linrep.population.gradient import Population
from linrep.runs import folder as run_folder
from linrep.runs.config import Config
from linrep.runs.index import run_index
from linrep.runs.keys import key_of
from linrep.runs.store import Store
from linrep.runs.toml import parse
from linrep.training.encoder import encoder
from linrep.worlds.network_file import network_path

TINY: dict[str, Any] = {
    "runs": 3,
    "world": {"kind": "random", "concepts": 3},
    "training": {"steps": 600, "batch_size": 20, "snapshots": 6, "step_size": 0.5},
    "measure": {"bootstrap": 100, "null_draws": 3},
    "compute": {"threads": 1},
}


def config(**sections: dict[str, Any]) -> Config:
    fields = {name: dict(value) if isinstance(value, dict) else value for name, value in TINY.items()}
    for name, value in sections.items():
        fields[name] = fields.get(name, {}) | value if isinstance(value, dict) else value
    return parse(fields)


def equal(first: linrep.Result, second: linrep.Result) -> bool:
    return (
        torch.equal(first.embedding, second.embedding)
        and torch.equal(first.unembedding, second.unembedding)
        and first.parameters.keys() == second.parameters.keys()
        and all(torch.equal(value, second.parameters[name]) for name, value in first.parameters.items())
        and torch.equal(first.snapshots, second.snapshots)
        and first.summary == second.summary
        and first.trace.equals(second.trace)
    )


def test_equal_configs_are_bit_equal_and_seeds_matter() -> None:
    first, second = linrep.run(config()), linrep.run(config())
    assert equal(first, second)
    other = linrep.run(config(seed=1))  # pyright: ignore
    assert not torch.equal(first.unembedding, other.unembedding)
    assert other.key != first.key


def test_a_runs_start_does_not_depend_on_how_many_train_beside_it() -> None:
    few = linrep.run(config(runs=2, training={"steps": 0}))  # pyright: ignore
    many = linrep.run(config(runs=4, training={"steps": 0}))  # pyright: ignore
    assert torch.equal(few.unembedding, many.unembedding[:2])


def test_written_and_read_back(tmp_path: Path) -> None:
    result = linrep.run(config(), out=tmp_path)
    assert result.folder is not None
    again = run_folder.read(result.folder)
    assert equal(result, again)
    assert again.config == result.config
    assert all(torch.equal(a.joint, b.joint) for a, b in zip(result.worlds, again.worlds, strict=True))
    assert result.worlds[0].model.names == again.worlds[0].model.names
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pkl", ".pt", ".npy"}]


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam"])
def test_one_column_is_written_and_read_back(optimizer: str, tmp_path: Path) -> None:
    """An axis of one may have any stride in PyTorch, which calls it contiguous all the same."""
    training = {"optimizer": optimizer, "steps": 5, "step_size": 0.01}
    result = linrep.run(config(world={"kind": "chain", "concepts": 1}, training=training), out=tmp_path)
    assert result.folder is not None
    assert equal(run_folder.read(result.folder), result)
    assert result.embedding.stride() == (3, 1, 1)


def test_weights_of_a_network_are_kept_and_give_its_embedding(tmp_path: Path) -> None:
    settings = config(model=NETWORK, training={"optimizer": "adam", "step_size": 0.01, "steps": 20})
    result = linrep.run(settings, out=tmp_path)
    assert result.folder is not None
    again = run_folder.read(result.folder)
    population = Population.of(result.worlds, dtype=torch.float32)
    found = encoder("transformer", population.context_index, population.sizes, 3, init_scale=0.1, width=8,
                    layers=1, heads=2, dtype=torch.float32)  # fmt: skip
    torch.testing.assert_close(
        found.embed([again.parameters[name] for name in found.shapes]), result.embedding
    )
    losses = result.summary.final.excess_loss_nats
    assert losses.mean < 0.8 * result.trace.query("step == 0 and measure == 'excess_loss_nats'").value.mean()
    assert linrep.run(config()).parameters == {}


def test_found_again_instead_of_repeated(tmp_path: Path) -> None:
    result = linrep.run(config(), out=tmp_path)
    assert result.folder is not None
    stamp = (result.folder / "result.json").stat().st_mtime_ns
    found = linrep.run(config(output={"checkpoint_seconds": 7.0}), out=tmp_path)
    assert found.key == result.key
    assert (result.folder / "result.json").stat().st_mtime_ns == stamp
    forced = linrep.run(config(), out=tmp_path, force=True)
    assert equal(forced, result)
    assert (result.folder / "result.json").stat().st_mtime_ns != stamp


def test_sampled_pairs_are_their_own_run_key_and_bits() -> None:
    few, more = (linrep.run(config(training={"samples": samples, "steps": 300})) for samples in (30, 3000))
    again = linrep.run(config(training={"samples": 30, "steps": 300}))
    assert equal(few, again)
    assert few.key != more.key
    gap = [each.summary.final.excess_loss_nats.mean for each in (few, more)]
    assert gap[0] > 2 * gap[1], "both measured against the true distribution, which 30 pairs miss"


def test_full_batch_steps_on_samples_go_down_their_loss_and_leave_the_true_one_behind() -> None:
    """Where the true distribution is known there is no such loss."""
    gd: dict[str, Any] = {"optimizer": "gd", "step_size": "auto", "steps": 300}
    few, true = linrep.run(config(training=gd | {"samples": 40})), linrep.run(config(training=gd))
    trace: Any = few.trace
    seen = trace[trace["measure"] == "sample_excess_loss_nats"]
    own = seen.pivot_table(index="step", columns="run", values="value")
    assert (own.diff().iloc[1:] <= 0).all(axis=None)
    final = few.summary.final.excess_loss_nats.per_run
    assert all(loss is not None and loss > 3 * last for loss, last in zip(final, own.iloc[-1], strict=True))
    assert "sample_excess_loss_nats" not in set(true.trace["measure"])
    assert equal(few, linrep.run(config(training=gd | {"samples": 40})))
    assert few.key != true.key


def test_how_a_run_on_samples_ended_is_judged_by_their_loss() -> None:
    settings = {"runs": 1, "world": {"kind": "random", "concepts": 2}, "model": {"start": "wide"}}
    training = {"optimizer": "gd", "step_size": "auto", "samples": 40, "steps": 1500}
    found = linrep.run({**settings, "training": training, "compute": {"threads": 1}}).summary
    (target,), (true,) = found.ended.target_nats, found.final.excess_loss_nats.per_run
    assert found.ended.per_run == ("converged",)
    assert target is not None
    assert true is not None
    assert true > 100 * target, "forty pairs are learned, the distribution is not"


def test_sgd_on_samples_is_judged_by_the_true_loss_and_says_so() -> None:
    """It learns forty pairs by heart: it came to all they can teach, and that is not the distribution."""
    settings = {"runs": 1, "world": {"kind": "random", "concepts": 2}, "compute": {"threads": 1}}
    ended, whole = (
        linrep.run({**settings, "training": {"steps": 300, **more}}).summary.ended
        for more in ({"samples": 40}, {})
    )
    assert ended.per_run == ("unfinished",)
    assert "of the true distribution" in ended.criterion
    assert "of the true distribution" not in whole.criterion


NETWORK = {"encoder": "transformer", "width": 8, "layers": 1, "heads": 2}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"training": {"samples": 50}},
        {"training": {"optimizer": "gd", "step_size": "auto", "samples": 50, "steps": 200}},
        {"model": NETWORK, "training": {"samples": 50, "step_size": 0.01, "steps": 60}},
        {"model": NETWORK, "training": {"optimizer": "adam", "step_size": 0.01, "steps": 60}},
    ],
)
def test_stopped_runs_go_on_bit_equal(sections: dict[str, Any], tmp_path: Path) -> None:
    whole = linrep.run(config(**sections))
    asked = iter([False, True, *[False] * 1000])
    with pytest.raises(KeyboardInterrupt):
        linrep.run(config(**sections), out=tmp_path, stop=lambda: next(asked))
    assert Store(tmp_path).finished() == []
    assert equal(linrep.run(config(**sections), out=tmp_path), whole)


def test_killed_runs_go_on_bit_equal(tmp_path: Path) -> None:
    """SIGKILL at any moment: nothing half is listed, and the same command ends with the same bits."""
    settings = config(training={"steps": 6000}, output={"checkpoint_seconds": 0.01})
    path = tmp_path / "c.json"
    path.write_text(settings.model_dump_json())
    code = (
        "import sys, json, linrep\n"
        "from linrep.runs.toml import parse\n"
        "linrep.run(parse(json.load(open(sys.argv[1]))), out=sys.argv[2])"
    )
    store = Store(tmp_path / "runs")
    kills = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path), str(store.root)])
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if list(store.root.glob(".partial/*/checkpoint.safetensors")):
                time.sleep(0.05 * kills)
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        process.wait()
        assert all((store.root / key / "result.json").exists() for key in store.finished())
        if store.finished():
            break
    assert kills
    assert equal(linrep.run(settings, out=store.root), linrep.run(settings))


def test_a_damaged_checkpoint_means_a_fresh_start(tmp_path: Path) -> None:
    whole = linrep.run(config())
    asked = iter([False, True, *[False] * 1000])
    with pytest.raises(KeyboardInterrupt):
        linrep.run(config(), out=tmp_path, stop=lambda: next(asked))
    (checkpoint,) = tmp_path.glob(".partial/*/checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    assert equal(linrep.run(config(), out=tmp_path), whole)


def test_one_diverged_run_is_named_and_the_others_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that overflows in one run only."""
    settings = config(training={"optimizer": "gd", "steps": 40})
    healthy = linrep.run(settings)
    begin = trajectory.start

    def spoiled(*arguments: Any, **more: Any) -> Any:
        state = begin(*arguments, **more)
        state.embedding[1] *= 1e38
        return state

    monkeypatch.setattr(trajectory, "start", spoiled)
    summary = linrep.run(settings).summary
    assert [(entry.run, entry.step <= 3) for entry in summary.diverged] == [(1, True)]
    assert summary.final.linearity["unembedding"].per_run[1] is None
    assert summary.ended.per_run[1] == "diverged"
    kept = summary.final.excess_loss_nats.per_run
    expected = healthy.summary.final.excess_loss_nats.per_run
    assert kept[1] is None
    assert [kept[0], kept[2]] == pytest.approx([expected[0], expected[2]])


def test_every_run_diverged_is_an_error_that_names_step_and_size() -> None:
    huge = config(training={"optimizer": "gd", "steps": 400, "step_size": 1e30}, model={"init_scale": 1e15})
    with pytest.raises(DivergedError, match=r"step \d+ with step size 1e\+30"):
        linrep.run(huge)


def test_asia_has_no_pair_for_either() -> None:
    result = linrep.run(
        {
            "runs": 2,
            "world": {"kind": "network", "network": "asia"},
            "training": {"steps": 20},
            "measure": {"bootstrap": 100, "null_draws": 2},
            "compute": {"threads": 1},
        }
    )
    summary = result.summary
    assert result.config.model.dim == 8
    assert summary.counts.tokens == 128
    assert summary.counts.dropped_contexts == 1458
    per_concept = summary.final.linearity["unembedding"].per_concept
    assert per_concept["either"] is None
    assert [name for name, value in per_concept.items() if value is None] == ["either"]
    json.dumps(summary.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    "sections",
    [
        {"contexts": {"kind": "fraction", "fraction": 0.3}},
        {"contexts": {"kind": "known", "at_least": 1, "at_most": 2}},
        {"contexts": {"kind": "list", "contexts": ["C1=1", "0??", "C2=0 C3=1"]}},
        {"tokens": {"kind": "fraction", "fraction": 0.6}},
        {"tokens": {"kind": "list", "tokens": ["000", "011", "111"]}},
        {"contexts": {"kind": "complete", "weights": "occurrence"}},
        {"training": {"optimizer": "adam", "steps": 30}},
        {"model": {"dim": 1}},
        {"runs": 1},
        {"world": {"kind": "chain", "concepts": 1}},
        {"contexts": {"kind": "list", "contexts": ["000"]}},
    ],
)
def test_every_corner_gives_plain_numbers(sections: dict[str, Any], tmp_path: Path) -> None:
    result = linrep.run(config(**sections), out=tmp_path)
    json.dumps(result.summary.as_dict(), allow_nan=False)
    assert result.folder is not None
    assert equal(run_folder.read(result.folder), result)


def test_own_draws_for_every_run() -> None:
    own = worlds(config(contexts={"kind": "fraction", "fraction": 0.5}))
    shared = worlds(
        config(
            world={"kind": "random", "concepts": 3, "per_run": False},
            contexts={"kind": "fraction", "fraction": 0.5, "per_run": False},
        )
    )
    assert not torch.equal(own[0].codes, own[1].codes)
    assert shared[0] is shared[1]


def test_a_damaged_folder_is_one_line(tmp_path: Path) -> None:
    result = linrep.run(config(training={"steps": 5}), out=tmp_path)
    assert result.folder is not None
    names = ("config.json", "tables.safetensors", "trace.parquet", "worlds.json", "result.json")
    for name in (*names, "provenance.json"):
        good = (result.folder / name).read_bytes()
        for bad in (b"", good[: len(good) // 2], b"{}"):
            (result.folder / name).write_bytes(bad)
            with pytest.raises(InputError) as caught:
                run_folder.read(result.folder)
            assert "\n" not in str(caught.value)
        (result.folder / name).write_bytes(good)


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path) -> None:
    """Copied, linked, or its config changed and the hash with it."""
    first, second = (linrep.run(config(seed=seed, training={"steps": 5}), out=tmp_path) for seed in (0, 1))  # pyright: ignore
    assert first.folder is not None
    assert second.folder is not None
    whole = shutil.copytree(first.folder, tmp_path / "elsewhere" / first.key)
    assert equal(run_folder.read(whole), first)
    for linked in (False, True):
        first.folder.rename(tmp_path / "elsewhere" / "aside")
        if linked:
            first.folder.symlink_to(second.key)
        else:
            shutil.copytree(second.folder, first.folder)
        with pytest.raises(DamagedError, match=f"{first.key}: holds another run .{second.key}"):
            linrep.run(config(training={"steps": 5}), out=tmp_path)
        (shown,) = run_index(Store(tmp_path)).damaged
        assert f"{first.key}: holds another run ({second.key})" in shown
        first.folder.rename(tmp_path / "elsewhere" / str(linked))
        (tmp_path / "elsewhere" / "aside").rename(first.folder)
    written(first.folder, "config.json", lambda fields: fields["training"].update(steps=6))
    with pytest.raises(DamagedError, match="holds another run"):
        run_folder.read(first.folder)


def test_a_run_written_before_a_key_of_the_config_came_is_read_under_its_own_name(tmp_path: Path) -> None:
    result = linrep.run(config(training={"steps": 5}), out=tmp_path)
    assert result.folder is not None
    written(result.folder, "config.json", lambda fields: fields.pop("shift"))
    key = key_of(json.loads((result.folder / "config.json").read_bytes()), None)
    assert key != result.key
    written(result.folder, "result.json", lambda fields: fields.update(run=key))
    old = run_folder.read(result.folder.rename(tmp_path / key))
    assert (old.key, old.config) == (key, result.config)


def test_a_network_stands_under_the_hash_of_its_file(tmp_path: Path) -> None:
    shutil.copy(network_path("cancer"), tmp_path / "own.bif")
    world = {"kind": "network", "network": str(tmp_path / "own.bif")}
    result = linrep.run(TINY | {"world": world, "training": {"steps": 2}}, out=tmp_path)
    assert result.folder is not None
    assert run_folder.read(result.folder).key == result.key


ODD: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("provenance.json", lambda fields: fields.pop("seconds"), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds="3"), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds=-1.0), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds=float("nan")), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds=float("inf")), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds=True), "seconds"),
    ("provenance.json", lambda fields: fields.update(seconds=10**400), "seconds"),
    ("provenance.json", lambda fields: fields.update(data_sha256=3), "data_sha256"),
    ("result.json", lambda fields: fields.clear(), "run"),
    ("result.json", lambda fields: fields.update(run="another"), "another run"),
    ("result.json", lambda fields: fields.pop("ended"), "ended"),
    ("result.json", lambda fields: fields.update(final=[]), "final"),
    ("result.json", lambda fields: fields["ended"]["per_run"].pop(), "ended.per_run: expected 3 runs, got 2"),
    ("result.json", lambda fields: fields["ended"].update(per_run=[1, 2, 3]), "per_run"),
]


def test_records_that_lack_what_is_relied_on_are_one_line(tmp_path: Path) -> None:
    result = linrep.run(config(training={"steps": 5}), out=tmp_path / "runs")
    assert result.folder is not None
    for number, (name, change, words) in enumerate(ODD):
        folder = shutil.copytree(result.folder, tmp_path / str(number) / result.key)
        written(folder, name, change)
        with pytest.raises(DamagedError, match=words) as caught:
            run_folder.read(folder)
        assert "\n" not in str(caught.value)


def written(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a file of a run, and the hash recorded for it."""
    fields = json.loads((folder / name).read_bytes())
    change(fields)
    content = json.dumps(fields).encode()
    (folder / name).write_bytes(content)
    if name != "provenance.json":
        hashes = {name: hashlib.sha256(content).hexdigest()}
        written(folder, "provenance.json", lambda source: source["sha256"].update(hashes))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "free space or choose another place"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "free space or choose another place"),
        (
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "free space or choose another place",
        ),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "choose another place"),
        (SafetensorError("I/O error: Permission denied (os error 13)"), "choose another place"),
    ],
)
def test_space_is_to_be_freed_only_where_it_is_out(error: Exception, remedy: str) -> None:
    with pytest.raises(FolderError) as caught, one_line_errors(Path("runs")):
        raise error
    assert str(caught.value).startswith("runs: cannot be written (")
    assert str(caught.value).endswith(f"); {remedy}")


def test_two_processes_do_not_train_the_same_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.claim("a-run"), pytest.raises(InputError, match="another process"), store.claim("a-run"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        linrep.run(config(training={"steps": 5}), out=tmp_path / "runs")


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        linrep.run(config(training={"steps": 5}), out=tmp_path / "runs")


def test_absent_numbers_are_null_not_nan(tmp_path: Path) -> None:
    """Runs with two tokens and a context or two: in some of them nothing can be compared."""
    sections = {
        "tokens": {"kind": "fraction", "fraction": 0.3},
        "contexts": {"kind": "fraction", "fraction": 0.1},
        "training": {"steps": 20},
    }
    written = json.dumps(linrep.run(config(**sections), out=tmp_path).summary.as_dict(), allow_nan=False)
    assert json.loads(written)["final"]["alignment"]["mean"] is None


def test_padding_stays_out_of_the_gauge() -> None:
    settings = config(
        runs=4,  # pyright: ignore
        world={"kind": "random", "concepts": 4},
        tokens={"kind": "fraction", "fraction": 0.4},
        contexts={"kind": "fraction", "fraction": 0.5},
        model={"init_scale": 1.0},
        training={"steps": 10},
    )
    result = linrep.run(settings)
    rows = [len(world.codes) for world in result.worlds]
    assert len(set(rows)) > 1
    for run, world in enumerate(result.worlds):
        f = result.embedding[run, : rows[run]].double()
        g = result.unembedding[run, : len(world.tokens)].double()
        g = g - g.mean(0)
        expected = (f.T @ f - g.T @ g).norm() / ((f.T @ f).norm() + (g.T @ g).norm())
        assert result.summary.gauge_imbalance.per_run[run] == pytest.approx(float(expected), rel=1e-12)


def test_a_single_token_is_a_world_too() -> None:
    result = linrep.run(config(tokens={"kind": "list", "tokens": ["000"]}, training={"steps": 5}))
    assert result.config.model.dim == 1
    assert result.summary.final.linearity["unembedding"].mean is None


@pytest.mark.parametrize("to", ["nowhere", "", "a-file"])
def test_a_link_in_the_way_is_replaced(to: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("kept")
    key = linrep.run(config(training={"steps": 5})).key
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / key).symlink_to(tmp_path / to if to else tmp_path / "runs" / key)
    result = linrep.run(config(training={"steps": 5}), out=tmp_path / "runs")
    assert result.folder is not None
    assert not result.folder.is_symlink()
    assert run_folder.read(result.folder).key == key
    assert (tmp_path / "a-file").read_text() == "kept"


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    result = linrep.run(config(training={"steps": 5}))
    left = tmp_path / ".partial" / f"{result.key}.abc"
    left.mkdir(parents=True)
    linrep.run(config(training={"steps": 5}), out=tmp_path)
    assert list((tmp_path / ".partial").iterdir()) == []
