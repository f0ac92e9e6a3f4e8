"""The documentation site builds, holds every public name, opens offline, and fails where it must."""

import fcntl
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import linrep

ROOT = Path(__file__).parents[2]
PARTS = ("docs", "examples", "README.md", "CONTRIBUTING.md")
GENERATED = ("api", "*.ipynb", "__pycache__")
RUN_HERE = "own_vectors"
"""The tutorial that is run in these tests; each is run as a script by tests/test_examples.py."""

pytestmark = pytest.mark.slow


def copied(target: Path) -> Path:
    """What the site is made of, without what a build leaves."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns(*GENERATED))
        else:
            shutil.copy(ROOT / part, target / part)
    return target


def built(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As `make docs` builds it, in the same words."""
    command = ["-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html", "docs", "build/docs"]
    return subprocess.run(
        [sys.executable, *command, "-d", "build/doctrees", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(linrep.__file__).parents[1])},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def added(text: str) -> Callable[[str], str]:
    return lambda before: f"{before}\n\n{text}\n"


def tutorials(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "examples").glob("*.py"))


def run_one(root: Path, run: str) -> None:
    """Leave one tutorial to be run: the others need what nobody has."""
    for name in tutorials(root):
        if name != run:
            edit(root / "examples" / f"{name}.py", added("# needs: a_package_that_nobody_has"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once by whichever worker comes first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, done = shared / "site", shared / "site.built"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(root, ignore_errors=True)
            run_one(copied(root), RUN_HERE)
            ran = built(root)
            assert ran.returncode == 0, ran.stderr[-3000:]
            done.touch()
    return root / "build" / "docs"


def test_make_builds_it_in_the_same_words() -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m sphinx -q -E -W --keep-going -b html docs build/docs -d build/doctrees" in made


def test_every_public_name_has_its_place(site: Path) -> None:
    rooms = [
        "linrep",
        *(f"linrep.{name}" for name in linrep.__all__ if inspect.ismodule(getattr(linrep, name))),
    ]
    top = (site / "api" / "linrep.html").read_text(encoding="utf-8")
    for room in rooms:
        module: Any = sys.modules["linrep"] if room == "linrep" else getattr(linrep, room.split(".")[1])
        names = [
            name for name in getattr(module, "__all__", ()) if not inspect.ismodule(getattr(module, name))
        ]
        if not names:
            continue
        page = (site / "api" / f"{room}.html").read_text(encoding="utf-8")
        for name in names:
            assert f'id="{room}.{name}"' in page or f'id="linrep.{name}"' in top, f"{room}.{name}"


def test_every_tutorial_is_a_page_and_a_notebook(site: Path) -> None:
    assert len(tutorials(ROOT)) >= 8
    for name in tutorials(ROOT):
        assert (site / "tutorials" / f"{name}.html").is_file()
        (notebook,) = site.rglob(f"_downloads/*/{name}.ipynb")
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        assert any(cell.get("outputs") for cell in cells) == (name == RUN_HERE)


def test_citations_and_formulas_are_drawn(site: Path) -> None:
    theory = (site / "theory.html").read_text(encoding="utf-8")
    assert 'href="references.html#' in theory
    assert ">J24</" in theory
    assert "<math" in (site / "notation.html").read_text(encoding="utf-8")
    assert "σ<sub>k</sub>" in theory
    assert not re.search(r"\w_\{", theory)


@pytest.mark.browser
def test_every_page_opens_from_disk_without_an_error(site: Path, chromium: Any) -> None:
    context = chromium.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on(
        "console", lambda said: errors.append(f"{page.url}: {said.text}") if said.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
    page.on(
        "request", lambda asked: asked.url.startswith(("file:", "data:", "blob:")) or errors.append(asked.url)
    )
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri(), timeout=90_000)
    page.goto((site / "tutorials" / f"{RUN_HERE}.html").as_uri(), timeout=90_000)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=90_000)
    context.close()
    assert errors == []


def test_what_leads_nowhere_is_told_each_by_itself(tmp_path: Path) -> None:
    """Warnings, each one ends the build: a page, a place, a citation, a docstring's name, a lost page."""
    root = copied(tmp_path)
    edit(root / "docs" / "gpu.md", added("[a](no-such-page.md), [b](theory.md#no-such-place), [X99]"))
    edit(
        root / "docs" / "conf.py",
        added('linrep.geometry.linearity.__doc__ += "\\n\\nSee :func:`no_such_name`."'),
    )
    (root / "docs" / "lost.md").write_text("# Nobody leads here\n")
    ran = built(root, "-D", "nb_execution_mode=off")
    assert ran.returncode != 0
    for named in ("no-such-page", "no-such-place", "X99", "no_such_name", "lost.md"):
        assert [line for line in ran.stderr.splitlines() if "WARNING" in line and named in line], named


FAULTS = {
    "a public name without a docstring": (
        'linrep.geometry.undocumented = lambda: None\nlinrep.geometry.__all__.append("undocumented")',
        "without a docstring: undocumented",
    ),
    "a public name that does not reach the reference": (
        "import public_api\npublic_api._entry = lambda module, room, name, kept=public_api._entry: (\n"
        '    [] if name == "linearity" else kept(module, room, name))',
        "missing from the reference: linrep.geometry.linearity",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_missing_public_name_ends_the_build(fault: str, tmp_path: Path) -> None:
    code, told = FAULTS[fault]
    root = copied(tmp_path)
    edit(root / "docs" / "conf.py", added(code))
    ran = built(root, "-D", "nb_execution_mode=off")
    assert ran.returncode != 0
    assert told in ran.stderr


def test_links_written_in_html_are_followed_and_nothing_is_fetched(tmp_path: Path) -> None:
    root = copied(tmp_path)
    wrong = '<a href="nowhere.html">a</a> <a href="#no-place">b</a> <img src="https://example.org/a.png">'
    edit(root / "docs" / "gpu.md", added(wrong))
    ran = built(root, "-D", "nb_execution_mode=off")
    assert ran.returncode != 0
    for told in ("nowhere.html leads nowhere", "#no-place leads nowhere", "loads https://example.org/a.png"):
        assert f"gpu.html: {told}" in ran.stderr


def test_a_failing_tutorial_ends_the_build(tmp_path: Path) -> None:
    root = copied(tmp_path)
    run_one(root, RUN_HERE)
    edit(root / "examples" / f"{RUN_HERE}.py", added('# %%\nraise RuntimeError("the tutorial fails")'))
    ran = built(root)
    assert ran.returncode != 0
    assert "ExecutionError" in ran.stderr
    assert f"tutorials/{RUN_HERE}.ipynb" in ran.stderr
