"""What of a finished run a sweep's numbers are made of: its trace and summary, without worlds and tables.

A sweep of thousands of cells reads each in a millisecond; every file is still held against its hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linrep.errors import DamagedError
from linrep.runs.folder import intact, own_key
from linrep.runs.formats import flat_columns, one_line
from linrep.runs.result import Result
from linrep.runs.store import CONFIG, PROVENANCE, RESULT, TRACE, WORLDS, parse_json
from linrep.runs.summary import Summary, read_summary
from linrep.runs.toml import parse
from linrep.runs.trace import TRACE_COLUMNS, renamed

if TYPE_CHECKING:
    import pandas as pd

WORDS = ("measure", "table", "kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A column of few different texts."""

    texts: Sequence[str]
    codes: NDArray[np.int32]
    """Which of them stands in each row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A trace as columns, without the rows of single concepts."""

    step: NDArray[np.int64]
    run: NDArray[np.int32]
    measure: Words
    table: Words
    kind: Words
    value: NDArray[np.float64]

    @classmethod
    def of(cls, trace: "pd.DataFrame") -> "Looks":
        """Of a trace that is in memory."""
        return cls.of_table(pa.Table.from_pandas(trace, preserve_index=False))

    @classmethod
    def of_table(cls, table: Any) -> "Looks":
        """Of a trace as a pyarrow table, in whatever version's names.

        Raises:
            ValueError: Other columns than a trace has, or a row without one of them.
        """
        if tuple(table.column_names) != TRACE_COLUMNS:
            raise ValueError(f"trace: expected the columns {', '.join(TRACE_COLUMNS)}")
        if any(column.null_count for column in table.columns):
            raise ValueError("trace: expected every number with its step, run and names")
        concept = _words(table.column("concept"))
        rows = np.flatnonzero(np.array([not text for text in concept.texts], dtype=bool)[concept.codes])
        measure, *rest = (_words(table.column(name)) for name in WORDS)
        measure = Words(texts=[renamed(text) for text in measure.texts], codes=measure.codes)
        words = zip(WORDS, (measure, *rest), strict=True)
        return cls(
            step=_numbers(table.column("step"))[rows].astype(np.int64),
            run=_numbers(table.column("run"))[rows].astype(np.int32),
            value=_numbers(table.column("value"))[rows].astype(np.float64),
            **{name: Words(texts=each.texts, codes=each.codes[rows]) for name, each in words},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run's numbers."""

    looks: Looks
    summary: Summary
    seconds: float
    """That it took, when it was trained."""

    @classmethod
    def of(cls, result: Result) -> "Finished":
        """Of a run that is in memory."""
        seconds = float(result.provenance["seconds"])
        return cls(looks=Looks.of(result.trace), summary=result.summary, seconds=seconds)


def read_finished(folder: Path) -> Finished:
    """The numbers of a run from its folder.

    Raises:
        DamagedError: No run there, another than the folder is named after, or a file of it is missing or
            changed.
    """
    held = intact(folder)
    fields, worlds, source, result = (
        parse_json(held[name], folder / name) for name in (CONFIG, WORLDS, PROVENANCE, RESULT)
    )
    try:
        own_key(folder, fields, result, source)
        config = parse(fields, source=str(folder / CONFIG))
        with one_line(folder / TRACE):
            looks = Looks.of_table(flat_columns(held[TRACE], folder / TRACE))
        if len(looks.run) and not 0 <= int(looks.run.min()) <= int(looks.run.max()) < config.runs:
            raise ValueError("trace: expected the runs of the config")
        summary = read_summary(held[RESULT], runs=config.runs, names=worlds["worlds"][0]["names"])
        return Finished(looks=looks, summary=summary, seconds=float(source["seconds"]))
    except DamagedError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError, OverflowError) as error:
        words = " ".join(str(error).split())[:200]
        raise DamagedError(f"{folder}: damaged run ({words})") from None


def _words(column: Any) -> Words:
    coded = column.combine_chunks()
    if not isinstance(coded, pa.DictionaryArray):
        coded = coded.dictionary_encode()
    texts = [str(text) for text in coded.dictionary.to_pylist()]
    return Words(texts=texts, codes=np.from_dlpack(coded.indices).astype(np.int32))


def _numbers(column: Any) -> NDArray[Any]:
    """As arrow has them; its ``to_numpy`` would load pandas, a third of a second and 40 MB."""
    return np.from_dlpack(column.combine_chunks())
