"""The toy language says what contexts know, nouns follow p(token | context), the ruler finds the truth."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import chisquare

from linrep.errors import InputError
from linrep.llm import MeasureOptions, TokenPolicy, measure
from linrep.llm.paired_contexts import read_paired_contexts
from linrep.llm.toy import (
    Toy,
    ToyReport,
    ToySettings,
    make_toy,
    read_world,
    toy_geometry,
    toy_language,
    train_toy,
    width_sweep,
)
from linrep.llm.toy.history import checkpoint_steps
from linrep.llm.toy.language import CONCEPTS, Language, language, named
from linrep.llm.toy.make import step_size_at
from linrep.llm.toy.pairs import GAP, paired_contexts, rendered_pairs, word_pairs
from linrep.llm.toy.sweep import MATCHED, measured_tables
from linrep.llm.toy.tokenizer import tokenizer, word_ids
from linrep.llm.toy.train import Encoder, Panel, Text, _texts, head_states, transformer
from linrep.llm.word_pairs import read_word_pairs
from linrep.seeds import generator
from linrep.worlds.concepts import from_tables, independent
from linrep.worlds.contexts import complete, conditional, entropy, world

EXCESS_THRESHOLD = 0.35
"""Nats; predicting the right noun only by its frequency costs about 1.7."""


@pytest.fixture(scope="module")
def spoken() -> Language:
    return toy_language(4, "random", facts=20, seed=3)


@pytest.fixture(scope="module")
def reader(spoken: Language) -> Any:
    return tokenizer(spoken)


@pytest.fixture(scope="module")
def encoder(spoken: Language, reader: Any) -> Encoder:
    return Encoder(spoken, word_ids(spoken, reader), start=reader.bos_token_id, pad=reader.pad_token_id)


@pytest.fixture(scope="module")
def trained() -> Toy:
    return train_toy(ToySettings(concepts=3, facts=0, steps=240, batch_size=32), seed=0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ToyReport]:
    folder = tmp_path_factory.mktemp("toy") / "model"
    return folder, make_toy(folder, seed=1, concepts=5, world="chain", hidden=16, layers=1, heads=2, steps=3)


# --- the language ---


@pytest.mark.parametrize("concepts", [1, 3, len(CONCEPTS)])
def test_every_sentence_says_its_context_and_nothing_else(concepts: int) -> None:
    spoken = toy_language(concepts, "independent", seed=0)
    codes = complete([2] * concepts)[:: max(3 ** (concepts - 5), 1)]
    sentences = spoken.sentences(codes, generator=generator(0, "test"))
    decoded = [spoken.decode(" ".join(words)) for words in sentences]
    assert decoded == [tuple(code) for code in codes.tolist()]


def test_words_mean_one_thing() -> None:
    spoken = toy_language(len(CONCEPTS), "independent", seed=0)
    said = [word for states in spoken.synonyms for words in states for word in words]
    filler = set(spoken.vocabulary()) - set(said) - set(spoken.token_words)
    assert len(set(said)) == len(said) == len(CONCEPTS) * 6
    assert len(set(spoken.token_words)) == 2 ** len(CONCEPTS)
    assert not set(said) & set(spoken.token_words)
    assert len(filler) > 10


def test_order_synonyms_and_filler_vary(spoken: Language) -> None:
    code = torch.tensor([[0, 1, 0, 2]], dtype=torch.int8).expand(400, 4)
    sentences = spoken.sentences(code, generator=generator(0, "test"))
    concept_words = {
        word: i for i, states in enumerate(spoken.synonyms) for words in states for word in words
    }
    orders = Counter(tuple(concept_words[w] for w in words if w in concept_words) for words in sentences)
    assert set(orders) == {
        (a, b, c) for a in range(3) for b in range(3) for c in range(3) if len({a, b, c}) == 3
    }
    assert chisquare(list(orders.values())).pvalue > 1e-4
    assert {w for words in sentences for w in words} >= set(spoken.synonyms[1][1])
    assert len(set(sentences)) > 300


def test_facts_are_facts_and_say_nothing(spoken: Language) -> None:
    place = dict(spoken.facts)
    assert len(place) == len(set(place.values())) == 20
    code = spoken.world.codes[5:6].expand(600, 4)
    sentences = spoken.sentences(code, generator=generator(0, "test"))
    told = [words for words in sentences if words[0] in place]
    assert 0.2 < len(told) / len(sentences) < 0.4
    assert all(words[1:4] == ("of", place[words[0]], "says") for words in told)
    assert {words[0] for words in told} == set(place)
    assert all(spoken.decode(" ".join(words)) == tuple(code[0].tolist()) for words in told)


def test_decode_refuses_what_it_cannot_read(spoken: Language) -> None:
    with pytest.raises(InputError, match="'king' is not a word"):
        spoken.decode("the king")
    with pytest.raises(InputError, match="said both ways"):
        spoken.decode("the small big thing is called a")


def test_nouns_depend_on_the_seed_but_worlds_of_a_seed_are_equal() -> None:
    a, b, again = (toy_language(3, "chain", seed=seed) for seed in (0, 1, 0))
    assert a.token_words == again.token_words != b.token_words
    assert torch.equal(a.world.joint, again.world.joint)


# --- the tokenizer ---


def test_tokens_are_single_and_some_context_words_are_not(spoken: Language, reader: Any) -> None:
    ids = word_ids(spoken, reader)
    assert all(len(ids[word]) == 1 for word in spoken.token_words)
    for word, pieces in spoken.pieces.items():
        cut = [piece if i == 0 else f"##{piece}" for i, piece in enumerate(pieces)]
        assert reader.convert_ids_to_tokens(list(ids[word])) == cut
    assert all(len(own) == 1 for word, own in ids.items() if word not in spoken.pieces)
    assert all(any(w in spoken.pieces for w in words) for states in spoken.synonyms for words in states)
    assert reader.unk_token_id not in {i for own in ids.values() for i in own}


def test_encoder_is_the_tokenizer(spoken: Language, reader: Any, encoder: Encoder) -> None:
    sentences = spoken.sentences(spoken.world.codes, generator=generator(0, "test"))
    texts = [" ".join(words) for words in sentences]
    assert reader(texts)["input_ids"] == [encoder.context(words) for words in sentences]
    assert reader.batch_decode(reader(texts)["input_ids"], skip_special_tokens=True) == texts
    assert reader(" bav")["input_ids"] == reader("bav")["input_ids"]


# --- what the model is trained on ---


def test_nouns_follow_the_conditional(spoken: Language, reader: Any, encoder: Encoder) -> None:
    """Decode every training sentence and count its noun: chi-square against p(c | d) in each context."""
    counts = torch.zeros(len(spoken.world.codes), len(spoken.world.tokens), dtype=torch.float64)
    row = {tuple(code): i for i, code in enumerate(spoken.world.codes.tolist())}
    column = {word: i for i, word in enumerate(spoken.token_words)}
    for text in _texts(encoder, 10, 500, generator(0, "test")):
        for sentence in reader.batch_decode(text.ids, skip_special_tokens=True):
            *words, noun, stop = sentence.split()
            assert stop == "."
            counts[row[spoken.decode(" ".join(words))], column[noun]] += 1
    target = conditional(spoken.world)
    assert not bool((counts[target == 0] > 0).any())
    expected = counts.sum(1, keepdim=True) * target
    used = expected > 0
    statistic = float(((counts - expected).square()[used] / expected[used]).sum())
    freedom = int((target > 0).sum() - len(target))
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)
    assert chisquare(counts.sum(1).numpy()).pvalue > 1e-4


def test_excess_loss_is_zero_for_the_truth(spoken: Language, encoder: Encoder) -> None:
    """A model that says ln p(c | d) exactly has no excess, and one that says nothing has all of it."""

    class Oracle:
        """Stands for a model: its states are its logits."""

        def __init__(self, panel: Panel, vocabulary: int) -> None:
            self.logits = torch.full((len(panel.target), vocabulary), -1e9, dtype=torch.float64)
            self.logits[:, panel.nouns] = panel.target.clamp(min=1e-300).log()
            self.model, self.done = self.states, 0

        def states(self, input_ids: torch.Tensor) -> Any:
            rows = self.logits[self.done : self.done + len(input_ids)]
            self.done += len(input_ids)
            repeated = rows[:, None].expand(-1, input_ids.shape[1], -1)
            return type("Output", (), {"last_hidden_state": repeated})

        def get_output_embeddings(self) -> Any:
            return lambda state: state

    panel = Panel(encoder, generator=generator(0, "test"))
    assert panel.excess(Oracle(panel, 200)) == pytest.approx(0, abs=1e-9)
    blank = Oracle(panel, 200)
    blank.logits.zero_()
    assert panel.excess(blank) == pytest.approx(math.log(200) - spoken.entropy_nats)
    assert spoken.entropy_nats == pytest.approx(float(spoken.world.weights @ entropy(spoken.world)))


def test_right_padding_is_never_seen(spoken: Language, reader: Any, encoder: Encoder) -> None:
    model = transformer(
        len(reader), hidden=16, layers=2, heads=2, tied=False, start=1, pad=3, generator=generator(0, "start")
    )
    sentences = spoken.sentences(spoken.world.codes[::7], generator=generator(0, "test"))
    none = torch.zeros(1, dtype=torch.int64)
    alone = [head_states(model, encoder.text([words], none)).states for words in sentences]
    together = head_states(model, encoder.text(sentences, none.expand(len(sentences)))).states
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


# --- pairs ---


def test_word_pairs_are_the_counterfactual_tokens(spoken: Language) -> None:
    code = dict(zip(spoken.token_words, spoken.world.token_codes.tolist(), strict=True))
    for concept, record in enumerate(word_pairs(spoken)):
        assert len(record) == 8
        for low, high in record.pairs:
            changed = [i for i in range(4) if code[low][i] != code[high][i]]
            assert changed == [concept]
            assert (code[low][concept], code[high][concept]) == (0, 1)


def test_paired_contexts_differ_in_one_word_of_one_concept(spoken: Language) -> None:
    records = paired_contexts(spoken, rendered_pairs(spoken, generator=generator(0, "test"), most=60))
    named_words = 0
    for concept, record in enumerate(records):
        assert record.concept == spoken.world.model.names[concept]
        assert len(record) == 60
        assert len(record.frames) > 40
        rows = zip(record.context0, record.context1, record.frame, record.word0, record.word1, strict=True)
        for low, high, frame, word0, word1 in rows:
            first, second, gapped = low.split(), high.split(), frame.split()
            place = gapped.index(GAP)
            assert first[:place] + first[place + 1 :] == second[:place] + second[place + 1 :]
            assert first[place] in spoken.synonyms[concept][0]
            assert second[place] in spoken.synonyms[concept][1]
            if word0:
                pair = (spoken.token_words.index(word0), spoken.token_words.index(word1))
                codes = spoken.world.token_codes[list(pair)].tolist()
                assert [list(spoken.decode(low)), list(spoken.decode(high))] == codes
                named_words += 1
    assert named_words


def test_concept_without_counterfactual_tokens_has_no_pairs() -> None:
    either = from_tables(["a", "b"], {"a": [[0.5, 0.5]], "b": [[1.0, 0.0], [0.0, 1.0]]}, parents={"b": ["a"]})
    spoken = language(world(named(either)), generator=generator(0, "test"))
    assert word_pairs(spoken) == ()
    # A context that knows one of two equal concepts says the other: only pairs with the other unknown exist.
    assert all(
        word.count(GAP) == 1
        for record in paired_contexts(spoken, rendered_pairs(spoken, generator=generator(0, "t")))
        for word in record.frame
    )


# --- the saved folder ---


def test_saved_folder_is_read_offline_by_transformers(
    saved: tuple[Path, ToyReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder, report = saved
    reader = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.config.tie_word_embeddings is False
    assert len(reader) == report.vocabulary == model.get_output_embeddings().weight.shape[0]
    toy = train_toy(
        ToySettings(
            concepts=5, world="chain", hidden=16, layers=1, heads=2, steps=3, step_size=step_size_at(16)
        ),
        seed=1,
    )
    sentence = "they say the small scorching thing is called a"
    assert reader(sentence)["input_ids"] == toy.tokenizer(sentence)["input_ids"]
    assert reader.convert_ids_to_tokens(reader(sentence)["input_ids"])[0] == "<s>"
    for (name, mine), theirs in zip(toy.model.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs), name
    out = model.generate(
        **reader(sentence, return_tensors="pt", return_token_type_ids=False),
        max_new_tokens=1,
        do_sample=False,
    )
    assert out.shape[1] == len(reader(sentence)["input_ids"]) + 1


def test_saved_pairs_contexts_and_world_are_read_by_our_readers(saved: tuple[Path, ToyReport]) -> None:
    folder, report = saved
    assert sorted(path.name for path in (folder / "pairs").iterdir())[0] == "[cold - hot].txt"
    pairs = read_word_pairs(folder / "pairs")
    contexts = read_paired_contexts(folder / "contexts.jsonl")
    assert (
        {record.concept for record in pairs}
        == {record.concept for record in contexts}
        == set(report.concepts)
    )
    assert sum(map(len, pairs)) == report.word_pairs == 5 * 16
    assert sum(map(len, contexts)) == report.paired_contexts
    model, truth = read_world(folder)
    planted = toy_language(5, "chain", seed=1)
    assert torch.equal(model.joint(), planted.world.model.joint())
    assert tuple(token["word"] for token in truth["tokens"]) == planted.token_words == report.tokens
    assert truth["excess_loss_nats"] == report.excess_loss_nats
    assert truth["settings"]["hidden"] == 16
    json.dumps(truth, allow_nan=False)


def test_equal_seeds_give_equal_folders(saved: tuple[Path, ToyReport], tmp_path: Path) -> None:
    folder, _ = saved
    before = torch.get_rng_state()
    make_toy(tmp_path / "again", seed=1, concepts=5, world="chain", hidden=16, layers=1, heads=2, steps=3)
    assert torch.equal(torch.get_rng_state(), before)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert Path("model.safetensors") in files
    for file in files:
        assert (folder / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file


def test_checkpoints_lie_beside_the_model_and_training_is_the_same_with_them(
    saved: tuple[Path, ToyReport], tmp_path: Path
) -> None:
    folder, before = saved
    report = make_toy(
        tmp_path / "h",
        seed=1,
        concepts=5,
        world="chain",
        hidden=16,
        layers=1,
        heads=2,
        steps=3,
        checkpoints=3,
    )
    assert report.checkpoints == (0, 2, 3)
    assert before.checkpoints == ()
    last, model = tmp_path / "h" / "step3" / "model.safetensors", folder / "model.safetensors"
    assert (tmp_path / "h" / "model.safetensors").read_bytes() == last.read_bytes() == model.read_bytes()
    assert (tmp_path / "h" / "step0" / "model.safetensors").read_bytes() != last.read_bytes()
    assert (tmp_path / "h" / "step2" / "tokenizer.json").is_file()
    counts = dict(line.split(",") for line in (folder / "counts.csv").read_text().splitlines()[1:])
    assert int(counts["."]) == 3 * 64
    assert sum(int(counts.get(word, 0)) for word in report.tokens) == 3 * 64


def test_checkpoint_steps_are_spread_over_the_logarithm_each_once() -> None:
    for number in (3, 5, 16):
        for steps in (16, 17, 100, 3000):
            kept = checkpoint_steps(number, steps)
            assert len(set(kept)) == number
            assert (kept[0], kept[-1], sorted(kept)) == (0, steps, list(kept))


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_concepts_are_spoken_of_as_often_as_planted(ratio: float) -> None:
    spoken = toy_language(4, "balanced", frequency_ratio=ratio, seed=3)
    shares = sorted(spoken.frequencies)
    assert shares == pytest.approx([2 / 3 * ratio ** (-rank / 3) for rank in (3, 2, 1, 0)])
    sentences = _corpus(spoken, 4000).words
    for i, share in enumerate(spoken.frequencies):
        said = {word for words in spoken.synonyms[i] for word in words}
        found = sum(bool(said.intersection(words)) for words in sentences) / len(sentences)
        assert found == pytest.approx(share, abs=0.04)


def _corpus(spoken: Language, sentences: int) -> Text:
    own = tokenizer(spoken)
    encoder = Encoder(spoken, word_ids(spoken, own), start=own.bos_token_id, pad=own.pad_token_id)
    (text,) = _texts(encoder, 1, sentences, generator(0, "test"))
    return text


def test_tied_head(tmp_path: Path) -> None:
    report = make_toy(tmp_path / "tied", seed=0, concepts=2, hidden=8, layers=1, heads=1, steps=1, tied=True)
    untied = make_toy(tmp_path / "untied", seed=0, concepts=2, hidden=8, layers=1, heads=1, steps=1)
    assert untied.parameters - report.parameters == report.vocabulary * 8


# --- errors ---


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"concepts": 9}, "at most 8, got 9"),
        ({"concepts": 0}, "concepts: expected at least 1"),
        ({"world": "ring"}, "independent, balanced, chain or random, got 'ring'"),
        ({"hidden": 30}, "multiple of 2 x heads = 8, got 30"),
        ({"hidden": 0}, "must be positive"),
        ({"steps": -1}, "steps: expected at least 0"),
        ({"facts": 1000}, "facts: the toy language has names for"),
        ({"frequency_ratio": 0.5}, "frequency_ratio: expected at least 1, got 0.5"),
        ({"concepts": 1, "frequency_ratio": 2.0}, "expected 1 for a single concept"),
        ({"checkpoints": 2}, "checkpoints: expected 3 to 1201 of 1200 training steps, got 2"),
        ({"steps": 5, "checkpoints": 16}, "expected 3 to 6 of 5 training steps, got 16"),
    ],
)
def test_wrong_input_is_one_line(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_toy(tmp_path / "out", seed=0, **wrong)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(InputError, match="new or empty folder"):
        make_toy(tmp_path, seed=0)
    with pytest.raises(InputError, match="new or empty folder"):
        make_toy(tmp_path / "note", seed=0)
    with pytest.raises(InputError, match=r"world\.json"):
        read_world(tmp_path)


def test_only_two_states_have_words() -> None:
    three = from_tables(["a"], {"a": [[0.2, 0.3, 0.5]]}, states={"a": ["x", "y", "z"]})
    with pytest.raises(InputError, match="two states"):
        named(three)
    assert named(independent(1, generator=generator(0, "t"))).names == ("small-large",)


# --- training and what the ruler finds ---


def test_quick_training_learns_and_is_linear(trained: Toy) -> None:
    untrained = train_toy(ToySettings(concepts=3, facts=0, steps=0), seed=0)
    assert trained.history[0][2] == untrained.excess_loss_nats > 1
    assert trained.excess_loss_nats < EXCESS_THRESHOLD
    found, control = toy_geometry(trained), toy_geometry(untrained)
    for table in ("embedding", "unembedding"):
        similarity, null = found.linearity[table], control.linearity[table]
        assert similarity.mean is not None
        assert similarity.null is not None
        assert null.mean is not None
        assert similarity.mean > 0.5
        assert similarity.mean > similarity.null.q95 + 0.2
        assert similarity.mean > null.mean + 0.3
    assert found.alignment is not None
    assert control.alignment is not None
    assert (found.alignment.mean or 0) > 0.5
    assert abs(control.alignment.mean or 0) < 0.15


def test_the_ruler_for_language_models_ranks_the_planted_concepts_first(trained: Toy) -> None:
    pairs = word_pairs(trained.language)
    contexts = paired_contexts(
        trained.language, rendered_pairs(trained.language, generator=generator(0, "toy pairs"), most=60)
    )
    found = measure(
        (trained.model, trained.tokenizer),
        pairs,
        contexts,
        seed=0,
        options=MeasureOptions(policy=TokenPolicy(minimum_pairs=4), draws=100),
    )
    for name in trained.language.world.model.names:
        assert found.value("alignment_rank", name).value == 1
        assert found.value("aligned", name).value == 1
        assert found.value("word_probe_auc", name).value > 0.95
        assert found.value("log_odds_shift", name).low > 1


def test_shuffled_pairs_show_nothing(trained: Toy) -> None:
    control = toy_geometry(trained, shuffled=True)
    assert abs(control.linearity["unembedding"].mean or 0) < 0.3
    assert abs(control.linearity["embedding"].mean or 0) < 0.1
    assert control.alignment is not None
    assert abs(control.alignment.mean or 0) < 0.25


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, float]] = []
    settings = ToySettings(concepts=2, hidden=8, layers=1, heads=1, steps=4)
    toy = train_toy(settings, seed=0, progress=lambda *what: told.append(what))
    assert [done for done, _, _ in told] == [1, 2, 3, 4]
    assert told[-1] == (4, 4, toy.excess_loss_nats)


def test_make_toy_is_quick_when_asked(tmp_path: Path) -> None:
    report = make_toy(tmp_path / "toy", seed=0, concepts=1, hidden=8, layers=1, heads=1, facts=0, quick=True)
    steps = [step for step, _, _ in report.losses]
    assert steps[0] == 0
    assert 100 < steps[-1] < 600
    assert report.excess_loss_nats < report.losses[0][2] / 2


def test_width_sweep_is_tidy() -> None:
    settings = ToySettings(concepts=3, layers=1, steps=2)
    told: list[str] = []
    sweep = width_sweep(
        seed=0, widths=(4, 8), settings=settings, table_steps=300, progress=lambda *what: told.append(what[2])
    )
    frame = sweep.table
    assert sweep.json()["matched"] == {"4": sweep.matched(4), "8": sweep.matched(8)}
    assert told == [
        "transformer, width 4",
        "tables, width 4",
        "transformer, width 8",
        "tables, width 8",
        "done",
    ]
    assert len(frame) == 4 * 7
    assert set(frame["model"]) == {"transformer", "tables"}
    assert set(frame["measure"]) == {"linearity", "alignment", "orthogonality_mean", "orthogonality_rms"}
    assert bool(frame["value"].notna().all())
    keys = ["model", "width", "seed", "measure", "table"]
    assert not frame.duplicated(keys).any()
    own = frame[(frame["model"] == "tables") & (frame["width"] == 8) & (frame["measure"] == "alignment")]
    assert sweep.mean("tables", 8, "alignment", "") == own["value"].item()
    assert sweep.excess("tables", 8) == own["excess_loss_nats"].item()
    again = width_sweep(seed=0, widths=(4, 8), settings=settings, table_steps=300)
    assert frame.equals(again.table)
    assert again.json() == sweep.json()


@pytest.mark.parametrize("aim", [1.5, 0.5, 0.1])
def test_tables_end_at_the_excess_loss_that_they_are_compared_at(aim: float) -> None:
    spoken = toy_language(4, "independent", seed=0).world
    found = measured_tables(spoken, 16, steps=4000, until=aim, seed=0)
    assert found.excess_loss_nats == pytest.approx(aim, rel=MATCHED)
