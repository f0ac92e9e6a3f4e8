"""Rows: intervals and nulls against numpy, and the table, JSON and files that are made of them."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from linrep.llm import LMResult
from linrep.runs.row import NAN, Matrix, NullRange, Row, Subject, interval
from linrep.runs.tidy import Tidy, plain
from linrep.vectors import VectorsResult

draws = st.lists(st.floats(-9, 9) | st.just(NAN), max_size=30)


@given(draws)
def test_interval_and_null_are_quantiles_of_what_is_defined(values: list[float]) -> None:
    drawn = torch.tensor(values, dtype=torch.float64)
    null, between = NullRange.of(drawn), interval(drawn)
    present = [value for value in values if value == value]
    if not present:
        assert all(number != number for number in (*between, null.mean, null.low, null.high, null.q95))
        return
    np.testing.assert_allclose(between, np.quantile(present, [0.025, 0.975]), atol=1e-12)
    np.testing.assert_allclose([null.low, null.high], between)
    np.testing.assert_allclose(
        [null.mean, null.q95], [np.mean(present), np.quantile(present, 0.95)], atol=1e-12
    )


class Planted(Tidy):
    columns: ClassVar[tuple[str, ...]] = ("concept", "measure", "value", "low", "null", "null_q95", "pairs")

    @property
    def subject(self) -> dict[str, str | int]:
        return {"seed": 3}

    def json(self) -> dict[str, Any]:
        return plain({"rows": [row.record(self.columns) for row in self.rows]})


@pytest.fixture
def planted() -> Planted:
    about = Subject(concept="sex", inner="euclid", pairs=7)
    rows = (
        about.row("linearity", 0.5, (0.4, 0.6), NullRange(mean=0.0, q95=0.1)),
        about.row("transfer", NAN, pairs=2),
        Subject(concept="", inner="causal").row("linearity", 0.3),
    )
    overlap = Matrix.of("overlap", ["a", "b"], ["a", "b"], torch.eye(2))
    return Planted(rows=rows, matrices={"overlap": overlap})


def test_rows_become_a_tidy_table_with_their_subject_first(planted: Planted) -> None:
    table = planted.table
    assert list(table.columns) == ["seed", *Planted.columns]
    assert table["seed"].tolist() == [3, 3, 3]
    assert table["pairs"].tolist() == [7, 2, 0]
    assert table.loc[0, "null_q95"] == 0.1
    assert planted.matrix("overlap").loc["a", "b"] == 0
    assert list(Planted(rows=()).table.columns) == ["seed", *Planted.columns]


def test_one_row_by_its_metric_concept_and_place(planted: Planted) -> None:
    assert planted.value("linearity", "sex").low == 0.4
    assert planted.value("linearity").value == planted.value("linearity", inner="causal").value == 0.3
    with pytest.raises(KeyError, match="expected one row, found 0"):
        planted.value("linearity", "sex", inner="causal")


def test_saved_files_hold_what_the_table_holds_and_json_has_no_nan(planted: Planted, tmp_path: Path) -> None:
    folder = planted.save(tmp_path / "new" / "folder")
    rows = json.loads((folder / "result.json").read_text())["rows"]
    assert rows[1]["value"] is None
    for name, read in (("table.csv", pd.read_csv), ("table.parquet", pd.read_parquet)):
        found = read(folder / name).fillna({"concept": ""})
        pd.testing.assert_frame_equal(found, planted.table, check_dtype=False)


@pytest.mark.parametrize("kind", [LMResult, VectorsResult])
def test_every_column_of_a_result_is_one_of_a_row(kind: type[Tidy]) -> None:
    row = Row(concept="", measure="", value=0.0)
    assert list(row.record(kind.columns)) == list(kind.columns)
    assert {"concept", "measure", "value", "low", "high", "null", "pairs"} <= set(kind.columns)


def test_rows_that_were_kept_when_a_measure_was_called_a_metric_are_read() -> None:
    kept = {"concept": "sex", "metric": "linearity", "value": 0.5, "null": {"q95": 0.1}}
    row = TypeAdapter(Row).validate_python(kept)
    assert (row.measure, row.value, row.null.q95) == ("linearity", 0.5, 0.1)
    now = TypeAdapter(Row).dump_python(row)
    assert now["measure"] == "linearity"
    assert "metric" not in now
    assert TypeAdapter(Row).validate_python(now).measure == "linearity"
    with pytest.raises(ValidationError):
        TypeAdapter(Row).validate_python({"concept": "sex", "value": 0.5})
