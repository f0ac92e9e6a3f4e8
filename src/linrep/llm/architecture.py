"""Which of transformers' classes a checkpoint was saved from: the one that its configuration names, never one
that lays a head of another kind over its weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from linrep.errors import InputError
from linrep.llm.source import UNTRUSTED, Kind, Source, library, trust

HEADED = ("CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "MASKED_LM")
"""Tasks of the library whose models have a head over tokens."""
OWN_CODE: dict[str, Kind] = {
    "AutoModelForCausalLM": "causal",
    "AutoModelForImageTextToText": "causal",
    "AutoModelForMaskedLM": "masked",
    "AutoModel": "encoder",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """How a checkpoint is read."""

    name: str
    """The class, or the family that chooses it."""
    kind: Kind
    encoder_decoder: bool
    library_class: Any
    location: str
    _make: Callable[[], Any]

    def empty(self) -> Any:
        """The model's modules without their weights; an InputError where its own code does not make them."""
        with torch.device("meta"):
            return library(self.location, lambda _: self._make())


def architecture(source: Source) -> Architecture:
    """The class of a model that was located, from its configuration alone.

    A head that the configuration does not name is never added: a checkpoint of a classifier or a bare decoder
    is read as what it is, and :func:`linrep.llm.accounting.account` says what it lacks.

    Args:
        source: What :func:`linrep.llm.source.locate` found.

    Returns:
        The class, and how its states predict tokens.

    Raises:
        InputError: If the library is not there.
    """
    return library(source.location, lambda transformers: _architecture(transformers, source))


def _architecture(transformers: Any, source: Source) -> Architecture:
    config, options = source.config, source.options
    own_code: dict[str, str] = getattr(config, "auto_map", None) or {}
    chosen = next((name for name in OWN_CODE if name in own_code), None)
    if options.trust_remote_code and chosen is not None:
        family = getattr(transformers, chosen)
        kind = OWN_CODE[chosen]
    else:
        _refuse_own_code(transformers, source, chosen)
        family, kind = _native(transformers, config)

    def make() -> Any:
        if family.__name__.startswith("AutoModel"):
            return family.from_config(config, **trust(options))
        return family._from_config(config)

    return Architecture(
        name=family.__name__,
        kind=kind,
        encoder_decoder=is_encoder_decoder(config) and kind != "encoder",
        library_class=family,
        location=source.location,
        _make=make,
    )


def _refuse_own_code(transformers: Any, source: Source, chosen: str | None) -> None:
    """Raise where a model's class is code that comes with it: the library's class of that type is another."""
    names = _class_names(source.config)
    if chosen is not None and names and not any(hasattr(transformers, name) for name in names):
        raise InputError(f"model {source.name}: its class {names[0]} {UNTRUSTED}")


def is_encoder_decoder(config: Any) -> bool:
    """Whether the model, or its language part, reads a text and writes another."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return any(bool(getattr(each, "is_encoder_decoder", False)) for each in (config, text))


def require_next_word(name: str, config: Any) -> None:
    """Refuse to read states of a model whose states do not predict a context's next word.

    Raises:
        InputError: For an encoder-decoder, naming its kind.
    """
    if is_encoder_decoder(config):
        raise InputError(
            f"model {name}: of encoder-decoder models ({config.model_type}) only tables are read, since no "
            "state stands for a context's next word; give word pairs alone, or a decoder"
        )


def _native(transformers: Any, config: Any) -> tuple[Any, Kind]:
    """The library's own class and its kind."""
    tasks = _tasks()
    for name in _class_names(config):
        found = getattr(transformers, name, None)
        if name.endswith("ForPreTraining") and config.model_type in tasks["MASKED_LM"]:
            return getattr(transformers, tasks["MASKED_LM"][config.model_type]), "masked"
        if found is not None and any(name in task.values() for task in tasks.values()):
            return found, _kind(name, config, tasks)
        if name.endswith(("ForCausalLM", "LMHeadModel", "DoubleHeadsModel", "ForConditionalGeneration")):
            return found or transformers.AutoModelForCausalLM, "causal"
    if not _class_names(config):
        for task in ("IMAGE_TEXT_TO_TEXT", "CAUSAL_LM"):
            if config.model_type in tasks[task] and config.model_type not in tasks["MASKED_LM"]:
                return getattr(transformers, tasks[task][config.model_type]), "causal"
    return transformers.AutoModel, "encoder"


def _class_names(config: Any) -> tuple[str, ...]:
    """The classes that a configuration names; one may stand there without a list."""
    named = getattr(config, "architectures", None) or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _kind(name: str, config: Any, tasks: dict[str, dict[str, str]]) -> Kind:
    if is_encoder_decoder(config):
        return "causal"
    both = name in tasks["CAUSAL_LM"].values() and name in tasks["MASKED_LM"].values()
    masked = name in tasks["MASKED_LM"].values()
    return "masked" if masked and not (both and getattr(config, "causal", False)) else "causal"


def _tasks() -> dict[str, dict[str, str]]:
    """Task to type of model to class, as the library has it."""
    from transformers.models.auto import modeling_auto

    return {name: dict(getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES", {})) for name in HEADED}


def kind_of_model(model: Any) -> Kind:
    """What kind a model in memory is, by its class and whether it has a head."""
    if model.get_output_embeddings() is None:
        return "encoder"
    return _kind(type(model).__name__, model.config, _tasks())
