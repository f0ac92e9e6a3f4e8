"""Without a terminal a long sweep says now and then how far it is; a quiet one never does."""

import re
from pathlib import Path

import pytest

from linrep import progress
from linrep.cli import execute

SWEEP = """
[base]
runs = 2
world = { kind = "chain", concepts = 2 }
training = { steps = 4, snapshots = 2, step_size = 0.5, optimizer = "gd" }
measure = { bootstrap = 100, null_draws = 2 }
compute = { threads = 1 }

[axes]
"model.dim" = [2, 3]
"""


def said(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    path = tmp_path / "s.toml"
    path.write_text(SWEEP)
    assert execute(["sweep", str(path), "--out", str(tmp_path / "out"), *words]) == 0
    return capsys.readouterr().err.splitlines()


def test_lines_say_how_many_cells_are_done_and_the_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINES_SECONDS", 0.0)
    lines = said(tmp_path, capsys)
    assert re.match(r"0 of 2 cells done, \S+ left; cells of s: 0/2, ", lines[0])
    assert lines[-1].startswith("2 of 2 cells done, 0:00 left")


def test_quiet_is_quiet_and_a_short_sweep_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(tmp_path, capsys) == []
    monkeypatch.setattr(progress, "LINES_SECONDS", 0.0)
    assert said(tmp_path, capsys, "--quiet") == []
