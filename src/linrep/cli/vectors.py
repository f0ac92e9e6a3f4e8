"""``linrep measure``: the ruler on vectors of one's own."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linrep.cli.options import Json, Seed, print_json

if TYPE_CHECKING:
    from linrep.laboratory import Reading
    from linrep.runs.row import Row
    from linrep.vectors import VectorsResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(measure)


def measure(
    vectors: Annotated[
        Path,
        typer.Argument(
            help="Vectors, one row an item (.safetensors, .npz, .npy, .parquet, .csv); or a run's folder."
        ),
    ],
    attributes: Annotated[
        Path | None,
        typer.Option("--attributes", "-a", help="Binary or categorical attributes: .csv or .parquet."),
    ] = None,
    unembedding: Annotated[
        Path | None,
        typer.Option("--unembedding", "-g", help="G beside VECTORS as F: do their directions agree?"),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="JSON instead of attributes: pairs of rows by concept."),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option("--world", help="Instead: rows are contexts and tokens of a network, by name or .bif."),
    ] = None,
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
    ] = 2,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for result.json, tables, map and page.html.")
    ] = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words.")] = False,
) -> None:
    """Measure any embeddings whose rows have attributes: is each attribute a direction?"""
    from linrep.vectors import VectorsOptions, measure_vectors
    from linrep.vectors.own import holds_both, measure_files, run_folder_of

    both = unembedding is not None or run_folder_of(vectors) is not None or holds_both(vectors)
    if both or pairs is not None or world is not None or attributes is None:
        reading = measure_files(
            vectors,
            unembedding,
            attributes=attributes,
            pairs=pairs,
            world=world,
            tensor=tensor,
            seed=seed,
            progress=not quiet,
        )
        _tell(reading, out, as_json=as_json, quiet=quiet)
        return
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


def _tell(reading: "Reading", out: Path | None, *, as_json: bool, quiet: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    page = None if out is None else reading.page(out / "page.html")
    if out is not None:
        reading.save(out)
    if as_json:
        print_json(reading.json())
        return
    if quiet:
        return
    shown = Table("measure", "table", "value", "95 % interval", "null (95 %)", "pairs", box=None)
    for row in reading.rows:
        if not row.concept:
            shown.add_row(row.metric, row.table, *_written(row))
    console = Console()
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)


def _written(row: "Row") -> list[str]:
    from linrep.page.numbers import ABSENT, short

    between = ABSENT if math.isnan(row.low) else f"\\[{short(row.low)}, {short(row.high)}]"
    null = ABSENT if math.isnan(row.null.mean) else f"{short(row.null.mean)} ({short(row.null.q95)})"
    return [short(row.value), between, null, str(row.pairs or ABSENT)]


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
    heads = ["concept", "found", "linearity", "chance", "measured on"]
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
            cosine(linear.shuffled.q95 if math.isnan(linear.null.q95) else linear.null.q95),
            f"{each['pairs_used']:,} pairs" if paired else "class means",
        ]
        shown.add_row(*cells, *([cosine(result.value("transfer", name).value)] if carried else []))
    console = Console()
    console.print(shown)
    if page is not None:
        console.print(f"page  {page.resolve()}", soft_wrap=True)
