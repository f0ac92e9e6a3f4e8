"""``linrep lm emergence`` through the command line; one line when wrong, before anything is measured."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from linrep.cli import execute
from linrep.llm.toy import make_toy

Ran = tuple[int, str, str]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emergence") / "toy"
    words = ["lm", "toy", "--out", str(folder), "--checkpoints", "4", "--frequency-ratio", "4", "--quiet"]
    words += ["--concepts", "4", "--world", "balanced", "--hidden", "8", "--layers", "1", "--heads", "1"]
    assert execute([*words, "--steps", "80"]) == 0
    return folder


def linrep(capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
    capsys.readouterr()
    code = execute(["lm", "emergence", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def given(toy: Path, out: Path) -> list[object]:
    return ["--pairs", toy / "pairs", "--minimum-pairs", 8, "--draws", 50, "--no-laboratory", "--out", out]


def test_a_history_from_its_folder_or_its_folders(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path
) -> None:
    code, out, err = linrep(capsys, toy, *given(toy, tmp_path), "--counts", toy / "counts.csv", "--json")
    whole = json.loads(out)
    assert code == 0
    assert [each["step"] for each in whole["checkpoints"]] == [0, 32, 51, 80]
    assert err.strip().splitlines()[-1] == f"page  {(tmp_path / 'page.html').resolve()}"
    folders = sorted(toy.glob("step*"))
    code, out, err = linrep(capsys, *folders, *given(toy, tmp_path), "--counts", toy / "counts.csv", "--json")
    assert json.loads(out) == whole
    assert "measuring" not in err
    code, out, _ = linrep(capsys, toy, "--revisions", "step0,step80", *given(toy, tmp_path))
    assert code == 0
    assert "concepts have emerged" in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines()[:-1])
    assert out.splitlines()[-1].startswith("page  ")


def test_tokens_stand_on_the_axis_where_a_step_says_how_many(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path
) -> None:
    code, out, _ = linrep(capsys, toy, *given(toy, tmp_path), "--tokens-per-step", 1000, "--json")
    assert code == 0
    assert [each["tokens"] for each in json.loads(out)["checkpoints"]] == [0, 32000, 51000, 80000]
    assert "tokens read" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["owner/name"], "--revisions step0,step512"),
        (["{toy}", "--revisions", ","], "--revisions: expected names"),
        (["{toy}", "--revision", "main"], "--revision: expected several"),
        (["{toy}", "--steps", "1,2"], "steps: expected one for each of 4 checkpoints, got 2"),
        (["{toy}", "--steps", "0,1.5,2,3"], "--steps: expected whole numbers"),
        (["{toy}", "--layer", "all"], "--contexts"),
        (["{toy}/step0"], "expected folders such as step0"),
        (["{toy}/step0", "{toy}/nothing-step8"], "no such folder"),
        (["{toy}", "--counts", "{toy}/nothing.csv"], "nothing.csv: no such file"),
        (["{toy}", "--counts", "{toy}/config.json"], "expected how often"),
    ],
)
def test_one_line_when_wrong(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    filled = [word.replace("{toy}", str(toy)) for word in words]
    code, out, err = linrep(capsys, *filled, *given(toy, tmp_path / "unborn"), "--quiet")
    assert (code, out) == (2, "")
    (line,) = err.strip().splitlines()
    assert line.startswith("linrep: error: ")
    assert said in line


def test_checkpoints_are_of_one_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words: list[Any] = ["lm", "toy", "--out", str(tmp_path / "w"), "--widths", "8,16", "--checkpoints", "4"]
    assert execute(words) == 2
    assert "--checkpoints: expected one model, got --widths" in capsys.readouterr().err


def test_a_toy_tells_of_its_checkpoints(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "t"
    sizes = {"concepts": 2, "hidden": 8, "layers": 1, "heads": 1}
    report = make_toy(folder, seed=0, steps=4, checkpoints=3, **sizes)
    from linrep.cli.views.toy import show_model

    show_model(report)
    said = capsys.readouterr().out
    assert said.count("linrep lm") == 1
    words = shlex.split(said.partition("next: ")[2].replace("\\\n", " "))
    asked = ["--pairs", folder / "pairs", "--contexts", folder / "contexts.jsonl"]
    asked += ["--counts", folder / "counts.csv", "--out", f"{folder}-emergence"]
    assert words == ["linrep", "lm", "emergence", *map(str, [folder, *asked])]
