"""Models as the Hub's cache holds them, read offline, and models that bring their own code."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from linrep.errors import InputError
from linrep.llm import LoadOptions, MeasureOptions, load_model, measure
from linrep.llm.source import locate

from .tiny import save, tiny, word_tokenizer

COMMIT = "a" * 40
NAME = "org/model"
WORDS = [f"word{i}" for i in range(40)]
PAIRS = {"a-b": list(zip(WORDS[:24:2], WORDS[1:24:2], strict=True))}
OPTIONS = MeasureOptions(draws=50)


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sharded model in a cache of its own, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    home = tmp_path / "hub" / "models--org--model"
    tokenizer = word_tokenizer(WORDS)
    folder = save(home / "snapshots" / COMMIT, tiny("llama", tokenizer), tokenizer, shard="20KB")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    return folder


def first_shard(folder: Path) -> Path:
    return min(folder.glob("model-*.safetensors"))


def refused(said: str, **load: Any) -> str:
    """What both ways of reading say, weights alone and the whole model, in one line each."""
    words: list[str] = []
    for read in (
        lambda: measure(NAME, PAIRS, seed=0, options=OPTIONS, load=LoadOptions(**load)),
        lambda: load_model(NAME, LoadOptions(**load)),
    ):
        with pytest.raises(InputError, match=said) as caught:
            read()
        words.append(str(caught.value))
        assert "\n" not in words[-1]
        assert words[-1].startswith(("model org/model", "tokenizer of model org/model"))
    return words[0]


def test_the_cache_is_read_as_a_folder_is_and_the_commit_is_recorded(snapshot: Path) -> None:
    of_hub = measure(NAME, PAIRS, seed=0, options=OPTIONS)
    of_folder = measure(snapshot, PAIRS, seed=0, options=OPTIONS)
    assert list(map(repr, of_hub.rows)) == list(map(repr, of_folder.rows))
    assert of_hub.summary["model"]["revision"] == COMMIT
    assert of_hub.summary["table"]["read_from"] == "shards"
    whole = load_model(NAME)
    assert whole.revision == COMMIT
    assert torch.equal(whole.model.lm_head.weight, load_model(snapshot).model.lm_head.weight)
    assert locate(NAME, LoadOptions(revision=COMMIT)).revision == COMMIT


def test_a_revision_that_is_not_at_hand_is_named_with_the_way_to_fetch_it(snapshot: Path) -> None:
    said = refused("at revision v1.0: not found", revision="v1.0")
    assert "`hf download org/model --revision v1.0`" in said
    assert "HF_HUB_OFFLINE is set" in said


INDICES: list[Any] = [
    {"weight_map": ["a"]},
    {"weight_map": {}},
    {"metadata": {}},
    {"weight_map": {"lm_head.weight": 3}},
    {"weight_map": {"lm_head.weight": "../other/model.safetensors"}},
    {"weight_map": {"lm_head.weight": "/etc/passwd"}},
    [],
]


@pytest.mark.parametrize("index", INDICES, ids=[str(number) for number in range(len(INDICES))])
@pytest.mark.parametrize("cached", [True, False])
def test_a_damaged_index_is_refused(index: Any, cached: bool, snapshot: Path, tmp_path: Path) -> None:
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    if cached:
        refused("model.safetensors.index.json is damaged")
        return
    shutil.copytree(snapshot, tmp_path / "m")
    with pytest.raises(InputError, match=r"index\.json is damaged"):
        measure(tmp_path / "m", PAIRS, seed=0, options=OPTIONS)


def test_a_shard_that_is_cut_short_is_refused_though_its_head_is_whole(snapshot: Path) -> None:
    shard = first_shard(snapshot)
    shard.write_bytes(shard.read_bytes()[:-8])
    refused(f"{shard.name} is cut short")
    shard.write_bytes(b"")
    refused(f"{shard.name} has a damaged head")


def test_a_shard_that_was_not_fetched_is_missed_by_the_whole_model_alone(snapshot: Path) -> None:
    """Only the head's shard is needed for words (R6)."""
    before = measure(NAME, PAIRS, seed=0, options=OPTIONS)
    first_shard(snapshot).unlink()
    assert list(map(repr, measure(NAME, PAIRS, seed=0, options=OPTIONS).rows)) == list(map(repr, before.rows))
    with pytest.raises(InputError, match=r"model-00001-of-.*safetensors"):
        load_model(NAME)
    index = json.loads((snapshot / "model.safetensors.index.json").read_text())["weight_map"]
    (snapshot / index["lm_head.weight"]).unlink(missing_ok=True)
    with pytest.raises(InputError, match="neither in the local cache nor within reach"):
        measure(NAME, PAIRS, seed=0, options=OPTIONS)


def test_a_single_file_goes_before_an_index_in_both_ways_of_reading(snapshot: Path, tmp_path: Path) -> None:
    tokenizer = word_tokenizer(WORDS)
    other = save(tmp_path / "other", tiny("llama", tokenizer, seed=5), tokenizer)
    shutil.copy(other / "model.safetensors", snapshot)
    words = measure(NAME, PAIRS, seed=0, options=OPTIONS)
    whole = measure((load_model(NAME).model, tokenizer), PAIRS, seed=0, options=OPTIONS)
    assert list(map(repr, words.rows)) == list(map(repr, whole.rows))
    alone = measure(other, PAIRS, seed=0, options=OPTIONS)
    assert list(map(repr, words.rows)) == list(map(repr, alone.rows))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_pickled_weights_in_the_cache_are_refused_as_in_a_folder(name: str, snapshot: Path) -> None:
    for path in snapshot.glob("*.safetensors*"):
        path.unlink()
    (snapshot / name).write_bytes(b"{}")
    refused("its weights are pickled")
    (snapshot / name).unlink()
    refused("model.safetensors is neither in the local cache nor within reach")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("config.json", '{"model_type": ', "cannot be loaded"), ("tokenizer.json", "{", "cannot be loaded")],
)
def test_what_is_cached_and_damaged_is_not_said_to_be_missing(
    name: str, text: str, said: str, snapshot: Path
) -> None:
    (snapshot / name).write_text(text)
    assert "hf download" not in refused(said)


# --- code that comes with a model ---

OWN_CONFIG = """
from transformers import LlamaConfig

class OwnConfig(LlamaConfig):
    model_type = "ownllama"
"""
OWN_MODEL = """
from pathlib import Path
from transformers import LlamaForCausalLM
from .configuration_own import OwnConfig

Path({marker!r}).write_text("ran")

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


def own(folder: Path, **changed: Any) -> tuple[Path, Path]:
    """A LLaMA under a name of its own, and the file that its code writes when it runs."""
    tokenizer = word_tokenizer(WORDS)
    save(folder, tiny("llama", tokenizer), tokenizer)
    marker = folder.parent / f"{folder.name}-ran"
    (folder / "configuration_own.py").write_text(OWN_CONFIG)
    (folder / "modeling_own.py").write_text(OWN_MODEL.format(marker=str(marker)))
    config = json.loads((folder / "config.json").read_text())
    maps = {
        "AutoConfig": "configuration_own.OwnConfig",
        "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
    }
    config |= {"model_type": "ownllama", "architectures": ["OwnForCausalLM"], "auto_map": maps} | changed
    (folder / "config.json").write_text(json.dumps(config))
    return folder, marker


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library copies such code to, and nothing of it imported."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "transformers_modules"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.mark.usefixtures("modules")
def test_code_of_a_models_own_runs_where_it_is_trusted_alone(tmp_path: Path) -> None:
    folder, marker = own(tmp_path / "trusted")
    for read in (lambda: measure(folder, PAIRS, seed=0, options=OPTIONS), lambda: load_model(folder)):
        with pytest.raises(InputError, match="--trust-remote-code") as caught:
            read()
        assert "\n" not in str(caught.value)
    assert not marker.exists()
    trusting = LoadOptions(trust_remote_code=True)
    words = measure(folder, PAIRS, seed=0, options=OPTIONS, load=trusting)
    assert marker.exists()
    whole = load_model(folder, trusting)
    assert type(whole.model).__name__ == "OwnForCausalLM"
    both = measure(whole, PAIRS, seed=0, options=OPTIONS)
    assert list(map(repr, words.rows)) == list(map(repr, both.rows))


@pytest.mark.usefixtures("modules")
def test_a_class_of_its_own_over_a_known_type_is_not_read_as_the_librarys(tmp_path: Path) -> None:
    own_class = {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    folder, marker = own(tmp_path / "known", model_type="llama", auto_map=own_class)
    with pytest.raises(InputError, match="its class OwnForCausalLM is code that comes with the model"):
        measure(folder, PAIRS, seed=0, options=OPTIONS)
    assert not marker.exists()
    # A class that the library has is read as the library's, whatever code lies beside it.
    folder, marker = own(
        tmp_path / "both", model_type="llama", auto_map=own_class, architectures=["LlamaForCausalLM"]
    )
    assert type(load_model(folder).model).__name__ == "LlamaForCausalLM"
    assert not marker.exists()


BROKEN = {
    "missing": ({}, None),
    "syntax": ({}, "def (:\n"),
    "package": ({}, "import nopackage_here\n"),
    "nothing": (
        {
            "auto_map": {
                "AutoConfig": "configuration_own.OwnConfig",
                "AutoModelForCausalLM": "modeling_own.No",
            }
        },
        "",
    ),
    "classifier": (
        {
            "auto_map": {
                "AutoConfig": "configuration_own.OwnConfig",
                "AutoModelForSequenceClassification": "modeling_own.OwnForCausalLM",
            }
        },
        "",
    ),
    "raises": ({}, "raise RuntimeError('two\\nlines')\n"),
}


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("name", BROKEN)
def test_code_that_cannot_be_used_is_one_line(name: str, tmp_path: Path) -> None:
    changed, code = BROKEN[name]
    folder, _ = own(tmp_path / name, **changed)
    if code is None:
        (folder / "modeling_own.py").unlink()
    elif code:
        (folder / "modeling_own.py").write_text(code)
    for read in (
        lambda: measure(folder, PAIRS, seed=0, options=OPTIONS, load=LoadOptions(trust_remote_code=True)),
        lambda: load_model(folder, LoadOptions(trust_remote_code=True)),
    ):
        with pytest.raises(InputError) as caught:
            read()
        assert "\n" not in str(caught.value)
        assert str(folder) in str(caught.value)
