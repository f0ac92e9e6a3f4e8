"""The trace of a run: everything measured while it trained, one tidy row a number.

A number has a :class:`Series`. A measure is named by where its record lies in the summary, so that one name
holds in the trace, in the summary, in sweeps and on the page; ``per_run`` of that record is the last step's.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float
from torch import Tensor

from linrep.runs.summary import PARTS, held_out_measure

if TYPE_CHECKING:
    import pandas as pd

TRACE_COLUMNS = ("step", "run", "measure", "table", "concept", "kind", "value")
_BEFORE = {
    "orthogonality_mean": "orthogonality.mean_directions",
    "orthogonality_rms": "orthogonality.rms",
    "log_odds_rmse_nats": "log_odds_gap_nats",
    **{
        f"{part}_{before}": held_out_measure(now, part)
        for before, now in (
            *((name, name) for name in ("excess_loss_nats", "log_odds_gap_nats", "linearity", "alignment")),
            ("log_odds_rmse_nats", "log_odds_gap_nats"),
        )
        for part in PARTS
    },
}
"""Names that measures had before they had those of the summary."""


AS_TRAINED = "as trained"
"""The kind of a number read of tables as they lie, where its value is read in the balanced gauge."""


class Series(NamedTuple):
    """Which number it is."""

    measure: str
    table: str = ""
    """"embedding" or "unembedding"; empty where both enter."""
    kind: str = "value"
    """Or "null", what chance gives, or "as trained"."""

    def text(self) -> str:
        """The name in a checkpoint."""
        return "|".join(self)

    @classmethod
    def parse(cls, text: str) -> "Series":
        """A name in a checkpoint, of whatever version.

        Example:
            >>> Series.parse("orthogonality_rms|embedding|value")
            Series(measure='orthogonality.rms', table='embedding', kind='value')
            >>> Series.parse("held_out_alignment||null").measure
            'held_out.alignment.held_out'
        """
        measure, *rest = text.split("|")
        return cls(_BEFORE.get(measure, measure), *rest)


def trace_frame(
    history: Mapping[Series, Float[Tensor, "steps runs *concepts"]],
    steps: Sequence[int],
    names: Sequence[str],
) -> "pd.DataFrame":
    """Measurements as a tidy table: step, run, measure, table, concept, kind, value; absent ones left out.

    Args:
        history: Steps first.
        steps: The step of each.
        names: Of the concepts; the mean over them stands under "".
    """
    import numpy as np
    import pandas as pd

    parts: list[pd.DataFrame] = []
    runs = next(iter(history.values())).shape[1]
    # Sorted: a resumed run reads its history back in another order.
    for (measure, table, kind), numbers in sorted(history.items()):
        columns = {"": numbers if numbers.dim() == 2 else numbers.nanmean(2)}
        if numbers.dim() == 3 and kind == "value":
            columns |= {name: numbers[..., index] for index, name in enumerate(names)}
        for concept, values in columns.items():
            parts.append(
                pd.DataFrame(
                    {
                        "step": np.repeat(np.asarray(steps, dtype=np.int64), runs),
                        "run": np.tile(np.arange(runs, dtype=np.int32), len(steps)),
                        "measure": measure,
                        "table": table,
                        "concept": concept,
                        "kind": kind,
                        "value": values.reshape(-1).numpy(),
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    return frame.dropna(subset=["value"]).reset_index(drop=True)


def named_as_now(trace: "pd.DataFrame") -> "pd.DataFrame":
    """A trace of whatever version, measures under their present names."""
    return trace.assign(measure=trace["measure"].replace(_BEFORE))
