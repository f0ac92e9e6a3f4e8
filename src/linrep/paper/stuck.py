"""The panel of stuck runs: their share in each cell, one line a group."""

from collections.abc import Sequence
from typing import Literal

from linrep.page.chart import Series, chart, colour, means, numeric
from linrep.page.shell import Block
from linrep.paper.axis_words import title
from linrep.sweeps.numbers import Numbers


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
