"""Whether concepts are linear, aligned and orthogonal directions: one rule for all that ask it."""

from collections.abc import Sequence

from linrep.page.axis_words import title
from linrep.page.chart import chart, colour, control
from linrep.page.numbers import cosine
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held, above, below, judged
from linrep.paper.ended import mean_over
from linrep.paper.measured import Cells, measured_line
from linrep.paper.paired import Key
from linrep.paper.record import Answer, nothing
from linrep.paper.yardsticks import ended_chart
from linrep.sweeps.numbers import Numbers

M = "concepts"
"""The axis of worlds of m concepts."""
G: Key = ("linearity", "unembedding")
BOTH: Key = ("alignment", "")
APART: Key = ("orthogonality.mean_directions", "unembedding")
HIGH, SMALL = 0.9, 0.05
BOUNDS = (
    f"the mean linearity of g and the mean alignment lie above {HIGH} and the mean overlap of different "
    f"concepts below {SMALL}"
)

Groups = Sequence[tuple[str, Numbers]]
"""Names, and their cells along M."""


def answer_of(groups: Groups, *, rule: str, would_change: str) -> Answer:
    """Yes if all three hold in every cell, no if one of them fails in one.

    Args:
        groups: In the words of the finding.
        rule: Which ends in :data:`BOUNDS`.
        would_change: The answer.
    """
    effects: list[Held] = []
    words: list[str] = []
    for name, part in groups:
        cells = [(m, cell) for m, cell in part.each(M) if cell.runs(ended="converged")]
        if not cells:
            continue
        effects += [held for m, cell in part.each(M) for held in _held(cell, f"{name}, m = {m}")]
        words.append(f"{name}: {_extremes(cells)}")
    if not effects:
        return nothing(rule)
    return Answer(
        standing=judged(effects),
        finding=f"{'; '.join(words)}.",
        rule=rule,
        effects=tuple(effects),
        would_change=would_change,
    )


def _held(cell: Numbers, where: str) -> list[Held]:
    return [
        above(f"linearity of g, {where}", mean_over(cell, *G, UNIT), HIGH, cosine),
        above(f"alignment, {where}", mean_over(cell, *BOTH, UNIT), HIGH, cosine),
        below(f"overlap, {where}", mean_over(cell, *APART, UNIT), SMALL, cosine),
    ]


def _extremes(cells: Cells) -> str:
    """Of the cells in which each is worst."""
    low, aligned, apart = (
        [cell.mean(*measure, ended="converged") for _, cell in cells] for measure in (G, BOTH, APART)
    )
    return (
        f"linearity of g at least {cosine(min(low))}, alignment at least {cosine(min(aligned))}, overlap at "
        f"most {cosine(max(apart))}"
    )


def direction_charts(name: str, groups: Groups) -> list[Block]:
    """Linearity of g and alignment against m, a line for each group, and how runs ended.

    Args:
        name: Before the names of the blocks.
        groups: One or more.
    """
    blocks: list[Block] = []
    for measure, words in ((G, "Linearity of g"), (BOTH, "Alignment")):
        lines = [
            measured_line(group, colour(index), part.each(M), measure)
            for index, (group, part) in enumerate(groups)
        ]
        cells = groups[0][1].each(M)
        null = [cell.spread(*measure, kind="null") for _, cell in cells]
        lines.append(control("random pairs", "--null", [float(m) for m, _ in cells], null))
        blocks.append(chart(f"{name}-{measure[0]}", words, lines, x=title("world.concepts"), y="mean cosine"))
    return [*blocks, ended_chart(f"{name}-ended", groups, M)]
