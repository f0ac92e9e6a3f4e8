"""The command ``linrep``: words in, one clear line out when something is wrong.

Only typer and the standard library are imported here; each command imports what it needs when it runs, so
that ``linrep --help`` answers at once.
"""

import os
import sys
from typing import Annotated

import click
import typer

from linrep import __version__
from linrep.cli import runs
from linrep.errors import DivergedError, InputError

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="linrep",
    help="Why, when and how concepts become linear directions in language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linrep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    del version


runs.register(app)


def main() -> None:
    """Entry point: runs the command and turns what a user can cause into one line and an exit code."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Run one command line; returns the exit code (0 ok, 1 failure, 2 usage, 130 interrupted)."""
    try:
        outcome = app(args=arguments, prog_name="linrep", standalone_mode=False)
        return outcome if isinstance(outcome, int) else OK
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.exceptions.Abort:
        return INTERRUPTED
    except InputError as error:
        _complain(error)
        return USAGE
    except DivergedError as error:
        _complain(error)
        return FAILURE
    except KeyboardInterrupt:
        typer.echo("linrep: interrupted; the same command goes on from here", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`linrep runs | head`): nothing is wrong, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _complain(error: Exception) -> None:
    typer.echo(f"linrep: error: {' '.join(str(error).split())}", err=True)
