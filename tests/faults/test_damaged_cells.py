"""Finished cells that cannot be read: told alone, and gone only when their replacement is there."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from linrep.errors import DamagedError
from linrep.runs import folder as run_folder
from linrep.runs.index import run_index
from linrep.runs.result import Result
from linrep.runs.store import Store
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import Cell, cells
from linrep.sweeps.sweep import run_cells
from tests.support.small_sweep import BASE

NOBODY = 65534


def seeds(number: int) -> tuple[Cell, ...]:
    return cells(parse_sweep({"base": BASE, "axes": {"seed": list(range(number))}}))


@contextmanager
def as_nobody(folder: Path) -> Generator[None, None, None]:
    """Work as a user without root's rights, to whom a folder is given."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("unreadable", ["", "result.json", "tables.safetensors"])
def test_a_cell_that_may_not_be_read_fails_alone(unreadable: str) -> None:
    grid = seeds(2)
    with TemporaryDirectory() as name:  # others may not look into the folder of a test
        out = Path(name)
        whole = [each.result for each in run_cells(grid, out=out)]
        (out / grid[0].key / unreadable).chmod(0)
        with as_nobody(out):
            assert Store(out).finished() == sorted(cell.key for cell in grid)
            told, other = run_cells(grid, out=out)
            assert f"{grid[0].key}/" in told.error
            assert ("ermission denied" in told.error, told.error.count("\n"), other.error) == (True, 0, "")
            assert len(run_index(Store(out)).damaged) == (unreadable != "tables.safetensors")
            again = [each.result for each in run_cells(grid, out=out, retry=True)]
        assert [each and each.summary for each in again] == [each and each.summary for each in whole]
        assert list((out / ".partial").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_cell_that_may_not_be_replaced_fails_alone() -> None:
    grid = seeds(3)
    with TemporaryDirectory() as name:
        out = Path(name)
        assert not any(each.error for each in run_cells(grid[:2], out=out))
        with as_nobody(out):
            pass
        os.chown(out / grid[0].key, 0, -1)
        (out / grid[0].key).chmod(0)
        with as_nobody(out / grid[1].key):
            told, other, fresh = run_cells(grid, out=out, retry=True)
        assert told.error == f"{out / grid[0].key}: cannot be replaced (Operation not permitted); remove it"
        assert (other.error, fresh.error) == ("", "")


def test_nothing_is_taken_away_before_its_replacement_is_there(tmp_path: Path) -> None:
    grid = seeds(2)
    assert not any(each.error for each in run_cells(grid, out=tmp_path))
    damaged = tmp_path / grid[1].key / "result.json"
    damaged.write_bytes(b"{}")
    with pytest.raises(KeyboardInterrupt):
        list(run_cells(grid, out=tmp_path, retry=True, stop=lambda: True))
    assert damaged.read_bytes() == b"{}"


def test_what_another_sweep_has_trained_again_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see the damage; the other is done before this one comes to act on it."""
    grid = seeds(1)
    folder = tmp_path / grid[0].key
    list(run_cells(grid, out=tmp_path))
    (folder / "result.json").write_bytes(b"{}")
    read = run_folder.read
    published: list[int] = []

    def read_late(path: Path) -> Result:
        try:
            return read(path)
        except DamagedError:
            monkeypatch.undo()
            assert [each.error for each in run_cells(grid, out=tmp_path, retry=True)] == [""]
            published.append(folder.stat().st_ino)
            raise

    monkeypatch.setattr(run_folder, "read", read_late)
    assert [each.error for each in run_cells(grid, out=tmp_path, retry=True)] == [""]
    assert published == [folder.stat().st_ino]
