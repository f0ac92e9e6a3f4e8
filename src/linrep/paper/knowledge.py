"""Contexts that know at most u concepts, at a width that leaves linearity free."""

import math
from collections.abc import Iterator
from itertools import pairwise

from linrep.page.chart import Series, chart, numeric
from linrep.page.numbers import cosine, listed
from linrep.page.shell import Block
from linrep.paper.record import Answer, Experiment, nothing
from linrep.paper.yardsticks import PREDICTED, controls, predicted_line, predicted_rows
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row
from linrep.theory.limits import predict

AXIS = "known"
NEAR = 0.15
RULE = (
    "Training nears its limit only like 1/ln t. “Yes” if at every u the mean linearity of g is within "
    f"{NEAR} of the predicted limit, “undecided” if at least the two fall together, never rising with "
    "u, else "
    "“no”."
)


def answer(numbers: Numbers) -> Answer:
    """Measured against predicted linearity, over how much contexts know."""
    found = [
        (label, cell.mean("linearity", "unembedding"), cell.mean(PREDICTED, "unembedding"))
        for label, cell in numbers.each(AXIS)
    ]
    found = [row for row in found if not any(map(math.isnan, row[1:]))]
    if len(found) < 2:
        return nothing(RULE)
    far = [label for label, measured, limit in found if abs(measured - limit) > NEAR]
    measured = [row[1] for row in found]
    falls = all(after <= before + 1e-3 for before, after in pairwise(measured))
    standing = "yes" if not far else "undecided" if falls and measured[-1] < measured[0] else "no"
    rows = "; ".join(
        f"u = {label}: {cosine(value)} (predicted {cosine(limit)})" for label, value, limit in found
    )
    rest = f", farther than {NEAR} from the limit at u = {listed(far)}" if far else ""
    return Answer(
        standing=standing,
        finding=f"mean linearity of g where contexts know at most u concepts is {rows}{rest}.",
        rule=RULE,
    )


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of both tables against how much contexts know, with prediction and controls."""
    cells = numbers.each(AXIS)
    x = numeric([label for label, _ in cells])
    lines: list[Series] = []
    for name, colour, table in (("g", "--unembedding", "unembedding"), ("f", "--embedding", "embedding")):
        points = [cell.spread("linearity", table) for _, cell in cells]
        lines.append(Series(name=f"linearity of {name}", colour=colour, x=x, points=points))
        lines.append(predicted_line(f"predicted, {name}", colour, cells, table))
    lines += controls(x, [cell for _, cell in cells], "linearity", "unembedding")
    return [
        chart(
            "knowledge",
            "Linearity against knowledge",
            [line for line in lines if line.x],
            x="most concepts a context knows, u",
            y="mean cosine",
            size="wide",
        )
    ]


def extra(result: Result) -> Iterator[Row]:
    """The predicted limit for these contexts at this width."""
    world, config = result.worlds[0], result.config
    counts = (world.codes < 2).sum(1)
    known = (int(counts.min()), int(counts.max()))
    yield from predicted_rows(result, predict(world.model.concepts, config.model.dim, known))


EXPERIMENT = Experiment(name="knowledge", answer=answer, figures=figures, extra=extra)
