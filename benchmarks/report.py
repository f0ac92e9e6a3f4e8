"""Files of numbers to one page: which machine, what was found, what was aimed at."""

import importlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks import machine, records
from benchmarks.records import Row

TITLE = """# Performance

Written by `python -m benchmarks report`, never by hand. To measure again on your machine:

```console
python -m benchmarks all --output-dir DIR
python -m benchmarks report DIR --markdown docs/performance.md
```

Times are medians over rounds in which everything that is compared takes its turn, so that what else the
machine does falls on all alike; ratios are of those medians. Compare ratios: they travel better than times,
and one a little off, even to a step that is cheaper than its gradient, is noise. What was tried, and what
keeps an aim from being met: `benchmarks/README.md`.
"""


def page(found: Iterable[Row], names: Iterable[str]) -> str:
    """One section for every benchmark that is in the rows, in the order of ``names``."""
    found = list(found)
    sections = [TITLE, _machines(found)]
    for name in names:
        rows = [row for row in found if row["benchmark"] == name]
        if rows:
            sections.append(importlib.import_module(f"benchmarks.{name}").section(rows))
    return "\n".join(sections)


def gather(paths: Iterable[Path]) -> list[Row]:
    """The rows of all files, and of all CSV files in folders."""
    files = [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    return [row for file in files for row in records.read(file)]


def _machines(found: list[Row]) -> str:
    """Every machine and state of the code that any row comes from; one line where there is only one."""
    kinds: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        kinds.setdefault(
            tuple(row.get(column, "") for column in machine.COLUMNS if column != "load"), []
        ).append(row)
    lines = [_machine(rows) for rows in kinds.values()]
    warning = "\nMeasured in parts that differ in machine, device or commit:\n" if len(lines) > 1 else ""
    return f"{warning}\n" + "\n".join(lines) + "\n"


def _machine(rows: list[Row]) -> str:
    row = rows[0]
    which = ", ".join(dict.fromkeys(str(each["benchmark"]) for each in rows))
    loads = sorted({float(each["load"]) for each in rows})
    load = f"{loads[0]:g}" if len(loads) == 1 else f"{loads[0]:g} to {loads[-1]:g}"
    return (
        f"- {which}: {row['processor']}, {row['cores']} cores, {row['threads']} threads, "
        f"device {row['device']}; PyTorch {row['torch_version']}, JAX {row['jax_version']}, "
        f"Python {row['python']}; commit {row['commit']}, {row['date']}; load average before it began {load}."
    )
