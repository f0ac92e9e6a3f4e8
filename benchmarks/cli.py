"""Commands as whole processes, against an empty Python and one that imports torch."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import options, timing
from benchmarks.records import Row, shown, table
from linrep.laboratory import run as experiment

LINREP = ("-m", "linrep")
COMMANDS: dict[str, tuple[str, ...]] = {
    "python -c pass": ("-c", "pass"),
    "import torch": ("-c", "import torch"),
    "import linrep": ("-c", "import linrep"),
    "linrep --version": (*LINREP, "--version"),
    "linrep --help": (*LINREP, "--help"),
    "linrep run --help": (*LINREP, "run", "--help"),
    "linrep runs": (*LINREP, "runs"),
    "linrep predict --concepts 3": (*LINREP, "predict", "--concepts", "3"),
}
EMPTY = "python -c pass"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=options.positive, default=5, help="rounds; the median is reported")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        small = {"world": {"kind": "chain", "concepts": 3}, "training": {"steps": 10}}
        experiment.run(small, out=Path(folder) / "runs")
        calls = {name: process(command, folder) for name, command in COMMANDS.items()}
        times = timing.medians(calls, given.repeats, seconds=60)
    for name, seconds in times.items():
        yield {"command": name, "seconds": seconds, "command/empty": seconds / times[EMPTY]}


def section(found: list[Row]) -> str:
    """Seconds from the return key to the prompt."""
    lines = [
        [f"`{row['command']}`", shown(row, "seconds", ".2f"), shown(row, "command/empty", ".1f")]
        for row in found
    ]
    return f"""## The command line

Wall time of whole processes, in a folder with one run, in the same rounds as an empty Python.

{table(["command", "seconds", "× empty Python"], lines)}
"""


def process(command: tuple[str, ...], folder: str) -> timing.Call:
    """A Python of its own in a folder."""
    return lambda: subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
