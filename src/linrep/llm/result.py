"""What a measurement of a language model leaves: one tidy table, labelled matrices and a summary fit for
JSON.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from linrep.llm.resampling import interval

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number, its 95 % interval, its null and how many pairs it rests on; NaN marks what does not
    exist.
    """

    table: str
    """unembedding, embedding or both."""
    inner: str
    layer: str
    """Where states were read: `head`, or a layer; empty for word pairs."""
    concept: str
    metric: str
    value: float
    low: float = NAN
    high: float = NAN
    null: float = NAN
    """Mean of the null."""
    null_low: float = NAN
    """Its 2.5 % quantile."""
    null_high: float = NAN
    """Its 97.5 % quantile."""
    pairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What a number would be if there were nothing to find."""

    mean: float = NAN
    low: float = NAN
    high: float = NAN

    @classmethod
    def of(cls, drawn: Tensor) -> "Null":
        """Mean and 95 % range of the null's draws."""
        low, high = interval(drawn)
        return cls(mean=float(drawn.nanmean()), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What several rows are about: all that they share."""

    table: str
    inner: str
    layer: str
    concept: str
    pairs: int

    def row(
        self, metric: str, value: float, between: tuple[float, float] = (NAN, NAN), null: Null | None = None
    ) -> Row:
        """One number about the subject, with its interval and null."""
        null = null or Null()
        return Row(
            table=self.table,
            inner=self.inner,
            layer=self.layer,
            concept=self.concept,
            pairs=self.pairs,
            metric=metric,
            value=value,
            low=between[0],
            high=between[1],
            null=null.mean,
            null_low=null.low,
            null_high=null.high,
        )


CHANCE = Null(mean=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A labelled matrix, such as concept × concept cosines."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def frame(self) -> "pd.DataFrame":
        """With its labels."""
        import pandas as pd

        return pd.DataFrame(self.values, index=list(self.rows), columns=list(self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class LMResult:
    """A language model measured.

    `summary` says what was measured and WHERE: model, revision, table, tied, inner product, layer, token,
    kept and dropped pairs with the reason, self-check, warnings.
    """

    summary: dict[str, Any]
    rows: tuple[Row, ...]
    matrices: dict[str, Matrix] = field(default_factory=dict[str, Matrix])

    @property
    def table(self) -> "pd.DataFrame":
        """Tidy: one row for each model × seed × table × inner × layer × concept × metric."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows])
        frame.insert(0, "seed", self.summary["seed"])
        frame.insert(0, "model", self.summary["model"]["name"])
        return frame

    def value(self, metric: str, concept: str = "", **where: str) -> Row:
        """The one row of that metric and concept (and inner, layer, table, if several)."""
        wanted = {"metric": metric, "concept": concept, **where}
        found = [row for row in self.rows if all(getattr(row, key) == value for key, value in wanted.items())]
        if len(found) != 1:
            raise KeyError(f"{wanted}: expected one row, found {len(found)}")
        return found[0]

    def matrix(self, name: str) -> "pd.DataFrame":
        """A labelled matrix by name, such as "orthogonality_mean, causal"."""
        return self.matrices[name].frame()

    def json(self) -> dict[str, Any]:
        """Everything, with null for what does not exist."""
        matrices = {
            name: {"rows": m.rows, "columns": m.columns, "values": m.values}
            for name, m in self.matrices.items()
        }
        return _plain({**self.summary, "rows": [asdict(row) for row in self.rows], "matrices": matrices})

    def save(self, folder: Path | str) -> Path:
        """Write `result.json`, `table.parquet` and `table.csv`; returns the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(self.json(), indent=1) + "\n", encoding="utf-8")
        self.table.to_parquet(folder / "table.parquet")
        self.table.to_csv(folder / "table.csv", index=False)
        return folder

    def plot(self, name: str = "orthogonality_mean, causal") -> Any:
        """A labelled matrix as a plotly heatmap; the figure is returned, not shown."""
        import plotly.graph_objects as go

        matrix = self.matrices[name]
        signed = min((v for row in matrix.values for v in row if v == v), default=0.0) < 0
        heat = go.Heatmap(
            z=_plain(matrix.values),
            x=list(matrix.columns),
            y=list(matrix.rows),
            colorscale="RdBu_r" if signed else "Blues",
            zmid=0 if signed else None,
            hovertemplate="%{y} × %{x}: %{z:.3f}<extra></extra>",
        )
        figure = go.Figure(heat)
        figure.update_layout(
            title=f"{self.summary['model']['name']}: {name}", yaxis={"autorange": "reversed"}
        )
        return figure


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
