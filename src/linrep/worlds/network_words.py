"""The words, marks and quoted names of a BIF file, each with its line."""

import bisect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from linrep.errors import InputError, short

MARKS = "{}()[]|,;"
_NEXT = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<open>/\*)|"(?P<quoted>[^"\n]*)"|(?P<mark>[{}()|,;\[\]])'
    r'|(?P<word>(?:(?!//|/\*)[^\s{}()|,;\[\]"])+)|(?P<stray>")',
    re.DOTALL,
)
# Quotes of one line, or of several with the semicolon right behind them, are a unit; any other is a letter.
_PROPERTY = re.compile(r'((?>"[^"\n]*"|"[^"]*"(?=\s*;)|[^;])*+);')


@dataclass(frozen=True, slots=True)
class Word:
    """One word, mark or quoted text."""

    text: str
    line: int
    quoted: bool = False

    def is_mark(self, marks: str = MARKS) -> bool:
        """Whether it is one of the marks, rather than a name that looks like one."""
        return not self.quoted and self.text in marks


class Words:
    """A file from front to back, comments left out; what is wrong is said with file and line.

    Example:
        >>> words = Words('variable "a b" { // what it is', "net.bif")
        >>> [word.text for word in words]
        ['variable', 'a b', '{']
    """

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.line = 1
        """Of the last word."""
        self._text = text
        self._at = 0
        self._line_ends = [found.start() for found in re.finditer("\n", text)]

    def __iter__(self) -> Iterator[Word]:
        while (word := self._word()) is not None:
            yield word

    def next(self, where: str) -> Word:
        """The next word.

        Args:
            where: What is being read, for the error.
        """
        word = self._word()
        if word is None:
            raise self.error(f"{where}: the file ends too early; is a closing brace missing?")
        return word

    def until(self, mark: str, where: str) -> list[Word]:
        """The words before a mark; no other bracket may come between."""
        words: list[Word] = []
        while not (word := self.next(where)).is_mark(mark):
            if word.is_mark("{}();[]"):
                raise self.error(f"{where}: expected '{mark}', got '{word.text}'")
            words.append(word)
        return words

    def expect(self, mark: str, where: str) -> None:
        """Pass a mark."""
        if not (word := self.next(where)).is_mark(mark):
            raise self.error(f"{where}: expected '{mark}', got '{short(word.text)}'")

    def block(self, where: str, entry: Callable[[Word], None]) -> None:
        """A block in braces, entry by entry; its properties, which may be any text, are passed over."""
        self.expect("{", where)
        while not (word := self.next(where)).is_mark("}"):
            if word.text == "property" and not word.quoted:
                self.property(where)
            else:
                entry(word)

    def property(self, where: str) -> str:
        """The text of a property: anything up to a semicolon outside of quotes."""
        found = _PROPERTY.match(self._text, self._at)
        if found is None:
            raise self.error(f"{where}: a property is never closed; close it with ';'")
        self._at = found.end()
        return found[1].strip()

    def error(self, what: str, line: int | None = None) -> InputError:
        """What is wrong, in the line of the last word or in another."""
        return InputError(f"{self.source}, line {line or self.line}: {what}")

    def _word(self) -> Word | None:
        while found := _NEXT.search(self._text, self._at):
            self._at = found.end()
            self.line = bisect.bisect(self._line_ends, found.start()) + 1
            match found.lastgroup:
                case "comment":
                    continue
                case "open":
                    raise self.error("a comment opened with /* is never closed; close it with */")
                case "stray":
                    raise self.error("a quote is not closed on its line; close it")
                case "quoted":
                    return Word(found["quoted"], self.line, quoted=True)
                case _:
                    return Word(found[0], self.line)
        self.line = len(self._line_ends) + (not self._text.endswith("\n"))
        return None


def listed(words: Sequence[Word]) -> str:
    """Words as they stand in a file, for a message."""
    return short(" ".join(word.text for word in words))
