"""The laboratory in a real browser: opened, played, changed, compared, shared."""

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import linrep

pytest.importorskip("uvicorn")
from linrep.explore.serving import laboratory

pytestmark = pytest.mark.browser

SHORT = {
    "seed": 2,
    "world": {"kind": "independent", "concepts": 3, "probabilities": [0.5, 0.5, 0.5]},
    "model": {"dim": 3},
    "training": {"optimizer": "gd", "step_size": 1.0, "steps": 2000},
}
DESKTOP = {"viewport": {"width": 1360, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Tab:
    """A page of the laboratory, with everything it complained about and asked for."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.goto(address, timeout=60_000)
        self.page.wait_for_selector("html[data-ready]", timeout=60_000)
        self.until("linrepLive.runs[0].frame !== null")

    def until(self, expression: str, seconds: float = 60) -> None:
        limit = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < limit, f"never came true: {expression}; {self.errors}"
            self.page.wait_for_timeout(30)

    def number(self, name: str, run: int = 0) -> float:
        return self.page.evaluate(f"linrepLive.runs[{run}].curves.values['{name}'].at(-1)")


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with laboratory(SHORT) as started:
        yield started


@pytest.fixture
def tab(chromium: Any, lab: Any) -> Iterator[Tab]:
    opened = Tab(chromium, lab.address, **DESKTOP)
    yield opened
    assert opened.errors == []
    outside = [url for url in opened.requests if f"127.0.0.1:{lab.port}/" not in url]
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []
    opened.context.close()


def test_a_run_converges_and_its_toml_gives_the_numbers_on_screen(tab: Tab) -> None:
    tab.page.select_option("#pace", "fast")
    tab.page.click("#play")
    tab.until("linrepLive.runs[0].ended !== null")
    assert "converged at step 2,000" in tab.page.text_content("#ended")
    assert tab.page.locator("#chart-linearity .ahead").all_text_contents() == ["(1.00)", "(1.00)"]
    assert tab.page.evaluate("linrepLive.runs[0].count") > 20
    tab.page.click("#copy")
    tab.until("document.querySelector('#toml').value !== ''")
    fields = tomllib.loads(tab.page.input_value("#toml"))
    trace = linrep.run(fields, progress=False).trace
    last = trace[(trace["step"] == 2000) & (trace["kind"] == "value") & (trace["concept"] == "")]
    for name, table in (("linearity", "unembedding"), ("alignment", ""), ("excess_loss_nats", "")):
        (value,) = last[(last["measure"] == name) & (last["table"] == table)]["value"]
        assert tab.number(f"{name}.{table}".rstrip(".")) == value


def test_the_width_changes_what_is_drawn(tab: Tab) -> None:
    before = tab.page.evaluate("[...linrepLive.runs[0].frame.corners]")
    tab.page.focus("#dim")
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    tab.until("linrepLive.runs[0].begun.dim === 6 && linrepLive.runs[0].frame !== null")
    assert "k = 6" in tab.page.text_content("#run-0 .facts")
    assert tab.page.evaluate("[...linrepLive.runs[0].frame.corners]") != before


def test_what_is_wrong_is_said_beside_the_field(tab: Tab) -> None:
    tab.page.fill("#step-size", "much")
    tab.page.press("#step-size", "Tab")
    tab.until("document.querySelector('.wrong[data-field=\"training.step_size\"]').textContent !== ''")
    assert "'much'" in tab.page.text_content('.wrong[data-field="training.step_size"]')
    tab.page.fill("#step-size", "1")
    tab.page.press("#step-size", "Tab")
    tab.until("document.querySelector('.wrong[data-field=\"training.step_size\"]').textContent === ''")


def test_a_dimension_more_and_another_step_on_the_way(tab: Tab) -> None:
    tab.page.evaluate("document.activeElement.blur()")
    dim = tab.page.evaluate("linrepLive.runs[0].begun.dim")
    tab.page.keyboard.press(".")
    tab.until("linrepLive.runs[0].frame?.step === 1")
    tab.page.click("#dimension")
    tab.page.click("#larger")
    tab.until(f"linrepLive.runs[0].begun.dim === {dim + 1} && linrepLive.runs[0].begun.changes.length === 2")
    assert "after step 1: training.step_size 1 → 2" in tab.page.text_content("#run-0 .changes")


def test_the_graph_is_edited_by_keyboard(tab: Tab) -> None:
    tab.page.focus("[data-concept='0']")
    tab.page.keyboard.press("Enter")
    tab.page.click("#concept >> text=→ C2")
    tab.until("linrepLive.runs[0].begun.graph.arrows.length === 1")
    tab.page.click("#add")
    tab.until("linrepLive.runs[0].begun.names.length === 4")
    assert tab.page.locator("#graph .node").count() == 4
    tab.page.check("#contexts-shown")
    tab.until("linrepLive.runs[0].frame?.contexts.length === 3 * 81")


def focused(tab: Tab) -> str:
    return tab.page.evaluate("document.activeElement.id || document.activeElement.dataset.concept || ''")


def test_who_has_no_mouse_keeps_the_place(tab: Tab) -> None:
    tab.page.focus("#add")
    tab.page.keyboard.press("Enter")
    tab.until("linrepLive.runs[0].begun.names.length === 4 && !document.querySelector('#concept').hidden")
    assert tab.page.input_value("#concept-name") == "C4"  # what is new is chosen
    assert tab.page.evaluate("linrepLive.runs[0].begun.dim") == 4
    tab.page.locator("#concept button", has_text="→ C1").focus()
    tab.page.keyboard.press("Enter")
    tab.until("linrepLive.runs[0].begun.graph.arrows.length === 1")
    assert focused(tab) == "3"
    tab.page.focus("#concept-name")
    tab.page.keyboard.press("Escape")
    assert (focused(tab), tab.page.is_hidden("#concept")) == ("3", True)
    tab.page.keyboard.press("Enter")
    tab.page.locator("#concept button", has_text="Remove").focus()
    tab.page.keyboard.press("Enter")
    tab.until("linrepLive.runs[0].begun.names.length === 3")
    assert focused(tab) == "add"


def test_fields_are_not_set_back_while_they_are_moved(tab: Tab) -> None:
    tab.page.focus("#dim")
    for press in range(24):
        tab.page.keyboard.press("ArrowLeft" if press % 3 == 2 else "ArrowRight")
        tab.page.wait_for_timeout(30 + 150 * (press % 4 == 3))
    tab.until("linrepLive.runs[0].begun.dim === 11 && document.querySelector('#dim').value === '11'")
    tab.page.click("#larger")
    tab.until("linrepLive.runs[0].begun.changes.length === 1")
    tab.page.fill("#seed", "7")
    tab.page.press("#seed", "Tab")
    tab.until("linrepLive.runs[0].begun.config.seed === 7")
    training = tab.page.evaluate("linrepLive.runs[0].begun.config.training")
    assert training["step_size"] == 2.0  # as it stands in its field


def test_a_file_that_cannot_be_read_is_said_beside_its_button_and_changes_nothing(tab: Tab) -> None:
    for content, words in (
        (b"network x {", "ends too early"),
        (b'"' * 700_000, "too large"),
        (b" " * 2**21, "at most"),
    ):
        tab.page.set_input_files("#bif", {"name": "a.bif", "mimeType": "text/plain", "buffer": content})
        wrong = "document.querySelector('.wrong[data-field=bif]').textContent"
        tab.until(f"{wrong}.includes({json.dumps(words)})")
    tab.page.fill("#seed", "5")
    tab.page.press("#seed", "Tab")
    tab.until("linrepLive.runs[0].begun.config.seed === 5")
    config = tab.page.evaluate("linrepLive.runs[0].begun.config")
    assert (config["model"]["start"], config["training"]["step_size"]) == ("normal", 1.0)


def test_what_comes_late_of_a_second_run_is_not_shown(tab: Tab) -> None:
    for _ in range(3):
        tab.page.click("#compare")
        tab.page.click("#alone")
    tab.page.click("#play")
    tab.until("linrepLive.runs[0].count > 3")
    assert tab.page.evaluate("linrepLive.runs[1].begun === null && linrepLive.runs[1].ended === null")
    assert tab.page.is_hidden("#run-1")


@pytest.mark.parametrize("config", ["{}", '{"world":{"kind":"chain","concepts":99}}', "[1]"])
def test_an_address_that_cannot_be_opened_is_said_and_the_page_opens(tab: Tab, config: str) -> None:
    tab.page.evaluate(f"location.hash = {json.dumps('config=' + config)}")
    tab.page.reload()
    tab.until("window.linrepLive && linrepLive.runs[0].frame !== null")
    assert "in the address cannot be used" in tab.page.text_content("#wrong-here")


def test_settings_survive_a_reload_and_a_story_is_told_again(tab: Tab) -> None:
    tab.page.focus("#dim")
    tab.page.keyboard.press("ArrowRight")
    tab.until("linrepLive.runs[0].begun.dim === 4")
    tab.page.reload()
    tab.until("window.linrepLive && linrepLive.runs[0].begun !== null")
    assert tab.page.evaluate("linrepLive.runs[0].begun.dim") == 4
    story = tab.page.locator("a[href='#story=cube']")
    for _ in range(2):
        story.click()
        tab.until("linrepLive.runs[0].begun.dim === 3 && !document.querySelector('#story').hidden")
        tab.page.focus("#dim")
        tab.page.keyboard.press("ArrowRight")
        tab.until("linrepLive.runs[0].begun.dim === 4 && document.querySelector('#story').hidden")


def test_a_story_is_true_of_the_numbers_on_screen(tab: Tab) -> None:
    tab.page.evaluate("location.hash = 'story=wider'")
    tab.until("linrepLive.runs[0].ended !== null && linrepLive.runs[1].ended !== null", 120)
    said = tab.page.locator("#story li").all_text_contents()
    assert len(said) == 3
    assert all(each.strip().startswith("true") for each in said), said
    assert tab.number("linearity.unembedding") > 0.95
    assert tab.number("linearity.unembedding", 1) < 0.75
    assert tab.page.locator("#run-1 canvas").first.is_visible()


def test_the_page_of_what_stands_is_saved(tab: Tab, tmp_path: Path) -> None:
    for button, name in (("#save-figure", "explored.svg"), ("#save-page", "explored.html")):
        with tab.page.expect_download(timeout=60_000) as found:
            tab.page.click(button)
        found.value.save_as(tmp_path / name)
        assert found.value.suggested_filename == name
    figure = ElementTree.parse(tmp_path / "explored.svg").getroot()
    said = [each.text or "" for each in figure.iter("{http://www.w3.org/2000/svg}text")]
    assert {"000", "111", "C1", "C2", "C3"} < set(said)
    assert any(each.startswith("m = 3, k = 3, step ") for each in said)
    assert "<!doctype html>" in (tmp_path / "explored.html").read_text(encoding="utf-8")[:20]


def test_on_a_phone_in_the_dark_nothing_goes_sideways(chromium: Any, lab: Any) -> None:
    opened = Tab(chromium, lab.address, **PHONE, color_scheme="dark")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
    opened.page.tap("#play")
    opened.until("linrepLive.runs[0].count > 5")
    assert opened.errors == []
    opened.context.close()


def test_a_closed_tab_trains_no_more(chromium: Any, lab: Any) -> None:
    endless = {**SHORT, "training": {"optimizer": "gd", "step_size": 0.01, "steps": 1_000_000}}
    opened = Tab(chromium, lab.address, **DESKTOP)
    before = set(lab.server.tabs)
    opened.page.evaluate(f"linrepLive.send({json.dumps({'do': 'start', 'config': endless})})")
    opened.page.click("#play")
    opened.until("linrepLive.runs[0].begun.steps === 1000000 && linrepLive.runs[0].count > 3")
    opened.page.close()
    limit = time.monotonic() + 5
    while len(lab.server.tabs) >= len(before):
        assert time.monotonic() < limit, "a closed tab still trains"
        time.sleep(0.02)
    opened.context.close()
