"""The shape of a run's summary: which keys, and what lies under each. Whoever reads a run may rely on it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from linrep.runs.toml import explain

Given = TypeVar("Given")


def _as_long_as(what: Literal["runs", "names"]) -> AfterValidator:
    def check(given: Any, info: Any) -> Any:  # pydantic's ValidationInfo
        if info.context is not None and len(given) != len(info.context[what]):
            raise ValueError(f"expected {len(info.context[what])} {what}, got {len(given)}")
        return given

    return AfterValidator(check)


def _fitting(fits: Callable[[Any, Mapping[str, Sequence[Any]]], bool], words: str) -> AfterValidator:
    """What depends on the runs and the names of the concepts."""

    def check(given: Any, info: Any) -> Any:  # pydantic's ValidationInfo
        if info.context is not None and not fits(given, info.context):
            raise ValueError(f"expected {words}")
        return given

    return AfterValidator(check)


def _square(given: list[list[Any]], known: Mapping[str, Sequence[Any]]) -> bool:
    m = len(known["names"])
    return len(given) == m and all(len(row) == m for row in given)


Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Finite | None
"""None is a number that does not exist."""
Range = Annotated[list[Count], Field(min_length=2, max_length=2)]
Interval = Annotated[list[Finite], Field(min_length=2, max_length=2)]
PerRun = Annotated[list[Number], _as_long_as("runs")]
PerConcept = Annotated[
    dict[str, Number], _fitting(lambda given, known: {*given} == {*known["names"]}, "the concepts' names")
]
Names = Annotated[list[str], _fitting(lambda given, known: given == [*known["names"]], "the concepts' names")]
Matrix = Annotated[list[list[Number]], _fitting(_square, "a row and a column for each concept")]
Tables = Annotated[dict[Literal["embedding", "unembedding"], Given], Field(min_length=2)]
Parts = Annotated[dict[Literal["training", "held_out"], Given], Field(min_length=2)]


class Shape(BaseModel):
    """Part of a summary; keys that are not named here are nobody's business."""

    model_config = ConfigDict(strict=True)


class Spread(Shape):
    """A number of each run."""

    median: Number
    mean: Number
    per_run: PerRun


class Null(Shape):
    """What chance gives."""

    mean: Finite
    q95: Finite
    kind: str


class Similarity(Spread):
    """A measure with its interval and its null."""

    interval95: Interval | None
    null: Null | None
    pairs: Count = 0
    per_concept: PerConcept


class AdditiveShare(Similarity):
    """And how it was computed."""

    method: str


class LogOdds(Shape):
    """How far the log-odds are from the true ones, in nats."""

    rmse: Finite
    max: Finite
    rmse_of_zero: Finite
    median: Finite
    triples: Count
    contexts: Count
    contexts_available: Count
    per_run: PerRun


class Orthogonality(Shape):
    """In both forms."""

    mean_directions: Similarity
    rms: Similarity


class Final(Shape):
    """At the last step."""

    step: Count
    excess_loss_nats: Spread
    linearity: Tables[Similarity]
    alignment: Similarity
    orthogonality: Tables[Orthogonality]
    log_odds_gap_nats: LogOdds | None
    additive_share: Tables[AdditiveShare]
    simplex_deviation_degrees: Tables[Similarity] | None = None
    simplex_share: Tables[Similarity] | None = None
    hierarchy_overlap: Tables[Similarity] | None = None


class Margin(Shape):
    """Of the true concept vectors over the others."""

    mean: Finite
    min: Finite
    triples: Count
    per_run: PerRun


class Degree(Shape):
    """Energy of one degree."""

    degree: Count
    share: Number


class Medians(Shape):
    """Of the free or of the stuck runs."""

    runs: Count
    linearity_embedding: Number
    linearity_unembedding: Number
    alignment: Number
    orthogonality_unembedding: Number
    excess_loss_nats: Number
    log_odds_rmse_nats: Number


class Stuck(Shape):
    """Which runs are, and what both kinds have in common."""

    share: Finite
    criterion: str
    per_run: Annotated[list[bool | None], _as_long_as("runs")]
    free_runs: Medians
    stuck_runs: Medians


class Counts(Shape):
    """Sizes."""

    contexts: Count
    tokens: Count
    dropped_contexts: Count
    runs: Count
    contexts_range: Range | None = None
    tokens_range: Range | None = None


class Diverged(Shape):
    """A run that left the finite numbers."""

    run: Annotated[Count, _fitting(lambda run, known: run < len(known["runs"]), "the number of a run")]
    step: Count
    step_size: Finite


class Matrices(Shape):
    """Concept by concept, in both forms."""

    mean_directions: Matrix
    rms: Matrix


class Points(Shape):
    """A sample of log-odds, point by point."""

    measured: list[Number]
    true: list[Number]
    concept: list[Count]
    run: list[Count]


def _points(given: Points, known: Mapping[str, Sequence[Any]]) -> bool:
    equal = len({len(each) for each in (given.measured, given.true, given.concept, given.run)}) == 1
    return equal and max(given.concept, default=-1) < len(known["names"])


class Figures(Shape):
    """Numbers that only figures need."""

    orthogonality: Tables[Matrices]
    alignment: Matrix
    log_odds: Annotated[Points, _fitting(_points, "points of the concepts")]


class HeldOut(Shape):
    """Contexts that were trained on and those that were not."""

    contexts: Parts[Count]
    excess_loss_nats: Parts[Spread]
    log_odds_gap_nats: Parts[LogOdds | None]
    linearity: Parts[Similarity]
    alignment: Parts[Similarity]


class Summary(Shape):
    """The whole, as :func:`linrep.laboratory.summary.summarise` makes it."""

    run: str
    concepts: Names
    counts: Counts
    diverged: list[Diverged]
    final: Final
    margin: Margin | None
    gauge_imbalance: Spread
    spectrum: Tables[list[Degree] | None]
    stuck: Stuck
    figures: Figures
    held_out: HeldOut | None = None


def require_shape(summary: Mapping[str, Any], *, runs: int, names: Sequence[str]) -> None:
    """Refuse a summary that is none of so many runs over these concepts.

    Args:
        summary: As read from JSON.
        runs: How many were trained.
        names: Of the concepts.

    Raises:
        ValueError: Naming the first key that is missing or holds something else.

    Example:
        >>> require_shape({"run": 3}, runs=1, names=["a"])
        Traceback (most recent call last):
        ValueError: run: expected a valid string, got 3 (and 9 more)
    """
    try:
        Summary.model_validate(summary, context={"runs": range(runs), "names": names})
    except ValidationError as error:
        raise ValueError(explain(error)) from None
