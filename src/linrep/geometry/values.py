"""All similarities of a batch of runs at once, as tensors: what snapshots keep and records are made of."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry.moments import Moments, steering_moments
from linrep.geometry.pairs import Pairs, matrix_over_contrasts, over_contrasts, random_pairs, shuffled_pairs
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, TABLES, TableName
from linrep.geometry.similarity import (
    alignment_matrix,
    linearity,
    off_diagonal,
    orthogonality_mean,
    orthogonality_rms,
)

Key = tuple[str, str]
"""(measure, table): ("linearity", "embedding"), ("alignment", ""), ("orthogonality.rms", "unembedding"), …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Similarities by measure and table; NaN marks what does not exist.

    Example:
        >>> from linrep.geometry import counterfactual_pairs, snapshot
        >>> codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> pairs = counterfactual_pairs(codes)
        >>> values, null = snapshot(None, codes.double()[None], None, pairs, generator=torch.Generator())
        >>> values.per_run(("linearity", "unembedding"))
        tensor([1.], dtype=torch.float64)
    """

    concepts: dict[Key, Float64[Tensor, "runs concepts"]]
    """One number per concept; for orthogonality, the mean over the other concepts."""
    matrices: dict[Key, Float64[Tensor, "runs concepts concepts"]]
    """Concept × concept, for orthogonality and alignment (rows: embedding, columns: unembedding)."""
    pairs: dict[Key, int]
    """How many steering vectors were used, over all runs and both tables where both enter."""
    zero: dict[str, int]
    """By table: how many pairs were dropped because both rows are equal."""

    def per_run(self, key: Key) -> Float64[Tensor, " runs"]:
        """Mean over the concepts that have a value; NaN where none has."""
        return self.concepts[key].nanmean(1)

    def cpu(self) -> "Values":
        """The same numbers in the host's memory."""
        return replace(
            self,
            concepts={key: numbers.cpu() for key, numbers in self.concepts.items()},
            matrices={key: numbers.cpu() for key, numbers in self.matrices.items()},
        )

    def mean(self, key: Key) -> float:
        """Mean over concepts, then over runs; NaN where there is none."""
        return float(self.per_run(key).nanmean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two tables of a batch of runs, with its pairs."""

    table: Float[Tensor, "runs rows dim"]
    pairs: Pairs
    """Pairs of rows of ``table.flatten(0, 1)``; group = run · concepts + concept."""
    rows: Int64[Tensor, " runs"]
    """How many rows of each run are real: the first ones."""

    def null(self, kind: str, generator: torch.Generator) -> "Side":
        """The same table with pairs that mean nothing."""
        if kind == "random pairs":
            drawn = random_pairs(self.pairs, rows=self.rows, stride=self.table.shape[1], generator=generator)
        elif kind == "shuffled pairs":
            drawn = shuffled_pairs(self.pairs, generator=generator)
        else:
            raise InputError(f'null: expected "random pairs" or "shuffled pairs", got "{kind}"; choose one')
        return Side(table=self.table, pairs=drawn, rows=self.rows)

    def moments(self) -> Moments:
        return steering_moments(self.table.flatten(0, 1), self.pairs)


def sides(
    embedding: Float[Tensor, "runs contexts dim"] | None,
    unembedding: Float[Tensor, "runs tokens dim"] | None,
    embedding_pairs: Pairs | None,
    unembedding_pairs: Pairs | None,
    context_rows: Int64[Tensor, " runs"] | None = None,
    token_rows: Int64[Tensor, " runs"] | None = None,
) -> dict[TableName, Side]:
    """Check what is to be measured and pair tables with pairs; either table may be left out.

    Raises:
        InputError: If a table comes without pairs, groups do not divide by runs, or the tables disagree in
            runs, width or concepts.
    """
    found: dict[TableName, Side] = {}
    given = (
        (embedding, embedding_pairs, context_rows),
        (unembedding, unembedding_pairs, token_rows),
    )
    for name, (table, pairs, rows) in zip(TABLES, given, strict=True):
        if table is None or pairs is None:
            if table is not None or pairs is not None:
                raise InputError(
                    f"{name}: expected a table and its pairs, got one of them; give both or none"
                )
            continue
        if pairs.groups % len(table):
            got = f"{pairs.groups} groups for {len(table)} runs"
            raise InputError(
                f"{name}_pairs: expected one group per run and concept, got {got}; stack the pairs"
            )
        if (
            len(pairs.low)
            and int(torch.maximum(pairs.low.max(), pairs.high.max())) >= table.shape[0] * table.shape[1]
        ):
            raise InputError(
                f"{name}_pairs: expected rows of the table, got one beyond its end; check the offsets"
            )
        if rows is None:
            rows = torch.full((len(table),), table.shape[1], dtype=torch.int64, device=table.device)
        found[name] = Side(table=table, pairs=pairs, rows=rows)
    if len(found) == 2:
        shapes = [(len(s.table), s.table.shape[2], s.pairs.groups) for s in found.values()]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"tables: expected equal runs, dim and groups in both, got {shapes[0]} and {shapes[1]}"
            )
    if not found:
        raise InputError("tables: expected an embedding or an unembedding, got neither; give one")
    return found


def similarity_values(
    tables: dict[TableName, Side], concept_of: Int64[Tensor, " contrasts"] | None = None
) -> Values:
    """Every similarity of the given tables: one pass over their vectors, no loop over runs or concepts.

    Args:
        tables: "embedding" and/or "unembedding".
        concept_of: The concept of each group of a run, where groups are contrasts; None = each is its own.
    """
    concepts: dict[Key, Tensor] = {}
    matrices: dict[Key, Tensor] = {}
    pairs: dict[Key, int] = {}
    zero: dict[str, int] = {}
    moments = {name: side.moments() for name, side in tables.items()}
    runs = next(len(side.table) for side in tables.values())
    for name, side in moments.items():
        concepts["linearity", name] = over_contrasts(linearity(side).unflatten(0, (runs, -1)), concept_of)
        matrices[MEAN_DIRECTIONS, name] = matrix_over_contrasts(orthogonality_mean(side, runs), concept_of)
        matrices[RMS, name] = matrix_over_contrasts(orthogonality_rms(side, runs), concept_of, squared=True)
        number = int(side.count.sum())
        for measure in ("linearity", MEAN_DIRECTIONS, RMS):
            pairs[measure, name] = number
        for measure in (MEAN_DIRECTIONS, RMS):
            concepts[measure, name] = off_diagonal(matrices[measure, name])
        zero[name] = int(side.zero.sum())
    if len(moments) == 2:
        matrices["alignment", ""] = matrix_over_contrasts(
            alignment_matrix(moments["embedding"], moments["unembedding"], runs), concept_of
        )
        concepts["alignment", ""] = matrices["alignment", ""].diagonal(dim1=1, dim2=2)
        pairs["alignment", ""] = pairs["linearity", "embedding"] + pairs["linearity", "unembedding"]
    return Values(concepts=concepts, matrices=matrices, pairs=pairs, zero=zero)
