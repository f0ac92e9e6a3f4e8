import pytest
import torch

from linrep.errors import InputError
from linrep.llm.forward import batch_states
from linrep.llm.intervention import steer
from linrep.llm.loading import wrap
from linrep.llm.states import encode_context, pad

from .planted import CONCEPTS, Planted, planted
from .tiny import tiny

PROMPTS = ("frame0 redend0v0", "frame1 blueend2v1")


@pytest.fixture(scope="module")
def world() -> Planted:
    return planted()


@pytest.mark.parametrize("inner", ["euclid", "causal"])
def test_target_log_odds_move_by_the_strength_and_others_do_not(inner, world):
    result = steer(world.pair, "red", PROMPTS, seed=0, pairs=world.pairs, inner=inner, strengths=(-3.0, 3.0))
    assert result.summary["where"] == "head"
    assert result.summary["target_shift_per_unit"] == pytest.approx(1, abs=0.1)
    assert result.summary["other_to_target"] < 0.1
    for row in result.rows:
        if row.strength == 0:
            assert row.shift == 0
    table = result.table
    assert set(table["concept"]) == set(CONCEPTS)
    assert result.summary["direction_pairs"] + result.summary["held_out_pairs"] == 30
    assert len(result.plot().data) == len(CONCEPTS)
    assert set(result.tokens[PROMPTS[0]]) == {-3.0, 0.0, 3.0}


def test_a_push_at_a_layer_moves_the_target(world):
    result = steer(
        world.pair,
        "red",
        PROMPTS,
        seed=0,
        pairs=world.pairs,
        contexts=world.contexts,
        layer=1,
        strengths=(1.0,),
    )
    assert "layer 1" in result.summary["where"]
    assert result.summary["target_shift_per_unit"] > 10 * result.summary["other_shift_per_unit"] > 0
    with pytest.raises(InputError, match="contexts: expected paired contexts of red"):
        steer(world.pair, "red", PROMPTS, seed=0, pairs=world.pairs, layer=1)


@pytest.mark.parametrize("shape", ["gpt2", "llama", "neox", "gemma2"])
def test_an_edit_is_what_the_rest_of_the_model_computes(shape, world):
    lm = wrap(tiny(shape, world.tokenizer, dim=32), world.tokenizer)
    ids, mask = pad([encode_context(lm, text) for text in PROMPTS], 3)
    push = torch.randn(32, generator=torch.Generator().manual_seed(0))
    plain, before = batch_states(lm, ids, mask, layers=[3])
    # Pushing the last residual stream is pushing what the final norm reads.
    edited, after = batch_states(lm, ids, mask, layers=[3], layer_edits={3: lambda x: x + push})
    torch.testing.assert_close(edited["3"], plain["3"])
    assert not torch.allclose(before, after)
    head, pushed = batch_states(lm, ids, mask, head_edit=lambda x: x + push)
    weight = lm.model.get_output_embeddings().weight.detach()
    cap = getattr(lm.model.config, "final_logit_softcapping", None)
    by_hand = (head["head"] + push) @ weight.T
    torch.testing.assert_close(pushed, by_hand if cap is None else cap * torch.tanh(by_hand / cap))
    # At layer 0 an identity edit changes nothing.
    _, same = batch_states(lm, ids, mask, layer_edits={0: lambda x: x})
    torch.testing.assert_close(same, before)


def test_wrong_input_is_one_line(world):
    with pytest.raises(InputError, match="concept: expected one of red"):
        steer(world.pair, "purple", PROMPTS, seed=0, pairs=world.pairs)
    encoder = tiny("encoder", world.tokenizer, dim=64)
    with pytest.raises(InputError, match="expected a model with a head"):
        steer((encoder, world.tokenizer), "red", PROMPTS, seed=0, pairs=world.pairs)
    with pytest.raises(InputError, match=r"layer: expected 0\.\.2, got 7"):
        steer(world.pair, "red", PROMPTS, seed=0, pairs=world.pairs, contexts=world.contexts, layer=7)
