"""The numbers of cells put together: each comes as arrays, and one table is made of all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linrep.geometry.record import Similarity
from linrep.runs.finished import WORDS, Finished, Looks, Words
from linrep.runs.summary import END_WORDS, Summary
from linrep.sweeps.columns import Coded, Columns
from linrep.sweeps.grid import Cell
from linrep.sweeps.numbers import Numbers, Row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A cell's numbers with its coordinates."""

    cell: Cell
    looks: Looks
    ended: NDArray[np.int8]
    """How the run of each row did, as places among the words; -1 where it was not judged."""


def tidy(cell: Cell, found: Finished, extra: Iterable[Row] = ()) -> Part:
    """A cell's numbers with its coordinates.

    Args:
        cell: Its coordinates become columns.
        found: Its trace is taken over, means over concepts only.
        extra: More numbers, measured on the result.
    """
    looks = _with_extra(found.looks, list(extra))
    places = [END_WORDS.index(word) if word else -1 for word in found.summary.ended.per_run]
    return Part(
        cell=cell,
        looks=_with_final_nulls(looks, found.summary),
        ended=np.array(places, dtype=np.int8)[looks.run],
    )


def gather(grid: Sequence[Cell], parts: Sequence[Part]) -> Numbers:
    """All cells' numbers together."""
    axes: dict[str, dict[str, int]] = {}
    for cell in grid:
        for axis, label in cell.coordinates:
            axes.setdefault(axis, {}).setdefault(label, len(axes[axis]))
    sizes = [len(part.looks.run) for part in parts]
    columns = Columns.coded(
        axes={
            axis: Coded(
                codes=np.repeat(
                    np.array([labels[dict(part.cell.coordinates)[axis]] for part in parts], np.int32), sizes
                ),
                places=labels,
            )
            for axis, labels in axes.items()
        },
        words=[_words([getattr(part.looks, name) for part in parts]) for name in WORDS],
        step=_joined([part.looks.step for part in parts], np.int64),
        run=_joined([part.looks.run for part in parts], np.int32),
        value=_joined([part.looks.value for part in parts], np.float64),
        ended=_joined([part.ended for part in parts], np.int8),
    )
    return Numbers(axes={axis: [*labels] for axis, labels in axes.items()}, columns=columns)


def in_words(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame for a reader: plain texts where small integers stand for them."""
    return frame.astype(dict.fromkeys(WORDS, "str"))


def _with_extra(looks: Looks, rows: Sequence[Row]) -> Looks:
    if not rows:
        return looks
    steps, runs, *words, values = zip(*rows, strict=True)
    given = zip(WORDS, words, strict=True)
    return Looks(
        step=np.concatenate([looks.step, np.array(steps, np.int64)]),
        run=np.concatenate([looks.run, np.array(runs, np.int32)]),
        value=np.concatenate([looks.value, np.array(values, np.float64)]),
        **{name: _appended(getattr(looks, name), texts) for name, texts in given},
    )


def _appended(column: Words, texts: Sequence[str]) -> Words:
    places = {text: place for place, text in enumerate(dict.fromkeys([*column.texts, *texts]))}
    before = np.array([places[text] for text in column.texts], np.int32)[column.codes]
    return Words(
        texts=[*places], codes=np.concatenate([before, np.array([places[text] for text in texts], np.int32)])
    )


def _with_final_nulls(looks: Looks, summary: Summary) -> Looks:
    """The trace draws a null once a run and step; at the last step the mean over all draws stands for it."""
    value = looks.value.copy()
    last = _are(looks.kind, "null") & (looks.step == summary.final.step)
    for (measure, table), found in summary.measures.items():
        if isinstance(found, Similarity) and found.null is not None:
            value[last & _are(looks.measure, measure) & _are(looks.table, table)] = found.null.mean
    return Looks(
        step=looks.step,
        run=looks.run,
        measure=looks.measure,
        table=looks.table,
        kind=looks.kind,
        value=value,
    )


def _are(column: Words, text: str) -> NDArray[np.bool_]:
    return np.array([each == text for each in column.texts], dtype=bool)[column.codes]


def _joined(arrays: Sequence[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *arrays], dtype=kind)


def _words(columns: Sequence[Words]) -> Coded:
    """Columns of texts one after another."""
    places: dict[str, int] = {}
    codes = [
        np.array([places.setdefault(text, len(places)) for text in each.texts], np.int32)[each.codes]
        for each in columns
    ]
    return Coded(codes=_joined(codes, np.int32), places=places)
