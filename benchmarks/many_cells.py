"""A sweep of thousands of cells: one beyond its training, and a report of finished ones."""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cli, options, timing
from benchmarks.records import Row, aim, shown, table
from benchmarks.sweep import THREADS, bare
from linrep.laboratory import run as experiment
from linrep.runs.store import CONFIG, PROVENANCE, RESULT
from linrep.sweeps.file import load_sweep
from linrep.sweeps.grid import Cell, cells
from linrep.sweeps.sweep import run_cells

TINY = """
[base]
runs = 2
world = {{ kind = "chain", concepts = 2 }}
training = {{ steps = 5 }}
compute = {{ threads = {threads} }}
[axes]
"model.dim" = [1, 2]
seed = {seeds}
"""
TRAINED, REPORT, NAIVE = (
    "a tiny cell, beyond its training",
    "`linrep sweep`, every cell finished",
    "a loop with json and pandas: mean linearity of each cell, to CSV",
)
SCRIPT = """
import json, pathlib
import pandas as pd
rows = []
for path in sorted(pathlib.Path("out").glob("[!.]*/config.json")):
    config, folder = json.loads(path.read_text()), path.parent
    trace = pd.read_parquet(folder / "trace.parquet")
    last = trace[(trace["step"] == trace["step"].max()) & (trace["concept"] == "")]
    last = last[last["kind"] == "value"]
    means = last.groupby(["measure", "table"])["value"].mean()
    rows += [(config["model"]["dim"], config["seed"], *at, value) for at, value in means.items()]
pd.DataFrame(rows).to_csv("naive.csv", index=False)
"""
"""What one would write for a table alone: no interval, no null, no figure, no hash compared."""
COMMANDS: dict[str, tuple[str, ...]] = {
    NAIVE: ("-c", SCRIPT),
    REPORT: (*cli.LINREP, "sweep", "cells.toml", "--out", "out", "--quiet"),
}
AIM_SECONDS, AIM_MEGABYTES, AIM_BEYOND = 10.0, 500.0, 0.05


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cells", type=options.positive, default=2000, help="finished, to be reported")
    parser.add_argument("--trained", type=options.positive, default=40, help="cells that are trained")
    parser.add_argument("--repeats", type=options.positive, default=3, help="rounds; the median is reported")


def rows(given: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield {"cells": given.trained, "way": TRAINED, "seconds": _beyond(folder, given.trained)}
        grid = grid_of(folder / "cells.toml", given.cells)
        fill(folder / "out", grid)
        calls: dict[str, timing.Call] = {way: cli.process(words, name) for way, words in COMMANDS.items()}
        times = timing.medians(calls, given.repeats, seconds=120)
        peaks = {way: _peak(words, name) for way, words in COMMANDS.items()}
    for way, seconds in times.items():
        row: Row = {"cells": given.cells, "way": way, "seconds": seconds, "megabytes": peaks[way]}
        yield row | {"way/naive": seconds / times[NAIVE]}


def section(found: list[Row]) -> str:
    """Seconds and memory, and whether that is little enough."""
    finished = {str(row["way"]): row for row in found}
    lines = [
        [
            str(row["way"]),
            f"{int(row['cells']):,}",
            shown(row, "seconds", ".3f"),
            shown(row, "megabytes", ".0f"),
            shown(row, "way/naive", ".1f"),
        ]
        for row in found
    ]
    report, trained = finished[REPORT], finished[TRAINED]
    aims = [
        aim("seconds to report 2,000 finished cells", [float(report["seconds"])], at_most=AIM_SECONDS),
        aim("megabytes at most meanwhile", [float(report["megabytes"])], at_most=AIM_MEGABYTES),
        aim("seconds of a tiny cell beyond its training", [float(trained["seconds"])], at_most=AIM_BEYOND),
    ]
    heads = ["what", "cells", "seconds", "megabytes", "× loop"]
    return f"""## A sweep of thousands of cells

Cells of two runs of five steps, two concepts. *beyond its training*: of one cell in a sweep, measured,
written and read back, less the time that building its world and training it take by themselves. *every cell
finished*: the whole process, imports included, from a folder of copies of two runs under other seeds, to the
table, the page and the answer; every file is held against its hash. Megabytes: the most that were in memory.

{table(heads, lines)}

{chr(10).join(aims)}
"""


def fill(root: Path, grid: tuple[Cell, ...]) -> None:
    """A finished run for every cell: a real one of its width, under the cell's config and key."""
    with tempfile.TemporaryDirectory() as place:
        originals: dict[int | None, Path] = {}
        for cell in grid:
            dim = cell.config.model.dim
            if dim not in originals:
                run = experiment.run(cell.config, out=place).folder
                assert run is not None
                originals[dim] = run
            _copy(originals[dim], root / cell.key, cell)


def _copy(original: Path, folder: Path, cell: Cell) -> None:
    shutil.copytree(original, folder)
    result, provenance = (json.loads((original / name).read_text()) for name in (RESULT, PROVENANCE))
    result["run"] = cell.key
    files = {
        name: json.dumps(each).encode()
        for name, each in ((CONFIG, cell.config.model_dump(mode="json")), (RESULT, result))
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    provenance |= {"seed": cell.config.seed, "sha256": provenance["sha256"] | hashes}
    for name, content in {**files, PROVENANCE: json.dumps(provenance).encode()}.items():
        (folder / name).write_bytes(content)


def grid_of(path: Path, number: int) -> tuple[Cell, ...]:
    path.write_text(TINY.format(threads=THREADS, seeds=list(range(-(-number // 2)))))
    return cells(load_sweep(path))[:number]


def _beyond(folder: Path, number: int) -> float:
    """Seconds a cell, over those of building and training it."""
    grid = grid_of(folder / "trained.toml", number)
    for outcome in run_cells(grid[:2], out=folder / "warm"):
        assert outcome.finished is not None, outcome.error
    began = time.perf_counter()
    for outcome in run_cells(grid, out=folder / "trained"):
        assert outcome.finished is not None, outcome.error
    swept = time.perf_counter()
    for cell in grid:
        bare(cell.config)
    return (swept - began - (time.perf_counter() - swept)) / number


def _peak(command: tuple[str, ...], folder: str) -> float:
    """The most memory that a process has, in megabytes."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    words = [sys.executable, "-c", script, sys.executable, *command]
    told = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout
    return int(told) * (1 if sys.platform == "darwin" else 1024) / 1e6
