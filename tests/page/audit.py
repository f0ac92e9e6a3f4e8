"""A page as its readers meet it: in a real browser, narrow and wide, light and dark, by keyboard, offline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
WIDTHS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
FOCUSABLE = "a[href], button, input, select, summary, [tabindex]"
REACHED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const style = getComputedStyle(at);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  at.dataset.reached = "yes";
  return [at.tagName + "." + (at.className || at.id), ring || at.id === "content"];
}"""
MISSED = f"""() => [...document.querySelectorAll('{FOCUSABLE}')].filter((each) =>
  each.tabIndex === 0 && !each.disabled && !each.dataset.reached && !each.closest('svg, .js-plotly-plot')
  && each.checkVisibility()).map((each) => each.tagName + "." + (each.className || each.id))"""
SCROLL = """async () => {
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  for (const figure of document.querySelectorAll("[data-figure]")) {
    figure.scrollIntoView({ block: "center" });
    for (let times = 0; times < 100 && !figure.querySelector(".main-svg, canvas"); times++) await wait(20);
  }
  await wait(200);
  scrollTo(0, 0);
}"""
"""Figures are drawn when they come near."""
MOST_TABS = 400


def faults(browser: Any, path: Path) -> list[str]:
    """Everything wrong with a page, in sentences; empty where nothing is.

    Args:
        browser: A running one.
        path: Of an HTML file.
    """
    return [
        f"{name}, {scheme}: {fault}"
        for name, size in WIDTHS.items()
        for scheme in ("light", "dark")
        for fault in _seen(browser, path, size, scheme, tabs=scheme == "light")
    ]


def _seen(browser: Any, path: Path, size: dict[str, int], scheme: str, *, tabs: bool) -> Iterator[str]:
    context = browser.new_context(offline=True, viewport=size, color_scheme=scheme)
    page = context.new_page()
    found: list[str] = []
    page.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("request", lambda request: found.extend(_outside(request.url, path)))
    try:
        page.goto(path.as_uri(), timeout=90_000)
        page.wait_for_selector("html[data-ready]", timeout=90_000)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.evaluate("document.querySelectorAll('[data-more]').forEach((each) => each.click())")
        page.evaluate(SCROLL)
        found += page.evaluate(SCRIPT)
        if tabs:
            found += _by_keyboard(page)
    finally:
        context.close()
    yield from found


def _outside(url: str, path: Path) -> list[str]:
    own = url.startswith(("data:", "blob:")) or url == path.as_uri()
    return [] if own else [f"asks for {url}"]


def _by_keyboard(page: Any) -> list[str]:
    """Tab from the beginning to the end: every control is met, and shows that it is."""
    found: list[str] = []
    page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        reached = page.evaluate(REACHED)
        if reached is None:
            break
        name, ring = reached
        if not ring:
            found.append(f"focus is not seen on {name}")
    return [*found, *(f"no tab reaches {name}" for name in page.evaluate(MISSED))]
