"""The page of many runs: which fields it draws, and what it writes where there is little or odd to draw."""

from typing import Any

import pyarrow as pa
import pytest

from linrep.errors import InputError
from linrep.page import runs_page
from linrep.page.runs_page import render
from linrep.page.shell import Page

Y = "final.linearity.unembedding.median"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page before it is HTML."""
    pages: list[Page] = []
    monkeypatch.setattr(runs_page, "assemble", lambda page: pages.append(page) or "")

    def draw(columns: dict[str, list[Any]], **fields: Any) -> tuple[Page, dict[str, Any]]:
        size = len(next(iter(columns.values())))
        table = pa.table({"run": [f"r{n}" for n in range(size)], **columns})
        render(table, **{"x": None, "y": Y, "colour": None, **fields})
        return pages[-1], {b.id: b for section in pages[-1].sections for b in section.blocks}

    return draw


def sweep() -> dict[str, list[Any]]:
    """Three widths by three optimizers; the step size follows from the optimizer, dim is concepts."""
    return {
        "world.concepts": [3, 4, 5] * 3,
        "model.dim": [3, 4, 5] * 3,
        "training.optimizer": ["sgd"] * 3 + ["adam"] * 3 + ["gd"] * 3,
        "training.step_size": [5.0] * 3 + [0.01] * 3 + [5.0] * 3,
        Y: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, None, 0.9],
    }


def test_colours_are_the_choice_that_tells_most_and_is_not_settled_by_what_lies_across(drawn: Any) -> None:
    page, blocks = drawn(sweep())
    assert page.title == "Linearity of g (median) against world.concepts"
    dots = [trace for trace in blocks["scatter"].spec["data"] if trace["mode"] == "markers"]
    assert {trace["name"]: trace["y"] for trace in dots} == {
        "adam": [0.4, 0.5, 0.6],
        "gd": [0.7, 0.9],
        "sgd": [0.1, 0.2, 0.3],
    }
    (heat,) = blocks["grid"].spec["data"]
    assert (heat["x"], heat["y"]) == (["3", "4", "5"], ["adam", "gd", "sgd"])
    assert heat["z"] == [[0.4, 0.5, 0.6], [0.7, None, 0.9], [0.1, 0.2, 0.3]]
    assert [line.claim for line in page.lines][-1].startswith("1 runs without")


def test_what_was_set_is_written_as_it_is_and_what_is_missing_as_a_dash(drawn: Any) -> None:
    _, blocks = drawn(sweep())
    table = blocks["table"]
    cells = dict(zip(table.columns, table.rows[7], strict=True))
    assert cells["training.step_size"] == "5"
    assert cells[Y] == "–"
    assert dict(zip(table.columns, table.rows[3], strict=True))["training.step_size"] == "0.01"
    assert ("training.step_size", "2", "0.01, 5") in blocks["fields"].rows


def test_a_measured_colour_is_a_scale_and_makes_no_grid(drawn: Any) -> None:
    measured = [n / 7 for n in range(12)]
    columns = {"model.dim": [1, 2, 3, 4] * 3, Y: measured, "final.alignment.median": measured}
    _, blocks = drawn(columns, colour="final.alignment.median")
    assert "grid" not in blocks
    dots = next(trace for trace in blocks["scatter"].spec["data"] if trace["mode"] == "markers")
    assert dots["marker"]["color"] == measured
    for layout in (blocks["scatter"].spec["layout"], blocks["scatter"].spec["narrow"]):
        assert layout["coloraxis"]["colorbar"]["title"]["text"] == "alignment (median)"


def test_ticks_stand_at_values_and_far_values_on_a_logarithmic_axis(drawn: Any) -> None:
    def across(values: list[Any]) -> dict[str, Any]:
        _, blocks = drawn({"model.init_scale": values, Y: [0.5] * len(values)}, x="model.init_scale")
        return blocks["scatter"].spec["layout"]["xaxis"]

    assert across([0.01, 0.1, 1.0])["type"] == "log"
    assert across([0.01, 0.1, 1.0])["ticktext"] == ["0.01", "0.1", "1"]
    assert "type" not in across([0.0, 1.0, 200.0])
    assert "tickvals" not in across([float(n) for n in range(1, 20)])
    _, blocks = drawn({"training.optimizer": ["b", "a"], Y: [0.1, 0.2]}, x="training.optimizer")
    assert [trace["mode"] for trace in blocks["scatter"].spec["data"]] == ["markers", "markers"]
    words = across(["b", "a", "b"])
    assert (words["type"], words["categoryarray"]) == ("category", ["a", "b"])


def test_no_run_is_said_to_be_none(drawn: Any) -> None:
    with pytest.raises(InputError, match="expected runs to draw, got none"):
        drawn({Y: []})
