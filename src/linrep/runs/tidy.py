"""What a measurement leaves: a tidy table of rows and labelled matrices, as frames, JSON and files."""

import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from linrep.errors import InputError, shown
from linrep.files import make_folder, write_file
from linrep.runs.row import Matrix, Row
from linrep.runs.spreadsheet import frame_to_csv

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidy(ABC):
    """Rows and matrices of a measurement; who measures says what stands before them."""

    columns: ClassVar[tuple[str, ...]]
    """Of the table, but for those of :attr:`subject`: names of :meth:`linrep.runs.row.Row.record`."""
    rows: tuple[Row, ...]
    matrices: Mapping[str, Matrix] = field(default_factory=dict[str, Matrix])

    @property
    @abstractmethod
    def subject(self) -> dict[str, str | int]:
        """What all rows share, such as the seed: the table's first columns."""

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy: one row for each number."""
        import pandas as pd

        frame = pd.DataFrame([row.record(self.columns) for row in self.rows], columns=list(self.columns))
        for at, (name, value) in enumerate(self.subject.items()):
            frame.insert(at, name, value)
        return frame

    def value(self, measure: str, concept: str = "", **where: str) -> Row:
        """The one row of that measure and concept (and inner, layer, table, if several).

        Raises:
            KeyError: If there is none, or more than one.
        """
        wanted = {"measure": measure, "concept": concept, **where}
        found = [row for row in self.rows if all(getattr(row, key) == value for key, value in wanted.items())]
        if len(found) != 1:
            raise KeyError(f"{wanted}: expected one row, found {len(found)}")
        return found[0]

    def matrix(self, name: str) -> "pd.DataFrame":
        """A matrix with its labels.

        Raises:
            InputError: No such matrix; names those there are.
        """
        if name not in self.matrices:
            raise InputError(f"matrix: no {shown(name)}; this has {', '.join(self.matrices) or 'none'}")
        return self.matrices[name].frame()

    @abstractmethod
    def json(self) -> dict[str, Any]:
        """Everything that goes into `result.json`, with null for what does not exist."""

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.csv` and `table.parquet`; returns the folder."""
        return save(folder, self.json(), self.table)


def save(folder: Path | str, record: Mapping[str, Any], table: "pd.DataFrame") -> Path:
    """Write a record as `result.json`, a table as `table.csv` and `table.parquet`; returns the folder.

    Raises:
        ValueError: If the record holds a number that JSON has not.
    """
    folder = Path(folder)
    make_folder(folder)
    write_file(folder / "result.json", (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    write_file(folder / "table.csv", frame_to_csv(table).encode())
    write_file(folder / "table.parquet", as_parquet(table))
    return folder


def as_parquet(table: "pd.DataFrame") -> bytes:
    """A frame as the bytes of a Parquet file."""
    written = io.BytesIO()
    table.to_parquet(written)
    return written.getvalue()


def plain(value: Any) -> Any:
    """Lists and dicts alone, None for what is not finite.

    Example:
        >>> plain({"a": (1.0, float("nan"))})
        {'a': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
