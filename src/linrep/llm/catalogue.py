"""The built-in data, counted: where it comes from, how much there is, how much a tokenizer keeps."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from linrep.llm.inputs import as_pairs
from linrep.llm.loading import load_tokenizer
from linrep.llm.paired_contexts import PairedContexts, builtin_paired_contexts
from linrep.llm.source import LoadOptions, locate_tokenizer
from linrep.llm.tokens import TokenPolicy, tokenise_pairs
from linrep.llm.winograd import WinogradPairs, builtin_winograd
from linrep.llm.word_pairs import WordPairs, builtin_word_pairs
from linrep.llm.word_squares import WordSquares, builtin_word_squares


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The pairs of a concept that a tokenizer keeps."""

    kept: int
    dropped: Mapping[str, int]
    """How many by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguedConcept:
    """What ships for one concept."""

    pairs: WordPairs
    contexts: PairedContexts | None
    kept: Kept | None
    """None where no tokenizer was asked."""

    def json(self) -> dict[str, Any]:
        """Numbers and origins."""
        frames = 0 if self.contexts is None else len(self.contexts.frames)
        return {
            "concept": self.pairs.concept,
            "title": self.pairs.title,
            "pairs": len(self.pairs),
            "example": list(self.pairs.pairs[0]),
            "paired_contexts": 0 if self.contexts is None else len(self.contexts),
            "frames": frames,
            "provenance": self.pairs.provenance,
            "licence": self.pairs.licence,
            "note": self.pairs.note,
        } | ({} if self.kept is None else asdict(self.kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All that ships, and how a tokenizer reads it if one was asked."""

    tokenizer: str | None
    leading_space: str | None
    """The tokenizer's, as found."""
    multi_token: str | None
    concepts: tuple[CataloguedConcept, ...]
    squares: tuple[WordSquares, ...]
    winograd: WinogradPairs

    def json(self) -> dict[str, Any]:
        """What ``linrep lm data --json`` prints."""
        twins = self.winograd
        return {
            "tokenizer": self.tokenizer,
            "leading_space": self.leading_space,
            "multi_token": self.multi_token,
            "concepts": [each.json() for each in self.concepts],
            "squares": [
                {
                    "first": each.first,
                    "second": each.second,
                    "squares": len(each),
                    "provenance": each.provenance,
                }
                for each in self.squares
            ],
            "winograd": {"pairs": len(twins), "provenance": twins.provenance, "licence": twins.licence},
        }


def catalogue(tokenizer: str | None, policy: TokenPolicy, load: LoadOptions) -> Catalogue:
    """Everything that ships, counted; with a tokenizer also the pairs that it keeps.

    Args:
        tokenizer: A Hub id or a folder; None counts what there is.
        policy: How words become tokens.
        load: What passes through to the library.

    Raises:
        InputError: If the tokenizer cannot be loaded.

    Example:
        >>> from linrep.llm.source import LoadOptions
        >>> found = catalogue(None, TokenPolicy(), LoadOptions())
        >>> found.concepts[0].pairs.concept, found.concepts[0].kept
        ('base-third_person', None)
    """
    contexts = {record.concept: record for record in builtin_paired_contexts()}
    kept: dict[str, Kept] = {}
    space = None
    if tokenizer is not None:
        tokens = tokenise_pairs(
            load_tokenizer(locate_tokenizer(tokenizer, load)), as_pairs("builtin"), policy=policy
        )
        counts, space = tokens.counts(), tokens.leading_space
        for name in tokens.concepts:
            reasons = Counter(pair.reason for pair in tokens.dropped if pair.concept == name)
            kept[name] = Kept(kept=counts.get(name, 0), dropped=dict(reasons))
    none = None if tokenizer is None else Kept(kept=0, dropped={})
    return Catalogue(
        tokenizer=tokenizer,
        leading_space=space,
        multi_token=None if tokenizer is None else policy.multi_token,
        concepts=tuple(
            CataloguedConcept(
                pairs=pairs, contexts=contexts.get(pairs.concept), kept=kept.get(pairs.concept, none)
            )
            for pairs in builtin_word_pairs()
        ),
        squares=builtin_word_squares(),
        winograd=builtin_winograd(),
    )
