"""Options that commands of every kind share, and what ``--json`` prints."""

import json
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no words.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of nulls, intervals and splits.")]


def print_json(record: object) -> None:
    """On one line; a number that JSON cannot hold is an error."""
    typer.echo(json.dumps(record, allow_nan=False))
