"""The command ``linrep``: words in, one clear line out when something is wrong.

Only typer and the standard library are imported here; each command imports what it needs when it runs, so
that ``linrep --help`` answers at once.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import warnings
from collections.abc import Generator
from typing import Annotated, Any, cast

import typer

from linrep import __version__
from linrep.cli import experiments, explore, gallery, lm, runs, theory, vectors
from linrep.errors import DivergedError, InputError, InputWarning, LostError, in_our_words

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

SHARED = "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
"""Whether torchrun started this process as one of several."""
FIRST = not SHARED or os.environ["RANK"] == "0"
"""Whether this process is the one that speaks: what all say is said once."""

UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""What every wrong use of a command derives from; typer names only this child of it."""

_EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)\.?")
"""What typer says of an argument where none is taken."""

app = typer.Typer(
    name="linrep",
    help="Why, when and how concepts become linear directions in language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"linrep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave."),
    ] = None,
) -> None:
    del version


for commands in (runs, experiments, gallery, explore, theory, vectors, lm):
    commands.register(app)


def main() -> None:
    """Entry point: runs the command and turns what a user can cause into one line and an exit code."""
    # A notebook hands its own to what it starts, which need not be installed here; figures are files.
    os.environ.pop("MPLBACKEND", None)
    for stream in (sys.stdout, sys.stderr):
        # A terminal of few letters gets a question mark for another; nothing is lost but its look.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Run one command line; returns the exit code (0 ok, 1 failure, 2 usage, 130 interrupted)."""
    with _warnings_in_one_line():
        return _executed(arguments)


@contextlib.contextmanager
def _warnings_in_one_line() -> Generator[None, None, None]:
    """What was mended in what the user gave is said once; other warnings are shown as ever."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        as_ever = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, InputWarning):
                as_ever(message, category, *where, **more)
            elif FIRST and str(message) not in said:
                said.add(str(message))
                typer.echo(f"linrep: {message}", err=True)

        warnings.showwarning = show
        yield


def _executed(arguments: list[str]) -> int:
    try:
        if SHARED and arguments[:1] not in (["run"], ["demo"]):
            raise InputError(
                "torchrun: expected `run`, the one command that shares its work over processes, got "
                f"{' '.join(arguments[:1])!r}; start that without torchrun"
            )
        outcome = app(args=arguments, prog_name="linrep", standalone_mode=False)
        if outcome == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        return outcome if isinstance(outcome, int) else OK
    except UsageError as error:
        _complain_of_usage(error)
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    except InputError as error:
        _complain(error)
        return USAGE
    except (DivergedError, LostError) as error:
        _complain(error, always=isinstance(error, LostError))  # whoever is left says that another is not
        return FAILURE
    except KeyboardInterrupt:
        if FIRST:
            typer.echo("linrep: interrupted; the same command goes on from here", err=True)
        return INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            where = f"{error.filename}: " if error.filename else "output: "
            _complain(f"{where}{error.strerror or error}; choose another place")
            return USAGE
        # The reader has left (`linrep runs | head`): nothing is wrong, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _complain_of_usage(error: BaseException) -> None:
    text = str(getattr(error, "format_message", lambda: error)())
    if not text:  # a group without a command: its help has been shown
        return
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "linrep"
    folder = _folder_of(text, context)
    if folder is not None:
        _complain(
            f"{command}: expected a folder after --out, got it alone; write --out {shlex.quote(folder)}"
        )
    else:
        _complain(f"{in_our_words(text).rstrip('.')}; see `{command} --help`")


def _folder_of(text: str, context: Any) -> str | None:
    """The folder that was given as an argument to a command that takes one as ``--out``."""
    extra = _EXTRA.fullmatch(text)
    options = () if context is None else context.command.params
    named = extra is not None and os.path.isdir(extra[1]) and any(each.name == "out" for each in options)
    return extra[1] if extra is not None and named else None


def _complain(error: object, *, always: bool = False) -> None:
    if FIRST or always:
        typer.echo(f"linrep: error: {' '.join(str(error).split())}", err=True)
