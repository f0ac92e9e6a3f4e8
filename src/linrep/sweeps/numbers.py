"""The numbers of a sweep as one tidy table, and the few questions that answers and figures put to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from linrep.geometry.record import Similarity
from linrep.runs.result import Result
from linrep.runs.summary import END_WORDS, EndWord, Summary
from linrep.sweeps.grid import Cell

if TYPE_CHECKING:
    import pandas as pd

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


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """All numbers of a sweep.

    Columns of ``frame``: one per axis, then step, run, measure, table, kind ("value" or "null"), value, ended
    (how the run did, missing in records of before), last (whether the cell has the measure at no later step).
    One number per run: the mean over its concepts. What a diverged run had before counts nowhere.

    Example:
        >>> import linrep
        >>> base = {"runs": 2, "training": {"steps": 5}}
        >>> numbers = linrep.sweep(base, {"model.dim": [3]}, world="cancer").numbers
        >>> numbers.runs(), len(numbers.values("alignment"))
        (2, 2)
    """

    axes: Mapping[str, Sequence[str]]
    """Labels of each axis, in order."""
    frame: Any
    """A pandas DataFrame."""

    def of(self, **labels: str) -> "Numbers":
        """Only the cells with these labels."""
        frame = self.frame
        for axis, chosen in labels.items():
            frame = frame[frame[axis] == chosen]
        axes = {name: [labels[name]] if name in labels else given for name, given in self.axes.items()}
        return replace(self, axes=axes, frame=frame)

    def each(self, axis: str) -> list[tuple[str, "Numbers"]]:
        """The parts of one axis that hold numbers, in its order."""
        parts = [(label, self.of(**{axis: label})) for label in self.axes[axis]]
        return [(label, part) for label, part in parts if len(part.frame)]

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
        rows = rows[self._column("last")[rows] if at == "end" else self._column("step")[rows] == 0]
        rows = rows[np.argsort(self._column("run")[rows], kind="stable")]
        return self._column("value")[rows].astype(np.float64)

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
        runs = self.frame.drop_duplicates([*self.axes, "run"])["ended"]
        return {word: int((runs == word).sum()) for word in END_WORDS}

    def shares(self) -> dict[EndWord, float]:
        """The same as shares; NaN where no run was judged."""
        found = self.counts()
        runs = sum(found.values())
        return {word: many / runs if runs else float("nan") for word, many in found.items()}

    def _rows(self, measure: str, table: str, kind: str, ended: Words | None) -> NDArray[np.intp]:
        """Where they stand in the frame."""
        rows = self._places.get((measure, table, kind), np.zeros(0, np.intp))
        if ended is None:
            return rows[self._ended[rows] != END_WORDS.index("diverged")]
        words = (ended,) if isinstance(ended, str) else ended
        return rows[np.isin(self._ended[rows], [END_WORDS.index(word) for word in words])]

    @cached_property
    def _ended(self) -> NDArray[np.int8]:
        """As places among the words, -1 where a run was not judged."""
        return self.frame["ended"].cat.codes.to_numpy()

    @cached_property
    def _places(self) -> Mapping[tuple[str, str, str], NDArray[np.intp]]:
        """Of every measure, table and kind: a sweep of hundreds of cells is asked thousands of questions."""
        return self.frame.groupby(["measure", "table", "kind"], sort=False, observed=True).indices

    def _column(self, name: str) -> NDArray[Any]:
        return self.frame[name].to_numpy()


def spread(values: NDArray[np.float64]) -> Spread:
    """Five numbers of some; those that are not finite are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Spread(mean=None, median=None, low=None, high=None, runs=0)
    low, median, high = (float(each) for each in np.quantile(values, [0.1, 0.5, 0.9]))
    return Spread(mean=float(values.mean()), median=median, low=low, high=high, runs=len(values))


def tidy(cell: Cell, result: Result, extra: Iterable[Row] = ()) -> "pd.DataFrame":
    """A cell's numbers with its coordinates.

    Args:
        cell: Its coordinates become columns.
        result: Its trace is taken over, means over concepts only.
        extra: More numbers, measured on the result.
    """
    import pandas as pd

    columns = ["step", "run", "measure", "table", "kind", "value"]
    trace: Any = result.trace
    found = trace[trace["concept"] == ""][columns]
    more = pd.DataFrame(list(extra), columns=columns)
    frame: Any = pd.concat([found, more], ignore_index=True) if len(more) else found.reset_index(drop=True)
    words = result.summary.ended.per_run
    frame = frame.assign(ended=[words[run] for run in frame["run"]])
    frame = _with_final_nulls(frame, result.summary)
    return frame.assign(**dict(cell.coordinates))


def _with_final_nulls(frame: "pd.DataFrame", summary: Summary) -> "pd.DataFrame":
    """The trace draws a null once a run and step; at the last step the mean over all draws stands for it."""
    means = {
        key: found.null.mean
        for key, found in summary.measures.items()
        if isinstance(found, Similarity) and found.null is not None
    }
    last = (frame["kind"] == "null") & (frame["step"] == summary.final.step)
    rows: Any = frame[last]
    found = [
        means.get((measure, table), drawn)
        for measure, table, drawn in zip(rows["measure"], rows["table"], rows["value"], strict=True)
    ]
    frame.loc[last, "value"] = found
    return frame


def gather(grid: Sequence[Cell], frames: Sequence["pd.DataFrame"]) -> Numbers:
    """All cells' numbers together."""
    import pandas as pd

    axes: dict[str, list[str]] = {}
    for cell in grid:
        for axis, label in cell.coordinates:
            labels = axes.setdefault(axis, [])
            if label not in labels:
                labels.append(label)
    columns: Any = [*axes, "step", "run", "measure", "table", "kind", "value", "ended"]
    whole: Any = pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
    return collect(axes, whole)


def collect(axes: Mapping[str, Sequence[str]], frame: Any) -> Numbers:
    """Numbers from a frame with all columns but ``last``."""
    import pandas as pd

    # Compared and kept as small integers.
    frame = frame.astype(dict.fromkeys(axes, "category") | {"ended": pd.CategoricalDtype(list(END_WORDS))})
    series = frame.groupby([*axes, "measure", "table", "kind"], sort=False, observed=True)
    last = series["step"].transform("max")
    return Numbers(axes=axes, frame=frame.assign(last=frame["step"] == last))
