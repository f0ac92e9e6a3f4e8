"""The whole ruler in one call: every similarity with its number of pairs, null and interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.geometry.pairs import Pairs
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, Null, Orthogonality, Similarity, TableName
from linrep.geometry.recording import null_record, similarity_record
from linrep.geometry.uncertainty import intervals_over_vectors
from linrep.geometry.values import Key, Side, Values, draws_at_once, sides, similarity_values
from linrep.intervals import mean_interval
from linrep.progress import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Every similarity of one or two tables. What needs a table that was not given is missing.

    Example:
        >>> from linrep.geometry import counterfactual_pairs
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs = counterfactual_pairs(codes)
        >>> found = measure(None, codes.double()[None], None, pairs, generator=torch.Generator())
        >>> found.matrix("orthogonality.rms", "unembedding")[0, 1]
        tensor(0., dtype=torch.float64)
    """

    linearity: dict[TableName, Similarity]
    """By table."""
    alignment: Similarity | None
    orthogonality: dict[TableName, Orthogonality]
    """By table, in both forms."""
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
    names: Sequence[str] | None = None,
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
        generator: Draws nulls, and the vectors that are left out of large groups.
        context_rows: How many contexts of each run are real, the rest padding; None = all.
        token_rows: The same for tokens.
        concept_of: The concept of each group of a run, where groups are contrasts (every two values of a
            concept): its numbers are means over its contrasts. None = groups are concepts.
        names: Of the concepts; None = their numbers.
        draws: Times the null is drawn.
        null: "random pairs" or "shuffled pairs".

    Returns:
        The records. O(number of vectors) time for each draw of the null, on the device of the tables, where
        pairs have to be too; what is returned lies in the host's memory.

    Raises:
        InputError: If tables and pairs do not fit, or hold numbers that are not finite.

    Example:
        >>> from linrep.geometry.pairs import counterfactual_pairs
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs, rng = counterfactual_pairs(codes), torch.Generator().manual_seed(0)
        >>> found = measure(None, codes.double()[None], None, pairs, names=["sex", "age"], generator=rng)
        >>> found.linearity["unembedding"].per_concept
        {'sex': 1.0, 'age': 1.0}
        >>> found.orthogonality["unembedding"].mean_directions.mean
        0.0

    References:
        docs/theory, section 2.
    """
    tables = sides(embedding, unembedding, embedding_pairs, unembedding_pairs, context_rows, token_rows)
    values = similarity_values(tables, concept_of).cpu()
    nulls = _nulls(tables, values, concept_of, kind=null, draws=draws, generator=generator)
    runs = next(len(side.table) for side in tables.values())
    if runs > 1:
        intervals = {
            key: mean_interval(values.per_run(key), within=(0 if "orthogonality" in key[0] else -1, 1))
            for key in values.concepts
        }
    else:
        flat: dict[TableName, tuple[Tensor, Pairs]] = {
            name: (side.table[0], side.pairs) for name, side in tables.items()
        }
        intervals = intervals_over_vectors(flat, values, concept_of, generator=generator)
    if names is None:
        names = [str(concept) for concept in range(next(iter(values.concepts.values())).shape[1])]
    records = {
        key: similarity_record(
            values.per_run(key),
            values.concepts[key].nanmean(0),
            names=names,
            interval=intervals[key],
            null=nulls[key],
            pairs=values.pairs[key],
        )
        for key in values.concepts
    }
    return Measurement(
        linearity={name: records["linearity", name] for name in tables},
        alignment=records.get(("alignment", "")),
        orthogonality={
            name: Orthogonality(mean_directions=records[MEAN_DIRECTIONS, name], rms=records[RMS, name])
            for name in tables
        },
        values=values,
    )


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
    drawn: dict[TableName, Side] = {name: side.null(null, generator) for name, side in tables.items()}
    if draws_at_once(tables, concept_of) < 2:
        return similarity_values(tables, concept_of), similarity_values(drawn, concept_of)
    both: dict[TableName, Side] = {name: side.beside(drawn[name]) for name, side in tables.items()}
    found, runs = similarity_values(both, concept_of), next(side.runs for side in tables.values())
    return found.of(slice(runs)), found.of(slice(runs, None))


def _nulls(
    tables: dict[TableName, Side],
    values: Values,
    concept_of: Int64[Tensor, " contrasts"] | None,
    *,
    kind: str,
    draws: int,
    generator: torch.Generator,
) -> dict[Key, Null | None]:
    """Mean and 95 % quantile of every measure over draws of pairs that mean nothing."""
    means: dict[Key, list[float]] = {key: [] for key in values.concepts}
    most = draws_at_once(tables, concept_of)
    noises = ({name: side.noise(kind, generator) for name, side in tables.items()} for _ in range(draws))
    for _ in counted(range(0, draws, most), "null: draws"):
        some = [*islice(noises, most)]
        drawn = similarity_values(
            {name: side.nulls(kind, [noise[name] for noise in some]) for name, side in tables.items()},
            concept_of,
        )
        for key in means:
            means[key] += drawn.per_run(key).unflatten(0, (len(some), -1)).nanmean(1).tolist()
    return {key: null_record(found, kind) for key, found in means.items()}
