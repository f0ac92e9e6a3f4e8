import json
import os
import re
import subprocess
import sys
import textwrap

import pytest
import torch

from linrep.errors import InputError
from linrep.llm.checkpoint import read_range
from linrep.llm.loading import load_model, load_tokenizer
from linrep.llm.source import LoadOptions, library, locate
from linrep.llm.tokens import TokenPolicy
from linrep.llm.weights import model_table, read_table

from .tiny import TEXTS, byte_tokenizer, save, tiny, word_tokenizer

SHAPES = ["gpt2", "llama", "neox", "gemma2", "phi", "cohere", "bert", "encoder"]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer(list(TEXTS) * 5, 400)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_weights_only_is_the_table_of_the_model_loaded_in_full(shape, tied, tokenizer, tmp_path):
    save(tmp_path, tiny(shape, tokenizer, padded=7, tied=tied), tokenizer, shard="20KB")
    source = locate(tmp_path)
    lm = load_model(source)
    for table in ("output", "input"):
        alone = read_table(source, load_tokenizer(source), table=table)
        full = model_table(lm, table=table)
        assert torch.equal(alone.vectors, full.vectors)
        assert torch.equal(alone.usable, full.usable)
        assert (alone.padded, alone.special) == (full.padded, full.special) == (7, 5)
        assert alone.table == full.table == ("input" if shape == "encoder" else table)
        head = lm.model.get_output_embeddings()
        assert alone.tied == full.tied == (None if head is None else tied or shape == "bert")
    assert int(alone.usable.sum()) == len(tokenizer) - 5


def test_only_the_shard_with_the_head_is_opened(tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer, shard="20KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    for shard in set(index.values()) - {index["lm_head.weight"]}:
        (tmp_path / shard).unlink()
    source = locate(tmp_path)
    assert read_table(source, tokenizer).tensor == "lm_head.weight"
    (tmp_path / index["lm_head.weight"]).unlink()
    with pytest.raises(InputError, match=r"shard .* is missing"):
        read_table(source, tokenizer)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_one_tensor_by_its_byte_range(dtype, tokenizer, tmp_path):
    model = tiny("llama", tokenizer).to(dtype)
    save(tmp_path, model, tokenizer)
    with (tmp_path / "model.safetensors").open("rb") as file:
        assert torch.equal(read_range(file, "lm_head.weight"), model.lm_head.weight)


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_not_a_model_folder(tmp_path):
    with pytest.raises(InputError, match=r"expected a model folder with config\.json") as error:
        locate(tmp_path)
    one_line(error)
    with pytest.raises(InputError, match="no such folder"):
        locate("/no/such/folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="got a file"):
        locate(tmp_path / "file")


def test_pickled_weights_are_refused(tokenizer, tmp_path):
    model = tiny("gpt2", tokenizer)
    save(tmp_path, model, tokenizer)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_model(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    for read in (load_model, lambda path: read_table(locate(path), tokenizer)):
        with pytest.raises(InputError, match="pickled, which can run code, and are refused") as error:
            read(tmp_path)
        one_line(error)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_weights_are_named(value, tokenizer, tmp_path):
    model = tiny("llama", tokenizer)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = value
        model.lm_head.weight[5, 6] = value
    save(tmp_path, model, tokenizer)
    with pytest.raises(InputError, match=r"tensor model\.layers\.1\.mlp\.up_proj\.weight holds NaN"):
        load_model(tmp_path)
    with pytest.raises(InputError, match=r"tensor lm_head\.weight holds NaN"):
        read_table(locate(tmp_path), tokenizer)


def test_a_quantised_head_is_refused(tokenizer, tmp_path):
    from safetensors.torch import load_file, save_file

    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    save_file({**weights, "lm_head.weight": weights["lm_head.weight"].to(torch.int8)}, file)
    with pytest.raises(InputError, match=r"quantised, holding lm_head\.weight as I8"):
        read_table(locate(tmp_path), tokenizer)
    packed = {k: v for k, v in weights.items() if k != "lm_head.weight"}
    save_file({**packed, "lm_head.qweight": torch.zeros(3, dtype=torch.int32)}, file)
    with pytest.raises(InputError, match="its head is quantised"):
        read_table(locate(tmp_path), tokenizer)


def test_options_pass_through(tokenizer, tmp_path):
    save(tmp_path, tiny("gpt2", tokenizer), tokenizer)
    lm = load_model(tmp_path, LoadOptions(dtype="bfloat16"))
    assert lm.model.dtype == torch.bfloat16
    with pytest.raises(InputError, match="dtype: expected auto"):
        load_model(tmp_path, LoadOptions(dtype="float17"))
    mapped = load_model(tmp_path, LoadOptions(device_map={"": "cpu"}))
    assert mapped.device == torch.device("cpu")


def test_an_encoder_decoder_is_refused(tmp_path):
    from transformers import T5Config

    T5Config().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="encoder-decoder models"):
        load_model(tmp_path)


def test_a_missing_or_gated_model_offline_is_one_line(tmp_path):
    code = """
        from linrep.errors import InputError
        from linrep.llm.measurement import measure
        try:
            measure("meta-llama/Llama-2-7b-hf", seed=0)
        except InputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(
        r"model meta-llama/Llama-2-7b-hf: .*HF_HUB_OFFLINE is set.*hf download meta-llama.*",
        done.stdout.strip(),
    )


def test_the_hubs_client_keeps_quiet_and_gets_its_voice_back() -> None:
    from huggingface_hub.utils import logging as hub_logging

    before = hub_logging.get_verbosity()
    heard: list[int] = []
    library("here", lambda _: heard.append(hub_logging.get_verbosity()))
    assert heard == [hub_logging.ERROR]
    assert hub_logging.get_verbosity() == before


QUANTISED = {
    "bitsandbytes": ({"load_in_8bit": True}, "pip install bitsandbytes"),
    "gptq": ({"bits": 4, "group_size": 32}, "pip install optimum gptqmodel"),
    "awq": ({"bits": 4, "group_size": 32}, "pip install gptqmodel"),
    "compressed-tensors": ({"format": "pack-quantized"}, "pip install compressed-tensors"),
    "hqq": ({}, "pip install hqq"),
}


@pytest.mark.parametrize("method", QUANTISED)
def test_a_quantised_model_says_what_to_install(method, tokenizer, tmp_path):
    options, said = QUANTISED[method]
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    file = tmp_path / "config.json"
    quantised = {"quantization_config": {"quant_method": method, **options}}
    file.write_text(json.dumps(json.loads(file.read_text()) | quantised))
    with pytest.raises(InputError, match=said) as error:
        load_model(tmp_path)
    one_line(error)


def test_a_way_of_packing_that_the_library_does_not_know_unpacks_nothing(tokenizer, tmp_path):
    from safetensors.torch import load_file, save_file

    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    weights = load_file(tmp_path / "model.safetensors")
    packed = {k: v.to(torch.int8) if "up_proj" in k else v for k, v in weights.items()}
    save_file(packed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "tomorrow"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for read in (load_model, lambda path: read_table(locate(path), tokenizer)):
        with pytest.raises(InputError, match=r"up_proj\.weight as I8"):
            read(tmp_path)


def test_an_adapter_and_a_gguf_file_say_what_they_are(tmp_path, monkeypatch):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"is an adapter of owner/base, .* pip install peft") as error:
        locate(tmp_path)
    one_line(error)
    (tmp_path / "adapter_config.json").unlink()
    (tmp_path / "model.Q4_K_M.gguf").write_bytes(b"GGUF")
    for path in (tmp_path, tmp_path / "model.Q4_K_M.gguf"):
        with pytest.raises(
            InputError, match=r"model\.Q4_K_M\.gguf is a GGUF file.*pip install gguf"
        ) as error:
            locate(path)
        one_line(error)


@pytest.mark.parametrize(("head", "package"), [(b"\n\x0b", "sentencepiece"), (b"IQ== 0", "tiktoken")])
def test_a_tokenizer_of_pieces_alone_names_its_package(head, package, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    (tmp_path / "tokenizer.json").rename(tmp_path / "tokenizer.model")
    (tmp_path / "tokenizer.model").write_bytes(head)
    with pytest.raises(InputError, match=rf"{package} file alone .tokenizer\.model.*pip install {package}"):
        load_tokenizer(locate(tmp_path))


def test_a_folder_with_a_tokenizer_alone_serves_the_catalogue(tokenizer, tmp_path):
    from linrep.llm.catalogue import catalogue
    from linrep.llm.tokens import TokenPolicy

    tokenizer.save_pretrained(tmp_path)
    found = catalogue(str(tmp_path), TokenPolicy(multi_token="mean", minimum_pairs=2), LoadOptions())
    assert sum(each.kept.kept for each in found.concepts if each.kept is not None) > 100
    with pytest.raises(InputError, match=r"expected a model folder with config\.json"):
        locate(tmp_path)


@pytest.mark.parametrize("table", ["output", "input"])
def test_a_table_alone_is_measured_as_the_same_table_of_a_model(table, tmp_path):
    from linrep.llm import MeasureOptions, measure

    words = [f"word{i}" for i in range(60)]
    tokenizer = word_tokenizer(words)
    model = tiny("llama", tokenizer)
    folder = save(tmp_path / "m", model, tokenizer)
    pairs = {"a-b": list(zip(words[:24:2], words[1:24:2], strict=True))}
    options = MeasureOptions(table=table, draws=50, policy=TokenPolicy(minimum_pairs=4))
    head = model.get_output_embeddings() if table == "output" else model.get_input_embeddings()
    own = measure((head.weight.detach().numpy(), tokenizer), pairs, seed=0, options=options)
    whole = measure(folder, pairs, seed=0, options=options)
    assert list(map(repr, own.rows)) == list(map(repr, whole.rows))  # NaN equals NaN
    assert own.summary["table"]["table"] == table
    assert own.summary["model"]["kind"] == "table alone"


def test_a_table_alone_that_cannot_be_measured_is_one_line(tokenizer):
    from linrep.llm import measure

    rows = len(tokenizer)
    for table, given, said in (
        (torch.ones(rows, 4, dtype=torch.int64), {}, "floating numbers"),
        (torch.ones(rows - 1, 4), {}, "a row for each of the tokenizer's"),
        (torch.ones(rows, 4), {"contexts": "builtin"}, "a table alone has no states"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            measure((table, tokenizer), {"a-b": [("king", "queen")]}, seed=0, **given)
        one_line(caught)
