"""Files that only a mutation would write: one clear line from the reader that meets them."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from linrep.bif import read_bif
from linrep.config_file import load, parse
from linrep.errors import InputError
from linrep.experiment import run
from linrep.laboratory import worlds
from linrep.llm.winograd import read_winograd
from linrep.llm.word_pairs import read_word_pairs
from linrep.run_folder import read as read_run
from linrep.store import PROVENANCE, WORLDS, file_hashes
from linrep.sweep_file import load_sweep
from linrep.unpacking import require_room
from linrep.vectors.formats import parquet_schema
from linrep.vectors.reading import read_vectors


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


@pytest.mark.parametrize("field", ["worlds", "of_run"])
def test_a_run_without_worlds_is_damaged(field: str, tmp_path: Path) -> None:
    config = {"runs": 1, "world": {"kind": "chain", "concepts": 2}, "training": {"steps": 2, "snapshots": 2}}
    result = run(parse(config | {"measure": {"bootstrap": 100, "null_draws": 2}}), out=tmp_path)
    folder = result.folder
    assert folder is not None
    structure = json.loads((folder / WORLDS).read_bytes()) | {field: []}
    content = json.dumps(structure).encode()
    (folder / WORLDS).write_bytes(content)
    provenance = json.loads((folder / PROVENANCE).read_bytes())
    provenance["sha256"] |= file_hashes({WORLDS: content})
    (folder / PROVENANCE).write_text(json.dumps(provenance))
    with pytest.raises(InputError, match="damaged run"):
        read_run(folder)


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
