import pytest
import torch

from linrep.errors import InputError
from linrep.llm.inputs import as_pairs
from linrep.llm.tokens import TokenPolicy, tokenise_pairs

from .tiny import byte_tokenizer, word_tokenizer

PAIRS = [(f"w{letter}", f"v{letter}") for letter in "abcdefghijkl"]


@pytest.fixture(scope="module")
def spaced():
    """A byte-level tokenizer that knows its words with the space only."""
    text = " ".join(word for pair in PAIRS for word in pair)
    return byte_tokenizer([f"{text} {text}"] * 30, 500)


def test_auto_takes_the_space_that_keeps_more_pairs_and_says_so(spaced):
    kept = tokenise_pairs(spaced, {"c": PAIRS})
    assert kept.leading_space == "prefix"
    assert kept.counts() == {"c": 12}
    for word, tokens in zip(kept.words, kept.word_tokens, strict=True):
        assert spaced(f" {word}", add_special_tokens=False)["input_ids"] == list(tokens)
    with pytest.raises(InputError, match=r"keeps \d+ of 12 pairs.*multi-token"):
        tokenise_pairs(spaced, {"c": PAIRS}, policy=TokenPolicy(leading_space="none"))


def test_both_words_are_read_with_the_same_space(spaced):
    kept = tokenise_pairs(spaced, {"c": PAIRS})
    marks = {spaced.convert_ids_to_tokens(t)[0][0] for t in map(list, kept.word_tokens)}
    assert marks == {"Ġ"}


def test_every_dropped_pair_has_its_reason():
    tokenizer = word_tokenizer(["a", "b", "c", "d", *(w for p in PAIRS for w in p)])
    pairs = {
        "c": [*PAIRS, ("a", "zzz"), ("a", "a"), PAIRS[0], PAIRS[1][::-1], ("a", "c d"), ("</s>", "b")],
        "small": [("a", "b"), ("c", "d")],
    }
    kept = tokenise_pairs(tokenizer, pairs)
    assert kept.counts() == {"c": 12}
    assert kept.dropped_concepts == ("small",)
    assert [d.reason for d in kept.dropped if d.concept == "c"] == [
        "unknown",
        "same id",
        "duplicate",
        "duplicate",
        "multi-token",
        "special token",
    ]
    assert kept.reasons()["concept keeps fewer than 10 pairs"] == 2


def test_rows_that_may_not_be_read_drop_their_pairs():
    tokenizer = word_tokenizer([w for p in PAIRS for w in p])
    usable = torch.ones(len(tokenizer), dtype=torch.bool)
    usable[tokenizer.convert_tokens_to_ids("wd")] = False
    kept = tokenise_pairs(tokenizer, {"c": PAIRS}, usable=usable)
    assert [(d.low, d.reason) for d in kept.dropped] == [("wd", "no row in the table")]


@pytest.mark.parametrize("policy", ["first", "mean"])
def test_words_of_several_tokens(policy):
    tokenizer = word_tokenizer([w for p in PAIRS for w in p])
    pairs = [(f"{PAIRS[i][0]} {PAIRS[i + 1][0]}", PAIRS[i][1]) for i in range(10)]
    kept = tokenise_pairs(tokenizer, {"c": pairs}, policy=TokenPolicy(multi_token=policy))
    table = torch.randn(len(tokenizer), 5)
    vectors = kept.word_vectors(table)
    ids = tokenizer.convert_tokens_to_ids(["wd", "we"])
    expected = table[ids[0]] if policy == "first" else table[ids].mean(0)
    torch.testing.assert_close(vectors[kept.words.index("wd we")].float(), expected)


def test_too_few_pairs_says_how_many():
    tokenizer = word_tokenizer(["a", "b"])
    with pytest.raises(InputError, match=r"keeps 1 of 13 pairs and no concept keeps 10 \(12 unknown"):
        tokenise_pairs(tokenizer, {"c": [("a", "b"), *PAIRS]})


def test_a_pair_that_stands_twice_in_a_file_is_kept_once_and_listed(tmp_path) -> None:
    (tmp_path / "[a - b].txt").write_text("king\tqueen\nman\twoman\nking\tqueen\nqueen\tking\nman\tman\n")
    tokenizer = word_tokenizer(["king", "queen", "man", "woman"])
    found = tokenise_pairs(tokenizer, as_pairs(tmp_path), policy=TokenPolicy(minimum_pairs=2))
    assert found.counts() == {"a-b": 2}
    assert sorted((each.low, each.high, each.reason) for each in found.dropped) == [
        ("king", "queen", "duplicate"),
        ("man", "man", "same id"),
        ("queen", "king", "duplicate"),
    ]
