"""A measurement of a language model as its readers ask for it: by concept, with nothing where nothing is."""

import math
from collections.abc import Callable
from functools import cached_property
from statistics import median

from linrep.llm import LMResult
from linrep.page.numbers import ABSENT, cosine, count
from linrep.runs.row import Row

INNER = {"euclid": "Euclidean", "causal": "causal, Cov(g)⁻¹", "random": "random turn of the causal"}
TABLES = {"output": "output (unembedding) table", "input": "input table"}


class View:
    """Rows of a result by measure and concept."""

    def __init__(self, result: LMResult) -> None:
        self.result, self.summary = result, result.summary
        self.inner: str = result.summary["inner"]["inner"]
        self.place: str = result.summary.get("where", {}).get("layer", "")

    @cached_property
    def concepts(self) -> list[str]:
        """Concepts whose words were measured, in the order of the data."""
        return list(self.summary["tokens"]["kept"])

    @cached_property
    def context_concepts(self) -> list[str]:
        """Concepts with paired contexts."""
        rows = (row for row in self.result.rows if row.table == "embedding" and row.measure == "linearity")
        return list(dict.fromkeys(row.concept for row in rows))

    @property
    def shared(self) -> list[str]:
        """Concepts with both."""
        return [name for name in self.context_concepts if name in self.concepts]

    @property
    def crossings(self) -> list[Row]:
        """Word squares, one row for each crossing of two concepts."""
        return [row for row in self.result.rows if row.measure == "interaction_share"]

    def rows(self, measure: str, **where: str) -> list[Row]:
        """All rows of a measure, with a value; states at the main place unless `layer` says otherwise."""
        return [
            row
            for row in self.result.rows
            if row.measure == measure
            and not math.isnan(row.value)
            and ("layer" in where or row.layer in ("", self.place))
            and all(getattr(row, key) == value for key, value in where.items())
        ]

    def row(self, measure: str, concept: str, **where: str) -> Row | None:
        """The row of a measure and concept that rests on some pair; None if there is none."""
        found = [row for row in self.rows(measure, **where) if row.concept == concept and row.pairs]
        return found[0] if found else None

    def flag(self, measure: str, concept: str, **where: str) -> bool | None:
        """A yes or no; None where the question does not arise."""
        found = self.row(measure, concept, **where)
        return None if found is None else found.value > 0

    def context_linearity(self, concept: str, layer: str | None = None) -> Row | None:
        """Over pairs that share neither frame nor words where there are such, else over all."""
        at = self.place if layer is None else layer
        across = self.row("linearity_across", concept, table="embedding", layer=at)
        return across or self.row("linearity", concept, table="embedding", layer=at)

    def cell(self, measure: str, concept: str, **where: str) -> str:
        """A cosine as text."""
        found = self.row(measure, concept, **where)
        return ABSENT if found is None else cosine(found.value)

    def rank(self, concept: str) -> str:
        """Where the matching direction stands among all, `1/30`."""
        found = self.row("alignment_rank", concept)
        return ABSENT if found is None else f"{found.value:.0f}/{len(self.concepts)}"

    def linearity_cells(self, row: Row | None, found: bool | None) -> list[str]:
        """Pairs, value with interval, the null's upper end, found or not."""
        if row is None:
            return [ABSENT] * 4
        return [count(row.pairs), with_interval(row), cosine(row.null.high), yes(found)]

    def middle(self, measure: str, **where: str) -> float | None:
        """Median of a measure over concepts."""
        values = [row.value for row in self.rows(measure, **where) if row.pairs]
        return median(values) if values else None


def with_interval(row: Row, text: Callable[[float], str] = cosine) -> str:
    """`0.41 [0.36, 0.46]`."""
    if math.isnan(row.low) or math.isnan(row.high):
        return text(row.value)
    return f"{text(row.value)} [{text(row.low)}, {text(row.high)}]"


def nats(value: float) -> str:
    """Log-odds to the hundredth of a nat.

    Example:
        >>> nats(-0.274)
        '−0.27'
    """
    text = f"{value:.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def yes(found: bool | None) -> str:
    """Yes, no, or that the question does not arise."""
    return ABSENT if found is None else "yes" if found else "no"
