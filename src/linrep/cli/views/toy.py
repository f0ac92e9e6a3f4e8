"""A toy model that was made, or many of them by width, in a terminal."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linrep.page.numbers import cosine, count, short

if TYPE_CHECKING:
    from linrep.llm.toy import ToyReport, WidthSweep

TERMINAL = 80
"""Columns that every terminal has."""
MEASURES = (("linearity", "unembedding"), ("linearity", "embedding"), ("alignment", ""))


def show_model(report: "ToyReport") -> None:
    """What was made, and what to do with it."""
    out = report.folder
    typer.echo(
        f"{len(report.concepts)} concepts, {len(report.tokens)} nouns, {count(report.parameters)} "
        f"parameters; excess loss {short(report.excess_loss_nats)} nats in {report.seconds:.0f} s"
    )
    folder = shlex.quote(str(out))
    texts = [f"--pairs {folder}/pairs", f"--contexts {folder}/contexts.jsonl"]
    if report.checkpoints:
        command, more = "emergence", [f"--counts {folder}/counts.csv", f"--out {folder}-emergence"]
    else:
        command, more = "measure", [f"--out {folder}/measured"]
    typer.echo(_command(f"next: linrep lm {command} {folder}", [*texts, *more]))


def _command(start: str, words: list[str]) -> str:
    r"""A command on lines of at most 80 columns where its words allow it, each broken as a shell reads it.

    Example:
        >>> print(_command("next: linrep", ["measure " + "a" * 40, "--out " + "b" * 30]))
        next: linrep measure aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \
            --out bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    """
    lines = [start]
    for word in words:
        if len(f"{lines[-1]} {word} \\") <= TERMINAL:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return " \\\n".join(lines)


def show_widths(sweep: "WidthSweep", page: Path) -> None:
    """Means over worlds, a line for each width and kind of model."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    shown = Table(box=None, header_style="bold")
    for head in ("width", "model", "linearity g", "linearity f", "alignment", "excess loss"):
        shown.add_column(head, no_wrap=True)
    for width in sweep.widths:
        for kind in ("transformer", "tables"):
            cells = [cosine(sweep.mean(kind, width, *key)) for key in MEASURES]
            shown.add_row(str(width), kind, *cells, f"{short(sweep.excess(kind, width))} nats")
    console.print(shown)
    equal = [str(width) for width in sweep.widths if sweep.matched(width)]
    console.print(f"tables came to the transformer's excess loss at widths: {', '.join(equal) or 'none'}")
    console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)
