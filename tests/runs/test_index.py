"""The index is a cache of the folders, whatever happens to it; expressions select the rows they should."""

import hashlib
import json
import random
import shutil
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linrep.cli import execute
from linrep.errors import InputError
from linrep.runs import formats as unpacking
from linrep.runs import index as index_module
from linrep.runs.index import INDEX, flat, run_index
from linrep.runs.query import LONGEST, chosen, ordered, where
from linrep.runs.store import Store
from linrep.runs.toml import parse


def add_run(root: Path, key: str, *, dim: int = 4, linearity: float | None = 0.5, **more: Any) -> Path:
    """A folder with as much of a run as the index reads."""
    config = parse({"world": {"kind": "chain", "concepts": 3}, "model": {"dim": dim}}).model_dump(mode="json")
    final = {
        "linearity": {"unembedding": {"median": linearity, "per_run": [1.0, 2.0], "interval95": [0.1, 0.2]}}
    }
    contents: dict[str, Any] = {
        "config.json": config | more,
        "result.json": {"run": key, "concepts": ["a"] * 3, "final": final},
    }
    written = {name: json.dumps(content).encode() for name, content in contents.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
    written["provenance.json"] = json.dumps({"sha256": hashes}).encode()
    folder = root / key
    folder.mkdir(parents=True)
    for name, content in written.items():
        (folder / name).write_bytes(content)
    return folder


def rows(root: Path) -> list[dict[str, Any]]:
    return run_index(Store(root)).table.to_pylist()


def test_only_new_changed_and_removed_runs_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        add_run(tmp_path, f"r{number}", dim=number + 1)
    assert [row["model.dim"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5]
    opened: list[str] = []
    read = index_module._row  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(index_module, "_row", lambda folder: (opened.append(folder.name), read(folder))[1])
    assert len(rows(tmp_path)) == 5
    assert opened == []
    add_run(tmp_path, "r9", dim=9)
    shutil.rmtree(tmp_path / "r0")
    shutil.rmtree(tmp_path / "r1")
    add_run(tmp_path, "r1", dim=77)
    found = {row["run"]: row["model.dim"] for row in rows(tmp_path)}
    assert found == {"r1": 77, "r2": 3, "r3": 4, "r4": 5, "r9": 9}
    assert sorted(opened) == ["r1", "r9"]


def test_an_index_of_many_equal_rows_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of one config differ in their key alone: the file is small for what it holds, and honest."""
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 0)
    add_run(tmp_path, "r")
    run_index(Store(tmp_path))
    path = tmp_path / INDEX
    table = index_module._load(path)  # pyright: ignore[reportPrivateUsage]
    assert table.num_rows == 1
    keys = pa.array([f"{number:016x}" for number in range(20_000)])
    many = pa.concat_tables([table] * len(keys)).set_column(0, "run", keys)
    index_module._save(path, many)  # pyright: ignore[reportPrivateUsage]
    assert index_module._load(path).equals(many)  # pyright: ignore[reportPrivateUsage]


def test_an_index_that_holds_gigabytes_is_made_anew(tmp_path: Path) -> None:
    add_run(tmp_path, "r")
    expected, path = rows(tmp_path), tmp_path / INDEX
    swollen = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["x" * 10**6]))
    keys = pa.array([str(number) for number in range(4000)])
    table = pa.table({"run": keys, "stamp": keys, "a": swollen}).replace_schema_metadata(index_module.FORM)
    pq.write_table(table, path, store_schema=False, compression="zstd")
    assert path.stat().st_size < 50_000
    assert rows(tmp_path) == expected
    assert pq.read_metadata(path).num_rows == 1


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    for number in range(3):
        add_run(tmp_path, f"r{number}")
    expected, path = rows(tmp_path), tmp_path / INDEX
    whole, draw = path.read_bytes(), random.Random(0)
    damages = [b"", b"junk", whole[:-9], whole[: len(whole) // 2]]
    damages += [
        bytes(draw.randrange(256) if draw.random() < 0.02 else byte for byte in whole) for _ in range(60)
    ]
    for damage in damages:
        path.write_bytes(damage)
        assert [row["run"] for row in rows(tmp_path)] == [row["run"] for row in expected]
    path.unlink()
    path.mkdir()  # in the way: nothing can be kept, and everything is still found
    assert rows(tmp_path) == expected


def test_a_damaged_run_is_told_and_left_out(tmp_path: Path) -> None:
    add_run(tmp_path, "good")
    (add_run(tmp_path, "bad") / "result.json").write_text('{"final": {}}')
    found = run_index(Store(tmp_path))
    assert found.table["run"].to_pylist() == ["good"]
    assert len(found.damaged) == 1
    assert "bad/result.json: damaged" in found.damaged[0]


def test_a_run_that_lost_its_result_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_run(tmp_path, "good")
    for name in ("bad", "removed"):
        (add_run(tmp_path, name) / "result.json").unlink()
    shutil.rmtree(tmp_path / "removed")
    for other in ("figures", ".partial"):
        (tmp_path / other).mkdir()
    (tmp_path / ".partial" / "provenance.json").touch()
    assert execute(["runs", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == f"linrep: {tmp_path / 'bad' / 'result.json'}: missing; run it again; left out\n"
    assert [line.split()[0] for line in out.splitlines()] == ["run", "good"]


def build(root: str) -> list[str]:
    return run_index(Store(Path(root))).table["run"].to_pylist()


def test_several_processes_may_write_it(tmp_path: Path) -> None:
    keys = [f"r{number:03}" for number in range(60)]
    for key in keys:
        add_run(tmp_path, key)
    with get_context("spawn").Pool(2) as pool:
        assert pool.map(build, [str(tmp_path)] * 6) == [keys] * 6
    assert build(str(tmp_path)) == keys
    assert [path.name for path in tmp_path.iterdir() if not path.is_dir()] == [INDEX]


def test_columns_of_several_kinds_and_sizes(tmp_path: Path) -> None:
    add_run(tmp_path, "r0", seed=2**63 - 1, new={"key": 1})
    rows(tmp_path)
    add_run(tmp_path, "r1", seed=3, new={"key": "word"})
    add_run(tmp_path, "r2", linearity=None, new={"key": None, "other": True})
    found = rows(tmp_path)
    assert [row["seed"] for row in found] == [2**63 - 1, 3, 0]
    assert [row["new.key"] for row in found] == ["1", "word", None]
    assert found[0]["final.linearity.unembedding.interval95.low"] == 0.1
    assert not any("per_run" in name and "final" in name for name in found[0])


def test_flat_names_are_the_paths() -> None:
    nested = {
        "a": {"b": [1, 2], "c": {"d": None}},
        "per_concept": {"x": 1},
        "figures": {"y": 2},
        "per_run": [1, 2],
    }
    assert dict(flat(nested)) == {"a.b.low": 1, "a.b.high": 2, "a.c.d": None}


def test_how_runs_ended_can_be_asked_for() -> None:
    shares = {"converged": 0.5, "on a plateau": 0.5}
    nested = {"ended": {"criterion": "so", "per_run": [None, None], "shares": shares, "rate": [1.0, 2.0]}}
    found = dict(flat(nested))
    assert found == {
        "ended.criterion": "so",
        "ended.shares.converged": 0.5,
        "ended.shares.on_a_plateau": 0.5,
    }
    table = pa.table({name: [value] for name, value in found.items()})
    assert len(where(table, "ended.shares.on_a_plateau > 0.4")) == 1
    assert len(where(table, "ended.shares.on_a_plateau > 0.6")) == 0


RUNS = pa.table(
    {
        "run": list("abcdef"),
        "m": [1, 2, 3, 4, 5, None],
        "f.x": [0.5, None, 1.5, 2.0, -1.0, 0.0],
        "kind": ["gd", "sgd", None, "gd", "adam", "gd"],
        "own": [True, False, True, None, False, True],
        "none": pa.nulls(6),
    }
)
"""A plain Python reading of each expression is the oracle; None makes a comparison false."""
SAME_AS_PYTHON = {
    "m >= 2 and f.x < 1.6": lambda m, x, kind, own: m is not None and m >= 2 and x is not None and x < 1.6,
    "kind in ('gd', 'adam')": lambda m, x, kind, own: kind in ("gd", "adam"),
    "kind not in ('gd',)": lambda m, x, kind, own: kind is not None and kind != "gd",
    "kind != 'gd'": lambda m, x, kind, own: kind is not None and kind != "gd",
    "not kind == 'gd'": lambda m, x, kind, own: kind != "gd",
    "own": lambda m, x, kind, own: own is True,
    "true": lambda m, x, kind, own: True,
    "not none": lambda m, x, kind, own: True,
    "own == false or m == 1": lambda m, x, kind, own: own is False or m == 1,
    "1 < m <= 4": lambda m, x, kind, own: m is not None and 1 < m <= 4,
    "m > f.x": lambda m, x, kind, own: m is not None and x is not None and m > x,
    "f.x == -1": lambda m, x, kind, own: x == -1,
    "m < 99999999999999999999999": lambda m, x, kind, own: m is not None,
    "none > 1": lambda m, x, kind, own: False,
    "1 < 2": lambda m, x, kind, own: True,
    "'a' == 'b'": lambda m, x, kind, own: False,
}


@pytest.mark.parametrize("text", SAME_AS_PYTHON)
def test_where_is_what_python_would_say(text: str) -> None:
    expected = [
        row["run"]
        for row in RUNS.to_pylist()
        if SAME_AS_PYTHON[text](row["m"], row["f.x"], row["kind"], row["own"])
    ]
    assert where(RUNS, text)["run"].to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mm > 1", "unknown field 'mm', did you mean 'm'"),
        ("f.z > 1", "did you mean 'f.x'"),
        ("__import__('os').system('true')", "cannot use"),
        ("m.__class__ == 1", "unknown field"),
        ("m > (1).real", "dotted name"),
        ("m + 1 > 2", "expected a field"),
        ("[m for m in (1,)]", "cannot use"),
        ("lambda: 1", "cannot use"),
        ("m >", "cannot be read"),
        ("", "cannot be read"),
        ("m > 'a'", "not of one kind"),
        ("kind > 3", "not of one kind"),
        ("m is 3", "write =="),
        ("kind", "where: 'kind' is not true or false; compare it with a value: kind == \"gd\""),
        ("own and not f.x", "compare it with a value: f.x == 0.5"),
        ("m in m", "values in parentheses"),
        ("m > 1\0", "cannot be read"),
        ("m > " + "1" * LONGEST, "characters"),
        ("m > 1j", "expected a field"),
        ("3", "cannot use"),
    ],
)
def test_bad_expressions_are_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        where(RUNS, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["(" * 150 + "own" + ")" * 150, "not " * 480 + "own"])
def test_deep_expressions_are_read_or_refused(text: str) -> None:
    try:
        assert where(RUNS, text)["run"].to_pylist() == ["a", "c", "f"]
    except InputError as error:
        assert "nested" in f"{error}"  # noqa: PT017 - either is right


def test_order_and_limit() -> None:
    assert ordered(RUNS, "f.x")["run"].to_pylist() == list("efacdb")
    assert ordered(RUNS, "f.x", descending=True)["run"].to_pylist() == list("dcafeb")
    assert ordered(RUNS, "none")["run"].to_pylist() == list("abcdef")
    found, asked = chosen(RUNS, condition="m > 0", sort="m", descending=True, limit=2)
    assert (found["run"].to_pylist(), asked) == (["e", "d"], ["m"])


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number in range(12):
        add_run(tmp_path, f"r{number:02}", dim=number % 3 + 1, linearity=number / 10)
    out = ["runs", "--out", str(tmp_path)]
    field = "final.linearity.unembedding.median"
    assert (
        execute([*out, "--where", f"{field} > 0.85 and model.dim < 3", "--sort", field, "--descending"]) == 0
    )
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == ["run", "r10", "r09"]
    assert execute([*out, "--csv", "-", "--limit", "2"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split(",")[0].strip('"') == "run"
    assert len(lines) == 2
    assert execute([*out, "--json", "--where", "run == 'r03'"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["r03"]
    page = tmp_path / "many.html"
    assert execute([*out, "--page", str(page)]) == 0
    text = page.read_text()
    assert "12 runs" in text
    assert "model.dim" in text
    assert execute([*out, "--where", "model.dimm > 2"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert execute([*out, "--y", "world.kind", "--page", str(page)]) == 2


def test_many_damaged_runs_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        folder = tmp_path / f"run-{number:02}"
        folder.mkdir()
        (folder / "result.json").write_text("{")
    assert execute(["runs", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert sum("left out" in line for line in lines) == 10
    assert f"linrep: damaged: 12 runs in all; `linrep validate {tmp_path}/*` names them" in lines
