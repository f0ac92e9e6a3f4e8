"""The page of the paper's figures for one model: four figures in the paper's order, each with its sentence,
null and interval; what they are in other gauges stands together in one table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import linrep
from linrep.files import one_line_errors, write_file
from linrep.llm.inner import InnerName
from linrep.llm.replication import FIGURES, INNERS, FigureName, LMPaper
from linrep.page.lm import figures
from linrep.page.lm.page import facts, token_table
from linrep.page.lm.view import INNER, TABLES, View, with_interval
from linrep.page.numbers import ABSENT, cosine, count
from linrep.page.scale import Scale
from linrep.page.shell import Block, Line, Page, Section, assemble
from linrep.runs.row import Row
from linrep.runs.spreadsheet import frame_to_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES: dict[FigureName, str] = {
    "linearity": "Word pairs of a concept differ by one direction",
    "overlap": "Directions of different concepts are apart",
    "alignment": "States move along the direction of their own concept",
    "winograd": "States of Winograd pairs move from one referent to the other",
}
SHORT: dict[FigureName, str] = {
    "linearity": "Linearity",
    "overlap": "Inner products",
    "alignment": "Alignment",
    "winograd": "Winograd",
}
SAID: dict[InnerName, str] = {
    "euclid": "Euclidean",
    "causal": "causal",
    "random": "randomly turned",
}
NUMBERS = (
    ("Linearity of word pairs", "linearity", ""),
    ("Overlap of different concepts", "orthogonality_mean", ""),
    ("Alignment with the own direction", "alignment_direction", ""),
    ("|cosine| with unrelated directions", "alignment_unrelated", ""),
    ("Alignment of Winograd pairs", "alignment", "winograd"),
)
"""Of the one table: name, measure, concept."""
THRESHOLDS = (
    "Yes: the whole 95 % interval of the mean lies above the 97.5 % quantile of random pairs; no: all of it "
    "below; else undecided.",
    "Apart: the whole interval of the mean |cosine| lies below the 2.5 % quantile of as many directions of "
    "random pairs; no: all of it above their 97.5 % quantile; else undecided.",
    "Of a mean over concepts the interval is Student's over concepts (of the overlap: leaving out concepts), "
    "and its null the mean of the concepts' nulls, which is at least as wide as the mean's own.",
)


@dataclass(frozen=True)
class Seen:
    """The figures as a reader asks for them."""

    paper: LMPaper

    @cached_property
    def view(self) -> View:
        """The measurement in the gauge of the headlines."""
        return View(self.paper.result)

    @property
    def model(self) -> str:
        """What it is called."""
        return str(self.paper.result.summary["model"]["name"])

    def scale(self, figure: FigureName) -> Scale:
        """Is it there, and how much?"""
        row, falls = self.paper.headline(figure), figure == "overlap"
        if row is None:
            return Scale(name=SHORT[figure].lower(), value=None)
        return Scale(
            name=SHORT[figure].lower(),
            value=row.value,
            interval95=(row.low, row.high),
            null=row.null.low if falls else row.null.high,
            start=float(falls),
            end=float(not falls),
        )


def save(paper: LMPaper, out: Path) -> Path:
    """Write `result.json`, `table.parquet`, `table.csv` and `page.html`; returns the page."""
    with one_line_errors(out):
        paper.save(out)
        write_file(out / "page.html", render(paper).encode())
    return out / "page.html"


def render(paper: LMPaper) -> str:
    """One HTML file that opens offline."""
    return assemble(page(paper))


def page(paper: LMPaper) -> Page:
    """All that the page of the paper's figures says."""
    seen = Seen(paper)
    summary = paper.result.summary
    sections = [
        Section(
            id=name,
            title=TITLES[name],
            short=SHORT[name],
            intro=[sentence(seen, name)],
            blocks=BLOCKS[name](seen) if name not in paper.absent else [],
        )
        for name in FIGURES
    ]
    return Page(
        title=title(seen),
        kicker=f"{seen.model}, {TABLES[summary['table']['table']]}; numbers under one inner product: "
        f"{INNER[paper.inner]}",
        lines=lines(paper),
        thresholds=THRESHOLDS,
        facts=facts(seen.view),
        sections=[
            *sections,
            Section(
                id="inner", title="The same under each inner product", blocks=[_table(seen)], folded=True
            ),
            Section(id="tokens", title="Tokens", blocks=[token_table(seen.view)], folded=True),
        ],
        footer=f"linrep {linrep.__version__}. After Jiang et al. 2024, section 5. Similarities are cosines.",
    )


def title(seen: Seen) -> str:
    """The page's heading."""
    stands = [seen.scale(name).there for name in FIGURES if name not in seen.paper.absent]
    there = sum(each == "yes" for each in stands)
    asked = "of the paper's four findings hold"
    if len(stands) < len(FIGURES):
        asked = f"of the {len(stands)} findings of the paper that could be asked hold"
    return f"{there} {asked} in {seen.model}"


def lines(paper: LMPaper) -> list[Line]:
    """Every finding with its standing, in the paper's order; then what a reader must be warned of."""
    seen = Seen(paper)
    found = [
        Line(
            there=scale.there,
            claim=f"{TITLES[name]}.",
            scales=[] if scale.value is None else [scale],
            detail=number(seen, name),
        )
        for name in FIGURES
        for scale in [seen.scale(name)]
    ]
    summary = paper.result.summary
    notes = [*summary["model"]["notes"], *summary["warnings"]]
    return [
        *found,
        *(Line(there="note", claim="Note.", detail=f"{text[:1].upper()}{text[1:]}.") for text in notes),
    ]


def number(seen: Seen, figure: FigureName) -> str:
    """A figure's one number beside its null."""
    row = seen.paper.headline(figure)
    if row is None:
        return f"Not measured: {seen.paper.absent[figure]}."
    chance = f"[{cosine(row.null.low)}, {cosine(row.null.high)}]"
    what = "|cosine|" if figure == "overlap" else "cosine"
    return f"Mean {what} {with_interval(row)}, by chance {chance}; {SAID[seen.paper.inner]} inner product."


def sentence(seen: Seen, figure: FigureName) -> str:
    """What a figure says, from its number."""
    why = seen.paper.absent.get(figure)
    if why is not None:
        return f"Not measured: {why}."
    row = seen.paper.headline(figure)
    assert row is not None
    return SENTENCES[figure](seen, row)


def _linearity(seen: Seen, row: Row) -> str:
    names = seen.view.concepts
    found = sum(bool(seen.view.flag("found", name, table="unembedding")) for name in names)
    return (
        f"Mean cosine of a concept's word-pair differences {with_interval(row)} over {count(len(names))} "
        f"concepts ({count(row.pairs)} pairs); random pairs stay below {cosine(row.null.high)}. "
        f"{found} of {len(names)} concepts are beyond chance by themselves."
    )


def _overlap(seen: Seen, row: Row) -> str:
    others = [
        f"{cosine(other.value)} under the {SAID[name]}"
        for name in INNERS
        if name != seen.paper.inner and (other := seen.paper.headline("overlap", name)) is not None
    ]
    return (
        f"Mean |cosine| of different concepts' directions {with_interval(row)}; as many directions of random "
        f"pairs {cosine(row.null.mean)} [{cosine(row.null.low)}, {cosine(row.null.high)}]. "
        f"It is {' and '.join(others)} inner product."
    )


def _alignment(seen: Seen, row: Row) -> str:
    ranks = seen.view.rows("alignment_rank")
    first = sum(each.value == 1 for each in ranks)
    said = (
        f"Mean cosine of a context pair's Δf with its own concept's direction {with_interval(row)} over "
        f"{count(len(ranks))} concepts ({count(row.pairs)} pairs); directions of random word pairs stay "
        f"below {cosine(row.null.high)}."
    )
    unrelated = seen.paper.number("alignment_unrelated")
    if unrelated is not None:
        said += f" With unrelated concepts' directions the mean |cosine| is {with_interval(unrelated)}."
    return f"{said} The own direction comes first of {len(seen.view.concepts)} for {first} of {len(ranks)}."


def _winograd(seen: Seen, row: Row) -> str:
    right = seen.paper.number("referent_accuracy", "winograd")
    said = (
        f"Mean cosine of Δf with the difference of the two referents {with_interval(row)} over "
        f"{count(row.pairs)} pairs; referents dealt anew stay below {cosine(row.null.high)}."
    )
    return said if right is None else f"{said} Towards the right one in {cosine(right.value)} of them."


def _linearity_blocks(seen: Seen) -> list[Block]:
    view = seen.view
    names = sorted(view.concepts, key=lambda name: figures.rank(_word_row(view, name)))
    rows = [_word_row(view, name) for name in names]
    return [
        Block(
            id="linearity-plot",
            kind="plot",
            title="Linearity of the unembedding by concept",
            caption="Mean cosine between a concept's word-pair differences, 95 % interval over pairs; grey: "
            "95 % of draws of random pairs.",
            alt=f"Dots with intervals, one for each of {len(names)} concepts, beside the range of random "
            "pairs.",
            spec=figures.dots(names, [("word pairs", "--unembedding", 0.0, rows)], "mean cosine"),
            size="wide",
        )
    ]


def _word_row(view: View, name: str) -> Row | None:
    return view.row("linearity", name, table="unembedding")


def _overlap_blocks(seen: Seen) -> list[Block]:
    return figures.overlaps(seen.view)


def _alignment_blocks(seen: Seen) -> list[Block]:
    blocks = [figures.alignment_dots(seen.view), figures.alignment_heat(seen.view)]
    return [block for block in blocks if block is not None]


def _winograd_blocks(seen: Seen) -> list[Block]:
    rows = [seen.paper.headline("winograd", name) for name in INNERS]
    return [
        Block(
            id="winograd-plot",
            kind="plot",
            title="Winograd pairs under each inner product",
            caption="Mean cosine of Δf with the referents' Δg, 95 % interval over pairs; grey: 95 % of draws "
            "that deal the referents anew.",
            alt="Dots with intervals, one for each inner product, beside the range of referents dealt anew.",
            spec=figures.dots(
                [INNER[name] for name in INNERS],
                [("Winograd pairs", "--both", 0.0, rows)],
                "mean cosine",
                null="referents dealt anew",
            ),
        )
    ]


def _table(seen: Seen) -> Block:
    rows: list[list[str]] = []
    for name, measure, concept in NUMBERS:
        found = [seen.paper.number(measure, concept, inner) for inner in INNERS]
        if any(found):
            rows.append([name, *(cell for row in found for cell in _cells(row))])
    columns = [
        text
        for inner in INNERS
        for text in (f"{INNER[inner]}{', headline' if inner == seen.paper.inner else ''}", "random")
    ]
    return Block(
        id="inner-table",
        kind="table",
        title="Every number of the four figures",
        caption="Mean with its 95 % interval; random: from the 2.5 % to the 97.5 % quantile of its null. The "
        "random turn has the causal inner product's spectrum and knows nothing of the model.",
        columns=("Number", *columns),
        rows=rows,
        download=("table.csv", frame_to_csv(seen.paper.table)),
        size="wide",
    )


def _cells(row: Row | None) -> tuple[str, str]:
    if row is None:
        return ABSENT, ABSENT
    null = f"[{cosine(row.null.low)}, {cosine(row.null.high)}]"
    return with_interval(row), null if row.null.high == row.null.high else ABSENT


SENTENCES: Mapping[FigureName, Callable[[Seen, Row], str]] = {
    "linearity": _linearity,
    "overlap": _overlap,
    "alignment": _alignment,
    "winograd": _winograd,
}
BLOCKS: Mapping[FigureName, Callable[[Seen], list[Block]]] = {
    "linearity": _linearity_blocks,
    "overlap": _overlap_blocks,
    "alignment": _alignment_blocks,
    "winograd": _winograd_blocks,
}


def drawn(paper: LMPaper) -> "dict[str, Figure]":
    """The four figures for print, by name; one that does not exist for the model is left out."""
    from matplotlib import rc_context

    from linrep.page.print_plot import figure
    from linrep.page.print_style import STYLE

    seen = Seen(paper)
    with rc_context(STYLE):
        return {name: figure(BLOCKS[name](seen)) for name in FIGURES if name not in paper.absent}


def save_figures(paper: LMPaper, folder: Path | str) -> list[Path]:
    """Save every figure as PDF, SVG and PNG; returns the files."""
    from linrep.page.print_style import save as save_all

    with one_line_errors(Path(folder)):
        return save_all(drawn(paper), folder)
