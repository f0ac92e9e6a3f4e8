"""The summary of a run: what is measured of it, written to ``result.json``, read back, drawn and listed.

Whoever has something new to say of a run adds a field here. With a default of None it may be missing, as in
runs of before, and is then absent from the JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from linrep.geometry.record import (
    TABLES,
    ByTable,
    Count,
    Finite,
    Number,
    Orthogonality,
    PerRun,
    Record,
    Similarity,
    Spread,
    Value,
    as_long_as,
    fitting,
)
from linrep.runs.toml import explain

Key = tuple[str, str]
"""(measure, table), as the trace names it; the table is "" where both enter."""
PartName = Literal["training", "held_out"]
PARTS: tuple[PartName, ...] = ("training", "held_out")
"""Where contexts were held out: those that were trained on, and those that were not."""


def _square(value: Sequence[Sequence[Any]], known: Mapping[str, Sequence[Any]]) -> bool:
    m = len(known["names"])
    return len(value) == m and all(len(row) == m for row in value)


Range = tuple[Count, Count]
Names = Annotated[
    tuple[str, ...], fitting(lambda value, known: value == (*known["names"],), "the concepts' names")
]
Matrix = Annotated[tuple[tuple[Number, ...], ...], fitting(_square, "a row and a column for each concept")]
"""Concept by concept."""
ByPart = Annotated[dict[PartName, Value], Field(min_length=2)]
"""Of the contexts that were trained on, and of those that were not."""


class AdditiveShare(Similarity):
    """And how it was computed."""

    method: str


class LogOdds(Record):
    """How far the log-odds are from the true ones, in nats."""

    rmse: Finite
    """Mean over runs."""
    max: Finite
    rmse_of_zero: Finite
    """What predicting zero would give."""
    median: Finite
    triples: Count
    contexts: Count
    contexts_available: Count
    per_run: PerRun
    """RMSE."""


class Final(Record):
    """At the last step."""

    step: Count
    excess_loss_nats: Spread
    linearity: ByTable[Similarity]
    alignment: Similarity
    orthogonality: ByTable[Orthogonality]
    log_odds_gap_nats: LogOdds | None
    """None where no context leaves a concept open."""
    additive_share: ByTable[AdditiveShare]
    simplex_deviation_degrees: ByTable[Similarity] | None = None
    simplex_share: ByTable[Similarity] | None = None
    hierarchy_overlap: ByTable[Similarity] | None = None


class Margin(Record):
    """Of the true concept vectors over the others, in nats."""

    mean: Finite
    min: Finite
    triples: Count
    per_run: PerRun


class Degree(Record):
    """Share of a table's non-constant energy in interactions of so many concepts."""

    degree: Count
    share: Number


class Medians(Record):
    """Of the free or of the stuck runs."""

    runs: Count
    linearity_embedding: Number
    linearity_unembedding: Number
    alignment: Number
    orthogonality_unembedding: Number
    excess_loss_nats: Number
    log_odds_rmse_nats: Number


class Stuck(Record):
    """Which runs are, and what both kinds have in common."""

    share: Finite
    criterion: str
    per_run: Annotated[tuple[bool | None, ...], as_long_as("runs")]
    """None where a run diverged."""
    free_runs: Medians
    stuck_runs: Medians


class Counts(Record):
    """Sizes; where runs differ, the widest run's, with the range beside it."""

    contexts: Count
    tokens: Count
    dropped_contexts: Count
    runs: Count
    contexts_range: Range | None = None
    tokens_range: Range | None = None


class Diverged(Record):
    """A run that left the finite numbers."""

    run: Annotated[Count, fitting(lambda run, known: run < len(known["runs"]), "the number of a run")]
    step: Count
    step_size: Finite


class Matrices(Record):
    """Concept by concept, in both forms."""

    mean_directions: Matrix
    rms: Matrix


class Points(Record):
    """A sample of log-odds in nats, point by point."""

    measured: tuple[Number, ...]
    true: tuple[Number, ...]
    concept: tuple[Count, ...]
    run: tuple[Count, ...]


def _points(value: Points, known: Mapping[str, Sequence[Any]]) -> bool:
    equal = len({len(each) for each in (value.measured, value.true, value.concept, value.run)}) == 1
    return equal and max(value.concept, default=-1) < len(known["names"])


class Figures(Record):
    """Numbers that only figures need."""

    orthogonality: ByTable[Matrices]
    alignment: Matrix
    """Rows: embedding, columns: unembedding."""
    log_odds: Annotated[Points, fitting(_points, "points of the concepts")]


class Ending(Record):
    """How training came to its end."""

    gradient_nats: Spread
    """Norm of the loss's gradient times that of both tables: what the loss could still change by, to first
    order, if the tables moved by their own length."""
    norm: Spread
    """Of both tables together."""
    ended_at: Annotated[tuple[Count | None, ...], as_long_as("runs")]
    """The step at which a run came to what was asked for; None where it went on to the last."""
    ridge: Spread | None = None
    """newton: λ for each context where it stopped following norms that grow."""
    time: Spread | None = None
    """gd at step size "auto": the sum of each run's steps."""


class Cosines(Record):
    """What depends on the gauge, in one."""

    linearity: ByTable[Spread]
    alignment: Spread
    orthogonality: ByTable[Spread]
    """Of mean directions."""


class Gauge(Record):
    """Cosines in both gauges: as the tables lie, and after the turn to where both have one second moment."""

    read: Literal["as trained", "balanced"]
    """In which every other cosine of this summary, and of the trace, is read: as trained where training keeps
    the gauge (gd, sgd, newton on tables), balanced where it does not (Adam, networks)."""
    as_trained: Cosines
    balanced: Cosines


RISES_LONG = 0.02
"""Share of a run's steps from which on its loss rises for long."""


class Rises(Record):
    """How often the loss rose, where steps of gradient descent are fixed."""

    share: Spread
    """Of the steps looked at, two in a row here and there over training."""
    steps_looked_at: Count
    stable_step_size: Finite | None = None
    """Up to which no run's loss would have risen: the least 2/λ, λ the largest eigenvalue of the loss's
    Hessian, along a descent from the same start that never rises. Where the loss rose for long."""
    stable_step_size_is_bound: bool | None = None
    """Whether that descent was left before so many steps of that size would have ended: it may be less."""


class HeldOut(Record):
    """Contexts that were trained on and those that were not."""

    contexts: ByPart[Count]
    excess_loss_nats: ByPart[Spread]
    log_odds_gap_nats: ByPart[LogOdds | None]
    linearity: ByPart[Similarity]
    alignment: ByPart[Similarity]


Measured = Spread | Similarity | LogOdds | Margin
"""What has a number for each run, under ``per_run``."""


class Summary(Record):
    """The whole, as :func:`linrep.laboratory.summary.summarise` makes it.

    Example:
        >>> import linrep
        >>> summary = linrep.run(world="cancer", runs=2, training={"steps": 5}).summary
        >>> summary.final.step, summary.counts.tokens, ("alignment", "") in summary.measures
        (5, 32, True)
    """

    run: str
    """The key."""
    concepts: Names
    counts: Counts
    diverged: tuple[Diverged, ...]
    final: Final
    margin: Margin | None
    gauge_imbalance: Spread
    spectrum: ByTable[tuple[Degree, ...] | None]
    """By degree from 1; None on incomplete grids."""
    stuck: Stuck
    figures: Figures
    ending: Ending | None = None
    gauge: Gauge | None = None
    """None in runs of before, whose cosines are those of the tables as they lie."""
    rises: Rises | None = None
    """Under fixed steps of gradient descent; None in runs of before."""
    held_out: HeldOut | None = None
    """Where contexts were held out of training."""
    price_of_linearity_nats: Spread | None = None
    """Of each run's world: the least excess loss of exactly linear unembeddings. None where it was not worked
    out: too large a world, or a run of before."""

    @property
    def free(self) -> tuple[bool | None, ...]:
        """Which runs reached the bottom; None where a run diverged."""
        return tuple(None if stuck is None else not stuck for stuck in self.stuck.per_run)

    @property
    def measures(self) -> dict[Key, Measured]:
        """Every measure at the last step, under its name in the trace."""
        beside = {"margin": self.margin, "gauge_imbalance": self.gauge_imbalance}
        return dict(_measures({**dict(self.final), **beside}))

    def without_figures(self) -> dict[str, Any]:
        """Plain data, as ``linrep run --json`` prints it."""
        return self.model_dump(mode="json", exclude={"figures"})


def address(measure: str, table: str) -> str:
    """Where the record of a measure lies, under dotted names.

    Example:
        >>> address("orthogonality.rms", "embedding"), address("margin", "")
        ('orthogonality.embedding.rms', 'margin')
    """
    first, _, form = measure.partition(".")
    return ".".join(part for part in (first, table, form) if part)


def held_out_measure(measure: str, part: PartName) -> str:
    """The name of a measure of one part of the contexts: where its record lies in the summary.

    Example:
        >>> held_out_measure("linearity", "training")
        'held_out.linearity.training'
    """
    return f"held_out.{measure}.{part}"


def _measures(records: Mapping[str, Any], table: str = "") -> Iterator[tuple[Key, Measured]]:
    for name, found in records.items():
        if isinstance(found, Measured):
            yield (name, table), found
        elif isinstance(found, Record):
            yield from _measures({f"{name}.{part}": each for part, each in found}, table)
        elif isinstance(found, dict) and found.keys() == {*TABLES}:
            for side, each in found.items():
                yield from _measures({name: each}, side)


def read_summary(content: bytes, *, runs: int, names: Sequence[str]) -> Summary:
    """The summary of so many runs over these concepts.

    Args:
        content: JSON, as :meth:`Summary.as_dict` gives it.
        runs: How many were trained.
        names: Of the concepts.

    Raises:
        ValueError: Naming the first key that is missing or holds something else.

    Example:
        >>> read_summary(b'{"run": 3}', runs=1, names=["a"])
        Traceback (most recent call last):
        ValueError: run: expected a valid string, got 3 (and 9 more)
    """
    try:
        return Summary.model_validate_json(content, context={"runs": range(runs), "names": names})
    except ValidationError as error:
        raise ValueError(explain(error)) from None
