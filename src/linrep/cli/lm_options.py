"""Options that the commands on language models share, and what becomes of them."""

import contextlib
import logging
import math
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linrep.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from linrep.llm import LoadOptions, TokenPolicy
    from linrep.llm.source import Source

InnerChoice = Literal["euclid", "causal", "random"]
SpaceChoice = Literal["auto", "prefix", "none"]
ManyChoice = Literal["drop", "first", "mean"]

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A Hub id, or a folder with config.json.")]
Pairs = Annotated[
    str, typer.Option("--pairs", metavar="DIR|builtin", help="Word pairs: built in, a folder or a file.")
]
Contexts = Annotated[
    str | None,
    typer.Option("--contexts", metavar="FILE|builtin", help="Paired contexts; the model is then run."),
]
Inner = Annotated[InnerChoice, typer.Option("--inner", help="Inner product of the numbers.")]

Space = Annotated[SpaceChoice, typer.Option("--leading-space", help="auto: what keeps the most pairs.")]
Many = Annotated[ManyChoice, typer.Option("--multi-token", help="What becomes of words of several tokens.")]
Fewest = Annotated[int, typer.Option("--minimum-pairs", min=2, help="Concepts with fewer are dropped.")]

Device = Annotated[str, typer.Option("--device", help="cpu, cuda, …; never guessed.")]
Dtype = Annotated[str, typer.Option("--dtype", help="auto, float32, float16, bfloat16 or float64.")]
DeviceMap = Annotated[
    str | None, typer.Option("--device-map", help="Spread the model over devices (accelerate).")
]
Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit on the Hub.")]
Token = Annotated[str | None, typer.Option("--token", help="Of the Hub, for gated models; else HF_TOKEN.")]
Trust = Annotated[bool, typer.Option("--trust-remote-code", help="Let code that comes with a model run.")]


def policy(space: SpaceChoice, many: ManyChoice, fewest: int) -> "TokenPolicy":
    """How words become tokens."""
    from linrep.llm import TokenPolicy

    return TokenPolicy(leading_space=space, multi_token=many, minimum_pairs=fewest)


def load_options(
    device: str, dtype: str, device_map: str | None, revision: str | None, token: str | None, trust: bool
) -> "LoadOptions":
    """What passes through to the library; a device that is not there is refused before anything is read."""
    import torch

    from linrep.llm import LoadOptions

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or ["not available"])[0].rstrip(".")
        raise InputError(f"--device: {device!r} cannot be used here ({reason}); try cpu") from None
    return LoadOptions(
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        token=token,
        trust_remote_code=trust,
    )


def require_folder(out: "Path") -> None:
    """Say at once that the folder cannot be made; it is made when there is something to write into it."""
    from linrep.files import one_line_errors

    with one_line_errors(out):
        absent = [each for each in (out, *out.parents) if not each.exists()]
        out.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # another command may have put something there meanwhile
        for each in absent:
            each.rmdir()


def numbers(text: str, option: str) -> list[float]:
    """Numbers separated by commas.

    Example:
        >>> numbers("-4,2", "--strength")
        [-4.0, 2.0]
    """
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found or not all(map(math.isfinite, found)):
        raise InputError(f"{option}: expected numbers separated by commas, such as -4,-2,2,4, got {text!r}")
    return found


def size(count: int | None) -> str:
    """Bytes for a reader.

    Example:
        >>> size(262_144_000), size(13_476_831_232), size(None)
        ('262 MB', '13.5 GB', 'an unknown number of bytes')
    """
    if count is None:
        return "an unknown number of bytes"
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.3g} MB"


def estimate(source: "Source", *, in_full: bool) -> str:
    """What is about to be read, before it is."""
    from linrep.llm.source import estimate_bytes

    weights = estimate_bytes(source)
    if in_full:
        return f"loading {source.name}: about {size(weights)} of weights"
    config = source.config.get_text_config()
    width = getattr(config, "hidden_size", None)
    rows = getattr(config, "vocab_size", None)
    if not width or not rows:
        return f"reading one table of {source.name}, out of {size(weights)}"
    half = str(getattr(config, "dtype", "")).endswith("16")
    return f"reading one table of {source.name}: about {size(rows * width * (2 if half else 4))}" + (
        f" of {size(weights)}" if weights else ""
    )


@contextlib.contextmanager
def talking(*, quiet: bool) -> Generator[Callable[[str], None], None, None]:
    """Words and warnings on stderr, or none; the library's own bars only where someone watches.

    Yields:
        A function that says one line.
    """
    from transformers.utils import logging as library

    said = logging.StreamHandler(sys.stderr)
    said.setFormatter(logging.Formatter("linrep: %(message)s"))
    log = logging.getLogger("linrep.llm")
    propagates, level, bars = log.propagate, library.get_verbosity(), library.is_progress_bar_enabled()
    log.addHandler(logging.NullHandler() if quiet else said)
    log.propagate = False
    if quiet or not sys.stderr.isatty():
        library.disable_progress_bar()
    library.set_verbosity_error()
    try:
        yield lambda words: None if quiet else typer.echo(f"linrep: {words}", err=True)
    finally:
        log.handlers.clear()
        log.propagate = propagates
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()
