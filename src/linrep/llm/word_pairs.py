"""Word pairs: for each concept, words that differ in it alone, low state first; built in or from a file."""

import csv
import io
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from linrep.errors import InputError
from linrep.llm.data import (
    LICENCE,
    PROVENANCE,
    Dropped,
    builtin_text,
    numbered_lines,
    read_text,
    require_known,
)

PAIR_FILES = (".txt", ".tsv", ".csv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPairs:
    """The word pairs of one concept.

    Attributes:
        concept: Its name, as ``--concept`` takes it: ``male-female``.
        title: Its name for people.
        low: The words in the concept's low state.
        high: The words in its high state, in the same order.
        provenance: Where the pairs come from: "written for linrep", or the user's file.
        licence: Their licence; empty for a user's file.
        note: What else a reader of a table should know.
        dropped: What the reader left out, with the reason.
    """

    concept: str
    title: str
    low: tuple[str, ...]
    high: tuple[str, ...]
    provenance: str
    licence: str = ""
    note: str = ""
    dropped: tuple[Dropped, ...] = ()

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.low)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs, (low, high)."""
        return tuple(zip(self.low, self.high, strict=True))


# (where, concept or "" for the file's own, low, high)
_Entry = tuple[str, str, str, str]


def builtin_word_pairs(concepts: Sequence[str] | None = None) -> tuple[WordPairs, ...]:
    """The word pairs that ship with linrep, written for it.

    Args:
        concepts: Only these, in this order; all by default.

    Returns:
        One record per concept. Within a concept no word stands in two pairs.

    Raises:
        InputError: If a concept is not built in.

    Example:
        >>> pairs = builtin_word_pairs(["male-female"])[0]
        >>> pairs.title, pairs.pairs[2]
        ('male → female', ('king', 'queen'))
    """
    catalogue = tomllib.loads(builtin_text("concepts.toml"))["concept"]
    known = {str(entry["id"]): entry for entry in catalogue}
    wanted = tuple(known) if concepts is None else tuple(concepts)
    require_known(wanted, known, "built-in word pairs")
    return tuple(
        _builtin(concept, known[concept]["title"], known[concept].get("note", "")) for concept in wanted
    )


def _builtin(concept: str, title: str, note: str) -> WordPairs:
    name = f"{concept}.tsv"
    entries = _table(builtin_text(f"word_pairs/{name}"), name, "\t")
    low, high, dropped = _kept(entries)
    return WordPairs(
        concept=concept,
        title=title,
        low=low,
        high=high,
        provenance=PROVENANCE,
        licence=LICENCE,
        note=note,
        dropped=dropped,
    )


def read_word_pairs(path: str | Path) -> tuple[WordPairs, ...]:
    """Word pairs from a user's folder or file.

    Args:
        path: A folder of pair files, Park et al.'s ``[a - b].txt`` among them, or one file: ``.txt`` and
            ``.tsv`` with one tab-separated pair per line, ``.csv`` with commas, ``.json`` with ``[[low,
            high], ...]`` or ``{concept: [[low, high], ...]}``. A table whose first line is ``concept low
            high`` may hold several concepts; a first line ``low high`` is a heading.

    Returns:
        One record per concept, files in alphabetical order. Identical words and repeated pairs are left out
        and listed in ``dropped``.

    Raises:
        InputError: In one line naming file and line: missing or empty input, a line that is not a pair, a
            concept that stands in two files, text that is not UTF-8.
    """
    path = Path(path)
    if not path.is_dir():
        return _read_file(path)
    names = sorted(
        child
        for child in path.iterdir()
        if child.suffix.lower() in PAIR_FILES and not child.name.startswith(".")
    )
    if not names:
        raise InputError(
            f"{path}: no pair files; expected '[a - b].txt' with one tab-separated pair per line"
        )
    found: dict[str, WordPairs] = {}
    for name in names:
        for pairs in _read_file(name):
            if pairs.concept in found:
                first = found[pairs.concept].provenance
                raise InputError(
                    f"{name}: concept '{pairs.concept}' is already in {first}; keep it in one file"
                )
            found[pairs.concept] = pairs
    return tuple(found.values())


def _read_file(path: Path) -> tuple[WordPairs, ...]:
    if not path.exists():
        raise InputError(f"{path}: no such file; give the path of an existing one")
    suffix = path.suffix.lower()
    if suffix not in PAIR_FILES:
        raise InputError(f"{path}: expected a folder or one of {', '.join(PAIR_FILES)}, got '{path.suffix}'")
    text = read_text(path)
    if suffix == ".json":
        entries = _json(text, str(path))
    else:
        entries = _table(text, str(path), "," if suffix == ".csv" else "\t")
    if not entries:
        raise InputError(f"{path}: no word pairs in it; write one pair per line, low word first")
    own_title = _title(path.stem)
    titles = {concept or own_title: None for _, concept, _, _ in entries}
    return tuple(
        _user_pairs([entry for entry in entries if (entry[1] or own_title) == title], title, path)
        for title in titles
    )


def _user_pairs(entries: list[_Entry], title: str, path: Path) -> WordPairs:
    low, high, dropped = _kept(entries)
    if not low:
        why = f"{dropped[0].where}: {dropped[0].text}: {dropped[0].reason}"
        raise InputError(
            f"{path}: no usable word pair for '{title}' ({why}); write two different words per pair"
        )
    return WordPairs(
        concept=concept_name(title), title=title, low=low, high=high, provenance=str(path), dropped=dropped
    )


def _title(stem: str) -> str:
    bracketed = re.fullmatch(r"\[(.+)\]", stem.strip())
    return bracketed[1].strip() if bracketed else stem.strip()


def concept_name(title: str) -> str:
    """The short name of a concept: lower case, no spaces around the hyphen, none inside.

    Example:
        >>> concept_name("verb - V + able"), concept_name("English - French")
        ('verb-v_+_able', 'english-french')
    """
    return re.sub(r"\s+", "_", re.sub(r"\s+-\s+", "-", title.strip().lower()))


def _kept(entries: Iterable[_Entry]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Dropped, ...]]:
    first_seen: dict[tuple[str, str], str] = {}
    dropped: list[Dropped] = []
    for where, _, low, high in entries:
        if low == high:
            reason = "the two words are identical"
            dropped.append(Dropped(text=f"{low} / {high}", reason=reason, where=where, pair=(low, high)))
        elif (low, high) in first_seen:
            reason = f"duplicate of {first_seen[low, high]}"
            dropped.append(Dropped(text=f"{low} / {high}", reason=reason, where=where, pair=(low, high)))
        else:
            first_seen[low, high] = where
    return tuple(pair[0] for pair in first_seen), tuple(pair[1] for pair in first_seen), tuple(dropped)


def _table(text: str, source: str, separator: str) -> list[_Entry]:
    entries: list[_Entry] = []
    columns = 2
    for index, (number, line) in enumerate(numbered_lines(text)):
        try:
            cells = _cells(line, separator)
        except csv.Error as error:
            raise InputError(f"{source}:{number}: not a line of a table ({error})") from None
        if index == 0 and [cell.lower() for cell in cells] in (["low", "high"], ["concept", "low", "high"]):
            columns = len(cells)
            continue
        if len(cells) != columns or not all(cells):
            wanted = "two words" if columns == 2 else "a concept and two words"
            by = "a tab" if separator == "\t" else "a comma"
            raise InputError(f"{source}:{number}: expected {wanted} separated by {by}, got {line.strip()!r}")
        concept = cells[0] if columns == 3 else ""
        entries.append((f"{source}:{number}", concept, cells[-2], cells[-1]))
    return entries


def _cells(line: str, separator: str) -> list[str]:
    cells = line.strip().split("\t") if separator == "\t" else next(csv.reader(io.StringIO(line.strip())))
    return [cell.strip() for cell in cells]


def _json(text: str, source: str) -> list[_Entry]:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{source}:{error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: not JSON ({error}); write a list of [low, high] pairs") from None
    groups: dict[str, object] = (
        {str(k): v for k, v in value.items()} if isinstance(value, dict) else {"": value}
    )
    entries: list[_Entry] = []
    for concept, pairs in groups.items():
        if not isinstance(pairs, list):
            raise InputError(f"{source}: expected a list of [low, high] pairs, got {type(pairs).__name__}")
        for number, pair in enumerate(pairs, start=1):
            where = f"{source}: {concept} pair {number}" if concept else f"{source}: pair {number}"
            words = (
                [w.strip() for w in pair if isinstance(w, str) and w.strip()]
                if isinstance(pair, list)
                else []
            )
            if not isinstance(pair, list) or len(words) != 2 or len(pair) != 2:
                raise InputError(f"{where}: expected [low, high], two words, got {json.dumps(pair)}")
            entries.append((where, concept, words[0], words[1]))
    return entries
