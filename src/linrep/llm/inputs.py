"""What a caller may give as pairs, contexts, squares and sentences: a name, a path or the thing itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linrep.llm.paired_contexts import PairedContexts, builtin_paired_contexts, read_paired_contexts
from linrep.llm.tokens import ConceptWords
from linrep.llm.winograd import WinogradPairs, builtin_winograd, read_winograd
from linrep.llm.word_pairs import WordPairs, builtin_word_pairs, read_word_pairs
from linrep.llm.word_squares import WordSquares, builtin_word_squares, read_word_squares

PairsInput = str | Path | ConceptWords | Sequence[WordPairs]
ContextsInput = str | Path | Sequence[PairedContexts] | None
WinogradInput = str | Path | WinogradPairs | None
SquaresInput = str | Path | Sequence[WordSquares] | None


def as_pairs(pairs: PairsInput) -> dict[str, tuple[tuple[str, str], ...]]:
    """Concept to (low, high) words, from "builtin", a file or folder, records or a mapping."""
    if isinstance(pairs, Mapping):
        return {name: tuple(group) for name, group in pairs.items()}
    if isinstance(pairs, str) and pairs == "builtin":
        return {record.concept: record.pairs for record in builtin_word_pairs()}
    if isinstance(pairs, str | Path):
        pairs = read_word_pairs(pairs)
    # What a reader left out comes last, for the tokenizer's list to tell of it too: a duplicate, the same id.
    return {
        record.concept: (*record.pairs, *(each.pair for each in record.dropped if each.pair is not None))
        for record in pairs
    }


def as_contexts(contexts: ContextsInput) -> tuple[PairedContexts, ...]:
    """Paired contexts, from "builtin", a file or folder, or records; none from None."""
    if contexts is None:
        return ()
    if isinstance(contexts, str | Path):
        return builtin_paired_contexts() if contexts == "builtin" else read_paired_contexts(contexts)
    return tuple(contexts)


def as_winograd(winograd: WinogradInput) -> WinogradPairs | None:
    """Winograd pairs, from "builtin", a file or a record."""
    if isinstance(winograd, str | Path):
        return builtin_winograd() if winograd == "builtin" else read_winograd(winograd)
    return winograd


def as_squares(squares: SquaresInput, pairs: PairsInput) -> tuple[WordSquares, ...]:
    """Word squares: as given, and by default the built-in ones where the built-in pairs are measured."""
    if squares is None:
        return builtin_word_squares() if isinstance(pairs, str) and pairs == "builtin" else ()
    if isinstance(squares, str | Path):
        return builtin_word_squares() if squares == "builtin" else read_word_squares(squares)
    return tuple(squares)


def provenance(given: Any) -> str:
    """A few words on where data came from, for the record."""
    if given is None:
        return "none"
    return str(given) if isinstance(given, str | Path) else "given by the caller"
