"""Planted results, their pages, and a headless Chromium without network."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linrep import page

from .planted import ASIA, DAGS, HOSTILE, planted


@pytest.fixture(scope="session")
def dags() -> Any:
    return planted(DAGS)


@pytest.fixture(scope="session")
def asia() -> Any:
    return planted(ASIA, stuck=())


@pytest.fixture(scope="session")
def hostile() -> Any:
    return planted(HOSTILE, stuck=())


@pytest.fixture(scope="session")
def dags_page(dags: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(dags, tmp_path_factory)


@pytest.fixture(scope="session")
def hostile_page(hostile: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(hostile, tmp_path_factory)


def _written(result: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page.render(result), encoding="utf-8")
    return path


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
