"""The page in a real browser, from a file, without network."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Tab:
    """A loaded page with everything it complained about and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(offline=True, accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri(), timeout=90_000)
        self.page.wait_for_selector("html[data-ready]", timeout=90_000)

    def until(self, expression: str) -> None:
        """Wait for it. The page's own policy forbids evaluating text, so the test asks from outside."""
        limit = time.monotonic() + 30
        while not self.page.evaluate(expression):
            assert time.monotonic() < limit, f"never came true: {expression}"
            self.page.wait_for_timeout(30)

    def cube(self) -> list[float]:
        return self.page.evaluate(
            "document.querySelector('#cube-plot canvas').points.map((point) => point[0])"
        )


@pytest.fixture(scope="module")
def tab(chromium: Any, dags_page: Path) -> Iterator[Tab]:
    opened = Tab(chromium, dags_page, **DESKTOP)
    yield opened
    assert opened.errors == []
    opened.context.close()


def test_opens_offline_without_error_or_request(tab: Tab, dags_page: Path) -> None:
    assert tab.errors == []
    outside = [
        url for url in tab.requests if not url.startswith(("data:", "blob:")) and url != dags_page.as_uri()
    ]
    assert outside == []


UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


def scrolled(page: Any) -> None:
    """Everything opened and brought into the window once, so that it is drawn."""
    page.evaluate(UNFOLD)
    height = page.evaluate("document.documentElement.scrollHeight")
    for place in range(0, height, 700):
        page.evaluate(f"window.scrollTo(0, {place})")
        page.wait_for_timeout(60)
    page.evaluate("window.scrollTo(0, 0)")


def test_the_page_is_short_and_what_is_folded_is_not_drawn_before_it_is_asked_for(
    chromium: Any, dags_page: Path
) -> None:
    for options, most in ((DESKTOP, 4000), (PHONE, 6800)):
        opened = Tab(chromium, dags_page, **options)
        assert opened.page.evaluate("document.documentElement.scrollHeight") < most
        assert opened.page.locator("details [data-drawn]").count() == 0
        opened.page.evaluate(UNFOLD)
        opened.page.locator("#trace-margin").scroll_into_view_if_needed()
        opened.until("document.querySelector('#trace-margin [data-drawn]') !== null")
        assert opened.errors == []
        opened.context.close()


def test_every_plot_is_drawn(chromium: Any, dags_page: Path) -> None:
    opened = Tab(chromium, dags_page, **DESKTOP)
    scrolled(opened.page)
    opened.until("document.querySelectorAll('[data-figure]:not([data-drawn])').length === 0")
    figures, drawn = opened.page.evaluate(
        "[document.querySelectorAll('[data-figure]').length,"
        " [...document.querySelectorAll('[data-figure]')]"
        ".filter(e => e.querySelector('canvas, .main-svg')).length]"
    )
    assert figures == drawn >= 16
    assert opened.errors == []
    opened.context.close()


def test_what_a_measure_means_is_a_tap_or_a_key_away(tab: Tab) -> None:
    meaning = tab.page.locator("#trace-linearity-meaning")
    assert not meaning.is_visible()
    tab.page.locator("#trace-linearity .ask").press("Enter")
    assert meaning.is_visible()
    assert "mean cosine" in meaning.text_content()
    tab.page.keyboard.press("Escape")
    assert not meaning.is_visible()
    asked = tab.page.locator(".ask").count()
    assert asked >= tab.page.locator("[id^=trace-]:not(.meaning)[aria-labelledby]").count() > 5


def test_every_section_is_in_the_bar(tab: Tab) -> None:
    asked, there = tab.page.evaluate(
        "(bar => [bar.scrollWidth, bar.clientWidth])(document.querySelector('nav'))"
    )
    assert asked == there


def test_slider_moves_the_cube(tab: Tab, dags: Any) -> None:
    slider = tab.page.locator("#cube input[type=range]")
    slider.focus()
    tab.page.keyboard.press("End")  # other tests may have left it anywhere
    end = tab.cube()
    tab.page.keyboard.press("Home")
    tab.until("document.querySelector('#cube output').textContent === '0'")
    start = tab.cube()
    assert len(start) == len(end) == 32
    assert max(map(abs, start)) < 0.2 * max(map(abs, end))
    assert slider.get_attribute("aria-valuetext") == "step 0"
    tab.page.keyboard.press("End")
    last = f"{dags.snapshot_steps[-1]:,}"
    tab.until(f"document.querySelector('#cube output').textContent === '{last}'")
    assert tab.cube() == end


def test_play_goes_on_by_itself_and_pauses(tab: Tab) -> None:
    play = tab.page.locator("#cube .play")
    play.click()
    tab.until("Number(document.querySelector('#cube input[type=range]').value) >= 2")
    assert play.text_content() == "Pause"
    play.click()
    assert play.text_content() == "Play"


def test_run_can_be_chosen(tab: Tab) -> None:
    tab.page.locator("#cube input[type=range]").press("End")
    typical = tab.cube()
    options = tab.page.locator("#cube select option").all_text_contents()
    assert "on a plateau" in " ".join(options)
    tab.page.locator("#cube select").select_option(index=1)
    assert tab.cube() != typical
    tab.page.locator("#cube select").select_option(index=0)
    assert tab.cube() == typical


def test_dark_mode_reaches_the_figures(tab: Tab) -> None:
    tab.page.locator("#trace-linearity").scroll_into_view_if_needed()
    tab.until("document.querySelector('#trace-linearity [data-drawn]') !== null")
    ink = "document.querySelector('#trace-linearity-plot').layout.font.color"
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(f"[{ink}, {ground}]")
    tab.page.locator("#theme").click()
    tab.until(f"{ink} !== '{light[0]}'")
    assert tab.page.evaluate(ground) != light[1]
    assert tab.page.locator("#theme").get_attribute("aria-pressed") == "true"
    tab.page.locator("#theme").click()
    tab.until(f"{ink} === '{light[0]}'")


def test_csv_download(tab: Tab) -> None:
    tab.page.evaluate(UNFOLD)
    with tab.page.expect_download() as waiting:
        tab.page.locator("[data-download=concepts-table]").click()
    assert waiting.value.suggested_filename == "concepts.csv"
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("concept,state_0,state_1,probability_1,token_pairs,Linearity of g")
    assert [line.split(",")[0] for line in lines[1:]] == ["C1", "C2", "C3", "C4", "C5"]


def test_keyboard_reaches_every_control(tab: Tab) -> None:
    first = "document.querySelector('a, button, input, select, [tabindex]:not([tabindex=\"-1\"])').className"
    assert tab.page.evaluate(first) == "skip"
    tab.page.evaluate(UNFOLD)
    tab.page.locator(".skip").focus()
    reached: list[str] = []
    for _ in range(120):
        tab.page.keyboard.press("Tab")
        reached.append(
            tab.page.evaluate(
                "(e => e.id || e.dataset.download || e.className || e.type || e.hash || e.tagName)"
                "(document.activeElement)"
            )
        )
    wanted = {
        "theme",
        "play",
        "CANVAS",
        "ask",
        "range",
        "select-one",
        "rescale",
        "measures",
        "concepts-table",
        "config",
        "cite",
    }
    assert wanted <= set(reached)


def test_phone_has_no_sideways_scroll(chromium: Any, hostile_page: Path) -> None:
    opened = Tab(chromium, hostile_page, **PHONE, color_scheme="dark")
    wide, window = opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window == 390
    assert opened.errors == []
    # Names are text everywhere: no element of theirs came alive, and plotly shows them as they are.
    assert opened.page.evaluate("document.querySelectorAll('img, main b').length") == 0
    assert "onerror=alert(1)" in opened.page.locator("#concepts-table").text_content()
    legend = opened.page.locator("#cube .names button").first.text_content()
    assert legend == "</script><img src=x onerror=alert(1)>"
    scrolled(opened.page)
    opened.until("document.querySelectorAll('[data-figure]:not([data-drawn])').length === 0")
    wide, window = opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window == 390, "nor when all is unfolded"
    opened.context.close()


def test_a_page_of_simplices_is_drawn(chromium: Any, categorical_page: Path) -> None:
    opened = Tab(chromium, categorical_page, **PHONE)
    scrolled(opened.page)
    opened.until("document.querySelectorAll('[data-figure]:not([data-drawn])').length === 0")
    plots, drawn = opened.page.evaluate(
        "[[...document.querySelectorAll('[data-figure]')].map(e => e.dataset.figure),"
        " [...document.querySelectorAll('[data-figure]')]"
        ".filter(e => e.querySelector('canvas, .main-svg')).length]"
    )
    assert {"cube", "spectrum", "trace-simplex-share", "trace-simplex-deviation-degrees"} <= set(plots)
    assert len(plots) == drawn
    # Names of a legend stand side by side where they fit, which columns as wide as the widest do not allow.
    rows = opened.page.evaluate(
        "[...document.querySelectorAll('#log-odds-plot .legendtext')]"
        ".map(e => Math.round(e.getBoundingClientRect().y))"
    )
    assert len(set(rows)) < len(rows) == 5
    wide, window = opened.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window == 390
    assert opened.errors == []
    opened.context.close()


def test_dark_preference_is_followed(chromium: Any, hostile_page: Path) -> None:
    opened = Tab(chromium, hostile_page, color_scheme="dark", **DESKTOP)
    assert opened.page.locator("#theme").get_attribute("aria-pressed") == "true"
    opened.context.close()


def test_the_cube_turns_by_keys_and_by_dragging_and_hides_a_concept(chromium: Any, dags_page: Path) -> None:
    opened = Tab(chromium, dags_page, **DESKTOP)
    picture = "document.querySelector('#cube canvas').toDataURL()"
    before, first = opened.cube(), opened.page.evaluate(picture)
    canvas = opened.page.locator("#cube canvas")
    canvas.press("ArrowLeft")
    turned = opened.cube()
    assert turned != before
    canvas.press("ArrowRight")
    assert opened.cube() == pytest.approx(before)
    box = canvas.bounding_box()
    opened.page.mouse.move(box["x"] + 100, box["y"] + 100)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 160, box["y"] + 100)
    opened.page.mouse.up()
    assert opened.cube() != pytest.approx(before)
    opened.page.mouse.move(box["x"] + 160, box["y"] + 100)
    name = opened.page.locator("#cube .names button").first
    full = opened.page.evaluate(picture)
    name.press("Enter")
    assert name.get_attribute("aria-pressed") == "false"
    assert opened.page.evaluate(picture) != full
    assert full != first
    assert opened.errors == []
    opened.context.close()


def contrast(one: list[float], two: list[float]) -> float:
    """WCAG 2.1."""

    def light(colour: list[float]) -> float:
        parts = [c / 255 for c in colour[:3]]
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((light(one), light(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


INKS = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = rgb(getComputedStyle(e).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.offsetParent || e.closest("svg, script, [popover]")) continue;
    found.push([node.textContent.trim().slice(0, 40), rgb(getComputedStyle(e).color), ground(e)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out(chromium: Any, dags_page: Path, scheme: str) -> None:
    opened = Tab(chromium, dags_page, color_scheme=scheme, **DESKTOP)
    opened.page.evaluate(UNFOLD)
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    words = opened.page.evaluate(INKS)
    assert len(words) > 100
    faint = [text for text, ink, ground in words if contrast(ink, ground) < 4.5]
    assert faint == []
    opened.context.close()
