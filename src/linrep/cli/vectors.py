"""``linrep measure``: the ruler on vectors of one's own."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, Seed, print_json

if TYPE_CHECKING:
    from linrep.vectors import VectorsResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(measure)


def measure(
    vectors: Annotated[
        Path, typer.Argument(help="Vectors, one row an item: .safetensors, .npz, .npy, .parquet or .csv.")
    ],
    attributes: Annotated[
        Path, typer.Option("--attributes", "-a", help="Binary or categorical attributes: .csv or .parquet.")
    ],
    other: Annotated[
        Path | None,
        typer.Option("--other", help="Other vectors of the same items: do directions carry over?"),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option("--id", help="Column that joins the files; by default `id`, else rows go by order."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="An attribute to measure; again for more. By default all."),
    ] = None,
    match: Annotated[
        list[str] | None,
        typer.Option("--match", help="A column that both rows of a pair must share, such as a person."),
    ] = None,
    tensor: Annotated[
        str | None, typer.Option("--tensor", help="Which array, where a file holds several.")
    ] = None,
    inner: Annotated[
        str, typer.Option("--inner", help="euclid, or causal: cosines under the inverse covariance.")
    ] = "euclid",
    axis: Annotated[
        list[str] | None, typer.Option("--axis", help="A concept as an axis of the map; two or three times.")
    ] = None,
    fewest_pairs: Annotated[
        int, typer.Option("--min-pairs", help="With fewer, difference of class means instead.")
    ] = 10,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for result.json, tables, map and page.html.")
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words.")] = False,
) -> None:
    """Measure any embeddings whose rows have attributes: is each attribute a direction?"""
    from linrep.vectors import VectorsOptions, measure_vectors

    result = measure_vectors(
        vectors,
        attributes,
        other=other,
        id_column=id_column,
        columns=column,
        match=match or (),
        inner=inner,
        seed=seed,
        options=VectorsOptions(tensor=tensor, axes=axis, fewest_pairs=fewest_pairs),
    )
    page = None if out is None else _save(result, out)
    if as_json:
        print_json(result.json())
    elif not quiet:
        _show(result, page)
    if not quiet:
        for note in result.summary["notes"]:
            typer.echo(f"linrep: {note}", err=True)


def _save(result: "VectorsResult", out: Path) -> Path:
    from linrep.files import one_line_errors, write_file
    from linrep.page.vectors import render

    with one_line_errors(out):
        result.save(out)
        write_file(out / "page.html", render(result).encode())
    return out / "page.html"


def _show(result: "VectorsResult", page: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from linrep.page.numbers import cosine

    carried = result.summary["transfer"] is not None
    shown = Table(box=None, header_style="bold")
    heads = ["concept", "found", "linearity", "shuffled", "measured on"]
    for head in [*heads, "carried"] if carried else heads:
        shown.add_column(head, no_wrap=head != "concept", min_width=18 if head == "concept" else None)
    for each in result.summary["concepts"]:
        name = each["name"]
        linear = result.value("linearity", name)
        bounds = "" if math.isnan(linear.low) else f" [{cosine(linear.low)}, {cosine(linear.high)}]"
        paired = each["method"] == "matched pairs"
        cells = [
            escape(name),
            {True: "yes", False: "no", None: "–"}[each["found"]],
            escape(cosine(linear.value) + bounds),
            cosine(linear.shuffled.q95),
            f"{each['pairs_used']:,} pairs" if paired else "class means",
        ]
        shown.add_row(*cells, *([cosine(result.value("transfer", name).value)] if carried else []))
    console = Console()
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)
