"""A history of checkpoints: what is found, when a concept has emerged, how often it occurs, nothing twice."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.llm import EmergenceResult, MeasureOptions, TokenPolicy, emergence
from linrep.llm.history import measuring
from linrep.llm.history.checkpoints import checkpoints, identity
from linrep.llm.history.counts import frequencies, read_counts
from linrep.llm.history.emerged import WORDS, Look, contexts, emergence_of
from linrep.llm.history.laboratory import matching_world, table_history
from linrep.llm.source import locate
from linrep.llm.toy import make_toy, toy_language
from linrep.runs.row import NullRange, Row
from linrep.worlds.contexts import known as knowing

FEW = MeasureOptions(policy=TokenPolicy(minimum_pairs=4), draws=50)
SIZE: dict[str, Any] = {"concepts": 3, "hidden": 8, "layers": 1, "heads": 1, "steps": 60, "world": "balanced"}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history") / "toy"
    make_toy(folder, seed=0, checkpoints=4, frequency_ratio=4.0, **SIZE)
    return folder


def followed(toy: Path, **given: Any) -> EmergenceResult:
    asked: dict[str, Any] = {"seed": 0, "options": FEW, "laboratory": False} | given
    return emergence(asked.pop("model", toy), asked.pop("revisions", None), toy / "pairs", **asked)


# --- which checkpoints ---


def test_names_say_steps_and_tokens() -> None:
    names = ["step512", "checkpoint-20", "step1000-tokens4B", "stage2-step3000-tokens13.5B", "iter_0007000"]
    found = checkpoints("owner/name", names)
    assert [each.step for each in found] == [20, 512, 1000, 3000, 7000]
    assert [each.tokens for each in found] == [None, None, 4e9, 13.5e9, None]
    assert next(each.load.revision for each in found) == "checkpoint-20"
    given = checkpoints("owner/name", ["main", "base"], steps=[10, 0], tokens_per_step=2048)
    assert [(each.name, each.step, each.tokens) for each in given] == [("base", 0, 0), ("main", 10, 20480)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("owner/name", None), "name them, as in --revisions step0,step512"),
        (("owner/name", ["step0"]), "expected two or more, got 1"),
        (("owner/name", ["step0", "main"]), "expected a step in each name, .* got 'main'"),
        (("owner/name", ["step8", "checkpoint-8"]), "each step once, got 8 twice"),
        ((["a/step0", "a/step1"], ["step0"]), "expected one model to take them of, got several"),
    ],
)
def test_what_is_no_history_is_one_line(given: tuple[Any, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        checkpoints(*given)
    assert "\n" not in str(caught.value)


def test_a_folder_of_checkpoints_is_a_history_and_one_without_is_none(toy: Path, tmp_path: Path) -> None:
    found = checkpoints(toy)
    assert [each.name for each in found] == ["step0", "step32", "step44", "step60"]
    assert checkpoints([str(each) for each in toy.glob("step*")]) == found
    assert [each.step for each in checkpoints(toy, ["step60", "step0"])] == [0, 60]
    with pytest.raises(InputError, match="expected folders such as step0 and step512"):
        checkpoints(tmp_path)


def test_identity_is_by_content(toy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another"
    shutil.copytree(toy / "step32", copy)
    first, same, other = (identity(locate(path)) for path in (toy / "step32", copy, toy / "step44"))
    assert first == same != other
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(content))
    assert identity(locate(copy)) != first


# --- when something has emerged ---


@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_emergence_is_the_first_checkpoint_after_which_it_stays(beyond: list[bool]) -> None:
    looks = [
        Look(
            name=f"step{step}",
            step=step,
            tokens=None,
            rows=(
                Row(
                    concept="sex",
                    measure="linearity",
                    value=0.5,
                    low=0.3 if there else 0.1,
                    table="unembedding",
                    null=NullRange(high=0.2),
                ),
            ),
        )
        for step, there in enumerate(beyond)
    ]
    found = emergence_of(looks, WORDS, "sex")
    naive = next((k for k in range(len(beyond)) if all(beyond[k:])), None)
    assert found.step == naive
    assert found.after == (len(beyond) - 1 if naive is None else naive - 1 if naive else None)
    assert emergence_of(looks, contexts("head"), "sex").step is None


# --- how often concepts occur ---


def no_tokens(word: str) -> list[str]:
    return [f"Ġ{word[:3]}", word[3:]]


def no_ids(word: str) -> list[int]:
    return [len(word)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "word,count\nking,10\nqueen,4\nman,7\nwoman,2\n"),
        ("a.tsv", "count\ttoken\n10\tking\n4\tqueen\n7\tman\n2\twoman\n"),
        ("a.csv", "word;n\nking;10\nqueen;4\nman;7\nwoman;2\n"),
        ("a.json", '{"king": 10, "queen": 4, "man": 7, "woman": 2}'),
    ],
)
def test_counts_are_read_from_tables_and_json(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    counts = read_counts(tmp_path / name)
    pairs = {"royal": [("man", "king"), ("woman", "queen")], "unheard": [("x", "y")]}
    found = frequencies(counts, pairs, (), tokens=no_tokens, ids=no_ids)
    assert {each: one.count for each, one in found.items()} == {"royal": 23.0}


def test_words_are_found_by_their_tokens_and_ids_and_concepts_by_name() -> None:
    pairs = {"royal": [("man", "kingly")]}
    spelled = read_counts({"man": 5, "Ġkin": 100, "gly": 3})
    found = frequencies(spelled, pairs, (), tokens=no_tokens, ids=no_ids)["royal"]
    assert (found.count, found.missing) == (8.0, ())
    ids = replace(read_counts({"3": 2, "6": 9}), kind="token_id")
    assert frequencies(ids, pairs, (), tokens=no_tokens, ids=no_ids)["royal"].count == 11
    named = replace(read_counts({"royal": 12, "other": 1}), kind="concept")
    assert frequencies(named, pairs, (), tokens=no_tokens, ids=no_ids)["royal"].count == 12


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "king,10\nqueen,4\n", "expected columns word .* and count, got .*king"),
        ("a.csv", "word,count\nking,-1\n", r"a\.csv:2: expected how often, at least 0, got '-1'"),
        ("a.csv", "word,count\nking,many\n", "got 'many'"),
        ("a.csv", "word,count\nking,1\nking,2\n", "counted twice"),
        ("a.csv", "word,count\nking\n", "expected 2 columns"),
        ("a.json", "[1, 2", "not JSON"),
        ("a.json", "[1, 2]", "expected an object"),
        ("b.csv", None, "no such file"),
    ],
)
def test_a_file_of_counts_that_is_none_is_one_line(
    name: str, text: str | None, said: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_counts(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_counts_of_another_tokenizer_are_one_line_before_anything_is_measured(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "measure", None)
    with pytest.raises(
        InputError, match="counts 2 words, and none of those that the concepts name"
    ) as caught:
        followed(toy, counts={"Ġking": 10, "Ġqueen": 3})
    assert "\n" not in str(caught.value)


# --- the whole ---


def test_a_history_of_the_toy_is_what_measuring_each_gives(toy: Path) -> None:
    from linrep.llm import measure

    found = followed(toy, contexts=toy / "contexts.jsonl", counts=toy / "counts.csv")
    alone = measure(toy / "step44", toy / "pairs", toy / "contexts.jsonl", seed=0, options=FEW)
    by_step = {look.step: look.rows for look in found.looks}
    assert list(by_step) == [0, 32, 44, 60]
    assert repr(by_step[44]) == repr(alone.rows)
    assert {quantity.words for quantity in found.quantities} == {"words", "contexts", "alignment"}
    assert set(found.table["step"]) == {0, 32, 44, 60}
    record = found.json()
    json.dumps(record, allow_nan=False)
    assert len(record["by_frequency"][0]["checkpoints"]) == 4
    truth = json.loads((toy / "world.json").read_text())
    share = dict.fromkeys(truth["model"]["names"], 0.0)
    for each in truth["contexts"]:
        for name, digit in zip(share, each["code"], strict=True):
            share[name] += each["weight"] * (digit < 2)
    counted = {name: one.count for name, one in found.frequencies.items()}
    assert sorted(counted, key=counted.__getitem__) == sorted(share, key=share.__getitem__)
    sentences = 60 * 64
    for name, count in counted.items():
        assert count == pytest.approx(share[name] * sentences, rel=0.15)


def test_nothing_is_measured_twice_and_what_is_damaged_is_measured_again(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = measuring.measure

    def counting(model: Any, *given: Any, **named: Any) -> Any:
        asked.append(Path(model).name)
        return real(model, *given, **named)

    monkeypatch.setattr(measuring, "measure", counting)
    first = followed(toy, out=tmp_path, laboratory=True).json()
    assert asked == ["step0", "step32", "step44", "step60"]
    monkeypatch.setattr("linrep.llm.history.measuring.table_history", None)
    assert followed(toy, out=tmp_path, laboratory=True).json() == first
    assert len(asked) == 4, "nothing again"
    some = sorted((tmp_path / "checkpoints").glob("*.json"))
    assert len(some) == 5
    key = next(each["key"] for each in first["measured"] if each["name"] == "step44")
    kept = tmp_path / "checkpoints" / f"{key}.json"
    kept.write_bytes(kept.read_bytes()[:-100])
    assert followed(toy, out=tmp_path, laboratory=True).json() == first
    assert asked[4:] == ["step44"], "what was cut short"
    followed(toy, out=tmp_path, options=replace(FEW, draws=60))
    assert len(asked) == 9, "another question has other answers"
    moved = tmp_path / "elsewhere"
    shutil.copytree(toy, moved)
    assert [look.rows for look in followed(moved, out=tmp_path).looks]
    assert len(asked) == 9, "equal files are one checkpoint wherever they lie"


def test_the_laboratory_learns_commoner_concepts_earlier_and_equal_ones_in_no_order() -> None:
    worlds = {ratio: toy_language(4, "balanced", frequency_ratio=ratio, seed=0).world for ratio in (8.0, 1.0)}
    when: dict[float, dict[str, int]] = {}
    order: list[str] = []
    for ratio, world in worlds.items():
        found = table_history(world, "", seed=0, draws=60, steps=1500, looks=14)
        when[ratio] = {name: emergence_of(found.looks, WORDS, name).step or 9999 for name in found.concepts}
        order = order or [name for _, name in sorted(zip(found.shares, found.concepts, strict=True))][::-1]
        assert found.excess_loss_nats[-1] < 0.5 * found.excess_loss_nats[0]
    planted, control = ([when[ratio][name] for name in order] for ratio in (8.0, 1.0))
    assert planted == sorted(planted)
    assert planted[-1] > 2 * planted[0]
    assert control not in (sorted(control), sorted(control, reverse=True))


def test_a_world_that_stands_for_an_unknown_one_is_as_uneven() -> None:
    even, uneven = matching_world([]), matching_world([1.0, 10.0, 100.0])
    for world, ratio in ((even, 1.0), (uneven, 100.0)):
        sizes = torch.tensor(world.model.sizes)
        share = world.weights @ (world.codes < sizes).double()
        assert float(share.max() / share.min()) == pytest.approx(ratio)
    assert len(even.codes) == len(knowing(even.model.sizes))


@pytest.mark.slow
def test_concepts_emerge_in_the_order_of_their_planted_frequency_and_equal_ones_in_none(
    tmp_path: Path,
) -> None:
    """Six concepts, one spoken of four times as often as another; then all alike: the control."""
    said: dict[float, EmergenceResult] = {}
    for ratio in (4.0, 1.0):
        folder = tmp_path / f"{ratio:g}"
        make_toy(
            folder,
            seed=0,
            concepts=6,
            world="balanced",
            steps=1200,
            checkpoints=12,
            frequency_ratio=ratio,
        )
        said[ratio] = emergence(
            folder,
            None,
            folder / "pairs",
            folder / "contexts.jsonl",
            seed=0,
            counts=folder / "counts.csv",
            options=MeasureOptions(draws=100),
            laboratory=False,
        )
    planted, control = said[4.0].by(), said[1.0].by()
    assert planted is not None
    assert control is not None
    assert planted.order.value > 0.8
    assert planted.order.interval95 is not None
    assert planted.order.interval95[0] > 0
    assert planted.order.p < 0.05
    assert planted.law is not None
    low, high = planted.law.exponent.interval95
    assert low is not None
    assert high is None or low < 1 < high
    assert low > 0
    interval = control.order.interval95
    assert interval is None or interval[0] < 0 < interval[1]
    steps = [each.step for each in said[1.0].of() if each.step is not None]
    assert len(steps) == 6
    assert max(steps) < 2 * min(steps)
