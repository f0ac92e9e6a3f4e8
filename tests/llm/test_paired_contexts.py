"""Paired contexts: the built-in ones are clean and framed, the readers name every wrong line."""

import json
import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.llm.paired_contexts import before_word, builtin_paired_contexts, read_paired_contexts
from linrep.llm.word_pairs import builtin_word_pairs

ALL = builtin_paired_contexts()
BY_NAME = {contexts.concept: contexts for contexts in ALL}


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_there_are_enough_concepts_pairs_and_frames():
    assert len(ALL) >= 6
    for contexts in ALL:
        assert len(contexts) >= 50
        assert len(contexts.frames) >= 10
        assert min(Counter(contexts.frame).values()) >= 4
    assert {c.concept for c in ALL} <= {p.concept for p in builtin_word_pairs()}


@pytest.mark.parametrize("contexts", ALL, ids=lambda contexts: contexts.concept)
def test_built_in_contexts_are_clean(contexts):
    assert not contexts.dropped
    both = list(zip(contexts.context0, contexts.context1, strict=True))
    assert len(set(both)) == len(both)
    assert len(set(contexts.context1)) == len(both)
    for text in contexts.context0 + contexts.context1:
        assert text == unicodedata.normalize("NFC", text)
        assert text == " ".join(text.split())
        assert text[0].isupper()
        assert len(text.split()) >= 2 or text in {"Nowadays I", "Yesterday I"}
        assert not re.search(r"[{}\[\]|_]", text)
    assert all(re.fullmatch(rf"{contexts.concept}/\d\d", frame) for frame in contexts.frame)
    assert contexts.provenance == "written for linrep"


def test_a_frame_keeps_words_that_its_fillers_do_not_change():
    """Pairs of one frame share at least one word on each side, or the frame would not be one."""
    for contexts in ALL:
        for frame in contexts.frames:
            for side in (contexts.context0, contexts.context1):
                rows = [
                    set(re.findall(r"\w+", t))
                    for t, f in zip(side, contexts.frame, strict=True)
                    if f == frame
                ]
                assert set.intersection(*rows), (frame, rows)


def test_the_languages_say_the_same_everywhere():
    """The English half is one text, and french-german is the French half beside the German one."""
    french, german, spanish = (BY_NAME[f"english-{other}"] for other in ("french", "german", "spanish"))
    assert french.context0 == german.context0 == spanish.context0
    assert BY_NAME["french-german"].context0 == french.context1
    assert BY_NAME["french-german"].context1 == german.context1
    assert BY_NAME["french-spanish"].context1 == spanish.context1


def test_frame_index_points_into_frames():
    contexts = BY_NAME["male-female"]
    assert [contexts.frames[i] for i in contexts.frame_index] == list(contexts.frame)
    assert set(contexts.frame_index) == set(range(len(contexts.frames)))


def test_built_in_selection_and_an_unknown_concept():
    assert [c.concept for c in builtin_paired_contexts(["base-past"])] == ["base-past"]
    with pytest.raises(InputError, match="no concept 'thing-part'; did you mean"):
        builtin_paired_contexts(["thing-part"])


def test_built_in_contexts_round_trip(tmp_path):
    contexts = BY_NAME["english-german"]
    rows = zip(contexts.frame, contexts.context0, contexts.context1, strict=True)
    path = write(
        tmp_path / "mine.jsonl",
        *({"concept": "english-german", "frame": f, "context0": a, "context1": b} for f, a, b in rows),
    )
    (read,) = read_paired_contexts(path)
    assert (read.context0, read.context1, read.frame) == (
        contexts.context0,
        contexts.context1,
        contexts.frame,
    )
    assert (read.provenance, read.licence) == (str(path), "")


def test_words_are_taken_off_the_end_as_a_suffix(tmp_path):
    path = write(
        tmp_path / "fr-es.jsonl",
        {
            "word0": "sel",
            "word1": "sal",
            # str.strip would eat the letters of "celles" and "la"; l'… elides before the word.
            "contexts0": ["Passe-lui celles et le sel", "Elle aime l'sel "],
            "contexts1": ["Pásale las de la sal", "Quiere la sal"],
        },
    )
    (read,) = read_paired_contexts(path)
    assert read.concept == "french-spanish"
    assert read.context0 == ("Passe-lui celles et le", "Elle aime l'")
    assert read.context1 == ("Pásale las de la", "Quiere la")
    assert read.frame == ("sel/sal", "sel/sal")
    assert (read.word0, read.word1) == (("sel", "sel"), ("sal", "sal"))


def test_contexts_that_do_not_fit_are_reported(tmp_path):
    path = write(
        tmp_path / "en-de.jsonl",
        {
            "word0": "house",
            "word1": "Haus",
            "contexts0": [
                "I see the house",
                "I see the horse",
                "A farmhouse",
                "house",
                "It is my house",
                "A house",
            ],
            "contexts1": [
                "Ich sehe das Haus",
                "Ich sehe das Haus",
                "Ein Haus",
                "Ein Haus",
                "Es ist mein Pferd",
            ],
        },
    )
    (read,) = read_paired_contexts(path)
    assert (read.context0, read.context1) == (("I see the",), ("Ich sehe das",))
    assert [(d.text, d.reason) for d in read.dropped] == [
        ("I see the horse", "the context does not end in 'house'"),
        ("A farmhouse", "'house' is only the end of a longer word"),
        ("house", "nothing stands before 'house'"),
        ("Es ist mein Pferd", "the context does not end in 'Haus'"),
        ("A house", "no context of 'Haus' to pair it with"),
    ]
    assert {d.where for d in read.dropped} == {f"{path}:1"}


@given(
    st.text(st.characters(categories=["L", "Zs"]), max_size=12),
    st.text(st.characters(categories=["L"]), min_size=1),
)
def test_what_was_before_the_word_comes_back(before, word):
    text, why = before_word(f"{before} {word}", word)
    assert text == before.rstrip()
    assert bool(why) == (not before.strip())


def test_identical_and_repeated_contexts_are_dropped(tmp_path):
    row = {"concept": "c", "frame": "1", "context0": "He", "context1": "She "}
    path = write(tmp_path / "c.jsonl", row, {**row, "context1": "He"}, {**row, "frame": "2"})
    (read,) = read_paired_contexts(path)
    assert read.context1 == ("She",)
    assert [(d.reason, d.where) for d in read.dropped] == [
        ("the two contexts are identical", f"{path}:2"),
        (f"duplicate of {path}:1", f"{path}:3"),
    ]


def test_a_file_with_bom_crlf_and_a_line_separator_inside_a_sentence(tmp_path):
    row = {"concept": "C", "frame": "1", "context0": "One\u2028two", "context1": "Three"}
    text = json.dumps(row, ensure_ascii=False) + "\r\n\r\n"
    (tmp_path / "c.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (read,) = read_paired_contexts(tmp_path)
    assert (read.concept, read.context0) == ("c", ("One\u2028two",))


GOOD = {"concept": "c", "frame": "1", "context0": "He", "context1": "She"}
WRONG = [
    (b"", "x.jsonl: no usable paired contexts in it"),
    (
        b"{}\n",
        "x.jsonl:1: field 'concept': Field required; expected the fields concept, frame, context0, context1",
    ),
    (json.dumps(GOOD).encode() + b"\nnot json", "x.jsonl:2: not JSON"),
    (b"[1]\n", "x.jsonl:1: expected a JSON object, got list"),
    (json.dumps({**GOOD, "context2": "It"}).encode(), "x.jsonl:1: field 'context2': Extra inputs"),
    (json.dumps({**GOOD, "context0": " "}).encode(), "x.jsonl:1: field 'context0' is empty"),
    (
        json.dumps({**GOOD, "context0": 3}).encode(),
        "x.jsonl:1: field 'context0': expected a valid string",
    ),
    (json.dumps({**GOOD, "context1": "He"}).encode(), "x.jsonl: no usable paired contexts for 'c'"),
    (b'{"word0": "a", "word1": "b", "contexts0": ["x a"]}', "x.jsonl:1: field 'contexts1': Field required"),
    (b'{"word0": "a", "word1": "", "contexts0": [], "contexts1": []}', "x.jsonl:1: field 'word1' is empty"),
    (
        b'{"word0": "a", "word1": "b", "contexts0": ["x"], "contexts1": ["y b"]}',
        "x.jsonl: no usable paired contexts in it .*x.jsonl:1: the context does not end in 'a'",
    ),
    (b"\xff\xfe", "x.jsonl: not UTF-8"),
]


@pytest.mark.parametrize(("content", "message"), WRONG, ids=range(len(WRONG)))
def test_each_wrong_file_is_one_line(tmp_path, content, message):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_paired_contexts(tmp_path / "x.jsonl")
    assert "\n" not in str(error.value)


def test_missing_file_empty_folder_and_concept_in_two_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_paired_contexts(tmp_path / "gone.jsonl")
    with pytest.raises(InputError, match=r"no '\.jsonl' files"):
        read_paired_contexts(tmp_path)
    write(tmp_path / "a.jsonl", GOOD)
    write(tmp_path / "b.jsonl", GOOD)
    with pytest.raises(InputError, match="concept 'c' is already in"):
        read_paired_contexts(tmp_path)
