"""A toy model that was made, or many of them by width, in a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from linrep.page.numbers import cosine, count, short

if TYPE_CHECKING:
    from linrep.llm.toy import ToyReport, WidthSweep

MEASURES = (("linearity", "unembedding"), ("linearity", "embedding"), ("alignment", ""))


def show_model(report: "ToyReport") -> None:
    """What was made, and what to do with it."""
    out = report.folder
    typer.echo(
        f"{len(report.concepts)} concepts, {len(report.tokens)} nouns, {count(report.parameters)} "
        f"parameters; excess loss {short(report.excess_loss_nats)} nats in {report.seconds:.0f} s"
    )
    typer.echo(
        f"next: linrep lm measure {out} --pairs {out}/pairs --contexts {out}/contexts.jsonl --out "
        f"{out}/measured"
    )
    if report.checkpoints:
        typer.echo(
            f"then: linrep lm emergence {out} --pairs {out}/pairs --contexts {out}/contexts.jsonl --counts "
            f"{out}/counts.csv --out {out}-emergence"
        )


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
