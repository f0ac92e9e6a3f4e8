"""The ruler in a training loop of one's own: made once, called at any step, drawn at the end."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from linrep.errors import InputError, many
from linrep.laboratory.given import world_of
from linrep.laboratory.laid import lay_world, loss_of
from linrep.laboratory.own_tables import own_table, precision, same_form
from linrep.laboratory.ruler import BatchRuler
from linrep.population.population import Population
from linrep.runs.drawing import drawing
from linrep.runs.trace import Series, trace_frame

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


class Ruler:
    """Measures F and G of one world at any step of a training loop: every value and one draw of its null.

    Intervals take longer, and are :func:`linrep.measure`'s. Index pairs, targets and true log-odds are made
    once, so that a look costs about as much as a step of training.

    Args:
        world: Whose contexts are the rows of F and whose tokens are those of G: a world, a concept model, or
            the name of a network.
        seed: Of the null.

    Raises:
        InputError: What is no world.

    Example:
        >>> import linrep, torch
        >>> world = linrep.world(linrep.load_network("cancer"))
        >>> F, G = torch.randn(len(world.codes), 5), torch.randn(len(world.tokens), 5)
        >>> ruler = linrep.Ruler(world)
        >>> for step in range(3):
        ...     values = ruler(F, G)
        ...     F = F + 0.1 * torch.randn_like(F)
        >>> values["linearity", "unembedding"] == linrep.measure(F, G, world=world).measures[
        ...     "linearity", "unembedding"
        ... ].mean
        True
        >>> ruler.trace["step"].unique().tolist()
        [0, 1, 2]
    """

    def __init__(self, world: Any, *, seed: int = 0) -> None:
        self.world = world_of(world)
        self.seed = seed
        self._made: dict[tuple[int, torch.dtype], tuple[BatchRuler, Population]] = {}
        self._steps: list[int] = []
        self._seen: list[dict[Series, Tensor]] = []

    def __call__(self, F: Any, G: Any, *, step: int | None = None) -> dict[tuple[str, str], float]:
        """Look at both tables.

        Args:
            F: Of every context, ``[contexts, dim]``, in the order of ``world.codes``; or ``[runs, …]``.
            G: Of every token, ``[tokens, dim]``.
            step: Where training is, for the trace; by default one after the last look.

        Returns:
            By (measure, table), as a run's trace names them, the mean over concepts (and runs); NaN where
            there is none. The null of each stands in the trace.

        Raises:
            InputError: Tables that are not this world's, or a step before the last one.
        """
        last = self._steps[-1] if self._steps else -1
        step = last + 1 if step is None else step
        if step <= last:
            raise InputError(f"step: expected one after {last}, the last that was looked at, got {step}")
        embedding, unembedding = own_table(F, "F"), own_table(G, "G")
        same_form(embedding, unembedding)
        lay_world({"embedding": embedding, "unembedding": unembedding}, self.world, torch.float64)
        form = len(embedding), precision(F, G)
        seen_before = form in self._made
        ruler, population = self._prepared(*form)
        # What autograd would note down is a good part of so small an operation. But the first look makes what
        # is kept for later ones, here and in the rooms below, and what is made in this mode may not meet
        # gradients.
        with torch.inference_mode(seen_before):
            seen = ruler.look(embedding, unembedding, loss_of(population, embedding, unembedding), step)
            means = {
                (series.measure, series.table): values if values.dim() == 1 else values.nanmean(1)
                for series, values in seen.items()
                if series.kind == "value"
            }
            over_runs = torch.stack([*means.values()]).nanmean(1).tolist()
        self._steps.append(step)
        self._seen.append(seen)
        return dict(zip(means, over_runs, strict=True))

    def _prepared(self, runs: int, dtype: torch.dtype) -> tuple[BatchRuler, Population]:
        """For so many runs at once in this precision; made once."""
        if (runs, dtype) not in self._made:
            worlds = [self.world] * runs
            self._made[runs, dtype] = BatchRuler(worlds, seed=self.seed), Population.of(worlds, dtype=dtype)
        return self._made[runs, dtype]

    @property
    def trace(self) -> "pd.DataFrame":
        """Everything seen so far, as the trace of a run: step, run, measure, table, concept, kind, value.

        Raises:
            InputError: Nothing was looked at yet.
        """
        if not self._seen:
            raise InputError("trace: nothing was looked at yet; call the ruler, ruler(F, G), in the loop")
        history = {name: torch.stack([seen[name] for seen in self._seen]) for name in self._seen[0]}
        return trace_frame(history, self._steps, self.world.model.names)

    def plot(self, kind: str = "linearity") -> "go.Figure":
        """A measure over the steps, with its null, as a plotly figure; it is returned, not shown.

        Args:
            kind: A measure of the trace; a wrong one names all.

        Raises:
            InputError: No such measure.
        """
        return drawing("trace plot")(self.trace, kind)

    def __repr__(self) -> str:
        names = ", ".join(self.world.model.names)
        contexts, tokens = many(len(self.world.codes), "context"), many(len(self.world.tokens), "token")
        return f"Ruler({contexts}, {tokens} of {names})"
