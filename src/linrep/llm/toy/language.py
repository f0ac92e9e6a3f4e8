"""A small language about a world: a sentence says what a context knows, and its last word is the token.

*they say the icy rather small thing is called a* → *bav*. Words of known concepts stand in any order, each
as one of three synonyms (the last of several tokens), between filler that means nothing. Each token is one
invented noun. Some sentences open with a fact, *Bavo of Kimia says*: every name has its place. Facts have
nothing to do with concepts; they give the vocabulary directions besides theirs, without which its covariance,
and so the causal inner product, would be made of the nouns alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Int8
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.concepts import ConceptModel
from linrep.worlds.contexts import World, entropy

# Synonyms of the low and the high state; "|" is where the tokenizer cuts a word.
CONCEPTS = (
    (("small", "little", "minus|cule"), ("large", "big", "enor|mous")),
    (("cold", "icy", "free|zing"), ("hot", "warm", "scor|ching")),
    (("old", "ancient", "time|worn"), ("new", "modern", "un|familiar")),
    (("dark", "dim", "shad|owy"), ("light", "bright", "lumi|nous")),
    (("soft", "tender", "cush|iony"), ("hard", "stiff", "in|flexible")),
    (("slow", "lazy", "slug|gish"), ("fast", "quick", "head|long")),
    (("quiet", "silent", "whis|pering"), ("loud", "noisy", "thun|dering")),
    (("wet", "damp", "water|logged"), ("dry", "arid", "mois|tureless")),
)
OPENERS = ((), ("they", "say"), ("as", "you", "know"), ("in", "our", "town"))
ADVERBS = ("very", "rather", "quite", "somewhat")
NOUNS = ("thing", "object", "item")
CUES = (("is", "called", "a"), ("is", "known", "as", "a"), ("bears", "the", "name"))
ARTICLE, STOP = "the", "."
OF, SAYS = "of", "says"
ADVERB_SHARE, FACT_SHARE = 0.25, 0.3
ONSETS, VOWELS, CODAS = "bdfgklmnprstvz", "aeiou", "bklmnvz"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Words for a world: which say a concept's state, and which is each token."""

    world: World
    synonyms: tuple[tuple[tuple[str, ...], ...], ...]
    """``synonyms[i][s]``: the words that say concept i is in state s."""
    pieces: dict[str, tuple[str, ...]]
    """How words of several tokens are cut."""
    token_words: tuple[str, ...]
    """The noun of each token of the world, in its order."""
    facts: tuple[tuple[str, str], ...]
    """Names and their places."""

    @property
    def draws(self) -> int:
        """Uniform numbers a rendering takes: order, synonym and adverb of each concept, and three more."""
        return 3 * self.world.model.concepts + 3

    @property
    def entropy_nats(self) -> float:
        """Mean entropy of the noun given the context: what no model can predict."""
        return float(self.world.weights @ entropy(self.world))

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The share of sentences that speak of each concept."""
        sizes = torch.tensor(self.world.model.sizes)
        return tuple((self.world.weights @ (self.world.codes < sizes).to(torch.float64)).tolist())

    def vocabulary(self) -> tuple[str, ...]:
        """Every word that is one token, each once: nouns first, then concept words, then filler."""
        said = [
            word for states in self.synonyms for words in states for word in words if word not in self.pieces
        ]
        facts = [OF, SAYS, *(word for fact in self.facts for word in fact)] if self.facts else []
        filler = [word for phrase in (*OPENERS, ADVERBS, NOUNS, *CUES) for word in phrase]
        return tuple(dict.fromkeys([*self.token_words, *said, *filler, ARTICLE, STOP, *facts]))

    def render(self, code: Sequence[int], draws: Sequence[float]) -> tuple[str, ...]:
        """One sentence for a context, up to the token, as words.

        Args:
            code: A digit per concept; one past its last state is unknown, and not spoken of.
            draws: `self.draws` numbers in [0, 1) that decide everything else.

        Returns:
            The words, without the noun that completes them.
        """
        concepts = len(code)
        known = [i for i, digit in enumerate(code) if digit < len(self.synonyms[i])]
        words = [*self._opener(draws[-3]), ARTICLE]
        for i in sorted(known, key=lambda i: draws[i]):
            adverb = draws[2 * concepts + i]
            if adverb < ADVERB_SHARE:
                words.append(_pick(ADVERBS, adverb / ADVERB_SHARE))
            words.append(_pick(self.synonyms[i][code[i]], draws[concepts + i]))
        return (*words, _pick(NOUNS, draws[-2]), *_pick(CUES, draws[-1]))

    def _opener(self, draw: float) -> tuple[str, ...]:
        if not self.facts:
            return _pick(OPENERS, draw)
        if draw >= FACT_SHARE:
            return _pick(OPENERS, (draw - FACT_SHARE) / (1 - FACT_SHARE))
        name, place = _pick(self.facts, draw / FACT_SHARE)
        return name, OF, place, SAYS

    def sentences(
        self, codes: Int8[Tensor, "sentences concepts"], *, generator: torch.Generator
    ) -> list[tuple[str, ...]]:
        """A random rendering of each context."""
        drawn = torch.rand(len(codes), self.draws, generator=generator, dtype=torch.float64)
        return [self.render(code, draws) for code, draws in zip(codes.tolist(), drawn.tolist(), strict=True)]

    def decode(self, sentence: str) -> tuple[int, ...]:
        """The context that a sentence speaks of: a digit per concept, unknown where it says nothing.

        Raises:
            InputError: If it says two things of one concept, or has a word that is not of the language.
        """
        meaning = {
            word: (i, s)
            for i, states in enumerate(self.synonyms)
            for s, words in enumerate(states)
            for word in words
        }
        known = {*self.vocabulary(), *meaning}
        code = list(self.world.model.sizes)
        for word in sentence.split():
            if word not in known:
                raise InputError(f"sentence: {word!r} is not a word of this language; see its world.json")
            if word in meaning:
                concept, state = meaning[word]
                if code[concept] not in (state, self.world.model.sizes[concept]):
                    raise InputError(
                        f"sentence: {self.world.model.names[concept]!r} is said both ways; keep one"
                    )
                code[concept] = state
        return tuple(code)


def language(world: World, *, facts: int = 0, generator: torch.Generator) -> Language:
    """Words for a world of binary concepts, at most as many as the language has words for.

    Args:
        world: As :func:`named` names its concepts.
        facts: How many names and places there are.
        generator: Decides which invented noun stands for which token, and where whom lives.

    Raises:
        InputError: If there are too many concepts or facts, or a concept is not binary.
    """
    require_words(world.model)
    pieces: dict[str, tuple[str, ...]] = {}
    synonyms: list[tuple[tuple[str, ...], ...]] = []
    for states in CONCEPTS[: world.model.concepts]:
        for words in states:
            pieces |= {word.replace("|", ""): tuple(word.split("|")) for word in words if "|" in word}
        synonyms.append(tuple(tuple(word.replace("|", "") for word in words) for words in states))
    blank = Language(world=world, synonyms=tuple(synonyms), pieces=pieces, token_words=(), facts=())
    nouns = _nouns({*blank.vocabulary(), *(part for parts in pieces.values() for part in parts)})
    if not 0 <= facts <= len(nouns):
        raise InputError(f"facts: the toy language has names for 0 to {len(nouns)}, got {facts}; use fewer")
    order = torch.randperm(len(nouns), generator=generator)[: len(world.tokens)].tolist()
    names, places = (torch.randperm(len(nouns), generator=generator)[:facts].tolist() for _ in range(2))
    known = zip(names, places, strict=True)
    return replace(
        blank,
        token_words=tuple(nouns[i] for i in order),
        facts=tuple((f"{nouns[i]}o".capitalize(), f"{nouns[j]}ia".capitalize()) for i, j in known),
    )


def named(model: ConceptModel) -> ConceptModel:
    """The model with concepts and states named by the language's words, such as ``small-large``."""
    require_words(model)
    states = tuple((low[0], high[0]) for low, high in CONCEPTS[: model.concepts])
    return replace(model, names=tuple("-".join(pair) for pair in states), states=states)


def require_words(model: ConceptModel) -> None:
    """Refuse a model the language has no words for.

    Raises:
        InputError: If there are too many concepts, or one is not binary.
    """
    if model.concepts > len(CONCEPTS):
        raise InputError(
            f"concepts: the toy language has words for at most {len(CONCEPTS)}, got {model.concepts}; "
            "use fewer"
        )
    if set(model.sizes) != {2}:
        raise InputError(f"concepts: the toy language speaks of two states each, got {max(model.sizes)}")


def _pick(choices: Sequence[T], draw: float) -> T:
    return choices[int(draw * len(choices))]


def _nouns(taken: set[str]) -> list[str]:
    found = [first + vowel + last for first in ONSETS for vowel in VOWELS for last in CODAS]
    return [word for word in found if word not in taken]
