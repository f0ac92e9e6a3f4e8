"""What an experiment is: a sweep file beside the code that turns its cells into answer, figure and table."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from linrep.page.numbers import cosine, short
from linrep.page.shell import Block
from linrep.runs.result import Result
from linrep.sweeps.numbers import Numbers, Row

Standing = Literal["yes", "partly", "no", "note"]
WORDS: dict[Standing, str] = {"yes": "Yes: ", "partly": "In part: ", "no": "No: ", "note": ""}

HIGH, FAIR = 0.9, 0.75
"""A mean linearity or alignment over runs from HIGH on counts as reached, from FAIR on as partly reached."""
SMALL, MIDDLING = 0.05, 0.2
"""A mean overlap of different concepts up to SMALL counts as orthogonal, up to MIDDLING as partly so."""
MATCHED = 0.5
"""A log-odds gap of at most this share of predicting zero's counts as matched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The question answered from numbers, and the rule that chose the words."""

    standing: Standing
    finding: str
    """What was measured, in one sentence."""
    rule: str

    @property
    def sentence(self) -> str:
        """Standing and finding in one sentence."""
        return f"{WORDS[self.standing]}{self.finding}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One measure of the table."""

    title: str
    measure: str
    table: str = ""
    write: Callable[[float | None], str] = cosine


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
    extra: Callable[[Result], Iterable[Row]] | None = None
    """More numbers than the trace holds, measured on each cell's result."""
    split: bool = False
    """Whether free and stuck runs stand apart in the table."""


def nothing(rule: str) -> Answer:
    """When the numbers that the rule asks for are not there."""
    return Answer(
        standing="note", finding="No answer: the runs this asks for all diverged or are absent.", rule=rule
    )


def free_else_all(cell: Numbers, measure: str, table: str) -> float:
    """A measure's mean over free runs, or over all where none is free; NaN where there is no run."""
    free = cell.mean(measure, table, free=True)
    return cell.mean(measure, table) if math.isnan(free) else free


def graded(value: float, high: float, fair: float, *, falling: bool = False) -> Standing:
    """Yes from ``high`` on, partly from ``fair`` on, else no; with ``falling``, up to them.

    Example:
        >>> graded(0.8, 0.9, 0.75), graded(0.03, 0.05, 0.2, falling=True), graded(float("nan"), 1.0, 0.0)
        ('partly', 'yes', 'note')
    """
    if math.isnan(value):
        return "note"
    if falling:
        value, high, fair = -value, -high, -fair
    return "yes" if value >= high else "partly" if value >= fair else "no"


def worst(standings: Iterable[Standing]) -> Standing:
    """Of several findings, the one that a claim about all of them can have.

    Example:
        >>> worst(["yes", "partly", "yes"])
        'partly'
    """
    order: list[Standing] = ["no", "note", "partly", "yes"]
    return min(standings, key=order.index)


def percent(share: float) -> str:
    """A share as a whole percentage.

    Example:
        >>> percent(0.354)
        '35 %'
    """
    return "–" if math.isnan(share) else f"{share:.0%}".replace("%", " %")
