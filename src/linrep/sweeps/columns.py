"""The columns of a sweep's numbers as arrays: thousands of cells are asked dozens of questions each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linrep.runs.summary import END_WORDS

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.intp]
NO_ROWS: Rows = np.zeros(0, np.intp)
SERIES = ("measure", "table", "kind")


@dataclass(frozen=True, kw_only=True)
class Coded:
    """A column of few different texts."""

    codes: NDArray[np.int32]
    """Which text stands in each row; -1 for none."""
    places: Mapping[str, int]
    """The code of every text, in order."""

    @classmethod
    def of(cls, column: Any) -> "Coded":
        """Of a column of pandas."""
        kept = column.astype("category").cat
        places = {str(text): place for place, text in enumerate(kept.categories)}
        return cls(codes=kept.codes.to_numpy().astype(np.int32), places=places)

    def categories(self) -> "pd.Categorical":
        """As a column of pandas."""
        import pandas as pd

        return pd.Categorical.from_codes(self.codes, [*self.places])

    def are(self, text: str) -> NDArray[np.bool_]:
        """In which rows a text stands."""
        return self.codes == self.places.get(text, len(self.places))

    def rows(self) -> dict[str, Rows]:
        """Where each text stands, if anywhere, in the order of the rows."""
        groups = Groups.of(self.codes)
        return {text: groups.rows(place) for text, place in self.places.items() if place in groups.ends}

    def take(self, rows: Rows) -> "Coded":
        """Some rows of it."""
        return Coded(codes=self.codes[rows], places=self.places)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """All of them."""

    axes: Mapping[str, Coded]
    series: Coded
    """Measure, table and kind in one, joined by :func:`_joined`."""
    texts: tuple[Sequence[str], ...]
    """Of measure, table and kind each, in the order that joined them."""
    step: NDArray[np.int64]
    run: NDArray[np.int32]
    value: NDArray[np.float64]
    ended: NDArray[np.int8]
    """As places among the words, -1 where a run was not judged."""
    last: NDArray[np.bool_]

    @classmethod
    def of(cls, frame: Any, axes: Iterable[str]) -> "Columns":
        """Of the frame of :class:`linrep.sweeps.numbers.Numbers`, which need not say what is last."""
        import pandas as pd

        return cls.coded(
            axes={axis: Coded.of(frame[axis]) for axis in axes},
            words=[Coded.of(frame[name]) for name in SERIES],
            step=frame["step"].to_numpy(np.int64),
            run=frame["run"].to_numpy(np.int32),
            value=frame["value"].to_numpy(np.float64),
            ended=frame["ended"].astype(pd.CategoricalDtype([*END_WORDS])).cat.codes.to_numpy(),
            last=frame["last"].to_numpy(bool) if "last" in frame else None,
        )

    @classmethod
    def coded(
        cls,
        *,
        axes: Mapping[str, Coded],
        words: Sequence[Coded],
        step: NDArray[np.int64],
        run: NDArray[np.int32],
        value: NDArray[np.float64],
        ended: NDArray[np.int8],
        last: NDArray[np.bool_] | None = None,
    ) -> "Columns":
        """Of columns one by one.

        Args:
            axes: A column each.
            words: Measure, table and kind.
            step: As the field.
            run: As the field.
            value: As the field.
            ended: As the field.
            last: As the field; None where it is to be found out.
        """
        codes, places = np.zeros(len(step), np.int32), {"": 0}
        for each in words:
            size = max(1, len(each.places))
            codes *= size
            codes += each.codes
            places = {
                _joined(first, text): place * size + own
                for first, place in places.items()
                for text, own in each.places.items()
            }
        return cls(
            axes=axes,
            series=Coded(codes=codes, places=places),
            texts=tuple([*each.places] for each in words),
            step=step,
            run=run,
            value=value,
            ended=ended,
            last=_last((*axes.values(), *words), step) if last is None else last,
        )

    def frame(self) -> "pd.DataFrame":
        """The frame of :class:`linrep.sweeps.numbers.Numbers`."""
        import pandas as pd

        columns: dict[str, Any] = {axis: each.categories() for axis, each in self.axes.items()}
        columns |= {"step": self.step, "run": self.run}
        size, rest = len(self.series.places), self.series.codes
        for name, texts in zip(SERIES, self.texts, strict=True):
            size //= max(1, len(texts))
            own, rest = np.divmod(rest, max(1, size))
            columns[name] = Coded(codes=own, places={text: at for at, text in enumerate(texts)}).categories()
        columns["value"] = self.value
        columns["ended"] = pd.Categorical.from_codes(self.ended, [*END_WORDS])
        return pd.DataFrame(columns | {"last": self.last}, copy=False)

    def take(self, rows: Rows) -> "Columns":
        """Some rows of all."""
        return Columns(
            axes={axis: each.take(rows) for axis, each in self.axes.items()},
            series=self.series.take(rows),
            texts=self.texts,
            step=self.step[rows],
            run=self.run[rows],
            value=self.value[rows],
            ended=self.ended[rows],
            last=self.last[rows],
        )

    def rows_of(self, measure: str, table: str, kind: str) -> Rows:
        """Where the numbers of a series stand."""
        place = self.series.places.get("|".join(("", measure, table, kind)))
        return NO_ROWS if place is None else self._by_series.rows(place)

    def ended_by_run(self) -> NDArray[np.int8]:
        """How each run of each cell ended."""
        which = self.run.astype(np.int64)
        for each in self.axes.values():
            which = which * (len(each.places) + 1) + each.codes
        return self.ended[np.unique(which, return_index=True)[1]]

    @cached_property
    def _by_series(self) -> "Groups":
        return Groups.of(self.series.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Where each code of a column stands."""

    order: Rows
    """All rows, those of a code together."""
    ends: Mapping[int, tuple[int, int]]
    """Which of these belong to a code."""

    @classmethod
    def of(cls, codes: NDArray[np.int32]) -> "Groups":
        """Of a column."""
        order = np.argsort(codes, kind="stable")
        ordered = codes[order]
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(codes) else NO_ROWS
        bounds = [*first.tolist(), len(codes)]
        return cls(order=order, ends=dict(zip(ordered[first].tolist(), pairwise(bounds), strict=True)))

    def rows(self, code: int) -> Rows:
        """The rows of a code, as they lie; none where it stands nowhere.

        Naively: ``np.flatnonzero(codes == code)``.

        Example:
            >>> [each.rows(code).tolist() for each in [Groups.of(np.int32([7, 2, 7]))] for code in (2, 7, 9)]
            [[1], [0, 2], []]
        """
        first, end = self.ends.get(code, (0, 0))
        return self.order[first:end]


def _last(columns: Sequence[Coded], steps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether no later step has the same texts.

    Naively: ``frame["step"] == frame.groupby(names)["step"].transform("max")``.
    """
    series = np.zeros(len(steps), np.int64)
    for each in columns:
        series *= len(each.places) + 1
        series += each.codes
    _, series = np.unique(series, return_inverse=True)
    latest = np.full(int(series.max(initial=-1)) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, series, steps)
    return steps == latest[series]


def _joined(first: str, second: str) -> str:
    return f"{first}|{second}"
