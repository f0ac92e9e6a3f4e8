"""Options that several commands share, each declared once, and how a command takes a group of them."""

import inspect
import json
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from linrep.progress import told

Result = TypeVar("Result")

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no words.")]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of nulls, intervals and splits.")]
Runs = Annotated[Path, typer.Option("--out", help="Folder of runs.", show_default=True)]
Measured = Annotated[
    Path, typer.Option("--out", help="Folder for page.html, result.json and tables.", show_default=True)
]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key, e.g. training.steps=5000, world.network=survey.",
    ),
]

FigureFiles = Annotated[
    Path | None,
    typer.Option("--figures", metavar="DIR", help="Also write every figure as PDF, SVG and PNG here."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printing:
    """What a command prints when it is done."""

    as_json: Json = False
    quiet: Quiet = False

    def tell(self, record: Callable[[], object], show: Callable[[], None]) -> None:
        """One JSON object, or words for a reader, or nothing."""
        if self.as_json:
            print_json(record())
        elif not self.quiet:
            show()

    def where(self, page: Path) -> None:
        """Where the page lies, on stderr: beside a JSON object, words having said it themselves."""
        if self.as_json and not self.quiet:
            typer.echo(f"page  {page.resolve()}", err=True)


def print_json(record: object) -> None:
    """On one line; a number that JSON cannot hold is an error."""
    typer.echo(json.dumps(record, allow_nan=False))


def grouped(command: Callable[..., Result]) -> Callable[..., Result]:
    """The command for typer, where a parameter may be a dataclass: each of its fields is an option.

    Typer reads one parameter an option; so that several commands share options by the dozen, a command takes
    them as one record. What its work says of itself is shown, unless it is to be quiet.

    Args:
        command: Its parameters are options and arguments as typer knows them, or dataclasses of such.

    Example:
        >>> @dataclass
        ... class Size:
        ...     width: int = 3
        >>> @grouped
        ... def build(name: str, size: Size) -> str:
        ...     return f"{name} of {size.width}"
        >>> list(inspect.signature(build).parameters), build(name="wall", width=7)
        (['name', 'width'], 'wall of 7')
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, given in inspect.signature(command).parameters.items():
        single = given.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += _expanded(groups[name]) if name in groups else [single]

    @wraps(command)
    def called(**given: Any) -> Any:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        quiet = bool(given.get("quiet")) or any(getattr(given[name], "quiet", False) for name in groups)
        with told(quiet=quiet):
            return command(**given)  # pyright: ignore[reportCallIssue]

    del called.__wrapped__
    called.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called  # pyright: ignore[reportReturnType]


def _expanded(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(each),
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
