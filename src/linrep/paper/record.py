"""What an experiment is: a sweep file beside the code that turns its cells into answer, figure and table."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from linrep.intervals import ANYWHERE, Range
from linrep.page.numbers import cosine, listed, short
from linrep.page.scale import Standing
from linrep.page.shell import Block
from linrep.paper.effects import UNIT, Held
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row

FEW = 2
"""Most effects without an interval that are named."""
WORDS: dict[Standing, str] = {"yes": "Yes: ", "no": "No: ", "undecided": "Undecided: ", "note": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The question answered from numbers, and the rule that chose the words.

    It speaks of runs that converged only; how many did is another question, which every report answers apart.
    """

    standing: Standing
    """"note" where the sweep asks nothing, or nothing was measured."""
    finding: str
    """What was measured, in one sentence."""
    rule: str
    effects: tuple[Held, ...] = ()
    """What it rests on: :func:`linrep.paper.effects.judged` of them is the standing."""
    would_change: str = ""
    """What would change the answer, in one sentence."""

    @property
    def few(self) -> str:
        """Where too few runs converged for an interval; empty where there are enough."""
        few = [each.name for each in self.effects if each.effect.interval95 is None]
        if len(few) > FEW:
            return f"Too few runs converged for {len(few)} of {len(self.effects)} intervals."
        return f"Too few runs converged for an interval: {listed(few)}." if few else ""

    @property
    def sentence(self) -> str:
        """Standing and finding in one sentence; and where too few runs converged for an interval."""
        return f"{WORDS[self.standing]}{self.finding}{self.few and ' '}{self.few}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One measure of the table."""

    title: str
    measure: str
    table: str = ""
    write: Callable[[float | None], str] = cosine

    @property
    def within(self) -> Range:
        """Where the measure can be."""
        return UNIT if self.write is cosine else ANYWHERE


LINEARITY_G = Column(title="linearity g", measure="linearity", table="unembedding")
LINEARITY_F = Column(title="linearity f", measure="linearity", table="embedding")
ALIGNMENT = Column(title="alignment", measure="alignment")
OVERLAP_G = Column(title="overlap g", measure="orthogonality.mean_directions", table="unembedding")
EXCESS = Column(title="excess loss (nats)", measure="excess_loss_nats", write=short)
LOG_ODDS = Column(title="log-odds gap (nats)", measure="log_odds_gap_nats", write=short)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment; its sweep lies in the TOML file of the same name.

    Example:
        >>> from linrep.paper import experiment
        >>> experiment("emergence").name
        'emergence'
    """

    name: str
    answer: Callable[[Numbers], Answer]
    figures: Callable[[Numbers], list[Block]]
    columns: Sequence[Column] = (LINEARITY_G, LINEARITY_F, ALIGNMENT, EXCESS)
    """The most telling first: a table shows as many as six columns hold, the CSV beside it has all."""
    extra: Callable[[Result], Iterable[Row]] | None = None
    """More numbers than the trace holds, measured on each cell's result."""
    trains: bool = True
    """Whether runs are trained at all: else nothing is said of how they ended."""


def nothing(rule: str) -> Answer:
    """When the numbers that the rule asks for are not there."""
    return Answer(
        standing="undecided",
        finding="the runs that this asks for did not converge, diverged or are absent.",
        rule=rule,
        would_change="Runs that converge.",
    )


def percent(share: float) -> str:
    """A share as a whole percentage.

    Example:
        >>> percent(0.354)
        '35 %'
    """
    return "–" if math.isnan(share) else f"{share:.0%}".replace("%", " %")
