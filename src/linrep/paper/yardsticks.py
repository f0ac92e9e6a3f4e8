"""What measured lines are read against: random pairs, untrained tables, predicting zero, the predicted limit.

And, beside all of them, how runs ended.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from linrep.page.axis_words import title
from linrep.page.bars import stacked
from linrep.page.chart import Place, Series, control, means, numeric
from linrep.page.ends import COLOURS
from linrep.page.shell import Block
from linrep.paper.ended import CONVERGED
from linrep.paper.table import cells_of
from linrep.runs.result import Result
from linrep.runs.summary import END_WORDS
from linrep.sweeps.numbers import Numbers, Row, Spread
from linrep.theory.prediction import Prediction

PREDICTED = "predicted_linearity"
"""A measure of extra rows: theory's number, the same in every run of a cell."""

MOST_BARS = 60
"""Cells beyond which bars are too thin to be read."""


def controls(
    x: Sequence[Place],
    parts: Sequence[Numbers],
    measure: str,
    table: str = "",
    *,
    start: str = "--predicted",
) -> list[Series]:
    """A measure on random pairs, and of untrained tables.

    Args:
        x: Where each part stands.
        parts: Cells of a sweep.
        measure: Which.
        table: Of which table.
        start: Colour of the line for untrained tables.
    """
    null = [part.spread(measure, table, kind="null") for part in parts]
    untrained = [part.spread(measure, table, at="start") for part in parts]
    return [control("random pairs", "--null", x, null), control("untrained", start, x, untrained)]


def gap_lines(x: Sequence[Place], parts: Sequence[Numbers]) -> list[Series]:
    """The measured log-odds gap and its yardstick.

    Args:
        x: Where each part stands.
        parts: Cells of a sweep.
    """

    def points(kind: str) -> list[Spread]:
        return [part.spread("log_odds_gap_nats", kind=kind) for part in parts]

    measured = Series(name="measured", colour="--unembedding", x=x, points=points("value"))
    return [measured, control("predicting zero", "--null", x, points("null"))]


def predicted_rows(result: Result, found: Prediction) -> Iterator[Row]:
    """Linearity of both tables, where theory says anything of it."""
    if found.geometry is None:
        return
    for table, value in (
        ("unembedding", found.geometry.linearity_unembedding),
        ("embedding", found.geometry.linearity_embedding),
    ):
        if value is not None:
            for run in range(result.config.runs):
                yield result.snapshot_steps[-1], run, PREDICTED, table, "value", value


def predicted_line(
    name: str, colour: str, cells: Sequence[tuple[str, Numbers]], table: str, *, joined: bool = True
) -> Series:
    """Over the cells that have a prediction."""
    limit = [(at, value) for at, cell in cells if not math.isnan(value := cell.mean(PREDICTED, table))]
    return Series(
        name=name,
        colour=colour,
        x=numeric([at for at, _ in limit]),
        points=means([value for _, value in limit]),
        dash="dash",
        plain=True,
        marker="diamond",
        joined=joined,
    )


def ended_chart(
    name: str,
    groups: Sequence[tuple[str, Numbers]],
    along: str,
    *,
    size: Literal["half", "wide"] = "half",
) -> Block:
    """How runs ended, where the other panels show what came of them: stacked shares, one bar a cell.

    Args:
        name: Of the block.
        groups: Name and cells of each group of bars.
        along: The axis within a group.
        size: Of the block.
    """
    cells = [(words, at, cell.counts()) for words, part in groups for at, cell in part.each(along)]
    return stacked(
        name,
        "How runs ended",
        [(words, at) for words, at, _ in cells],
        {
            ending: [found[ending] / max(1, sum(found.values())) for _, _, found in cells]
            for ending in END_WORDS
        },
        colours=COLOURS,
        x=title(along),
        y="share of runs",
        size=size,
    )


def ended_everywhere(numbers: Numbers) -> Block | None:
    """How the runs of every cell ended, for the page; None where all converged or cells are too many."""
    cells = [(labels, cell.counts()) for labels, cell in cells_of(numbers)]
    total = numbers.counts()
    if not 0 < len(cells) <= MOST_BARS or total[CONVERGED] == sum(total.values()):
        return None
    axes = list(numbers.axes)
    return stacked(
        "how-runs-ended",
        "How runs ended",
        [(" · ".join(labels[:-1]), labels[-1]) for labels, _ in cells],
        {word: [found[word] / max(1, sum(found.values())) for _, found in cells] for word in END_WORDS},
        colours=COLOURS,
        x=title(axes[-1]),
        y="share of runs",
    )
