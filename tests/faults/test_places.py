"""Folders that groups share, that are private, in the way or cannot be written; what a kill leaves there."""

import os
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import torch

import linrep
from linrep.cli import execute
from linrep.errors import BusyError, InputWarning
from linrep.files import _unfinished, make_folder, new_folder, sweep_up, usual_rights, write_file
from linrep.runs.store import BOARD, LOCK, PARTIAL, Store
from linrep.sweeps import sweep as sweeping
from linrep.sweeps.board import hung
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import cells
from linrep.sweeps.sweep import run_cells
from tests.support.small_sweep import BASE

SWEEP = """
[base]
runs = 2
world = { kind = "chain", concepts = 2 }
training = { steps = 5, snapshots = 2, optimizer = "gd", step_size = 0.5 }
compute = { threads = 1 }
[axes]
"model.dim" = [1, 2]
"""


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("mask", "folder", "file"), [(0o002, 0o775, 0o664), (0o077, 0o700, 0o600)])
def test_everything_has_the_rights_that_the_umask_gives(
    mask: int, folder: int, file: int, tmp_path: Path
) -> None:
    os.umask(mask)
    (tmp_path / "s.toml").write_text(SWEEP)
    out = tmp_path / "out"
    assert execute(["sweep", str(tmp_path / "s.toml"), "--out", str(out), "--quiet"]) == 0
    with Store(out).claim("a-run") as partial:
        write_file(partial / "checkpoint.safetensors", {"a": torch.zeros(2)})
        found = rights(out)
    assert {path.rpartition(".")[2] for path in found} >= {"safetensors", "json", "parquet", "csv", "html"}
    wrong = {
        path: oct(own) for path, own in found.items() if own != (folder if (out / path).is_dir() else file)
    }
    assert not wrong


@pytest.mark.usefixtures("umask")
def test_files_that_libraries_keep_to_themselves_get_the_usual_rights(tmp_path: Path) -> None:
    os.umask(0o002)
    (tmp_path / "model.safetensors").touch(0o600)
    usual_rights(tmp_path)
    assert rights(tmp_path)["model.safetensors"] == 0o664


SHARE = """
import os, sys
from linrep.cli import execute
own, shared, out = sys.argv[1:]
assert execute(["sweep", f"{shared}/short.toml", "--out", own, "--quiet"]) == 0  # everything is imported now
for user, file in ((4243, "short"), (4244, "long"), (4243, "short")):
    child = os.fork()
    if not child:
        os.umask(0o002), os.setgroups([4242]), os.setgid(4242), os.setuid(user)
        os._exit(execute(["sweep", f"{shared}/{file}.toml", "--out", out, "--quiet"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two other users")
def test_two_users_of_one_group_go_on_in_one_folder() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        own, shared = folder / "own", folder / "shared"
        shared.mkdir()
        os.chown(shared, 0, 4242)
        shared.chmod(0o2770)
        (shared / "short.toml").write_text(SWEEP)
        (shared / "long.toml").write_text(SWEEP.replace("[1, 2]", "[1, 2, 3]"))
        words = [sys.executable, "-c", SHARE, str(own), str(shared), str(shared / "out")]
        ran = subprocess.run(words, check=False, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert len(Store(shared / "out").finished()) == 3
        assert {path.stat().st_uid for path in (shared / "out").iterdir()} == {4243, 4244}
        assert {path.stat().st_gid for path in (shared / "out").rglob("*")} == {4242}


@pytest.mark.parametrize("command", ["run", "sweep", "reproduce", "claims"])
def test_a_place_that_cannot_be_written_is_one_line_before_anything_is_trained(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(SWEEP)
    Path("r.toml").write_text(SWEEP.partition("[axes]")[0].replace("[base]", ""))
    Path("dangling").symlink_to("nowhere")
    Path("file").touch()
    words = {
        "run": ["r.toml"],
        "sweep": ["s.toml"],
        "reproduce": ["dimension", "--quick"],
        "claims": ["--quick"],
    }
    for out, said in (
        ("dangling", "is a link to nowhere, which is not there"),
        ("dangling/below", "is a link to nowhere, which is not there"),
        ("file", "cannot be written (File exists); choose another place"),
        ("file/below", "cannot be written (Not a directory); choose another place"),
        ("n" * 300, "ile name too long"),
        ("/proc/linrep", "cannot be written ("),
    ):
        assert execute([command, *words[command], "--out", out, "--quiet"]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "r.toml", "s.toml"]


@pytest.mark.parametrize("taken", ["s.csv", "s.html"])
def test_a_folder_where_a_page_is_to_be_written_is_told_before_training(
    taken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(SWEEP)
    (tmp_path / "out" / taken).mkdir(parents=True)
    assert execute(["sweep", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]) == 2
    assert f"{taken}: expected the name of a file, got a folder" in capsys.readouterr().err
    assert not Store(tmp_path / "out").finished()


def test_the_longest_name_that_a_file_may_have_can_be_written(tmp_path: Path) -> None:
    write_file(tmp_path / ("n" * 255), b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_what_a_killed_process_left_is_swept_up_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    living = tmp_path / _unfinished("s.csv")
    left = tmp_path / living.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    elsewhere = tmp_path / f".s.csv.00000000-{dead.pid}-1.tmp"
    users = tmp_path / ".notes.tmp"
    for path in (living, left, elsewhere, users):
        path.touch()
    sweep_up(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {living.name, elsewhere.name, users.name}


def test_a_sweep_removes_what_killed_ones_left_and_keeps_what_goes_on(tmp_path: Path) -> None:
    grid = cells(parse_sweep({"base": BASE, "axes": {"model.dim": [1]}}))
    list(run_cells(grid, out=tmp_path))
    store, partial, key = Store(tmp_path), tmp_path / PARTIAL, grid[0].key
    (partial / "under-way").mkdir()
    (partial / "under-way" / "checkpoint.safetensors").touch()
    # Killed between the rename and the clean-up, while it published, while it replaced; a sweep's own board.
    for name in (key, f"{key}.staged", f"{key}.old.1", f"{BOARD}dead"):
        (partial / name).mkdir()
        (partial / name / LOCK).touch()
        (partial / name / "some").touch()
        os.utime(partial / name / "some", (1, 1))
    with hung(tmp_path) as board, store.claim("held"):
        list(run_cells(grid, out=tmp_path))
        assert {path.name for path in partial.iterdir()} == {"under-way", "held", board.folder.name}
        assert board.going()
    assert {path.name for path in partial.iterdir()} == {"under-way"}
    assert {path.name for path in (partial / "under-way").iterdir()} == {"checkpoint.safetensors", LOCK}


def test_a_checkpoint_of_a_finished_run_that_is_trained_again_is_kept(tmp_path: Path) -> None:
    grid = cells(parse_sweep({"base": BASE, "axes": {"model.dim": [1]}}))
    list(run_cells(grid, out=tmp_path))
    again = tmp_path / PARTIAL / grid[0].key
    again.mkdir()
    (again / "checkpoint.safetensors").touch()
    Store(tmp_path).sweep_up()
    assert (again / "checkpoint.safetensors").exists()


def test_a_cell_that_another_process_trains_is_left_to_it_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAUSE", 0.05)
    grid = cells(parse_sweep({"base": BASE, "axes": {"model.dim": [1, 2, 3]}}))
    store, order, waited_for = Store(tmp_path), [], Event()

    def other() -> None:
        with store.claim(grid[0].key):
            assert waited_for.wait(60)
        linrep.laboratory.run.run(grid[0].config, out=tmp_path)

    def stop() -> bool:
        if said:
            waited_for.set()
        return False

    thread = Thread(target=other)
    thread.start()
    while not (tmp_path / PARTIAL / grid[0].key / LOCK).exists():
        time.sleep(0.01)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", InputWarning)
        for outcome in run_cells(grid, out=tmp_path, stop=stop):
            order.append(outcome.cell.key)
            assert outcome.error == ""
            assert len(store.finished()) == 3
    thread.join()
    assert order == [cell.key for cell in grid]
    assert {str(each.message).partition(";")[0] for each in said} == {
        "the last cell is being trained by another process that shares the folder"
    }


def test_the_lock_of_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from linrep.runs.store import Store\n"
        "with Store(Path(sys.argv[1])).claim('a-run'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(BusyError, match="another process"), Store(tmp_path).claim("a-run"):
        pass
    holder.kill()
    holder.wait()
    with Store(tmp_path).claim("a-run") as partial:
        assert partial.is_dir()


def test_new_folders_are_new_and_made_below_no_dangling_link(tmp_path: Path) -> None:
    assert new_folder(tmp_path, "a.") != new_folder(tmp_path, "a.")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(linrep.InputError, match="is a link to "):
        make_folder(tmp_path / "link" / "below")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_letters_that_cannot_be_written_are_replaced(encoding: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "linrep", "predict", "--concepts", "3"]
    said = subprocess.run(
        words,
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        cwd=tmp_path,
    )
    assert said.returncode == 0, said.stderr
    assert "certificate" in said.stdout.decode(encoding)
    assert encoding != "ascii" or b"?" in said.stdout
