"""linrep sweep --set: the base is what it says, an axis stays what it is."""

from pathlib import Path

import pytest

from linrep.cli import execute
from linrep.errors import InputError, InputWarning
from linrep.runs.config import Config
from linrep.runs.store import Store
from linrep.runs.toml import load
from linrep.sweeps.file import load_sweep
from linrep.sweeps.grid import configs
from linrep.worlds.network_file import network_path

SWEEP = """
[base]
runs = 2
world = { kind = "random", concepts = 3, edge_probability = 0.2 }
training = { steps = 20, snapshots = 3, optimizer = "gd" }
compute = { threads = 1 }
[axes]
"model.dim" = [2, 3]
[quick]
"training.steps" = 4
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "s.toml"
    path.parent.mkdir()
    path.write_text(SWEEP)
    return path


def found(path: Path, *overrides: str, quick: bool = False) -> list[Config]:
    return [config for _, config in configs(load_sweep(path, overrides, quick=quick))]


def test_every_cell_has_what_is_set_and_the_rest_stays(path: Path) -> None:
    changed = found(path, "training.steps=1e1", "seed=7")
    assert [config.model.dim for config in changed] == [2, 3]
    for before, after in zip(found(path), changed, strict=True):
        training = before.training.model_copy(update={"steps": 10})
        assert after == before.model_copy(update={"seed": 7, "training": training})
    assert found(path) == found(path)
    assert {config.training.steps for config in found(path, quick=True)} == {4}
    assert {config.training.steps for config in found(path, "training.steps=9", quick=True)} == {9}


def test_a_cell_is_the_run_with_the_same_keys_set(path: Path) -> None:
    alone = path.with_name("run.toml")
    alone.write_text(SWEEP.split("[axes]")[0].replace("[base]", ""))
    told = ["world.kind=network", "world.network=asia"]
    with pytest.warns(InputWarning, match=r"world\.concepts, world\.edge_probability"):
        assert found(path, *told)[0] == load(alone, [*told, "model.dim=2"])


@pytest.mark.parametrize(
    ("axes", "override", "words"),
    [
        ('"model.dim" = [2, 3]', "model.dim=4", "axis 'model.dim'"),
        ('[axes.how]\nA = { "training.optimizer" = "gd" }', "training . optimizer=adam", "axis 'how'"),
        (
            '[axes.which]\nA = { world = { kind = "chain", concepts = 2 } }',
            "world.concepts=4",
            "axis 'which'",
        ),
    ],
)
def test_what_an_axis_varies_cannot_be_set(axes: str, override: str, words: str, path: Path) -> None:
    path.write_text(SWEEP.split("[axes]")[0] + "[axes]\n" + axes)
    with pytest.raises(InputError, match="varies it; set another key") as caught:
        load_sweep(path, [override])
    assert words in str(caught.value)
    assert load_sweep(path, ["training.step=4"]).base["training"]["step"] == 4, "checked with the cells"


def test_a_key_that_is_not_there_is_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = path.with_name("out")
    assert execute(["sweep", str(path), "--out", str(out), "--set", "lr=3"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), out.exists()) == ("", 1, False)
    assert "unknown key 'lr', did you mean 'training.step_size'?" in said.err


def test_a_network_that_is_typed_lies_where_it_is_typed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = path.parent.parent
    for folder, name in ((path.parent, "cancer"), (here, "earthquake")):
        (folder / "net.bif").write_bytes(network_path(name).read_bytes())
    path.write_text(SWEEP.replace("[base]", "[base]\nseed = 1"))
    monkeypatch.chdir(here)
    with pytest.warns(InputWarning):
        typed = found(path, "world.kind=network", "world.network=net.bif")[0].world
    assert getattr(typed, "network", None) == str(here / "net.bif")
    world = 'world = { kind = "network", network = "net.bif" }'
    path.write_text("\n".join(world if line.startswith("world") else line for line in SWEEP.splitlines()))
    assert getattr(found(path, "seed=3")[0].world, "network", None) == str(path.with_name("net.bif"))


def test_the_command_trains_what_is_set_and_its_page_says_so(path: Path) -> None:
    out = path.with_name("out")
    command = [
        "sweep",
        str(path),
        "--out",
        str(out),
        "--quiet",
        "--set",
        "runs=1",
        "--set",
        "training.steps=5",
    ]
    assert execute(command) == 0
    keys = Store(out).finished()
    assert len(list(keys)) == 2
    assert "--set runs=1 --set training.steps=5" in (out / "s.html").read_text()
