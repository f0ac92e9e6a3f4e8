"""The stack of blocks whose residual stream is read: inside the text decoder, and held against the library's
own hidden states before anything is measured at a layer.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn

from linrep.errors import InputError


def blocks(model: Any) -> nn.ModuleList:
    """The language part's stack of layers.

    It is looked for from the input table outwards: a vision tower of as many layers is never taken for it.

    Args:
        model: A transformers model.

    Returns:
        As many modules as the configuration of the language part has layers.

    Raises:
        InputError: If there is none.
    """
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    wanted = getattr(config, "num_hidden_layers", None)
    for part in _outwards(model):
        for each in part.modules():
            if isinstance(each, nn.ModuleList) and len(each) == wanted:
                return each
    raise InputError(f"layer: no stack of {wanted} layers found in {type(model).__name__}; leave layer unset")


def _outwards(model: Any) -> Iterator[nn.Module]:
    """The modules around the input table, smallest first, up to the whole model."""
    table = model.get_input_embeddings()
    path = next((name for name, each in model.named_modules() if each is table), "")
    while path:
        path = path.rpartition(".")[0]
        yield model.get_submodule(path)
    if not path:
        yield model
