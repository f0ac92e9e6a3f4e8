"""From a Hub id, a local folder or a loaded pair to one record: the model, its tokenizer and what they
are.
"""

import hashlib
import importlib.util
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from linrep.errors import InputError
from linrep.llm.accounting import NOT_READ, Account, account, brief
from linrep.llm.adapter import merged
from linrep.llm.architecture import Architecture, architecture, kind_of_model, require_next_word
from linrep.llm.checkpoint import stored_tensors
from linrep.llm.source import (
    PACKAGES,
    Kind,
    LoadOptions,
    Source,
    estimate_bytes,
    library,
    locate,
    locate_tokenizer,
    refuse_pickle,
    trust,
)

log = logging.getLogger("linrep.llm")
PIECES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
"""What a tokenizer is called that is one file of pieces of words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A model ready to be measured, and where it came from."""

    model: Any
    tokenizer: Any
    name: str
    revision: str | None
    kind: Kind
    notes: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where token ids go: the device of the input table (also under a device map)."""
        return self.model.get_input_embeddings().weight.device


def load_tokenizer(source: Source) -> Any:
    """The model's tokenizer; an InputError if the folder holds none."""
    options = source.options
    if source.adapter is not None and any(source.adapter.glob("tokenizer*")):
        return load_tokenizer(locate_tokenizer(source.adapter, options))
    _require_packages(source)
    tokenizer = library(
        source.location,
        lambda auto: auto.AutoTokenizer.from_pretrained(
            source.location, revision=options.revision, token=options.token, **trust(options)
        ),
        what="tokenizer of model",
        revision=options.revision,
    )
    if len(tokenizer.get_vocab()) == 0:
        raise InputError(
            f"model {source.name}: its tokenizer is empty; save one with tokenizer.save_pretrained(folder)"
        )
    return tokenizer


def _require_packages(source: Source) -> None:
    """Say what a tokenizer's file needs, before the library guesses at another format."""
    model = next((file for name in PIECES if (file := source.file(name)) is not None), None)
    if model is None or source.file("tokenizer.json") is not None:
        return
    with model.open("rb") as file:
        # A protobuf message begins with a tag; the other format with that name is lines of base64.
        package = "sentencepiece" if file.read(1) == b"\n" else "tiktoken"
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"model {source.name}: its tokenizer is a {package} file alone ({model.name}), which needs a "
            f"package: pip install {PACKAGES[package]}; or give a folder with tokenizer.json"
        )


def load_model(source: str | Path | Source, options: LoadOptions | None = None) -> LanguageModel:
    """Load a model in full, from safetensors only.

    Naively: `AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)`, after which
    pickled weights have run, NaN weights spread, a quantised head is read as if it were numbers, and what the
    checkpoint lacks has been made at random.

    Args:
        source: A Hub id, a folder, or what :func:`locate` found.
        options: What passes through to the library.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: If it cannot be found, is pickled, lacks a tensor (it is named), holds NaN or infinite
            weights, has a quantised head, or its states predict no next word.
    """
    if not isinstance(source, Source):
        source = locate(source, options)
    options = source.options
    refuse_pickle(source)
    require_next_word(source.name, source.config)
    laid_out = architecture(source)
    notes = account_of(source, laid_out, laid_out.empty()).notes()
    tokenizer = load_tokenizer(source)
    log.info("loading %s: about %s", source.name, _size(estimate_bytes(source)))
    model, told = library(
        source.location,
        lambda _: laid_out.library_class.from_pretrained(
            source.location,
            revision=options.revision,
            token=options.token,
            dtype=_dtype(options.dtype),
            device_map=options.device_map,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told of below, with their names
            **trust(options),
        ),
        revision=options.revision,
    )
    _require_read(source, laid_out, told)
    if source.adapter is not None:
        model = merged(model, source.adapter)
    if options.device_map is None:
        model = model.to(options.device)
    return wrap(model, tokenizer, name=source.name, revision=source.revision, notes=notes)


def account_of(source: Source, laid_out: Architecture, model: Any) -> Account:
    """What the checkpoint holds against what its class needs; an InputError names what it lacks."""
    found = account(
        model,
        stored_tensors(source),
        quantised=_unpacked(source.config),
        headless=laid_out.kind == "encoder",
    )
    found.require_whole(source.name, type(model).__name__)
    return found


def _unpacked(config: Any) -> bool:
    """Whether the library knows the way in which the configuration says that weights are packed."""
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

    told = getattr(config, "quantization_config", None)
    if told is None:
        return False
    method = str(told.get("quant_method") if isinstance(told, dict) else getattr(told, "quant_method", ""))
    method = method.rpartition(".")[2].lower()
    return any(known.startswith(method) for known in AUTO_QUANTIZER_MAPPING)


def _require_read(source: Source, laid_out: Architecture, told: dict[str, Any]) -> None:
    """The library's own account of what it loaded: a second opinion, in the same words."""
    headless = laid_out.kind == "encoder"
    Account(
        stored={},
        converted=frozenset(),
        missing=tuple(sorted(n for n in told["missing_keys"] if not (headless and NOT_READ.search(n)))),
        mismatched=tuple(
            sorted(
                f"{n} as {list(there)} where {list(here)} is needed"
                for n, there, here in told["mismatched_keys"]
            )
        ),
        packed=(),
        unused=tuple(sorted(told["unexpected_keys"])),
    ).require_whole(source.name, laid_out.name)


def wrap(
    model: Any,
    tokenizer: Any,
    *,
    name: str | None = None,
    revision: str | None = None,
    notes: Sequence[str] = (),
) -> LanguageModel:
    """An already loaded pair as a :class:`LanguageModel`, checked for NaN weights and a quantised head.

    Args:
        model: A transformers model, with or without a language-modelling head.
        tokenizer: Its tokenizer.
        name: What to call it; by default its configuration's name or its class.
        revision: The commit it came from, if known.
        notes: What is known of its checkpoint.

    Returns:
        The pair, in evaluation mode.

    Raises:
        InputError: If a weight is NaN or infinite, the head is quantised, or its states predict no next word.
    """
    model.eval()
    require_next_word(name or type(model).__name__, model.config)
    first_bad = next((n for n, p in model.named_parameters() if not _finite(p)), None)
    if first_bad is not None:
        raise InputError(
            f"model {name or ''}: tensor {first_bad} holds NaN or infinite values; fetch it again"
        )
    head = model.get_output_embeddings()
    for note in (anew := _made_anew(model)):
        log.warning("%s", note)
    notes = [*notes, *anew]
    if head is not None and not head.weight.is_floating_point():
        raise InputError(
            f"model {name or ''}: its head is quantised ({head.weight.dtype}); give a "
            "checkpoint whose head is not (its name in llm_int8_skip_modules)"
        )
    if getattr(model.config, "quantization_config", None) is not None and head is not None:
        notes.append(f"the model is quantised; its head is not ({head.weight.dtype})")
    if head is None:
        notes.append("the model has no head: its input table is measured")
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        name=name or getattr(model.config, "_name_or_path", "") or type(model).__name__,
        revision=revision or getattr(model.config, "_commit_hash", None),
        kind=kind_of_model(model),
        notes=tuple(notes),
    )


def is_tied(head: Any, inputs: Any) -> bool:
    """Whether two modules of a loaded model hold one and the same table."""
    first, second = head.weight, inputs.weight
    if first is second:
        return True
    return first.device.type != "meta" and first.data_ptr() == second.data_ptr() != 0


def fingerprint(lm: LanguageModel) -> str:
    """A hash of the weights and of what reads text into them: states cached under one are never used for
    another.
    """
    digest = hashlib.sha256(f"{lm.name}|{lm.revision}|{type(lm.model).__name__}".encode())
    digest.update(json.dumps(lm.model.config.to_dict(), sort_keys=True, default=str).encode())
    digest.update(json.dumps(sorted(lm.tokenizer.get_vocab().items())).encode())
    for name, parameter in lm.model.named_parameters():
        if parameter.device.type == "meta" or not parameter.is_floating_point():
            continue
        flat = parameter.detach().reshape(-1)
        sample = torch.cat(
            [flat[:64].double(), flat.sum(dtype=torch.float64)[None], flat.norm()[None].double()]
        )
        digest.update(name.encode() + sample.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _made_anew(model: Any) -> tuple[str, ...]:
    """Weights of a model in memory that its loading made at random: the library marks those it has read."""
    read = {n: getattr(p, "_is_hf_initialized", False) for n, p in model.named_parameters()}
    anew = [name for name, was_read in read.items() if not was_read]
    if not anew or len(anew) == len(read):
        return ()
    where = getattr(model.config, "_name_or_path", "")
    return (
        f"{brief(anew)} did not come from the checkpoint {where} but was made when it was loaded: unless you "
        "have trained it since, what is measured of it is random",
    )


def _dtype(name: str) -> Any:
    if name == "auto":
        return "auto"
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise InputError(f"dtype: expected auto, float32, float16, bfloat16 or float64, got {name!r}")
    return dtype


def _finite(parameter: nn.Parameter) -> bool:
    if parameter.device.type == "meta" or not parameter.is_floating_point():
        return True
    return all(bool(torch.isfinite(part).all()) for part in parameter.detach().reshape(-1).split(1 << 24))


def _size(count: int | None) -> str:
    return "an unknown number of bytes" if count is None else f"{count / 1e9:.2f} GB of weights"
