"""``linrep measure``: the ruler on vectors of one's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from linrep.cli.options import Measured, Printing, Seed, grouped


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(grouped(measure))


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What of the files is read, and how rows are joined."""

    id_column: Annotated[
        str | None,
        typer.Option("--id", help="Column that joins files; by default `id` or an index. none: by order."),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="An attribute to measure; again for more. By default all."),
    ] = None
    match: Annotated[
        list[str] | None,
        typer.Option("--match", help="A column that both rows of a pair must share, such as a person."),
    ] = None
    tensor: Annotated[
        str | None, typer.Option("--tensor", help="Which array, where a file holds several.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known of the rows, other than attributes."""

    unembedding: Annotated[
        Path | None,
        typer.Option("--unembedding", "-g", help="G beside VECTORS as F: do their directions agree?"),
    ] = None
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="JSON instead of attributes: pairs of rows by concept."),
    ] = None
    world: Annotated[
        str | None,
        typer.Option("--world", help="Instead: rows are contexts and tokens of a network, by name or .bif."),
    ] = None


def measure(
    vectors: Annotated[
        Path,
        typer.Argument(
            help="Vectors, one row an item (.safetensors, .npz, .npy, .parquet, .csv); or a run's folder."
        ),
    ],
    truth: Truth,
    columns: Columns,
    printing: Printing,
    attributes: Annotated[
        Path | None,
        typer.Option("--attributes", "-a", help="Binary or categorical attributes: .csv or .parquet."),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option("--other", help="Other vectors of the same items: do directions carry over?"),
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
    out: Measured = Path("measured"),
) -> None:
    """Measure any embeddings whose rows have attributes: is each attribute a direction?"""
    from linrep.cli.views.vectors import show, show_reading
    from linrep.files import require_writable
    from linrep.laboratory.reading import FEW_PAIRS
    from linrep.page.vectors import save
    from linrep.vectors import VectorsOptions, measure_vectors
    from linrep.vectors.own import holds_both, measure_files, run_folder_of

    require_writable(out)
    both = truth.unembedding is not None or run_folder_of(vectors) is not None or holds_both(vectors)
    if both or truth.pairs is not None or truth.world is not None or attributes is None:
        reading = measure_files(
            vectors,
            truth.unembedding,
            attributes=attributes,
            pairs=truth.pairs,
            world=truth.world,
            id_column=columns.id_column,
            tensor=columns.tensor,
            seed=seed,
            progress=not printing.quiet,
        )
        drawn = reading.page(out / "page.html")
        reading.save(out)
        printing.tell(reading.json, lambda: show_reading(reading, drawn))
        if reading.few and not printing.quiet:
            few = ", ".join(reading.few)
            typer.echo(f"linrep: {few}: fewer than {FEW_PAIRS} pairs, so the numbers are rough", err=True)
        printing.where(drawn)
        return
    result = measure_vectors(
        vectors,
        attributes,
        other=other,
        id_column=columns.id_column,
        columns=columns.column,
        match=columns.match or (),
        inner=inner,
        seed=seed,
        options=VectorsOptions(tensor=columns.tensor, axes=axis, fewest_pairs=fewest_pairs),
    )
    page = save(result, out)
    printing.tell(result.json, lambda: show(result, page))
    if not printing.quiet:
        for note in dict.fromkeys([result.summary["attributes"]["joined"], *result.summary["notes"]]):
            typer.echo(f"linrep: {note}", err=True)
    printing.where(page)
