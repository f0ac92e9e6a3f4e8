"""The summary of a run: what is measured of it, written to ``result.json``, read back, drawn and listed.

Whoever has something new to say of a run adds a field here. With a default of None it may be missing, as in
runs of before, and is then absent from the JSON.
"""

import contextlib
import json
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


EndWord = Literal["converged", "on a plateau", "unfinished", "too narrow", "diverged"]
END_WORDS: tuple[EndWord, ...] = ("converged", "on a plateau", "unfinished", "too narrow", "diverged")
"""How a run can have ended."""


class Medians(Record):
    """Of the runs that ended alike: a median over several kinds would describe none."""

    runs: Count
    linearity_embedding: Number
    linearity_unembedding: Number
    alignment: Number
    orthogonality_unembedding: Number
    excess_loss_nats: Number
    log_odds_rmse_nats: Number


class Ended(Record):
    """How each run ended, and what it was judged by beside its excess loss and gradient.

    Example:
        >>> import linrep
        >>> ended = linrep.run(world="cancer", runs=2, training={"steps": 5}).summary.ended
        >>> ended.per_run, ended.shares["unfinished"]
        (('unfinished', 'unfinished'), 1.0)
    """

    criterion: str
    """In one sentence."""
    per_run: Annotated[tuple[EndWord | None, ...], as_long_as("runs")]
    """None in a record of before, where it was not measured."""
    shares: dict[EndWord, Finite]
    """Of all runs that were judged; empty where none was."""
    medians: dict[EndWord, Medians]
    """Of each kind that is there, diverged runs left out."""
    target_nats: PerRun
    """The excess loss up to which a run counts as converged."""
    rate: PerRun
    """d ln(excess loss) / d ln(time) over the last e-fold of time, the sum of the step sizes (newton: the
    steps). Negative where it falls; None where too little was measured."""
    floor_nats: PerRun
    """No tables of this width have less excess loss; None where it was not asked, as it decides nothing."""
    best_nats: PerRun
    """The least excess loss of all runs in the same world; None where a run has its own."""

    @property
    def words(self) -> str:
        """How many runs ended in which way.

        Example:
            >>> not_judged(2, "").words
            'how 2 runs ended was not measured'
        """
        judged = [word for word in self.per_run if word is not None]
        if not judged:
            runs = len(self.per_run)
            return f"how {'the run' if runs == 1 else f'{runs:,} runs'} ended was not measured"
        counts = [(judged.count(word), word) for word in END_WORDS if word in judged]
        (first, word), *rest = counts
        said = f"{first:,} of {len(judged):,} runs {word}" if len(judged) > 1 else str(word)
        return ", ".join([said, *(f"{number:,} {word}" for number, word in rest)])


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


class Reduced(Record):
    """What the world was made of, where it is less than a whole network."""

    variables: Count
    """Of the whole network."""
    added: tuple[tuple[str, str], ...] = ()
    """Arrows that the whole network has not, parent and child: what was summed out had joined the two."""
    merged: tuple[str, ...] = ()
    """Concepts some of whose states were merged."""


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
    ended: Ended
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
    reduction: Reduced | None = None
    """Where the world is a part of a larger network, or its marginal."""

    @property
    def converged(self) -> tuple[bool, ...]:
        """Which runs did."""
        return tuple(word == "converged" for word in self.ended.per_run)

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
        return Summary.model_validate_json(_renewed(content), context={"runs": range(runs), "names": names})
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def _renewed(content: bytes) -> bytes:
    """A summary of before, which called runs stuck above a threshold, as one whose runs were not judged."""
    if b'"stuck"' not in content:  # parsed once, not twice
        return content
    with contextlib.suppress(ValueError):
        fields = json.loads(content)
        if isinstance(fields, dict) and "ended" not in fields and "stuck" in fields:
            stuck = fields.pop("stuck")
            flags = stuck["per_run"] if isinstance(stuck, dict) else None
            if isinstance(flags, list):
                rule = f"{stuck.get('criterion')} was called stuck, and how runs ended was not measured"
                fields["ended"] = not_judged(len(flags), rule).as_dict()
                return json.dumps(fields).encode()
    return content


def not_judged(runs: int, why: str) -> Ended:
    """Of runs whose end was not measured."""
    nothing = (None,) * runs
    return Ended(
        criterion=why,
        per_run=nothing,
        shares={},
        medians={},
        target_nats=nothing,
        rate=nothing,
        floor_nats=nothing,
        best_nats=nothing,
    )
