"""What a measurement of a language model leaves: one tidy table, labelled matrices and a summary fit for
JSON.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from linrep.runs.tidy import Tidy, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class LMResult(Tidy):
    """A language model measured: one row for each model × seed × table × inner × layer × concept × metric.

    `summary` says what was measured and WHERE: model, revision, table, tied, inner product, layer, token,
    kept and dropped pairs with the reason, self-check, warnings. Matrices have names such as
    "orthogonality_mean, causal".
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("table", "inner", "layer", "concept", "metric", "value", "low", "high"),
        *("null", "null_low", "null_high", "pairs"),
    )
    summary: dict[str, Any]

    @property
    def subject(self) -> dict[str, str | int]:
        """Model and seed."""
        return {"model": self.summary["model"]["name"], "seed": self.summary["seed"]}

    def json(self) -> dict[str, Any]:
        """Everything, with null for what does not exist."""
        matrices = {
            name: {"rows": m.rows, "columns": m.columns, "values": m.values}
            for name, m in self.matrices.items()
        }
        rows = [row.record(self.columns) for row in self.rows]
        return plain({**self.summary, "rows": rows, "matrices": matrices})

    def plot(self, name: str = "orthogonality_mean, causal") -> Any:
        """A labelled matrix as a plotly heatmap; the figure is returned, not shown."""
        import plotly.graph_objects as go

        matrix = self.matrices[name]
        signed = min((v for row in matrix.values for v in row if not math.isnan(v)), default=0.0) < 0
        heat = go.Heatmap(
            z=plain(matrix.values),
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
