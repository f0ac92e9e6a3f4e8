"""The page of geometry by width: transformers beside the same worlds' tables, one ruler."""

import math
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import linrep
from linrep.files import make_folder, one_line_errors, write_file
from linrep.llm.toy.sweep import Kind, WidthSweep
from linrep.page.interval import Dash, Estimates, line, null
from linrep.page.numbers import ABSENT, cosine, short
from linrep.page.scale import Scale, Standing
from linrep.page.shell import Block, Line, Page, Section, assemble
from linrep.runs.spreadsheet import frame_to_csv
from linrep.runs.tidy import as_parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure by width."""

    measure: str | None
    """None: the excess loss."""
    title: str
    axis: str
    tables: tuple[str, ...] = ("",)


BOTH = ("unembedding", "embedding")
PANELS = (
    Panel(measure="linearity", title="Linearity", axis="mean cosine", tables=BOTH),
    Panel(measure="alignment", title="Alignment of f with g", axis="mean cosine"),
    Panel(measure="orthogonality_mean", title="Overlap, mean directions", axis="mean |cosine|", tables=BOTH),
    Panel(measure=None, title="Excess loss", axis="nats"),
)
KINDS: tuple[Kind, ...] = ("transformer", "tables")
Q95 = attrgetter("null.q95")
COLOURS = {"unembedding": "--unembedding", "embedding": "--embedding", "": "--both"}
LETTERS = {"unembedding": "g, ", "embedding": "f, ", "": ""}
WORDS = {
    "linearity": "linearity",
    "alignment": "alignment of f with g",
    "orthogonality_mean": "overlap, mean directions",
    "orthogonality_rms": "overlap, all vectors",
}
YES = {"True": "yes", "False": "no"}


def save(sweep: WidthSweep, out: Path) -> Path:
    """Write `widths.csv`, `widths.parquet` and `page.html`; returns the page."""
    table = sweep.table
    with one_line_errors(out):
        make_folder(out)
        write_file(out / "widths.csv", frame_to_csv(table).encode())
        write_file(out / "widths.parquet", as_parquet(table))
        write_file(out / "page.html", render(sweep).encode())
    return out / "page.html"


def render(sweep: WidthSweep) -> str:
    """One HTML file that opens offline: linearity and alignment by width, transformer beside tables."""
    return assemble(page(sweep))


def page(sweep: WidthSweep) -> Page:
    """Linearity and alignment by width, transformer beside tables."""
    settings, widest = sweep.settings, max(sweep.widths)
    said = {kind: sweep.mean(kind, widest, "linearity", "unembedding") for kind in KINDS}
    return Page(
        title=f"At width {widest}, linearity is {cosine(said['transformer'])} in a transformer"
        + (f" and {cosine(said['tables'])} in tables of equal excess loss" if sweep.matched(widest) else ""),
        kicker=f"{settings.concepts} concepts, {settings.world} world"
        + (f", mean over {sweep.runs} worlds" if sweep.runs > 1 else ""),
        lines=_lines(sweep),
        facts=[
            (name.replace("_", " ").capitalize(), YES.get(f"{value}", f"{value}"))
            for name, value in settings.record().items()
            if name not in ("hidden", "step_size", "facts")
        ]
        + [("Seed", str(sweep.seed))],
        sections=[
            Section(
                id="widths",
                title="Geometry by width",
                intro=(
                    "Transformers learn a small language that says what contexts know; tables are given the "
                    "same world directly, until their excess loss is the transformer's. Both are measured "
                    "by one ruler under the Euclidean inner product.",
                ),
                blocks=[_panel(sweep, panel) for panel in PANELS],
            ),
            Section(id="numbers", title="Numbers", blocks=[_numbers(sweep)]),
        ],
        footer=f"linrep {linrep.__version__}. Similarities are cosines.",
    )


def _lines(sweep: WidthSweep) -> list[Line]:
    concepts = sweep.settings.concepts
    wide = [width for width in sweep.widths if width >= 2 * concepts]
    if not wide:
        return [Line(there="note", claim=f"No width is at least twice the {concepts} concepts.")]
    aligned = {width: sweep.mean("transformer", width, "alignment", "") for width in wide}
    null = [sweep.mean("transformer", width, "alignment", "", Q95) for width in wide]
    beyond = sum(
        a is not None and b is not None and a > b for a, b in zip(aligned.values(), null, strict=True)
    )
    return [
        _beside(sweep, [width for width in wide if sweep.matched(width)], len(wide)),
        Line(
            there=_standing(beyond, len(wide)),
            scales=[_share(beyond, len(wide))],
            claim=f"Transformers' contexts and words are aligned at {beyond} of {len(wide)} widths.",
            detail=" ".join(f"{width}: {cosine(a)}." for width, a in aligned.items()),
        ),
        _losses(sweep),
    ]


def _beside(sweep: WidthSweep, compared: list[int], wide: int) -> Line:
    """Transformers against tables, at equal excess loss alone."""
    if not compared:
        return Line(
            there="note",
            claim="Transformers and tables are not compared: tables came to the transformer's excess loss at "
            "no width that is at least twice the concepts.",
        )
    pairs = {
        width: [sweep.mean(kind, width, "linearity", "unembedding") for kind in KINDS] for width in compared
    }
    above = sum(a is not None and b is not None and a > b for a, b in pairs.values())
    told = " ".join(f"{width}: {cosine(a)} against {cosine(b)}." for width, (a, b) in pairs.items())
    left = f" Of {wide} widths {wide - len(compared)} are left out." if len(compared) < wide else ""
    return Line(
        there=_standing(above, len(compared)),
        scales=[_share(above, len(compared))],
        claim="Width ≥ twice the concepts, equal excess loss: transformers are more linear than tables at "
        f"{above} of {len(compared)} widths.",
        detail=f"{told}{left}",
    )


def _losses(sweep: WidthSweep) -> Line:
    losses = {width: [sweep.excess(kind, width) for kind in KINDS] for width in sweep.widths}
    told = " ".join(f"{width}: {short(a)} against {short(b)}." for width, (a, b) in losses.items())
    equal = sum(map(sweep.matched, sweep.widths))
    return Line(
        there="note",
        claim="Tables were trained to the transformer's excess loss, and came to it at "
        f"{equal} of {len(sweep.widths)} widths.",
        detail=f"Nats, by width: {told}",
    )


def _standing(part: int, whole: int) -> Standing:
    return "yes" if part == whole else "undecided" if part else "no"


def _share(part: int, whole: int) -> Scale:
    return Scale(name="of the widths", value=part / whole)


def _panel(sweep: WidthSweep, panel: Panel) -> Block:
    looks: tuple[tuple[Dash, str], ...] = (("solid", "circle"), ("dash", "square"))
    traces = [
        trace
        for kind, (dash, symbol) in zip(KINDS, looks, strict=True)
        for table in panel.tables
        for trace in line(_curve(sweep, panel, table, kind), dash=dash, symbol=symbol, with_bars=True)
    ]
    if panel.measure is not None:
        level = [sweep.mean("tables", width, panel.measure, panel.tables[0], Q95) for width in sweep.widths]
        traces += null(sweep.widths, level, None, "random pairs, 95 %")
    scale = {} if panel.measure is not None else _loss_axis(sweep)
    layout = {
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0, "font": {"size": 11}},
        "xaxis": {
            "type": "log",
            "title": {"text": "width"},
            "tickvals": sweep.widths,
            "ticktext": [str(width) for width in sweep.widths],
        },
        "yaxis": {"title": {"text": panel.axis}, **scale},
    }
    name = panel.measure or "excess_loss_nats"
    return Block(
        id=f"by-width-{name.replace('_', '-')}",
        kind="plot",
        title=f"{panel.title} by width",
        alt=f"{panel.title} by width, transformer beside tables.",
        spec={"data": traces, "layout": layout},
    )


def _loss_axis(sweep: WidthSweep) -> dict[str, Any]:
    """Logarithmic where losses differ by decades; else no power of ten need lie among them."""
    losses = [loss for width in sweep.widths for kind in KINDS if (loss := sweep.excess(kind, width))]
    decades = bool(losses) and max(losses) >= 10 * min(losses) > 0
    return {"type": "log", "dtick": 1} if decades else {"rangemode": "tozero"}


def _curve(sweep: WidthSweep, panel: Panel, table: str, kind: Kind) -> Estimates:
    """One kind of model by width, with its intervals."""
    measure, name = panel.measure, f"{LETTERS[table]}{kind}"
    values, low, high = (
        [
            sweep.mean(kind, width, measure, table, attrgetter(end))
            if measure is not None
            else sweep.excess(kind, width)
            for width in sweep.widths
        ]
        for end in ("value", "low", "high")
    )
    return Estimates(
        name=name,
        colour=COLOURS[table],
        x=sweep.widths,
        centre=values,
        low=low,
        high=high,
        hover=f"{name}, width %{{x}}: %{{y:.3f}}<extra></extra>",
    )


def _numbers(sweep: WidthSweep) -> Block:
    cells = [
        [
            f"{each.model}, width {each.width}",
            f"{LETTERS[row.table]}{WORDS[row.measure]}",
            cosine(row.value),
            ABSENT if math.isnan(row.low) else f"[{cosine(row.low)}, {cosine(row.high)}]",
            cosine(row.null.q95),
            short(each.excess_loss_nats),
            str(each.seed),
        ]
        for each in sweep.trained
        for row in each.rows
    ]
    return Block(
        id="width-table",
        kind="table",
        title="Every model",
        columns=("Model", "measure", "value", "95 %", "random, 95 %", "excess loss, nats", "seed"),
        rows=cells,
        download=("widths.csv", frame_to_csv(sweep.table)),
    )
