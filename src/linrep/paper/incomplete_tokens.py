"""Leave out tokens at random: how many are needed?"""

from linrep.page.shell import Block
from linrep.paper.incomplete import how_little, kept_figures
from linrep.paper.record import Answer, Experiment
from linrep.sweeps.numbers import Numbers

ENOUGH = 0.5
"""Fraction of tokens down to which directions must survive for a yes."""


def answer(numbers: Numbers) -> Answer:
    """How few tokens may be kept."""
    return how_little(numbers, "kept", "tokens", ENOUGH)


def figures(numbers: Numbers) -> list[Block]:
    """Directions and log-odds gap against the fraction kept."""
    return kept_figures(numbers, "kept", "tokens")


EXPERIMENT = Experiment(name="incomplete-tokens", answer=answer, figures=figures)
