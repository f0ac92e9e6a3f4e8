"""A network named in a file is looked for beside that file, then in the current folder."""

import warnings
from pathlib import Path

import pytest

import linrep
from linrep.cli import execute
from linrep.cli.validate import validate
from linrep.errors import InputError
from linrep.laboratory.build import data_hash, resolve, worlds
from linrep.laboratory.given import checked
from linrep.runs.keys import run_key
from linrep.runs.toml import load
from linrep.sweeps.file import load_sweep
from linrep.sweeps.grid import configs
from linrep.worlds.network import load_network, write_bif

QUICK = (
    "runs = 1\nmodel = { dim = 2 }\ntraining = { steps = 3, snapshots = 2 }\nmeasure = { null_draws = 2 }\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configs in one folder, the current one another; either has its own network ``net.bif``."""
    (tmp_path / "configs" / "nets").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def write(folder: Path, network: str, name: str = "run.toml") -> Path:
    path = folder / "configs" / name
    path.write_text(f'{QUICK}world = {{ kind = "network", network = "{network}" }}\n')
    return path


def names(config: linrep.Config) -> tuple[str, ...]:
    return worlds(config)[0].model.names


def test_beside_the_config_first_then_here(folder: Path) -> None:
    config = write(folder, "net.bif")
    write_bif(load_network("cancer"), "net.bif")
    assert names(load(config)) == load_network("cancer").names
    write_bif(load_network("earthquake"), folder / "configs" / "net.bif")
    assert names(load(config)) == load_network("earthquake").names
    assert names(checked(config)) == load_network("earthquake").names
    # What is typed lies where it is typed.
    (folder / "configs" / "other.bif").write_text("no network")
    write_bif(load_network("cancer"), "other.bif")
    assert names(load(config, ["world.network=other.bif"])) == load_network("cancer").names


def test_the_run_is_the_same_wherever_it_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(folder, "nets/net.bif")
    write_bif(load_network("cancer"), folder / "configs" / "nets" / "net.bif")

    def key(path: Path) -> str:
        found = load(path)
        resolved = resolve(found, worlds(found))
        return run_key(resolved, data_hash(resolved))

    from_here = key(config)
    monkeypatch.chdir(folder / "configs")
    assert key(Path("run.toml")) == from_here


def test_a_file_that_is_nowhere_says_both_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(folder, "none.bif")
    for read in (load, checked):
        with pytest.raises(InputError) as raised:
            read(config)
        words = str(raised.value)
        assert "'none.bif'; there is no such file" in words
        assert "configs, nor in the current folder" in words
        assert "\n" not in words
    assert "nor in the current folder" in validate(config).error
    monkeypatch.chdir(folder / "configs")
    with pytest.raises(InputError) as raised:
        load("run.toml")
    assert "nor in" not in str(raised.value)
    # Another world takes its place before it is looked for.
    assert names(load(config, ["world.network=asia"])) == load_network("asia").names
    assert names(checked(config, world="asia")) == load_network("asia").names


def test_cells_of_a_sweep_find_theirs_and_keep_their_names(folder: Path) -> None:
    sweep = folder / "configs" / "sweep.toml"
    sweep.write_text(
        '[base]\nworld = { kind = "network" }\n[axes]\n"world.network" = ["net.bif", "asia", "cancer"]\n'
    )
    write_bif(load_network("earthquake"), folder / "configs" / "net.bif")
    found = {coordinates[0][1]: names(config) for coordinates, config in configs(load_sweep(sweep))}
    assert found == {
        "net.bif": load_network("earthquake").names,
        "asia": load_network("asia").names,
        "cancer": load_network("cancer").names,
    }
    assert not validate(sweep).error


def test_the_command_says_once_that_rows_were_scaled(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "configs" / "net.bif").write_text(
        "variable a { type discrete [ 2 ] { no, yes }; }\nprobability ( a ) { table 0.3333, 0.6666; }\n"
    )
    before = warnings.showwarning
    command = ["run", str(write(folder, "net.bif")), "--out", str(folder / "runs"), "--no-page"]
    assert execute(command) == 0
    said = capfd.readouterr().err.splitlines()
    assert sum("1 row sums to 1 only to the digits written" in line for line in said) == 1
    assert any(line.startswith("linrep: ") and "net.bif" in line for line in said)
    assert warnings.showwarning is before
