"""Winograd pairs: the built-in ones flip with one word; WSC273's columns are read from both formats."""

import json
import re
import unicodedata

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from linrep.errors import InputError
from linrep.llm.winograd import (
    builtin_winograd,
    pronoun_question,
    read_winograd,
    split_determiner,
    words_apart,
)

BUILTIN = builtin_winograd()


def schema(text, label, options=("The vase", "the shelf"), pronoun="it"):
    """A row as the Hub's mirror has it; the text and its numbers are made up here."""
    return {
        "text": text,
        "pronoun": pronoun,
        "pronoun_loc": text.find(pronoun),
        "quote": text,
        "quote_loc": 0,
        "options": list(options),
        "label": label,
        "source": "made up",
    }


VASE = [
    schema("The vase fell off  the shelf because it was round.", 0),
    schema("The vase fell off the shelf because it was crooked.", 1),
]


def write_rows(folder, kind, rows):
    path = folder / f"wsc.{kind}"
    if kind == "parquet":
        parquet.write_table(arrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_there_are_enough_pairs_and_each_flips_with_one_word():
    assert len(BUILTIN) >= 60
    assert not BUILTIN.dropped
    for text0, text1, first, second in zip(
        BUILTIN.text0, BUILTIN.text1, BUILTIN.referent0, BUILTIN.referent1, strict=True
    ):
        a, b = text0.split(), text1.split()
        assert len(a) == len(b)
        assert sum(x != y for x, y in zip(a, b, strict=True)) == 1, text0
        assert first != second
        for text in (text0, text1):
            assert text == unicodedata.normalize("NFC", " ".join(text.split()))
            sentence, question = text.split(" In this sentence")
            pronoun = re.fullmatch(r', "(it|he|she|they)" means the', question)
            assert pronoun
            assert re.search(rf"\b{pronoun[1]}\b", sentence)
            assert sentence.endswith(".")
            # The options in the order in which the sentence names them, each once, each a single word.
            places = [re.findall(rf"\b{re.escape(word)}\b", sentence) for word in (first, second)]
            assert [len(found) for found in places] == [1, 1], sentence


def test_options_stand_in_the_order_of_the_sentence():
    for text, (first, second) in zip(BUILTIN.text0, BUILTIN.options, strict=True):
        assert 0 < text.index(f" {first}") < text.index(f" {second}")


def test_position_says_nothing_about_the_answer():
    first = sum(answer == (0, 1) for answer in BUILTIN.answers)
    assert abs(first - len(BUILTIN) / 2) <= 1


def test_number_of_the_pronoun_and_the_options_agree():
    for text, options in zip(BUILTIN.text0, BUILTIN.options, strict=True):
        plural = '"they"' in text
        words = [word for word in options if word not in ("children", "glass", "waitress", "boss")]
        assert all(word.endswith("s") == plural for word in words), text


def test_no_pair_stands_twice():
    assert len(set(BUILTIN.text0)) == len(set(BUILTIN.text1)) == len(set(BUILTIN.options)) == len(BUILTIN)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_published_columns_are_read(tmp_path, kind):
    read = read_winograd(write_rows(tmp_path, kind, VASE))
    assert read.text0 == (
        'The vase fell off the shelf because it was round. In this sentence, "it" means the',
    )
    assert read.text1[0].startswith("The vase fell off the shelf because it was crooked.")
    assert read.options == (("vase", "shelf"),)
    assert (read.referent0, read.referent1) == (("vase",), ("shelf",))
    assert (read.answers, read.licence) == (((0, 1),), "")


def test_a_row_too_many_does_not_shift_the_pairs_after_it(tmp_path):
    """273 rows are 136 pairs and one row over."""
    third = schema("The vase fell off the shelf because it was heavy.", 0)
    names = ("Anna", "Her sister")
    more = [
        schema("Anna called her sister since she was ill.", 0, names, "she"),
        schema("Anna called her sister since she was wise.", 1, names, "she"),
    ]
    path = write_rows(tmp_path, "jsonl", [*VASE, third, *more])
    read = read_winograd(path)
    assert read.options == (("vase", "shelf"), ("Anna", "Her sister"))
    assert read.text0[1] == 'Anna called her sister since she was ill. In this sentence, "she" means'
    assert [(d.text, d.reason, d.where) for d in read.dropped] == [
        (third["text"], "the next row has other options", f"{path}:3")
    ]


def test_rows_that_are_no_pair_are_reported(tmp_path):
    far = schema("The vase fell off the shelf and nobody knows whether it was new.", 1)
    rows = [VASE[0], VASE[0], *VASE, VASE[0], far]
    read = read_winograd(write_rows(tmp_path, "jsonl", rows))
    assert len(read) == 1
    assert [d.reason for d in read.dropped] == [
        "the next row has the same answer",
        "the next row has the same answer",
        "the next row differs in more than 3 words",
        "no row after it to pair it with",
    ]


def test_built_in_pairs_round_trip(tmp_path):
    rows = [
        {"text0": a, "text1": b, "options": list(o), "answers": list(n)}
        for a, b, o, n in zip(BUILTIN.text0, BUILTIN.text1, BUILTIN.options, BUILTIN.answers, strict=True)
    ]
    read = read_winograd(write_rows(tmp_path, "jsonl", rows))
    assert (read.text0, read.text1) == (BUILTIN.text0, BUILTIN.text1)
    assert (read.options, read.answers) == (BUILTIN.options, BUILTIN.answers)
    assert read_winograd(write_rows(tmp_path, "parquet", rows)).referent1 == BUILTIN.referent1


OWN = {"text0": "a is b, so the", "text1": "a is c, so the", "options": ["x", "y"], "answers": [1, 0]}


def test_identical_and_repeated_pairs_are_dropped(tmp_path):
    rows = [OWN, {**OWN, "text1": OWN["text0"]}, {**OWN, "options": ["x", "x"]}, OWN]
    path = write_rows(tmp_path, "jsonl", rows)
    read = read_winograd(path)
    assert read.referent0 == ("y",)
    assert [d.reason for d in read.dropped] == [
        "the two texts are identical",
        "the two options are the same word",
        f"duplicate of {path}:1",
    ]


WRONG = [
    ([], "no Winograd pairs in it"),
    (
        [{**OWN, "answers": [0, 0]}],
        r"wsc.jsonl:1: field 'answers': expected \[0, 1\] or \[1, 0\], got \[0, 0\]",
    ),
    ([OWN, {**OWN, "options": ["x"]}], "wsc.jsonl:2: field 'options.1': Field required"),
    ([{**OWN, "options": ["x", " "]}], "wsc.jsonl:1: a text or an option is empty"),
    ([{**OWN, "extra": 1}], "wsc.jsonl:1: field 'extra': Extra inputs"),
    ([{**OWN, "text1": OWN["text0"]}], "no Winograd pairs in it .*:1: the two texts are identical"),
    ([VASE[0], {**VASE[1], "label": "x"}], "wsc.jsonl:2: field 'label': expected a valid integer"),
    ([{**VASE[0], "label": 2}, VASE[1]], "wsc.jsonl:1: field 'label': expected 0 or 1"),
    ([{"text": "a"}], "wsc.jsonl:1: field 'pronoun': Field required"),
    ([VASE[0]], "no Winograd pairs in it .*:1: no row after it"),
]


@pytest.mark.parametrize(("rows", "message"), WRONG, ids=range(len(WRONG)))
def test_each_wrong_file_is_one_line(tmp_path, rows, message):
    with pytest.raises(InputError, match=message) as error:
        read_winograd(write_rows(tmp_path, "jsonl", rows))
    assert "\n" not in str(error.value)


def test_wrong_parquet_files(tmp_path):
    with pytest.raises(InputError, match=r"gone\.parquet: no such file"):
        read_winograd(tmp_path / "gone.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match=r"text\.parquet: not a Parquet file") as error:
        read_winograd(tmp_path / "text.parquet")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"expected a \.parquet or \.jsonl file, got '\.csv'"):
        read_winograd(tmp_path / "x.csv")
    path = write_rows(tmp_path, "parquet", [{"text": "a", "pronoun": "it"}])
    with pytest.raises(InputError, match=r"wsc\.parquet: row 1: field 'options': Field required"):
        read_winograd(path)


def test_small_parts():
    assert pronoun_question("I") == 'In this sentence, "I" means'
    assert words_apart("a b c", "a b c") == 0
    assert words_apart("a b", "a b c") == 1
    assert split_determiner(("The", "the cat")) == ("", ("The", "the cat"))
    assert split_determiner(("my dog", "My old cat")) == ("my", ("dog", "old cat"))
