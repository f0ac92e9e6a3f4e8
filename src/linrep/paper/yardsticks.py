"""What measured lines are read against: random pairs, untrained tables, predicting zero, the predicted limit.

And, beside all of them, how many runs did not converge.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

from linrep.page.chart import Place, Series, chart, colour, control, means, numeric
from linrep.page.shell import Block
from linrep.paper.axis_words import title
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row, Spread
from linrep.theory.prediction import Prediction

PREDICTED = "predicted_linearity"
"""A measure of extra rows: theory's number, the same in every run of a cell."""


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


def stuck_chart(
    name: str,
    groups: Sequence[tuple[str, Numbers]],
    along: str,
    *,
    log_x: bool = False,
    size: Literal["half", "wide"] = "half",
) -> Block:
    """How many runs did not converge, where the other panels show what came of them.

    Args:
        name: Of the block.
        groups: Each line's name and cells.
        along: The axis that runs across.
        log_x: Logarithmic.
        size: Of the block.
    """
    lines: list[Series] = []
    for index, (words, part) in enumerate(groups):
        x = numeric([at for at, _ in part.each(along)])
        points = means([cell.stuck_share() for _, cell in part.each(along)])
        lines.append(Series(name=words, colour=colour(index), x=x, points=points, plain=True))
    return chart(
        name,
        "Stuck runs",
        lines,
        x=title(along),
        y="share of runs",
        log_x=log_x,
        size=size,
        caption="The share of runs whose excess loss ended at the threshold or above: held on a plateau, not "
        "finished, or kept up by the noise of sampling.",
    )
