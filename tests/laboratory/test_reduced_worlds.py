"""Large networks in a config: part of them trained on, kept, drawn and said; keys of before stay."""

import re
from pathlib import Path

import pytest

import linrep
from linrep.cli import execute
from linrep.errors import InputError
from linrep.laboratory.build import concept_model
from linrep.page.graph import svg
from linrep.runs.keys import run_key
from linrep.runs.toml import load, parse
from linrep.worlds.network import load_network
from linrep.worlds.reduction import marginal

pytestmark = pytest.mark.filterwarnings("ignore::linrep.errors.InputWarning")
SHORT = {
    "runs": 1,
    "model": {"dim": 3},
    "training": {"optimizer": "gd", "steps": 3},
    "measure": {"null_draws": 2},
}
ASIA = {"network": "asia", "keep": ["tub", "lung", "xray"]}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> linrep.Result:
    return linrep.run(SHORT, world=ASIA, out=tmp_path_factory.mktemp("runs"), progress=False)


def test_a_part_is_trained_on_and_read_back_whole(result: linrep.Result) -> None:
    expected = marginal(load_network("asia"), ASIA["keep"])
    assert result.worlds[0].model.names == ("tub", "lung", "xray")
    again = linrep.open(result.folder)
    assert again.worlds[0].model.reduction == expected.reduction
    assert again.worlds[0].model.edges() == expected.edges()
    assert again.summary.reduction == result.summary.reduction
    assert result.summary.reduction.added == (("tub", "xray"), ("lung", "xray"))


def test_what_it_does_to_the_graph_is_drawn_and_said(result: linrep.Result, tmp_path: Path) -> None:
    text = linrep.page.render(result)
    said = (
        "3 of 8 variables, the others summed out exactly; that adds 2 arrows (tub to xray and lung to xray)"
    )
    assert said in text
    assert text.count("stroke-dasharray:5 4") >= 2
    assert "tub to xray (added)" in text
    whole = linrep.run(SHORT, world={"network": "asia"}, progress=False)
    assert "stroke-dasharray:5 4" not in linrep.page.render(whole)
    assert "summed out" not in linrep.page.render(whole)
    drawn = svg(["a", "b", "c"], [(0, 1), (1, 2)], dashed={(1, 2)})
    paths = [path for path in re.findall(r"<path [^>]*>", drawn) if "marker-end" in path]
    assert ["dasharray" in path for path in paths] == [False, True]
    linrep.page.graph.paper(linrep.page.view.view(result)).savefig(tmp_path / "graph.pdf")


def test_keys_of_whole_networks_stay_and_parts_have_their_own() -> None:
    def key(**more: object) -> str:
        return run_key(parse({"world": {"network": "asia", **more}, **SHORT}), "data")

    plain = parse({"world": {"kind": "network", "network": "asia"}, **SHORT})
    before = plain.model_dump(mode="json")
    for later in ("keep", "ancestors_of", "merge"):
        assert before["world"].pop(later) is None
    from linrep.runs.keys import key_of

    assert key_of(before, "data") == run_key(plain, "data") == key()
    parts = [
        key(keep=["tub", "lung"]),
        key(keep=["lung", "tub"]),
        key(ancestors_of="tub"),
        key(merge={"tub": [["yes"], ["no"]]}),
    ]
    assert len({key(), *parts}) == 5
    assert key(keep="tub, lung") == parts[0]


def test_a_network_and_tables_need_no_kind_and_one_line_no_config(tmp_path: Path) -> None:
    found = load(
        None, ["world.network=alarm", "world.keep=CVP,PCWP", 'world.merge={CVP=[["LOW"],["NORMAL","HIGH"]]}']
    )
    model = concept_model(found, 0)
    assert model.states == (("LOW", "NORMAL+HIGH"), ("LOW", "NORMAL", "HIGH"))
    variables = [
        {"name": "a", "table": [[0.5, 0.5]]},
        {"name": "b", "parents": ["a"], "table": [[0.1, 0.9], [0.5, 0.5]]},
    ]
    tables = parse({"world": {"variables": variables, "keep": ["b"]}})
    assert concept_model(tables, 0).tables[0].tolist() == pytest.approx([0.3, 0.7])


def test_the_command_line_says_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--set", "world.network=asia", "--set", "world.keep=tub,xray", "--set", "runs=1"]
    command += [
        "--set",
        "training.optimizer=gd",
        "--set",
        "training.steps=2",
        "--out",
        str(tmp_path),
        "--no-page",
    ]
    assert execute(command) == 0
    assert "2 of 8 variables, the others summed out exactly; that adds 1 arrow" in " ".join(
        capfd.readouterr().out.split()
    )
    assert execute(["run", "--out", str(tmp_path)]) == 2
    assert "world.network=survey" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["alarm", "andes", "child", "win95pts"])
def test_what_is_proposed_for_a_large_network_works(name: str) -> None:
    """The words of the refusal, as they stand, make a world."""
    with pytest.raises(InputError, match="too many to enumerate") as raised:
        concept_model(load(None, [f"world.network={name}"]), 0)
    line = str(raised.value)
    assert "\n" not in line
    model = concept_model(
        load(None, [f"world.network={name}", line.rsplit("such as ", 1)[1].replace(" = ", "=", 1)]), 0
    )
    assert model.concepts > 1
