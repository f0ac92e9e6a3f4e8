import pytest
import torch

from linrep.errors import InputError
from linrep.llm import states
from linrep.llm.forward import batch_states
from linrep.llm.loading import wrap
from linrep.llm.self_check import self_check
from linrep.llm.states import encode_context, read_states

from .tiny import TEXTS, byte_tokenizer, tiny

CAUSAL = ["gpt2", "llama", "neox", "gemma2", "phi", "cohere"]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer(list(TEXTS) * 5, 400)


@pytest.fixture(scope="module")
def loaded(tokenizer):
    return {
        shape: wrap(tiny(shape, tokenizer, padded=7), tokenizer) for shape in (*CAUSAL, "bert", "encoder")
    }


def padded(rows: list[list[int]], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows padded by hand on the left, right, or a bit on both."""
    length = max(map(len, rows)) + (2 if side == "mixed" else 0)
    ids, masks = [], []
    for i, row in enumerate(rows):
        free = length - len(row)
        left = {"left": free, "right": 0, "mixed": min(i, free)}[side]
        ids.append([9] * left + row + [11] * (free - left))
        masks.append([0] * left + [1] * len(row) + [0] * (free - left))
    return torch.tensor(ids), torch.tensor(masks)


@pytest.mark.parametrize("side", ["left", "right", "mixed"])
@pytest.mark.parametrize("shape", CAUSAL)
def test_any_padding_reads_what_one_by_one_reads(shape, side, loaded):
    lm = loaded[shape]
    rows = [encode_context(lm, text) for text in TEXTS]
    found, logits = batch_states(lm, *padded(rows, side), layers=range(4))
    for i, row in enumerate(rows):
        alone, own = batch_states(
            lm, torch.tensor([row]), torch.ones(1, len(row), dtype=torch.long), layers=range(4)
        )
        for place in found:
            torch.testing.assert_close(found[place][i], alone[place][0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(logits[i], own[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", CAUSAL)
def test_states_and_logits_are_the_librarys_own(shape, loaded):
    lm = loaded[shape]
    read = read_states(lm, TEXTS, layers=range(4), logit_ids=range(40), batch_size=4)
    for i, text in enumerate(TEXTS):
        ids = torch.tensor([encode_context(lm, text)])
        with torch.inference_mode():
            own = lm.model(ids, output_hidden_states=True)
        torch.testing.assert_close(read.logits[i], own.logits[0, -1, :40], atol=1e-5, rtol=1e-5)
        # The library's last hidden state has the final norm applied: it is what the head reads.
        torch.testing.assert_close(read.at("head")[i], own.hidden_states[-1][0, -1], atol=1e-5, rtol=1e-5)
        for layer in range(3):
            torch.testing.assert_close(
                read.at(layer)[i], own.hidden_states[layer][0, -1], atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("shape", ["bert", "encoder"])
def test_encoders_batch_as_one_by_one(shape, loaded):
    lm = loaded[shape]
    together, alone = (read_states(lm, TEXTS, layers=[1], batch_size=b) for b in (6, 1))
    torch.testing.assert_close(together.vectors, alone.vectors, atol=1e-5, rtol=1e-5)
    assert together.token == {"bert": "mask", "encoder": "mean"}[shape]


def test_out_of_memory_halves_the_batch_and_goes_on(loaded, monkeypatch):
    lm = loaded["llama"]
    expected = read_states(lm, TEXTS, batch_size=6).vectors
    real = batch_states

    def tight(model, ids, mask, **named):
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, ids, mask, **named)

    monkeypatch.setattr(states, "batch_states", tight)
    read = read_states(lm, TEXTS, batch_size=6)
    assert read.batch_size == 1 or read.batch_size == 2
    torch.testing.assert_close(read.vectors, expected, atol=1e-5, rtol=1e-5)

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(states, "batch_states", full)
    with pytest.raises(InputError, match="does not fit"):
        read_states(lm, TEXTS, batch_size=2)


def test_an_interrupted_reading_resumes_where_it_stopped(loaded, tmp_path, monkeypatch):
    lm = loaded["gpt2"]
    monkeypatch.setattr(states, "PART", 2)
    expected = read_states(lm, TEXTS, logit_ids=[5, 6]).vectors
    real, calls = batch_states, []

    def counted(model, ids, mask, **named):
        calls.append(len(ids))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(model, ids, mask, **named)

    monkeypatch.setattr(states, "batch_states", counted)
    with pytest.raises(KeyboardInterrupt):
        read_states(lm, TEXTS, logit_ids=[5, 6], cache=tmp_path)
    again = read_states(lm, TEXTS, logit_ids=[5, 6], cache=tmp_path)
    assert len(calls) == 4  # one kept, one lost, two more
    torch.testing.assert_close(again.vectors, expected, atol=1e-5, rtol=1e-5)
    third = read_states(lm, TEXTS, logit_ids=[5, 6], cache=tmp_path)
    assert len(calls) == 4
    assert torch.equal(third.vectors, again.vectors)
    assert torch.equal(third.logits, again.logits)
    # Another model's states are never taken for these.
    with torch.no_grad():
        next(lm.model.parameters()).mul_(1.5)
    read_states(lm, TEXTS, logit_ids=[5, 6], cache=tmp_path)
    assert len(calls) == 7
    with torch.no_grad():
        next(lm.model.parameters()).div_(1.5)


def test_an_end_token_is_cut_and_blanks_too(tokenizer, loaded):
    from tokenizers.processors import TemplateProcessing

    closing = byte_tokenizer(list(TEXTS) * 5, 400)
    closing._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    lm = wrap(loaded["llama"].model, closing)
    plain = tokenizer("Long live the", add_special_tokens=False)["input_ids"]
    assert encode_context(lm, "Long live the ") == [1, *plain]
    with pytest.raises(InputError, match="has no token"):
        encode_context(loaded["llama"], " ")
    with pytest.raises(InputError, match="the model takes 128"):
        encode_context(loaded["llama"], "king " * 200)


@pytest.mark.parametrize(
    ("shape", "bias", "scale", "cap"),
    [
        ("gpt2", False, 1.0, None),
        ("llama", False, 1.0, None),
        ("neox", False, 1.0, None),
        ("gemma2", False, 1.0, 0.5),
        ("phi", True, 1.0, None),
        ("cohere", False, 0.25, None),
        ("bert", False, 1.0, None),
    ],
)
def test_self_check_finds_what_the_head_adds(shape, bias, scale, cap, loaded):
    check = self_check(loaded[shape], TEXTS, low=torch.arange(10, 30), high=torch.arange(30, 50))
    assert check is not None
    assert (check.bias, check.scale, check.soft_cap) == (bias, scale, cap)
    assert check.explained
    altered = bias or scale != 1 or cap is not None
    assert (check.log_odds_gap_nats > 1e-2) == altered
    assert bool(check.warnings) == altered


def test_self_check_says_what_it_cannot_explain(tokenizer):
    model = tiny("gemma2", tokenizer)
    lm = wrap(model, tokenizer)
    real = model.get_output_embeddings()
    real.register_forward_hook(lambda *_: _[2].roll(1, -1))
    check = self_check(lm, TEXTS, low=torch.arange(10, 30), high=torch.arange(30, 50))
    assert check is not None
    assert not check.explained
    assert "unexplained" in check.warnings[0]
