"""The log-odds gap beside that of predicting zero, as the lines of a chart."""

from collections.abc import Sequence

from linrep.experiments.chart import Place, Series
from linrep.sweep_numbers import Numbers, Spread


def gap_lines(x: Sequence[Place], parts: Sequence[Numbers]) -> list[Series]:
    """The measured gap and its yardstick.

    Args:
        x: Where each part stands.
        parts: Cells of a sweep.
    """

    def points(kind: str) -> list[Spread]:
        return [part.spread("log_odds_rmse_nats", kind=kind) for part in parts]

    zero = points("null")
    return [
        Series(name="measured", colour="--unembedding", x=x, points=points("value")),
        Series(name="predicting zero", colour="--null", x=x, points=zero, dash="dot", plain=True),
    ]
