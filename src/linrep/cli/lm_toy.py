"""``linrep lm toy``: one model, or transformers by width beside the same world's tables, as a page."""

from pathlib import Path
from typing import Any

import typer

import linrep
from linrep.errors import InputError
from linrep.page.lm.widths import mean, render
from linrep.page.numbers import cosine, count, short

QUICK_WIDTH_STEPS, QUICK_TABLE_STEPS = 400, 3000


def one(out: Path, *, seed: int, quiet: bool, **settings: Any) -> tuple[dict[str, Any], None]:
    """Train and save one model; what is told of it."""
    from linrep.llm.toy import make_toy
    from linrep.progress import progress_bar

    with progress_bar("training", quiet=quiet) as advance:
        report = make_toy(out, seed=seed, progress=advance, **settings)
    record = {name: getattr(report, name) for name in report.__slots__ if name not in ("folder", "losses")}
    losses = [[step, None if loss != loss else loss, excess] for step, loss, excess in report.losses]
    return {**record, "folder": str(report.folder), "losses": losses}, None


def by_width(
    out: Path,
    widths: list[float],
    *,
    runs: int,
    seed: int,
    quiet: bool,
    concepts: int,
    world: str,
    layers: int,
    heads: int,
    tied: bool,
    steps: int | None,
    quick: bool,
) -> tuple[dict[str, Any], Path]:
    """Train transformers and tables of each width on the same worlds; table and page."""
    from linrep.files import one_line_errors, write_file
    from linrep.llm.toy import ToySettings, width_sweep
    from linrep.llm.toy.sweep import SWEEP_STEPS, TABLE_STEPS
    from linrep.progress import counting_bar

    whole = sorted({int(width) for width in widths})
    if any(width != int(width) or width < 2 for width in widths):
        raise InputError("--widths: expected whole numbers of at least 2, separated by commas")
    settings = ToySettings(
        concepts=concepts,
        world=world,
        layers=layers,
        heads=heads,
        tied=tied,
        facts=0,
        steps=steps or (QUICK_WIDTH_STEPS if quick else SWEEP_STEPS),
        batch_size=32,
    )
    with one_line_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with counting_bar("models", quiet=quiet) as advance:
        table = width_sweep(
            seed=seed,
            widths=whole,
            settings=settings,
            runs=runs,
            table_steps=QUICK_TABLE_STEPS if quick else TABLE_STEPS,
            progress=advance,
        )
    rows = [
        {key: None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    record = {
        "linrep": linrep.__version__,
        "seed": seed,
        "runs": runs,
        "widths": whole,
        "settings": settings.record(),
        "rows": rows,
    }
    with one_line_errors(out):
        table.to_csv(out / "widths.csv", index=False)
        table.to_parquet(out / "widths.parquet")
        write_file(out / "page.html", render(table, settings.record(), seed).encode())
    return record, out / "page.html"


def show(record: dict[str, Any], page: Path | None, out: Path) -> None:
    """What was made, and what to do with it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if page is None:
        typer.echo(
            f"{len(record['concepts'])} concepts, {len(record['tokens'])} nouns, "
            f"{count(record['parameters'])} "
            f"parameters; excess loss {short(record['excess_loss_nats'])} nats in {record['seconds']:.0f} s"
        )
        typer.echo(
            f"next: linrep lm measure {out} --pairs {out}/pairs --contexts {out}/contexts.jsonl --out "
            f"{out}/measured"
        )
        return
    shown = Table(box=None, header_style="bold")
    for head in ("width", "model", "linearity g", "linearity f", "alignment", "excess loss"):
        shown.add_column(head, no_wrap=True)
    for width in record["widths"]:
        for kind in ("transformer", "tables"):
            cells = [
                cosine(mean(record["rows"], kind, width, *key))
                for key in (("linearity", "unembedding"), ("linearity", "embedding"), ("alignment", ""))
            ]
            excess = mean(record["rows"], kind, width, "linearity", "unembedding", "excess_loss_nats")
            shown.add_row(str(width), kind, *cells, f"{short(excess)} nats")
    console.print(shown)
    console.print(f"page  {page.resolve()}", soft_wrap=True, highlight=False)
