"""``linrep measure``: one JSON object, one folder, one line when something is wrong."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from typer.testing import CliRunner

from linrep.cli import vectors
from linrep.errors import InputError
from tests.vectors.planted import additive, grid, named, rng

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    codes = grid((2, 2), copies=20)
    table = additive(codes, 2 * torch.eye(2, 6), 0.3)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=rng(), dtype=torch.float64))[0]
    ids = [f"item{row}" for row in range(80)]
    pd.DataFrame(table.numpy()).rename(columns=str).assign(key=ids).to_csv(tmp_path / "v.csv", index=False)
    given = pd.DataFrame({"key": ids, **named(codes), "who<b>": ["x", "y"] * 40})
    given.to_csv(tmp_path / "a.csv", index=False)
    np.savez(tmp_path / "o.npz", vectors=(table @ turn).numpy(), key=np.array(ids))
    return tmp_path / "v.csv", tmp_path / "a.csv", tmp_path / "o.npz"


def app() -> typer.Typer:
    made = typer.Typer()
    vectors.register(made)
    return made


def run(*arguments: object) -> tuple[int, str, str]:
    found = CliRunner().invoke(app(), [str(each) for each in arguments])
    if isinstance(found.exception, InputError):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


def test_json_is_one_object_and_notes_go_to_stderr(files: tuple[Path, Path, Path]) -> None:
    measured, given, other = files
    code, out, err = run(
        measured, "-a", given, "--id", "key", "-c", "a", "-c", "b", "--other", other, "--json"
    )
    record = json.loads(out)
    assert code == 0
    assert [each["found"] for each in record["concepts"]] == [True, True]
    assert record["transfer"]["concepts"]["a"]["mapped"] > 0.8
    assert record["attributes"]["joined_by"] == "id"
    assert err == (
        f"linrep: rows were joined by id: 80 are measured, 0 of {measured} and 0 of {given} have no partner\n"
        f"page  {Path('measured/page.html').resolve()}\n"
    )
    assert Path("measured/page.html").is_file()


def test_folder_and_page(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    measured, given, other = files
    out = tmp_path / "out"
    code, text, err = run(measured, "-a", given, "--id", "key", "--other", other, "--out", out)
    assert code == 0
    assert "carried" in text
    assert {path.name for path in out.iterdir()} == {
        "result.json", "table.csv", "table.parquet", "map.parquet", "page.html"
    }  # fmt: skip
    page = (out / "page.html").read_text()
    assert "who<b>" not in page
    assert "who&lt;b&gt;" in page
    for part in ("Map by concept axes", "Overlap", "Anomalies", "Carried over", "item"):
        assert part in page
    assert "too few" in err  # who goes with b: no pair differs in it alone


def test_seed_and_axes_and_quiet(files: tuple[Path, Path, Path]) -> None:
    measured, given, _ = files
    code, out, err = run(
        measured, "-a", given, "--id", "key", "--axis", "b", "--axis", "a", "--seed", 3, "-q"
    )
    assert (code, out, err) == (0, "", "")
    assert Path("measured/page.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--id", "nobody"], "no column 'nobody'"),
        (["--id", "key", "--inner", "round"], "inner: expected"),
        (["--id", "key", "--column", "age"], "no attribute 'age'"),
        ([], "column 'key' is not numeric"),
        (["--id", "key", "--other", "none.npz"], "no such file"),
    ],
)
def test_wrong_input_is_one_line(files: tuple[Path, Path, Path], arguments: list[str], words: str) -> None:
    measured, given, _ = files
    with pytest.raises(InputError, match=words) as caught:
        run(measured, "-a", given, *arguments)
    assert "\n" not in str(caught.value)


def test_a_file_in_the_way_of_the_folder(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    measured, given, _ = files
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        run(measured, "-a", given, "--id", "key", "-c", "a", "--out", tmp_path / "out")
