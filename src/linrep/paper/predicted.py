"""Linearity as theory predicts it, beside what is measured: the same in every run of a cell."""

import math
from collections.abc import Iterator, Sequence

from linrep.page.chart import Series, means, numeric
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.prediction import Prediction

PREDICTED = "predicted_linearity"


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
