"""Files that only a mutation would write: one clear line from the reader that meets them."""

import copy
import io
import json
import operator
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from linrep.cli import execute
from linrep.errors import DamagedError, InputError
from linrep.laboratory.build import worlds
from linrep.laboratory.run import run
from linrep.llm.winograd import read_winograd
from linrep.llm.word_pairs import read_word_pairs
from linrep.runs.folder import read as read_run
from linrep.runs.formats import parquet_schema, require_room
from linrep.runs.store import PROVENANCE, RESULT, WORLDS, file_hashes
from linrep.runs.summary import read_summary
from linrep.runs.toml import load, parse
from linrep.sweeps.file import load_sweep
from linrep.vectors.reading import read_vectors
from linrep.worlds.network import read_bif


def npy_of_shape(shape: str) -> bytes:
    """An array file whose head announces another shape than its numbers have."""
    written = io.BytesIO()
    np.save(written, np.zeros((2, 3)))
    head = written.getvalue()
    return head.replace(b"(2, 3), }" + b" " * (len(shape) - 6), shape.encode() + b", }", 1)


def swollen_npz() -> bytes:
    """A few bytes that announce four gigabytes an array, and a thousand arrays."""
    written = io.BytesIO()
    np.savez(written, **{f"a{number}": np.zeros((2, 3)) for number in range(1000)})
    head, *entries = written.getvalue().split(b"PK\x01\x02")
    # The unpacked size in each entry of the archive's directory.
    swollen = [entry[:20] + b"\xfe\xff\xff\xff" + entry[24:] for entry in entries]
    return b"PK\x01\x02".join([head, *swollen])


def text_of_no_code() -> bytes:
    """Columns whose text is not UTF-8, as it says it is."""
    written = io.BytesIO()
    pd.DataFrame({"text0": ["a quick fox"], "text1": ["a slow fox"]}).to_parquet(written, compression=None)
    return written.getvalue().replace(b"quick", b"qu\xe2ck")


def variables(number: int, last: str) -> str:
    """A network of so many binary variables and one more, which is the child of them all."""
    states = "type discrete [ 2 ] { no, yes };"
    roots = [f"variable {v} {{ {states} }} probability ( {v} ) {{ table 0.5, 0.5; }}" for v in MANY[:number]]
    child = f"variable w {{ {states} }} probability ( w | {', '.join(MANY[:number])} ) {{ {last} }}"
    return "\n".join([*roots, child])


def in_config(*each: str) -> bytes:
    return (
        f"world = {{ kind = 'tables', variables = [{', '.join(f'{{ {one} }}' for one in each)}] }}".encode()
    )


def listed(name: str) -> str:
    return f"name = '{name}', table = {HALF}"


def load_world(path: Path) -> object:
    return worlds(load(path))


DEEP, LONG = b"[" * 100_000, "x" * 5000
HALF, CHAIN = "[[0.5, 0.5], [0.5, 0.5]]", "world = { kind = 'chain', concepts = 2 }"
MANY = [f"v{i}" for i in range(1500)]
ODD: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "deep sweep": ("x.toml", b"a = " + DEEP, load_sweep),
    "deep word pairs": ("x.json", DEEP, read_word_pairs),
    "deep line": ("x.jsonl", DEEP, read_winograd),
    "endless number": ("x.json", b"[[1" + b"1" * 9000 + b"]]", read_word_pairs),
    "huge array": ("x.npy", npy_of_shape("(9999999999999, 3)"), read_vectors),
    "overflowing array": ("x.npy", npy_of_shape("(99999999999999999999999, 3)"), read_vectors),
    "unclosed head": ("x.npy", npy_of_shape("((2, 3)"), read_vectors),
    "endless cell": ("x.csv", b'"' + b"a" * 200_000 + b'",b', read_word_pairs),
    "long key": ("x.toml", b"a" + b".a" * 400_000 + b" = 1", load),
    "deep key": ("x.toml", b"world" + b".a" * 200 + b" = 1", load),
    "date on an axis": ("x.toml", b"[axes]\nx = [2020-01-01, 2020-01-01]", load_sweep),
    "damaged columns": ("x.parquet", b"PAR1" + b"\xff" * 40 + b"\x10\0\0\0PAR1", read_vectors),
    "swollen archive": ("x.npz", swollen_npz(), read_vectors),
    "text of no code": ("x.parquet", text_of_no_code(), read_winograd),
    "huge hexadecimal number": ("x.toml", b"seed = 0x" + b"f" * 5000, load),
    "huge number on an axis": ("x.toml", b"[axes]\nseed = [1, 0x" + b"f" * 5000 + b"]", load_sweep),
    "long text on an axis": ("x.toml", f"[axes]\nseed = '{LONG}'".encode(), load_sweep),
    "long name of an axis": ("x.toml", f"[axes]\n{LONG} = []".encode(), load_sweep),
    "long label twice": ("x.toml", f"[axes]\na = ['{LONG}', '{LONG}']".encode(), load_sweep),
    "long title": ("x.toml", f"[base]\n[axes]\na = [1]\n[title]\na = '{LONG}'".encode(), load_sweep),
    "long value": ("x.toml", f"seed = '{LONG}'\nworld = {{ kind = '{LONG}' }}".encode(), load),
    "long kind": ("x.toml", f"world = {{ kind = '{LONG}' }}".encode(), load),
    "long network": ("x.toml", f"world = {{ kind = 'network', network = '{LONG}' }}".encode(), load_world),
    "long context": (
        "x.toml",
        f"{CHAIN}\ncontexts = {{ kind = 'list', contexts = ['{LONG}'] }}".encode(),
        load_world,
    ),
    "long variable": ("x.bif", f"variable {LONG} {{ }}".encode(), read_bif),
    "long count": ("x.bif", f"variable a {{ type discrete [ {LONG} ] {{ x, y }}; }}".encode(), read_bif),
    "long parent": ("x.bif", variables(1, "default 1, 0;").replace("| v0", f"| {LONG}").encode(), read_bif),
    "many states": (
        "x.bif",
        f"variable a {{ type discrete [ 1500 ] {{ {', '.join(MANY)} }}; }}".encode(),
        read_bif,
    ),
    "table of many parents": ("x.bif", variables(1500, "table 0.5, 0.5;").encode(), read_bif),
    "row of many parents": ("x.bif", variables(500, f"({', '.join(['no'] * 500)}) 1, 0;").encode(), read_bif),
    "config of many parents": (
        "x.toml",
        in_config(f"name = 'w', table = {HALF}, parents = {MANY}", *map(listed, MANY)),
        load_world,
    ),
    "config of a long cycle": (
        "x.toml",
        in_config(*(f"{listed(name)}, parents = ['{MANY[i - 1]}']" for i, name in enumerate(MANY))),
        load_world,
    ),
    "long name in a config": ("x.toml", in_config(f"name = '{LONG}', table = [[0.5, 0.6]]"), load_world),
    "no archive": ("x.npz", b"PK\x03\x04" + b"\0" * 40, read_vectors),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_one_line(name: str, tmp_path: Path) -> None:
    file, content, read = ODD[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said or read is load_world
    assert "\n" not in said
    assert len(said.replace(str(path), "")) < 400


def test_few_bytes_of_columns_may_announce_many(tmp_path: Path) -> None:
    """A billion empty cells in each of a thousand columns, had they been written so."""
    pd.DataFrame({f"c{n}": [0.0] * 10 for n in range(3)}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(InputError, match="unpacks into 8,000,000,000,000 bytes"):
        require_room(8 * 10**12, tmp_path / "y.parquet")
    assert parquet_schema(tmp_path / "y.parquet") == {"c0": True, "c1": True, "c2": True}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose summary has every part: held-out contexts, three states, one run that diverged."""
    world = {"kind": "categorical", "concepts": 3, "states": [2, 3, 2], "nested": {"C2": "C1=1"}}
    config = {"runs": 2, "world": world, "training": {"steps": 2, "snapshots": 2}}
    more = {"measure": {"bootstrap": 100, "null_draws": 2}, "contexts": {"held_out": 0.2}}
    folder = run(parse(config | more), out=tmp_path_factory.mktemp("runs")).folder
    assert folder is not None
    return folder


def forged(finished: Path, tmp_path: Path, name: str, fields: dict[str, Any]) -> Path:
    """A copy of a run in which a file says something else, and its hash with it."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    content = json.dumps(fields).encode()
    (folder / name).write_bytes(content)
    provenance = json.loads((folder / PROVENANCE).read_bytes())
    provenance["sha256"] |= file_hashes({name: content})
    (folder / PROVENANCE).write_text(json.dumps(provenance))
    return folder


@pytest.mark.parametrize("field", ["worlds", "of_run"])
def test_a_run_without_worlds_is_damaged(field: str, finished: Path, tmp_path: Path) -> None:
    structure = json.loads((finished / WORLDS).read_bytes()) | {field: []}
    with pytest.raises(InputError, match="damaged run"):
        read_run(forged(finished, tmp_path, WORLDS, structure))


def places(summary: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Every key in a summary, and the first of whatever a list holds."""
    for key in summary if isinstance(summary, dict) else range(min(1, len(summary))):
        yield (*path, key)
        if isinstance(summary[key], dict | list):
            yield from places(summary[key], *path, key)


def changed(summary: Any, path: Sequence[str | int], *value: object) -> Any:
    """The summary with another value in a place, or without the place."""
    found = copy.deepcopy(summary)
    *outer, last = path
    table = reduce(operator.getitem, outer, found)
    if value:
        table[last] = value[0]
    else:
        del table[last]
    return found


MEASURES = ("simplex_deviation_degrees", "simplex_share", "hierarchy_overlap")
OPTIONAL = {
    ("held_out",),
    ("ending",),
    ("rises",),
    ("gauge",),
    ("price_of_linearity_nats",),
    ("ending", "time"),
    ("diverged", 0),
    *(("final", measure) for measure in MEASURES),
}
BY_WORD = (("ended", "shares"), ("ended", "medians"))
"""An entry for each word that there is."""


def test_nothing_in_a_summary_can_be_of_another_kind(finished: Path) -> None:
    summary = json.loads((finished / RESULT).read_bytes())

    def require(given: object) -> None:
        read_summary(json.dumps(given).encode(), runs=2, names=names)

    names = summary["concepts"]
    summary["diverged"] = [{"run": 1, "step": 1, "step_size": 0.5}]
    require(summary)
    for path in places(summary):
        kind = type(reduce(operator.getitem, path, summary))
        for other in ({"an": "object"}, "text", True):
            if kind not in (str, bool) or kind is not type(other):
                with pytest.raises(ValueError, match=path[0]):
                    require(changed(summary, path, other))
        if path[-1] == "pairs" or path in OPTIONAL or path[:-1] in BY_WORD:
            require(changed(summary, path))
        else:
            with pytest.raises(ValueError, match=str(path[0])):
                require(changed(summary, path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("final.linearity.embedding.interval95", [1, 2, 3]),
        ("final.excess_loss_nats", None),
        ("ended.shares", []),
        ("diverged", [{"run": 2, "step": 1, "step_size": 0.5}]),
        ("figures.alignment", [[1.0]]),
        ("final.step", 2**64),
        ("margin.mean", float("inf")),
        ("figures.log_odds", {"measured": [], "true": [0.5], "concept": [], "run": []}),
        ("concepts", ["C1", "C2", "C4"]),
        ("held_out.linearity.held_out", 1),
    ],
)
def test_a_summary_of_another_shape_is_damaged(
    path: str, value: object, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((finished / RESULT).read_bytes())
    folder = forged(finished, tmp_path, RESULT, changed(summary, path.split("."), value))
    with pytest.raises(DamagedError, match=rf"damaged run \({path}"):
        read_run(folder)
    assert execute(["report", str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_nested_concepts_come_back_from_a_folder(tmp_path: Path) -> None:
    world = {"kind": "categorical", "concepts": 2, "states": 3, "nested": {"C2": "C1=1"}}
    config = {"runs": 1, "world": world, "training": {"steps": 2, "snapshots": 2}}
    result = run(parse(config | {"measure": {"bootstrap": 100, "null_draws": 2}}), out=tmp_path)
    assert result.folder is not None
    assert read_run(result.folder).worlds[0].model.nests == ((0, 1, 1),)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_of_any_precision_is_read_back(dtype: str, tmp_path: Path) -> None:
    config = {"runs": 1, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 2, "snapshots": 2}}
    more = {"measure": {"bootstrap": 100, "null_draws": 2}, "compute": {"dtype": dtype}}
    result = run(parse(config | more), out=tmp_path)
    assert result.folder is not None
    assert str(read_run(result.folder).embedding.dtype) == f"torch.{dtype}"
