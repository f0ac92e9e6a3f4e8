"""What a toy model is measured with: word pairs and paired contexts whose truth is the world's own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from linrep.geometry import counterfactual_pairs
from linrep.llm.paired_contexts import PairedContexts
from linrep.llm.toy.language import Language
from linrep.llm.word_pairs import WordPairs
from linrep.worlds.contexts import flat_index

PROVENANCE = "toy language, planted"
MOST_CONTEXTS = 120
"""Paired contexts of each concept, at most."""
GAP = "…"
"""Stands in a frame for the word of the concept that the pair differs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPairs:
    """Sentences of contexts that differ in one concept, word for word the same but for it."""

    concept: int
    low: tuple[tuple[str, ...], ...]
    high: tuple[tuple[str, ...], ...]
    low_rows: Tensor
    """Which context of the world each low sentence renders."""
    high_rows: Tensor


def word_pairs(language: Language) -> tuple[WordPairs, ...]:
    """For each concept the nouns of every two tokens that differ in it alone.

    Args:
        language: Its world's tokens and their nouns.

    Returns:
        One record per concept that has such tokens, in the world's order.
    """
    model, words = language.world.model, language.token_words
    pairs = counterfactual_pairs(language.world.token_codes)
    records: list[WordPairs] = []
    for concept, (name, states) in enumerate(zip(model.names, model.states, strict=True)):
        at = pairs.group == concept
        low, high = (tuple(words[i] for i in rows[at].tolist()) for rows in (pairs.low, pairs.high))
        if low:
            records.append(
                WordPairs(concept=name, title=" - ".join(states), low=low, high=high, provenance=PROVENANCE)
            )
    return tuple(records)


def rendered_pairs(
    language: Language, *, generator: torch.Generator, most: int = MOST_CONTEXTS
) -> tuple[RenderedPairs, ...]:
    """Random sentences of context pairs, the concept's two words drawn apart from each other.

    Every context that knows the concept is used before any is used again.

    Args:
        language: The language.
        generator: Draws contexts and renderings.
        most: Pairs of each concept.

    Returns:
        One record per concept of which some context knows both states.
    """
    world, m = language.world, language.world.model.concepts
    pairs = counterfactual_pairs(world.codes)
    records: list[RenderedPairs] = []
    for concept in range(m):
        rows = (pairs.group == concept).nonzero()[:, 0]
        if not len(rows):
            continue
        rows = torch.cat(
            [rows[torch.randperm(len(rows), generator=generator)] for _ in range(-(-most // len(rows)))]
        )
        rows = rows[:most]
        drawn = torch.rand(len(rows), language.draws, generator=generator, dtype=torch.float64)
        redrawn = drawn.clone()
        redrawn[:, m + concept] = torch.rand(len(rows), generator=generator, dtype=torch.float64)
        low_rows, high_rows = pairs.low[rows], pairs.high[rows]
        low, high = (
            tuple(map(language.render, world.codes[index].tolist(), draws.tolist()))
            for index, draws in ((low_rows, drawn), (high_rows, redrawn))
        )
        records.append(
            RenderedPairs(concept=concept, low=low, high=high, low_rows=low_rows, high_rows=high_rows)
        )
    return tuple(records)


def paired_contexts(language: Language, rendered: tuple[RenderedPairs, ...]) -> tuple[PairedContexts, ...]:
    """The same sentences as the ruler for language models reads them.

    A frame is the sentence without the word of the concept. The next word is named where the context knows
    every concept, so that there is only one.

    Args:
        language: The language.
        rendered: What :func:`rendered_pairs` made of it.

    Returns:
        One record per concept.
    """
    return tuple(
        PairedContexts(
            concept=language.world.model.names[pairs.concept],
            context0=tuple(map(" ".join, pairs.low)),
            context1=tuple(map(" ".join, pairs.high)),
            frame=tuple(_frame(language, pairs.concept, words) for words in pairs.low),
            word0=_next_words(language, pairs.low_rows),
            word1=_next_words(language, pairs.high_rows),
            provenance=PROVENANCE,
        )
        for pairs in rendered
    )


def _frame(language: Language, concept: int, words: tuple[str, ...]) -> str:
    said = {word for state in language.synonyms[concept] for word in state}
    return " ".join(GAP if word in said else word for word in words)


def _next_words(language: Language, rows: Tensor) -> tuple[str, ...]:
    world = language.world
    codes = world.codes[rows]
    sizes = torch.tensor(world.model.sizes)
    word = dict(
        zip(flat_index(world.token_codes, world.model.sizes).tolist(), language.token_words, strict=True)
    )
    return tuple(
        word[index] if whole else ""
        for index, whole in zip(
            flat_index(codes, world.model.sizes).tolist(), (codes < sizes).all(1).tolist(), strict=True
        )
    )
