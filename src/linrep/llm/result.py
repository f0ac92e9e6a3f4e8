"""What a measurement of a language model leaves: one tidy table, labelled matrices and a summary fit for
JSON.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from linrep.runs.drawing import drawing
from linrep.runs.tidy import Tidy, plain

if TYPE_CHECKING:
    from linrep.llm.toy.beside import Beside


@dataclass(frozen=True, slots=True, kw_only=True)
class LMResult(Tidy):
    """A language model measured: one row for each model × seed × table × inner × layer × concept × measure.

    `summary` says what was measured and WHERE: model, revision, table, tied, inner product, layer, token,
    kept and dropped pairs with the reason, self-check, warnings. Matrices have names such as
    "orthogonality_mean, causal".
    """

    columns: ClassVar[tuple[str, ...]] = (
        *("table", "inner", "layer", "concept", "measure", "value", "low", "high"),
        *("null", "null_low", "null_high", "pairs"),
    )
    summary: dict[str, Any]
    beside: "Beside | None" = None
    """A toy model beside tables that were trained on its world."""

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
        beside = {} if self.beside is None else {"beside_tables": self.beside.json()}
        return plain({**self.summary, **beside, "rows": rows, "matrices": matrices})

    def plot(self, name: str = "orthogonality_mean, causal") -> Any:
        """A labelled matrix as a plotly heatmap; the figure is returned, not shown."""
        return drawing("matrix plot")(self.matrices[name], f"{self.summary['model']['name']}: {name}")
