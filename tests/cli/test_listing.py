"""linrep runs: which columns, in how much room."""

from pathlib import Path

import pyarrow as pa
import pytest

from linrep.cli import execute
from linrep.cli.views.listing import FIRST_TO_GO, LISTED, listing
from linrep.errors import InputError
from linrep.runs.index import RunTable
from tests.runs.test_index import add_run


def table(key: str = "random-k2-gd-0123456789ab") -> RunTable:
    columns: dict[str, list[object]] = {
        name: [2, 0.123456] for title, name in LISTED.items() if title not in ("run", "optim.", "ended")
    }
    return pa.table(
        columns
        | {
            "run": [key, "a"],
            "training.optimizer": ["gd", "newton"],
            "counts.runs": [20, 4],
            "ended.shares.converged": [0.6, 1.0],
            "ended.shares.on_a_plateau": [0.3, 0.0],
            "ended.shares.unfinished": [0.1, 0.0],
            "seed": [7, None],
        }
    )


def test_without_a_width_everything_is_shown() -> None:
    head, first, second = listing(table())
    assert head.split("  ")[0] == "run"
    assert [title for title in LISTED if title not in head] == []
    assert first.endswith("12 converged, 6 on a plateau, 2 unfinished")
    assert second.endswith("converged")
    assert "0.123 " in second


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize(
    "key", ["random-k2-gd-0123456789ab", "a-network-of-a-long-name-k12-newton-0123456789ab"]
)
def test_lines_fit_and_what_matters_least_goes_first(width: int, key: str) -> None:
    lines = list(listing(table(key), width=width))
    assert max(map(len, lines)) <= width
    name = key.partition("-k")[0]
    assert lines[1].startswith((f"{name} 0123  ", f"{name[:12]}"))
    assert "0123  " in lines[1]
    shown = [title for title in FIRST_TO_GO if f" {title} " in f"{lines[0]} "]
    assert shown == list(FIRST_TO_GO[len(FIRST_TO_GO) - len(shown) :])
    if width >= 80:
        wanted = ("k", "optim.", "lin g", "align", "excess", "ended")
        assert all(f" {title}" in lines[0] for title in wanted)
        assert lines[1].endswith("12/20 converged")
    if width >= 100 or len(key) < 30:
        assert (" steps" in lines[0]) == (width >= 80)
    if width == 200:
        assert len(shown) == len(FIRST_TO_GO)
    if width == 60:
        assert len(shown) < len(FIRST_TO_GO)


def test_what_was_asked_about_is_shown_whatever_the_width() -> None:
    asked = ("seed", "counts.tokens")
    head = next(iter(listing(table(), asked, width=80)))
    assert " seed " in head
    assert " tokens " in head


def test_columns_are_those_asked_for_in_that_order() -> None:
    assert list(listing(table(), columns="k, run,ended,seed,k", width=10)) == [
        "k      run                        ended                                       seed",
        "2      random-k2-gd-0123456789ab  12 converged, 6 on a plateau, 2 unfinished  7",
        "0.123  a                          converged                                   —",
    ]


@pytest.mark.parametrize("wrong", ["tokns", "colour", "", "k,,m"])
def test_an_unknown_column_is_answered_with_what_there_is(wrong: str) -> None:
    with pytest.raises(InputError, match="there are run, m, k, ") as caught:
        list(listing(table(), columns=wrong))
    assert ("did you mean 'tokens'?" in str(caught.value)) == (wrong == "tokns")


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(tmp_path, "chain-k4-gd-1", dim=4)
    command = ["runs", "--out", str(tmp_path)]
    assert execute(command) == 0
    head, first = capsys.readouterr().out.splitlines()
    assert (head.split(), first.split()[:4]) == (
        ["run", "m", "k", "optim.", "steps", "lin", "g", "ended"],
        ["chain-k4-gd-1", "3", "4", "sgd"],
    )
    assert first.endswith("not judged")
    assert execute([*command, "--columns", "k"]) == 0
    assert capsys.readouterr().out == "k\n4\n"
    for wrong in (["--columns", "colour"], ["--columns", "k", "--json"], ["--columns", "k", "--csv", "-"]):
        assert execute([*command, *wrong]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    assert execute(command) == 0
    said = capsys.readouterr()
    over, *lines = said.out.splitlines()
    assert over == f"1 run in {tmp_path}, medians over seeds"
    assert max(map(len, lines)) <= 30
    assert said.err.startswith("next: linrep report ")


def test_a_folder_given_as_an_argument_is_told_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my runs"
    folder.mkdir()
    assert execute(["runs", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"linrep: error: linrep runs: expected a folder after --out, got it alone; write --out '{folder}'\n"
    )
    assert execute(["runs", str(tmp_path / "nowhere")]) == 2
    assert "--out" not in capsys.readouterr().err


def test_no_default_is_cut_on_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert execute(["runs", "--help"]) == 0
    said = capsys.readouterr().out
    assert "final.linearity.unembedding.median" in said
    assert "…" not in said
