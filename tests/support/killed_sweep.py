"""A sweep of thousands of cells, killed at random moments, resumed, and compared with one never stopped.

Not among the tests, as it takes minutes: ``python -m tests.support.killed_sweep --cells 2000 --kills 20``.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from linrep.runs.store import PARTIAL, PROVENANCE, Store

CELLS = """
[base]
runs = 1
world = {{ kind = "chain", concepts = 2 }}
training = {{ steps = 20, snapshots = 2, step_size = 0.5, optimizer = "gd" }}
measure = {{ bootstrap = 100, null_draws = 2 }}
compute = {{ threads = 1 }}
[axes]
"model.dim" = [1, 2]
seed = {seeds}
"""


def main(words: Sequence[str]) -> int:
    """Tell what is different; nothing is expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cells.toml").write_text(CELLS.format(seeds=list(range(given.cells // 2))))
        began = time.monotonic()
        assert _sweep(folder, "never").wait() == 0
        seconds = time.monotonic() - began
        _say(f"never stopped: {seconds:.0f} s")
        killed = sum(_killed(folder, draw, seconds / given.kills, at) for at in range(given.kills))
        assert _sweep(folder, "often").wait() == 0
        found = differences(folder / "never", folder / "often")
    _say(f"{given.cells} cells, killed {killed} times: {'; '.join(found) or 'the same to the bit'}")
    return 1 if found or not killed else 0


def differences(never: Path, often: Path) -> list[str]:
    """What one folder of runs has and another has not."""
    runs = Store(never).finished()
    found = [] if Store(often).finished() == runs else ["other runs"]
    names = [f"{run}/{path.name}" for run in runs for path in (never / run).iterdir()]
    found += [
        name
        for name in (*names, "cells.csv")
        if not name.endswith(PROVENANCE) and (never / name).read_bytes() != (often / name).read_bytes()
    ]
    left = [*(often / PARTIAL).iterdir(), *often.rglob("*.tmp")]
    return [*found, *(f"{path.relative_to(often)} was left" for path in left)]


def _killed(folder: Path, draw: random.Random, seconds: float, number: int) -> bool:
    """Go on for a while, here or on workers; whether the kill came before the end."""
    process = _sweep(folder, "often", *(["--workers", "2"] if number % 2 else []))
    before = len(Store(folder / "often").finished())
    until = time.monotonic() + 60
    while len(Store(folder / "often").finished()) == before and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(draw.uniform(0, seconds))
    process.kill()
    killed = process.wait() == -signal.SIGKILL
    _say(f"kill {number + 1}: {len(Store(folder / 'often').finished())} finished")
    return killed


def _sweep(folder: Path, out: str, *more: str) -> "subprocess.Popen[bytes]":
    words = (sys.executable, "-m", "linrep", "sweep", "cells.toml", "--out", out, "--quiet", *more)
    return subprocess.Popen(words, cwd=folder)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
