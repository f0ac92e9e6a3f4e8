"""An adapter laid over its model, by peft, and merged into it: from then on it is a model as any other."""

import warnings
from pathlib import Path
from typing import Any

from linrep.errors import InputError
from linrep.llm.source import library

WEIGHTS = "adapter_model.safetensors"


def merged(model: Any, folder: Path) -> Any:
    """A model with an adapter's changes in its weights.

    Naively: `PeftModel.from_pretrained(model, folder)`, which leaves the model as it was, with a warning,
    where the adapter's weights have other names.

    Args:
        model: The adapter's model, whole.
        folder: A folder with `adapter_config.json` and `adapter_model.safetensors`.

    Returns:
        The model, changed.

    Raises:
        InputError: If the adapter is pickled, does not fit, or lacks a tensor.
    """
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"model {folder}: expected {WEIGHTS} in the adapter's folder; pickled ones are refused"
        )

    def lay(_: Any) -> Any:
        from peft import PeftModel

        return PeftModel.from_pretrained(model, str(folder))

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        both = library(folder, lay, what="adapter")
    said = [" ".join(str(each.message).split()) for each in told]
    lacking = next((words for words in said if "missing adapter keys" in words), None)
    if lacking is not None:
        names = lacking.rpartition(":")[2].strip(" .")
        raise InputError(
            f"model {folder}: the adapter lacks weights that its configuration names ({names[:160]}), and "
            "would change nothing there; save it again with model.save_pretrained(folder)"
        )
    return both.merge_and_unload()
