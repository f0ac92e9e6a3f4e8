"""Tables as CSV: texts that a spreadsheet would work out are behind an apostrophe, numbers are not."""

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linrep.runs.spreadsheet import escaped, frame_to_csv, to_csv, unescaped

TEXTS = st.text(st.sampled_from("'=+-@\t\r0.3eab ,\"\n"), max_size=6)
FORMULA = re.compile(r"[=+\-@\t\r]")


@given(TEXTS)
def test_a_cell_is_a_number_or_begins_like_no_formula_and_is_read_back(text: str) -> None:
    cell = escaped(text)
    assert unescaped(cell) == text
    if FORMULA.match(cell):
        float(cell)


@pytest.mark.parametrize("text", ["-0.3", "+1", "-1e-5", "-inf", ".5", "plain", "it's", ""])
def test_numbers_and_words_stay(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@name", "\tx", "\rx", "-1_0", "--1", "-"])
def test_what_would_be_worked_out_is_not(text: str) -> None:
    assert escaped(text) == f"'{text}"


def test_both_writers_escape_cells_and_names_and_no_number() -> None:
    lines = [["=1+1", -0.3, None], ["plain", -1, "@x"]]
    written = to_csv(["-a", "b", "c"], lines)
    assert list(csv.reader(io.StringIO(written))) == [
        ["'-a", "b", "c"],
        ["'=1+1", "-0.3", ""],
        ["plain", "-1", "'@x"],
    ]
    frame = pd.DataFrame({"-a": ["=1+1", "plain"], "b": [-0.3, -1.0], "c": [None, "@x"]})
    assert frame_to_csv(frame) == "'-a,b,c\n'=1+1,-0.3,\nplain,-1.0,'@x\n"
