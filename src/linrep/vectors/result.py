"""What a measurement of vectors leaves: a tidy table, labelled matrices, a map and a summary for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from linrep.files import write_file
from linrep.runs.drawing import drawing
from linrep.runs.tidy import Tidy, as_parquet, plain

if TYPE_CHECKING:
    import pandas as pd

POINT = ("row", "x", "y", "z")
"""What each record of the map starts with; an attribute of such a name is called "x (attribute)" there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsResult(Tidy):
    """Vectors measured: one row for each concept × measure.

    Matrices are concept × concept: "orthogonality_mean", "orthogonality_rms".

    Example:
        >>> import numpy as np
        >>> from linrep.vectors import measure_vectors
        >>> rng, sex = np.random.default_rng(0), np.arange(40) % 2
        >>> found = measure_vectors(rng.normal(size=(40, 3)) + 9 * sex[:, None], {"sex": sex.tolist()})
        >>> found.value("linearity", "sex").value > 0.9
        True
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("concept", "measure", "value", "low", "high", "shuffled", "shuffled_q95"),
        *("null", "null_q95", "p", "method", "pairs"),
    )
    summary: dict[str, Any]
    """What was read, what was found, and every note; ready for JSON."""
    points: tuple[Mapping[str, Any], ...]
    """The map: one record for each row on it."""

    @property
    def subject(self) -> dict[str, str | int]:
        """The seed."""
        return {"seed": self.summary["seed"]}

    @property
    def map(self) -> "pd.DataFrame":
        """The map: row, one coordinate for each axis, and the row's attributes."""
        import pandas as pd

        return pd.DataFrame(self.points)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names, in the order of the matrices."""
        return tuple(each["name"] for each in self.summary["concepts"])

    def json(self) -> dict[str, Any]:
        """Everything but the map, with null for what does not exist."""
        rows = [row.record(self.columns) for row in self.rows]
        matrices = {name: matrix.values for name, matrix in self.matrices.items()}
        return plain({**self.summary, "rows": rows, "matrices": matrices})

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.csv`, `table.parquet` and `map.parquet`; returns the folder."""
        folder = Tidy.save(self, folder)
        write_file(folder / "map.parquet", as_parquet(self.map))
        return folder

    def plot(self, name: str = "orthogonality_mean") -> Any:
        """A concept × concept matrix as a plotly heatmap; the figure is returned, not shown."""
        return drawing("matrix plot")(self.matrices[name], name, span=(0.0, 1.0))
