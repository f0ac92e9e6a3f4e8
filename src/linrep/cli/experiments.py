"""``linrep sweep`` and ``linrep reproduce``: grids of runs, and the paper's experiments."""

import contextlib
import shlex
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Overrides, Printing, grouped
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures for a paper."""

    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Also write every figure for a paper here."),
    ] = None
    formats: Annotated[
        list[Form] | None, typer.Option("--format", help="Of figures; may be repeated. By default all.")
    ] = None

    def save(self, report: "Report") -> None:
        """Write those of a report, if they are asked for."""
        from linrep.paper.report import save_figures

        if self.figures is not None:
            save_figures(report, self.figures, self.formats or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Who runs the cells of a grid."""

    executor: Annotated[
        str | None,
        typer.Option(
            "--executor", metavar="processes|dask|slurm", help="Run cells at once, on workers of this kind."
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="How many; by default as many as fill the cores."),
    ] = None
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Use the workers of a running Dask scheduler."),
    ] = None
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            "--slurm",
            metavar="KEY=VALUE",
            help="Of a SLURM job: queue, account, walltime, memory, cores, interface, dashboard, directive, "
            "prologue.",
        ),
    ] = None
    retry: Annotated[bool, typer.Option("--retry", help="Train again what diverged or is damaged.")] = False

    def engine(self) -> "Engine | None":
        """What was asked for; None to run here, one cell after another."""
        from linrep.sweeps.engines import engine

        return engine(self.executor, workers=self.workers, scheduler=self.scheduler, slurm=self.slurm or ())

    def words(self) -> list[str]:
        """As they were given, where they are part of what a cell is (the number of workers is, without
        compute.threads).
        """
        given = {"--executor": self.executor, "--workers": self.workers, "--scheduler": self.scheduler}
        words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return [*words, *(word for each in self.slurm or () for word in ("--slurm", each))]


def register(app: typer.Typer) -> None:
    """Add the commands of sweeps."""
    for command in (sweep, reproduce):
        app.command()(grouped(command))


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.toml", help="A base config and the axes it varies.")],
    figures: Figures,
    by: Cells,
    printing: Printing,
    out: Annotated[Path, typer.Option("--out", help="Folder of runs, of the table and of the page.")] = Path(
        "runs"
    ),
    quick: Annotated[bool, typer.Option("--quick", help=r"Apply the file's \[quick] table.")] = False,
    set_: Overrides = None,
) -> int:
    """Run every cell of a grid. Finished cells are found again, interrupted ones go on."""
    from linrep.cli.signals import stop_on_signal
    from linrep.cli.views.live import live_table
    from linrep.cli.views.sweep import show_sweep
    from linrep.paper.report import ENDINGS, write
    from linrep.paper.reproduce import reports
    from linrep.paper.user_sweep import user_experiment
    from linrep.sweeps.file import load_sweep
    from linrep.sweeps.grid import cells

    read = load_sweep(file, set_ or [], quick=quick)
    chosen = by.engine()
    words = ["linrep", "sweep", str(file), "--out", str(out), *(["--quick"] if quick else [])]
    settings = [word for each in set_ or [] for word in ("--set", each)]
    command = shlex.join([*words, *settings, *by.words()])
    grid = cells(read, threads=None if chosen is None else chosen.share)
    plan = (user_experiment(read.name, grid), read, grid, command)
    _require_places(out, (f"{read.name}{ending}" for ending in ENDINGS), figures.figures)
    with stop_on_signal() as stop, _workers(chosen, grid, out) as pool, live_table(printing.quiet) as watch:
        (report,) = reports([plan], out, watch=watch, stop=stop, executor=pool, retry=by.retry)
    page = write(report, out)
    figures.save(report)
    printing.tell(lambda: _record(report, out), lambda: show_sweep(report, page))
    return _complain_of_failed([report])


def _record(report: "Report", out: Path) -> Mapping[str, object]:
    results = [
        {"cell": dict(each.cell.coordinates), "run": each.cell.key, "error": each.error or None}
        for each in report.outcomes
    ]
    return report.record() | {"folder": str(out), "results": results}


def reproduce(
    figures: Figures,
    by: Cells,
    printing: Printing,
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
        typer.Option(
            "--results", metavar="DIR", help="Also write answers, figures and tables as Markdown here."
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="Where to train: cpu, cuda or auto; another is another set of runs."),
    ] = None,
) -> int:
    """Run the paper's experiments, and those beyond it: one page each, and an index. Resumable."""
    from linrep.cli.signals import stop_on_signal
    from linrep.cli.views.live import live_table
    from linrep.cli.views.sweep import show_answer
    from linrep.paper import NAMES
    from linrep.paper.report import ENDINGS, write, write_index
    from linrep.paper.reproduce import plan, reports
    from linrep.paper.results import write_results, write_results_index
    from linrep.progress import stage

    if not names and not all_:
        raise InputError(f"reproduce: name experiments or give --all; there are {', '.join(NAMES)}")
    chosen = by.engine()
    options = f" --out {shlex.quote(str(out))}" + (f" --device {shlex.quote(device)}" if device else "")
    plans = plan(NAMES if all_ else names or [], quick=quick, options=options, device=device)
    finished: list[Report] = []
    grid = [cell for plan in plans for cell in plan[2]]
    written = [f"{study.name}{ending}" for study, *_ in plans for ending in ENDINGS]
    _require_places(out, [*written, "index.html"], figures.figures, results)
    with stop_on_signal() as stop, _workers(chosen, grid, out) as pool, live_table(printing.quiet) as watch:
        for report in reports(plans, out / "runs", watch=watch, stop=stop, executor=pool, retry=by.retry):
            with stage(f"answering {report.experiment.name}"):
                write(report, out)
                figures.save(report)
                if results is not None:
                    write_results(report, results)
            finished.append(report)
            if not printing.quiet and not printing.as_json:
                show_answer(report)
    index = write_index(out)
    if results is not None:
        write_results_index(results, out)
    printing.tell(
        lambda: {"experiments": [report.record() for report in finished], "index": str(index)},
        lambda: typer.echo(f"page  {index.resolve()}"),
    )
    return _complain_of_failed(finished)


def _require_places(out: Path, names: Iterable[str], *others: Path | None) -> None:
    """What could not be written after hours of training is told before them."""
    from linrep.files import require_target, require_writable

    for folder in (out, *others):
        require_writable(folder)
    for name in names:
        require_target(out / name)


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
