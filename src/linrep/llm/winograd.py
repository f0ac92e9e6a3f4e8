"""Winograd pairs: two texts that differ in one word, which flips whom the pronoun means."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from linrep.errors import InputError
from linrep.llm.data import LICENCE, PROVENANCE, Dropped, builtin_text, checked, json_lines, read_text
from linrep.runs.formats import parquet_rows

# The published schemas differ "in only one or two words"; a few need a third.
MOST_WORDS = 3
DETERMINERS = frozenset(
    {"the", "a", "an", "my", "your", "his", "her", "its", "our", "their", "this", "that", "these", "those"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WinogradPairs:
    """Pairs of texts whose next word is one of two referents, and flips with one word of the text.

    Attributes:
        text0: Texts that end right before the referent: ``... In this sentence, "it" means the``.
        text1: Their twins, which differ in one word.
        options: The two referents of each pair, in the order in which the source names them.
        answers: For each pair the index into its options of the referent of text0 and of text1: (0, 1) or
            (1, 0).
        provenance: Where they come from.
        licence: Their licence; empty for a user's file.
        dropped: What the reader left out, with the reason.
    """

    text0: tuple[str, ...]
    text1: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    answers: tuple[tuple[int, int], ...]
    provenance: str
    licence: str = ""
    dropped: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.text0)

    @property
    def referent0(self) -> tuple[str, ...]:
        """The next word of each ``text0``."""
        return tuple(option[answer[0]] for option, answer in zip(self.options, self.answers, strict=True))

    @property
    def referent1(self) -> tuple[str, ...]:
        """The next word of each ``text1``."""
        return tuple(option[answer[1]] for option, answer in zip(self.options, self.answers, strict=True))


class _OwnRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text0: str
    text1: str
    options: tuple[str, str]
    answers: tuple[int, int]


class _SchemaRow(BaseModel):
    """A line of WSC273 or WSC285 as the Hub mirrors it; what is not needed here is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str
    pronoun: str
    options: tuple[str, str]
    label: int


_Entry = tuple[str, _OwnRow]


def builtin_winograd() -> WinogradPairs:
    """The Winograd pairs that ship with linrep, written for it; none is a published schema.

    Returns:
        The pairs. Which option answers text0 alternates, so that position says nothing.

    Example:
        >>> pairs = builtin_winograd()
        >>> pairs.text0[0]
        'The hammer could not break the stone because it was too light. In this sentence, "it" means the'
        >>> pairs.referent0[0], pairs.referent1[0]
        ('hammer', 'stone')
    """
    rows = json_lines(builtin_text("winograd.jsonl"), "winograd.jsonl")
    return _collect(rows, "winograd.jsonl", PROVENANCE, LICENCE)


def read_winograd(path: str | Path) -> WinogradPairs:
    """Winograd pairs from a user's Parquet or JSON Lines file.

    Two kinds of row are read. Our own has text0, text1, options and answers. That of WSC273 and WSC285
    (Levesque, Davis and Morgenstern, 2012; CC BY 4.0, the Hub's Parquet mirror) has text, pronoun, options
    and label among its columns: two neighbours with the same options and different labels are a pair, and
    ``In this sentence, "it" means the`` is put after each text, with the determiner that both options share.

    Args:
        path: The file, ``.parquet`` or ``.jsonl``.

    Returns:
        The pairs; rows without a partner, repeated pairs and options that are the same are listed in
        ``dropped``.

    Raises:
        InputError: In one line naming file and row: missing or unreadable file, one that unpacks into far
            more than any such file holds, missing column, a label that is no option, no pair at all.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        rows = [(f"{path}: row {number}", row) for number, row in enumerate(parquet_rows(path), start=1)]
    elif path.suffix.lower() in (".jsonl", ".json"):
        rows = json_lines(read_text(path), str(path))
    else:
        raise InputError(f"{path}: expected a .parquet or .jsonl file, got '{path.suffix}'")
    return _collect(rows, str(path), str(path), "")


def pronoun_question(pronoun: str) -> str:
    """What follows a sentence with a pronoun so that the next word is the referent, but for its "the".

    Example:
        >>> pronoun_question("They")
        'In this sentence, "they" means'
    """
    # "I" keeps its capital.
    return f'In this sentence, "{pronoun if pronoun == "I" else pronoun.lower()}" means'


def _collect(
    rows: list[tuple[str, dict[str, object]]], source: str, provenance: str, licence: str
) -> WinogradPairs:
    dropped: list[Dropped] = []
    if rows and "text" in rows[0][1]:
        entries = _from_schemas([(where, checked(_SchemaRow, row, where)) for where, row in rows], dropped)
    else:
        entries = [(where, checked(_OwnRow, row, where)) for where, row in rows]
    kept = _kept(entries, dropped)
    if not kept:
        why = f" ({dropped[0].where}: {dropped[0].reason})" if dropped else ""
        raise InputError(f"{source}: no Winograd pairs in it{why}; expected text0, text1, options, answers")
    return WinogradPairs(
        text0=tuple(row.text0.rstrip() for row in kept),
        text1=tuple(row.text1.rstrip() for row in kept),
        options=tuple(row.options for row in kept),
        answers=tuple(row.answers for row in kept),
        provenance=provenance,
        licence=licence,
        dropped=tuple(dropped),
    )


def _kept(entries: Iterable[_Entry], dropped: list[Dropped]) -> list[_OwnRow]:
    kept: dict[tuple[str, str], tuple[str, _OwnRow]] = {}
    for where, row in entries:
        if sorted(row.answers) != [0, 1]:
            raise InputError(f"{where}: field 'answers': expected [0, 1] or [1, 0], got {list(row.answers)}")
        if not all(text.strip() for text in (row.text0, row.text1, *row.options)):
            raise InputError(f"{where}: a text or an option is empty; write both texts and both referents")
        reason = _unusable(row)
        both = (row.text0, row.text1)
        if not reason and both in kept:
            reason = f"duplicate of {kept[both][0]}"
        if reason:
            dropped.append(Dropped(text=row.text0, reason=reason, where=where))
        else:
            kept[both] = (where, row)
    return [row for _, row in kept.values()]


def _unusable(row: _OwnRow) -> str:
    if row.text0 == row.text1:
        return "the two texts are identical"
    if row.options[0] == row.options[1]:
        return "the two options are the same word"
    return ""


def _from_schemas(rows: list[tuple[str, _SchemaRow]], dropped: list[Dropped]) -> Iterator[_Entry]:
    index = 0
    while index < len(rows):
        where, row = rows[index]
        if row.label not in (0, 1):
            raise InputError(
                f"{where}: field 'label': expected 0 or 1, the index of an option, got {row.label}"
            )
        reason = (
            _no_pair(row, rows[index + 1][1]) if index + 1 < len(rows) else "no row after it to pair it with"
        )
        if reason:
            dropped.append(Dropped(text=row.text, reason=reason, where=where))
            index += 1
        else:
            yield where, _pair(row, rows[index + 1][1])
            index += 2


def _no_pair(first: _SchemaRow, second: _SchemaRow) -> str:
    """Why two neighbours are no pair; empty if they are one."""
    if [option.casefold() for option in first.options] != [option.casefold() for option in second.options]:
        return "the next row has other options"
    if first.label == second.label:
        return "the next row has the same answer"
    if words_apart(first.text, second.text) > MOST_WORDS:
        return f"the next row differs in more than {MOST_WORDS} words"
    return ""


def words_apart(first: str, second: str) -> int:
    """The length in words of the stretch in which two texts differ, in the longer of them.

    Example:
        >>> words_apart("it was too big to fit", "it was far too small to fit")
        3
    """
    a, b = first.split(), second.split()
    same = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(a, b, strict=False)))
    a, b = a[same:], b[same:]
    tail = sum(
        1 for _ in takewhile(lambda two: two[0] == two[1], zip(reversed(a), reversed(b), strict=False))
    )
    return max(len(a), len(b)) - tail


def _pair(first: _SchemaRow, second: _SchemaRow) -> _OwnRow:
    determiner, options = split_determiner(first.options)
    question = f"{pronoun_question(first.pronoun.strip())} {determiner}".rstrip()
    return _OwnRow(
        text0=f"{' '.join(first.text.split())} {question}",
        text1=f"{' '.join(second.text.split())} {question}",
        options=options,
        answers=(first.label, second.label),
    )


def split_determiner(options: tuple[str, str]) -> tuple[str, tuple[str, str]]:
    """The determiner with which both options begin and the options without it; none if they differ.

    Example:
        >>> split_determiner(("The trophy", "the suitcase"))
        ('the', ('trophy', 'suitcase'))
        >>> split_determiner(("Anna", "Her sister"))
        ('', ('Anna', 'Her sister'))
    """
    split = [option.strip().split(maxsplit=1) for option in options]
    firsts = {words[0].lower() for words in split if words}
    if len(firsts) == 1 and firsts <= DETERMINERS and all(len(words) == 2 for words in split):
        return firsts.pop(), (split[0][1], split[1][1])
    return "", (options[0].strip(), options[1].strip())
