"""Word pairs: the built-in ones against independent spelling rules, the readers against every wrong file."""

import json
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.llm.data import builtin_text, numbered_lines
from linrep.llm.word_pairs import WordPairs, builtin_word_pairs, concept_name, read_word_pairs

ALL = builtin_word_pairs()
BY_NAME = {pairs.concept: pairs for pairs in ALL}
VOWELS = "aeiou"
# Two syllables, stress on the last: doubled all the same.
DOUBLED = {"forget": "forgett", "begin": "beginn"}


def doubles(word):
    """One syllable that ends in one vowel and one consonant other than w, x, y."""
    one_syllable = len(re.findall("[aeiouy]+", word)) == 1
    return one_syllable and bool(re.search(r"[^aeiou][aeiou][^aeiouwxy]$", word))


def with_s(word):
    if re.search(r"(s|x|z|ch|sh|o)$", word):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def with_e_suffix(word, suffix):
    """-ed, -er, -est: mute e dropped, y to i, final consonant doubled."""
    if word.endswith("e"):
        return word + suffix[1:]
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "i" + suffix
    return word + word[-1] + suffix if doubles(word) else word + suffix


def with_ing(word):
    if word in DOUBLED:
        return DOUBLED[word] + "ing"
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    return word + word[-1] + "ing" if doubles(word) else word + "ing"


def with_ly(word):
    if word == "true":
        return "truly"
    if re.search(r"[^aeiou]le$", word):
        return word[:-1] + "y"
    return word[:-1] + "ily" if re.search(r"[^aeiou]y$", word) else word + "ly"


def with_ness(word):
    exceptions = {"shy": "shyness", "dry": "dryness"}
    rule = word[:-1] + "iness" if word.endswith("y") else word + "ness"
    return exceptions.get(word, rule)


IRREGULAR_PLURALS = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "mouse": "mice",
    "goose": "geese",
    "person": "people",
    "life": "lives",
    "wife": "wives",
    "knife": "knives",
    "leaf": "leaves",
    "wolf": "wolves",
    "half": "halves",
}
COMPARED = {"good": ("better", "best"), "bad": ("worse", "worst")}

RULES = {
    "base-third_person": with_s,
    "base-gerund": with_ing,
    "singular-plural": lambda w: IRREGULAR_PLURALS.get(w) or with_s(w),
    "adjective-comparative": lambda w: COMPARED[w][0] if w in COMPARED else with_e_suffix(w, "er"),
    "adjective-superlative": lambda w: COMPARED[w][1] if w in COMPARED else with_e_suffix(w, "est"),
    "adjective-adverb": with_ly,
    "adjective-un": lambda w: "un" + w,
    "adjective-ness": with_ness,
    "lower-upper": str.capitalize,
}


def test_there_are_enough_concepts_and_pairs():
    assert len(ALL) >= 20
    assert all(len(pairs) >= 30 for pairs in ALL), {p.concept: len(p) for p in ALL if len(p) < 30}


@pytest.mark.parametrize("pairs", ALL, ids=lambda pairs: pairs.concept)
def test_built_in_words_are_clean_and_stand_once(pairs):
    assert not pairs.dropped
    assert len(pairs.low) == len(pairs.high)
    words = pairs.low + pairs.high
    assert len(set(words)) == len(words), sorted(w for w in words if words.count(w) > 1)
    for word in words:
        assert word == unicodedata.normalize("NFC", word)
        assert re.fullmatch(r"[^\W\d_]+", word), word
    assert pairs.provenance == "written for linrep"
    assert pairs.licence == "Apache-2.0"
    assert pairs.concept == concept_name(pairs.concept)
    assert pairs.title.count(" → ") == 1


@pytest.mark.parametrize("concept", RULES)
def test_inflections_follow_the_spelling_rules(concept):
    wrong = [(low, high) for low, high in BY_NAME[concept].pairs if RULES[concept](low) != high]
    assert not wrong


def test_regular_past_tenses_follow_the_rule_and_participles_match():
    past = dict(BY_NAME["base-past"].pairs)
    assert not [(b, p) for b, p in past.items() if p.endswith("ed") and p != with_e_suffix(b, "ed")]
    assert set(BY_NAME["past-participle"].low) <= set(past.values())
    assert BY_NAME["base-past"].low == BY_NAME["base-gerund"].low == BY_NAME["base-third_person"].low


@pytest.mark.parametrize(
    ("concept", "ending"),
    [
        ("verb-agent", "er"),
        ("verb-ion", "ion"),
        ("verb-able", "able"),
        ("cardinal-ordinal", "(th|first|second|third)"),
        ("noun-adjective", "(ous|ful|al|y|ic|en)"),
    ],
)
def test_derivations_have_their_ending_and_their_stem(concept, ending):
    for low, high in BY_NAME[concept].pairs:
        assert re.search(f"{ending}$", high), (low, high)
        if low not in ("one", "two"):
            assert low[:2] == high[:2], (low, high)


def test_nationalities_share_their_beginning():
    exceptions = {"Denmark": "Danish", "Netherlands": "Dutch", "Philippines": "Filipino", "Wales": "Welsh"}
    for country, people in BY_NAME["country-nationality"].pairs:
        assert exceptions.get(country) == people or country[:2] == people[:2], (country, people)
    assert set(BY_NAME["country-capital"].low) <= set(BY_NAME["country-nationality"].low)


def test_translations_agree_with_one_another():
    """English → French → German must be English → German, and so on."""
    for one, two, both in [
        ("english-french", "french-german", "english-german"),
        ("english-french", "french-spanish", "english-spanish"),
        ("english-german", "german-spanish", "english-spanish"),
    ]:
        first, second, direct = (dict(BY_NAME[name].pairs) for name in (one, two, both))
        shared = [w for w in first if first[w] in second and w in direct]
        assert len(shared) > 60
        assert all(second[first[w]] == direct[w] for w in shared)


def test_german_nouns_are_capitalised_and_nothing_else_is():
    for name in ("english-french", "english-spanish", "french-spanish"):
        assert all(word.islower() for pair in BY_NAME[name].pairs for word in pair)
    nouns = [german for _, german in BY_NAME["english-german"].pairs if german[0].isupper()]
    assert {"Wasser", "König", "Straße"} <= set(nouns)


def test_built_in_selection_keeps_the_order_and_names_the_nearest():
    chosen = builtin_word_pairs(["small-big", "base-past"])
    assert [pairs.concept for pairs in chosen] == ["small-big", "base-past"]
    with pytest.raises(InputError, match="no concept 'male-femal'; did you mean 'male-female'"):
        builtin_word_pairs(["male-femal"])


def test_every_pair_file_is_in_the_catalogue():
    for pairs in ALL:
        assert len(numbered_lines(builtin_text(f"word_pairs/{pairs.concept}.tsv"))) == len(pairs)


def test_the_data_modules_load_no_heavy_library():
    modules = ("llm.data", "llm.word_pairs", "llm.word_squares", "llm.paired_contexts", "llm.winograd")
    code = f"""
import importlib, sys
for module in {modules!r}:
    importlib.import_module("linrep." + module)
print(sorted({{"torch", "transformers", "pandas", "pyarrow", "plotly", "matplotlib"}} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_park_folder_with_crlf_bom_and_blank_lines(tmp_path):
    (tmp_path / "[male - female].txt").write_bytes(b"\xef\xbb\xbfking\tqueen\r\nman\twoman \r\n\r\n\r\n")
    (tmp_path / "[verb - V + able].txt").write_text("read\treadable\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("not pairs")
    female, able = read_word_pairs(tmp_path)
    assert (female.concept, female.title) == ("male-female", "male - female")
    assert female.pairs == (("king", "queen"), ("man", "woman"))
    assert able.concept == "verb-v_+_able"
    assert able.provenance.endswith("[verb - V + able].txt")


def test_identical_and_repeated_pairs_are_dropped_with_reason_and_line(tmp_path):
    path = tmp_path / "[a - b].txt"
    path.write_text("x\ty\nsheep\tsheep\nx\ty\nx\tz\n", encoding="utf-8")
    (pairs,) = read_word_pairs(path)
    assert pairs.pairs == (("x", "y"), ("x", "z"))
    assert [(d.text, d.reason, d.where) for d in pairs.dropped] == [
        ("sheep / sheep", "the two words are identical", f"{path}:2"),
        ("x / y", f"duplicate of {path}:1", f"{path}:3"),
    ]


words = st.text(st.characters(categories=["L"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(words, words).filter(lambda p: p[0] != p[1]), min_size=1, max_size=8, unique=True))
def test_every_format_gives_the_same_pairs(tmp_path_factory, pairs):
    # A first line "low high" would be the heading.
    pairs = [p for p in pairs if (p[0].lower(), p[1].lower()) != ("low", "high")] or [("a", "b")]
    folder = tmp_path_factory.mktemp("pairs")
    texts = {
        "x.tsv": "".join(f"{a}\t{b}\n" for a, b in pairs),
        "x.txt": "low\thigh\r\n" + "".join(f"{a}\t{b}\r\n" for a, b in pairs),
        "x.csv": "".join(f'{a},"{b}"\n' for a, b in pairs),
        "x.json": json.dumps(pairs),
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
        (read,) = read_word_pairs(folder / name)
        assert isinstance(read, WordPairs)
        assert read.pairs == tuple(pairs)


def test_tables_and_json_with_several_concepts(tmp_path):
    (tmp_path / "a.csv").write_text("concept,low,high\nnumber,dog,dogs\nsex,he,she\nnumber,cat,cats\n")
    (tmp_path / "b.json").write_text(json.dumps({"Size - Big": [["small", "big"]]}))
    number, sex, size = read_word_pairs(tmp_path)
    assert (number.concept, number.pairs) == ("number", (("dog", "dogs"), ("cat", "cats")))
    assert (sex.concept, size.concept) == ("sex", "size-big")


def test_built_in_pairs_round_trip(tmp_path):
    pairs = BY_NAME["english-french"]
    (tmp_path / "english-french.tsv").write_text(
        "\n".join(f"{a}\t{b}" for a, b in pairs.pairs), encoding="utf-8"
    )
    (read,) = read_word_pairs(tmp_path)
    assert (read.concept, read.pairs) == (pairs.concept, pairs.pairs)


WRONG = [
    ("one.txt", b"king\tqueen\nprince\n", "one.txt:2: expected two words separated by a tab, got 'prince'"),
    ("three.tsv", b"a\tb\tc\n", "three.tsv:1: expected two words"),
    ("gap.tsv", b"\tb\n", "gap.tsv:1: expected two words"),
    ("comma.csv", b"a,b\nc;d\n", "comma.csv:2: expected two words separated by a comma"),
    ("blank.csv", b"a,\n", "blank.csv:1: expected two words"),
    ("few.tsv", b"concept\tlow\thigh\nx\ty\n", "few.tsv:2: expected a concept and two words"),
    ("empty.txt", b"\r\n\n", "empty.txt: no word pairs in it"),
    ("same.txt", b"a\ta\n", r"same.txt:1: a / a: the two words are identical"),
    ("latin.txt", "père\tmère\n".encode("latin-1"), "latin.txt: not UTF-8 text .byte 0xe8 at offset 1."),
    ("bad.json", b'[["a", "b"],\n', "bad.json:2: not JSON"),
    ("dict.json", b'{"x": "y"}', "dict.json: expected a list of .low, high. pairs, got str"),
    ("short.json", b'{"x": [["a", "b"], ["a"]]}', "short.json: x pair 2: expected"),
    ("number.json", b"[[1, 2]]", "number.json: pair 1: expected"),
    ("a.docx", b"a\tb", "a.docx: expected a folder or one of .txt, .tsv, .csv, .json, got '.docx'"),
]


@pytest.mark.parametrize(("name", "content", "message"), WRONG, ids=[row[0] for row in WRONG])
def test_each_wrong_file_is_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_word_pairs(tmp_path / name)
    assert "\n" not in str(error.value)


def test_missing_file_empty_folder_and_concept_in_two_files(tmp_path):
    with pytest.raises(InputError, match=r"gone\.txt: no such file"):
        read_word_pairs(tmp_path / "gone.txt")
    with pytest.raises(InputError, match="no pair files; expected"):
        read_word_pairs(tmp_path)
    (tmp_path / "[a - b].txt").write_text("x\ty\n")
    (tmp_path / "a-b.tsv").write_text("x\ty\n")
    with pytest.raises(InputError, match="concept 'a-b' is already in"):
        read_word_pairs(tmp_path)
