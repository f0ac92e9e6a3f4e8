"""What --set says: numbers as the numbers they are, and a new kind without the keys of the one before."""

import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from linrep.cli import execute
from linrep.errors import InputError, InputWarning
from linrep.runs.near import UNIONS, kinds_of
from linrep.runs.overrides import apply_override, overridden
from linrep.runs.toml import load, parse

RANDOM = {"world": {"kind": "random", "concepts": 3, "edge_probability": 0.2}}


def value(text: str) -> Any:
    fields: dict[str, Any] = {}
    assert apply_override(fields, f"a.b={text}") == ["a", "b"]
    return fields["a"]["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e2", 100),
        ("1.5e1", 15),
        ("-2E0", -2),
        ("1.5e0", 1.5),
        ("1e-2", 0.01),
        ("1e30", 1e30),
        ("5.0", 5.0),
        (".01", 0.01),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("1.e3", 1000),
        ("[.2, .8]", [0.2, 0.8]),
        ("inf", float("inf")),
        ("text", "text"),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("./5/x.bif", "./5/x.bif"),
        ("v.5", "v.5"),
        ("'.5'", ".5"),
        ("['.5', .5]", "['.5', .5]"),
        ("1..2", "1..2"),
        ("true", True),
    ],
)
def test_a_value_is_the_number_it_is_or_what_was_typed(text: str, expected: object) -> None:
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


def test_whole_fields_take_whole_numbers_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("world = { kind = 'random', concepts = 3 }")
    found = load(path, ["training.steps=1e2", "model.init_scale=.01", "training.step_size=1e1"])
    assert (found.training.steps, found.model.init_scale, found.training.step_size) == (100, 0.01, 10.0)
    assert isinstance(found.training.step_size, float)
    for part in ("1.5e0", ".5", "100.0", "1e-1"):
        with pytest.raises(InputError, match=r"training\.steps: "):
            load(path, [f"training.steps={part}"])


SET = {
    "network": ["world.network=asia"],
    "independent": ["world.concepts=3"],
    "chain": ["world.concepts=3"],
    "categorical": ["world.concepts=3"],
    "sparse": ["world.concepts=3"],
    "tables": ["world.variables=[{ name = 'a', table = [[0.5, 0.5]] }]"],
    "random": ["world.concepts=3"],
}


def test_every_kind_of_world_is_tried() -> None:
    assert SET.keys() == kinds_of("world").keys()


@pytest.mark.parametrize("former", SET)
@pytest.mark.parametrize("kind", SET)
def test_from_every_kind_of_world_to_every_other(former: str, kind: str) -> None:
    written = overridden({}, [f"world.kind={former}", *SET[former]])
    if kind == former:
        assert overridden(written, [f"world.kind={kind}"]) == written
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        changed = overridden(written, [*SET[kind], f"world.kind={kind}"])
    assert changed["world"].keys() == {"kind", SET[kind][0].partition("=")[0].removeprefix("world.")}
    assert overridden(written, []) == written, "nothing is changed in place"


def test_what_is_let_go_of_is_told_in_one_line() -> None:
    with pytest.warns(InputWarning) as told:
        overridden(RANDOM, ["world.kind=network", "world.network=asia"])
    (line,) = (str(each.message) for each in told)
    assert line == (
        "--set world.kind=network: let go of world.concepts, world.edge_probability, which kind 'network' "
        "does not have"
    )


def test_contexts_and_tokens_have_kinds_too() -> None:
    written = RANDOM | {
        "contexts": {"kind": "known", "at_most": 2, "held_out": 0.1},
        "tokens": {"kind": "list", "tokens": ["000", "111"]},
    }
    with pytest.warns(InputWarning) as told:
        changed = overridden(written, ["contexts.kind=complete", "tokens.kind=complete"])
    assert changed["contexts"] == {"kind": "complete", "held_out": 0.1}
    assert changed["tokens"] == {"kind": "complete"}
    assert len(told) == len(UNIONS) - 1


@pytest.mark.parametrize(
    ("fields", "overrides"),
    [
        (RANDOM, ["world.kind=network", "world.network=asia", "world.concepts=4"]),
        (RANDOM, ["world.concepts=4", "world.kind=network", "world.network=asia"]),
        ({"world": {**RANDOM["world"], "concpets": 3}}, ["world.kind=chain"]),
        ({"world": {**RANDOM["world"], "network": "asia"}}, ["world.kind=random"]),
        ({"world": {**RANDOM["world"], "states": 3}}, ["world.kind=chain"]),
        (RANDOM, ["world.kind=netwrok", "world.network=asia"]),
        (RANDOM, ["world={kind='chain', concepts=2, edge_probability=0.1}"]),
    ],
    ids=["own", "own before", "misspelt", "same kind", "of neither", "no such kind", "whole"],
)
def test_nothing_else_is_let_go_of(fields: dict[str, Any], overrides: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        changed = overridden(fields, overrides)
    kept = {"concepts", "network", "states", "concpets"} & (fields["world"].keys() | changed["world"].keys())
    assert kept <= changed["world"].keys()
    with pytest.raises(InputError):
        parse(changed)


@pytest.mark.parametrize("kind", ["network", "chain", "independent"])
def test_what_init_writes_takes_another_kind(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes((files("linrep") / "template.toml").read_bytes())
    network = ["world.network=cancer"] if kind == "network" else []
    small = ["runs=1", "training.steps=1e1", "compute.threads=1", "training.snapshots=2"]
    sets = [f"--set={each}" for each in (f"world.kind={kind}", *network, *small)]
    out = tmp_path / "runs"
    assert execute(["run", str(path), *sets, "--out", str(out), "--no-page", "--quiet"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "let go" in line]
    line = "linrep: --set world.kind=network: let go of world.concepts, which kind 'network' does not have"
    assert told == ([line] if kind == "network" else [])
