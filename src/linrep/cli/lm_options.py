"""Options that the commands on language models share, and what becomes of them."""

import contextlib
import logging
import math
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from linrep.errors import InputError

if TYPE_CHECKING:
    from linrep.llm import LoadOptions, TokenPolicy

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A Hub id, or a folder with config.json.")]
InnerName = Literal["euclid", "causal", "random"]
Contexts = Annotated[
    str | None,
    typer.Option("--contexts", metavar="FILE|builtin", help="Paired contexts; the model is then run."),
]
Winograd = Annotated[
    str | None,
    typer.Option("--winograd", metavar="FILE|builtin", help="Winograd pairs; the model is then run."),
]
Layer = Annotated[
    str | None,
    typer.Option("--layer", metavar="N|all", help="Where contexts are read; what the head reads if absent."),
]
Draws = Annotated[
    int, typer.Option("--draws", min=50, metavar="N", help="Resamples, and draws of each null.")
]
BatchSize = Annotated[
    int,
    typer.Option("--batch-size", min=1, metavar="N", help="Contexts at once; halved when memory ends."),
]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Keep states here; an interrupted reading goes on.")
]
Inner = Annotated[
    InnerName,
    typer.Option("--inner", metavar="NAME", help="Inner product of the numbers: euclid, causal or random."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Which version of a model, and whether its owner is trusted."""

    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit on the Hub.")] = (
        None
    )
    token: Annotated[
        str | None, typer.Option("--token", help="Of the Hub, for gated models; else HF_TOKEN.")
    ] = None
    trust: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let code that comes with a model run.")
    ] = False

    def load_options(self) -> "LoadOptions":
        """What passes through to the library."""
        from linrep.llm import LoadOptions

        return LoadOptions(revision=self.revision, token=self.token, trust_remote_code=self.trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading(Hub):
    """And where it is loaded, in which precision."""

    device: Annotated[str, typer.Option("--device", help="cpu, cuda, …; never guessed.")] = "cpu"
    dtype: Annotated[str, typer.Option("--dtype", help="auto, float32, float16, bfloat16 or float64.")] = (
        "auto"
    )
    device_map: Annotated[
        str | None, typer.Option("--device-map", help="Spread the model over devices (accelerate).")
    ] = None

    def load_options(self) -> "LoadOptions":
        """What passes through to the library; a device that is not there is refused before all reading."""
        from dataclasses import replace

        import torch

        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = (str(error).splitlines() or ["not available"])[0].rstrip(".")
            raise InputError(f"--device: {self.device!r} cannot be used here ({reason}); try cpu") from None
        hub = Hub.load_options(self)
        return replace(hub, device=self.device, dtype=self.dtype, device_map=self.device_map)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How words become tokens."""

    space: Annotated[
        Literal["auto", "prefix", "none"],
        typer.Option(
            "--leading-space", metavar="HOW", help="auto: what keeps the most pairs; or prefix, none."
        ),
    ] = "auto"
    many: Annotated[
        Literal["drop", "first", "mean"],
        typer.Option(
            "--multi-token", metavar="HOW", help="Words of several tokens: drop, first (token) or mean."
        ),
    ] = "drop"

    def policy(self, fewest: int = 0) -> "TokenPolicy":
        """As the library takes it."""
        from linrep.llm import TokenPolicy

        return TokenPolicy(leading_space=self.space, multi_token=self.many, minimum_pairs=fewest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Tokens):
    """And which words."""

    pairs: Annotated[
        str, typer.Option("--pairs", metavar="DIR|builtin", help="Word pairs: built in, a folder or a file.")
    ] = "builtin"
    fewest: Annotated[
        int,
        typer.Option("--minimum-pairs", min=2, metavar="N", help="Concepts with fewer are dropped."),
    ] = 10

    def policy(self, fewest: int | None = None) -> "TokenPolicy":
        """As the library takes it."""
        return Tokens.policy(self, self.fewest if fewest is None else fewest)


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


@contextlib.contextmanager
def talking(*, quiet: bool, bars: bool = True) -> Generator[Callable[[str], None], None, None]:
    """Words and warnings on stderr, or none; the library's own bars only where someone watches.

    Args:
        quiet: Say nothing.
        bars: Whether the library may draw bars: two kinds of them at once cross each other.

    Yields:
        A function that says one line.
    """
    said = logging.StreamHandler(sys.stderr)
    said.setFormatter(logging.Formatter("linrep: %(message)s"))
    log = logging.getLogger("linrep.llm")
    propagates = log.propagate
    log.addHandler(logging.NullHandler() if quiet else said)
    log.propagate = False
    try:
        with _library_silent(bars=bars and not quiet and sys.stderr.isatty()):
            yield lambda words: None if quiet else typer.echo(f"linrep: {words}", err=True)
    finally:
        log.handlers.clear()
        log.propagate = propagates


@contextlib.contextmanager
def _library_silent(*, bars: bool) -> Generator[None, None, None]:
    """Transformers tell of errors alone; where it is not installed, whoever needs it says so."""
    try:
        from transformers.utils import logging as library
    except ImportError:
        yield
        return
    level, had_bars = library.get_verbosity(), library.is_progress_bar_enabled()
    if not bars:
        library.disable_progress_bar()
    library.set_verbosity_error()
    try:
        yield
    finally:
        library.set_verbosity(level)
        if had_bars:
            library.enable_progress_bar()
