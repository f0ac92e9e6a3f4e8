"""Every format reads the same; every wrong input is one line."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from linrep.errors import InputError
from linrep.vectors.attributes import join
from linrep.vectors.reading import read_vectors

TABLE = np.array([[1.5, -2.0, 0.25], [0.0, 3.0, 1e-3], [7.0, 8.0, 9.0], [4.0, 4.5, -1.0]])
IDS = ["w", "x", "y", "z"]


def write(folder: Path, kind: str) -> Path:
    frame = pd.DataFrame(TABLE, columns=["u", "v", "w"])
    path = folder / f"vectors.{kind.split()[0]}"
    if kind == "safetensors":
        save_file({"vectors": torch.from_numpy(TABLE), "other": torch.zeros(2, 2)}, path)
    elif kind == "npz":
        np.savez(path, vectors=TABLE, id=np.array(IDS))
    elif kind == "npy":
        np.save(path, TABLE)
    elif kind == "csv":
        frame.assign(id=IDS).to_csv(path, index=False)
    elif kind == "csv without names":
        frame.to_csv(path, index=False, header=False)
    elif kind == "parquet":
        frame.assign(id=IDS).to_parquet(path)
    elif kind == "parquet of lists":
        pd.DataFrame({"id": IDS, "embedding": list(TABLE)}).to_parquet(path)
    return path


@pytest.mark.parametrize(
    "kind",
    ["safetensors", "npz", "npy", "csv", "csv without names", "parquet", "parquet of lists"],
)
def test_formats_agree(tmp_path: Path, kind: str) -> None:
    found = read_vectors(write(tmp_path, kind))
    torch.testing.assert_close(found.table, torch.from_numpy(TABLE))
    assert found.ids == (None if kind in ("safetensors", "npy", "csv without names") else tuple(IDS))


@pytest.mark.parametrize(
    ("source", "dtype"),
    [
        (TABLE.astype(np.float16), torch.float32),
        (torch.from_numpy(TABLE).to(torch.bfloat16), torch.float32),
        (TABLE.astype(">f4"), torch.float32),
        (TABLE.astype(int), torch.float64),
        (pd.DataFrame(TABLE), torch.float64),
        (TABLE.tolist(), torch.float64),
        (TABLE.astype(np.longdouble), torch.float64),
    ],
)
def test_memory_and_number_types(source: Any, dtype: torch.dtype) -> None:
    assert read_vectors(source).table.dtype == dtype


def test_ids_are_text_whatever_their_type(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    pd.DataFrame(TABLE).assign(key=[3, 1, 2, 7]).rename(columns=str).to_parquet(path)
    read = read_vectors(path, id_column="key")
    table = tmp_path / "a.csv"
    table.write_text("key,sex\n7,m\n1,f\n99,f\n3,m\n2,f\n")
    sample = join(read, table, id_column="key")
    assert sample.labels == ("3", "1", "2", "7")
    assert sample.attributes.codes[:, 0].tolist() == [1, 0, 0, 1]
    assert sample.about["attributes_left_out"] == 1


def test_rows_without_attributes_are_left_out_and_counted() -> None:
    frame = pd.DataFrame(TABLE).assign(id=IDS).rename(columns=str)
    sample = join(read_vectors(frame), {"id": ["z", "x", "q"], "sex": ["m", "f", "f"]})
    assert sample.labels == ("x", "z")
    assert sample.about["vectors_left_out"] == 2
    torch.testing.assert_close(sample.table, torch.from_numpy(TABLE[[1, 3]]))


def test_attribute_values_are_ordered_and_missing_ones_known(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffsize,word\n10,no\n9,\n ,NA\n9,yes \n".encode())
    sample = join(read_vectors(TABLE), path)
    assert sample.attributes.names == ("size", "word")
    assert sample.attributes.values == (("9", "10"), ("no", "yes"))
    assert sample.attributes.codes.tolist() == [[1, 0], [0, -1], [-1, -1], [0, 1]]


def test_parquet_attributes_of_any_type(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"b": [True, False, True, None], "n": [1.0, 2.0, None, 1.0]})
    frame["c"] = pd.Categorical(["u", "v", "u", "v"])
    frame.to_parquet(path)
    found = join(read_vectors(TABLE), path).attributes
    assert found.values == (("False", "True"), ("1", "2"), ("u", "v"))
    assert found.codes[:, 0].tolist() == [1, 0, 1, -1]


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("pickle was run",))


def bad_vectors(folder: Path, kind: str) -> Any:
    path = folder / "v.npz"
    match kind:
        case "pickled objects":
            np.savez(path, vectors=np.array([Evil(), None], dtype=object))
        case "pickle named npz":
            path.write_bytes(pickle.dumps([Evil()]))
        case "pickle":
            path = folder / "v.pkl"
            path.write_bytes(pickle.dumps(TABLE))
        case "one dimension":
            return TABLE[0]
        case "one row":
            return TABLE[:1]
        case "three dimensions":
            return TABLE[None]
        case "words":
            return np.array([["a", "b"], ["c", "d"]])
        case "complex":
            return torch.zeros(3, 3, dtype=torch.complex64)
        case "NaN":
            return np.where(TABLE == 8.0, np.nan, TABLE)
        case "infinity with id":
            table = np.where(TABLE == 8.0, np.inf, TABLE)
            return pd.DataFrame(table, columns=list("abc")).assign(id=IDS)
        case "words in csv":
            path = folder / "v.csv"
            path.write_text("u,name\n1,joe\n2,ann\n")
        case "ragged csv":
            path = folder / "v.csv"
            path.write_text("u,v\n1,2\n3\n")
        case "empty cell":
            path = folder / "v.csv"
            path.write_text("u,v\n1,2\n3,\n")
        case "empty file":
            path = folder / "v.csv"
            path.write_text("")
        case "ids twice":
            return pd.DataFrame(TABLE, columns=list("abc")).assign(id=["x", "y", "x", "z"])
        case "two arrays":
            np.savez(path, one=TABLE, two=TABLE)
        case "no file":
            path = folder / "none.csv"
        case "folder":
            path = folder / "d.csv"
            path.mkdir()
        case "torn safetensors":
            path = folder / "v.safetensors"
            path.write_bytes(b"\x10\0\0\0\0\0\0\0{")
        case "torn parquet":
            path = folder / "v.parquet"
            path.write_bytes(b"PAR1")
        case "no type":
            return 3
        case "lists of two lengths":
            path = folder / "v.parquet"
            pd.DataFrame({"e": [[1.0], [1.0, 2.0]]}).to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pickled objects", "pickled objects, which are refused"),
        ("pickle named npz", "refused"),
        ("pickle", "pickled files are refused"),
        ("one dimension", r"2-D array \[rows, dim\], got shape \[3\]"),
        ("one row", "at least 2 rows"),
        ("three dimensions", "2-D array"),
        ("words", "expected numbers"),
        ("complex", "real numbers"),
        ("NaN", "NaN or infinity in row 2"),
        ("infinity with id", r"row 2 \(id 'y'\)"),
        ("words in csv", "column 'name' is not numeric"),
        ("ragged csv", "cannot be read"),
        ("empty cell", "NaN or infinity in row 1"),
        ("empty file", "cannot be read"),
        ("ids twice", "id 'x' comes twice, in rows 0 and 2"),
        ("two arrays", "one 2-D array, got one, two; name one with --tensor"),
        ("no file", "no such file"),
        ("folder", "cannot be read"),
        ("torn safetensors", "cannot be read"),
        ("torn parquet", "cannot be read"),
        ("no type", "got int"),
        ("lists of two lengths", "lists of one length"),
    ],
)
def test_vectors_that_cannot_be_used(
    tmp_path: Path, kind: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_vectors(bad_vectors(tmp_path, kind))
    assert "\n" not in str(caught.value)
    assert "pickle was run" not in capsys.readouterr().out


FOUR = {"id": IDS}


@pytest.mark.parametrize(
    ("attributes", "options", "words"),
    [
        ({"id": ["p", "q"], "sex": [0, 1]}, {}, "no row has an id of vectors"),
        ({"id": ["w", "q"], "sex": [0, 1]}, {}, "only one row has an id of vectors"),
        ({**FOUR, "sex": [1, 1, 1, 1]}, {}, "attribute 'sex': constant, every row is '1'"),
        ({**FOUR, "sex": [None] * 4}, {}, "every row's value is missing"),
        ({**FOUR, "sex": [0, 1, 0, 1]}, {"columns": ["age"]}, "no attribute 'age'; it has id, sex"),
        ({**FOUR, "sex": [0, 1, 0, 1]}, {"match": ["who"]}, "no attribute 'who'"),
        (FOUR, {}, "expected a column of attributes, got none"),
        ({"id": ["w", "w", "x", "y"], "sex": [0, 1, 0, 1]}, {}, "id 'w' comes twice, in rows 0 and 1"),
        ({"id": ["w", None, "x", "y"], "sex": [0, 1, 0, 1]}, {}, "row 1 has no id"),
        ({"sex": [0, 1, 0]}, {"id_column": "none"}, "expected 4 rows, as many as vectors has, got 3"),
        ({"sex": [0, 1, 0, 1]}, {}, "has no ids to join by, and vectors has .* --id none"),
        ({"sex": [0, 1], "age": [1, 2, 3]}, {}, "cannot be read"),
        ("attributes.xlsx", {}, "expected .csv, .tsv or .parquet"),
        ("none.csv", {}, "no such file"),
        (pd.DataFrame([[0, 1]] * 4, columns=["sex", "sex"]), {}, "column 'sex' comes twice"),
    ],
)
def test_attributes_that_cannot_be_used(attributes: Any, options: dict[str, Any], words: str) -> None:
    vectors = read_vectors(pd.DataFrame(TABLE, columns=list("abc")).assign(id=IDS))
    with pytest.raises(InputError, match=words) as caught:
        join(vectors, attributes, **options)
    assert "\n" not in str(caught.value)


def test_too_many_values_are_refused_but_may_be_matched_on() -> None:
    table = np.random.default_rng(0).normal(size=(120, 2))
    columns = {"person": [i // 2 for i in range(120)], "smiles": [i % 2 for i in range(120)]}
    with pytest.raises(InputError, match="at most 50 values, got 60"):
        join(read_vectors(table), columns)
    assert join(read_vectors(table), columns, match=["person"]).attributes.names == ("smiles",)


def test_a_named_id_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'key'"):
        read_vectors(write(tmp_path, "csv"), id_column="key")
    with pytest.raises(InputError, match="no column 'key' for ids; it has id"):
        read_vectors(write(tmp_path, "npz"), id_column="key")
    with pytest.raises(InputError, match="no column 'key' for ids"):
        join(read_vectors(TABLE), {"sex": [0, 1, 0, 1]}, id_column="key")


def test_one_tensor_of_several(tmp_path: Path) -> None:
    path = write(tmp_path, "safetensors")
    assert read_vectors(path, tensor="other").table.shape == (2, 2)
    with pytest.raises(InputError, match="no tensor 'third'; it holds other, vectors"):
        read_vectors(path, tensor="third")
