"""How the command line is built: short bodies, every option declared once, a record where there are many."""

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

import linrep.cli
from linrep.cli import app, experiments, explore, gallery, lm, runs, theory, vectors
from linrep.cli.options import grouped

ROOM = Path(inspect.getfile(linrep.cli)).parent
LONGEST, MOST = 60, 12


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOM)}:{node.name}", node


def lines_of_body(node: ast.FunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.body[0].lineno + 1


def test_no_command_has_a_long_body_or_many_parameters() -> None:
    found = list(functions())
    assert len(found) > 60
    assert {name: lines for name, node in found if (lines := lines_of_body(node)) > LONGEST} == {}
    many = {name: len(node.args.args + node.args.kwonlyargs) for name, node in found}
    assert {name: number for name, number in many.items() if number > MOST} == {}


def options(source: str) -> Iterator[tuple[str, ...]]:
    """Every declared option: its flags (or, without, its line) and its help."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option":
            flags = [ast.literal_eval(each) for each in node.args]
            words = [ast.literal_eval(each.value) for each in node.keywords if each.arg == "help"]
            yield (*flags, *words)


def twice(sources: list[str]) -> set[tuple[str, ...]]:
    counted = Counter(each for source in sources for each in options(source))
    return {each for each, number in counted.items() if number > 1}


def test_no_option_is_declared_twice() -> None:
    sources = [path.read_text() for path in ROOM.rglob("*.py")]
    assert sum(1 for source in sources for _ in options(source)) > 50
    assert twice(sources) == set()
    assert twice(['typer.Option("-x", help="a")', 'f(typer.Option("-x", help="a", min=3))']) == {("-x", "a")}


def test_only_the_command_line_knows_typer() -> None:
    others = [path for path in ROOM.parent.rglob("*.py") if ROOM not in path.parents]
    assert [path for path in others if "import typer" in path.read_text()] == []


COMMANDS = {
    "run": "--set --out --json --quiet --force --page",
    "runs": "--out --where --sort --descending --limit --columns --csv --page --x --y --color --json",
    "sweep": "--set --out --quick --figures --format --executor --workers --scheduler --slurm --retry --json "
    "--quiet",
    "reproduce": "--all --quick --out --results --figures --format --executor --workers --scheduler --slurm "
    "--retry --json --quiet",
    "gallery": "--from --out --results --force --json --quiet",
    "explore": "--port --quiet",
    "predict": "--concepts --dim --known --config --json",
    "claims": "--quick --out --json --quiet",
    "measure": "--attributes --other --id --column --match --tensor --inner --axis --min-pairs --seed --out "
    "--json --quiet",
    "lm measure": "--pairs --contexts --winograd --squares --table --inner --layer --centred --shrinkage "
    "--draws --batch-size --cache --leading-space --multi-token --minimum-pairs --device --dtype "
    "--device-map --revision --token --trust-remote-code --seed --out --json --quiet",
    "lm steer": "--concept --prompt --strength --pairs --contexts --layer --inner --leading-space "
    "--multi-token --minimum-pairs --device --dtype --device-map --revision --token --trust-remote-code "
    "--seed --out --json --quiet",
    "lm data": "--tokenizer --leading-space --multi-token --revision --token --trust-remote-code --json",
    "lm toy": "--out --quick --concepts --world --hidden --layers --heads --tied --facts --steps --widths "
    "--runs --seed --json --quiet",
}
"""What users' scripts rely on; more may come."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_keeps_its_name(name: str) -> None:
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    flags = {flag for each in command.params for flag in each.opts}
    assert set(COMMANDS[name].split()) <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_in_full_on_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    shown = CliRunner().invoke(app, [*name.split(), "--help"]).stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert set(COMMANDS[name].split()) <= set(re.findall(r"--[a-z-]+", shown))


def test_every_command_is_there() -> None:
    registered: list[Any] = [
        each.callback for group in (app, lm.lm) for each in group.registered_commands if each.callback
    ]
    named = {each.__name__ for each in registered}
    modules = (experiments, explore, gallery, lm, runs, theory, vectors)
    assert named >= {part for name in COMMANDS for part in name.split()[-1:]}
    assert all(any(hasattr(module, name) for module in modules) for name in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option("--width", min=1)]
    tall: Annotated[bool, typer.Option("--tall")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall(Size):
    stones: Annotated[list[str] | None, typer.Option("--stone")] = None


def build(name: str, wall: Wall, times: Annotated[int, typer.Option("--times")] = 1) -> None:
    """Build it."""
    typer.echo(f"{name} {wall.width} {wall.tall} {wall.stones} {times}")


def test_a_group_of_options_reaches_the_command_as_one_record() -> None:
    made = typer.Typer()
    made.command()(grouped(build))
    ran = CliRunner().invoke(made, ["gate", "--width", "3", "--stone", "a", "--stone", "b"])
    assert ran.stdout == "gate 3 False ['a', 'b'] 1\n"
    assert (
        CliRunner().invoke(made, ["gate", "--width", "2", "--tall", "--times", "5"]).stdout
        == "gate 2 True None 5\n"
    )
    assert CliRunner().invoke(made, ["gate"]).exit_code == 2
    assert CliRunner().invoke(made, ["gate", "--width", "0"]).exit_code == 2
    assert "Build it." in CliRunner().invoke(made, ["--help"]).stdout
