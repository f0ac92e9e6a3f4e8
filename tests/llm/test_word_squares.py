"""Word squares: every edge agrees with the built-in word pairs, every wrong line is named."""

import unicodedata

import pytest

from linrep.errors import InputError
from linrep.llm.word_pairs import builtin_word_pairs
from linrep.llm.word_squares import builtin_word_squares, read_word_squares

CROSSINGS = builtin_word_squares()
PAIRS = {pairs.concept: dict(pairs.pairs) for pairs in builtin_word_pairs()}


def edges(crossing):
    for low_low, high_low, low_high, high_high in crossing.squares:
        yield crossing.first, low_low, high_low
        yield crossing.first, low_high, high_high
        yield crossing.second, low_low, low_high
        yield crossing.second, high_low, high_high


def test_there_are_enough_squares_in_enough_crossings():
    assert sum(len(crossing) for crossing in CROSSINGS) >= 20
    assert len({(crossing.first, crossing.second) for crossing in CROSSINGS}) == len(CROSSINGS) >= 2


@pytest.mark.parametrize("crossing", CROSSINGS, ids=lambda c: f"{c.first} x {c.second}")
def test_edges_agree_with_the_word_pairs(crossing):
    assert {crossing.first, crossing.second} <= set(PAIRS)
    assert len(crossing) >= 10
    known = [(concept, low, high) for concept, low, high in edges(crossing) if low in PAIRS[concept]]
    assert len(known) >= len(crossing)
    assert not [edge for edge in known if PAIRS[edge[0]][edge[1]] != edge[2]]
    for square in crossing.squares:
        assert len(set(square)) == 4
        assert all(word == unicodedata.normalize("NFC", word).strip() and word for word in square)
    assert len(set(crossing.squares)) == len(crossing)


def test_case_and_negation_edges_follow_their_rule():
    for crossing in CROSSINGS:
        for concept, low, high in edges(crossing):
            if concept == "lower-upper":
                assert high == low.capitalize()
            if concept == "adjective-un":
                assert high == "un" + low


def test_a_users_squares_are_read(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_bytes(
        b"\xef\xbb\xbffirst\tsecond\tll\thl\tlh\thh\r\nsex\tnumber\tking\tqueen\tkings\tqueens\r\n\r\n"
    )
    (crossing,) = read_word_squares(path)
    assert (crossing.first, crossing.second) == ("sex", "number")
    assert crossing.squares == (("king", "queen", "kings", "queens"),)
    assert crossing.provenance == str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("header\n", "no word squares"),
        ("header\na\tb\tx\ty\tz\n", "mine.tsv:2: expected two concepts and four words"),
        ("header\na\tb\tx\ty\tz\tx\n", "mine.tsv:2: expected four different words"),
    ],
)
def test_each_wrong_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "mine.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_word_squares(path)
    assert "\n" not in str(error.value)
