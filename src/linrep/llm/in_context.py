"""Paired contexts: do states move along the concept's own direction, and does that direction read the concept
off?

Every interval leaves out frames (sentences that pairs were made from) and, where they cross, the words
swapped in them, not pairs; every null deals the states anew to the pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.geometry import Pairs, linearity, steering_moments
from linrep.geometry.moments import Moments
from linrep.llm.inner import InnerProduct
from linrep.llm.paired_contexts import PairedContexts
from linrep.llm.resampling import (
    Clusters,
    NullPool,
    Statistic,
    auc,
    null_pool,
    units_by_group,
    weighted_linearity,
    weighted_mean,
)
from linrep.llm.states import States
from linrep.llm.tokens import TokenPairs
from linrep.llm.words import WordGeometry
from linrep.progress import counted
from linrep.runs.row import CHANCE, Matrix, NullRange, Row, Subject
from linrep.seeds import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPairs:
    """Paired contexts of several concepts as one list of texts and index pairs into it."""

    concepts: tuple[str, ...]
    texts: tuple[str, ...]
    pairs: Pairs
    frame: tuple[Int64[Tensor, " _"], ...]
    """For each concept, the frame of each of its pairs."""
    swap: tuple[Int64[Tensor, " _"], ...]
    """For each concept, which words each pair swaps: the same number for the same words in another frame."""

    def unrelated(self, concept: int) -> Float64[Tensor, "pairs pairs"]:
        """1 where two pairs share neither their frame nor the words they swap, else 0."""
        frame, swap = self.frame[concept], self.swap[concept]
        return ((frame[:, None] != frame) & (swap[:, None] != swap)).to(torch.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextGeometry:
    """States of paired contexts in one gauge, with the moments of their differences."""

    contexts: ContextPairs
    place: str
    states: Float64[Tensor, "contexts dim"]
    units: list[Tensor]
    moments: Moments
    pool: NullPool
    seed: int
    draws: int

    def clusters(self, concept: int) -> Clusters:
        """Which pairs of a concept are not independent."""
        return Clusters(frame=self.contexts.frame[concept], swap=self.contexts.swap[concept])

    def about(self, concept: int, inner: str, table: str = "embedding") -> Subject:
        """What rows of that concept share."""
        return Subject(
            table=table,
            inner=inner,
            layer=self.place,
            concept=self.contexts.concepts[concept],
            pairs=int(self.moments.count[concept]),
        )


def context_pairs(records: Sequence[PairedContexts]) -> ContextPairs:
    """Index the texts of all records; a text that stands in several pairs is read once."""
    row: dict[str, int] = {}
    low, high, group = list[int](), list[int](), list[int]()
    for concept, record in enumerate(records):
        for first, second in zip(record.context0, record.context1, strict=True):
            low.append(row.setdefault(first, len(row)))
            high.append(row.setdefault(second, len(row)))
            group.append(concept)
    return ContextPairs(
        concepts=tuple(record.concept for record in records),
        texts=tuple(row),
        pairs=Pairs(
            low=torch.tensor(low, dtype=torch.int64),
            high=torch.tensor(high, dtype=torch.int64),
            group=torch.tensor(group, dtype=torch.int64),
            groups=len(records),
        ),
        frame=tuple(torch.tensor(record.frame_index, dtype=torch.int64) for record in records),
        swap=tuple(_swaps(record) for record in records),
    )


def _swaps(record: PairedContexts) -> Int64[Tensor, " pairs"]:
    number: dict[tuple[str, str], int] = {}
    keys: list[int] = []
    for first, second in zip(record.context0, record.context1, strict=True):
        left, right = first.split(), second.split()
        key = (" ".join(w for w in left if w not in right), " ".join(w for w in right if w not in left))
        keys.append(number.setdefault(key, len(number)))
    return torch.tensor(keys, dtype=torch.int64)


def context_geometry(
    contexts: ContextPairs, states: States, place: str, inner: InnerProduct, *, seed: int, draws: int
) -> ContextGeometry:
    """The states at one place in the embedding gauge of `inner`, with random pairs of them as the null."""
    vectors = inner.embedding(states.at(place))
    return ContextGeometry(
        contexts=contexts,
        place=place,
        states=vectors,
        units=units_by_group(vectors, contexts.pairs),
        moments=steering_moments(vectors, contexts.pairs),
        pool=null_pool(vectors, generator=generator(seed, "null", 10)),
        seed=seed,
        draws=draws,
    )


def embedding_rows(geometry: ContextGeometry, inner: str) -> list[Row]:
    """Linearity of the context differences of each concept.

    `linearity` is over all pairs; `linearity_across` only over those that share neither their frame nor the
    words they swap: man/woman in two sentences move a state alike in any model, concept or not. `found` looks
    at the latter, and at the former where no two pairs are unrelated.
    """
    rows: list[Row] = []
    values = linearity(geometry.moments)
    for concept in counted(range(len(geometry.contexts.concepts)), "contexts: concepts"):
        units, clusters = geometry.units[concept], geometry.clusters(concept)
        gram = units @ units.mT
        about = geometry.about(concept, inner)
        if about.pairs < 2:  # the states of too few pairs differ, as at layer 0 where both end in one token
            rows.append(about.row("linearity", float("nan")))
            continue
        draw = generator(geometry.seed, "null", 11, concept)
        null = NullRange.of(
            geometry.pool.linearity(geometry.contexts.pairs, concept, draws=geometry.draws, generator=draw)
        )
        between = clusters.interval(lambda w, gram=gram: weighted_linearity(gram, w))
        rows.append(about.row("linearity", float(values[concept]), between, null))
        unrelated = geometry.contexts.unrelated(concept)
        if bool(unrelated.any()):
            between = clusters.interval(_mean_over(gram, unrelated))
            value = float((gram * unrelated).sum() / unrelated.sum())
            rows.append(about.row("linearity_across", value, between, null))
        rows.append(about.row("found", float(between[0] > null.high)))
    return rows


def _mean_over(gram: Tensor, chosen: Tensor) -> Statistic:
    """The mean cosine over the chosen two pairs at a time."""
    return lambda w: ((w @ (gram * chosen)) * w).sum(1) / ((w @ chosen) * w).sum(1)


def alignment_rows(geometry: ContextGeometry, words: WordGeometry) -> tuple[list[Row], dict[str, Matrix]]:
    """Cosine of the context differences with the matching and with every other unembedding direction.

    `alignment` is the mean cosine between every Δf_i and every Δg_i; `alignment_direction` the mean cosine of
    the Δf_i with the mean direction of concept i, whose null are mean directions of as many random word
    pairs; `alignment_other` the largest with any other concept's direction, `alignment_unrelated` the mean
    |cosine| with all of them, and `alignment_rank` the place of the matching direction among all (1 = first).
    """
    names, inner = words.tokens.concepts, words.inner.name
    # Every Δf of a context concept (row) with every Δg of a word concept (column): there may be more of the
    # latter.
    whole = geometry.moments.direction @ words.moments.direction.mT
    directions = words.unit_directions()
    toward = geometry.moments.direction @ directions.mT
    label = f"alignment, {inner}, {geometry.place}"
    matrices = {label: Matrix.of(label, geometry.contexts.concepts, names, whole)}
    rows: list[Row] = []
    for concept, name in counted(
        enumerate(geometry.contexts.concepts), "alignment: concepts", len(geometry.contexts.concepts)
    ):
        if name not in names or not int(geometry.moments.count[concept]):
            continue
        match = names.index(name)
        units, clusters = geometry.units[concept], geometry.clusters(concept)
        between = clusters.interval(weighted_mean(units @ directions[match]))
        mean_between = clusters.interval(weighted_mean(units @ words.moments.direction[match]))
        draw = generator(geometry.seed, "null", 12, concept)
        random = words.pool.directions(words.pairs, match, draws=geometry.draws, generator=draw)
        null = NullRange.of(random @ geometry.moments.direction[concept])
        about = geometry.about(concept, inner, table="both")
        others = torch.cat([toward[concept, :match], toward[concept, match + 1 :]])
        rows += [
            about.row("alignment", float(whole[concept, match]), mean_between),
            about.row("alignment_direction", float(toward[concept, match]), between, null),
            about.row("aligned", float(between[0] > null.high)),
            about.row("alignment_rank", 1.0 + float((others > toward[concept, match]).sum())),
        ]
        if len(others):
            rows.append(about.row("alignment_other", float(others.max())))
            rows.append(about.row("alignment_unrelated", float(others.abs().mean())))
    return rows, matrices


def probe_rows(geometry: ContextGeometry, words: WordGeometry | None, inner: str) -> list[Row]:
    """The direction as a linear probe for the concept in context.

    `probe_auc`, `probe_accuracy`: the difference of means of pairs that share neither frame nor swapped words
    with the pair tested, threshold half-way between those means. `word_probe_auc`: f·(mean Δg direction),
    which has seen no context at all.
    """
    rows: list[Row] = []
    for concept, name in counted(
        enumerate(geometry.contexts.concepts), "probes: concepts", len(geometry.contexts.concepts)
    ):
        if not int(geometry.moments.count[concept]):
            continue
        at = geometry.contexts.pairs.group == concept
        low_states = geometry.states[geometry.contexts.pairs.low[at]]
        high_states = geometry.states[geometry.contexts.pairs.high[at]]
        unrelated = geometry.contexts.unrelated(concept)
        if bool(unrelated.any(1).all()):
            low_score, high_score = held_out_scores(low_states, high_states, unrelated)
            correct = ((high_score > 0).to(torch.float64) + (low_score < 0).to(torch.float64)) / 2
            between = geometry.clusters(concept).interval(weighted_mean(correct))
            about = geometry.about(concept, inner)
            rows += [
                about.row("probe_auc", auc(high_score, low_score), null=CHANCE),
                about.row("probe_accuracy", float(correct.mean()), between, CHANCE),
            ]
        if words is not None and name in words.tokens.concepts:
            direction = words.unit_directions()[words.tokens.concepts.index(name)]
            value = auc(high_states @ direction, low_states @ direction)
            rows.append(
                geometry.about(concept, inner, table="both").row("word_probe_auc", value, null=CHANCE)
            )
    return rows


def held_out_scores(
    low: Float64[Tensor, "pairs dim"],
    high: Float64[Tensor, "pairs dim"],
    unrelated: Float64[Tensor, "pairs pairs"],
) -> tuple[Float64[Tensor, " pairs"], Float64[Tensor, " pairs"]]:
    """Scores of each pair's states on the difference of means of the pairs unrelated to it, from their
    midpoint.
    """
    share = unrelated / unrelated.sum(1, keepdim=True)
    low_mean, high_mean = share @ low, share @ high
    direction, middle = high_mean - low_mean, (high_mean + low_mean) / 2
    return ((low - middle) * direction).sum(1), ((high - middle) * direction).sum(1)


def log_odds_rows(
    geometry: ContextGeometry,
    words: WordGeometry,
    states: States,
    table: Float[Tensor, "vocabulary dim"],
) -> list[Row]:
    """f·Δg against the model's own log-odds, in nats, for the concept's word pairs in the concept's contexts.

    `log_odds_gap` is the RMS difference (its null: predicting zero), `log_odds_correlation` theirs, and
    `log_odds_shift` how far the model's mean log-odds move from context 0 to context 1.
    """
    rows: list[Row] = []
    column = {int(token): i for i, token in enumerate(states.logit_ids)}
    tokens, vectors = words.tokens, states.at("head").to(torch.float64)
    for concept, name in enumerate(geometry.contexts.concepts):
        if name not in tokens.concepts:
            continue
        ids = single_token_pairs(tokens, tokens.concepts.index(name))
        if not len(ids):
            continue
        columns = torch.tensor([[column[int(t)] for t in pair] for pair in ids])
        model = (states.logits[:, columns[:, 1]] - states.logits[:, columns[:, 0]]).to(torch.float64)
        difference = _rows(table, ids[:, 1]) - _rows(table, ids[:, 0])
        at = geometry.contexts.pairs.group == concept
        low, high = geometry.contexts.pairs.low[at], geometry.contexts.pairs.high[at]
        used = torch.cat([low, high])
        own, linear = model[used], vectors[used] @ difference.mT
        gap = float((own - linear).square().mean().sqrt())
        shift = (model[high] - model[low]).mean(1)
        between = geometry.clusters(concept).interval(weighted_mean(shift))
        about = Subject(table="both", inner="", layer="head", concept=name, pairs=len(ids))
        both = torch.stack([own.flatten(), linear.flatten()])
        rows += [
            about.row("log_odds_gap", gap, null=NullRange(mean=float(own.square().mean().sqrt()))),
            about.row("log_odds_correlation", float(torch.corrcoef(both)[0, 1])),
            about.row("log_odds_shift", float(shift.mean()), between, NullRange(mean=0.0)),
        ]
    return rows


def _rows(table: Tensor, ids: Tensor) -> Tensor:
    return table[ids.to(table.device)].to("cpu", torch.float64)


def single_token_pairs(tokens: TokenPairs, concept: int) -> Int64[Tensor, "pairs two"]:
    """Token ids (low, high) of a concept's pairs whose words are one token each."""
    at = (tokens.group == concept).nonzero()[:, 0].tolist()
    both = [(tokens.word_tokens[int(tokens.low[i])], tokens.word_tokens[int(tokens.high[i])]) for i in at]
    single = [(low[0], high[0]) for low, high in both if len(low) == len(high) == 1]
    return torch.tensor(single, dtype=torch.int64).reshape(-1, 2)
