"""Rows are joined or refused, never guessed: whatever order, index or subset two tables come in, the numbers
are those of the aligned ones, or there is one line.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from linrep.cli import execute
from linrep.errors import InputError
from linrep.vectors.attributes import join
from linrep.vectors.measure import VectorsOptions, measure_vectors
from linrep.vectors.reading import read_vectors

from .planted import additive, grid, named

pytestmark = pytest.mark.usefixtures("elsewhere")

CODES = grid((2, 2), copies=12)
TABLE = additive(CODES, 2 * torch.eye(2, 5), 0.3).numpy()
ROWS = len(TABLE)
WORDS = [f"w{i:02d}" for i in range(ROWS)]
ORDER = np.random.default_rng(0).permutation(ROWS)
OPTIONS = VectorsOptions(draws=20, map_rows=4, anomalies=0)


def vectors(ids: Any = WORDS, order: Any = slice(None), name: str = "id") -> pd.DataFrame:
    frame = pd.DataFrame(TABLE, columns=[f"x{i}" for i in range(5)])
    return frame.assign(**{name: ids}).iloc[order].reset_index(drop=True)


def attributes(ids: Any = WORDS, order: Any = slice(None), name: str = "id") -> pd.DataFrame:
    return pd.DataFrame({name: ids, **named(CODES)}).iloc[order].reset_index(drop=True)


def csv(frame: pd.DataFrame, folder: Path, name: str, **options: Any) -> Path:
    frame.to_csv(folder / name, **{"index": False, **options})
    return folder / name


def parquet(frame: pd.DataFrame, folder: Path, name: str) -> Path:
    frame.to_parquet(folder / name)
    return folder / name


def glove(frame: pd.DataFrame, folder: Path, head: str = "", end: str = "") -> Path:
    lines = [f"{row.id} " + " ".join(map(repr, map(float, row[1:-1]))) + end for row in frame.itertuples()]
    (folder / "v.txt").write_text(head + "\n".join(lines) + "\n")
    return folder / "v.txt"


def archive(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "v.npz", **arrays)
    return folder / "v.npz"


def listed(order: Any = slice(None)) -> pd.DataFrame:
    texts = {"text": ["some text"] * ROWS, "label": [1] * ROWS}
    return pd.DataFrame({"id": WORDS, **texts, "embedding": list(TABLE)}).iloc[order].reset_index(drop=True)


INDEXED_V, INDEXED_A = vectors().set_index("id"), attributes().set_index("id")
BYTES = np.array([w.encode() for w in WORDS])
EVIL = np.array([{}, None], dtype=object)
NUMBERS = list(range(100, 100 + ROWS))
HALF, MOST = slice(0, 30), slice(10, None)
Given = tuple[Any, Any, dict[str, Any]]

JOINED: dict[str, Callable[[Path], Given]] = {
    "aligned": lambda _: (vectors(), attributes(), {}),
    "attributes permuted": lambda _: (vectors(), attributes(order=ORDER), {}),
    "vectors permuted": lambda _: (vectors(order=ORDER), attributes(), {}),
    "both permuted": lambda _: (vectors(order=ORDER), attributes(order=ORDER[::-1]), {}),
    "called Id and IDS": lambda _: (vectors(name="Id"), attributes(order=ORDER, name="IDS"), {}),
    "frames by their index": lambda _: (INDEXED_V, INDEXED_A.iloc[ORDER], {}),
    "index against a column": lambda _: (INDEXED_V.iloc[ORDER], attributes(), {}),
    "named index asked for": lambda _: (INDEXED_V, attributes(order=ORDER), {"id_column": "id"}),
    "csv": lambda p: (csv(vectors(), p, "v.csv"), csv(attributes(order=ORDER), p, "a.csv"), {}),
    "csv with unnamed index": lambda p: (
        csv(INDEXED_V.rename_axis(None), p, "v.csv", index=True),
        csv(INDEXED_A.rename_axis(None).iloc[ORDER], p, "a.csv", index=True),
        {},
    ),
    "csv with Unnamed: 0": lambda p: (
        csv(vectors(name="Unnamed: 0")[["Unnamed: 0", *["x0", "x1", "x2", "x3", "x4"]]], p, "v.csv"),
        csv(attributes(name="Unnamed: 0", order=ORDER), p, "a.csv"),
        {},
    ),
    "csv with an index beside the ids": lambda p: (
        csv(vectors(), p, "v.csv", index=True),
        csv(attributes(order=ORDER), p, "a.csv", index=True),
        {},
    ),
    "csv with names that count": lambda p: (
        csv(pd.DataFrame(TABLE), p, "v.csv"),
        csv(pd.DataFrame(named(CODES)), p, "a.csv"),
        {},
    ),
    "csv with names that count and an index": lambda p: (
        csv(pd.DataFrame(TABLE, index=WORDS).iloc[ORDER], p, "v.csv", index=True),
        csv(INDEXED_A, p, "a.csv", index=True),
        {},
    ),
    "tsv": lambda p: (
        csv(vectors(), p, "v.tsv", sep="\t"),
        csv(attributes(order=ORDER), p, "a.tsv", sep="\t"),
        {},
    ),
    "semicolons": lambda p: (
        csv(vectors(), p, "v.csv", sep=";"),
        csv(attributes(order=ORDER), p, "a.csv", sep=";"),
        {},
    ),
    "semicolons and decimal commas": lambda p: (
        csv(vectors(), p, "v.csv", sep=";", decimal=","),
        csv(attributes(order=ORDER), p, "a.csv", sep=";"),
        {},
    ),
    "parquet": lambda p: (parquet(vectors(), p, "v.parquet"), attributes(order=ORDER), {}),
    "parquet with its index": lambda p: (
        parquet(INDEXED_V, p, "v.parquet"),
        parquet(INDEXED_A.iloc[ORDER], p, "a.parquet"),
        {},
    ),
    "parquet with __index_level_0__": lambda p: (
        parquet(INDEXED_V.rename_axis(None).iloc[ORDER], p, "v.parquet"),
        parquet(INDEXED_A.rename_axis(None), p, "a.parquet"),
        {},
    ),
    "parquet of lists beside texts and labels": lambda p: (
        parquet(listed(ORDER), p, "v.parquet"),
        attributes(),
        {},
    ),
    "frame of lists": lambda _: (listed(), attributes(order=ORDER), {}),
    "glove": lambda p: (glove(vectors(order=ORDER), p), attributes(), {}),
    "word2vec with a head": lambda p: (
        glove(vectors(), p, head=f"{ROWS} 5\n", end=" "),
        attributes(order=ORDER),
        {},
    ),
    "npz": lambda p: (archive(p, vectors=TABLE, id=np.array(WORDS)), attributes(order=ORDER), {}),
    "ids of bytes": lambda p: (archive(p, vectors=TABLE, id=BYTES), attributes(order=ORDER), {}),
    "a bad array beside good ones": lambda p: (
        archive(p, vectors=TABLE, id=np.array(WORDS), extra=EVIL),
        attributes(order=ORDER),
        {},
    ),
    "numbers as ids": lambda _: (vectors(NUMBERS), attributes([float(n) for n in NUMBERS], order=ORDER), {}),
    "numbers against text": lambda p: (vectors(NUMBERS), csv(attributes(NUMBERS, ORDER), p, "a.csv"), {}),
    "arrays in one order": lambda _: (TABLE, named(CODES), {}),
    "an index that only counts": lambda p: (
        TABLE,
        csv(pd.DataFrame(named(CODES)), p, "a.csv", index=True),
        {},
    ),
    "order as asked": lambda _: (TABLE, attributes(), {"id_column": "none"}),
}
PARTLY: dict[str, Callable[[Path], Given]] = {
    "fewer attributes": lambda _: (vectors(order=ORDER), attributes(order=HALF), {}),
    "fewer vectors": lambda _: (vectors(order=HALF), attributes(order=ORDER), {}),
    "filtered frames": lambda _: (INDEXED_V.iloc[HALF], INDEXED_A.iloc[ORDER], {}),
    "word vectors of more words": lambda p: (glove(vectors(order=ORDER), p), attributes(order=HALF), {}),
}
REFUSED: dict[str, tuple[Callable[[Path], Given], str]] = {
    "no ids on one side": (lambda _: (TABLE, attributes(order=ORDER), {}), "has no ids to join by"),
    "no ids on the other": (lambda _: (vectors(order=ORDER), named(CODES), {}), "has no ids to join by"),
    "an index permuted": (
        lambda _: (pd.DataFrame(TABLE).iloc[ORDER], pd.DataFrame(named(CODES)), {}),
        "has no ids to join by",
    ),
    "rows cut off": (lambda _: (TABLE[:40], named(CODES), {}), "expected 40 rows"),
    "zeros in front": (
        lambda _: (vectors(range(ROWS)), attributes([f"{i:03d}" for i in range(ROWS)]), {}),
        "no row has an id of vectors.*48 almost match, such as '0' and '000'",
    ),
    "another case": (
        lambda _: (vectors(), attributes([w.upper() for w in WORDS]), {}),
        "almost match, such as 'w00' and 'W00'",
    ),
    "an id column that vectors lack": (
        lambda _: (vectors(), attributes(name="key"), {"id_column": "key"}),
        "no column 'key' for ids",
    ),
    "an id column that attributes lack": (
        lambda _: (vectors(name="key"), attributes(), {"id_column": "key"}),
        "no column 'key' for ids",
    ),
    "an id column of an array": (
        lambda _: (TABLE, attributes(name="key"), {"id_column": "key"}),
        "an array has no column 'key'",
    ),
    "an unnamed column that repeats": (
        lambda p: (csv(vectors(["x"] * ROWS, name="Unnamed: 0").iloc[:, ::-1], p, "v.csv"), attributes(), {}),
        "id 'x' comes twice",
    ),
    "a bad array that is meant": (
        lambda p: (archive(p, vectors=EVIL, id=np.array(WORDS)), attributes(), {}),
        "pickled objects",
    ),
    "ids that are pickled": (
        lambda p: (archive(p, vectors=TABLE, id=np.array(WORDS, dtype=object)), attributes(), {}),
        "pickled",
    ),
    "fewer words than the first line tells of": (
        lambda p: (glove(vectors(), p, head=f"{ROWS + 1} 5\n"), attributes(), {}),
        f"tells of {ROWS + 1} words, and {ROWS} are there",
    ),
    "a line of another length": (
        lambda p: (glove(vectors(), p, head="word 1.0 2.0\n"), attributes(), {}),
        "v.txt:2|not",
    ),
}


def numbers(given: Given) -> tuple[list[float], list[float]]:
    table, attributes_, options = given
    sample = join(read_vectors(table, id_column=options.get("id_column")), attributes_, **options)
    order = np.argsort(sample.table[:, 0].numpy())
    return sample.table[order].double().tolist(), sample.attributes.codes[order].tolist()


@pytest.mark.parametrize("name", JOINED)
def test_the_numbers_are_those_of_the_aligned(name: str, tmp_path: Path) -> None:
    rows, codes = numbers(JOINED[name](tmp_path))
    wanted_rows, wanted_codes = numbers((vectors(), attributes(), {}))
    np.testing.assert_allclose(rows, wanted_rows, rtol=1e-6, atol=1e-6)
    assert codes == wanted_codes


@pytest.mark.parametrize("name", PARTLY)
def test_what_has_no_partner_is_left_out_and_said(name: str, tmp_path: Path) -> None:
    rows, codes = numbers(PARTLY[name](tmp_path))
    wanted_rows, wanted_codes = numbers((vectors(order=HALF), attributes(order=HALF), {}))
    np.testing.assert_allclose(rows, wanted_rows, rtol=1e-6, atol=1e-6)
    assert codes == wanted_codes
    table, given, options = PARTLY[name](tmp_path)
    notes = measure_vectors(table, given, options=OPTIONS, **options).summary["notes"]
    assert "rows were joined by id: 30 are measured" in notes[0]
    assert "18 of" in notes[0]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_joined_is_one_line(name: str, tmp_path: Path) -> None:
    make, said = REFUSED[name]
    with pytest.raises(InputError, match=said) as caught:
        numbers(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_ids_that_almost_match_are_said() -> None:
    some = [*WORDS[:40], *(w.upper() for w in WORDS[40:])]
    notes = measure_vectors(vectors(), attributes(some), options=OPTIONS).summary["notes"]
    assert "8 almost match, such as 'w40' and 'W40'" in notes[0]


def test_cells_that_mean_missing_are_missing() -> None:
    gone = ["NA", "nan", "NaN", "null", "NULL", "N/A", "", None, "<NA>", np.nan]
    sample = join(read_vectors(TABLE), {"sex": [*gone, *(["m", "f"] * 19)]})
    assert sample.attributes.values == (("f", "m"),)
    assert (sample.attributes.codes[: len(gone)] == -1).all()
    assert (sample.attributes.codes[len(gone) :] >= 0).all()


def test_the_terminal_says_how_rows_were_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = csv(vectors(order=HALF), tmp_path, "v.csv")
    given = csv(attributes(order=ORDER), tmp_path, "a.csv")
    assert execute(["measure", str(measured), "-a", str(given)]) == 0
    said = f"joined by id: 30 are measured, 0 of {measured} and 18 of {given} have no partner"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("both", [False, True])
def test_own_tables_are_joined_too(both: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = grid((2, 2, 2, 2))
    words, order = WORDS[: len(codes)], ORDER[len(codes) > ORDER]
    own = pd.DataFrame(additive(codes, 2 * torch.eye(4, 5), 0.3).numpy(), columns=list("uvxyz")).assign(
        id=words
    )
    straight = csv(own, tmp_path, "v.csv")
    turned = csv(own.iloc[order], tmp_path, "t.csv")
    given = csv(pd.DataFrame({"id": words, **named(codes)}), tmp_path, "a.csv")
    found = []
    for each in (straight, turned):
        words = [str(each), "-g", str(straight if not both else each), "-a", str(given), "--json", "-q"]
        assert execute(["measure", *words]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    lacking = csv(own.iloc[:9], tmp_path, "h.csv")
    assert execute(["measure", str(straight), "-g", str(lacking), "-a", str(given), "-q"]) == 2
    assert "7 of" in capsys.readouterr().err
