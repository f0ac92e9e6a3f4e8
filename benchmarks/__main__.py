"""Benchmarks anyone can rerun: each is a file with ``arguments``, ``rows`` and ``section``; none: all."""

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

from benchmarks import machine, options, records, report
from benchmarks.records import Row
from linrep.errors import InputError
from linrep.files import one_line_errors
from linrep.laboratory.machine import keep_freed_memory

BENCHMARKS = (
    "gradient",
    "profile",
    "growth",
    "training",
    "sweep",
    "many_cells",
    "store",
    "cli",
    "lm",
    "coverage",
    "ruler",
    "finish",
)


def main(words: list[str]) -> int:
    try:
        _answer(words)
    except (InputError, ImportError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _answer(words: list[str]) -> None:
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
        _keep(_run(given.benchmark, modules[given.benchmark], given), given.output)


def _parser(modules: dict[str, ModuleType]) -> options.Parser:
    parser = options.Parser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    everything = commands.add_parser("all", help="Every benchmark in its standard form; a few minutes.")
    everything.add_argument(
        "--output", type=options.target, metavar="X.csv", help="write every number to this file"
    )
    everything.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="write one file per benchmark there"
    )
    page = commands.add_parser("report", help="One page from the files of earlier runs.")
    page.add_argument("paths", nargs="+", type=Path, metavar="X.csv|DIR")
    page.add_argument(
        "--markdown", type=options.target, metavar="PAGE.md", help="where to; printed if not given"
    )
    page.add_argument(
        "--profile", type=options.target, metavar="README.md", help="a file to put the profile into as well"
    )
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0])
        command.add_argument(
            "--output", type=options.target, metavar="X.csv", help="also write every number to this file"
        )
        module.arguments(command)
    return parser


def _run_all(parser: options.Parser, modules: dict[str, ModuleType], given: argparse.Namespace) -> None:
    rows: list[Row] = []
    if given.output_dir:
        with one_line_errors(given.output_dir):
            given.output_dir.mkdir(parents=True, exist_ok=True)
    for name, module in modules.items():
        try:
            found = _run(name, module, parser.parse_args([name]))
        except ImportError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        _keep(found, given.output_dir and given.output_dir / f"{name}.csv")
        rows += found
    _keep(rows, given.output)


def _keep(rows: list[Row], path: Path | None) -> None:
    if path is not None and rows:
        with one_line_errors(path):
            records.write(path, rows)


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
    rows = report.gather(given.paths)
    page = report.page(rows, BENCHMARKS)
    if given.profile:
        readme = report.with_profile(given.profile, rows)
        given.profile.write_text(readme)
    if given.markdown:
        given.markdown.write_text(page)
    elif not given.profile:
        print(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
