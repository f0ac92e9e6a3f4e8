"""What the ruler reads off anyone's tables: measures with nulls and intervals, as table, matrices, page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from linrep import geometry
from linrep.errors import many
from linrep.files import write_text
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, Similarity, Spread, TableName
from linrep.runs.drawing import drawing
from linrep.runs.row import NAN, NONE, Matrix, NullRange, Row, Subject
from linrep.runs.summary import AdditiveShare, Key, LogOdds, Margin, Measured, Summary
from linrep.runs.tidy import Tidy

if TYPE_CHECKING:
    import plotly.graph_objects as go

Counts = Mapping[TableName, Sequence[int]]
"""Pairs of each concept in each table."""
FEW_PAIRS = 10
"""With fewer a reader is told, but of a world's tables, whose pairs are all there are."""
MOST_NAMED = 3
"""Concepts with few pairs that a repr names."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reading(Tidy):
    """Tables measured: what :func:`linrep.measure` returns.

    Rows are one for each measure, and one more for each concept. Matrices are concept × concept:
    "orthogonality.mean_directions" and "orthogonality.rms" of G, the same with ".embedding" of F, and with
    two tables "alignment" (rows: F, columns: G).

    Example:
        >>> import linrep
        >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> linrep.measure(square, codes=square)
        Reading(2 concepts, G 4 × 2; linearity of G 1.00 (null -0.28), …; fewer than 10 pairs: C1 (2), C2 (2))
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("measure", "table", "concept", "value", "low", "high", "null", "null_q95", "pairs"),
    )
    concepts: tuple[str, ...]
    """Names, in the order of the matrices."""
    measures: Mapping[Key, Measured]
    """By (measure, table): ("linearity", "unembedding"), ("alignment", ""), …, as in a run's summary."""
    sizes: Mapping[str, tuple[int, int, int]]
    """[runs, rows, dim] of each table; a single one is the unembedding, G."""
    seed: int
    """Of the null."""
    few: tuple[str, ...] = ()
    """Concepts with fewer than ten pairs in a table, such as "tense (4)": their numbers are rough."""

    @property
    def subject(self) -> dict[str, str | int]:
        """The seed."""
        return {"seed": self.seed}

    def plot(self, kind: str = "measures") -> "go.Figure":
        """A plotly figure; it is returned, not shown.

        Args:
            kind: "measures", each beside its null, or the name of a matrix; a wrong one names all.

        Raises:
            InputError: No such figure.
        """
        return drawing("reading plot")(self, kind)

    def page(self, path: Path | str) -> Path:
        """Write the page, one HTML file that opens offline; returns its path.

        Raises:
            InputError: The file cannot be written.
        """
        return write_text(path, drawing("reading page")(self))

    def json(self) -> dict[str, Any]:
        """Every measure under its name, as ``linrep run --json`` prints it, and the matrices."""
        return {
            "seed": self.seed,
            "concepts": list(self.concepts),
            "sizes": {name: list(size) for name, size in self.sizes.items()},
            "measures": {
                f"{measure}.{table}".rstrip("."): found.as_dict()
                for (measure, table), found in self.measures.items()
            },
            "matrices": {name: matrix.plain() for name, matrix in self.matrices.items()},
        }

    def __repr__(self) -> str:
        letters = {"embedding": "F", "unembedding": "G"}
        runs = next(iter(self.sizes.values()))[0]
        tables = ", ".join(f"{letters[name]} {rows} × {dim}" for name, (_, rows, dim) in self.sizes.items())
        batch = f", {runs} runs" if runs > 1 else ""
        words = [
            f"{measure} of {letters[table]}" if table else measure
            for measure, table in self.measures
            if measure in ("linearity", "alignment")
        ]
        rows = [row for row in self.rows if not row.concept and row.measure in ("linearity", "alignment")]
        said = [
            f"{name} –"
            if row.value != row.value
            else f"{name} {_two(row.value)} (null {_two(row.null.mean)})"
            for name, row in zip(words, rows, strict=True)
        ]
        concepts = many(len(self.concepts), "concept")
        named = ", ".join((*self.few[:MOST_NAMED], *(["…"] if len(self.few) > MOST_NAMED else [])))
        rough = f"; fewer than {FEW_PAIRS} pairs: {named}" if self.few else ""
        return f"Reading({concepts}, {tables}{batch}; {', '.join(said)}, …{rough})"

    def _repr_html_(self) -> str:
        from html import escape

        frame: Any = self.table
        shown = frame[frame["concept"] == ""].drop(columns=["seed", "concept"])
        table = shown.to_html(index=False, border=0, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{escape(repr(self))}</p>{table}"


def reading_of(
    found: geometry.Measurement,
    additive: Mapping[TableName, AdditiveShare],
    gauge: Spread | None,
    names: Sequence[str],
    tables: Mapping[TableName, Float[Tensor, "runs rows dim"]],
    counts: Counts,
    seed: int,
) -> Reading:
    """A reading of tables without a world.

    Args:
        found: Every similarity.
        additive: Of the tables that have one.
        gauge: Their imbalance, of two tables.
        names: Of the concepts.
        tables: What was measured.
        counts: Pairs of each concept in each table, over all runs.
        seed: Of the null.
    """
    measures: dict[Key, Measured] = {("linearity", name): each for name, each in found.linearity.items()}
    if found.alignment is not None:
        measures["alignment", ""] = found.alignment
    for name, each in found.orthogonality.items():
        measures[MEAN_DIRECTIONS, name] = each.mean_directions
        measures[RMS, name] = each.rms
    measures |= {("additive_share", name): each for name, each in additive.items()}
    if gauge is not None:
        measures["gauge_imbalance", ""] = gauge
    matrices = [
        Matrix.of(_called(measure, table), names, names, found.matrix(measure, table))
        for measure, table in found.values.matrices
    ]
    return _reading(measures, matrices, names, tables, counts, seed)


def summary_reading(
    summary: Summary,
    tables: Mapping[TableName, Float[Tensor, "runs rows dim"]],
    counts: Counts,
    seed: int,
) -> Reading:
    """A reading of both tables of a world, out of the summary of a run.

    Args:
        summary: Of the tables.
        tables: What was measured.
        counts: Pairs of each concept in each table, over all runs.
        seed: Of the null.
    """
    names = summary.concepts
    drawn = {("alignment", ""): summary.figures.alignment}
    for table, each in summary.figures.orthogonality.items():
        drawn |= {(MEAN_DIRECTIONS, table): each.mean_directions, (RMS, table): each.rms}
    matrices = [
        Matrix(
            name=_called(measure, table),
            rows=names,
            columns=names,
            values=tuple(tuple(NAN if value is None else value for value in row) for row in values),
        )
        for (measure, table), values in drawn.items()
    ]
    return _reading(summary.measures, matrices, names, tables, counts, seed)


def _two(value: float) -> str:
    return f"{value:.2f}".replace("-0.00", "0.00")


def _called(measure: str, table: str) -> str:
    return f"{measure}.embedding" if table == "embedding" else measure


def _reading(
    measures: Mapping[Key, Measured],
    matrices: Sequence[Matrix],
    names: Sequence[str],
    tables: Mapping[TableName, Tensor],
    counts: Counts,
    seed: int,
) -> Reading:
    pairs_of = {key: dict(zip(names, own, strict=True)) for key, own in counts.items()}
    both = {name: sum(own[name] for own in pairs_of.values()) for name in names}
    rows: list[Row] = []
    for (measure, table), found in measures.items():
        row = _row(measure, table or "both", found)
        rows.append(row)
        if isinstance(found, Similarity):
            each = found.per_concept.items()
            own = pairs_of[table] if table else both
            bare = replace(row, low=NAN, high=NAN, null=NONE)
            rows += [replace(bare, concept=name, value=value, pairs=own[name])
                     for name, value in each if value is not None]  # fmt: skip
    return Reading(
        rows=tuple(rows),
        matrices={matrix.name: matrix for matrix in matrices},
        concepts=tuple(names),
        measures=dict(measures),
        sizes={name: (len(table), table.shape[1], table.shape[2]) for name, table in tables.items()},
        seed=seed,
    )


def _row(measure: str, table: str, found: Measured) -> Row:
    """The number of a measure, with null, interval and what it rests on."""
    row = Row(concept="", measure=measure, value=NAN, table=table)
    if isinstance(found, LogOdds):
        return replace(row, value=found.rmse, null=NullRange(mean=found.rmse_of_zero), pairs=found.triples)
    if isinstance(found, Margin):
        return replace(row, value=found.mean, pairs=found.triples)
    if isinstance(found, Similarity):
        return Subject(concept="", table=table).measured(measure, found)
    return replace(row, value=NAN if found.mean is None else found.mean)
