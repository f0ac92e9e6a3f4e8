"""``linrep sweep`` and ``linrep reproduce``: grids of runs, and the paper's experiments."""

import contextlib
import shlex
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, print_json
from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.paper.report import Report
    from linrep.sweeps.engines import Engine
    from linrep.sweeps.grid import Cell


class Form(StrEnum):
    """What figures can be saved as."""

    PDF = "pdf"
    SVG = "svg"
    PNG = "png"


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No table of progress, no words.")]
Figures = Annotated[
    Path | None, typer.Option("--figures", metavar="DIR", help="Also write every figure for a paper here.")
]
Format = Annotated[
    list[Form] | None, typer.Option("--format", help="Of figures; may be repeated. By default all.")
]
Where = Annotated[
    str | None,
    typer.Option(
        "--executor", metavar="processes|dask|slurm", help="Run cells at once, on workers of this kind."
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="How many; by default as many as fill the cores.")
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="Use the workers of a running Dask scheduler."),
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="KEY=VALUE",
        help="Of a SLURM job: queue, account, walltime, memory, cores, interface, directive, prologue.",
    ),
]
Retry = Annotated[bool, typer.Option("--retry", help="Train again what diverged or is damaged.")]


WIDEST = 10_000
"""Characters across of a table without a screen."""


def register(app: typer.Typer) -> None:
    """Add the commands of sweeps."""
    for command in (sweep, reproduce):
        app.command()(command)


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.toml", help="A base config and the axes it varies.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of runs, of the table and of the page.")] = Path(
        "runs"
    ),
    quick: Annotated[bool, typer.Option("--quick", help=r"Apply the file's \[quick] table.")] = False,
    figures: Figures = None,
    formats: Format = None,
    executor: Where = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
    retry: Retry = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run every cell of a grid. Finished cells are found again, interrupted ones go on."""
    from linrep.cli.live import live_table
    from linrep.paper.report import save_figures, write
    from linrep.paper.reproduce import reports
    from linrep.paper.user_sweep import user_experiment
    from linrep.progress import stop_on_signal
    from linrep.sweeps.engines import engine
    from linrep.sweeps.file import load_sweep
    from linrep.sweeps.grid import cells

    read = load_sweep(file, quick=quick)
    chosen = engine(executor, workers=workers, scheduler=scheduler, slurm=slurm or ())
    words = ["linrep", "sweep", str(file), "--out", str(out), *(["--quick"] if quick else [])]
    given = {"--executor": executor, "--workers": workers, "--scheduler": scheduler}
    # Without compute.threads the number of workers is part of what a cell is.
    words += [word for name, value in given.items() if value is not None for word in (name, str(value))]
    command = shlex.join([*words, *(word for each in slurm or () for word in ("--slurm", each))])
    grid = cells(read, threads=None if chosen is None else chosen.share)
    plan = (user_experiment(read.name), read, grid, command)
    with stop_on_signal() as stop, _workers(chosen, grid, out) as pool, live_table(quiet) as watch:
        (report,) = reports([plan], out, watch=watch, stop=stop, executor=pool, retry=retry)
    page = write(report, out)
    if figures is not None:
        save_figures(report, figures, formats or ())
    if as_json:
        record = report.record() | {
            "folder": str(out),
            "results": [
                {"cell": dict(each.cell.coordinates), "run": each.cell.key, "error": each.error or None}
                for each in report.outcomes
            ],
        }
        print_json(record)
    elif not quiet:
        _show_table(report)
        if report.stuck:
            typer.echo(report.stuck)
        typer.echo(f"table {page.with_suffix('.csv').resolve()}")
        typer.echo(f"page  {page.resolve()}")
    return _complain_of_failed([report])


def reproduce(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Experiments by name.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every experiment.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Smaller and shorter: minutes for the whole set.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for runs, tables and pages.")] = Path(
        "reproduced"
    ),
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="Also write every table into a Markdown file."),
    ] = None,
    figures: Figures = None,
    formats: Format = None,
    executor: Where = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    slurm: Slurm = None,
    retry: Retry = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Run the paper's experiments, and those beyond it: one page each, and an index. Resumable."""
    from linrep.cli.live import live_table
    from linrep.files import one_line_errors, write_file
    from linrep.paper import NAMES
    from linrep.paper.report import save_figures, write, write_index
    from linrep.paper.reproduce import plan, reports
    from linrep.paper.results_file import results_text
    from linrep.progress import stop_on_signal
    from linrep.sweeps.engines import engine

    if not names and not all_:
        raise InputError(f"reproduce: name experiments or give --all; there are {', '.join(NAMES)}")
    chosen = engine(executor, workers=workers, scheduler=scheduler, slurm=slurm or ())
    options = f" --out {shlex.quote(str(out))}"
    plans = plan(NAMES if all_ else names or [], quick=quick, options=options)
    finished: list[Report] = []
    grid = [cell for plan in plans for cell in plan[2]]
    with stop_on_signal() as stop, _workers(chosen, grid, out) as pool, live_table(quiet) as watch:
        for report in reports(plans, out / "runs", watch=watch, stop=stop, executor=pool, retry=retry):
            write(report, out)
            if figures is not None:
                save_figures(report, figures, formats or ())
            finished.append(report)
            if not quiet and not as_json:
                typer.echo(f"{report.sweep.title}. {report.sweep.question}\n  {report.answer.sentence}")
    index = write_index(out)
    if results is not None:
        said = "--all" if all_ else " ".join(names or [])
        command = f"linrep reproduce {said}{' --quick' if quick else ''}{options} --results {results}"
        with one_line_errors(results.parent):
            results.parent.mkdir(parents=True, exist_ok=True)
            write_file(results, results_text(finished, command).encode())
    if as_json:
        record = {"experiments": [report.record() for report in finished], "index": str(index)}
        print_json(record)
    elif not quiet:
        typer.echo(f"page  {index.resolve()}")
    return _complain_of_failed(finished)


@contextlib.contextmanager
def _workers(
    chosen: "Engine | None", grid: "Sequence[Cell]", out: Path
) -> "Generator[Executor | None, None, None]":
    """The workers that were asked for; None to run here, one cell after another."""
    if chosen is None:
        yield None
        return
    from linrep.sweeps.engines import executor

    with executor(chosen, max(cell.config.compute.threads or 1 for cell in grid), out=out) as pool:
        yield pool


def _complain_of_failed(reports: "list[Report]") -> int:
    failed = [f"{report.experiment.name}: {text}" for report in reports for text in report.failed]
    for text in failed:
        typer.echo(f"linrep: {text}", err=True)
    return 1 if failed else 0


def _show_table(report: "Report") -> None:
    """As many columns as the screen has room for, whole; a file or a pipe has room for all."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    titles, body = report.grid()
    for count in range(len(titles), 0, -1):
        table = Table(*titles[:count], box=None)
        for row in body:
            table.add_row(*row[:count])
        width = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
        if width <= console.width or not console.is_terminal:
            Console(width=max(width, console.width)).print(table)
            if count < len(titles):
                console.print(f"and {len(titles) - count} more columns, in these files:")
            return
