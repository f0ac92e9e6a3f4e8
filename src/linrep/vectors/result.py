"""What a measurement of vectors leaves: a tidy table, labelled matrices, a map and a summary for JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
POINT = ("row", "x", "y", "z")
"""What each record of the map starts with; an attribute of such a name is called "x (attribute)" there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of one concept; NaN marks what does not exist."""

    concept: str
    """Empty for what belongs to no single concept."""
    metric: str
    value: float
    low: float = NAN
    """Lower end of the 95 % interval."""
    high: float = NAN
    shuffled: float = NAN
    """Mean with the attribute shuffled."""
    shuffled_q95: float = NAN
    random: float = NAN
    """Mean with all rows dealt anew (for transfer: over maps fitted to shuffled rows)."""
    random_q95: float = NAN
    """Its 95 % quantile (for transfer: its largest draw)."""
    p: float = NAN
    """Against the shuffled attribute."""
    method: str = ""
    """What the concept is measured on: "matched pairs" or "class means"."""
    pairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorsResult:
    """Vectors measured."""

    summary: dict[str, Any]
    """What was read, what was found, and every note; ready for JSON."""
    rows: tuple[Row, ...]
    matrices: Mapping[str, tuple[tuple[float, ...], ...]]
    """Concept × concept: "orthogonality_mean", "orthogonality_rms"."""
    points: tuple[Mapping[str, Any], ...]
    """The map: one record for each row on it."""

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy: one row for each concept × metric."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows])
        frame.insert(0, "seed", self.summary["seed"])
        return frame

    @property
    def map(self) -> "pd.DataFrame":
        """The map: row, one coordinate for each axis, and the row's attributes."""
        import pandas as pd

        return pd.DataFrame(self.points)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names, in the order of the matrices."""
        return tuple(each["name"] for each in self.summary["concepts"])

    def value(self, metric: str, concept: str = "") -> Row:
        """The one row of that metric and concept."""
        found = [row for row in self.rows if (row.metric, row.concept) == (metric, concept)]
        if len(found) != 1:
            raise KeyError(f"{metric} of {concept!r}: expected one row, found {len(found)}")
        return found[0]

    def matrix(self, name: str) -> "pd.DataFrame":
        """A concept × concept matrix with its labels."""
        import pandas as pd

        return pd.DataFrame(self.matrices[name], index=list(self.concepts), columns=list(self.concepts))

    def json(self) -> dict[str, Any]:
        """Everything but the map, with null for what does not exist."""
        return plain({**self.summary, "rows": [asdict(row) for row in self.rows], "matrices": self.matrices})

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.csv`, `table.parquet` and `map.parquet`; returns the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.json(), indent=1, allow_nan=False)
        (folder / "result.json").write_text(text + "\n", encoding="utf-8")
        self.table.to_csv(folder / "table.csv", index=False)
        self.table.to_parquet(folder / "table.parquet")
        self.map.to_parquet(folder / "map.parquet")
        return folder

    def plot(self, name: str = "orthogonality_mean") -> Any:
        """A concept × concept matrix as a plotly heatmap; the figure is returned, not shown."""
        import plotly.graph_objects as go

        names = list(self.concepts)
        heat = go.Heatmap(
            z=plain(self.matrices[name]),
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale="Blues",
            hovertemplate="%{y} × %{x}: %{z:.3f}<extra></extra>",
        )
        return go.Figure(heat).update_layout(title=name, yaxis={"autorange": "reversed"})


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
