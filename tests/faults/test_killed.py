"""Killed without warning and run again, ``linrep reproduce`` ends where it would have ended anyway."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "small_reproduce.py"
PATIENCE = 120.0


def begun(folder: Path) -> "subprocess.Popen[bytes]":
    """The command at work in a folder, past its imports."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen([sys.executable, str(SCRIPT)], cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def finished(folder: Path) -> float:
    """Seconds to the end."""
    process, start = begun(folder), time.monotonic()
    assert process.wait(PATIENCE) == 0
    return time.monotonic() - start


def killed(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the kill came before the end."""
    process.kill()
    return process.wait(PATIENCE) == -signal.SIGKILL


def checkpoints(folder: Path) -> list[Path]:
    return list((folder / "out" / "runs" / ".partial").glob("*/checkpoint.safetensors"))


def results(folder: Path) -> dict[str, Any]:
    """All that was found, without the seconds that it took."""
    out = folder / "out"
    found: dict[str, Any] = {path.name: path.read_bytes() for path in out.glob("*.csv")}
    found |= {path.name: json.loads(path.read_text()) | {"seconds": 0} for path in out.glob("*.json")}
    found |= {f"{path.parent.name}": path.read_bytes() for path in out.glob("runs/*/tables.safetensors")}
    index = (out / "index.html").read_text()
    found["index"], masked = re.subn(r"<td>[\d,]+</td>(</tr>)", r"\1", index)
    assert masked == 1, "the seconds of the one experiment"
    return found


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_one_never_stopped(tmp_path: Path) -> None:
    never, often = tmp_path / "never", tmp_path / "often"
    seconds = finished(never)
    process = begun(often)
    until = time.monotonic() + PATIENCE
    while not checkpoints(often) and time.monotonic() < until:
        time.sleep(0.005)
    assert killed(process)
    assert checkpoints(often), "killed in the middle of training"
    draw = random.Random(0)
    for _ in range(3):
        process = begun(often)
        time.sleep(draw.uniform(0, 0.6 * seconds))
        killed(process)
    finished(often)
    assert results(often) == results(never)
    assert not checkpoints(often)
