"""All similarities of a batch of runs at once, as tensors: what snapshots keep and records are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.geometry.moments import Moments, steering_moments
from linrep.geometry.pairs import (
    Pairs,
    matrix_over_contrasts,
    over_contrasts,
    pairs_of_dealt_ends,
    pairs_of_dealt_rows,
    side_by_side,
    uniform,
)
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, TABLES, TableName
from linrep.geometry.similarity import (
    alignment_matrix,
    linearity,
    off_diagonal,
    orthogonality_mean,
    orthogonality_rms,
)

RANDOM, SHUFFLED = "random pairs", "shuffled pairs"
"""Nulls: rows dealt anew to pairs, or one end of each."""
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
    used: dict[str, Int64[Tensor, " runs"]]
    """By table: how many steering vectors there were."""
    dropped: dict[str, Int64[Tensor, " runs"]]
    """By table: how many pairs were dropped because both rows are equal."""

    @property
    def pairs(self) -> dict[Key, int]:
        """How many steering vectors were used, over all runs and both tables where both enter."""
        used = {table: int(each.sum()) for table, each in self.used.items()}
        return {key: used[key[1]] if key[1] else sum(used.values()) for key in self.concepts}

    @property
    def zero(self) -> dict[str, int]:
        """By table: how many pairs were dropped, over all runs."""
        return {table: int(each.sum()) for table, each in self.dropped.items()}

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

    def of(self, runs: slice) -> "Values":
        """Those of some runs."""
        return Values(
            concepts={key: each[runs] for key, each in self.concepts.items()},
            matrices={key: each[runs] for key, each in self.matrices.items()},
            used={table: each[runs] for table, each in self.used.items()},
            dropped={table: each[runs] for table, each in self.dropped.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two tables of a batch of runs, with its pairs."""

    table: Float[Tensor, "runs rows dim"]
    pairs: Pairs
    """Pairs of rows of ``table.flatten(0, 1)``; group = run · concepts + concept, of each draw."""
    rows: Int64[Tensor, " runs"]
    """How many rows of each run are real: the first ones."""

    @property
    def runs(self) -> int:
        """Of every draw."""
        return self.pairs.draws * len(self.table)

    @property
    def numbers(self) -> int:
        """In its steering vectors, about."""
        return len(self.pairs.group) * self.table.shape[2]

    def null(self, kind: str, generator: torch.Generator) -> "Side":
        """The same table with pairs that mean nothing."""
        return self.nulls(kind, [self.noise(kind, generator)])

    def noise(self, kind: str, generator: torch.Generator) -> Float64[Tensor, "..."]:
        """What a draw of a null takes from a generator."""
        _require_null(kind)
        if kind == RANDOM:
            return uniform(len(self.rows), self.table.shape[1], generator=generator)
        return uniform(len(self.pairs.group), generator=generator)

    def nulls(self, kind: str, noise: Sequence[Tensor]) -> "Side":
        """Several draws of :meth:`null`, given the noise of each."""
        _require_null(kind)
        every = torch.stack([each.to(self.table.device) for each in noise])
        if kind == RANDOM:
            drawn = pairs_of_dealt_rows(self.pairs, every, rows=self.rows)
        else:
            drawn = pairs_of_dealt_ends(self.pairs, every)
        return Side(table=self.table, pairs=drawn, rows=self.rows)

    def beside(self, other: "Side") -> "Side":
        """Another side's pairs, of the same table and counts, behind its own."""
        return Side(table=self.table, pairs=side_by_side(self.pairs, other.pairs), rows=self.rows)

    def moments(self) -> Moments:
        return steering_moments(self.table.flatten(0, 1), self.pairs)


def _require_null(kind: str) -> None:
    if kind not in (RANDOM, SHUFFLED):
        raise InputError(f'null: expected "{RANDOM}" or "{SHUFFLED}", got "{kind}"; choose one')


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

    Of sides with several draws of pairs each draw comes behind the last, as if it were more runs.

    Args:
        tables: "embedding" and/or "unembedding", of as many draws.
        concept_of: The concept of each group of a run, where groups are contrasts; None = each is its own.
    """
    concepts: dict[Key, Tensor] = {}
    matrices: dict[Key, Tensor] = {}
    moments = {name: side.moments() for name, side in tables.items()}
    runs = next(side.runs for side in tables.values())
    for name, side in moments.items():
        concepts["linearity", name] = over_contrasts(linearity(side).unflatten(0, (runs, -1)), concept_of)
        matrices[MEAN_DIRECTIONS, name] = matrix_over_contrasts(orthogonality_mean(side, runs), concept_of)
        matrices[RMS, name] = matrix_over_contrasts(orthogonality_rms(side, runs), concept_of, squared=True)
        for measure in (MEAN_DIRECTIONS, RMS):
            concepts[measure, name] = off_diagonal(matrices[measure, name])
    if len(moments) == 2:
        matrices["alignment", ""] = matrix_over_contrasts(
            alignment_matrix(moments["embedding"], moments["unembedding"], runs), concept_of
        )
        concepts["alignment", ""] = matrices["alignment", ""].diagonal(dim1=1, dim2=2)
    return Values(
        concepts=concepts,
        matrices=matrices,
        used={name: side.count.unflatten(0, (runs, -1)).sum(1) for name, side in moments.items()},
        dropped={name: side.zero.unflatten(0, (runs, -1)).sum(1) for name, side in moments.items()},
    )


AT_ONCE = 2**15
"""Numbers in the vectors of draws that are measured at once: so few take longer to begin than to do."""


def draws_at_once(tables: dict[TableName, Side], concept_of: Int64[Tensor, " contrasts"] | None) -> int:
    """How many draws of a null to measure in one go.

    Larger ones one by one, for memory's sake; contrasts too, because products over all runs of them round
    otherwise when there are more runs: values are the same to the bit however many are drawn at once.

    Args:
        tables: As of :func:`similarity_values`.
        concept_of: As there.
    """
    most = max(side.numbers for side in tables.values())
    return 1 if concept_of is not None else max(1, AT_ONCE // max(1, most))
