"""``linrep gallery``: one page that leads to every experiment and to a page of every kind."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.lm_options import talking
from linrep.cli.options import Printing, grouped
from linrep.errors import many

if TYPE_CHECKING:
    from linrep.paper.exhibition import Gallery


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(grouped(gallery))


def gallery(
    printing: Printing,
    found: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Where experiments lie: what `linrep reproduce` wrote, or its --results.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for it and its pages.")] = Path("gallery"),
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="DIR", help="Also write it as Markdown, beside the experiments'."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make pages again that are there.")] = False,
) -> None:
    """A thumbnail and a sentence for every experiment and every kind of page; a minute or two at first."""
    from linrep.paper.exhibition import gallery as make
    from linrep.progress import counting_bar

    reproduced = Path("reproduced")
    found = found or (reproduced if reproduced.is_dir() else None)
    with talking(quiet=printing.quiet), counting_bar("pages", quiet=printing.quiet) as advance:
        shown = make(out, found, force=force, results=results, progress=advance)
    for name, why in shown.left_out.items():
        typer.echo(f"linrep: {name}: {why}; left out", err=True)
    printing.tell(lambda: _record(shown), lambda: _show(shown))


def _record(shown: "Gallery") -> dict[str, object]:
    answers = {name: each.there for name, each in shown.experiments.items()}
    return {"page": str(shown.page), "experiments": answers, "kinds": list(shown.kinds)}


def _show(shown: "Gallery") -> None:
    kinds = len(shown.kinds)
    typer.echo(f"{many(len(shown.experiments), 'experiment')}, {many(kinds, 'kind')} of pages")
    typer.echo(f"page  {shown.page.resolve()}")
