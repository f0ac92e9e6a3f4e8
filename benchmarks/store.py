"""A folder of many runs: listed, filtered, written and drawn, against a loop over its files."""

import argparse
import hashlib
import json
import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import cli, options, timing
from benchmarks.records import Row, shown, table
from linrep.laboratory import run as experiment
from linrep.runs.index import INDEX
from linrep.runs.keys import key_of
from linrep.runs.store import CONFIG, PROVENANCE, RESULT

SMALL = {"runs": 4, "world": {"kind": "chain", "concepts": 3}, "training": {"steps": 10}}
RUNS = (*cli.LINREP, "runs")
CHOSEN = (
    *("--where", "world.concepts >= 5 and final.linearity.unembedding.median < 0.9"),
    *("--sort", "final.linearity.unembedding.median"),
)
SCRIPT = """
import json, pathlib
import pandas as pd
rows = [
    json.loads((folder / "config.json").read_text()) | json.loads((folder / "result.json").read_text())
    for folder in sorted(pathlib.Path("runs").glob("[!.]*"))
]
table = pd.json_normalize(rows)
linearity = "final.linearity.unembedding.median"
chosen = table[(table["world.concepts"] >= 5) & (table[linearity] < 0.9)].sort_values(linearity)
chosen.to_csv("naive.csv", index=False)
"""
"""What one would write for the same question."""
FIRST, NAIVE = "`linrep runs`, the first time", "a loop with json and pandas: filtered, sorted, to CSV"
COMMANDS: dict[str, tuple[str, ...]] = {
    FIRST: RUNS,
    "`linrep runs`": RUNS,
    "`linrep runs --where … --sort …`": (*RUNS, *CHOSEN),
    "`linrep runs --where … --sort … --csv X.csv`": (*RUNS, *CHOSEN, "--csv", "chosen.csv"),
    "`linrep runs --csv X.csv`": (*RUNS, "--csv", "all.csv"),
    "`linrep runs --page X.html`": (*RUNS, "--page", "all.html"),
    NAIVE: ("-c", SCRIPT),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=options.positive, default=10_000, help="in the folder")
    parser.add_argument("--repeats", type=options.positive, default=3, help="rounds; the median is reported")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "runs", given.runs)
        calls: dict[str, timing.Call] = {
            name: cli.process(command, folder) for name, command in COMMANDS.items()
        }
        calls[FIRST] = partial(_without_index, Path(folder) / "runs", calls[FIRST])
        times = timing.medians(calls, given.repeats, seconds=60)
    for name, seconds in times.items():
        yield {
            "runs": given.runs,
            "command": name,
            "seconds": seconds,
            "naive/command": times[NAIVE] / seconds,
        }


def section(found: list[Row]) -> str:
    """Seconds of each command, and how many times as long the loop takes."""
    lines = [
        [
            str(row["command"]),
            shown(row, "seconds", ".2f"),
            shown(row, "naive/command", ".1f"),
        ]
        for row in found
    ]
    return f"""## A folder of {int(found[0]["runs"]):,} runs

Copies of one real run whose seed, number of concepts, linearity, key and hashes are changed. Whole processes,
starting Python included. *the first time*: before there is an index, so every file is read and checked
against its hash; later only names and dates are looked at. *--where … --sort …*: by concepts and linearity,
as in the loop, which reads every result and checks none.

{table(["command", "seconds", "loop/command"], lines)}
"""


def fill(root: Path, number: int) -> None:
    """As many folders with what a listing reads of a run: its config, its result, and their hashes."""
    with tempfile.TemporaryDirectory() as place:
        original = experiment.run(SMALL, out=place).folder
        assert original is not None
        config, result, provenance = (
            json.loads((original / name).read_text()) for name in (CONFIG, RESULT, PROVENANCE)
        )
    draw = random.Random(0)
    for seed in range(number):
        config["seed"], config["world"]["concepts"] = seed, 3 + seed % 6
        result["run"] = key_of(config, None)
        result["final"]["linearity"]["unembedding"]["median"] = draw.uniform(0.5, 1.0)
        files = {name: json.dumps(each).encode() for name, each in ((CONFIG, config), (RESULT, result))}
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        provenance |= {"seed": seed, "sha256": provenance["sha256"] | hashes}
        files[PROVENANCE] = json.dumps(provenance).encode()
        folder = root / result["run"]
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)


def _without_index(root: Path, call: timing.Call) -> None:
    (root / INDEX).unlink(missing_ok=True)
    call()
