"""Tables of vectors as text: words with their numbers (GloVe, word2vec), and columns between commas,
semicolons or tabs.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from linrep.errors import InputError

WORDS = (".txt", ".vec")


def read_words(path: Path) -> tuple[Float32[np.ndarray, "rows dim"], tuple[str, ...]]:
    """A word and its numbers on every line, as GloVe and word2vec write them.

    A first line of two whole numbers, the size, is no row. A word may hold blanks.

    Args:
        path: The file.

    Returns:
        The numbers and the words.

    Raises:
        InputError: A line without a word and as many numbers as the first, naming it; more or fewer words
            than the size tells of.
    """
    words: list[str] = []
    rows: list[np.ndarray] = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        told: int | None = None
        dim: int | None = None
        for number, line in enumerate(file, start=1):
            line = line.rstrip()
            if not line:
                continue
            mark = "\t" if "\t" in line else " "
            if number == 1 and (head := line.split()) and len(head) == 2 and all(map(str.isdigit, head)):
                told, dim = int(head[0]), int(head[1])
                continue
            dim = len(line.split(mark)) - 1 if dim is None else dim
            word, *cells = line.rsplit(mark, dim) if dim else [line]
            try:
                row = np.array(cells, dtype=np.float32)
            except ValueError:
                row = np.zeros(0, dtype=np.float32)
            if not len(row) or len(row) != dim or not word.strip():
                raise InputError(
                    f"{path}:{number}: expected a word and {dim or 'its'} numbers, got {line[:40]!r}; mend it"
                )
            words.append(word.strip())
            rows.append(row)
    if not rows:
        raise InputError(f"{path}: expected a word and its numbers on every line, got none")
    if told is not None and told != len(rows):
        raise InputError(
            f"{path}: its first line tells of {told} words, and {len(rows)} are there; fetch it again, or "
            "mend the line"
        )
    return np.stack(rows), tuple(words)


def separators(path: Path) -> tuple[str, str]:
    """What stands between the cells of a table, and between whole and broken parts of its numbers.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = file.write_text("a;b\\n0,5;1,5\\n")
        >>> separators(file)
        (';', ',')
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head, row = file.readline(), file.readline()
    if path.suffix.lower() == ".tsv" or ("\t" in head and "," not in head):
        return "\t", "."
    semicolons = head.count(";")
    if semicolons and (not row.strip() or row.count(";") == semicolons) and head.count(",") <= semicolons + 1:
        return ";", "," if "," in row else "."
    return ",", "."
