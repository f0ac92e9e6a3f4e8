"""The ruler on vectors: the similarities of tables and language models, with random pairs as the null."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry import (
    Similarity,
    additive_share,
    intervals_over_vectors,
    linearity,
    measure,
    random_pairs,
    similarity_record,
    steering_moments,
)
from linrep.geometry.record import MEAN_DIRECTIONS, RMS
from linrep.geometry.values import Side, similarity_values
from linrep.progress import counted
from linrep.runs.row import NAN, NullRange, Row, Subject
from linrep.seeds import generator
from linrep.vectors.attributes import MISSING, Attributes
from linrep.vectors.directions import CHUNK_ROWS, with_class_means
from linrep.vectors.pairs import Design, of_group

DRAWS = 20
MOST_CELLS = 2048
OVERLAPS = {"orthogonality_mean": MEAN_DIRECTIONS, "orthogonality_rms": RMS}
"""Measure of a row to measure of the summary. The tables and JSON of ``linrep measure`` and ``linrep lm`` are
documented with the names on the left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """What the ruler says."""

    measures: Mapping[str, Any]
    """Linearity and both overlaps, each with interval, null, pairs and numbers by concept."""
    additive: Mapping[str, Any] | None
    overall: tuple[Row, ...]
    rows: tuple[Row, ...]
    matrices: Mapping[str, Float64[Tensor, "concepts concepts"]]


def rule(table: Float[Tensor, "rows dim"], attributes: Attributes, plan: Design, *, seed: int) -> Ruled:
    """Linearity, orthogonality and additive share.

    Overlaps are means over the concepts of other attributes, and the RMS cosine is left out where class
    means stand for pairs. Where either changes a mean, its interval is left out with it.

    Args:
        table: The vectors.
        attributes: Digits of every row.
        plan: What each concept is measured on.
        seed: Of nulls and intervals.
    """
    names = [concept.name for concept in plan.concepts]
    whole, pairs = with_class_means(table, plan)
    found = measure(
        None,
        whole[None],
        None,
        pairs,
        generator=generator(seed, "null"),
        names=names,
        draws=DRAWS,
    )
    paired = torch.tensor([method == "matched pairs" for method in plan.methods])
    owner = torch.tensor([concept.attribute for concept in plan.concepts])
    linear = found.linearity["unembedding"]
    overlaps = found.orthogonality["unembedding"]
    measures = {"linearity": linear, "orthogonality_mean": overlaps.mean_directions}
    measures["orthogonality_rms"] = overlaps.rms
    matrices = {name: found.matrix(measure, "unembedding") for name, measure in OVERLAPS.items()}
    matrices["orthogonality_rms"][~paired] = torch.nan
    matrices["orthogonality_rms"][:, ~paired] = torch.nan
    plainly = bool(paired.all()) and len(owner) == len(owner.unique())
    if not plainly:
        measures |= {name: _elsewhere(measures[name], matrices[name], owner) for name in OVERLAPS}
    null = _random_linearity(table, plan, seed)
    subjects = [subject(plan, i) for i in range(len(names))]
    rows = [
        _linear_row(table, plan, i, linear.per_concept[names[i]], null[:, i], seed) for i in range(len(names))
    ]
    for name in OVERLAPS:
        rows += [
            about.row(name, NAN if value is None else value)
            for about, value in zip(subjects, measures[name].per_concept.values(), strict=True)
        ]
    additive = _additive(table, attributes)
    overall = [_overall(name, record) for name, record in measures.items()]
    if additive is not None:
        overall.append(Row(concept="", measure="additive_share", value=additive["share"]))
    return Ruled(
        measures={name: record.as_dict() for name, record in measures.items()},
        additive=additive,
        overall=tuple(overall),
        rows=tuple(rows),
        matrices=matrices,
    )


def _random_linearity(table: Tensor, plan: Design, seed: int) -> Float64[Tensor, "draws concepts"]:
    """Linearity of every concept when all rows are dealt anew."""
    draw = generator(seed, "random pairs")
    drawn: list[Tensor] = []
    for _ in counted(range(DRAWS), "random pairs: draws"):
        pairs = random_pairs(plan.pairs, rows=torch.tensor([len(table)]), stride=len(table), generator=draw)
        drawn.append(linearity(steering_moments(table, pairs, second=False)))
    return torch.stack(drawn)


def subject(plan: Design, i: int) -> Subject:
    """What the rows of one concept share."""
    pairs = int((plan.pairs.group == i).sum())
    return Subject(concept=plan.concepts[i].name, method=plan.methods[i], pairs=pairs)


def _linear_row(table: Tensor, plan: Design, i: int, value: float | None, null: Tensor, seed: int) -> Row:
    """One concept's linearity with its interval over pairs."""
    about = subject(plan, i)
    if value is None:
        return about.row("linearity", NAN)
    one = of_group(plan.pairs, i)
    side = Side(table=table[None], pairs=one, rows=torch.tensor([len(table)]))
    intervals = intervals_over_vectors(
        {"unembedding": (table, one)},
        similarity_values({"unembedding": side}),
        generator=generator(seed, "bootstrap", i),
    )
    return about.row(
        "linearity", value, intervals["linearity", "unembedding"] or (NAN, NAN), NullRange.of(null)
    )


def _elsewhere(given: Similarity, matrix: Tensor, owner: Tensor) -> Similarity:
    """The same overlap over the concepts of other attributes alone."""
    kept = matrix.masked_fill(owner[:, None] == owner[None, :], torch.nan)
    by_concept = kept.nanmean(1)
    return similarity_record(
        by_concept.nanmean()[None],
        by_concept,
        names=list(given.per_concept),
        interval=None,
        null=given.null,
        pairs=given.pairs,
    )


def _overall(name: str, record: Similarity) -> Row:
    """The mean over concepts."""
    return Subject(concept="").measured(name, record)


def _additive(table: Tensor, attributes: Attributes) -> dict[str, Any] | None:
    """Additive share of the mean vectors of the combinations that occur; None where it says nothing.

    What noise is left in the means counts as interaction.
    """
    whole = (attributes.codes != MISSING).all(1).nonzero()[:, 0]
    cells, where = torch.unique(attributes.codes[whole], dim=0, return_inverse=True)
    levels: Sequence[int] = [len(values) for values in attributes.values]
    if len(cells) > MOST_CELLS or len(cells) <= 1 + sum(level - 1 for level in levels):
        return None
    total = torch.zeros(len(cells), table.shape[1], dtype=torch.float64)
    for rows, cell in zip(whole.split(CHUNK_ROWS), where.split(CHUNK_ROWS), strict=True):
        total.index_add_(0, cell, table[rows].to(torch.float64))
    mean = total / torch.bincount(where, minlength=len(cells))[:, None]
    found = additive_share(mean[None], cells, levels)
    share = float(found.share[0])
    return {
        "share": None if math.isnan(share) else share,
        "method": found.method,
        "combinations": found.rows,
        "parameters": found.parameters,
    }
