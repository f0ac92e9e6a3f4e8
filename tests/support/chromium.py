"""A headless Chromium without network, one for a session."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; skipped where there is none, unless LINREP_REQUIRE_CHROMIUM=1 says there must be one."""
    required = os.environ.get("LINREP_REQUIRE_CHROMIUM") == "1"
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if binary is None:
        message = "no chromium found: `apt-get install chromium`, or put one on PATH"
        pytest.fail(message) if required else pytest.skip(message)
    if not required:
        pytest.importorskip(
            "playwright.sync_api", reason="playwright is not installed: `pip install playwright`"
        )
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--enable-unsafe-swiftshader",
        "--disable-dev-shm-usage",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=flags)
        yield browser
        browser.close()
