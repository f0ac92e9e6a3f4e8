"""``linrep lm``: a toy model is made, measured and steered through the command line; one line when wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from linrep.cli import execute

pytestmark = pytest.mark.usefixtures("elsewhere")

Ran = tuple[int, str, str]


def linrep(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    capsys.readouterr()
    code = execute([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real transformer, trained on the spot."""
    folder = tmp_path_factory.mktemp("lm") / "toy"
    assert execute(["lm", "toy", "--out", str(folder), "--quick", "--quiet", "--seed", "2"]) == 0
    return folder


@pytest.fixture(scope="module")
def measured(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It is measured at every layer, with its page."""
    out = tmp_path_factory.mktemp("lm") / "measured"
    asked = ["--pairs", toy / "pairs", "--contexts", toy / "contexts.jsonl", "--layer", "all"]
    words = ["lm", "measure", toy, *asked, "--draws", 200, "--out", out, "--quiet"]
    assert execute([str(word) for word in words]) == 0
    return out


@pytest.fixture(scope="module")
def result(measured: Path) -> dict[str, Any]:
    return json.loads((measured / "result.json").read_text())


def values(result: dict[str, Any], measure: str, **where: str) -> list[float]:
    return [
        row["value"]
        for row in result["rows"]
        if row["measure"] == measure and all(row[key] == value for key, value in where.items())
    ]


# --- the toy model, end to end ---


def test_planted_concepts_are_found_and_the_matching_one_comes_first(result: dict[str, Any]) -> None:
    ranks = values(result, "alignment_rank")
    assert len(ranks) == 5
    assert sum(rank == 1 for rank in ranks) >= 0.9 * len(ranks)
    assert values(result, "found", table="unembedding") == [1] * 5
    assert values(result, "found", table="embedding", layer="head") == [1] * 5
    assert values(result, "aligned") == [1] * 5


def test_where_and_beside_what_is_in_the_result(result: dict[str, Any]) -> None:
    assert result["where"]["layer"] == "head"
    assert result["where"]["layers"] == [0, 1, 2]
    assert result["where"]["token"] == "last"
    beside = {(r["model"], r["measure"], r["table"]): r["value"] for r in result["beside_tables"]["rows"]}
    for measure, table in (("linearity", "unembedding"), ("linearity", "embedding"), ("alignment", "")):
        assert beside["transformer", measure, table] > beside["tables", measure, table]


def test_the_page_says_what_the_numbers_say(measured: Path) -> None:
    text = (measured / "page.html").read_text()
    assert "5 of 5 concepts are directions in toy" in text
    assert "the matching direction comes first for 5 of 5 concepts" in text
    for figure in ("linearity", "overlap-causal", "alignment-heat", "depth-linearity", "beside-tables"):
        assert f'id="{figure}"' in text
    assert {path.name for path in measured.iterdir()} == {
        "result.json",
        "table.parquet",
        "table.csv",
        "page.html",
    }


def test_steering_moves_the_target_and_leaves_the_others(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path
) -> None:
    words = ("lm", "steer", toy, "--concept", "small-large", "--pairs", toy / "pairs", "--strength", "-3,3")
    prompts = ("--prompt", "the hot old thing is called a", "--prompt", "the dark item is known as a")
    code, out, err = linrep(capsys, *words, *prompts, "--json", "--out", tmp_path / "s")
    found = json.loads(out)
    assert code == 0
    assert found["target_shift_per_unit"] > 0.7
    assert found["other_to_target"] < 0.1
    assert err.startswith("linrep: loading toy: about")
    page = (tmp_path / "s" / "page.html").read_text()
    assert "The target&#39;s log-odds move." in page
    assert "Other concepts&#39; log-odds stay." in page
    code, out, _ = linrep(capsys, *words, "--prompt", "the [b]dark[/b] thing", "--quiet")
    assert (code, out) == (0, "")
    assert Path("lm-steered/page.html").is_file()


def test_pairs_alone_are_read_from_the_files_and_the_model_is_never_run(
    capsys: pytest.CaptureFixture[str], toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linrep.llm.measurement.load_model", None)
    monkeypatch.setattr("linrep.llm.loading.load_model", None)
    code, out, err = linrep(capsys, "lm", "measure", toy, "--pairs", toy / "pairs", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["model"]["kind"] == "weights only"
    assert found["table"]["read_from"] == "shards"
    assert err.startswith("linrep: reading one table of toy")
    assert err.endswith(f"page  {Path('lm-measured/page.html').resolve()}\n")
    assert Path("lm-measured/page.html").is_file()
    code, out, err = linrep(capsys, "lm", "measure", toy, "--pairs", toy / "pairs", "--json", "--quiet")
    assert json.loads(out) == found
    assert err == ""


def test_the_papers_figures_on_one_page(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path
) -> None:
    words = ("lm", "paper", toy, "--pairs", toy / "pairs", "--draws", 100)
    data = ("--contexts", toy / "contexts.jsonl", "--out", tmp_path / "p")
    code, out, err = linrep(capsys, *words, *data, "--json", "--figures", tmp_path / "f")
    found = json.loads(out)
    assert code == 0
    assert err.endswith(f"page  {(tmp_path / 'p' / 'page.html').resolve()}\n")
    for name in ("linearity", "alignment"):
        number = found["figures"][name]["number"]
        assert number["inner"] == "euclid"
        assert number["low"] > number["null_high"]
    assert found["figures"]["winograd"]["absent"].startswith("no Winograd pair has two referents")
    names = {
        f"{name}.{end}" for name in ("linearity", "overlap", "alignment") for end in ("pdf", "svg", "png")
    }
    assert {path.name for path in (tmp_path / "f").iterdir()} == names
    code, out, _ = linrep(capsys, *words, "--weights-only", "--out", tmp_path / "w", "--inner", "causal")
    assert code == 0
    assert "Not measured: the model was not run" in " ".join(out.split())
    assert (tmp_path / "w" / "page.html").is_file()


def test_words_on_a_terminal(capsys: pytest.CaptureFixture[str], toy: Path) -> None:
    code, out, _ = linrep(capsys, "lm", "measure", toy, "--pairs", toy / "pairs", "--inner", "euclid")
    assert code == 0
    assert "small-large" in out
    assert "5 of 5 concepts are one direction" in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("page  "))
    assert str(Path("lm-measured/page.html").resolve()) in out


def test_builtin_data_is_listed_and_counted(capsys: pytest.CaptureFixture[str], toy: Path) -> None:
    code, out, _ = linrep(capsys, "lm", "data", "--json")
    record = json.loads(out)
    assert code == 0
    assert len([each for each in record["concepts"] if each["pairs"] >= 30]) >= 20
    assert len([e for e in record["concepts"] if e["paired_contexts"] >= 50 and e["frames"] >= 10]) >= 6
    assert record["winograd"]["pairs"] >= 60
    assert all(each["provenance"] and each["licence"] for each in record["concepts"])
    code, out, _ = linrep(capsys, "lm", "data", "--json", "--tokenizer", toy)
    counted = json.loads(out)["concepts"]
    assert all(each["kept"] + sum(each["dropped"].values()) == each["pairs"] for each in counted)
    code, out, _ = linrep(capsys, "lm", "data")
    assert "male-female" in out


def test_geometry_by_width(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = (
        "lm",
        "toy",
        "--widths",
        "8,4",
        "--concepts",
        2,
        "--steps",
        3,
        "--quick",
        "--out",
        tmp_path / "w",
    )
    code, out, _ = linrep(capsys, *words, "--json", "--quiet")
    record = json.loads(out)
    assert code == 0
    assert record["widths"] == [4, 8]
    assert {row["model"] for row in record["rows"]} == {"transformer", "tables"}
    assert "Geometry by width" in (tmp_path / "w" / "page.html").read_text()


# --- what is wrong, in one line ---


def broken(toy: Path, folder: Path, name: str) -> Path:
    shutil.copytree(toy, folder / name)
    return folder / name


def nan_weights(toy: Path, folder: Path) -> list[object]:
    model = broken(toy, folder, "nan")
    weights = load_file(model / "model.safetensors")
    weights["lm_head.weight"][3, 4] = torch.nan
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    return ["measure", model, "--pairs", toy / "pairs"]


def cut_short(toy: Path, folder: Path) -> list[object]:
    model = broken(toy, folder, "cut")
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[:5000])
    return ["measure", model, "--pairs", toy / "pairs", "--contexts", toy / "contexts.jsonl"]


def pickled(toy: Path, folder: Path) -> list[object]:
    model = broken(toy, folder, "pickled")
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"")
    return ["measure", model, "--pairs", toy / "pairs"]


def one_column(toy: Path, folder: Path) -> list[object]:
    (folder / "[a - b].txt").write_text("king\tqueen\nman\n")
    return ["measure", toy, "--pairs", folder / "[a - b].txt"]


def no_folder(toy: Path, folder: Path) -> list[object]:
    return ["measure", folder / "nothing", "--pairs", toy / "pairs"]


def no_model(toy: Path, folder: Path) -> list[object]:
    return ["measure", folder, "--pairs", toy / "pairs"]


def steer_unknown(toy: Path, folder: Path) -> list[object]:
    del folder
    return ["steer", toy, "--concept", "x", "--prompt", "the", "--pairs", toy / "pairs"]


def steer_words(toy: Path, folder: Path) -> list[object]:
    del folder
    return ["steer", toy, "--concept", "old-new", "--prompt", "the", "--strength", "much"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_folder, "no such folder"),
        (no_model, "expected a model folder with config.json"),
        (lambda toy, folder: ["measure", toy, "--pairs", folder / "none"], "none: no such file"),
        (one_column, "[a - b].txt:2: expected two words separated by a tab, got 'man'"),
        (lambda toy, folder: ["measure", toy], "keeps 4 of 2226 pairs"),
        (pickled, "pickled"),
        (lambda toy, folder: ["paper", toy, "--weights-only", "--contexts", "a.jsonl"], "--weights-only"),
        (cut_short, "model.safetensors is cut short"),
        (nan_weights, "lm_head.weight holds NaN"),
        (lambda toy, folder: ["measure", toy, "--layer", "1"], "--contexts"),
        (lambda toy, folder: ["measure", toy, "--inner", "l2"], "--inner"),
        (lambda toy, folder: ["measure", toy, "--device", "abacus"], "--device: 'abacus'"),
        (lambda toy, folder: ["toy", "--out", toy], "holds something"),
        (lambda toy, folder: ["toy", "--out", folder / "w", "--widths", "8,x"], "--widths"),
        (steer_unknown, "expected one of"),
        (steer_words, "--strength: expected numbers"),
        (lambda toy, folder: ["measure", toy, "--shrinkage", "1"], "--shrinkage"),
        (lambda toy, folder: ["measure", toy, "--out", "/proc/nowhere"], "choose another place"),
    ],
)
def test_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], toy: Path, tmp_path: Path, make: Any, said: str
) -> None:
    given = make(toy, tmp_path)
    given += [] if "--out" in given else ["--out", tmp_path / "unborn" / "folder"]
    code, out, err = linrep(capsys, "lm", *given, "--json", "--quiet")
    assert not (tmp_path / "unborn").exists()
    last = err.strip().splitlines()[-1]
    assert code == 2
    assert out == ""
    assert last.startswith("linrep: error: ")
    assert said in last
    assert "Traceback" not in err


def test_a_model_of_the_hub_that_is_not_at_hand_offline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = linrep(capsys, "lm", "measure", "nobody/has-this-model")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "hf download nobody/has-this-model" in err
