"""Word squares: four words that cross two concepts, such as king, queen, kings, queens."""

from dataclasses import dataclass
from pathlib import Path

from linrep.errors import InputError
from linrep.llm.data import LICENCE, PROVENANCE, builtin_text, numbered_lines, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSquares:
    """Words that cross two concepts, such as king, queen, kings, queens.

    Attributes:
        first: The concept that changes from the first word to the second, and from the third to the fourth.
        second: The concept that changes from the first word to the third, and from the second to the fourth.
        squares: Words in the order (low low), (high low), (low high), (high high): first concept, second
            concept.
        provenance: Where the squares come from.
        licence: Their licence.
    """

    first: str
    second: str
    squares: tuple[tuple[str, str, str, str], ...]
    provenance: str
    licence: str = ""

    def __len__(self) -> int:
        """The number of squares."""
        return len(self.squares)


def builtin_word_squares() -> tuple[WordSquares, ...]:
    """The word squares that ship with linrep: words that cross two of its concepts.

    Returns:
        One record per crossing of two concepts.

    Example:
        >>> crossing = builtin_word_squares()[0]
        >>> crossing.first, crossing.second, crossing.squares[2]
        ('male-female', 'singular-plural', ('king', 'queen', 'kings', 'queens'))
    """
    return _squares(builtin_text("squares.tsv"), "squares.tsv", PROVENANCE, LICENCE)


def read_word_squares(path: str | Path) -> tuple[WordSquares, ...]:
    """Word squares from a tab-separated file: first, second, low_low, high_low, low_high, high_high.

    Args:
        path: The file; its first line names the columns.

    Returns:
        One record per crossing, in the file's order.

    Raises:
        InputError: If the file is missing, not UTF-8, empty, or a line does not have six columns.
    """
    return _squares(read_text(Path(path)), str(path), str(path), "")


def _squares(text: str, source: str, provenance: str, licence: str) -> tuple[WordSquares, ...]:
    crossings: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {}
    for number, line in numbered_lines(text)[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 6 or not all(cells):
            raise InputError(
                f"{source}:{number}: expected two concepts and four words, tab-separated, got {line!r}"
            )
        first, second, *words = cells
        if len(set(words)) < 4:
            raise InputError(f"{source}:{number}: expected four different words, got {', '.join(words)}")
        crossings.setdefault((first, second), []).append((words[0], words[1], words[2], words[3]))
    if not crossings:
        raise InputError(f"{source}: no word squares; expected a header and one square per line")
    return tuple(
        WordSquares(first=first, second=second, squares=tuple(rows), provenance=provenance, licence=licence)
        for (first, second), rows in crossings.items()
    )
