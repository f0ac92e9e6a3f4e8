"""Benchmarks anyone can rerun: each is a file with ``arguments``, ``rows`` and ``section``; none: all."""

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

from benchmarks import machine, records, report
from benchmarks.records import Row
from linrep.machine import keep_freed_memory

BENCHMARKS = ("gradient", "profile", "growth", "training", "sweep", "cli", "lm")


def main(words: list[str]) -> int:
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in BENCHMARKS}
    parser = _parser(modules)
    if not words or words[0].startswith("--o"):
        words = ["all", *words]
    given = parser.parse_args(words)
    keep_freed_memory()  # as linrep does before it trains; the baselines gain as well
    if given.benchmark == "report":
        _write_page(given)
    elif given.benchmark == "all":
        _run_all(parser, modules, given)
    else:
        rows = _run(given.benchmark, modules[given.benchmark], given)
        if given.output and rows:
            records.write(given.output, rows)
    return 0


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    everything = commands.add_parser("all", help="Every benchmark in its standard form; a few minutes.")
    everything.add_argument("--output", metavar="X.csv", help="write every number to this file")
    everything.add_argument("--output-dir", metavar="DIR", help="write one file per benchmark there")
    page = commands.add_parser("report", help="One page from the files of earlier runs.")
    page.add_argument("paths", nargs="+", type=Path, metavar="X.csv|DIR")
    page.add_argument("--markdown", type=Path, metavar="PAGE.md", help="where to; printed if not given")
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0])
        command.add_argument("--output", metavar="X.csv", help="also write every number to this file")
        module.arguments(command)
    return parser


def _run_all(
    parser: argparse.ArgumentParser, modules: dict[str, ModuleType], given: argparse.Namespace
) -> None:
    rows: list[Row] = []
    for name, module in modules.items():
        try:
            found = _run(name, module, parser.parse_args([name]))
        except ImportError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        if given.output_dir:
            Path(given.output_dir).mkdir(parents=True, exist_ok=True)
            records.write(Path(given.output_dir) / f"{name}.csv", found)
        rows += found
    if given.output:
        records.write(given.output, rows)


def _run(name: str, module: ModuleType, given: argparse.Namespace) -> list[Row]:
    """The rows of one benchmark, told as they come; its section at the end."""
    where = machine.description(getattr(given, "device", "cpu"))
    began = time.perf_counter()
    rows: list[Row] = []
    for row in module.rows(given):
        rows.append({"benchmark": name, **row, **where})
        told = ", ".join(f"{key} {_told(value)}" for key, value in row.items())
        print(f"{name}, {time.perf_counter() - began:.0f} s: {told}", file=sys.stderr, flush=True)
    if rows:
        print(module.section(rows), flush=True)
    return rows


def _told(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_page(given: argparse.Namespace) -> None:
    page = report.page(report.gather(given.paths), BENCHMARKS)
    if given.markdown:
        given.markdown.write_text(page)
    else:
        print(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
