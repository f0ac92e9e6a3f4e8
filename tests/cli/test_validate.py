"""Validate says what a file is and whether it can be used, and does nothing else."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from linrep.cli import execute
from linrep.cli.validate import validate
from linrep.laboratory.run import run
from linrep.runs.store import Store
from linrep.runs.toml import load
from linrep.worlds.network_file import network_path

CONFIG = """
runs = 2
world = { kind = "random", concepts = 3 }
training = { steps = 10, snapshots = 3, step_size = 0.5 }
measure = { bootstrap = 100, null_draws = 2 }
compute = { threads = 1 }
"""
SWEEP = f"""
[base]
{CONFIG}
[axes]
"model.dim" = [2, 3]
"world.concepts" = [2, 3]
[quick]
axes = {{ "model.dim" = [1, 2] }}
"""
WHOLE = {
    "sweep.toml": (SWEEP, "sweep", "4 cells, 4 with --quick"),
    "pairs.tsv": ("king\tqueen\nman\twoman\n", "word pairs", "2 pairs, 1 concept"),
    "pairs.csv": ("concept,low,high\na,x,y\nb,x,y\n", "word pairs", "2 pairs, 2 concepts"),
    "vectors.csv": ("id,x,y\na,1,2\nb,3,4\n", "vectors", "2 rows of 2 numbers"),
    "table.csv": ("id,sex\na,f\nb,m\n", "attributes", "2 rows, 2 columns"),
    "text.jsonl": (
        json.dumps({"text0": "a b", "text1": "a c", "options": ["x", "y"], "answers": [0, 1]}),
        "Winograd pairs",
        "1 pair",
    ),
}
BROKEN = {
    "config.toml": ("runs = 0\nworld = { kind = 'chain', concepts = 3 }", "runs"),
    "large.toml": ("world = { kind = 'chain', concepts = 16 }", "344,373,768 bytes"),
    "huge.toml": ("world = { kind = 'tables', variables = ["
                  + ", ".join(f"{{ name = 'v{i}', table = [[0.5, 0.5]] }}" for i in range(9500)) + "] }",
                  "9500 variables and about 10^4532 contexts, too many to enumerate; keep some of them"),
    "list.toml": (f"{CONFIG}\ncontexts = {{ kind = 'list', contexts = ['4??'] }}", "unknown state '4'"),
    "cell.toml": (SWEEP.replace('"model.dim" = [2, 3]', '"model.dim" = [2, "x"]'), "model.dim = x"),
    "twice.toml": (SWEEP.replace('"world.concepts" = [2, 3]', '"output.checkpoint_seconds" = [2.0, 3.0]'),
                   "varies nothing"),
    "quick.toml": (SWEEP.replace("[1, 2]", "[]"), "has no values"),
    "pairs.tsv": ("king queen\n", "separated by a tab"),
    "network.bif": ("network x { }", "with variables"),
    "vectors.csv": ("x,y\n1,2\n3,nan\n", "finite"),
    "what.exe": ("", "expected a folder or one of"),
    "what": ("", "got a name without an ending"),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_is_named(name: str, tmp_path: Path) -> None:
    text, kind, about = WHOLE[name]
    (tmp_path / name).write_text(text)
    found = validate(tmp_path / name)
    assert (found.error, found.kind, found.about) == (None, kind, about)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_one_line(name: str, tmp_path: Path) -> None:
    text, words = BROKEN[name]
    (tmp_path / name).write_text(text)
    found = validate(tmp_path / name)
    assert found.error is not None
    assert words in found.error
    assert str(tmp_path / name) in found.error
    assert "\n" not in found.error


def test_a_config_and_its_run_have_one_key_until_the_run_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    named = validate(path)
    result = run(load(path), out=tmp_path / "runs")
    assert result.folder is not None
    found = validate(result.folder)
    assert (found.kind, found.error, found.key) == ("run", None, named.key == result.key and named.key)
    for name in ("tables.safetensors", "trace.parquet", "result.json", "worlds.json"):
        content = (result.folder / name).read_bytes()
        (result.folder / name).write_bytes(content[:-9] + b"x" + content[-8:])
        assert name in str(validate(result.folder).error)
        (result.folder / name).write_bytes(content)
    assert validate(result.folder).error is None


def test_what_a_sweep_writes_beside_its_runs_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "runs"
    path.write_text(SWEEP.split("[axes]")[0] + "[axes]\nseed = [1, 2]")
    assert execute(["sweep", str(path), "--out", str(out), "--figures", str(out), "--quiet"]) == 0
    files = sorted(out.glob("[!.]*"))
    assert execute(["validate", *map(str, files)]) == 0
    lines = dict(line[5:].split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines.pop(str(out / "thumbnails")) == "a folder of figures, 1 in it, not checked"
    runs = {str(each) for each in files if each.is_dir() and each.name != "thumbnails"}
    assert len(runs) == 2
    assert all(lines.pop(each).startswith("run, 2 runs") for each in runs)
    assert lines == {
        str(out / "s.answer.json"): "a sweep's answer, not checked",
        str(out / "s.csv"): "a sweep's numbers, not checked",
        str(out / "s.html"): "a page, not checked",
        **{str(out / f"s.{kind}"): "a figure, not checked" for kind in ("pdf", "png", "svg")},
    }
    (out / "s.html").write_text("")
    found = validate(out / "s.html")
    assert (found.skipped, found.error, found.line[:5]) == (True, None, "skip ")


def test_what_a_run_and_a_sweep_left_are_not_taken_for_word_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "s.toml", tmp_path / "runs"
    path.write_text(SWEEP.split("[axes]")[0] + "[axes]\nseed = [1]")
    assert execute(["sweep", str(path), "--out", str(out), "--quiet"]) == 0
    (key,) = Store(out).finished()
    parts = [out / key / name for name in ("config.json", "worlds.json", "result.json", "provenance.json")]
    for name in ("s.HTML", "s.SVG", "s.PDF", "s.CSV"):
        (out / name).write_text("")
    capsys.readouterr()
    named = [out, *parts, *(out / name for name in ("s.HTML", "s.SVG", "s.PDF", "s.CSV"))]
    assert execute(["validate", *map(str, named)]) == 0
    kinds = [
        "a folder of runs, 1 in it",
        *["part of a run"] * 4,
        "a page",
        "a figure",
        "a figure",
        "a sweep's numbers",
    ]
    assert capsys.readouterr().out.splitlines() == [
        f"skip {each}: {kind}, not checked" for each, kind in zip(named, kinds, strict=True)
    ]
    for left in ("result.json", "provenance.json"):
        (out / key / left).unlink()
        assert validate(out / key).error == (
            f"{out / key / left}: cannot be read (No such file or directory); run again with --force"
        )
    (tmp_path / "config.json").write_text('{"a": [["king", "queen"]]}')
    assert validate(tmp_path / "config.json").kind == "word pairs"


@pytest.mark.parametrize("name", ["nofile", "nodir/run1", "no.toml", "no.bif", "no.csv", "no.html"])
def test_what_is_not_there_is_said_so(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert validate(path).error == f"{path}: no such file or folder; check the path"


def test_nothing_large_is_built(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("runs = 10000\nworld = { kind = 'random', concepts = 13 }\nmodel = { dim = 4 }")
    found = validate(path)
    assert (found.error, found.key) == (None, None)
    assert found.about == "10,000 runs, 13 concepts, 1,594,323 contexts, not built"


def test_several_files_go_on_after_a_bad_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text("[")
    np.save(tmp_path / "v.npy", np.eye(3))
    os.mkfifo(tmp_path / "pipe.toml")
    files = [str(tmp_path / name) for name in ("bad.toml", "v.npy", "pipe.toml", "nowhere.bif")]
    assert execute(["validate", *files, str(network_path("asia"))]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines] == ["bad ", "ok  ", "bad ", "bad ", "ok  "]
    assert execute(["validate", "--json", *files]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [each["error"] is None for each in found] == [False, True, False, False]
    assert execute(["validate", str(network_path("asia"))]) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.toml", "pipe.toml", "v.npy"]


def test_the_folder_of_a_toy_model_is_one(tmp_path: Path) -> None:
    model = {"names": ["a"], "states": [["no", "yes"]], "parents": [[]], "tables": [[0.5, 0.5]]}
    tokens = [
        {"word": word, "code": [code], "probability": 0.5} for code, word in enumerate(("man", "woman"))
    ]
    world = {"model": model, "tokens": tokens, "contexts": []}
    row = {"concept": "a", "frame": "f", "context0": "he is", "context1": "she is", "word0": "man",
           "word1": "woman"}  # fmt: skip
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "[no - yes].txt").write_text("man\twoman\n")
    (tmp_path / "contexts.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "counts.csv").write_text("word,count\nman,2\n")
    (tmp_path / "world.json").write_text(json.dumps(world))
    found = validate(tmp_path)
    assert (found.error, found.kind) == (None, "a toy model")
    assert found.about == "1 concept, 2 words, 1 word pair, 1 paired context"
    (tmp_path / "world.json").write_text("{}")
    assert "expected a toy model's world" in str(validate(tmp_path).error)
