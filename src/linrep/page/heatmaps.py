"""Concept × concept cosines: do different concepts take different directions?"""

from collections.abc import Sequence
from typing import Any

from linrep.geometry.record import TableName
from linrep.page import heat, palette
from linrep.page.meanings import MEANINGS
from linrep.page.numbers import ABSENT, cosine
from linrep.page.shell import Block
from linrep.page.view import View

Matrix = list[list[float | None]]
TABLES: tuple[TableName, ...] = ("unembedding", "embedding")
TABLE_WORDS = {"unembedding": "unembedding g", "embedding": "embedding f"}
FORM_WORDS = {
    "mean_directions": ("Mean directions", "|cosine|"),
    "rms": ("All steering vectors", "RMS cosine"),
}


def matrices(view: View) -> list[tuple[str, str, Matrix]]:
    """(table, form, matrix) of every matrix computed; None where a concept has no pair."""
    given = view.summary.figures.orthogonality
    # A direction's cosine with itself says nothing.
    means = {table: _without_diagonal(given[table].mean_directions) for table in TABLES}
    found = [(table, "mean_directions", means[table]) for table in TABLES]
    return [*found, *((table, "rms", [list(row) for row in given[table].rms]) for table in TABLES)]


def _without_diagonal(matrix: Sequence[Sequence[float | None]]) -> Matrix:
    return [[None if i == j else value for j, value in enumerate(row)] for i, row in enumerate(matrix)]


def largest(view: View, table: str, form: str = "mean_directions") -> tuple[float, str, str] | None:
    """The largest entry off the diagonal and its two concepts."""
    for each_table, each_form, matrix in matrices(view):
        if (each_table, each_form) == (table, form):
            entries = [
                (value, view.names[i], view.names[j])
                for i, row in enumerate(matrix)
                for j, value in enumerate(row)
                if i < j and value is not None
            ]
            return max(entries, default=None)
    return None


def _chosen(matrix: Matrix) -> list[int]:
    """Rows shown: all, or of many those with the largest entries off the diagonal, in their own order."""
    if len(matrix) <= heat.MOST:
        return list(range(len(matrix)))
    most = [
        max((abs(value) for j, value in enumerate(row) if value is not None and j != i), default=0.0)
        for i, row in enumerate(matrix)
    ]
    return sorted(sorted(range(len(matrix)), key=lambda i: -most[i])[: heat.MOST])


def _part(names: Sequence[str], matrix: Matrix) -> tuple[list[str], Matrix, str]:
    """Names and matrix as they are drawn, and what is said of those that are not."""
    rows = _chosen(matrix)
    left = ""
    if len(rows) < len(matrix):
        left = f"Of {len(matrix):,} concepts the {len(rows)} with the largest entries beside the diagonal."
    return [names[i] for i in rows], [[matrix[i][j] for j in rows] for i in rows], left


def blocks(view: View) -> tuple[Block, list[Block]]:
    """One heatmap for each table and form: that of mean directions of g, and the others."""
    first, *others = (_block(view, table, form, matrix) for table, form, matrix in matrices(view))
    return first, others


def alignment(view: View) -> Block:
    """Concept × concept mean cosine between f and g: the diagonal is alignment."""
    matrix = [list(row) for row in view.summary.figures.alignment]
    own = [value for i, row in enumerate(matrix) if (value := row[i]) is not None]
    others = [
        abs(value)
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if i != j and value is not None
    ]
    found = (
        f"{cosine(sum(own) / len(own))} within a concept" if own else "no concept has pairs in both tables"
    )
    if others:
        found += f", at most {cosine(max(others))} across concepts"
    names, drawn, left = _part(view.names, matrix)
    return Block(
        id="alignment-matrix",
        kind="plot",
        title=f"Alignment of f with g: {found}",
        meaning=MEANINGS["alignment"],
        caption=f"Rows: steering vectors of f; columns: of g. Mean cosine of all pairs. {left}".strip(),
        alt=f"Heatmap, concept by concept: mean cosine of f with g, {found}.",
        spec=heat.square(names, drawn, _cells(drawn, ""), "f: %{y}, g: %{x}: %{z:.3f}<extra></extra>"),
    )


def _block(view: View, table: str, form: str, matrix: Matrix) -> Block:
    top = largest(view, table, form)
    what, unit = FORM_WORDS[form]
    found = f"largest {unit} {cosine(top[0])} ({top[1]} × {top[2]})" if top else "no two concepts have pairs"
    names, drawn, left = _part(view.names, matrix)
    return Block(
        id=f"overlap-{table}-{form.replace('_', '-')}",
        kind="plot",
        title=f"{what}, {TABLE_WORDS[table]}: {found}",
        meaning=MEANINGS[f"orthogonality.{form}"],
        alt=f"Heatmap, concept by concept: {unit} of {what.lower()}, {TABLE_WORDS[table]}; {found}.",
        caption=left,
        spec=heat.square(names, drawn, _cells(drawn, form)),
    )


def _cells(matrix: Matrix, form: str) -> list[list[str]]:
    return [[_cell(value, i == j, form) for j, value in enumerate(row)] for i, row in enumerate(matrix)]


def _cell(value: float | None, diagonal: bool, form: str) -> str:
    if value is None:
        return "" if diagonal and form == "mean_directions" else ABSENT
    return cosine(value) if abs(value) < 0.995 else f"{value:.2f}"


def paper(view: View) -> Any:
    """All heatmaps for a paper."""
    from matplotlib.figure import Figure

    found = matrices(view)
    figure = Figure(figsize=(7.2, 3.3 * -(-len(found) // 2)), layout="constrained")
    for place, (table, form, matrix) in enumerate(found):
        axes: Any = figure.add_subplot(-(-len(found) // 2), 2, place + 1)
        names, drawn, _ = _part(view.names, matrix)
        image = _draw(axes, names, drawn, form)
        axes.set_title(f"{FORM_WORDS[form][0]}, {TABLE_WORDS[table]}")
        figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0, 0.5, 1], label=FORM_WORDS[form][1])
    return figure


def paper_alignment(view: View) -> Any:
    """The alignment matrix for a paper."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.5, 2.95), layout="constrained")
    axes: Any = figure.add_subplot()
    names, drawn, _ = _part(view.names, [list(row) for row in view.summary.figures.alignment])
    image = _draw(axes, names, drawn, "")
    axes.set(xlabel="unembedding g", ylabel="embedding f")
    figure.colorbar(image, ax=axes, shrink=0.8, ticks=[0, 0.5, 1], label="mean cosine")
    return figure


def _draw(axes: Any, names: Sequence[str], matrix: Matrix, form: str) -> Any:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    from linrep.page.print_style import plain

    stops = [palette.paper(f"--heat-{i}") for i in range(3)]
    colours = LinearSegmentedColormap.from_list("heat", stops)
    values = np.array([[np.nan if value is None else value for value in row] for row in matrix])
    image = axes.imshow(values, cmap=colours, vmin=0, vmax=1)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(names)), [plain(name) for name in names], rotation=40, ha="right")
    axes.set_yticks(range(len(names)), [plain(name) for name in names])
    if len(names) <= heat.NUMBERED:
        for i, row in enumerate(matrix):
            for j, value in enumerate(row):
                colour = "white" if (value or 0) > 0.6 else "#15191f"
                text = _cell(value, i == j, form)
                axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
    return image
