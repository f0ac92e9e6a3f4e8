"""Cells on an executor: the serial bits, errors kept, deaths counted, nothing half when it stops."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from linrep.errors import LostError
from linrep.runs import failures
from linrep.runs.failures import Failure
from linrep.runs.store import PARTIAL, Store
from linrep.sweeps import dispatch
from linrep.sweeps.board import Board, hung
from linrep.sweeps.file import parse_sweep
from linrep.sweeps.grid import Cell, cells
from linrep.sweeps.sweep import Standing, run_cells
from linrep.sweeps.worker import End

BASE: dict[str, Any] = {
    "runs": 2,
    "world": {"kind": "chain", "concepts": 2},
    "training": {"steps": 20, "snapshots": 3, "step_size": 0.5, "optimizer": "gd"},
    "measure": {"bootstrap": 100, "null_draws": 2},
}
FILES = (
    "config.json",
    "result.json",
    "tables.safetensors",
    "trace.parquet",
    "snapshots.safetensors",
    "worlds.json",
)


def grid(axes: dict[str, Any], **more: Any) -> tuple[Cell, ...]:
    return cells(parse_sweep({"base": BASE | more, "axes": axes}), threads=1)


class Scripted(Executor):
    """Runs a cell at once in this thread, unless the script says what becomes of it."""

    def __init__(self, script: Callable[[str, int], BaseException | None]) -> None:
        self.script, self.sent = script, Counter[str]()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        task: Future[Any] = Future()
        key = args[-1]
        self.sent[key] += 1
        error = self.script(key, self.sent[key])
        if isinstance(error, KeyboardInterrupt):
            task.cancel()
            task.set_running_or_notify_cancel()
        elif error is not None:
            task.set_exception(error)
        else:
            task.set_result(fn(*args, **kwargs))
        return task


def refuse(key: str, time: int) -> BaseException | None:
    raise AssertionError(f"{key} was sent")


def test_cells_on_an_executor_end_in_the_serial_bits_and_are_found_again(tmp_path: Path) -> None:
    asked = grid({"model.dim": [2, 3], "seed": [0, 1]})
    told: list[Standing] = []
    serial = [each.cell.key for each in run_cells(asked, out=tmp_path / "serial")]
    with ThreadPoolExecutor(3) as pool:
        spread = list(run_cells(asked, out=tmp_path / "spread", executor=pool, watch=told.append))
    assert [each.cell.key for each in spread] == serial == [cell.key for cell in asked]
    for key in serial:
        for name in FILES:
            one, other = ((tmp_path / where / key / name).read_bytes() for where in ("serial", "spread"))
            assert one == other, name
    assert (told[-1].done, told[-1].failed, told[-1].share) == (4, 0, pytest.approx(1.0))
    assert list((tmp_path / "spread" / ".partial").iterdir()) == []
    again = run_cells(asked, out=tmp_path / "spread", executor=Scripted(refuse))
    assert [each.result.key for each in again if each.result is not None] == serial


def test_a_relative_network_file_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linrep.worlds.network_file import network_path

    (tmp_path / "mine.bif").write_bytes(network_path("cancer").read_bytes())
    monkeypatch.chdir(tmp_path)
    asked = grid({"seed": [0, 1]}, world={"kind": "network", "network": "mine.bif"})
    plain = dispatch._plain(asked[0].config)  # pyright: ignore
    assert plain["world"]["network"] == str(tmp_path / "mine.bif")
    assert dispatch._plain(grid({"seed": [0, 1]})[0].config) == grid({"seed": [0, 1]})[0].config.model_dump(  # pyright: ignore
        mode="json"
    )


def test_a_cell_under_which_workers_die_is_sent_again_and_given_up_at_last(tmp_path: Path) -> None:
    asked = grid({"seed": [0, 1, 2]})
    doomed, unlucky, well = (cell.key for cell in asked)
    deaths = {doomed: 99, unlucky: dispatch.DEATHS - 1, well: 0}
    pool = Scripted(lambda key, time: BrokenProcessPool("died") if time <= deaths[key] else None)
    outcomes = list(run_cells(asked, out=tmp_path, executor=pool))
    assert [bool(each.error) for each in outcomes] == [True, False, False]
    assert "its worker died 3 times" in outcomes[0].error
    assert pool.sent == {doomed: dispatch.DEATHS, unlucky: dispatch.DEATHS, well: 1}
    (kept,) = failures.kept(tmp_path)
    assert (kept.key, kept.label, kept.final) == (doomed, "seed 0", False)
    assert [each.error for each in run_cells(asked, out=tmp_path)] == ["", "", ""], "tried again"
    assert failures.kept(tmp_path) == []
    assert list((tmp_path / ".failed").iterdir()) == [], "struck out when it succeeded"


@pytest.mark.parametrize("parallel", [False, True])
def test_what_diverged_keeps_its_error_and_is_not_trained_again_unless_told(
    parallel: bool, tmp_path: Path
) -> None:
    asked = grid({"training.step_size": [0.5, 1e30]})
    pool = Scripted(lambda key, time: None) if parallel else None
    errors = [each.error for each in run_cells(asked, out=tmp_path, executor=pool)]
    assert errors[0] == ""
    assert "diverged" in errors[1]
    assert [(each.key, each.error, each.final) for each in failures.kept(tmp_path)] == [
        (asked[1].key, errors[1], True)
    ]
    assert [each.error for each in run_cells(asked, out=tmp_path, executor=Scripted(refuse))] == errors
    again = Scripted(lambda key, time: None)
    assert [each.error for each in run_cells(asked, out=tmp_path, executor=again, retry=True)] == errors
    assert again.sent == {asked[1].key: 1}


def test_an_unexpected_error_stays_with_its_cell(tmp_path: Path) -> None:
    asked = grid({"seed": [0, 1]})
    pool = Scripted(lambda key, time: OSError("the fan\nis broken") if key == asked[0].key else None)
    errors = [each.error for each in run_cells(asked, out=tmp_path, executor=pool)]
    assert errors == ["OSError: the fan is broken", ""]


def test_a_record_of_failure_that_cannot_be_read_is_as_good_as_none(tmp_path: Path) -> None:
    failures.keep(tmp_path, Failure(key="a", label="b", error="c", final=True))
    assert failures.find(tmp_path, "a") is not None
    (tmp_path / ".failed" / "a.json").write_text("{")
    assert failures.find(tmp_path, "a") is None
    assert failures.kept(tmp_path) == []


def test_an_executor_that_goes_away_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    asked = grid({"seed": [0, 1, 2]})
    gone = Scripted(lambda key, time: KeyboardInterrupt() if key == asked[2].key else None)
    with pytest.raises(LostError, match="the same command goes on") as caught:
        list(run_cells(asked, out=tmp_path, executor=gone))
    assert "\n" not in str(caught.value)
    assert set(Store(tmp_path).finished()) == {asked[0].key, asked[1].key}
    assert list((tmp_path / ".partial").iterdir()) == []
    closed = ThreadPoolExecutor()
    closed.shutdown()
    with pytest.raises(LostError, match="takes no cells"):
        list(run_cells(asked, out=tmp_path, executor=closed))


def test_workers_that_do_not_see_the_folder_are_one_line(tmp_path: Path) -> None:
    class Elsewhere(Scripted):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            fields, out, board, key = args
            return super().submit(fn, fields, out + "-elsewhere", board + "-elsewhere", key)

    with pytest.raises(LostError, match="does not see this sweep there"):
        list(run_cells(grid({"seed": [0, 1]}), out=tmp_path, executor=Elsewhere(lambda key, time: None)))


def test_a_stop_leaves_cells_at_work_resumable(tmp_path: Path) -> None:
    asked = grid({"seed": [0, 1, 2]}, training={**BASE["training"], "steps": 200_000})
    wish = threading.Event()

    def watch(standing: Standing) -> None:
        if len(standing.running) == 1 and max(standing.running.values()) > 0.0:
            wish.set()

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyboardInterrupt):
        list(run_cells(asked, out=tmp_path, executor=pool, watch=watch, stop=wish.is_set))
    assert Store(tmp_path).finished() == []
    assert [path.parent.name for path in tmp_path.glob(".partial/*/checkpoint.safetensors")] == [asked[0].key]
    assert not list(tmp_path.glob(".partial/board.*"))


def test_a_cell_that_another_process_trains_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "PAUSE", 0.01)
    asked = grid({"seed": [0, 1]})
    pool = Scripted(lambda key, time: None)
    with Store(tmp_path).claim(asked[0].key):
        outcomes = run_cells(asked, out=tmp_path, executor=pool)
        run = dispatch.dispatch({c.key: c.config for c in asked}, out=tmp_path, executor=pool)
        assert next(run) == (asked[1].key, End.DONE, ""), "the other one goes on"
        assert (tmp_path / ".partial" / asked[0].key / "lock").exists(), "left to its holder"
    assert next(run) == (asked[0].key, End.DONE, "")
    assert pool.sent[asked[0].key] > 1
    assert [each.error for each in outcomes] == ["", ""]


def test_a_board_goes_while_a_worker_still_writes_on_it(tmp_path: Path) -> None:
    """As a worker does whose scheduler was lost."""
    over = threading.Event()

    def tell(board: Board) -> None:
        while not over.is_set():
            board.tell("cell", 0.5)

    for _ in range(100):
        over.clear()
        with ThreadPoolExecutor(1) as worker:
            with hung(tmp_path) as board:
                told = worker.submit(tell, board)
                until_told(board)
            over.set()
            told.result()
    assert not list((tmp_path / PARTIAL).iterdir())


def until_told(board: Board) -> None:
    while not board.shares():
        pass
