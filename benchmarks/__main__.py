"""One command per benchmark; each lives in a file of its own with ``arguments`` and ``rows``."""

import argparse
import csv
import importlib
import sys

BENCHMARKS = ("gradient", "lm")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True)
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in BENCHMARKS}
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.__doc__.splitlines()[0])
        command.add_argument("--output", metavar="X.csv", help="also write every number to this file")
        module.arguments(command)
    given = parser.parse_args()
    rows = list(modules[given.benchmark].rows(given))
    if given.output and rows:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with open(given.output, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    sys.exit(0)


if __name__ == "__main__":
    main()
