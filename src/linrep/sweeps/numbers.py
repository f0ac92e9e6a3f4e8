"""The numbers of a sweep as one tidy table, and the few questions that answers and figures put to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linrep.runs.summary import END_WORDS, EndWord
from linrep.sweeps.columns import Columns

Row = tuple[int, int, str, str, str, float]
"""step, run, measure, table, kind, value: a number that the trace does not hold."""
At = Literal["start", "end"]
Words = EndWord | tuple[EndWord, ...]
"""How runs ended: in one way, or in one of several."""
NOT_CONVERGED: tuple[EndWord, ...] = ("on a plateau", "unfinished", "too narrow")
"""Runs that stayed finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Some numbers in five; None where there are none."""

    mean: float | None
    median: float | None
    low: float | None
    """10 % quantile."""
    high: float | None
    """90 % quantile."""
    runs: int


class Numbers:
    """All numbers of a sweep.

    Columns of ``frame``: one per axis, then step, run, measure, table, kind ("value" or "null"), value, ended
    (how the run did, missing in records of before), last (whether the cell has the measure at no later step).
    One number per run: the mean over its concepts. What a diverged run had before counts nowhere.

    pandas takes 40 MB and a third of a second: it is loaded, and a frame made, only when that is asked for.

    Args:
        axes: Labels of each axis, in order.
        columns: Of all rows.

    Example:
        >>> import linrep
        >>> base = {"runs": 2, "training": {"steps": 5}}
        >>> numbers = linrep.sweep(base, {"model.dim": [3]}, world="cancer").numbers
        >>> numbers.runs(), len(numbers.values("alignment"))
        (2, 2)
    """

    def __init__(self, *, axes: Mapping[str, Sequence[str]], columns: Columns) -> None:
        self.axes = axes
        self._columns = columns
        self._whole, self._taken = self, None

    @classmethod
    def of_frame(cls, frame: Any, *, axes: Mapping[str, Sequence[str]]) -> "Numbers":
        """Those of a pandas DataFrame with these columns; without ``last`` it is found out.

        Args:
            frame: Any other columns are left out.
            axes: Labels of each axis, in order.

        Example:
            >>> import linrep
            >>> base = {"runs": 2, "training": {"steps": 5}}
            >>> numbers = linrep.sweep(base, {"model.dim": [3]}, world="cancer").numbers
            >>> again = Numbers.of_frame(numbers.frame.drop(columns="last"), axes=numbers.axes)
            >>> again.frame.equals(numbers.frame)
            True
        """
        return cls(axes=axes, columns=Columns.of(frame, axes))

    @cached_property
    def frame(self) -> Any:
        """A pandas DataFrame."""
        return self._columns.frame() if self._taken is None else self._whole.frame.iloc[self._taken]

    def of(self, **labels: str) -> "Numbers":
        """Only the cells with these labels."""
        chosen = np.ones(len(self._columns.value), dtype=bool)
        for axis, label in labels.items():
            chosen &= self._columns.axes[axis].are(label)
        return self._part(np.flatnonzero(chosen), labels)

    def each(self, axis: str) -> list[tuple[str, "Numbers"]]:
        """The parts of one axis that hold numbers, in its order."""
        rows = self._columns.axes[axis].rows()
        return [(label, self._part(rows[label], {axis: label})) for label in self.axes[axis] if label in rows]

    def _part(self, rows: NDArray[np.intp], labels: Mapping[str, str]) -> "Numbers":
        axes = {name: [labels[name]] if name in labels else given for name, given in self.axes.items()}
        part = Numbers(axes=axes, columns=self._columns.take(rows))
        part._whole = self._whole
        part._taken = rows if self._taken is None else self._taken[rows]
        return part

    def values(
        self,
        measure: str,
        table: str = "",
        *,
        at: At = "end",
        kind: str = "value",
        ended: Words | None = None,
    ) -> NDArray[np.float64]:
        """One number per run (and cell), at the last step of each cell or before the first.

        Args:
            measure: As in the trace.
            table: "embedding", "unembedding" or "".
            at: "start" is step 0, before training: empty for what was measured at the end only.
            kind: "value" or "null".
            ended: Only runs that ended so, or all that stayed finite.
        """
        rows = self._rows(measure, table, kind, ended)
        rows = rows[self._columns.last[rows] if at == "end" else self._columns.step[rows] == 0]
        rows = rows[np.argsort(self._columns.run[rows], kind="stable")]
        return self._columns.value[rows]

    def spread(
        self,
        measure: str,
        table: str = "",
        *,
        at: At = "end",
        kind: str = "value",
        ended: Words | None = None,
    ) -> Spread:
        """Mean, median and 10 to 90 % of :meth:`values`."""
        return spread(self.values(measure, table, at=at, kind=kind, ended=ended))

    def mean(
        self,
        measure: str,
        table: str = "",
        *,
        at: At = "end",
        kind: str = "value",
        ended: Words | None = None,
    ) -> float:
        """Mean of :meth:`values`; NaN where there are none."""
        found = self.values(measure, table, at=at, kind=kind, ended=ended)
        return float(found.mean()) if len(found) else float("nan")

    def over_steps(
        self, measure: str, table: str = "", *, kind: str = "value"
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps, and values as steps × runs, of one cell; NaN where a run has none."""
        rows = self.frame.iloc[self._rows(measure, table, kind, None)]
        grid = rows.pivot_table(index="step", columns="run", values="value")
        return grid.index.to_numpy(np.int64), grid.to_numpy(np.float64)

    def runs(self, *, ended: Words | None = None) -> int:
        """How many runs stayed finite; only those that ended so if asked."""
        return len(self.values("excess_loss_nats", ended=ended))

    def per_run(self, measure: str, table: str = "", *, ended: Words | None = None) -> NDArray[np.float64]:
        """:meth:`values` at the end: what an interval over runs is taken over."""
        return self.values(measure, table, ended=ended)

    def counts(self) -> dict[EndWord, int]:
        """How many runs ended in each way, those that were not judged left out."""
        ended = self._columns.ended_by_run()
        return {word: int((ended == place).sum()) for place, word in enumerate(END_WORDS)}

    def shares(self) -> dict[EndWord, float]:
        """The same as shares; NaN where no run was judged."""
        found = self.counts()
        runs = sum(found.values())
        return {word: many / runs if runs else float("nan") for word, many in found.items()}

    def _rows(self, measure: str, table: str, kind: str, ended: Words | None) -> NDArray[np.intp]:
        """Where they stand in the frame."""
        rows = self._columns.rows_of(measure, table, kind)
        endings = self._columns.ended[rows]
        if ended is None:
            return rows[endings != END_WORDS.index("diverged")]
        if isinstance(ended, str):
            return rows[endings == END_WORDS.index(ended)]
        return rows[np.isin(endings, [END_WORDS.index(word) for word in ended])]


def spread(values: NDArray[np.float64]) -> Spread:
    """Five numbers of some; those that are not finite are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Spread(mean=None, median=None, low=None, high=None, runs=0)
    ordered = np.sort(values)
    low, median, high = (_quantile(ordered, share) for share in (0.1, 0.5, 0.9))
    return Spread(mean=float(values.mean()), median=median, low=low, high=high, runs=len(values))


def mean_of(values: NDArray[np.float64]) -> float | None:
    """Their mean, as :func:`spread` has it."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """``numpy.quantile``, to the bit, which takes longer to begin than a cell's few runs are worth."""
    place = (len(ordered) - 1) * share
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    part = place - below
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part
