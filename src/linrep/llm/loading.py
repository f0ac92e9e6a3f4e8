"""From a Hub id, a local folder or a loaded pair to one record: the model, its tokenizer and what they
are.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from linrep.errors import InputError
from linrep.llm.source import (
    AUTO_CLASS,
    Kind,
    LoadOptions,
    Source,
    estimate_bytes,
    kind_of_config,
    library,
    locate,
    refuse_pickle,
    trust,
)

log = logging.getLogger("linrep.llm")


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
    tokenizer = library(
        source.location,
        lambda auto: auto.AutoTokenizer.from_pretrained(
            source.location, revision=options.revision, token=options.token, **trust(options)
        ),
        what="tokenizer of model",
    )
    if len(tokenizer.get_vocab()) == 0:
        raise InputError(
            f"model {source.name}: its tokenizer is empty; save one with tokenizer.save_pretrained(folder)"
        )
    return tokenizer


def load_model(source: str | Path | Source, options: LoadOptions | None = None) -> LanguageModel:
    """Load a model in full, from safetensors only.

    Naively: `AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)`, after which
    pickled weights have run, NaN weights spread and a quantised head is read as if it were numbers.

    Args:
        source: A Hub id, a folder, or what :func:`locate` found.
        options: What passes through to the library.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: If it cannot be found, is pickled, holds NaN or infinite weights (the tensor is named) or
            has a quantised head.
    """
    if not isinstance(source, Source):
        source = locate(source, options)
    options = source.options
    refuse_pickle(source)
    kind = kind_of_config(source)
    tokenizer = load_tokenizer(source)
    log.info("loading %s: about %s", source.name, _size(estimate_bytes(source)))
    class_name = AUTO_CLASS[kind]
    model = library(
        source.location,
        lambda auto: getattr(auto, class_name).from_pretrained(
            source.location,
            revision=options.revision,
            token=options.token,
            dtype=_dtype(options.dtype),
            device_map=options.device_map,
            use_safetensors=True,
            **trust(options),
        ),
    )
    if options.device_map is None:
        model = model.to(options.device)
    return wrap(model, tokenizer, name=source.name, revision=source.revision)


def wrap(
    model: Any, tokenizer: Any, *, name: str | None = None, revision: str | None = None
) -> LanguageModel:
    """An already loaded pair as a :class:`LanguageModel`, checked for NaN weights and a quantised head.

    Args:
        model: A transformers model, with or without a language-modelling head.
        tokenizer: Its tokenizer.
        name: What to call it; by default its configuration's name or its class.
        revision: The commit it came from, if known.

    Returns:
        The pair, in evaluation mode.

    Raises:
        InputError: If a weight is NaN or infinite, or the head is quantised.
    """
    model.eval()
    first_bad = next((n for n, p in model.named_parameters() if not _finite(p)), None)
    if first_bad is not None:
        raise InputError(
            f"model {name or ''}: tensor {first_bad} holds NaN or infinite values; fetch it again"
        )
    head = model.get_output_embeddings()
    notes: list[str] = []
    if head is not None and not head.weight.is_floating_point():
        raise InputError(
            f"model {name or ''}: its head is quantised ({head.weight.dtype}); load it dequantised, for "
            "example with quantization_config=None or the head in llm_int8_skip_modules"
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
        kind="encoder" if head is None else "masked" if "MaskedLM" in type(model).__name__ else "causal",
        notes=tuple(notes),
    )


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
