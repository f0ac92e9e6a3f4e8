"""Word pairs in a model's table: linearity, leave-one-out projections, orthogonality and interaction, each
with its interval and the null of random pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.geometry import (
    Pairs,
    linearity,
    off_diagonal,
    orthogonality_mean,
    orthogonality_rms,
    steering_moments,
)
from linrep.geometry.additive import energy_by_degree
from linrep.geometry.moments import Moments
from linrep.intervals import jackknife_interval, mean_interval
from linrep.llm.inner import InnerProduct
from linrep.llm.resampling import (
    NONE,
    NullPool,
    auc,
    null_pool,
    units_by_group,
    weighted_linearity,
    word_interval,
)
from linrep.llm.tokens import TokenPairs, usable_ids
from linrep.llm.weights import VocabularyTable
from linrep.llm.word_squares import WordSquares
from linrep.progress import counted
from linrep.runs.row import CHANCE, Matrix, NullRange, Row, Subject
from linrep.seeds import generator

NULL_ROWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class WordGeometry:
    """The words of a table in one gauge, with the moments of their steering vectors and the null to judge
    them by.
    """

    tokens: TokenPairs
    inner: InnerProduct
    words: Float64[Tensor, "words dim"]
    pairs: Pairs
    units: list[Tensor]
    moments: Moments
    pool: NullPool
    seed: int
    draws: int

    def ends(self, concept: int) -> Int64[Tensor, "2 pairs"]:
        """The two words of each of a concept's pairs."""
        at = self.pairs.group == concept
        return torch.stack([self.pairs.low[at], self.pairs.high[at]])

    def unit_directions(self) -> Float64[Tensor, "concepts dim"]:
        """The mean direction of each concept, unit length (zero if its vectors cancel)."""
        return torch.nn.functional.normalize(self.moments.direction, dim=1)


def word_geometry(
    table: VocabularyTable, tokens: TokenPairs, inner: InnerProduct, *, seed: int, draws: int
) -> WordGeometry:
    """Read the words' rows in the gauge of `inner`, and draw random pairs of the whole vocabulary."""
    words = inner.unembedding(tokens.word_vectors(table.vectors))
    pairs = Pairs(low=tokens.low, high=tokens.high, group=tokens.group, groups=len(tokens.concepts))
    usable = table.usable.nonzero()[:, 0]
    draw = generator(seed, "null", 0)
    some = usable[torch.randperm(len(usable), generator=draw)[:NULL_ROWS]]
    random_rows = table.vectors[some.to(table.vectors.device)].to("cpu", torch.float64)
    return WordGeometry(
        tokens=tokens,
        inner=inner,
        words=words,
        pairs=pairs,
        units=units_by_group(words, pairs),
        moments=steering_moments(words, pairs),
        pool=null_pool(inner.unembedding(random_rows), generator=draw),
        seed=seed,
        draws=draws,
    )


def linearity_rows(geometry: WordGeometry) -> list[Row]:
    """Linearity, and leave-one-out projections of each pair on the others' mean direction, for every concept.

    `projection` is the mean cosine of a steering vector with the direction of all the others;
    `projection_auc` the probability that it exceeds a random pair's cosine with that direction. `found` is 1
    where linearity's interval lies above the null's 97.5 % quantile.
    """
    rows: list[Row] = []
    values = linearity(geometry.moments)
    names = geometry.tokens.concepts
    for concept, name in counted(enumerate(names), "words: concepts", len(names)):
        units = geometry.units[concept]
        number = int(geometry.moments.count[concept])
        gram = units @ units.mT
        words = geometry.ends(concept)
        between = word_interval(lambda w, gram=gram: weighted_linearity(gram, w), words)
        draw = generator(geometry.seed, "null", 1, concept)
        null = NullRange.of(
            geometry.pool.linearity(geometry.pairs, concept, draws=geometry.draws, generator=draw)
        )
        about = Subject(table="unembedding", inner=geometry.inner.name, layer="", concept=name, pairs=number)
        rows.append(about.row("linearity", float(values[concept]), between, null))
        if number > 1:
            rows.append(about.row("found", float(between[0] > null.high)))
            rows += _projection_rows(geometry, gram, units, words, about)
    return rows


def _projection_rows(
    geometry: WordGeometry, gram: Tensor, units: Tensor, words: Tensor, about: Subject
) -> list[Row]:
    number = len(units)
    left_out = _toward_others(gram, torch.ones(1, number, dtype=torch.float64))[0]
    random = geometry.pool.units @ torch.nn.functional.normalize(units.sum(0), dim=0)
    between = word_interval(lambda w: (w * _toward_others(gram, w)).sum(1) / w.sum(1), words)
    return [
        about.row("projection", float(left_out.mean()), between, NullRange.of(random)),
        about.row("projection_auc", auc(left_out, random), null=CHANCE),
    ]


def _toward_others(gram: Tensor, weights: Float64[Tensor, "draws pairs"]) -> Float64[Tensor, "draws pairs"]:
    """Cosine of each pair with the direction of all the others that have weight."""
    toward = weights @ gram
    own = weights * gram.diagonal()
    total = (toward * weights).sum(1, keepdim=True)
    others = (total - 2 * weights * toward + weights * own).clamp(min=1e-24).sqrt()
    return (toward - own) / others


def orthogonality_rows(geometry: WordGeometry) -> tuple[list[Row], dict[str, Matrix]]:
    """|cos| between mean directions and RMS cosine of every two concepts, with the null of random pairs."""
    names, inner, counts = geometry.tokens.concepts, geometry.inner.name, geometry.moments.count
    # The null of a mean direction hardly depends on which concept's pairs are dealt anew: two stand for all.
    first, second = (
        geometry.pool.directions(
            geometry.pairs, group, draws=geometry.draws, generator=generator(geometry.seed, "null", i)
        )
        for i, group in ((2, 0), (3, len(names) - 1))
    )
    cosines = geometry.pool.units[::2] @ geometry.pool.units[1::2].mT
    rms = float(cosines.square().mean().sqrt())
    rows: list[Row] = []
    matrices: dict[str, Matrix] = {}
    for measure, matrix, null in (
        (
            "orthogonality_mean",
            orthogonality_mean(geometry.moments)[0],
            NullRange.of((first * second).sum(1).abs()),
        ),
        ("orthogonality_rms", orthogonality_rms(geometry.moments)[0], NullRange(mean=rms)),
    ):
        matrices[f"{measure}, {inner}"] = Matrix.of(f"{measure}, {inner}", names, names, matrix)
        others = off_diagonal(matrix[None])[0]
        for i, name in enumerate(names):
            about = Subject(table="unembedding", inner=inner, layer="", concept=name, pairs=int(counts[i]))
            rows.append(about.row(measure, float(others[i]), null=null))
    return rows, matrices


def overlap_row(geometry: WordGeometry) -> Row:
    r"""Mean |cosine| of different concepts' mean directions, over all pairs of concepts.

    Naively: ``orthogonality_mean[i < j].mean()``. Its interval leaves out concepts, its null deals the rows
    of all concepts anew: what as many directions of random pairs show among themselves.
    """
    names, counts = geometry.tokens.concepts, geometry.moments.count
    about = Subject(
        concept="", table="unembedding", inner=geometry.inner.name, pairs=int(counts[: len(names)].sum())
    )
    if len(names) < 2:
        return about.row("orthogonality_mean", float("nan"))
    drawn = torch.stack(
        [
            geometry.pool.directions(
                geometry.pairs,
                concept,
                draws=geometry.draws,
                generator=generator(geometry.seed, "null", 5, concept),
            ).to(torch.float32)
            for concept in range(len(names))
        ],
        dim=1,
    )
    null = torch.stack([_mean_overlap((each @ each.mT).abs().to(torch.float64)) for each in drawn])
    matrix = orthogonality_mean(geometry.moments)[0]
    every = torch.arange(len(names))
    left_out = torch.stack([_mean_overlap(matrix[every != i][:, every != i]) for i in range(len(names))])
    value = float(_mean_overlap(matrix))
    between = jackknife_interval(value, [left_out], within=(0, 1)) or NONE
    return about.row("orthogonality_mean", value, between, NullRange.of(null))


def _mean_overlap(matrix: Float64[Tensor, "concepts concepts"]) -> Float64[Tensor, ""]:
    """Mean over what is off the diagonal, and exists."""
    return matrix[~torch.eye(len(matrix), dtype=torch.bool)].nanmean()


def interaction_rows(
    table: VocabularyTable, tokenizer: Any, geometry: WordGeometry, squares: Sequence[WordSquares]
) -> list[Row]:
    """The share of a word square's energy that no sum of two directions explains: king − queen − kings +
    queens.

    0 for an exactly additive square, 1/3 on average for four unrelated words (the null drawn from the
    vocabulary).
    """
    rows: list[Row] = []
    tokens, draw = geometry.tokens, generator(geometry.seed, "null", 4)
    usable = table.usable.nonzero()[:, 0]
    for crossing in squares:
        read = [
            [
                usable_ids(tokenizer, word, tokens.leading_space, tokens.multi_token, table.usable)
                for word in square
            ]
            for square in crossing.squares
        ]
        kept = [[ids for ids in square if ids] for square in read if all(square) and len(set(square)) == 4]
        if not kept:
            continue
        vectors = torch.stack(
            [table.vectors[list(ids)].to("cpu", torch.float64).mean(0) for square in kept for ids in square]
        )
        shares = _interaction(geometry.inner.unembedding(vectors))
        chosen = usable[torch.randint(len(usable), (400,), generator=draw)]
        null = _interaction(geometry.inner.unembedding(table.vectors[chosen].to("cpu", torch.float64)))
        between = mean_interval(shares, within=(0, 1)) or NONE
        about = Subject(
            table="unembedding",
            inner=geometry.inner.name,
            layer="",
            concept=f"{crossing.first} × {crossing.second}",
            pairs=len(kept),
        )
        rows.append(about.row("interaction_share", float(shares.mean()), between, NullRange.of(null)))
    return rows


def _interaction(vectors: Float64[Tensor, "words dim"]) -> Float64[Tensor, " squares"]:
    energy = energy_by_degree(vectors.reshape(-1, 4, vectors.shape[1]), (2, 2))
    varying = energy[:, 1] + energy[:, 2]
    return energy[:, 2] / varying.clamp(min=1e-300)
