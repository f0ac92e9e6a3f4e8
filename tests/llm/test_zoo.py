"""Every family of models is read rightly or refused in one line: states are the library's own, batches are
what one by one gives, logits follow from the head, and a push is in nats of the model's own logits.
"""

import pytest
import torch

from linrep.errors import InputError
from linrep.llm.intervention import steer
from linrep.llm.loading import LanguageModel, load_model, wrap
from linrep.llm.paired_contexts import PairedContexts
from linrep.llm.self_check import self_check
from linrep.llm.source import locate
from linrep.llm.states import encode_context, read_states
from linrep.llm.tokens import TokenPolicy
from linrep.llm.weights import model_table, read_table

from .zoo import CONCEPT, FRAMES, LAYERS, PAIRS, TEXTS, VOCABULARY, ZOO, grown, tokenizer

POLICY = TokenPolicy(minimum_pairs=2)
READ = [name for name, species in ZOO.items() if species.kind not in ("encoder-decoder", "pixels")]
WORDS = tokenizer()


def opened(name: str) -> LanguageModel:
    return wrap(plant(grown(ZOO[name])), WORDS)


def plant(model):
    """High words' rows of the head are the low ones' and one direction, equal for all pairs of a concept."""
    draw = torch.Generator().manual_seed(1)
    ids, rows = WORDS.get_vocab(), model.get_output_embeddings().weight
    with torch.no_grad():
        for group in PAIRS.values():
            direction = torch.randn(rows.shape[1], generator=draw)
            for low, high in group:
                rows[ids[high]] = rows[ids[low]] + direction
    return model


def same(found, expected):
    """To 1e-5 of the largest number."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max())))


def paired(concept: str = "low-high") -> tuple[PairedContexts, ...]:
    made = [(frame, low, high) for frame in FRAMES for low, high in CONCEPT[:4]]
    return (
        PairedContexts(
            concept=concept,
            context0=tuple(f"{frame} {low}" for frame, low, _ in made),
            context1=tuple(f"{frame} {high}" for frame, _, high in made),
            frame=tuple(frame for frame, _, _ in made),
            word0=("",) * len(made),
            word1=("",) * len(made),
            provenance="the zoo",
        ),
    )


@pytest.mark.parametrize("name", READ)
def test_states_are_the_librarys_and_logits_follow_from_the_head(name):
    species, lm = ZOO[name], opened(name)
    together = read_states(lm, TEXTS, logit_ids=range(VOCABULARY), batch_size=len(TEXTS))
    alone = read_states(lm, TEXTS, logit_ids=range(VOCABULARY), batch_size=1)
    same(together.vectors, alone.vectors)
    same(together.logits, alone.logits)
    for text, logits in zip(TEXTS, together.logits, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([encode_context(lm, text)])
            own = lm.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        same(logits, own[0, -1])
    check = self_check(lm, TEXTS, low=torch.arange(5, 15), high=torch.arange(15, 25))
    assert check is not None
    assert check.explained
    assert (check.scale != 1 or check.soft_cap is not None) == (species.kind == "scaled")


@pytest.mark.parametrize("name", READ)
def test_every_layer_is_read_or_refused_in_one_line(name):
    species, lm = ZOO[name], opened(name)
    if species.refused is not None:
        for layered in (
            lambda: read_states(lm, TEXTS, layers=range(LAYERS + 1)),
            lambda: steer(
                lm, "low-high", TEXTS[:1], seed=0, pairs=PAIRS, contexts=paired(), layer=1, policy=POLICY
            ),
        ):
            with pytest.raises(InputError, match=species.refused) as error:
                layered()
            assert "\n" not in str(error.value)
        return
    read = read_states(lm, TEXTS, layers=range(LAYERS + 1), batch_size=len(TEXTS))
    for text, states in zip(TEXTS, read.vectors, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([encode_context(lm, text)])
            own = lm.model(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        for layer in range(LAYERS):
            same(states[1 + layer + species.after], own.hidden_states[layer][0, -1])
    pushed = steer(
        lm,
        "low-high",
        TEXTS[:2],
        seed=0,
        pairs=PAIRS,
        contexts=paired(),
        layer=1,
        policy=POLICY,
        strengths=(1.0,),
    )
    assert pushed.summary["where"].startswith("layer 1")
    assert any(row.shift != 0 for row in pushed.rows if row.strength)


@pytest.mark.parametrize("name", READ)
def test_a_nat_a_unit_is_a_nat_of_the_models_own_logits_or_the_factor_is_named(name):
    result = steer(
        opened(name),
        "low-high",
        TEXTS,
        seed=0,
        pairs=PAIRS,
        inner="euclid",
        policy=POLICY,
        strengths=(-0.1, 0.1),
    )
    moved, head = result.summary["target_shift_per_unit"], result.summary["head"]
    if head["soft_cap"] is None:
        assert result.summary["unit"] == "nats"
        assert moved == pytest.approx(1, abs=0.05)
    else:
        assert result.summary["unit"] == f"nats before the soft-cap at {head['soft_cap']:g}"
        assert moved == pytest.approx(head["passes"], abs=0.05)


@pytest.mark.parametrize("name", ZOO)
def test_one_table_read_by_itself_is_the_loaded_models(name, tmp_path):
    species, model = ZOO[name], grown(ZOO[name])
    model.save_pretrained(tmp_path)
    WORDS.save_pretrained(tmp_path)
    source = locate(tmp_path)
    if species.kind == "encoder-decoder":
        with pytest.raises(InputError, match=r"encoder-decoder models .* only tables are read"):
            load_model(source)
        assert read_table(source, WORDS).vectors.shape[0] == VOCABULARY
        return
    lm = load_model(source)
    assert type(lm.model) is type(model)
    for table in ("output", "input"):
        alone, full = read_table(source, WORDS, table=table), model_table(lm, table=table)
        assert torch.equal(alone.vectors, full.vectors)
        assert (alone.tied, alone.table, alone.notes) == (full.tied, full.table, lm.notes)


def test_a_model_that_needs_a_picture_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"cannot be run on text alone.*pixel_values"):
        read_states(opened("blip2"), TEXTS)
