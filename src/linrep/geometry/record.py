"""What was measured of a batch of runs: one record from the ruler to the JSON, the page and back.

Built from tensors by :mod:`linrep.geometry.recording`, written as JSON, read back as an equal one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_serializer,
)

Value = TypeVar("Value")
TableName = Literal["embedding", "unembedding"]
TABLES: tuple[TableName, ...] = ("embedding", "unembedding")
MEAN_DIRECTIONS, RMS = "orthogonality.mean_directions", "orthogonality.rms"
"""Measures are named by where their record lies in a summary, whatever the table."""


def fitting(fits: Callable[[Any, Mapping[str, Sequence[Any]]], bool], words: str) -> AfterValidator:
    """A check against the runs and the names of the concepts, where these are given as context."""

    def check(value: Any, info: Any) -> Any:  # pydantic's ValidationInfo
        if info.context is not None and not fits(value, info.context):
            raise ValueError(f"expected {words}")
        return value

    return AfterValidator(check)


def as_long_as(what: Literal["runs", "names"]) -> AfterValidator:
    """A check that there is one for each."""

    def check(value: Any, info: Any) -> Any:  # pydantic's ValidationInfo
        if info.context is not None and len(value) != len(info.context[what]):
            raise ValueError(f"expected {len(info.context[what])} {what}, got {len(value)}")
        return value

    return AfterValidator(check)


Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Finite | None
"""None is a number that does not exist."""
Interval = tuple[Finite, Finite]
PerRun = Annotated[tuple[Number, ...], as_long_as("runs")]
PerConcept = Annotated[
    dict[str, Number], fitting(lambda value, known: {*value} == {*known["names"]}, "the concepts' names")
]
ByTable = Annotated[dict[TableName, Value], Field(min_length=2)]
"""Of both tables."""


class Record(BaseModel):
    """Numbers that a reader may rely on.

    A field with a default is absent from the JSON where it is None; one without is written as null.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    @model_serializer(mode="wrap")
    def _written(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        fields = type(self).model_fields
        found = write(self)
        return {
            name: value for name, value in found.items() if value is not None or fields[name].is_required()
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return self.model_dump(mode="json")


class Null(Record):
    """What the same measure gives where it means nothing.

    Example:
        >>> Null(mean=0.0, q95=0.1, kind="random pairs").as_dict()
        {'mean': 0.0, 'q95': 0.1, 'kind': 'random pairs'}
    """

    mean: Finite
    q95: Finite
    """95 % quantile over the draws."""
    kind: str
    """"random pairs", "shuffled pairs" or "shuffled rows"."""


class Spread(Record):
    """A number of each run.

    Example:
        >>> Spread(median=1.0, mean=2.0, per_run=(1.0, 3.0)).as_dict()["per_run"]
        [1.0, 3.0]
    """

    median: Number
    mean: Number
    per_run: PerRun


class Similarity(Record):
    """A measure with its interval and its null. None stands for what does not exist: no pair, or too few.

    Example:
        >>> import linrep
        >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> found = linrep.measure(square, codes=square)
        >>> found.measures["linearity", "unembedding"].per_concept
        {'C1': 1.0, 'C2': 1.0}
    """

    mean: Number
    """Over the concepts that have pairs, then over runs."""
    median: Number
    """Over runs, of the mean over concepts."""
    interval95: Interval | None
    """Of the mean: Student's t over runs if there are several, else by leaving out vectors."""
    null: Null | None
    pairs: Count | None = None
    """Steering vectors behind it, over all runs (and both tables, for alignment)."""
    per_concept: PerConcept
    """Mean over the runs in which the concept has pairs."""
    per_run: PerRun
    """Mean over the concepts that have pairs."""


class Orthogonality(Record):
    """Overlap of different concepts, in both forms.

    Example:
        >>> import linrep
        >>> result = linrep.run(world="cancer", runs=1, training={"steps": 5})
        >>> result.summary.final.orthogonality["embedding"].rms.pairs
        405
    """

    mean_directions: Similarity
    """Absolute cosine between mean directions, mean over pairs of concepts."""
    rms: Similarity
    """Root mean square cosine between vectors of different concepts."""
