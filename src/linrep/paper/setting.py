"""The paper's simulations as far as they are known, and beside every number of them whose it is."""

from linrep.page.numbers import listed
from linrep.page.shell import Block
from linrep.paper.directions import BOUNDS, Groups, answer_of, direction_charts
from linrep.paper.record import (
    ALIGNMENT,
    EXCESS,
    LINEARITY_F,
    LINEARITY_G,
    OVERLAP_G,
    Answer,
    Experiment,
)
from linrep.sweeps.numbers import Numbers

SET = "set"
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
    ("runs", "8 worlds in every cell, 16 at m = 3", OURS),
)
"""What is set, to what, and by whom."""
_PAPERS, _OURS = (listed([name for name, _, whose in NUMBERS if whose == each]) for each in (PAPER, OURS))
RULE = (
    f"“Yes” if on complete sets and on incomplete ones, at every number of concepts, {BOUNDS}, “no” if one "
    f"of them lies on the other side. The paper's: {_PAPERS}. Ours: {_OURS}."
)


def answer(numbers: Numbers) -> Answer:
    """Linear, aligned and orthogonal on every set?"""
    return answer_of(
        _sets(numbers),
        rule=RULE,
        would_change="The paper's numbers where ours stand, or other shares left out.",
    )


def _sets(numbers: Numbers) -> Groups:
    return [(f"{name} sets" if name == "complete" else name, part) for name, part in numbers.each(SET)]


def figures(numbers: Numbers) -> list[Block]:
    """Linearity and alignment against m on each set, how runs ended, and whose each number is."""
    sets = _sets(numbers)
    if not sets:
        return []
    table = Block(
        id="setting-numbers",
        kind="table",
        title="Whose numbers these are",
        columns=("what", "here", "whose"),
        rows=NUMBERS,
        alt="What the setting consists of, and which of it is the paper's.",
        size="wide",
    )
    return [*direction_charts("setting", sets), table]


EXPERIMENT = Experiment(
    name="setting",
    answer=answer,
    figures=figures,
    columns=(LINEARITY_G, ALIGNMENT, OVERLAP_G, EXCESS, LINEARITY_F),
)
