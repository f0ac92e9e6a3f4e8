"""The trace of a run: everything measured while it trained, one tidy row a number.

A number has a :class:`Series`. A measure is named by where its record lies in the summary, so that one name
holds in the trace, in the summary, in sweeps and on the page; ``per_run`` of that record is the last step's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
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
        return cls(renamed(measure), *rest)


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
    import pandas as pd

    runs = next(iter(history.values())).shape[1]
    # Sorted: a resumed run reads its history back in another order.
    columns = [
        each for series, numbers in sorted(history.items()) for each in _columns(series, numbers, names)
    ]
    rows = len(steps) * runs

    def words(which: Callable[[tuple[Series, str]], str]) -> NDArray[np.object_]:
        return np.repeat(np.array([which(label) for label, _ in columns], dtype=object), rows)

    values = np.concatenate([values.reshape(-1).numpy() for _, values in columns])
    there = ~np.isnan(values)
    # Column by column: a frame for each series, put together, takes longer than training a small world.
    return pd.DataFrame(
        {
            "step": np.tile(np.repeat(np.asarray(steps, dtype=np.int64), runs), len(columns))[there],
            "run": np.tile(np.arange(runs, dtype=np.int32), len(steps) * len(columns))[there],
            "measure": words(lambda label: label[0].measure)[there],
            "table": words(lambda label: label[0].table)[there],
            "concept": words(lambda label: label[1])[there],
            "kind": words(lambda label: label[0].kind)[there],
            "value": values[there],
        }
    )


def _columns(
    series: Series, numbers: Float[Tensor, "steps runs *concepts"], names: Sequence[str]
) -> Iterator[tuple[tuple[Series, str], Float[Tensor, "steps runs"]]]:
    """The mean over concepts under "", then each concept by itself."""
    yield (series, ""), numbers if numbers.dim() == 2 else numbers.nanmean(2)
    if numbers.dim() == 3 and series.kind == "value":
        yield from (((series, name), numbers[..., index]) for index, name in enumerate(names))


def renamed(measure: str) -> str:
    """The present name of a measure in a trace of whatever version.

    Example:
        >>> renamed("orthogonality_rms"), renamed("alignment")
        ('orthogonality.rms', 'alignment')
    """
    return _BEFORE.get(measure, measure)


def named_as_now(trace: "pd.DataFrame") -> "pd.DataFrame":
    """A trace of whatever version, measures under their present names."""
    return trace.assign(measure=trace["measure"].replace(_BEFORE))
