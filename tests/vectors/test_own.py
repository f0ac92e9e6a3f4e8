"""``linrep measure`` on runs and on tables of one's own: what ``linrep.measure`` says of the same numbers."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

import linrep
from linrep.errors import InputError
from tests.cli.test_vectors import run

pytestmark = pytest.mark.usefixtures("elsewhere")

CUBE = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])
F, G = np.random.default_rng(0).normal(size=(2, 8, 5))
PAIRS = {"sex": [[0, 4], [1, 5], [2, 6]], "age": [[0, 1], [2, 3]]}


def said(*arguments: object) -> dict:
    code, out, _ = run(*arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_the_folder_of_a_run_is_measured_as_the_run_was(tmp_path: Path) -> None:
    result = linrep.run(world="cancer", runs=4, seed=3, training={"steps": 20}, out=tmp_path)
    for path in (result.folder, result.folder / "tables.safetensors"):
        measures = said(path)["measures"]
        assert measures["linearity.unembedding"] == result.summary.final.linearity["unembedding"].as_dict()
        assert measures["alignment"] == result.summary.final.alignment.as_dict()
        assert measures["margin"]["mean"] == result.summary.margin.mean


def test_two_tables_by_attributes_pairs_or_a_world(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", F)
    np.save(tmp_path / "g.npy", G)
    save_file({"embedding": F, "unembedding": G}, tmp_path / "both.safetensors")
    pd.DataFrame(CUBE, columns=["a", "b", "c"]).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "p.json").write_text(json.dumps(PAIRS))
    wanted = linrep.measure(F, G, codes=CUBE, names=["a", "b", "c"]).json()
    assert said(tmp_path / "both.safetensors", "-a", tmp_path / "a.csv") == wanted
    assert said(tmp_path / "f.npy", "-g", tmp_path / "g.npy", "-a", tmp_path / "a.csv") == wanted
    by_pairs = said(tmp_path / "g.npy", "--pairs", tmp_path / "p.json")
    assert by_pairs == linrep.measure(G, pairs=PAIRS).json()
    assert by_pairs["measures"]["linearity.unembedding"]["null"]["kind"] == "random pairs"
    rng = np.random.default_rng(1)
    np.save(tmp_path / "f.npy", rng.normal(size=(243, 3)))
    np.save(tmp_path / "g.npy", rng.normal(size=(32, 3)))
    assert "margin" in said(tmp_path / "f.npy", "-g", tmp_path / "g.npy", "--world", "cancer")["measures"]


def test_a_table_in_the_terminal_and_files_in_a_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", G)
    (tmp_path / "p.json").write_text(json.dumps(PAIRS))
    code, out, _ = run(tmp_path / "g.npy", "--pairs", tmp_path / "p.json", "--out", tmp_path / "out")
    assert code == 0
    assert out.startswith("Linearity of G ")
    assert "linearity, G" in out
    assert "…" not in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "page.html",
        "result.json",
        "table.csv",
        "table.parquet",
    }


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", G)
    with pytest.raises(InputError, match="give --attributes"):
        run(tmp_path / "g.npy")
    (tmp_path / "p.json").write_text("[[0, 1]]")
    with pytest.raises(InputError, match="expected a JSON object"):
        run(tmp_path / "g.npy", "--pairs", tmp_path / "p.json")
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        run(tmp_path / "g.npy", "--pairs", tmp_path / "p.json")
    (tmp_path / "p.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read as JSON"):
        run(tmp_path / "g.npy", "--pairs", tmp_path / "p.json")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="expected a file, got a device or a pipe"):
        run(tmp_path / "g.npy", "--pairs", tmp_path / "pipe")
