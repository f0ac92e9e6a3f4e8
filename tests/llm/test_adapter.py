"""An adapter's model is what peft makes of the two, or one line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from linrep.errors import InputError
from linrep.llm.loading import load_model
from linrep.llm.measurement import measure
from linrep.llm.options import MeasureOptions
from linrep.llm.tokens import TokenPolicy

from .tiny import save, tiny, word_tokenizer

peft = pytest.importorskip("peft")
PAIRS = {"low-high": [(f"low{i}", f"high{i}") for i in range(8)]}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Any]:
    """A model, an adapter of its attention and its head, and the two put together by hand."""
    tokenizer = word_tokenizer([word for pair in PAIRS["low-high"] for word in pair])
    save(tmp_path / "base", tiny("llama", tokenizer), tokenizer)
    base = load_model(tmp_path / "base").model
    wanted = peft.LoraConfig(r=2, target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    both = peft.get_peft_model(base, wanted)
    both.peft_config["default"].base_model_name_or_path = str(tmp_path / "base")
    both.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    return tmp_path / "base", tmp_path / "adapter", both.merge_and_unload()


def test_the_two_are_put_together(folders: tuple[Path, Path, Any]) -> None:
    base, adapter, by_hand = folders
    lm = load_model(adapter)
    assert lm.name == "adapter"
    for (name, own), (_, wanted) in zip(lm.model.named_parameters(), by_hand.named_parameters(), strict=True):
        torch.testing.assert_close(own, wanted, msg=name)
    assert not torch.equal(lm.model.lm_head.weight, load_model(base).model.lm_head.weight)
    options = MeasureOptions(draws=50, policy=TokenPolicy(minimum_pairs=2))
    found = measure(adapter, PAIRS, seed=0, options=options)
    again = measure((by_hand, lm.tokenizer), PAIRS, seed=0, options=options)
    assert [row.value for row in found.rows] == pytest.approx([row.value for row in again.rows], nan_ok=True)


def test_an_adapter_that_lacks_weights_is_refused(folders: tuple[Path, Path, Any]) -> None:
    file = folders[1] / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if "lm_head" not in k}, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"the adapter lacks weights .*lm_head") as error:
        load_model(folders[1])
    assert "\n" not in str(error.value)
    file.unlink()
    with pytest.raises(InputError, match=r"expected adapter_model\.safetensors"):
        load_model(folders[1])
