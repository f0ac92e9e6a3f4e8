"""Files that only a mutation would write: one clear line from the reader that meets them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linrep.errors import InputError
from linrep.llm.winograd import read_winograd
from linrep.llm.word_pairs import read_word_pairs
from linrep.sweep_file import load_sweep
from linrep.vectors.reading import read_vectors


def npy_of_shape(shape: str) -> bytes:
    """An array file whose head announces another shape than its numbers have."""
    written = io.BytesIO()
    np.save(written, np.zeros((2, 3)))
    head = written.getvalue()
    return head.replace(b"(2, 3), }" + b" " * (len(shape) - 6), shape.encode() + b", }", 1)


DEEP = b"[" * 100_000
ODD: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "deep sweep": ("x.toml", b"a = " + DEEP, load_sweep),
    "deep word pairs": ("x.json", DEEP, read_word_pairs),
    "deep line": ("x.jsonl", DEEP, read_winograd),
    "endless number": ("x.json", b"[[1" + b"1" * 9000 + b"]]", read_word_pairs),
    "huge array": ("x.npy", npy_of_shape("(9999999999999, 3)"), read_vectors),
    "overflowing array": ("x.npy", npy_of_shape("(99999999999999999999999, 3)"), read_vectors),
    "no archive": ("x.npz", b"PK\x03\x04" + b"\0" * 40, read_vectors),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_one_line(name: str, tmp_path: Path) -> None:
    file, content, read = ODD[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
