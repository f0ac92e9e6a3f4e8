"""The paper's four figures of a model: one number each, equal to what the ruler says in that gauge alone."""

import math

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from linrep.errors import InputError
from linrep.llm import LMPaper, MeasureOptions, measure, paper
from linrep.llm.replication import FIGURES, INNERS

from .planted import CONCEPTS, Planted, planted
from .tiny import save, tiny

OPTIONS = MeasureOptions(inner="euclid", draws=200)


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def found(world: Planted) -> LMPaper:
    return paper(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=OPTIONS)


@pytest.mark.parametrize("inner", INNERS)
def test_every_gauge_says_what_it_says_when_it_is_asked_alone(inner, world, found):
    options = MeasureOptions(inner=inner, draws=200)
    alone = measure(world.pair, world.pairs, world.contexts, world.winograd, seed=0, options=options)
    assert found.measured[inner].json() == alone.json()


@pytest.mark.parametrize("inner", INNERS)
def test_a_headline_is_the_mean_over_concepts(inner, found):
    rows = {
        "linearity": [
            row
            for row in found.measured[inner].rows
            if (row.measure, row.table) == ("linearity", "unembedding")
        ],
        "alignment": [row for row in found.measured[inner].rows if row.measure == "alignment_direction"],
    }
    for figure, each in rows.items():
        row = found.headline(figure, inner)
        assert len(each) == len(CONCEPTS)
        assert row.value == pytest.approx(sum(one.value for one in each) / len(each))
        assert row.null.high == pytest.approx(sum(one.null.high for one in each) / len(each))
        assert row.pairs == sum(one.pairs for one in each)
        assert row.low < row.value < row.high
    winograd = [row for row in found.measured[inner].rows if row.concept == "winograd"]
    assert found.headline("winograd", inner) in winograd


def test_overlap_and_its_interval_are_the_naive_ones(found):
    matrix = torch.tensor(found.result.matrices["orthogonality_mean, euclid"].values, dtype=torch.float64)
    number = len(matrix)

    def mean(kept: list[int]) -> float:
        return float(torch.stack([matrix[i, j] for i in kept for j in kept if i < j]).mean())

    row = found.headline("overlap")
    whole = mean(list(range(number)))
    without = [mean([j for j in range(number) if j != i]) for i in range(number)]
    pseudo = torch.tensor([number * whole - (number - 1) * each for each in without])
    half = 3.182446 * float(pseudo.std()) / math.sqrt(number)  # t of 3 degrees
    assert row.value == pytest.approx(whole)
    assert row.high == pytest.approx(min(whole + half, 1.0), abs=1e-5)
    assert row.low == pytest.approx(max(whole - half, 0.0), abs=1e-5)


def test_planted_directions_are_apart_aligned_and_linear_and_the_random_turn_hides_nothing_of_f_g(found):
    for figure in ("linearity", "alignment", "winograd"):
        row = found.headline(figure)
        assert row.value > row.null.high, figure
    assert found.headline("overlap").value < found.headline("overlap").null.mean
    own, unrelated = found.headline("alignment"), found.number("alignment_unrelated")
    assert unrelated.value < 0.3 * own.value
    assert not found.absent


def test_pairs_of_no_concept_show_nothing(world):
    dealt = {
        name: [(f"filler{30 * i + j}", f"filler{299 - 30 * i - j}") for j in range(30)]
        for i, name in enumerate(world.pairs)
    }
    found = paper(world.pair, dealt, None, None, seed=0, options=OPTIONS)
    row, overlap = found.headline("linearity"), found.headline("overlap")
    assert row.low < row.null.high
    assert overlap.null.low < overlap.value < overlap.null.high
    assert set(found.absent) == {"alignment", "winograd"}


def test_what_a_model_cannot_give_is_absent_with_the_reason(world, tmp_path):
    def absent(model, *, contexts=world.contexts, winograd=world.winograd, table="output"):
        options = MeasureOptions(inner="euclid", draws=50, table=table)
        return paper(model, world.pairs, contexts, winograd, seed=0, options=options).absent

    folder = save(tmp_path / "llama", world.model, world.tokenizer)
    assert set(absent(folder, contexts=None, winograd=None).values()) == {
        "the model was not run: only a table of it was read"
    }
    assert absent(folder, contexts=None) == {"alignment": "no paired contexts were given"}
    assert absent(folder, winograd=None) == {"winograd": "no Winograd pairs were given"}
    assert set(absent(folder, table="input")) == {"alignment", "winograd"}
    headless = absent((tiny("encoder", world.tokenizer), world.tokenizer))
    assert headless["alignment"].startswith("the model has no head")
    config = T5Config(
        vocab_size=len(world.tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
    )
    told = absent(save(tmp_path / "t5", T5ForConditionalGeneration(config), world.tokenizer))
    assert told["winograd"] == "no state of an encoder-decoder (t5) stands for a context's next word"


def test_a_layer_is_refused_and_json_holds_the_four_figures(found, world):
    with pytest.raises(InputError, match="the state that the head reads"):
        paper(world.pair, world.pairs, seed=0, options=MeasureOptions(layer=1))
    record = found.json()
    assert list(record["figures"]) == list(FIGURES)
    for name in FIGURES:
        assert record["figures"][name]["number"]["value"] == found.headline(name).value
