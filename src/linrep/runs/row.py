"""One measured number with its interval and its null: the row of every tidy table."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated

import torch
from jaxtyping import Float
from pydantic import AliasChoices, Field
from torch import Tensor

from linrep.geometry.record import Similarity

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")


def interval(drawn: Float[Tensor, " draws"]) -> tuple[float, float]:
    """The percentile 95 % interval of the draws that are defined; (NaN, NaN) where none is.

    Naively: ``(drawn.quantile(0.025), drawn.quantile(0.975))``.

    Example:
        >>> interval(torch.arange(41.0))
        (1.0, 39.0)
    """
    present = drawn[~drawn.isnan()]
    if not len(present):
        return NAN, NAN
    low, high = torch.quantile(present, torch.tensor([0.025, 0.975], dtype=present.dtype)).tolist()
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class NullRange:
    """What a number would be if there were nothing to find; NaN marks what does not exist.

    As a row shows it, with the range of its draws; a summary keeps :class:`linrep.geometry.record.Null`.
    """

    mean: float = NAN
    low: float = NAN
    """2.5 % quantile over the draws."""
    high: float = NAN
    """97.5 % quantile."""
    q95: float = NAN
    """95 % quantile."""

    @classmethod
    def of(cls, drawn: Float[Tensor, " draws"]) -> "NullRange":
        """Mean and quantiles of the draws that are defined.

        Example:
            >>> NullRange.of(torch.arange(41.0))
            NullRange(mean=20.0, low=1.0, high=39.0, q95=38.0)
        """
        present = drawn[~drawn.isnan()]
        if not len(present):
            return cls()
        low, high = interval(present)
        return cls(mean=float(present.mean()), low=low, high=high, q95=float(present.quantile(0.95)))


NONE = NullRange()
CHANCE = NullRange(mean=0.5)
"""Of a share of right answers to questions with two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number about one concept in one place; NaN and the empty text mark what does not exist."""

    concept: str
    """Empty for what belongs to no single concept."""
    measure: Annotated[str, Field(validation_alias=AliasChoices("measure", "metric"))]
    """Such as linearity; called a metric in what was kept before."""
    value: float
    low: float = NAN
    """Lower end of the 95 % interval."""
    high: float = NAN
    table: str = ""
    """unembedding, embedding or both."""
    inner: str = ""
    """Inner product that cosines are taken in."""
    layer: str = ""
    """Where states were read: `head`, or a layer; empty for word pairs."""
    null: NullRange = NONE
    """Rows dealt anew: random pairs, or what else chance would give."""
    shuffled: NullRange = NONE
    """The attribute shuffled."""
    p: float = NAN
    """Against the shuffled attribute."""
    method: str = ""
    """What the concept is measured on: "matched pairs" or "class means"."""
    pairs: int = 0
    """How many pairs it rests on."""

    def record(self, columns: Sequence[str] | None = None) -> dict[str, str | float | int]:
        """Flat, one entry a column of the table.

        Args:
            columns: Which, in what order; by default all.

        Example:
            >>> row = Row(concept="sex", measure="linearity", value=0.4, null=NullRange(mean=0.0, high=0.1))
            >>> row.record(["measure", "value", "null_high"])
            {'measure': 'linearity', 'value': 0.4, 'null_high': 0.1}
        """
        whole = {
            "concept": self.concept,
            "measure": self.measure,
            "table": self.table,
            "inner": self.inner,
            "layer": self.layer,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "null": self.null.mean,
            "null_low": self.null.low,
            "null_high": self.null.high,
            "null_q95": self.null.q95,
            "shuffled": self.shuffled.mean,
            "shuffled_q95": self.shuffled.q95,
            "p": self.p,
            "method": self.method,
            "pairs": self.pairs,
        }
        return whole if columns is None else {name: whole[name] for name in columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What several rows are about: all that they share."""

    concept: str
    table: str = ""
    inner: str = ""
    layer: str = ""
    method: str = ""
    pairs: int = 0

    def row(
        self,
        measure: str,
        value: float,
        between: tuple[float, float] = (NAN, NAN),
        null: NullRange = NONE,
        *,
        shuffled: NullRange = NONE,
        p: float = NAN,
        pairs: int | None = None,
    ) -> Row:
        """One number about the subject, with its interval and nulls; on other pairs if they are given."""
        return Row(
            concept=self.concept,
            measure=measure,
            value=value,
            low=between[0],
            high=between[1],
            table=self.table,
            inner=self.inner,
            layer=self.layer,
            null=null,
            shuffled=shuffled,
            p=p,
            method=self.method,
            pairs=self.pairs if pairs is None else pairs,
        )

    def measured(self, measure: str, found: Similarity) -> Row:
        """What the ruler says of it: a record of a summary as a row.

        Example:
            >>> absent = {"interval95": None, "null": None, "per_concept": {}, "per_run": ()}
            >>> found = Similarity(mean=0.5, median=0.5, **absent)
            >>> row = Subject(concept="", table="both").measured("alignment", found)
            >>> row.value, row.table, row.null == NONE
            (0.5, 'both', True)
        """
        return self.row(
            measure,
            NAN if found.mean is None else found.mean,
            found.interval95 or (NAN, NAN),
            NONE if found.null is None else NullRange(mean=found.null.mean, q95=found.null.q95),
            pairs=found.pairs or 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A labelled matrix, such as concept × concept cosines."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    @classmethod
    def of(
        cls, name: str, rows: Sequence[str], columns: Sequence[str], values: Float[Tensor, "rows columns"]
    ) -> "Matrix":
        """Out of a tensor.

        Example:
            >>> Matrix.of("overlap", ["a"], ["a", "b"], torch.tensor([[1.0, 0.5]])).values
            ((1.0, 0.5),)
        """
        return cls(
            name=name, rows=tuple(rows), columns=tuple(columns), values=tuple(map(tuple, values.tolist()))
        )

    def plain(self) -> list[list[float | None]]:
        """Row by row, None for what does not exist.

        Example:
            >>> Matrix.of("overlap", ["a"], ["a", "b"], torch.tensor([[1.0, torch.nan]])).plain()
            [[1.0, None]]
        """
        return [[value if isfinite(value) else None for value in row] for row in self.values]

    def frame(self) -> "pd.DataFrame":
        """With its labels."""
        import pandas as pd

        return pd.DataFrame(self.values, index=list(self.rows), columns=list(self.columns))
