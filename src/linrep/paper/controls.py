"""Lines of a chart that measured ones are read against: random pairs, untrained tables, predicting zero."""

from collections.abc import Sequence

from linrep.page.chart import Place, Series, control
from linrep.sweeps.numbers import Numbers, Spread


def controls(
    x: Sequence[Place],
    parts: Sequence[Numbers],
    measure: str,
    table: str = "",
    *,
    start: str = "--predicted",
) -> list[Series]:
    """A measure on random pairs, and of untrained tables.

    Args:
        x: Where each part stands.
        parts: Cells of a sweep.
        measure: Which.
        table: Of which table.
        start: Colour of the line for untrained tables.
    """
    null = [part.spread(measure, table, kind="null") for part in parts]
    untrained = [part.spread(measure, table, at="start") for part in parts]
    return [control("random pairs", "--null", x, null), control("untrained", start, x, untrained)]


def gap_lines(x: Sequence[Place], parts: Sequence[Numbers]) -> list[Series]:
    """The measured log-odds gap and its yardstick.

    Args:
        x: Where each part stands.
        parts: Cells of a sweep.
    """

    def points(kind: str) -> list[Spread]:
        return [part.spread("log_odds_gap_nats", kind=kind) for part in parts]

    measured = Series(name="measured", colour="--unembedding", x=x, points=points("value"))
    return [measured, control("predicting zero", "--null", x, points("null"))]
