"""What is shown of work under way: only where told, with the time left, and gone when it is done."""

import io
import re
import sys
import threading
import time

import pytest
import typer

from linrep import progress
from linrep.progress import clock, counted, counting_bar, stage, told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A screen of 80 columns in the place of stderr; in the test, for pytest puts its own there before."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return screen


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    monkeypatch.setattr(progress, "LINES_SECONDS", -1.0)
    return capsys


def plain(screen: io.StringIO) -> list[str]:
    """What stood on the screen at any time, without the codes that put it there."""
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    return [line for line in re.split(r"[\r\n]", drawn) if line]


def wait_for(screen: io.StringIO, words: str) -> None:
    """Until the thread that draws has drawn them."""
    began = time.monotonic()
    while words not in screen.getvalue() and time.monotonic() - began < 60:
        time.sleep(0.02)


def test_work_that_nobody_is_told_of_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with stage("solving") as advance:
        advance(1, 2)
    assert list(counted([3, 4], "items")) == [3, 4]
    with told(quiet=True) as look, stage("solving"):
        assert look is None
    assert terminal.getvalue() == ""


def test_a_terminal_shows_every_stage_with_counts_and_time_left_in_80_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = on_terminal(monkeypatch)
    with told(), stage("outer"), stage("solving " + "for long " * 9) as advance:
        advance(0, 40, "cell " * 30)
        advance(10, 40, "cell " * 30)
        wait_for(terminal, "10/40")
    shown = plain(terminal)
    assert any(line.startswith("outer") for line in shown)
    (solving, *_) = [line for line in shown if line.startswith("solving") and "10/40" in line]
    assert re.search(r"\d:\d\d left", solving)
    assert max(map(len, shown)) <= 80


def test_short_work_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    with told(), stage("solving"):
        wait_for(terminal, "\x1b[?25l")  # the cursor is hidden: drawing has begun
    assert "solving" not in terminal.getvalue()


def test_what_is_printed_after_the_work_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = on_terminal(monkeypatch)
    with told():
        with stage("solving"):
            typer.echo("within")
        typer.echo("after " * 40)
    assert capsys.readouterr().out == "within\n" + "after " * 40 + "\n"
    assert "solving" in terminal.getvalue()
    assert "after" not in terminal.getvalue()


def test_a_file_gets_a_line_at_times(lines: pytest.CaptureFixture[str]) -> None:
    with told(), stage("solving") as advance:
        advance(1, 4, "cell a")
        time.sleep(0.02)
        advance(2, 4, "cell b")
    said = lines.readouterr().err.splitlines()
    assert said[0] == "solving: 0:00"
    assert "solving: 1/4, cell a, 0:00" in said
    assert said[-1] == "solving: 2/4, cell b, 0:00 left"


def test_nobody_hears_of_it_twice_and_a_second_thread_not_at_all(lines: pytest.CaptureFixture[str]) -> None:
    with told(), counting_bar("models") as advance:
        assert advance is not None
        lines.readouterr()
        advance(1, 2)
        thread = threading.Thread(target=lambda: list(counted([1], "elsewhere")))
        thread.start()
        thread.join()
    said = lines.readouterr().err.splitlines()
    assert said == ["models: 1/2, 0:00"]


def test_the_time_left_follows_the_pace_and_not_what_was_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    work = progress._Work("training", began=100.0)  # pyright: ignore[reportPrivateUsage]
    now[0] = 130.0  # reading the last checkpoint
    work.advance(5000, 10_000)
    assert work.time == clock(30.0)
    now[0] = 140.0
    work.advance(6000, 10_000)
    assert work.time == "0:40 left"


def test_an_error_takes_the_bar_away(lines: pytest.CaptureFixture[str]) -> None:
    with told() as look:
        assert look is not None
        with pytest.raises(ValueError, match="wrong"), stage("solving"):
            raise ValueError("wrong")
        lines.readouterr()
        look()
    assert lines.readouterr().err == ""
