"""The whole ruler in one call: every similarity with its number of pairs, null and interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.geometry.pairs import Pairs
from linrep.geometry.uncertainty import intervals_over_vectors
from linrep.geometry.values import Key, Side, Values, sides, similarity_values
from linrep.intervals import mean_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What the same measure gives on pairs that mean nothing."""

    mean: float
    q95: float
    """95 % quantile over the draws."""
    kind: str
    """"random pairs" or "shuffled pairs"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """One similarity as it is reported. None stands for what does not exist: no pair, or too few."""

    mean: float | None
    """Over the concepts that have pairs, then over runs."""
    median: float | None
    """Over runs, of the mean over concepts."""
    interval95: tuple[float, float] | None
    """Bootstrap, of the mean: over runs if there are several, else over vectors."""
    null: Null | None
    pairs: int
    """Steering vectors behind it, over all runs (and both tables, for alignment)."""
    per_concept: tuple[float | None, ...]
    """Mean over the runs in which the concept has pairs."""
    per_run: tuple[float | None, ...]
    """Mean over the concepts that have pairs."""

    def as_dict(self, names: Sequence[str]) -> dict[str, object]:
        """The record as JSON-ready numbers, concepts by name."""
        null = (
            None
            if self.null is None
            else {"mean": self.null.mean, "q95": self.null.q95, "kind": self.null.kind}
        )
        return {
            "mean": self.mean,
            "median": self.median,
            "interval95": None if self.interval95 is None else list(self.interval95),
            "null": null,
            "pairs": self.pairs,
            "per_concept": dict(zip(names, self.per_concept, strict=True)),
            "per_run": list(self.per_run),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Every similarity of one or two tables. What needs a table that was not given is missing."""

    linearity: dict[str, Similarity]
    """By table: "embedding", "unembedding"."""
    alignment: Similarity | None
    orthogonality_mean: dict[str, Similarity]
    """By table: absolute cosine between mean directions, mean over pairs of concepts."""
    orthogonality_rms: dict[str, Similarity]
    """By table: root mean square cosine between vectors of different concepts."""
    values: Values
    """The numbers behind it, run by run, with the concept × concept matrices."""

    def matrix(self, measure: str, table: str = "") -> Float64[Tensor, "concepts concepts"]:
        """A concept × concept matrix, mean over the runs in which it exists; NaN elsewhere."""
        return self.values.matrices[measure, table].nanmean(0)


def measure(
    embedding: Float[Tensor, "runs contexts dim"] | None,
    unembedding: Float[Tensor, "runs tokens dim"] | None,
    embedding_pairs: Pairs | None,
    unembedding_pairs: Pairs | None,
    *,
    generator: torch.Generator,
    context_rows: Int64[Tensor, " runs"] | None = None,
    token_rows: Int64[Tensor, " runs"] | None = None,
    concept_of: Int64[Tensor, " contrasts"] | None = None,
    draws: int = 20,
    null: str = "random pairs",
) -> Measurement:
    """Linearity, alignment and orthogonality of a batch of runs, each with pairs, null and interval.

    A language model is one run: its contexts' states, its head, and one group of pairs per concept in each.
    Vectors of one kind only are an unembedding (or an embedding) alone.

    Args:
        embedding: Rows that predict (contexts), for each run; or None.
        unembedding: Rows that are predicted (tokens), for each run; or None.
        embedding_pairs: Pairs of rows of ``embedding.flatten(0, 1)``, group = run · concepts + concept.
        unembedding_pairs: The same for the unembedding, concepts in the same order.
        generator: Draws nulls.
        context_rows: How many contexts of each run are real, the rest padding; None = all.
        token_rows: The same for tokens.
        concept_of: The concept of each group of a run, where groups are contrasts (every two values of a
            concept): its numbers are means over its contrasts. None = groups are concepts.
        draws: Times the null is drawn.
        null: "random pairs" or "shuffled pairs".

    Returns:
        The records. O(number of vectors) time for each draw of the null.

    Raises:
        InputError: If tables and pairs do not fit, or hold numbers that are not finite.

    Example:
        >>> from linrep.geometry.pairs import counterfactual_pairs
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs, rng = counterfactual_pairs(codes), torch.Generator().manual_seed(0)
        >>> found = measure(None, codes.double()[None], None, pairs, generator=rng)
        >>> found.linearity["unembedding"].per_concept, found.orthogonality_mean["unembedding"].mean
        ((1.0, 1.0), 0.0)

    References:
        docs/theory, section 2.
    """
    tables = sides(embedding, unembedding, embedding_pairs, unembedding_pairs, context_rows, token_rows)
    values = similarity_values(tables, concept_of)
    nulls = _nulls(tables, values, concept_of, kind=null, draws=draws, generator=generator)
    runs = next(len(side.table) for side in tables.values())
    if runs > 1:
        intervals = {
            key: mean_interval(values.per_run(key), within=(0 if "orthogonality" in key[0] else -1, 1))
            for key in values.concepts
        }
    else:
        flat = {name: (side.table[0], side.pairs) for name, side in tables.items()}
        intervals = intervals_over_vectors(flat, values, concept_of, generator=generator)
    records = {key: _record(values, key, intervals[key], nulls[key]) for key in values.concepts}
    by_measure = {
        measure: {name: records[measure, name] for name in tables}
        for measure in ("linearity", "orthogonality_mean", "orthogonality_rms")
    }
    return Measurement(alignment=records.get(("alignment", "")), values=values, **by_measure)


def snapshot(
    embedding: Float[Tensor, "runs contexts dim"] | None,
    unembedding: Float[Tensor, "runs tokens dim"] | None,
    embedding_pairs: Pairs | None,
    unembedding_pairs: Pairs | None,
    *,
    generator: torch.Generator,
    context_rows: Int64[Tensor, " runs"] | None = None,
    token_rows: Int64[Tensor, " runs"] | None = None,
    concept_of: Int64[Tensor, " contrasts"] | None = None,
    null: str = "random pairs",
) -> tuple[Values, Values]:
    """The values of `measure`, and of one draw of the null, without intervals: cheap in training.

    Example:
        >>> from linrep.geometry.pairs import counterfactual_pairs
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs, rng = counterfactual_pairs(codes), torch.Generator().manual_seed(0)
        >>> values, null = snapshot(None, codes.double()[None], None, pairs, generator=rng)
        >>> values.mean(("linearity", "unembedding"))
        1.0
    """
    tables = sides(embedding, unembedding, embedding_pairs, unembedding_pairs, context_rows, token_rows)
    drawn = {name: side.null(null, generator) for name, side in tables.items()}
    return similarity_values(tables, concept_of), similarity_values(drawn, concept_of)


def _nulls(
    tables: dict[str, Side],
    values: Values,
    concept_of: Int64[Tensor, " contrasts"] | None,
    *,
    kind: str,
    draws: int,
    generator: torch.Generator,
) -> dict[Key, Null | None]:
    """Mean and 95 % quantile of every measure over draws of pairs that mean nothing."""
    means: dict[Key, list[float]] = {key: [] for key in values.concepts}
    for _ in range(draws):
        drawn = similarity_values(
            {name: side.null(kind, generator) for name, side in tables.items()}, concept_of
        )
        for key in means:
            means[key].append(drawn.mean(key))
    return {key: _null(found, kind) for key, found in means.items()}


def _null(found: list[float], kind: str) -> Null | None:
    drawn = torch.tensor(found, dtype=torch.float64)
    drawn = drawn[~drawn.isnan()]
    if len(drawn) == 0:
        return None
    return Null(mean=float(drawn.mean()), q95=float(drawn.quantile(0.95)), kind=kind)


def _record(values: Values, key: Key, interval: tuple[float, float] | None, null: Null | None) -> Similarity:
    per_run = values.per_run(key)
    present = per_run[~per_run.isnan()]
    return Similarity(
        mean=float(present.mean()) if len(present) else None,
        median=float(present.quantile(0.5)) if len(present) else None,
        interval95=interval if len(present) else None,
        null=null if len(present) else None,
        pairs=values.pairs[key],
        per_concept=_or_none(values.concepts[key].nanmean(0)),
        per_run=_or_none(per_run),
    )


def _or_none(numbers: Float64[Tensor, " some"]) -> tuple[float | None, ...]:
    return tuple(None if number != number else number for number in numbers.tolist())
