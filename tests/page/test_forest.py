"""The forest plot puts every estimate where its rule says, and escapes every word."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from linrep.page.forest import LEAST, MOST, Group, Row, html, place
from linrep.page.print_forest import forest_figure

ROW = Row(
    id="C0.1",
    mark="test",
    name="somewhere",
    quantity="linearity of g",
    measured="0.97 [0.96, 0.98]",
    count="20 seeds",
    rule="at least 0.95",
    outcome="holds",
    doubt=False,
    distance=0.6,
    interval=(0.4, 0.8),
)


def drawn(row: Row) -> ElementTree.Element:
    group = Group(id="C0", verdict="holds", title="A & B <c>", rows=[row])
    table = ElementTree.fromstring(html([group]))
    (found,) = [line for line in table.iter("tr") if "C0.1" in "".join(line.itertext())]
    return found


def bar(row: Row) -> list[float]:
    (line,) = [line for line in drawn(row).iter("line") if line.get("class") == "bar"]
    return [float(line.attrib[end].removesuffix("%")) for end in ("x1", "x2")]


def test_the_rule_stands_in_one_place_and_left_of_it_is_what_meets_it() -> None:
    assert place(1.0) == 50
    assert bar(ROW) == pytest.approx([place(0.4), place(0.8)], abs=0.01)
    assert max(bar(ROW)) < 50 < min(bar(replace(ROW, distance=3.0, interval=(2.0, 4.0))))


@pytest.mark.parametrize(("distance", "shape"), [(0.6, "circle"), (0.001, "path"), (2 * MOST, "path")])
def test_beyond_the_axis_is_an_arrow(distance: float, shape: str) -> None:
    row = replace(ROW, distance=distance, interval=(distance, distance))
    (mark,) = [part for part in drawn(row).iter() if part.get("class") == "mark"]
    assert mark.tag == shape
    assert all(0 <= end <= 100 for end in bar(row))


def test_a_row_without_a_mean_has_words_and_no_mark() -> None:
    row = replace(ROW, distance=None, interval=None, measured="–", outcome="undecided", doubt=True)
    found = drawn(row)
    assert not [part for part in found.iter() if part.get("class") in ("mark", "bar")]
    assert found.attrib["class"] == "test doubt"
    assert "undecided" in "".join(found.itertext())


def test_on_paper_every_row_stands_at_its_distance_beside_its_numbers() -> None:
    far = replace(ROW, id="C0.2", mark="control", distance=2 * MOST, interval=(3.0, 2 * MOST), measured="0.1")
    without = replace(ROW, id="C0.3", distance=None, interval=None, measured="–")
    drawn = forest_figure([Group(id="C0", verdict="holds", title="A $ B", rows=[ROW, far, without])])
    (axes,) = drawn.axes
    marks = {next(iter(line.get_ydata())): line for line in axes.lines if len(line.get_xdata()) == 1}
    assert {at: line.get_xdata()[0] for at, line in marks.items()} == {1: 0.6, 2: MOST}
    assert marks[2].get_marker() == ">"
    bars = [list(line.get_xdata()) for line in axes.lines if len(set(line.get_xdata())) == 2]
    assert bars == [[0.4, 0.8], [3.0, MOST]]
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == r"C0 holds: A \$ B"
    assert {"C0.1 somewhere", "0.97 [0.96, 0.98]", "C0.3 somewhere", "–"} <= set(texts)
    assert axes.get_xlim() == (LEAST, MOST)
