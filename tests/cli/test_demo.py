"""``linrep demo``: the first impression is a cube, whatever ``demo asia`` shows of a real network."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import linrep
from linrep.cli import app, execute
from linrep.cli import runs as commands
from linrep.laboratory.build import worlds
from linrep.runs.config import Config
from linrep.runs.toml import load


def test_the_demo_is_a_cube_in_every_run(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--quiet"])
    assert ran.exit_code == 0, ran.output
    (folder,) = (entry for entry in tmp_path.iterdir() if not entry.name.startswith("."))
    assert (folder / "page.html").exists()
    final = linrep.open(folder).summary.final
    assert min(value for value in final.linearity["unembedding"].per_run if value is not None) > 0.9
    assert final.linearity["unembedding"].mean > 0.98
    assert final.alignment.mean > 0.98
    assert final.orthogonality["unembedding"].mean_directions.mean < 0.02
    assert max(value for value in final.excess_loss_nats.per_run if value is not None) < 5e-3


def test_another_demo_is_one_line_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["demo", "alarm"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("linrep: error: Invalid value for 'world': 'alarm' is not one of 'cube', 'asia'")
    assert "Value error" not in said


def test_an_option_of_the_wrong_type_is_one_line_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", "--concepts", "many"]) == 2
    assert "expected a valid integer" in capsys.readouterr().err


def test_asia_says_how_long_it_takes_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []

    def noted(config: Path, *_: object, **__: object) -> int:
        seen.append(load(config))
        return 0

    monkeypatch.setattr(commands, "_run", noted)
    ran = CliRunner().invoke(app, ["demo", "asia"])
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.strip() == "asia: 5,103 contexts of 8 concepts, trained to the bottom; a minute or two"
    (config,) = seen
    assert len(worlds(config)[0].codes) == 5103
    assert (config.training.optimizer, config.model.start) == ("newton", "wide")
    assert not CliRunner().invoke(app, ["demo", "asia", "--quiet"]).stderr
    assert not CliRunner().invoke(app, ["demo"]).stderr
