"""Planted heads and planted encoders: what was put in is read back, and what was not is not found."""

import json

import pytest
import torch

from linrep.errors import InputError
from linrep.geometry import Pairs, alignment, linearity, steering_moments
from linrep.llm.loading import wrap
from linrep.llm.measurement import MeasureOptions, measure
from linrep.llm.result import LMResult
from linrep.llm.states import read_states
from linrep.llm.tokens import tokenise_pairs
from linrep.llm.word_squares import WordSquares

from .planted import CONCEPTS, FRAMES, PAIRS, SWAPS, Planted, planted
from .tiny import save, tiny

REAL, EMPTY = CONCEPTS[:3], CONCEPTS[3]
EUCLID = MeasureOptions(inner="euclid", draws=200)


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def result(world) -> LMResult:
    return measure(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=EUCLID)


def test_planted_linearity_is_read_back_from_the_head(result):
    # Δg = direction (length 1) + own part (length 0.5): cosine of two of them is 1/(1 + 0.25) on average.
    for concept in REAL:
        row = result.value("linearity", concept, table="unembedding")
        assert row.value == pytest.approx(0.8, abs=0.05)
        assert row.low < row.value < row.high
        assert row.null.high < 0.1
        assert result.value("found", concept, table="unembedding").value == 1
        assert result.value("projection", concept).value == pytest.approx(0.8**0.5, abs=0.05)
        assert result.value("projection_auc", concept).value > 0.99
        assert row.pairs == PAIRS


def test_planted_linearity_and_alignment_are_read_back_from_states(result):
    for concept in REAL:
        assert result.value("found", concept, table="embedding").value == 1
        row = result.value("alignment_direction", concept)
        assert row.low > row.null.high
        assert row.value > 0.7
        assert result.value("alignment_rank", concept).value == 1
        assert result.value("alignment_other", concept).value < 0.3
        assert result.value("probe_auc", concept).value > 0.9
        assert result.value("word_probe_auc", concept).value > 0.8
        assert result.value("log_odds_shift", concept).low > 0


def test_a_planted_angle_is_read_back():
    turned = planted(noise=0.05, angle=0.6)
    result = measure(turned.pair, turned.pairs, turned.contexts, seed=0, options=EUCLID)
    states = read_states(wrap(*turned.pair), turned.contexts[0].context0).at("head")
    for concept in REAL:
        # States are on a sphere, so that a difference is bent a little towards the state.
        assert result.value("alignment_direction", concept).value == pytest.approx(0.6, abs=0.1)
    assert torch.allclose(states.norm(dim=1), torch.tensor(8.0), atol=1e-3)


def test_a_zero_signal_is_not_found(result):
    for table in ("unembedding", "embedding"):
        assert result.value("found", EMPTY, table=table).value == 0
    assert result.value("aligned", EMPTY).value == 0
    row = result.value("linearity", EMPTY, table="unembedding")
    assert row.low < row.null.high
    assert result.value("projection_auc", EMPTY).value == pytest.approx(0.5, abs=0.15)
    shift = abs(result.value("log_odds_shift", EMPTY).value)
    assert shift < 0.1 * min(result.value("log_odds_shift", concept).value for concept in REAL)


def test_shuffled_pairing_kills_every_effect(world):
    draw = torch.Generator().manual_seed(1)
    words = [w for group in world.pairs.values() for pair in group for w in pair]
    order = [words[i] for i in torch.randperm(len(words), generator=draw)]
    shuffled = {
        c: list(zip(order[i * 60 : i * 60 + 30], order[i * 60 + 30 : i * 60 + 60], strict=True))
        for i, c in enumerate(CONCEPTS)
    }
    result = measure(world.pair, shuffled, world.contexts, seed=0, options=EUCLID)
    for concept in CONCEPTS:
        assert result.value("found", concept, table="unembedding").value == 0
        assert result.value("aligned", concept).value == 0


def test_the_ruler_of_the_tables_gives_the_same_numbers(world, result):
    tokens = tokenise_pairs(world.tokenizer, world.pairs)
    pairs = Pairs(low=tokens.low, high=tokens.high, group=tokens.group, groups=4)
    words = steering_moments(tokens.word_vectors(world.model.lm_head.weight.detach()), pairs)
    made = [(c, i) for c in range(4) for i in range(SWAPS * FRAMES)]
    lm = wrap(*world.pair)
    states = torch.cat(
        [
            read_states(lm, getattr(c, side)).at("head")
            for side in ("context0", "context1")
            for c in world.contexts
        ]
    )
    at = torch.arange(len(made))
    group = torch.tensor([c for c, _ in made])
    contexts = steering_moments(states, Pairs(low=at, high=at + len(made), group=group, groups=4))
    for i, concept in enumerate(CONCEPTS):
        for table, moments in (("unembedding", words), ("embedding", contexts)):
            row = result.value("linearity", concept, table=table)
            assert row.value == pytest.approx(float(linearity(moments)[i]), abs=1e-6)
        assert result.value("alignment", concept).value == pytest.approx(
            float(alignment(contexts, words)[i]), abs=1e-6
        )


def test_log_odds_are_the_models_own(world, result):
    for concept in CONCEPTS:
        row = result.value("log_odds_gap", concept)
        assert row.value < 1e-5 < row.null.mean
    assert result.summary["warnings"] == []
    assert result.summary["self_check"]["explained"]


def test_referents_align_and_a_dealt_deck_does_not(result, world):
    row = result.value("alignment", "winograd")
    assert row.low > row.null.high
    assert result.value("referent_accuracy", "winograd").value > 0.9
    crossed = type(world.winograd)(
        text0=world.winograd.text0,
        text1=world.winograd.text1,
        options=world.winograd.options,
        answers=tuple(((0, 1), (1, 0))[i % 2] for i in range(len(world.winograd))),
        provenance="",
    )
    other = measure(world.pair, world.pairs, winograd=crossed, seed=0, options=EUCLID)
    assert other.value("aligned", "winograd").value == 0


def test_heatmaps_under_three_inner_products(result):
    for inner in ("euclid", "causal", "random"):
        matrix = result.matrix(f"orthogonality_mean, {inner}")
        assert list(matrix.index) == list(matrix.columns) == list(CONCEPTS)
        assert matrix.loc["red", "red"] == pytest.approx(1)
        row = result.value("orthogonality_mean", "red", inner=inner)
        assert row.value == pytest.approx(matrix.loc["red"].drop("red").mean())
        assert row.null.mean > 0
    assert result.matrix("alignment, euclid, head").loc["red"].idxmax() == "red"
    figure = result.plot("orthogonality_mean, causal")
    assert figure.data[0].type == "heatmap"


def test_additive_squares_have_no_interaction(world):
    model, tokenizer = world.pair
    words = [[f"filler{4 * i + j}" for j in range(4)] for i in range(20)]
    before = model.lm_head.weight.detach().clone()
    with torch.no_grad():
        ids = torch.tensor(tokenizer.convert_tokens_to_ids([w for square in words for w in square])).reshape(
            20, 4
        )
        base, first, second = torch.randn(3, 20, 64, generator=torch.Generator().manual_seed(0)) / 8
        for i, row in enumerate((base, base + first, base + second, base + first + second)):
            model.lm_head.weight[ids[:, i]] = row
    squares = WordSquares(first="a", second="b", squares=tuple(map(tuple, words)), provenance="")
    result = measure(world.pair, world.pairs, seed=0, squares=[squares], options=EUCLID)
    row = result.value("interaction_share", "a × b")
    assert row.value == pytest.approx(0, abs=1e-9)
    assert row.null.mean == pytest.approx(1 / 3, abs=0.05)
    with torch.no_grad():
        model.lm_head.weight.copy_(before)
    result = measure(world.pair, world.pairs, seed=0, squares=[squares], options=EUCLID)
    assert result.value("interaction_share", "a × b").value == pytest.approx(1 / 3, abs=0.1)


def test_all_layers_in_one_pass_with_where(world):
    options = MeasureOptions(layer="all", draws=50, inner="euclid")
    result = measure(world.pair, world.pairs, world.contexts, seed=0, options=options)
    assert result.summary["where"]["layers"] == [0, 1, 2]
    assert result.summary["where"]["token"] == "last"
    depth = [result.value("linearity", "red", table="embedding", layer=x).value for x in ("0", "1", "2")]
    assert depth[0] == pytest.approx(depth[2], abs=1e-5)  # planted: the blocks add nothing
    one = measure(
        world.pair,
        world.pairs,
        world.contexts,
        seed=0,
        options=MeasureOptions(layer=1, draws=50, inner="euclid"),
    )
    assert one.summary["where"]["norm"] == "before the final norm"
    assert one.value("linearity", "red", table="embedding").layer == "1"
    with pytest.raises(InputError, match=r"layer: expected 0\.\.2"):
        measure(world.pair, world.pairs, world.contexts, seed=0, options=MeasureOptions(layer=9))


def test_equal_calls_are_equal_and_saved_as_open_files(world, result, tmp_path):
    again = measure(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=EUCLID)
    assert again.json() == result.json()
    folder = result.save(tmp_path / "out")
    text = (folder / "result.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["tokens"]["kept"] == dict.fromkeys(CONCEPTS, PAIRS)
    import pandas as pd

    frame = pd.read_parquet(folder / "table.parquet")
    assert {"model", "seed", "concept", "measure", "value", "low", "high", "null", "pairs"} <= set(
        frame.columns
    )
    assert len(frame) == len(result.rows)


def test_weights_only_equals_the_loaded_model(world, tmp_path):
    save(tmp_path, *world.pair, shard="50KB")
    options = MeasureOptions(draws=100)
    alone = measure(tmp_path, world.pairs, seed=0, options=options)
    full = measure(world.pair, world.pairs, seed=0, options=options)
    assert alone.summary["table"]["read_from"] == "shards"
    assert alone.summary["table"]["bytes_read"] == world.model.lm_head.weight.numel() * 4
    assert alone.json()["rows"] == full.json()["rows"]


def test_a_model_without_a_head_is_measured_on_its_input_table(world):
    encoder = tiny("encoder", world.tokenizer, dim=64)
    result = measure((encoder, world.tokenizer), world.pairs, world.contexts, seed=0, options=EUCLID)
    assert result.summary["table"]["table"] == "input"
    assert any("no head" in note for note in result.summary["model"]["notes"])
    assert not any(row.measure.startswith("alignment") for row in result.rows)


def test_soft_cap_bias_and_scale_are_warned_of(world):
    for shape, cause in (("gemma2", "soft-cap"), ("phi", "bias"), ("cohere", "scale")):
        model = tiny(shape, world.tokenizer, dim=64)
        result = measure((model, world.tokenizer), world.pairs, world.contexts[:1], seed=0, options=EUCLID)
        assert cause in result.summary["warnings"][0]
        assert result.value("log_odds_gap", "red").value > 1e-3


def test_built_in_data_on_a_random_model_finds_nothing(world):
    from linrep.llm.word_pairs import builtin_word_pairs

    from .tiny import word_tokenizer

    words = [w for record in builtin_word_pairs() for pair in record.pairs for w in pair]
    tokenizer = word_tokenizer(words)
    result = measure((tiny("gpt2", tokenizer, dim=64), tokenizer), seed=0, options=MeasureOptions(draws=200))
    found = [row.value for row in result.rows if row.measure == "found"]
    assert len(found) >= 20
    assert sum(found) <= 2
    assert any(row.measure == "interaction_share" for row in result.rows)


def test_wrong_pairs_are_one_line(world):
    with pytest.raises(InputError, match=r"keeps 0 of 2 pairs.*2 unknown"):
        measure(world.pair, {"c": [("x", "y"), ("z", "w")]}, seed=0)
