"""What a run leaves behind: the config, the worlds, the trained tables, the trace and the summary."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from linrep.errors import many
from linrep.files import write_text
from linrep.geometry.record import Similarity
from linrep.runs.config import Config
from linrep.runs.drawing import drawing
from linrep.runs.spectrum import Spectrum
from linrep.runs.summary import Summary
from linrep.runs.wide_looks import WideLooks
from linrep.worlds.contexts import World

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from linrep.theory.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result:
    """One experiment, finished: what was trained, everything measured of it, and how to see and keep it.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", runs=2, training={"steps": 20})
        >>> result.summary.final.linearity["unembedding"].null.kind
        'random pairs'
        >>> result.plot("alignment").data[0].type
        'scatter'

    Runs may have tables of different heights when each has its own contexts or tokens: row ``i`` of a run's
    table belongs to context (token) ``i`` of its world, and rows past the world's last are padding.
    """

    key: str
    """Name and content hash; also the folder's name."""
    config: Config
    """Resolved: every default filled in."""
    worlds: tuple[World, ...]
    """One per run; the same object where runs share it."""
    embedding: Float[Tensor, "runs contexts dim"]
    """f of every context, as trained."""
    unembedding: Float[Tensor, "runs tokens dim"]
    """g, as trained."""
    parameters: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Weights of the encoder by name, run axis first; empty for a table, whose weights are the embedding."""
    trace: "pd.DataFrame"
    """Tidy: step, run, measure, table, concept, kind, value."""
    snapshot_steps: tuple[int, ...]
    snapshots: Float[Tensor, "snapshots kept tokens dim"]
    """Unembeddings of the first runs over training, as many runs as fit the budget."""
    wide: WideLooks | None = None
    """The same before step 0, where a wide start was found; None without one, and in records of before."""
    spectrum: Spectrum | None = None
    """Singular values of logits and tables at every look, of the same runs; None in records of before."""
    summary: Summary
    """Everything measured at the end; ``as_dict()`` makes plain data of it, as ``result.json`` has it."""
    provenance: dict[str, Any]
    """Versions, seed, hashes, machine, time."""
    folder: Path | None = None
    """Where it lies, when it was stored."""

    @property
    def predicted(self) -> "Prediction | None":
        """What theory predicts for these worlds at this width; None where it does not reach them."""
        return drawing("run prediction")(self)

    def plot(self, kind: str = "linearity") -> "go.Figure":
        """One plot of the page as a plotly figure; it is returned, not shown.

        Args:
            kind: A measure of the trace, such as "alignment" or "excess_loss_nats"; or ``overlap_…``,
                "alignment_matrix", "spectrum", "log_odds", "singular_values",
                "singular_values_over_training": a wrong one names all.

        Raises:
            InputError: No such plot.
        """
        return drawing("run plot")(self, kind)

    def page(self, path: Path | str) -> Path:
        """Write the page, one HTML file that opens offline; returns its path.

        Raises:
            InputError: The file cannot be written.
        """
        return write_text(path, drawing("run page")(self))

    def figures(self, folder: Path | str) -> list[Path]:
        """Write every figure for a paper as PDF, SVG and PNG; returns the files."""
        return drawing("run figures")(self, folder)

    def save(self, folder: Path | str) -> Path:
        """Write the run into a folder of runs, where ``linrep.open`` finds it; returns the run's own folder.

        Raises:
            InputError: The folder cannot be written, or another process trains this run there.
        """
        from linrep.runs.folder import write
        from linrep.runs.store import Store

        store = Store(Path(folder))
        with store.claim(self.key):
            written = write(store, self).folder
        assert written is not None, "a run that was written has a folder"
        return written

    def __repr__(self) -> str:
        return f"{self._what()}; {', '.join(self._findings())})"

    def _what(self) -> str:
        counts, runs = self.summary.counts, self.config.runs
        return (
            f"Result({self.key}: {many(runs, 'run')}, {many(self.summary.final.step, 'step')}, "
            f"{many(counts.contexts, 'context')}, {many(counts.tokens, 'token')}, k = {self.config.model.dim}"
        )

    def _findings(self) -> list[str]:
        final = self.summary.final
        named = {
            "linearity of g": final.linearity["unembedding"],
            "of f": final.linearity["embedding"],
            "alignment": final.alignment,
        }
        words = [f"{name} {_short(each)}" for name, each in named.items() if each.mean is not None]
        loss = final.excess_loss_nats.median
        lost = [] if loss is None else [f"excess loss {loss:.2g} nats"]
        return [*words, *lost, self.summary.ended.words]

    def _repr_html_(self) -> str:
        from html import escape

        import pandas as pd

        rows: list[dict[str, Any]] = []
        for (measure, table), found in self.summary.measures.items():
            if isinstance(found, Similarity) and found.mean is not None:
                low, high = found.interval95 or (math.nan, math.nan)
                null = math.nan if found.null is None else found.null.mean
                rows.append(
                    {
                        "measure": measure,
                        "table": table,
                        "mean": found.mean,
                        "low": low,
                        "high": high,
                        "null": null,
                    }
                )
        table = pd.DataFrame(rows).to_html(index=False, border=0, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{escape(self._what())}; {escape(self._findings()[-1])})</p>{table}"


def _short(found: Similarity) -> str:
    null = "" if found.null is None else f" (null {found.null.mean:.2f})"
    return f"{found.mean:.2f}{null}"
