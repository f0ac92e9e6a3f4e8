"""The gallery shows what is there, says what is not, and leads to it; from either folder of results."""

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from linrep.cli import execute
from linrep.errors import InputError
from linrep.page.shell import Block, Page
from linrep.paper import NAMES, exhibition, gallery, page_kinds
from linrep.paper.page_kinds import KINDS, Kind, Made
from linrep.paper.record import Answer
from linrep.paper.report import write, write_index
from linrep.paper.results import told, write_results, write_results_index
from tests.paper.test_user_sweep import report, two_axes

LINE = {"type": "scatter", "mode": "lines", "x": [1, 2], "y": [1, 2], "line": {"color": "--null"}}
FOUND = {"emergence": "yes", "order": "no"}


def made(work: Path) -> Made:
    del work
    spec = {"data": [LINE], "layout": {"xaxis": {}, "yaxis": {}}}
    return Made(page=Page(title="T", kicker="K", hero=Block(id="x", kind="plot", title="T", spec=spec)))


PLAIN = Kind(
    name="plain", group="Pages", title="Plain", sentence="One <line>.", command="linrep x", make=made
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What `linrep reproduce` writes of two experiments, and its results."""
    root = tmp_path_factory.mktemp("two words")
    given = report(two_axes())
    for name, standing in FOUND.items():
        answer = Answer(standing=standing, finding="so it came out.", rule="R.")  # pyright: ignore
        study = replace(given.experiment, name=name, answer=lambda _, answer=answer: answer)
        sweep = replace(
            given.sweep, title=name.capitalize(), question=f"Is {name} so?", quick=name == "order"
        )
        each = replace(given, experiment=study, sweep=sweep)
        write(each, root / "out")
        write_results(each, root / "results")
    return root / "out", root / "results"


def leads(page: Path) -> list[str]:
    return [unquote(link) for link in re.findall(r'<h3><a href="([^"]+)"', page.read_text())]


@pytest.mark.parametrize("place", [0, 1])
def test_it_leads_to_every_experiment_with_its_answer(
    place: int, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    shown = gallery(tmp_path / "gallery", folders[place], kinds=[PLAIN])
    assert {name: each.there for name, each in shown.experiments.items()} == FOUND
    assert [each.sentence for each in shown.experiments.values()] == ["Is emergence so?", "Is order so?"]
    assert [each.title for each in shown.experiments.values()] == ["Emergence", "Order (quick)"]
    text = shown.page.read_text()
    assert all((shown.page.parent / link).is_file() for link in leads(shown.page))
    assert len(leads(shown.page)) == 3
    assert "One &lt;line&gt;." in text
    assert "2 experiments: 1 yes, 1 no" in text
    assert text.count("data:image/svg+xml") == (3 if place == 0 else 1)
    absent = [name for name in NAMES if name not in FOUND]
    assert all(name in text for name in absent), "a new experiment is named without an edit here"


def test_what_markdown_says_is_what_the_record_says(folders: tuple[Path, Path]) -> None:
    out, results = folders
    for name in FOUND:
        record = json.loads((out / f"{name}.answer.json").read_text())
        said = told(results / f"{name}.md")
        assert {key: record[key] for key in said} == said
    with pytest.raises(InputError, match="expected a page of results"):
        told(out / "order.csv")


def test_markdown_lies_beside_the_results_with_every_picture(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out, _ = folders
    results = tmp_path / "results"
    assert "gallery" not in write_results_index(results.parent, out).read_text()
    gallery(tmp_path / "gallery", out, kinds=[PLAIN], results=results)
    assert "look at: [gallery](gallery.md)" in write_results_index(results, out).read_text()
    text = (results / "gallery.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\((thumbnails/[^)]+)\)", text)
    assert len(pictures) == 3
    assert all((results / each).read_text().startswith("<?xml") for each in pictures)
    assert "](order.md) **no**<br>Is order so?" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {4}


def test_no_thumbnail_has_two_owners() -> None:
    assert not {kind.name for kind in KINDS} & set(NAMES)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_pages_are_found_again_until_they_are_made_anew(tmp_path: Path) -> None:
    times: list[Path] = []

    def counted(work: Path) -> Made:
        times.append(work)
        return made(work)

    kind, told_of = replace(PLAIN, make=counted), list[tuple[int, int, str]]()
    for force in (False, False, True):
        gallery(tmp_path, kinds=[kind], force=force, progress=lambda *at: told_of.append(at))
    assert len(times) == 2
    assert told_of[:2] == [(0, 1, "Plain"), (1, 1, "")]


def test_a_kind_that_cannot_be_made_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(work: Path) -> Made:
        raise InputError("language models need more packages")

    monkeypatch.setattr(exhibition, "KINDS", (PLAIN, replace(PLAIN, name="lm", make=fails)))
    monkeypatch.chdir(tmp_path)
    assert execute(["gallery", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["kinds"] == ["plain"]
    assert "linrep: lm: language models need more packages; left out" in said.err
    assert "None is here yet" in (tmp_path / "gallery" / "index.html").read_text()


def test_an_empty_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["gallery", "--from", str(tmp_path), "--out", str(tmp_path / "new")]) == 2
    assert "expected experiments, got none" in capsys.readouterr().err


def test_the_index_shows_thumbnails_where_they_lie(folders: tuple[Path, Path]) -> None:
    out, _ = folders
    assert write_index(out).read_text().count("data:image/svg+xml") == len(FOUND)


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.name != "claims"])
def test_a_page_of_every_kind_is_made(kind: str, workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger of the claims takes minutes; its page is drawn from a planted one in tests/page."""
    short = {"optimizer": "gd", "step_size": "auto", "steps": 12}
    monkeypatch.setattr(page_kinds, "SMALL", {**page_kinds.SMALL, "runs": 2, "training": short})
    monkeypatch.setattr(page_kinds, "WIDTHS", (2, 3))
    monkeypatch.setattr(page_kinds, "LABORATORY", False)
    monkeypatch.setattr(page_kinds, "LM_WIDTHS", (4, 6))
    monkeypatch.setattr(page_kinds, "WIDTH_STEPS", 8)
    monkeypatch.setattr(page_kinds, "TABLE_STEPS", 20)
    monkeypatch.setattr(
        page_kinds, "MODEL", {**page_kinds.MODEL, "steps": 80, "hidden": 16, "checkpoints": 3}
    )
    (chosen,) = (each for each in KINDS if each.name == kind)
    found = chosen.make(workshop)
    assert found.page.title
    assert 2_000 < len(found.picture) < 80_000


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")
