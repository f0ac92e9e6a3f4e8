"""``linrep predict`` and ``linrep claims``: JSON shape, tables, and one line for every mistake."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from linrep import cli
from linrep.cli import theory
from linrep.cli.theory import PRINTED
from linrep.cli.views.theory import show_ledger
from linrep.paper.claims import ledger as ledger_module
from linrep.paper.claims.ledger import Ledger
from linrep.paper.claims.verdict import Claim, Estimate, Rule, Trial


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    theory.register(app)
    monkeypatch.setattr(cli, "app", app)


def predict(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.execute(["predict", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_has_exactly_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--concepts", "3"],
        ["--concepts", "3", "--dim", "2"],
        ["--concepts", "4", "--dim", "5"],
    ):
        found = predict(capsys, *arguments)
        assert tuple(found) == PRINTED
        assert set(found["linearity"]) == {"embedding", "unembedding"}
    found = predict(capsys, "--concepts", "3")
    assert found["singular_values"][0] == {
        "degree": 1,
        "value": pytest.approx(3.049, abs=1e-3),
        "multiplicity": 3,
    }
    assert set(found["certificate"]) == {"primal", "dual", "relative_gap"}
    assert found["certificate"]["relative_gap"] < 1e-6


@pytest.mark.parametrize(
    ("arguments", "status", "linearity"),
    [
        (["--concepts", "4", "--dim", "3"], "unreachable", None),
        (["--concepts", "4", "--dim", "4"], "additive_not_proven_optimal", 1.0),
        (["--concepts", "4", "--dim", "9"], "no_convex_prediction", None),
        (["--concepts", "4", "--dim", "14"], "optimal", pytest.approx(0.175, abs=1e-3)),
        (["--concepts", "5", "--known", "1", "2"], "optimal", pytest.approx(1.0)),
    ],
)
def test_width_decides(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: str, linearity: object
) -> None:
    found = predict(capsys, *arguments)
    assert found["status"] == status
    assert found["linearity"]["unembedding"] == linearity
    assert (found["objective"] is None) == (linearity is None)


def test_a_config_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.toml"
    path.write_text('model.dim = 7\n[world]\nkind = "chain"\nconcepts = 3\n')
    found = predict(capsys, "--config", str(path))
    price = found.pop("price_of_linearity")
    assert 0 < price["nats"] < 0.1
    assert (price["width"], price["closed_form"]) == (3, True)
    symmetric = predict(capsys, "--concepts", "3", "--dim", "7")
    assert symmetric.pop("price_of_linearity") is None
    assert found.pop("least_excess") == {
        "dim": 7,
        "verdict": "wide enough",
        "floor_nats": 0.0,
        "witnesses": [],
        "construction": "additive",
    }
    assert symmetric.pop("least_excess") is None
    assert found == symmetric
    narrow = predict(capsys, "--config", str(path), "--dim", "2")
    assert narrow["status"] == "unreachable"
    assert narrow["least_excess"]["verdict"] == "too narrow"
    assert narrow["least_excess"]["floor_nats"] > 1e-3
    assert len(narrow["least_excess"]["witnesses"]) == 4
    assert predict(capsys, "--config", str(path), "--dim", "3")["least_excess"]["verdict"] != "wide enough"


def test_the_table_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["predict", "--concepts", "2"]) == 0
    said = capsys.readouterr().out
    assert "4.464" in said
    assert "singular value, degree 1" in said
    assert "price" not in said


def test_the_price_of_a_network_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cancer.toml"
    path.write_text('model.dim = 5\n[world]\nkind = "network"\nnetwork = "cancer"\n')
    assert cli.execute(["predict", "--config", str(path)]) == 0
    said = capsys.readouterr().out
    assert "0.009262" in said
    assert "least excess (nats)" in said
    assert "not decided" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected --concepts M or --config CONFIG.toml, got neither"),
        (["--concepts", "3", "--config", "x.toml"], "got both"),
        (["--config", "x.toml", "--known", "1", "2"], "the config names its contexts"),
        (["--config", "missing.toml"], "no such file"),
        (["--concepts", "0"], "concepts: expected 1 to"),
        (["--concepts", "99"], "concepts: expected 1 to"),
        (["--concepts", "3", "--dim", "0"], "dim: expected at least 1"),
        (["--concepts", "3", "--known", "2", "1"], "known: expected A B"),
        (["--concepts", "3", "--known", "0", "0"], "known: expected A B"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert cli.execute(["predict", *arguments]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert words in heard.err
    assert heard.err.count("\n") == 1


def test_a_program_too_large_says_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "asia.toml"
    path.write_text('model.dim = 64\n[world]\nkind = "network"\nnetwork = "asia"\n')
    assert cli.execute(["predict", "--config", str(path)]) == 2
    assert "5103 contexts × 128 tokens" in capsys.readouterr().err


def test_claims_prints_json_alone_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "CLAIMS", ())
    out = tmp_path / "claims"
    assert cli.execute(["claims", "--quick", "--json", "--quiet", "--out", str(out)]) == 0
    heard = capsys.readouterr()
    assert heard.err == ""
    assert json.loads(heard.out)["scale"] == "quick"
    assert (out / "claims.html").is_file()
    assert cli.execute(["claims", "--quick", "--out", str(out)]) == 0
    assert "claims.html" in capsys.readouterr().out.replace("\n", "")


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.execute(["claims", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_ledger_has_a_sentence_a_line_for_each_claim_and_trial_and_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rule = Rule(kind="at least", bound=0.95, target=1.0)
    good, bad = (Estimate(mean=m, interval95=(m - 0.01, m + 0.01), seeds=20) for m in (0.98, 0.3))
    long = "trained tables against the separator of another run, from wide starts"
    test = Trial(name=long, quantity="linearity of g", experiments=("narrow",), measured=good, rule=rule)
    told = {"short": "s", "statement": "Concepts become directions."}
    control = replace(test, name="k ≫ m", measured=bad).control(breaks="k = m")
    holds = Claim(id="C1", title="One holds", trials=(test, control), **told)
    fails = Claim(id="C2", title="One fails", trials=(replace(test, measured=bad),), **told)
    show_ledger(Ledger(scale="tiny", claims=(holds, fails), configs={}))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "1 of 2 claims hold, 1 fails."
    assert any(line.split()[:4] == ["C1", "holds", "One", "holds"] for line in lines)
    assert sum(line.startswith(("C1.1 ", "C1.2 ", "C2.1 ")) for line in lines) == 3


def test_of_many_singular_values_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["predict", "--concepts", "9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The limit at a width of at least its rank ")
    assert sum(line.startswith("singular value, degree") for line in lines) == 4
    assert [line.split()[0] for line in lines if "more singular values" in line] == ["5"]
