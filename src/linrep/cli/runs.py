"""``linrep demo``, ``run``, ``runs``, ``report``, ``validate`` and ``init``: the main path."""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linrep.cli.options import FigureFiles, Json, Overrides, Printing, Quiet, Runs, grouped, print_json
from linrep.errors import InputError, many

if TYPE_CHECKING:
    from linrep.laboratory.comparison import Beside
    from linrep.runs.failures import Failure
    from linrep.runs.index import RunTable
    from linrep.runs.result import Result

DEFAULT_OUT = Path("runs")


class Demo(StrEnum):
    """Worlds to begin with."""

    CUBE = "cube"
    ASIA = "asia"


def register(app: typer.Typer) -> None:
    """Add the commands of the main path."""
    for command in (demo, run, runs, report, validate, init):
        app.command()(grouped(command))


def demo(
    world: Annotated[
        Demo,
        typer.Argument(
            help="cube: three concepts, a few seconds; asia: a published network, a minute or two."
        ),
    ] = Demo.CUBE,
    out: Annotated[Path, typer.Option("--out", help="Folder for the run and its page.")] = Path("demo"),
    quiet: Quiet = False,
) -> None:
    """Train on a small world and draw the page: three concepts become a cube."""
    from importlib.resources import as_file, files

    if world == Demo.ASIA and not quiet:
        typer.echo("asia: 5,103 contexts of 8 concepts, trained to the bottom; a minute or two", err=True)
    with as_file(files("linrep.cli") / "demos" / f"{world.value}.toml") as config:
        _run(config, [], out, Printing(quiet=quiet), force=False, page=True)


def run(
    printing: Printing,
    config: Annotated[
        Path | None,
        typer.Argument(help="A TOML file, as `linrep init` writes; without one, that and --set."),
    ] = None,
    set_: Overrides = None,
    out: Runs = DEFAULT_OUT,
    force: Annotated[bool, typer.Option("--force", help="Train again even if this run is there.")] = False,
    page: Annotated[bool, typer.Option(help="Draw the page too.")] = True,
) -> int:
    """Train one experiment and measure it. A finished run is found again, an interrupted one goes on."""
    if config is None and not set_:
        raise InputError(
            "run: expected a config, or keys such as --set world.network=survey, got none; `linrep init` "
            "writes a config"
        )
    if config is None and not printing.quiet:
        typer.echo("linrep: no config: what --set does not say is as `linrep init` writes it", err=True)
    return _run(config, set_ or [], out, printing, force=force, page=page)


def _run(
    config: Path | None, overrides: list[str], out: Path, printing: Printing, *, force: bool, page: bool
) -> int:
    from linrep.cli.signals import stop_on_signal
    from linrep.cli.views.runs import show
    from linrep.laboratory import run as experiment
    from linrep.laboratory.comparison import beside
    from linrep.population.sharding import team
    from linrep.progress import progress_bar
    from linrep.runs.toml import load

    checked = load(config, overrides)
    with (
        team(checked.compute.device) as joined,
        stop_on_signal(patient=joined.ranks > 1) as stop,
        progress_bar("training", quiet=printing.quiet or joined.rank > 0) as advance,
    ):
        result = experiment.run_shared(checked, joined, out=out, force=force, progress=advance, stop=stop)
        asked_to_stop = stop()
    if result is None:  # rank 0 says and draws what there is
        return 0
    if checked.compute.device == "auto" and not printing.quiet:
        typer.echo(f"linrep: compute.device = 'auto' took {result.config.compute.device}", err=True)
    said = cache(lambda: beside(result))  # seconds at worst: once, and only for a reader
    drawn = _draw(result, said) if page else None
    printing.tell(result.summary.without_figures, lambda: show(result, said(), drawn))
    for entry in result.summary.diverged:
        typer.echo(
            f"linrep: run {entry.run} diverged at step {entry.step} with step size "
            f"{entry.step_size:g} and is left out; lower training.step_size",
            err=True,
        )
    if asked_to_stop:  # too late to stop: the run is whole, but what comes after it is not wanted
        raise KeyboardInterrupt
    return 1 if result.summary.diverged else 0


def _public(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary without the numbers that only figures need."""
    return {name: value for name, value in summary.items() if name != "figures"}


def _draw(result: "Result", said: "Callable[[], Beside]", target: Path | None = None) -> Path:
    from linrep.files import one_line_errors, write_file
    from linrep.page.rendering import render
    from linrep.progress import stage

    if target is None:
        assert result.folder is not None, "a stored run has a folder"
        target = result.folder / "page.html"
        if target.exists():
            return target
    with one_line_errors(target.parent), stage("page"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, render(result, said()).encode())
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which runs, in what order."""

    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="EXPRESSION",
            help='Only these: "model.dim > 4 and ended.shares.converged == 1".',
        ),
    ] = None
    sort: Annotated[str | None, typer.Option("--sort", metavar="FIELD", help="Order, missing last.")] = None
    descending: Annotated[bool, typer.Option("--descending", help="Largest first.")] = False
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many.")] = None

    def of(self, table: "RunTable") -> "tuple[RunTable, Sequence[str]]":
        """The rows asked for, and the columns that were asked about."""
        from linrep.runs.query import chosen

        return chosen(
            table, condition=self.where, sort=self.sort, descending=self.descending, limit=self.limit
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The page of many runs, one dot each."""

    page: Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Draw them: one dot a run.")] = (
        None
    )
    x: Annotated[
        str | None, typer.Option("--x", metavar="FIELD", help="Across; by default what varies most.")
    ] = None
    y: Annotated[
        str,
        typer.Option(
            "--y",
            metavar="FIELD",
            help="Up; by default final.linearity.unembedding.median",
            show_default=False,
        ),
    ] = "final.linearity.unembedding.median"
    color: Annotated[str | None, typer.Option("--color", metavar="FIELD", help="Colour of a dot.")] = None

    def draw(self, table: "RunTable", failed: "list[Failure]") -> None:
        """Write the page, if one is asked for, and say where."""
        from linrep.files import one_line_errors, write_file
        from linrep.page.runs_page import render

        if self.page is None:
            return
        text = render(table, failed, x=self.x, y=self.y, colour=self.color)
        with one_line_errors(self.page.parent):
            write_file(self.page, text.encode())
        typer.echo(f"page  {self.page.resolve()}", err=True)


def runs(
    choice: Choice,
    drawing: Drawing,
    out: Runs = DEFAULT_OUT,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Every field of every run; - is stdout.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B,C", help="Only these: titles of the list, or fields."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List finished runs (medians over seeds); filter, sort, draw them, write a table. Names what failed."""
    from linrep.cli.views.listing import listing
    from linrep.cli.views.runs import listing_of_damaged, listing_of_failed
    from linrep.runs.failures import kept
    from linrep.runs.index import run_index
    from linrep.runs.store import RESULT, Store, read_json

    if columns is not None and (as_json or csv is not None or drawing.page is not None):
        raise InputError("--columns: of the list alone; leave it out, or --json, --csv and --page")
    if not out.is_dir():
        raise InputError(
            f"{out}: no such folder; check --out, or start with `linrep run CONFIG.toml --out {out}`"
        )
    store = Store(out)
    index = run_index(store)
    for line in listing_of_damaged(index.damaged, out):
        typer.echo(f"linrep: {line}", err=True)
    if not len(index.table):
        typer.echo(f"no runs in {out}; `linrep run CONFIG.toml --out {out}` makes one", err=True)
    table, asked, failed = index.table, (), kept(store.root)
    if len(table):
        table, asked = choice.of(table)
    drawing.draw(table, failed)
    if csv is not None:
        _write_csv(table, csv)
    if as_json:
        rows = [_public(read_json(store.root / key / RESULT)) for key in table["run"].to_pylist()]
        print_json(rows)
    elif len(index.table) and csv is None and drawing.page is None:
        _show(len(table), len(index.table), out, listing(table, asked, columns=columns, width=_width()))
    for line in listing_of_failed(failed, out, condition=choice.where):
        typer.echo(f"linrep: {line}", err=True)


def _width() -> int | None:
    """Of the terminal; None where the list goes into a file or another command."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _show(chosen: int, total: int, out: Path, lines: Iterable[str]) -> None:
    """The list; for a reader with a sentence over it, and under it what to do next."""
    if _width() is None:
        typer.echo("\n".join(lines))
        return
    some = "" if chosen == total else f"{chosen:,} of "
    typer.echo(f"{some}{many(total, 'run')} in {out}, medians over seeds")
    typer.echo("\n".join(lines))
    if chosen:
        typer.echo(
            f"next: linrep report 1a2b --out {out} draws the page of the run whose hash begins so", err=True
        )


def _write_csv(table: "RunTable", target: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv

    from linrep.files import one_line_errors, write_file
    from linrep.runs.spreadsheet import escaped

    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            words = [each and escaped(each) for each in table[at].to_pylist()]
            table = table.set_column(at, field.name, pa.array(words, pa.string()))
    written = pa.BufferOutputStream()
    csv.write_csv(table, written, csv.WriteOptions(quoting_style="needed"))
    content = written.getvalue().to_pybytes()
    if str(target) == "-":
        typer.echo(content.decode(), nl=False)
        return
    with one_line_errors(target.parent):
        write_file(target, content)


def report(
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's key or hash (or their beginning), or its folder.")
    ],
    out: Runs = DEFAULT_OUT,
    page: Annotated[
        Path | None, typer.Option("--page", help="Where to write the page; by default in the run's folder.")
    ] = None,
    figures: FigureFiles = None,
) -> None:
    """Draw the page of a finished run again."""
    from linrep.files import one_line_errors
    from linrep.laboratory.comparison import beside
    from linrep.page.rendering import run_figures
    from linrep.runs import folder as run_folder
    from linrep.runs.store import Store, holds_run

    folder = Path(name) if holds_run(Path(name)) else Store(out).resolve(name)
    result = run_folder.read(folder)
    typer.echo(f"page  {_draw(result, lambda: beside(result), page or folder / 'page.html').resolve()}")
    if figures is not None:
        with one_line_errors(figures):
            for path in run_figures(result, figures):
                typer.echo(f"figure  {path}")


def validate(
    files: Annotated[
        list[Path],
        typer.Argument(help="Configs, sweeps, networks, run folders, vectors, attributes, word pairs."),
    ],
    as_json: Json = False,
) -> int:
    """Check files without running anything. One line a file: ok, bad or skip; exit code 2 if any is bad."""
    from linrep.cli.validate import validate as check

    found: list[dict[str, Any]] = []
    for file in files:
        checked = check(file)
        found.append(asdict(checked))
        if not as_json:
            typer.echo(checked.line)
    if as_json:
        print_json(found)
    return 2 if any(each["error"] for each in found) else 0


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("linrep.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented config: every key, its meaning and its default."""
    from importlib.resources import files

    from linrep.files import one_line_errors, write_file

    if file.exists() and not force:
        raise InputError(f"{file}: exists already; give another name or --force")
    with one_line_errors(file.parent):
        write_file(file, (files("linrep") / "template.toml").read_bytes())
    typer.echo(f"wrote {file}; next: linrep run {file}")
