"""The paper's simulations as far as they are known, and beside every number of them whose it is."""

from linrep.page.chart import chart, colour, control
from linrep.page.numbers import listed
from linrep.page.shell import Block
from linrep.paper.effects import Held, judged
from linrep.paper.emergence import BOTH, HIGH, SMALL, G, directions, extremes
from linrep.paper.measured import measured_line
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    OVERLAP_G,
    Answer,
    Experiment,
    nothing,
)
from linrep.paper.yardsticks import ended_chart
from linrep.sweeps.numbers import Numbers

SET, M = "set", "concepts"
PAPER, OURS = "the paper (arXiv 2403.03867)", "ours: the paper's number is not known to us"
NUMBERS = (
    ("world", "random directed acyclic graphs over binary concepts", PAPER),
    ("conditional probabilities", "uniform in [0.3, 0.7]", PAPER),
    ("width k", "the number of concepts m", PAPER),
    ("representations", "free tables f and g, a softmax of their products", PAPER),
    ("training", "stochastic gradient descent on sampled contexts and tokens", PAPER),
    ("contexts and concept vectors", "complete, and incomplete ones of both", PAPER),
    ("probability of an edge", "0.5", OURS),
    ("number of concepts m", "3 to 6", OURS),
    ("batch", "100 contexts, a token of each", OURS),
    ("step size", "5 (10 at m = 6), by cosine to 0 within 20,000 steps", OURS),
    ("end", "1 % of the excess loss of tables that know nothing", OURS),
    ("start", "normal, standard deviation 0.1", OURS),
    ("what is left out", "half of the contexts, or a quarter of the concept vectors, at random", OURS),
    ("runs", "8 worlds in every cell", OURS),
)
"""What is set, to what, and by whom."""
RULE = (
    "“Yes” if on complete sets and on incomplete ones, at every number of concepts, the mean linearity of g "
    f"and the mean alignment lie above {HIGH} and the mean overlap of different concepts below {SMALL}, “no” "
    "if one of them lies on the other side. The paper's: "
    f"{listed([name for name, _, whose in NUMBERS if whose == PAPER])}. Ours: "
    f"{listed([name for name, _, whose in NUMBERS if whose == OURS])}."
)


def answer(numbers: Numbers) -> Answer:
    """Linear, aligned and orthogonal on every set?"""
    effects: list[Held] = []
    words: list[str] = []
    for name, part in numbers.each(SET):
        cells = [(m, cell) for m, cell in part.each(M) if cell.runs(ended="converged")]
        if not cells:
            continue
        effects += [held for m, cell in part.each(M) for held in directions(cell, f"{name}, m = {m}")]
        words.append(
            f"with {name} sets {extremes(cells)}" if name == "complete" else f"with {name} {extremes(cells)}"
        )
    if not effects:
        return nothing(RULE)
    return Answer(
        standing=judged(effects),
        finding=f"{'; '.join(words)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="The paper's numbers where ours stand, or other shares left out.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Linearity and alignment against m on each set, how runs ended, and whose each number is."""
    sets = numbers.each(SET)
    if not sets:
        return []
    blocks: list[Block] = []
    for measure, words in ((G, "Linearity of g"), (BOTH, "Alignment")):
        lines = [
            measured_line(name, colour(index), part.each(M), measure)
            for index, (name, part) in enumerate(sets)
        ]
        cells = sets[0][1].each(M)
        null = [cell.spread(*measure, kind="null") for _, cell in cells]
        lines.append(control("random pairs", "--null", [float(m) for m, _ in cells], null))
        name = f"setting-{measure[0]}"
        blocks.append(chart(name, words, lines, x="concepts m", y="mean cosine"))
    blocks.append(ended_chart("setting-ended", sets, M))
    table = Block(
        id="setting-numbers",
        kind="table",
        title="Whose numbers these are",
        columns=("what", "here", "whose"),
        rows=NUMBERS,
        alt="What the setting consists of, and which of it is the paper's.",
        size="wide",
    )
    return [*blocks, table]


EXPERIMENT = Experiment(
    name="setting",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, ALIGNMENT, OVERLAP_G, EXCESS, LINEARITY_F),
)
