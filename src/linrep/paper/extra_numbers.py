"""An experiment's extra numbers of a run, kept beside the run: what was solved once is read again."""

import hashlib
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import linrep
from linrep.files import one_line_errors, write_file
from linrep.paper.record import Experiment
from linrep.runs.result import Result
from linrep.sweeps.numbers import Row

FOLDER = ".extra"
"""Among the runs, whose names never begin with a dot."""
KINDS = (int, int, str, str, str, float)
"""Of what a row holds, in order."""


def extra_rows(study: Experiment, result: Result, runs: Path) -> list[Row]:
    """The extra numbers of a run, from the file they were kept in, else measured and kept.

    Args:
        study: Its ``extra`` measures them; without it there are none.
        result: Of the run.
        runs: Folder of runs.

    Returns:
        The rows, bit-equal whether kept or measured. A file that is damaged, or that comes from other tables
        or another definition of the experiment, is measured again and replaced.
    """
    if study.extra is None:
        return []
    path = runs / FOLDER / f"{result.key}.{study.name}.json"
    source = _source(study, result)
    kept = _kept(path, source)
    if kept is not None:
        return kept
    rows = [(int(step), int(run), *words, float(value)) for step, run, *words, value in study.extra(result)]
    content = {"source": source, "rows": rows, "check": _check(rows)}
    with one_line_errors(runs):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(content).encode())
    return rows  # pyright: ignore[reportReturnType] - the three words in the middle


def _source(study: Experiment, result: Result) -> str:
    """Hash of what the rows follow from: the run's tables, this version, the code of what measures them."""
    running = hashlib.sha256(linrep.__version__.encode())
    for name in _modules(sys.modules[study.extra.__module__]):
        running.update(inspect.getsource(sys.modules[name]).encode())
    for table in (result.embedding, result.unembedding, result.snapshots):
        running.update(table.contiguous().view(torch.uint8).numpy().tobytes())
    return running.hexdigest()


def _modules(module: ModuleType) -> list[str]:
    """A module, and those of this package that what it names comes from."""
    named = {str(getattr(value, "__module__", "")) for value in vars(module).values()}
    return sorted({module.__name__, *(name for name in named if name.startswith("linrep."))})


def _kept(path: Path, source: str) -> list[Row] | None:
    """What a file holds; None if it is not there, not whole, or not of this source."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if content["source"] != source or content["check"] != _check(content["rows"]):
            return None
        rows = [tuple(row) for row in content["rows"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = all(len(row) == len(KINDS) and all(map(isinstance, row, KINDS)) for row in rows)
    return rows if whole else None  # pyright: ignore[reportReturnType] - just checked


def _check(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
