"""Paired contexts: two sentence beginnings that differ in one concept of the next word."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from linrep.errors import InputError
from linrep.llm.data import (
    LICENCE,
    PROVENANCE,
    Dropped,
    builtin_text,
    checked,
    json_lines,
    read_text,
    require_known,
)
from linrep.llm.word_pairs import builtin_word_pairs, concept_name

# Language codes in the names of Park et al.'s files, in the words of the concepts here.
LANGUAGES = {
    "en": "english",
    "fr": "french",
    "de": "german",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedContexts:
    """The paired contexts of one concept.

    Attributes:
        concept: Its name, that of its word pairs.
        context0: Beginnings whose next word is in the concept's low state. They end without a space.
        context1: Beginnings whose next word is in its high state, in the same order.
        frame: The sentence each pair was made from. Pairs of one frame are not independent: intervals
            leave out frames.
        word0: The next word of each ``context0`` where the source names it, else empty strings.
        word1: The next word of each ``context1`` likewise.
        provenance: Where they come from: "written for linrep", or the user's file.
        licence: Their licence; empty for a user's file.
        dropped: What the reader left out, with the reason.
    """

    concept: str
    context0: tuple[str, ...]
    context1: tuple[str, ...]
    frame: tuple[str, ...]
    word0: tuple[str, ...]
    word1: tuple[str, ...]
    provenance: str
    licence: str = ""
    dropped: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        """The number of pairs of contexts."""
        return len(self.context0)

    @property
    def frames(self) -> tuple[str, ...]:
        """The different frames, in order of first appearance."""
        return tuple(dict.fromkeys(self.frame))

    @property
    def frame_index(self) -> tuple[int, ...]:
        """The position in ``frames`` of each pair's frame."""
        position = {frame: index for index, frame in enumerate(self.frames)}
        return tuple(position[frame] for frame in self.frame)


class _OwnRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    concept: str
    frame: str
    context0: str
    context1: str
    word0: str = ""
    word1: str = ""


class _WordRow(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    word0: str
    word1: str
    contexts0: list[str]
    contexts1: list[str]


# A row and, before it, where it stood.
_Entry = tuple[str, _OwnRow]


def builtin_paired_contexts(concepts: Sequence[str] | None = None) -> tuple[PairedContexts, ...]:
    """The paired contexts that ship with linrep, written for it.

    Args:
        concepts: Only these, in this order; all that have contexts by default.

    Returns:
        One record per concept, concepts in the order of the built-in word pairs.

    Raises:
        InputError: If a concept has no built-in contexts.

    Example:
        >>> contexts = builtin_paired_contexts(["male-female"])[0]
        >>> contexts.context0[0], contexts.context1[0]
        ('The man was late this morning because', 'The woman was late this morning because')
    """
    found: dict[str, PairedContexts] = {}
    for concept in (pairs.concept for pairs in builtin_word_pairs()):
        name = f"{concept}.jsonl"
        try:
            text = builtin_text(f"paired_contexts/{name}")
        except FileNotFoundError:
            continue
        found[concept] = _records(text, name, PROVENANCE, LICENCE, concept)[0]
    wanted = tuple(found) if concepts is None else tuple(concepts)
    require_known(wanted, found, "built-in paired contexts")
    return tuple(found[concept] for concept in wanted)


def read_paired_contexts(path: str | Path) -> tuple[PairedContexts, ...]:
    """Paired contexts from a user's JSON Lines file, or a folder of them.

    Two kinds of line are read. Our own has the fields concept, frame, context0 and context1 (and, if known,
    the next words word0 and word1). Park et al.'s ``xx-yy.jsonl`` has word0, word1, contexts0 and
    contexts1, where every context ends in its word: the word is taken off its end, and the j-th context of
    word0 is paired with the j-th of word1. The concept is then the file's name, language codes written out
    (``fr-es`` is ``french-spanish``), and a frame is a word pair.

    Args:
        path: The file or folder.

    Returns:
        One record per concept. Contexts that do not end in their word, have no partner, are identical or
        repeated are left out and listed in ``dropped``.

    Raises:
        InputError: In one line naming file and line: missing or empty input, a line that is not JSON or
            lacks a field, a concept that stands in two files, no usable pair.
    """
    path = Path(path)
    if not path.is_dir():
        return _records(read_text(path), str(path), str(path), "", _file_concept(path.stem))
    names = sorted(path.glob("*.jsonl"))
    if not names:
        raise InputError(f"{path}: no '.jsonl' files; expected paired contexts, one JSON object per line")
    found: dict[str, PairedContexts] = {}
    for name in names:
        for contexts in read_paired_contexts(name):
            if contexts.concept in found:
                first = found[contexts.concept].provenance
                raise InputError(
                    f"{name}: concept '{contexts.concept}' is already in {first}; keep it in one file"
                )
            found[contexts.concept] = contexts
    return tuple(found.values())


def _file_concept(stem: str) -> str:
    title = stem.removeprefix("[").removesuffix("]")
    return "-".join(LANGUAGES.get(part, part) for part in concept_name(title).split("-"))


def _records(
    text: str, source: str, provenance: str, licence: str, concept: str
) -> tuple[PairedContexts, ...]:
    entries: list[_Entry] = []
    dropped: list[tuple[str, Dropped]] = []
    for where, row in json_lines(text, source):
        if "contexts0" in row or "contexts1" in row:
            kept, left = _from_word_row(checked(_WordRow, row, where), concept, where)
            entries += kept
            dropped += [(concept, one) for one in left]
        else:
            entries.append((where, _own_row(row, where)))
    if not entries:
        why = f" ({dropped[0][1].where}: {dropped[0][1].reason})" if dropped else ""
        raise InputError(f"{source}: no usable paired contexts in it{why}; write one JSON object per line")
    concepts = dict.fromkeys(row.concept for _, row in entries)
    return tuple(
        _record(
            [entry for entry in entries if entry[1].concept == name],
            [left for of, left in dropped if of == name],
            source,
            provenance,
            licence,
        )
        for name in concepts
    )


def _own_row(row: dict[str, object], where: str) -> _OwnRow:
    own = checked(_OwnRow, row, where)
    for field in ("concept", "frame", "context0", "context1"):
        if not str(getattr(own, field)).strip():
            raise InputError(
                f"{where}: field '{field}' is empty; write the text that comes before the next word"
            )
    stripped = {"context0": own.context0.rstrip(), "context1": own.context1.rstrip()}
    return own.model_copy(update={"concept": concept_name(own.concept), **stripped})


def _record(
    entries: Iterable[_Entry], left: Iterable[Dropped], source: str, provenance: str, licence: str
) -> PairedContexts:
    kept: dict[tuple[str, str], _Entry] = {}
    dropped = list(left)
    concept = ""
    for where, row in entries:
        concept = row.concept
        both = (row.context0, row.context1)
        if row.context0 == row.context1:
            dropped.append(Dropped(text=row.context0, reason="the two contexts are identical", where=where))
        elif both in kept:
            reason = f"duplicate of {kept[both][0]}"
            dropped.append(Dropped(text=" / ".join(both), reason=reason, where=where))
        else:
            kept[both] = (where, row)
    if not kept:
        raise InputError(f"{source}: no usable paired contexts for '{concept}' ({dropped[0].reason})")
    rows = [row for _, row in kept.values()]
    return PairedContexts(
        concept=concept,
        context0=tuple(row.context0 for row in rows),
        context1=tuple(row.context1 for row in rows),
        frame=tuple(row.frame for row in rows),
        word0=tuple(row.word0 for row in rows),
        word1=tuple(row.word1 for row in rows),
        provenance=provenance,
        licence=licence,
        dropped=tuple(dropped),
    )


def _from_word_row(row: _WordRow, concept: str, where: str) -> tuple[list[_Entry], list[Dropped]]:
    kept: list[_Entry] = []
    dropped: list[Dropped] = []
    word0, word1 = row.word0.strip(), row.word1.strip()
    if not word0 or not word1:
        raise InputError(f"{where}: field '{'word1' if word0 else 'word0'}' is empty; write the word")
    for index in range(max(len(row.contexts0), len(row.contexts1))):
        if index >= len(row.contexts0) or index >= len(row.contexts1):
            alone, other = (row.contexts0, word1) if index < len(row.contexts0) else (row.contexts1, word0)
            reason = f"no context of '{other}' to pair it with"
            dropped.append(Dropped(text=alone[index], reason=reason, where=where))
            continue
        context0, why0 = before_word(row.contexts0[index], word0)
        context1, why1 = before_word(row.contexts1[index], word1)
        if why0 or why1:
            text = row.contexts0[index] if why0 else row.contexts1[index]
            dropped.append(Dropped(text=text, reason=why0 or why1, where=where))
            continue
        own = _OwnRow(
            concept=concept,
            frame=f"{word0}/{word1}",
            context0=context0,
            context1=context1,
            word0=word0,
            word1=word1,
        )
        kept.append((where, own))
    return kept, dropped


def before_word(context: str, word: str) -> tuple[str, str]:
    """What stands before the word at the end of a context, and, if that cannot be said, why.

    The word is removed as a suffix: ``str.strip`` would also take letters off the text before it.

    Args:
        context: A text that should end in the word.
        word: The word.

    Returns:
        The text before the word, without trailing space, and an empty reason; or an empty text and the
        reason.

    Example:
        >>> before_word("Il parle le français", "français")
        ('Il parle le', '')
        >>> before_word("a handout", "out")
        ('', "'out' is only the end of a longer word")
    """
    text = context.rstrip()
    if not text.endswith(word):
        return "", f"the context does not end in '{word}'"
    before = text.removesuffix(word)
    if before[-1:].isalnum():
        return "", f"'{word}' is only the end of a longer word"
    if not before.strip():
        return "", f"nothing stands before '{word}'"
    return before.rstrip(), ""
