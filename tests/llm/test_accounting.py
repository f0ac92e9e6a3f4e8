"""Every way a checkpoint can lack what its model needs is one line that names tensors, in every command."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from linrep.cli import execute
from linrep.errors import InputError
from linrep.llm import measure
from linrep.llm.loading import load_model, load_tokenizer, wrap
from linrep.llm.source import locate
from linrep.llm.weights import read_table

from .tiny import TEXTS, byte_tokenizer, save, tiny, word_tokenizer

pytestmark = pytest.mark.usefixtures("elsewhere")

Weights = dict[str, Tensor]
PAIRS = {"a-b": [("king", "queen"), ("man", "woman")]}


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer(list(TEXTS) * 5, 400)


def change(folder: Path, alter: Callable[[Weights], Weights]) -> None:
    file = folder / "model.safetensors"
    save_file(alter(load_file(file)), file, metadata={"format": "pt"})


def configure(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def without(*names: str) -> Callable[[Weights], Weights]:
    return lambda weights: {k: v for k, v in weights.items() if not any(re.search(n, k) for n in names)}


def prefixed(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {prefix + k: v for k, v in weights.items()}


def eighths(weights: Weights) -> Weights:
    """As an fp8 checkpoint whose quantization_config was lost."""
    made: Weights = {}
    for name, weight in weights.items():
        packed = "proj" in name
        made[name] = weight.to(torch.float8_e4m3fn) if packed else weight
        if packed:
            made[f"{name}_scale"] = torch.ones(1)
    return made


def grown(name: str) -> Callable[[Weights], Weights]:
    return lambda w: {**w, name: torch.cat([w[name], w[name]])}


def signs(name: str) -> Callable[[Weights], Weights]:
    return lambda w: {**w, name: w[name] > 0}


def renamed(old: str, new: str) -> Callable[[Weights], Weights]:
    return lambda weights: {k.replace(old, new): v for k, v in weights.items()}


ALTERED = {
    "no head": ("llama", without("lm_head"), r"lacks lm_head\.weight, needed by LlamaForCausalLM"),
    "compiled": ("llama", prefixed("_orig_mod."), r"lm_head\.weight.*wrapper's prefix '_orig_mod\.'"),
    "data parallel": ("gpt2", prefixed("module."), r"transformer\.wte\.weight.*prefix 'module\.'"),
    "base model": (
        "llama",
        lambda w: {k.removeprefix("model."): v for k, v in without("lm_head")(w).items()},
        r"lacks lm_head\.weight",
    ),
    "discriminator": (
        "electra",
        lambda w: w,
        r"lacks generator_predictions\..*holds instead discriminator_predictions",
    ),
    "no block": ("llama", without("layers.1."), r"lacks model\.layers\.1\.self_attn\.q_proj\.weight"),
    "no norm": ("neox", without("final_layer_norm"), r"lacks gpt_neox\.final_layer_norm\.weight"),
    "no input table": ("llama", without("embed_tokens"), r"lacks model\.embed_tokens\.weight"),
    "neither of a tied pair": ("gpt2 tied", without("wte", "lm_head"), r"lacks transformer\.wte\.weight"),
    "no bias": ("phi", without("lm_head.bias"), r"lacks lm_head\.bias"),
    "masked without its head": ("bert", without("cls."), r"lacks cls\.predictions\.bias"),
    "classifier": ("llama", renamed("lm_head", "score"), r"lacks lm_head\.weight.*instead score\.weight"),
    "another vocabulary": ("llama", grown("lm_head.weight"), r"holds lm_head\.weight as \[678, 32\] where"),
    "another width": ("neox", grown("gpt_neox.layers.0.mlp.dense_4h_to_h.weight"), r"as \[64, 64\] where"),
    "eight bits": ("llama", eighths, r"quantised, holding model\.layers\.\*\..*proj\.weight as F8_E4M3"),
    "signs alone": ("llama", signs("lm_head.weight"), r"quantised, holding lm_head\.weight as BOOL"),
    "packed head": (
        "llama",
        renamed("lm_head.weight", "lm_head.qweight"),
        r"lm_head\.qweight; its head",
    ),
    "no experts": ("mixtral", without("experts.0", "experts.1"), r"lacks model\.layers\.\*\.mlp\.experts"),
    "one expert": ("mixtral", without("layers.0.*experts.1."), r"2048 of the 4096 numbers of model"),
    "no router": (
        "mixtral",
        without("mlp.gate.", "block_sparse_moe.gate."),
        r"lacks model\.layers\.\*\.mlp\.gate",
    ),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(kind, tokenizer, tmp_path):
    shape, alter, said = ALTERED[kind]
    shape, _, tied = shape.partition(" ")
    save(tmp_path, tiny(shape, tokenizer, tied=bool(tied)), tokenizer)
    change(tmp_path, alter)
    for read in (
        lambda path: read_table(locate(path), tokenizer),
        lambda path: read_table(locate(path), tokenizer, table="input"),
        load_model,
        lambda path: measure(path, PAIRS, seed=0),
    ):
        with pytest.raises(InputError, match=said) as error:
            read(tmp_path)
        assert "\n" not in str(error.value)


def test_a_configuration_of_more_layers_than_the_file_is_refused(tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    configure(tmp_path, num_hidden_layers=5)
    with pytest.raises(InputError, match=r"lacks model\.layers\.\*\.self_attn\.q_proj\.weight \(2 of them\)"):
        read_table(locate(tmp_path), tokenizer)


def test_a_configuration_without_a_class_adds_no_head(tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    change(tmp_path, without("lm_head"))
    configure(tmp_path, architectures=None)
    with pytest.raises(InputError, match=r"lacks lm_head\.weight"):
        load_model(tmp_path)


def test_a_class_that_stands_there_without_a_list_is_that_class(tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    configure(tmp_path, architectures="LlamaForCausalLM")
    assert read_table(locate(tmp_path), tokenizer).table == "output"
    assert load_model(tmp_path).kind == "causal"


def test_what_the_index_promises_the_file_must_hold(tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer, shard="20KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    shard = tmp_path / index["model.norm.weight"]
    save_file(without("model.norm")(load_file(shard)), shard, metadata={"format": "pt"})
    for read in (lambda path: read_table(locate(path), tokenizer), load_model):
        with pytest.raises(InputError, match=r"lacks model\.norm\.weight"):
            read(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        read_table(locate(tmp_path), tokenizer)


@pytest.mark.parametrize("command", ["pairs", "contexts", "steer"])
def test_every_command_refuses(command, capsys, tokenizer, tmp_path):
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    change(tmp_path, without("lm_head"))
    words = {
        "pairs": ["measure", str(tmp_path)],
        "contexts": ["measure", str(tmp_path), "--contexts", "builtin"],
        "steer": ["steer", str(tmp_path), "--concept", "male-female", "--prompt", "The"],
    }[command]
    assert execute(["lm", *words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "lacks lm_head.weight" in err.strip().splitlines()[-1]


def test_whole_checkpoints_are_read_and_what_nothing_reads_is_listed(tokenizer, tmp_path):
    """The control: nothing lacks, and a value head that rides along is named, equally both ways."""
    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    assert read_table(locate(tmp_path), tokenizer).notes == load_model(tmp_path).notes == ()
    change(tmp_path, lambda w: {**w, "v_head.weight": torch.ones(1, 32), "v_head.bias": torch.ones(1)})
    alone, full = read_table(locate(tmp_path), tokenizer), load_model(tmp_path)
    assert alone.notes == full.notes
    assert "2 tensors that nothing read: v_head.bias, v_head.weight" in alone.notes[0]


@pytest.mark.parametrize("shape", ["llama", "gpt2"])
@pytest.mark.parametrize("equal", [True, False])
def test_tied_is_what_the_file_holds_and_not_what_the_configuration_says(shape, equal, tokenizer, tmp_path):
    model = tiny(shape, tokenizer, tied=False)
    if equal:
        model.get_output_embeddings().weight = torch.nn.Parameter(
            model.get_input_embeddings().weight.detach().clone()
        )
    save(tmp_path, model, tokenizer)
    configure(tmp_path, tie_word_embeddings=True)
    source = locate(tmp_path)
    lm = load_model(source)
    from linrep.llm.weights import model_table

    for table in ("output", "input"):
        alone, full = read_table(source, load_tokenizer(source), table=table), model_table(lm, table=table)
        assert alone.tied is full.tied is equal
        assert torch.equal(alone.vectors, full.vectors)


def test_a_pair_in_memory_with_a_head_made_at_random_says_so(tokenizer, tmp_path):
    from transformers import LlamaForCausalLM

    save(tmp_path, tiny("llama", tokenizer), tokenizer)
    whole = LlamaForCausalLM.from_pretrained(tmp_path)
    change(tmp_path, without("lm_head"))
    lacking = LlamaForCausalLM.from_pretrained(tmp_path)
    assert wrap(whole, tokenizer).notes == ()
    assert wrap(tiny("llama", tokenizer), tokenizer).notes == ()
    (note,) = wrap(lacking, tokenizer).notes
    assert note.startswith("lm_head.weight did not come from the checkpoint")


def test_equal_calls_give_equal_bytes(capsys, tmp_path):
    words = [word for number in range(12) for word in (f"low{number}", f"high{number}")]
    tokenizer = word_tokenizer(words)
    save(tmp_path / "m", tiny("llama", tokenizer), tokenizer)
    (tmp_path / "[low - high].txt").write_text("".join(f"low{i}\thigh{i}\n" for i in range(12)))
    said = []
    for _ in range(2):
        command = ["lm", "measure", str(tmp_path / "m"), "--pairs", str(tmp_path / "[low - high].txt")]
        assert execute([*command, "--draws", "50", "--json", "--quiet"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert json.loads(said[0])["model"]["notes"] == []
