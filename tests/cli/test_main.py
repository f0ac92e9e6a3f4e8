"""The command line: exit codes, one line an error, nothing written on bad input, JSON alone on stdout."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text

from linrep.cli import app, execute

CONFIG = """
runs = 2
[world]
kind = "random"
concepts = 3
[training]
step_size = 0.5
steps = 40
snapshots = 4
[compute]
threads = 1
[measure]
bootstrap = 100
null_draws = 2
"""

BIF = """network broken {{}}
variable a {{ type discrete [ {states} ] {{ {names} }}; }}
probability ( a ) {{ table {table}; }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return path


def linrep(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = execute([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_run_prints_one_json_object(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    code, stdout, _ = linrep(capsys, "run", config, "--json", "--out", out, "--no-page")
    assert code == 0
    found = json.loads(stdout)
    assert set(found) >= {
        "run",
        "concepts",
        "counts",
        "final",
        "margin",
        "gauge_imbalance",
        "spectrum",
        "ended",
    }
    assert set(found["counts"]) >= {"contexts", "tokens", "dropped_contexts"}
    final = found["final"]
    assert set(final) == {
        "step",
        "excess_loss_nats",
        "linearity",
        "alignment",
        "orthogonality",
        "log_odds_gap_nats",
        "additive_share",
    }
    assert set(final["excess_loss_nats"]) >= {"median", "per_run"}
    assert set(final["log_odds_gap_nats"]) >= {"rmse", "max"}
    similarities: list[dict[str, Any]] = [final["alignment"]]
    for side in ("embedding", "unembedding"):
        orthogonality = final["orthogonality"][side]
        similarities += [final["linearity"][side], final["additive_share"][side]]
        similarities += [orthogonality["mean_directions"], orthogonality["rms"]]
    for record in similarities:
        assert set(record) >= {"mean", "median", "interval95", "null", "pairs", "per_concept", "per_run"}
        assert set(record["null"]) == {"mean", "q95", "kind"}
        assert list(record["per_concept"]) == ["C1", "C2", "C3"]
        assert len(record["per_run"]) == 2


def test_runs_and_report(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    assert linrep(capsys, "run", config, "--out", out, "--quiet", "--no-page")[0] == 0
    code, stdout, _ = linrep(capsys, "runs", "--out", out, "--json")
    (entry,) = json.loads(stdout)
    assert code == 0
    code, stdout, _ = linrep(capsys, "runs", "--out", out)
    assert code == 0
    assert entry["run"] in stdout
    figures = tmp_path / "figures"
    short = entry["run"].rpartition("-")[2][:6]
    code, stdout, _ = linrep(capsys, "report", short, "--out", out, "--figures", figures)
    assert code == 0
    assert (out / entry["run"] / "page.html").stat().st_size > 10_000
    assert {path.suffix for path in figures.iterdir()} == {".pdf", ".svg", ".png"}


def test_init_writes_a_config_that_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    assert linrep(capsys, "init", path)[0] == 0
    shortened = ("training.steps=10", "runs=1", "compute.threads=1", "measure.bootstrap=100")
    overrides = [part for each in shortened for part in ("--set", each)]
    out = tmp_path / "runs"
    assert linrep(capsys, "run", path, "--out", out, "--quiet", "--no-page", *overrides)[0] == 0
    code, _, err = linrep(capsys, "init", path)
    assert (code, "exists already" in err) == (2, True)


def bif(tmp_path: Path, states: int, names: str, table: str) -> str:
    path = tmp_path / "x.bif"
    path.write_text(BIF.format(states=states, names=names, table=table))
    return f'world={{kind="network", network="{path}"}}'


BAD: dict[str, tuple[list[str], str]] = {
    "unknown key": (["training.stepz=3"], "did you mean 'training.steps'?"),
    "wrong type": (["training.steps='many'"], "valid integer, got 'many'"),
    "dim 0": (["model.dim=0"], "model.dim"),
    "missing network": (['world={kind="network", network="nowhere.bif"}'], "nowhere.bif"),
    "too large": (["world.concepts=30"], "bytes"),
    "empty contexts": (['contexts={kind="list", contexts=[]}'], "contexts"),
    "impossible contexts": (
        [
            'world={kind="network", network="asia"}',
            'contexts={kind="list", contexts=["lung=yes either=no"]}',
        ],
        "occur",
    ),
    "token without support": (
        ['world={kind="network", network="asia"}', 'tokens={kind="list", tokens=["00000100"]}'],
        "token",
    ),
    "row sum": (
        ['world={kind="tables", variables=[{name="rain", table=[[0.5, 0.6]]}]}'],
        "rain",
    ),
    "cycle": (
        [
            'world={kind="tables", variables=['
            '{name="a", parents=["b"], table=[[0.5, 0.5], [0.5, 0.5]]}, '
            '{name="b", parents=["a"], table=[[0.5, 0.5], [0.5, 0.5]]}]}'
        ],
        "cycl",
    ),
    "no such device": (["compute.device='abacus'"], "compute.device"),
    "one state": (
        ['world={kind="tables", variables=[{name="x", states=["a"], table=[[1.0]]}]}'],
        "'x'",
    ),
    "optimizer of a wrong type": (["training.optimizer=[1]"], "training.optimizer"),
    "overflowing step size": (["training.step_size=1e300"], "training.step_size"),
    "no room": (["training.batch_size=1000000000000000"], "training.batch_size"),
    "wide beyond reason": (["model.dim=10000000000"], "model.dim"),
    "too many runs": (["runs=1000000000000"], "runs"),
    "a device without numbers": (["compute.device='meta'"], "compute.device"),
    "many concepts": (["world.concepts=100000"], "world.concepts"),
    "deep nesting": (["a=" + "[" * 5000], "nested too deeply"),
    "known bounds": (['contexts={kind="known", at_least=3, at_most=2}'], "at_least"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(
    name: str, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    overrides, message = BAD[name]
    arguments = [part for each in overrides for part in ("--set", each)]
    code, stdout, err = linrep(capsys, "run", config, "--out", tmp_path / "runs", *arguments)
    assert code == 2
    assert stdout == ""
    assert err.startswith("linrep: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("states", "names", "table", "message"),
    [(3, "x, y, z", "0.2, 0.3, 0.4", "'a'"), (2, "x, y", "0.2, 0.3", "a"), (2, "x, y", "junk", "a")],
)
def test_bad_bif_names_the_variable(
    states: int,
    names: str,
    table: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    config: Path,
    tmp_path: Path,
) -> None:
    override = bif(tmp_path, states, names, table)
    code, _, err = linrep(capsys, "run", config, "--out", tmp_path / "runs", "--set", override)
    assert code == 2
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_usage_errors_and_missing_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert linrep(capsys, "run", tmp_path / "none.toml")[0] == 2
    assert linrep(capsys, "run")[0] == 2
    assert linrep(capsys, "no-such-command")[0] == 2
    assert linrep(capsys, "report", "none", "--out", tmp_path)[0] == 2


def test_no_runs_is_no_mistake_but_no_folder_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, stdout, err = linrep(capsys, "runs", "--out", tmp_path)
    assert (code, stdout, "no runs in" in err) == (0, "", True)
    code, stdout, err = linrep(capsys, "runs", "--out", tmp_path / "none", "--json")
    assert (code, stdout, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path / 'none'}: no such folder; " in err


def test_a_sweep_given_to_run_is_sent_to_the_other_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[base]\nworld = { kind = "chain", concepts = 2 }\n[axes]\nseed = [1, 2]\n')
    code, stdout, err = linrep(capsys, "run", path, "--out", tmp_path / "runs")
    assert (code, stdout, err.count("\n")) == (2, "", 1)
    assert err.endswith(f"{path}: expected the config of a run, got a sweep; `linrep sweep {path}` runs it\n")
    assert not (tmp_path / "runs").exists()


def test_a_damaged_run_is_one_line_and_is_trained_again_by_force(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    command = ("run", config, "--out", tmp_path / "runs", "--no-page", "--quiet")
    assert linrep(capsys, *command)[0] == 0
    (result,) = (tmp_path / "runs").glob("*/result.json")
    good = result.read_bytes()
    result.write_bytes(good[:100])
    code, _, err = linrep(capsys, *command)
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("result.json: damaged, its hash is not the one recorded; run again with --force\n")
    assert linrep(capsys, *command, "--force")[0] == 0
    assert result.read_bytes() == good


def test_divergence_exits_1(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    overrides = ["training.optimizer=gd", "training.step_size=1e30", "model.init_scale=1e15"]
    arguments = [part for each in overrides for part in ("--set", each)]
    code, _, err = linrep(capsys, "run", config, "--out", tmp_path / "runs", *arguments)
    assert code == 1
    assert err.count("\n") == 1
    assert "step size 1e+30" in err


def test_version_and_module() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "linrep", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("linrep 0.")


def described(command: Any, name: str = "linrep") -> Iterator[tuple[str, str]]:
    """Every text that help shows of a command and those below it, by where it stands."""
    yield name, command.help or ""
    for each in command.params:
        yield f"{name} {each.name}", getattr(each, "help", None) or ""
    for below, inner in getattr(command, "commands", {}).items():
        yield from described(inner, f"{name} {below}")


def test_square_brackets_in_help_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for where, text in described(typer.main.get_command(app)):
        assert Text.from_markup(text).plain == text.replace("\\[", "["), where
    assert "[quick]" in linrep(capsys, "sweep", "--help")[1]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from linrep.cli import execute; execute(['--help']);"
        "heavy = {'torch', 'numpy', 'pandas', 'plotly', 'matplotlib', 'transformers', 'cvxpy', 'pgmpy'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"


def test_a_backend_of_a_notebook_that_is_not_installed_here_is_no_matter() -> None:
    """As where a cell says ``!linrep report …`` and linrep lives in another environment than the notebook."""
    code = (
        "import contextlib, sys\n"
        "from linrep.cli import main\n"
        "sys.argv = ['linrep', '--version']\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "import matplotlib\n"
        "print(matplotlib.get_backend(auto_select=False))\n"
    )
    named = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    ran = subprocess.run([sys.executable, "-c", code], env=named, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "None"
