"""Files of numbers to one page: which machine, what was found, what was aimed at."""

import csv
import importlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks import machine, profile, records
from benchmarks.records import Row
from linrep.errors import InputError

TITLE = """# Performance

Written by `python -m benchmarks report`, never by hand. To measure again on your machine:

```console
python -m benchmarks all --output-dir benchmarks/results
python -m benchmarks report benchmarks/results --markdown docs/performance.md --profile benchmarks/README.md
```

The numbers behind this page lie in `benchmarks/results`; the second command alone writes it again from them.

Times are medians over rounds in which everything that is compared takes its turn, so that what else the
machine does falls on all alike; ratios are of those medians. Compare ratios: they travel better than times,
and one a little off, even to a step that is cheaper than its gradient, is noise. What was tried, and what
keeps an aim from being met: `benchmarks/README.md`.
"""


MARKS = ("<!-- profile: written by `python -m benchmarks report` -->\n", "<!-- end of profile -->")


def page(found: Iterable[Row], names: Iterable[str]) -> str:
    """One section for every benchmark that is in the rows, in the order of ``names``."""
    found = list(found)
    sections = [TITLE, _machines(found)]
    for name in names:
        rows = [row for row in found if row["benchmark"] == name]
        if rows:
            sections.append(_section(name, rows))
    return "\n".join(sections)


def with_profile(path: Path, found: Iterable[Row]) -> str:
    """A file's text with the profile that is in the rows between its marks."""
    rows = [row for row in found if row["benchmark"] == "profile"]
    before, begins, rest = path.read_text().partition(MARKS[0]) if path.exists() else ("", "", "")
    _, ends, after = rest.partition(MARKS[1])
    if not (rows and begins and ends):
        lack = "a profile in the files" if not rows else f"the lines {' and '.join(map(str.strip, MARKS))}"
        raise InputError(f"{path}: expected {lack}, got none")
    return before + begins + profile.section(rows) + _machines(rows) + ends + after


def gather(paths: Iterable[Path]) -> list[Row]:
    """The rows of all files, and of all CSV files in folders."""
    files = [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]
    rows = [row for file in files for row in _rows(file)]
    if not rows:
        raise InputError("report: no numbers; name what --output or --output-dir wrote")
    return rows


def _rows(file: Path) -> list[Row]:
    try:
        rows = records.read(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    for column in ("benchmark", *machine.COLUMNS):
        if any(column not in row for row in rows):
            raise InputError(f"{file}: no {column!r} in a row; expected what --output or --output-dir wrote")
    return rows


def _section(name: str, rows: list[Row]) -> str:
    try:
        return importlib.import_module(f"benchmarks.{name}").section(rows)
    except (KeyError, ValueError, TypeError, StopIteration) as error:
        raise InputError(f"{name}: its rows are of another form ({error}); measure again") from None


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
