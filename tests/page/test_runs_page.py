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


def dots(block: Any) -> list[dict[str, Any]]:
    """Traces of runs: their words name a run."""
    return [trace for trace in block.spec["data"] if "text" in trace]


def ended(**shares: list[float]) -> dict[str, list[Any]]:
    """Four seeds a run, and how they ended."""
    size = len(next(iter(shares.values())))
    return {"counts.runs": [4] * size, **{f"ended.shares.{word}": given for word, given in shares.items()}}


def test_colours_are_the_choice_that_tells_most_and_is_not_settled_by_what_lies_across(drawn: Any) -> None:
    page, blocks = drawn(sweep())
    assert (
        page.title == "Over 8 runs, linearity of g is highest at concepts m = 5 (0.60) and lowest at 4 (0.35)"
    )
    assert {trace["name"]: trace["y"] for trace in dots(blocks["scatter"])} == {
        "adam": [0.4, 0.5, 0.6],
        "gd": [0.7, 0.9],
        "sgd": [0.1, 0.2, 0.3],
    }
    (heat,) = blocks["grid"].spec["data"]
    assert (heat["x"], heat["y"]) == (["3", "4", "5"], ["adam", "gd", "sgd"])
    assert heat["z"] == [[0.4, 0.5, 0.6], [0.7, None, 0.9], [0.1, 0.2, 0.3]]
    assert page.lines[-1].claim == "Not drawn: 1 run without concepts m or linearity of g (median)."


def test_what_was_set_is_written_as_it_is_and_what_is_missing_as_a_dash(drawn: Any) -> None:
    _, blocks = drawn(sweep())
    name, text = blocks["table"].download
    assert name == "runs.csv"
    lines = text.splitlines()
    assert lines[0] == f"run,world.concepts,training.optimizer,{Y},model.dim,training.step_size,ended"
    assert lines[4] == "r3,3,adam,0.4,3,0.01,not judged"
    assert lines[8] == "r7,4,gd,,4,5.0,not judged"
    assert blocks["table"].rows[3] == ["r3", "3", "adam", "0.40", "not judged"]
    assert ("training.step_size", "2", "0.01, 5") in blocks["fields"].rows


def test_runs_that_ended_differently_are_dots_of_their_own_and_never_in_one_number(drawn: Any) -> None:
    columns = {
        "model.dim": [2, 4],
        Y: [0.5, 0.6],
        **ended(converged=[1.0, 0.75], unfinished=[0.0, 0.25]),
        "ended.medians.converged.linearity_unembedding": [0.5, 0.9],
        "ended.medians.unfinished.linearity_unembedding": [None, 0.1],
    }
    page, blocks = drawn(columns)
    assert [(trace["marker"]["symbol"], trace["x"], trace["y"]) for trace in dots(blocks["scatter"])] == [
        ("circle", [2, 4], [0.5, 0.9]),
        ("triangle-up", [4], [0.1]),
    ]
    assert page.title == (
        "Where seeds converged (2 of 2 runs), linearity of g is highest at width k = 4 (0.90) and lowest at "
        "2 (0.50)"
    )
    assert page.lines[0].claim == "Seeds of these runs: 7 converged, 1 unfinished."
    medians = next(t for t in blocks["scatter"].spec["data"] if t["mode"] == "lines")
    assert medians["y"] == [0.5, 0.9]
    names = [trace["name"] for trace in blocks["scatter"].spec["data"] if trace.get("showlegend", True)]
    assert names == ["converged", "unfinished"]
    assert blocks["table"].rows == [
        ["r0", "2", "0.50", "4 of 4", "converged"],
        ["r1", "4", "0.90", "3 of 4", "converged"],
        ["r1", "4", "0.10", "1 of 4", "unfinished"],
    ]


def test_a_measure_kept_over_all_seeds_only_has_a_shape_of_its_own_where_they_ended_differently(
    drawn: Any,
) -> None:
    columns = {"model.dim": [2, 4], "margin.mean": [1.0, 9.0]}
    columns |= ended(converged=[1.0, 0.75], unfinished=[0.0, 0.25])
    page, blocks = drawn(columns, y="margin.mean")
    assert {t["name"]: t["marker"]["symbol"] for t in dots(blocks["scatter"])} == {
        "converged": "circle",
        "ended differently": "star",
    }
    assert "is 1.00 at width k 2" in page.title


def test_where_no_run_converged_cells_stand_in_brackets(drawn: Any) -> None:
    grid = [(k, m) for k in (2, 3) for m in (2, 3)]
    columns = {
        "model.dim": [k for k, _ in grid],
        "concepts": [m for _, m in grid],
        "world.concepts": [m for _, m in grid],
        Y: [0.9, 0.4, 0.8, 0.9],
        **ended(converged=[1.0, 0.0, 1.0, 1.0], too_narrow=[0.0, 1.0, 0.0, 0.0]),
    }
    _, blocks = drawn(columns, x="model.dim", colour="world.concepts")
    assert blocks["grid"].spec["data"][0]["text"] == [["0.90", "0.80"], ["(0.40)", "0.90"]]
    outlined = [(shape["x0"], shape["y0"]) for shape in blocks["grid"].spec["layout"]["shapes"]]
    assert outlined == [(-0.5, -0.5), (0.5, 0.5)], "k = m"


def test_limits_and_k_is_m_are_drawn_where_theory_has_them_and_nowhere_else(drawn: Any) -> None:
    columns = {
        "model.dim": [2, 3, 5, 8],
        "concepts": [3] * 4,
        "counts.tokens": [8] * 4,
        "contexts.kind": ["complete"] * 4,
        Y: [0.5, 0.97, 0.5, 0.25],
        **ended(converged=[0.0, 1.0, 1.0, 1.0], too_narrow=[1.0, 0.0, 0.0, 0.0]),
    }
    page, blocks = drawn(columns)
    limits = next(t for t in blocks["scatter"].spec["data"] if t["name"] == "predicted limit")
    assert limits["x"] == [3, 8], "too narrow, or between m and the rank: nothing is predicted"
    assert limits["y"] == [1.0, pytest.approx(0.2262, abs=1e-3)]
    (line,) = blocks["scatter"].spec["layout"]["shapes"]
    assert (line["x0"], line["x1"]) == (3, 3)
    theory = next(line for line in page.lines if line.word == "theory")
    assert theory.claim.startswith("0.03 from the predicted limit, the median over 2 runs")
    _, few = drawn(columns | {"counts.tokens": [7] * 4})
    assert "predicted limit" not in [trace["name"] for trace in few["scatter"].spec["data"]]
    page, other = drawn(columns | {"seed": [1, 2, 3, 4]}, x="seed")
    assert "shapes" not in other["scatter"].spec["layout"]


def test_ten_thousand_runs_make_a_page(drawn: Any) -> None:
    size = 10_000
    columns = {"model.dim": [n % 20 + 1 for n in range(size)], Y: [n / size for n in range(size)]}
    page, blocks = drawn(columns)
    assert sum(len(trace["x"]) for trace in dots(blocks["scatter"])) == size
    assert page.kicker == "10,000 runs compared"
    assert len(blocks["table"].rows) == 200
    assert len(blocks["table"].download[1].splitlines()) == 2_001
    assert "`linrep runs --csv` has all" in blocks["table"].caption


def test_the_number_of_runs_and_where_they_stop_is_not_what_lies_across(drawn: Any) -> None:
    columns = {"model.dim": [1, 2, 1], "training.until_excess": [0.1, 0.2, 0.3], Y: [0.1, 0.2, 0.3]}
    page, _ = drawn(columns)
    assert "width k" in page.title


def test_a_measured_colour_is_a_scale_and_makes_no_grid(drawn: Any) -> None:
    measured = [n / 7 for n in range(12)]
    columns = {"model.dim": [1, 2, 3, 4] * 3, Y: measured, "final.alignment.median": measured}
    _, blocks = drawn(columns, colour="final.alignment.median")
    assert "grid" not in blocks
    (measure,) = dots(blocks["scatter"])
    assert measure["marker"]["color"] == measured
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
    modes = [trace["mode"] for trace in blocks["scatter"].spec["data"]]
    assert set(modes) == {"markers"}
    words = across(["b", "a", "b"])
    assert (words["type"], words["categoryarray"]) == ("category", ["a", "b"])


def test_no_run_is_said_to_be_none(drawn: Any) -> None:
    with pytest.raises(InputError, match="expected runs to draw, got none"):
        drawn({Y: []})
