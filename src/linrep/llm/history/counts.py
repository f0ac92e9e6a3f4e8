"""How often a concept's words occur in a corpus, from a file of counts.

A file counts words (or a tokenizer's tokens, as it spells them, or their ids), or concepts themselves, such
as how often subject and object of a relation stand together. From words, a concept occurs as often as its
rarer side: the words of its pairs, all together, or the words in which its contexts differ. Where both must
meet, as in the toy language, no more can.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from linrep.errors import InputError, shown
from linrep.llm.paired_contexts import PairedContexts
from linrep.runs.spreadsheet import unescaped

CountsInput = str | Path | Mapping[str, int | float]
Kind = Literal["word", "token_id", "concept"]
HEADS: dict[str, Kind] = {
    "word": "word",
    "words": "word",
    "token": "word",
    "text": "word",
    "token_id": "token_id",
    "id": "token_id",
    "concept": "concept",
}
NUMBERS = ("count", "counts", "n", "frequency", "occurrences")
PUNCTUATION = ".,;:!?\"'()"
NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a file counts."""

    kind: Kind
    of: dict[str, float]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often a concept occurs."""

    concept: str
    count: float
    pairs: float | None
    """All words of its pairs together; None where the file counts concepts."""
    contexts: float | None
    """All words in which its contexts differ; None without contexts."""
    missing: tuple[str, ...]
    """Words that the file does not have: taken never to occur."""


def read_counts(given: CountsInput) -> Counts:
    """Counts from a CSV, TSV or JSON file, or a mapping of words.

    A table's first line names its columns: ``word`` (or ``token``, ``token_id``, ``concept``) and ``count``.
    JSON is an object of words, or ``{"concepts": {…}}``.

    Raises:
        InputError: If it is no such file, or a count is negative or no number, naming the line.

    Example:
        >>> read_counts({"king": 10, "queen": 4}).of["queen"]
        4.0
    """
    if isinstance(given, Mapping):
        return _counts(
            "word", [("given", str(key), value) for key, value in given.items()], "given by the caller"
        )
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"counts: {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"counts: {path}: cannot be read ({error}); give a CSV, TSV or JSON file") from None
    if path.suffix.lower() == ".json":
        return _from_json(text, str(path))
    return _from_table(text, str(path))


def frequencies(
    counts: Counts,
    pairs: Mapping[str, Sequence[tuple[str, str]]],
    contexts: Sequence[PairedContexts],
    *,
    tokens: Callable[[str], Sequence[str]],
    ids: Callable[[str], Sequence[int]],
) -> dict[str, Frequency]:
    """How often each concept occurs.

    Args:
        counts: What :func:`read_counts` read.
        pairs: The word pairs of each concept that are measured.
        contexts: Its paired contexts, if any.
        tokens: A word as the tokenizer spells it, in tokens; asked where the file has not the word itself. A
            word of several tokens occurs as often as its rarest.
        ids: The same as ids, asked where the file counts ids.

    Returns:
        One for each concept that occurs at all, in the order of `pairs`.

    Raises:
        InputError: If none of the words is counted: the file is of another tokenizer, or another corpus.
    """
    if counts.kind == "concept":
        return _of_concepts(counts, pairs)
    looked_up = _LookUp(counts, tokens, ids)
    swapped = {record.concept: swapped_words(record) for record in contexts}
    found: dict[str, Frequency] = {}
    for concept, group in pairs.items():
        words = dict.fromkeys(word for pair in group for word in pair)
        sides = [looked_up.total(words), looked_up.total(swapped[concept]) if concept in swapped else None]
        count = min(side for side in sides if side is not None)
        gone = tuple(word for word in (*words, *swapped.get(concept, ())) if looked_up(word) is None)
        if count > 0:
            found[concept] = Frequency(
                concept=concept, count=count, pairs=sides[0], contexts=sides[1], missing=gone
            )
    if not found:
        raise InputError(
            f"counts: {counts.source} counts {len(counts.of):,} {counts.kind}s, and none of those that the "
            f"concepts name ({looked_up.missed()}); count the words, or this "
            "tokenizer's tokens as it spells them"
        )
    return found


def swapped_words(record: PairedContexts) -> tuple[str, ...]:
    """The words in which the contexts of a concept differ, each once.

    Example:
        >>> same = {"frame": ("f",), "word0": ("",), "word1": ("",), "provenance": ""}
        >>> contexts = PairedContexts(
        ...     concept="c", context0=("the old king, a",), context1=("the old queen, a",), **same
        ... )
        >>> swapped_words(contexts)
        ('king', 'queen')
    """
    words: dict[str, None] = {}
    for first, second in zip(record.context0, record.context1, strict=True):
        left, right = first.split(), second.split()
        differ = [word for word in left if word not in right] + [word for word in right if word not in left]
        words |= dict.fromkeys(word.strip(PUNCTUATION) for word in differ)
    return tuple(word for word in words if word)


class _LookUp:
    """How often a word is counted, by itself or by its tokens."""

    def __init__(
        self, counts: Counts, tokens: Callable[[str], Sequence[str]], ids: Callable[[str], Sequence[int]]
    ) -> None:
        self.counts, self.tokens, self.ids = counts, tokens, ids
        self.known: dict[str, float | None] = {}

    def __call__(self, word: str) -> float | None:
        """None where the file has neither the word nor one of its tokens."""
        if word not in self.known:
            self.known[word] = self._count(word)
        return self.known[word]

    def total(self, words: Iterable[str]) -> float:
        """Of all of them; what the file has not counts nothing."""
        return math.fsum(count for word in words if (count := self(word)) is not None)

    def missed(self) -> str:
        """Some of what was looked for, for a message."""
        some = [word for word, count in self.known.items() if count is None][:NAMED]
        return ", ".join(f"{word} = {' '.join(map(str, self._pieces(word)))}" for word in some)

    def _count(self, word: str) -> float | None:
        of = self.counts.of
        if self.counts.kind == "word" and word in of:
            return of[word]
        pieces = [of.get(str(piece)) for piece in self._pieces(word)]
        return None if not pieces or None in pieces else min(piece for piece in pieces if piece is not None)

    def _pieces(self, word: str) -> Sequence[str | int]:
        return self.tokens(word) if self.counts.kind == "word" else self.ids(word)


def _of_concepts(counts: Counts, pairs: Mapping[str, Any]) -> dict[str, Frequency]:
    found = {
        concept: Frequency(concept=concept, count=counts.of[concept], pairs=None, contexts=None, missing=())
        for concept in pairs
        if counts.of.get(concept, 0) > 0
    }
    if not found:
        raise InputError(
            f"counts: {counts.source} counts {len(counts.of):,} concepts, and none of those that are "
            f"measured ({', '.join(list(pairs)[:NAMED])}, …); call them as the pairs do"
        )
    return found


def _from_table(text: str, source: str) -> Counts:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"counts: {source} is empty; expected a line of names, then words and counts")
    separator = next((each for each in ("\t", ";", ",") if each in lines[0]), ",")
    rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, quoting=_quoting(separator)))
    heads = [head.strip().lower() for head in rows[0]]
    what = next((head for head in heads if head in HEADS), None)
    number = next((head for head in heads if head in NUMBERS), None)
    if what is None or number is None:
        raise InputError(
            f"counts: {source}: expected columns word (or token, token_id, concept) and count, got "
            f"{shown(rows[0])}; name them in the first line"
        )
    at, value_at = heads.index(what), heads.index(number)
    entries: list[tuple[str, str, object]] = []
    for line, row in enumerate(rows[1:], start=2):
        if len(row) <= max(at, value_at):
            raise InputError(f"counts: {source}:{line}: expected {len(heads)} columns, got {shown(row)}")
        entries.append((f"{source}:{line}", unescaped(row[at]), row[value_at]))
    return _counts(HEADS[what], entries, source)


def _quoting(separator: str) -> Literal[0, 3]:
    """A tab never stands in a token, so quotes there are tokens like any other."""
    return csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL


def _from_json(text: str, source: str) -> Counts:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"counts: {source}: not JSON ({error})") from None
    kind: Kind = "word"
    if isinstance(value, dict) and set(value) == {"concepts"} and isinstance(value["concepts"], dict):
        kind, value = "concept", value["concepts"]
    if not isinstance(value, dict) or not value:
        raise InputError(f'counts: {source}: expected an object such as {{"king": 120, "queen": 31}}')
    return _counts(kind, [(f"{source}: {shown(key)}", key, each) for key, each in value.items()], source)


def _counts(kind: Kind, entries: Iterable[tuple[str, str, object]], source: str) -> Counts:
    found: dict[str, float] = {}
    for where, name, value in entries:
        name = name if kind == "word" else name.strip()
        try:
            count = float(value)  # pyright: ignore[reportArgumentType]
        except (TypeError, ValueError):
            count = math.nan
        if not 0 <= count < math.inf or isinstance(value, bool):
            raise InputError(f"counts: {where}: expected how often, at least 0, got {shown(value)}")
        if name in found:
            raise InputError(f"counts: {where}: {shown(name)} is counted twice; add them up")
        found[name] = count
    return Counts(kind=kind, of=found, source=source)
