"""Finding a model without loading it: its configuration, its kind and its files, by folder or by Hub id.

Only safetensors are read: pickle runs code. Every way a source can fail is one line that says what was tried.
"""

import importlib
import importlib.util
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from linrep.errors import InputError

Kind = Literal["causal", "masked", "encoder"]
NEEDED = ("transformers", "tokenizers", "huggingface_hub")
PACKAGES = {
    "bitsandbytes": "bitsandbytes",
    "gptq": "optimum gptqmodel",
    "awq": "gptqmodel",
    "compressed": "compressed-tensors",
    "torchao": "torchao",
    "quanto": "optimum-quanto",
    "hqq": "hqq",
    "gguf": "gguf",
    "sentencepiece": "sentencepiece protobuf",
    "tiktoken": "tiktoken",
    "protobuf": "protobuf",
    "timm": "timm",
    "peft": "peft",
}
"""What a word in a library's complaint calls for."""
CONFIG, ADAPTER = "config.json", "adapter_config.json"
OUT_OF_REACH = ("couldn't connect", "couldn't find", "can't load", "not a local folder", "gated", "offline")
"""In what the library says of a model that is not there, or may not be read."""
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
UNTRUSTED = (
    "is code that comes with the model, which runs only where its owner is trusted: read it, then give "
    "--trust-remote-code (trust_remote_code=True)"
)
PICKLES = ("*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What passes through to the library (R9).

    `device` is never guessed: "mps" must be asked for, since it is known to give silently wrong results.

    Example:
        >>> LoadOptions().trust_remote_code
        False
    """

    device: str = "cpu"
    dtype: str = "auto"
    device_map: str | dict[str, Any] | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    token: str | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model that was found, but not loaded: its configuration and how to reach its files."""

    name: str
    folder: Path | None
    revision: str | None
    config: Any
    options: LoadOptions
    adapter: Path | None = None
    """The folder of an adapter that is laid over it."""

    @property
    def location(self) -> str:
        """What the library's own loaders take."""
        return str(self.folder) if self.folder is not None else self.name

    def at_hand(self, filename: str) -> Path | None:
        """The local path of one file of the model if it lies in its folder or in the Hub's cache; nothing is
        fetched.
        """
        if self.folder is not None:
            path = self.folder / filename
            return path if path.is_file() else None
        return cached(self.name, filename, self.revision)

    def file(self, filename: str) -> Path | None:
        """The local path of one file of the model, fetched from the Hub when need be; None if it has no such
        file.
        """
        if self.folder is not None:
            return self.at_hand(filename)
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        try:
            return Path(_download(self.name, filename, self.options))
        except LocalEntryNotFoundError as error:
            if _offline():
                return None
            raise InputError(
                f"model {self.name}: {filename} could not be fetched: {first_line(error)}"
            ) from None
        except EntryNotFoundError:
            return None


def locate(name: str | Path, options: LoadOptions | None = None) -> Source:
    """Find a model by local folder or Hub id and read its configuration, without its weights.

    Args:
        name: A folder holding `config.json`, or a Hub id such as `openai-community/gpt2`.
        options: What passes through to the library.

    Returns:
        The source; `revision` is the commit of the Hub's snapshot when there is one.

    Raises:
        InputError: If the folder holds no model, or the Hub's model is missing, gated or not at hand offline.
    """
    require_packages()
    options = options or LoadOptions()
    path = Path(name)
    if is_adapter(path) and importlib.util.find_spec("peft") is not None:
        return replace(locate(adapter_base(path), options), name=path.name, adapter=path)
    if path.exists():
        _require_folder(path)
        config = library(name, lambda auto: auto.AutoConfig.from_pretrained(path, **trust(options)))
        return Source(name=path.name, folder=path, revision=None, config=config, options=options)
    text = str(name)
    if text.count("/") > 1 or text.startswith((".", "/", "~")):
        raise InputError(f"model {text}: no such folder, and not a Hub id of the form owner/name")
    config = library(
        text,
        lambda auto: auto.AutoConfig.from_pretrained(
            text, revision=options.revision, token=options.token, **trust(options)
        ),
        revision=options.revision,
    )
    snapshot = cached(text, CONFIG, options.revision)
    commit = options.revision if snapshot is None else snapshot.parent.name
    return Source(name=text, folder=None, revision=commit, config=config, options=options)


def cached(name: str, filename: str, revision: str | None) -> Path | None:
    """Where the Hub's cache holds a file, in the snapshot of a commit; None if it does not."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, filename, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _require_folder(path: Path) -> None:
    """Raise unless a path is a folder with a configuration, saying what else it is."""
    name = path
    gguf = [path] if path.suffix == ".gguf" else sorted(path.glob("*.gguf"))
    if gguf and not (path / "config.json").is_file():
        raise InputError(
            f"model {name}: {gguf[0].name} is a GGUF file, whose weights are packed; unpack it with "
            f"AutoModelForCausalLM.from_pretrained(folder, gguf_file={gguf[0].name!r}).save_pretrained(new), "
            "the same with AutoTokenizer (pip install gguf), and give the new folder"
        )
    if not path.is_dir():
        raise InputError(
            f"model {name}: expected a folder or a Hub id, got a file; give the folder that holds it"
        )
    if (path / "config.json").is_file():
        return
    if is_adapter(path):
        base = adapter_base(path)
        raise InputError(
            f"model {name}: is an adapter of {base}, and needs a package that is not here: pip install peft"
        )
    raise InputError(
        f"model {name}: expected a model folder with config.json, found none; "
        "save one with model.save_pretrained(folder) and tokenizer.save_pretrained(folder)"
    )


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and no model."""
    return (folder / ADAPTER).is_file() and not (folder / "config.json").is_file()


def adapter_base(folder: Path) -> str:
    """The model that an adapter belongs to, by its own word."""
    with suppress(ValueError, AttributeError, OSError):
        return str(json.loads((folder / ADAPTER).read_text()).get("base_model_name_or_path") or "a model")
    return "a model"


def locate_tokenizer(name: str | Path, options: LoadOptions | None = None) -> Source:
    """Find a tokenizer: that of a model, or a folder that holds one alone."""
    path = Path(name)
    if path.is_dir() and not (path / "config.json").is_file() and any(path.glob("tokenizer*")):
        return Source(
            name=path.name, folder=path, revision=None, config=None, options=options or LoadOptions()
        )
    return locate(name, options)


def refuse_pickle(source: Source) -> None:
    """Raise unless a folder's weights are safetensors, offline a snapshot's too; from the Hub nothing else is
    ever asked for.
    """
    folder = source.folder
    if folder is None:
        if _offline() and (config := source.at_hand(CONFIG)) is not None:
            folder = config.parent
        else:
            return
    if any((folder / name).is_file() for name in (SINGLE, INDEX)):
        return
    if any(True for pattern in PICKLES for _ in folder.glob(pattern)):
        raise InputError(
            f"model {source.name}: its weights are pickled, which can run code, and are refused; "
            "convert them with model.save_pretrained(folder, safe_serialization=True)"
        )
    if source.folder is None:
        return  # told of where they are looked for
    raise InputError(
        f"model {source.name}: no model.safetensors and no index in the folder; save the weights there"
    )


def estimate_bytes(source: Source) -> int | None:
    """Bytes of weights on disk, read from the index or the file's size; None when that is not known before
    loading.
    """
    single = source.at_hand(SINGLE)
    if single is not None:
        return single.stat().st_size
    index = source.file(INDEX)
    if index is None:
        return None
    with suppress(ValueError, TypeError, AttributeError):
        return int(json.loads(index.read_text()).get("metadata", {}).get("total_size", 0)) or None
    return None


def require_packages() -> None:
    """Raise in one line where what reads language models is not installed.

    Raises:
        InputError: A package is missing.
    """
    try:
        for name in NEEDED:
            importlib.import_module(name)
    except ImportError:
        raise InputError('language models need more packages: pip install "linrep[lm]"') from None


def library(
    name: str | Path, call: Callable[[Any], Any], *, what: str = "model", revision: str | None = None
) -> Any:
    """Run one of transformers' loaders; every way the source can fail becomes one line."""
    require_packages()
    import transformers
    from huggingface_hub.utils import logging as hub_logging

    # The Hub's client tells of every retry; the user is told once, below, if all of them fail.
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    try:
        return call(transformers)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{what} {name}: needs a package that is not installed: {_needed(error)}") from None
    except Exception as error:  # a library this wide has no list of what it raises
        raise InputError(f"{what} {_failed(str(name), revision, error)}") from None
    finally:
        hub_logging.set_verbosity(verbosity)


def _failed(name: str, revision: str | None, error: Exception) -> str:
    """Why the library did not load a model, in one line."""
    reason = first_line(error)
    if "trust_remote_code" in str(error):
        return f"{name}: its class {UNTRUSTED}"
    if Path(name).exists():
        return f"{name}: the folder cannot be loaded: {reason}"
    at = f" at revision {revision}" if revision else ""
    if not isinstance(error, OSError) or not any(words in str(error).lower() for words in OUT_OF_REACH):
        return f"{name}{at}: what was fetched cannot be loaded: {reason}"
    tried = "the local cache only (HF_HUB_OFFLINE is set)" if _offline() else "the local cache and the Hub"
    fetch = f"hf download {name}" + (f" --revision {revision}" if revision else "")
    return (
        f"{name}{at}: not found, gated or out of reach; tried {tried}; fetch it with `{fetch}` (gated: "
        f"accept its licence and set HF_TOKEN first); the library said: {reason}"
    )


def _needed(error: ImportError) -> str:
    """What to install, by the library's own words, or by the package whose name stands in them."""
    words = " ".join(str(error).split())
    named = next((each for each in PACKAGES if each in words.lower()), error.name)
    install = f"pip install {PACKAGES.get(named, named)}; " if named else ""
    return f"{install}the library said: {words[:120]}"


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _download(name: str, filename: str, options: LoadOptions) -> str:
    from huggingface_hub import hf_hub_download

    return hf_hub_download(name, filename, revision=options.revision, token=options.token)


def trust(options: LoadOptions) -> dict[str, bool]:
    """Whether code that comes with a model may run: not unless asked for."""
    return {"trust_remote_code": options.trust_remote_code}


def first_line(error: BaseException) -> str:
    """What a library's error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
