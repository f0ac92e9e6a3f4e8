"""``linrep explore``: prints its address, answers, and ends when asked; refuses what cannot be watched."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from linrep.cli import execute


def test_it_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text('world = { kind = "chain", concepts = 4 }\n')
    command = [sys.executable, "-m", "linrep", "explore", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        address = started.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b'"concepts": 4' in answer.read()
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=30)
    assert started.returncode == 0
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == ["my.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('world = { kind = "chain", concepts = 9 }', "at most 8"),
        ('world = { kind = "sparse", concepts = 50 }', "no cube"),
        ("world = 3", "world"),
    ],
)
def test_a_config_that_cannot_be_watched_is_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.toml").write_text(text)
    assert execute(["explore", str(tmp_path / "my.toml")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
