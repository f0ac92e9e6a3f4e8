"""The picture of the README: the page of ``linrep demo``, as a browser shows it (``make picture``)."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1180, 1010


def main() -> None:
    """Run the demo, or take a page that is there, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--page", type=Path, help="A page instead of the demo's.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = asked.page or _demo(Path(folder))
        browser_at = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_at, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("html[data-ready]", timeout=120_000)
            tab.wait_for_timeout(1500)  # until the figures stand still
            asked.picture.parent.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=asked.picture)
            browser.close()


def _demo(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "linrep", "demo", "--out", folder, "--quiet"], check=True)
    return next(folder.rglob("page.html"))


if __name__ == "__main__":
    main()
