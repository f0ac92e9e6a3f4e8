"""The page of geometry by width: transformers beside the same worlds' tables, one ruler."""

from typing import TYPE_CHECKING, Any

import linrep
from linrep.page.numbers import ABSENT, cosine, short
from linrep.page.shell import Block, Line, Page, Section, assemble

if TYPE_CHECKING:
    import pandas as pd

PANELS = (
    ("linearity", "Linearity", "mean cosine", ("unembedding", "embedding")),
    ("alignment", "Alignment of f with g", "mean cosine", ("",)),
    ("orthogonality_mean", "Overlap, mean directions", "mean |cosine|", ("unembedding", "embedding")),
    ("excess_loss_nats", "Excess loss", "nats", ("",)),
)
COLOURS = {"unembedding": "--unembedding", "embedding": "--embedding", "": "--both"}
LETTERS = {"unembedding": "g, ", "embedding": "f, ", "": ""}
WORDS = {
    "linearity": "linearity",
    "alignment": "alignment of f with g",
    "orthogonality_mean": "overlap, mean directions",
    "orthogonality_rms": "overlap, all vectors",
}
YES = {"True": "yes", "False": "no"}


def mean(
    rows: list[dict[str, Any]], kind: str, width: int, measure: str, table: str, column: str = "value"
) -> float | None:
    """Mean over worlds of one number; None where there is none."""
    key = {"model": kind, "width": width, "measure": measure, "table": table}
    found = [row[column] for row in rows if all(row[name] == value for name, value in key.items())]
    seen = [value for value in found if value is not None]
    return sum(seen) / len(seen) if seen else None


def render(table: "pd.DataFrame", settings: dict[str, Any], seed: int) -> str:
    """One HTML file that opens offline: linearity and alignment by width, transformer beside tables."""
    rows: list[dict[str, Any]] = [
        {key: None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    widths = sorted({int(row["width"]) for row in rows})
    worlds = len({row["seed"] for row in rows})
    widest = widths[-1]
    said = {kind: mean(rows, kind, widest, "linearity", "unembedding") for kind in ("transformer", "tables")}
    page = Page(
        title=f"At width {widest}, linearity is {cosine(said['transformer'])} in a transformer and "
        f"{cosine(said['tables'])} in tables",
        kicker=f"{settings['concepts']} concepts, {settings['world']} world"
        + (f", mean over {worlds} worlds" if worlds > 1 else ""),
        lines=_lines(rows, widths, int(settings["concepts"])),
        facts=[
            (name.replace("_", " ").capitalize(), YES.get(f"{value}", f"{value}"))
            for name, value in settings.items()
            if name not in ("hidden", "step_size", "facts")
        ]
        + [("Seed", str(seed))],
        sections=[
            Section(
                id="widths",
                title="Geometry by width",
                intro=(
                    "Transformers learn a small language that says what contexts know; tables are given the "
                    "same world directly. Both are measured by one ruler under the Euclidean inner product.",
                ),
                blocks=[_panel(rows, widths, *panel) for panel in PANELS],
            ),
            Section(id="numbers", title="Numbers", blocks=[_numbers(table, rows)]),
        ],
        footer=f"linrep {linrep.__version__}. Similarities are cosines.",
    )
    return assemble(page)


def _lines(rows: list[dict[str, Any]], widths: list[int], concepts: int) -> list[Line]:
    wide = [width for width in widths if width >= 2 * concepts]
    if not wide:
        return [Line(standing="note", claim=f"No width is at least twice the {concepts} concepts.")]
    pairs = [
        [mean(rows, kind, width, "linearity", "unembedding") for kind in ("transformer", "tables")]
        for width in wide
    ]
    above = sum(a is not None and b is not None and a > b for a, b in pairs)
    lines = [
        Line(
            standing="yes" if above == len(wide) else "partly" if above else "no",
            claim=f"Width ≥ twice the concepts: transformers are more linear than tables at {above} of "
            f"{len(wide)} widths.",
            detail=" ".join(
                f"{width}: {cosine(a)} against {cosine(b)}."
                for width, (a, b) in zip(wide, pairs, strict=True)
            ),
        )
    ]
    aligned = [mean(rows, "transformer", width, "alignment", "") for width in wide]
    null = [mean(rows, "transformer", width, "alignment", "", "null_q95") for width in wide]
    beyond = sum(a is not None and b is not None and a > b for a, b in zip(aligned, null, strict=True))
    lines.append(
        Line(
            standing="yes" if beyond == len(wide) else "partly" if beyond else "no",
            claim=f"Transformers' contexts and words are aligned at {beyond} of {len(wide)} of them.",
            detail=" ".join(f"{width}: {cosine(a)}." for width, a in zip(wide, aligned, strict=True)),
        )
    )
    losses = {
        width: [
            mean(rows, kind, width, "linearity", "unembedding", "excess_loss_nats")
            for kind in ("transformer", "tables")
        ]
        for width in widths
    }
    told = " ".join(f"{width}: {short(a)} against {short(b)}." for width, (a, b) in losses.items())
    lines.append(
        Line(
            standing="note",
            claim="Transformers and tables are not equally near the true probabilities.",
            detail=f"Excess loss in nats, by width: {told}",
        )
    )
    return lines


def _panel(
    rows: list[dict[str, Any]],
    widths: list[int],
    measure: str,
    title: str,
    axis: str,
    tables: tuple[str, ...],
) -> Block:
    traces: list[dict[str, Any]] = []
    excess = measure == "excess_loss_nats"
    where, column = ("linearity", measure) if excess else (measure, "value")
    for kind, dash, symbol in (("transformer", "solid", "circle"), ("tables", "dash", "square")):
        for table in tables:
            at = "unembedding" if excess else table
            values = [mean(rows, kind, width, where, at, column) for width in widths]
            ends = [
                [None if excess else mean(rows, kind, width, where, at, end) for width in widths]
                for end in ("low", "high")
            ]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": f"{LETTERS[table]}{kind}",
                    "x": widths,
                    "y": values,
                    "error_y": {
                        "type": "data",
                        "symmetric": False,
                        "array": [
                            max(b - v, 0) if b is not None and v is not None else 0
                            for v, b in zip(values, ends[1], strict=True)
                        ],
                        "arrayminus": [
                            max(v - a, 0) if a is not None and v is not None else 0
                            for v, a in zip(values, ends[0], strict=True)
                        ],
                        "color": COLOURS[table],
                        "thickness": 1.2,
                        "width": 3,
                    },
                    "line": {"color": COLOURS[table], "dash": dash, "width": 2},
                    "marker": {"symbol": symbol, "size": 7},
                    "hovertemplate": f"{LETTERS[table]}{kind}, width %{{x}}: %{{y:.3f}}<extra></extra>",
                }
            )
    if not excess:
        null = [mean(rows, "tables", width, where, tables[0], "null_q95") for width in widths]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "random pairs, 95 %",
                "x": widths,
                "y": null,
                "line": {"color": "--null", "dash": "dot", "width": 1.2},
                "hoverinfo": "skip",
            }
        )
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "font": {"size": 11}},
        "xaxis": {
            "type": "log",
            "title": {"text": "width"},
            "tickvals": widths,
            "ticktext": [str(w) for w in widths],
        },
        "yaxis": {"title": {"text": axis}, **({"type": "log", "dtick": 1} if excess else {})},
    }
    return Block(
        id=f"by-width-{measure.replace('_', '-')}",
        kind="plot",
        title=f"{title} by width",
        alt=f"{title} by width, transformer beside tables.",
        spec={"data": traces, "layout": layout},
    )


def _numbers(table: "pd.DataFrame", rows: list[dict[str, Any]]) -> Block:
    cells = [
        [
            f"{row['model']}, width {row['width']}",
            f"{LETTERS[row['table']]}{WORDS[row['measure']]}",
            cosine(row["value"]),
            ABSENT if row["low"] is None else f"[{cosine(row['low'])}, {cosine(row['high'])}]",
            cosine(row["null_q95"]),
            short(row["excess_loss_nats"]),
            str(row["seed"]),
        ]
        for row in rows
    ]
    return Block(
        id="width-table",
        kind="table",
        title="Every model",
        columns=("Model", "measure", "value", "95 %", "random, 95 %", "excess loss, nats", "seed"),
        rows=cells,
        download=("widths.csv", table.to_csv(index=False)),
    )
