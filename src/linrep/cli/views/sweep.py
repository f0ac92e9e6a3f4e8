"""A sweep's table in a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from linrep.paper.report import Report

WIDEST = 10_000
"""Characters across of a table without a screen."""


def show_sweep(report: "Report", page: Path) -> None:
    """How many runs converged, the table, and where both lie."""
    if report.converged:
        typer.echo(report.converged)
    show_table(report)
    typer.echo(f"table {page.with_suffix('.csv').resolve()}")
    typer.echo(f"page  {page.resolve()}")


def show_answer(report: "Report") -> None:
    """An experiment's title; below it what it asks, what came out and how many runs converged."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    console.print(Text(report.sweep.title, "bold"))
    for said in filter(None, (report.sweep.question, report.answer.sentence, report.converged)):
        console.print(Padding(Text(said), (0, 0, 0, 2), expand=False))


def show_table(report: "Report") -> None:
    """As many columns as the screen has room for, whole; a file or a pipe has room for all."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    titles, body = report.grid
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
