"""The pictures of the manual: the demo's page, another one, or the live laboratory (``make picture``)."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import linrep

WIDTH, HEIGHT = 1180, 1010
LIVE = 1440, 1090


def main() -> None:
    """Run the demo, take a page that is there, or tell a story to its end, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--page", type=Path, help="A page instead of the demo's.")
    parser.add_argument("--story", help="A story of the live laboratory instead.")
    asked = parser.parse_args()
    asked.picture.parent.mkdir(parents=True, exist_ok=True)
    if asked.story:
        with linrep.explore.laboratory() as lab:
            ended = "linrepLive.runs.every((run) => !run.begun || run.ended)"
            _taken(f"{lab.address}#story={asked.story}", asked.picture, LIVE, until=ended)
        return
    with tempfile.TemporaryDirectory() as folder:
        page = asked.page or _demo(Path(folder))
        _taken(page.resolve().as_uri(), asked.picture, (WIDTH, HEIGHT))


def _taken(address: str, picture: Path, size: tuple[int, int], *, until: str = "true") -> None:
    """One picture of a page, once something holds of it and its figures stand still."""
    browser_at = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_at, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
        tab.goto(address)
        tab.wait_for_selector("html[data-ready]", timeout=120_000)
        tab.wait_for_timeout(1500)
        while not tab.evaluate(until):
            tab.wait_for_timeout(200)
        tab.screenshot(path=picture)
        browser.close()


def _demo(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "linrep", "demo", "--out", folder, "--quiet"], check=True)
    return next(folder.rglob("page.html"))


if __name__ == "__main__":
    main()
