"""The experiments end to end, tiny: every sweep file holds, pages open with question and answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep.cli import execute
from linrep.laboratory.build import worlds
from linrep.laboratory.shapes import hierarchies
from linrep.paper import NAMES, experiment, reproduce
from linrep.paper.hierarchy import RANK
from linrep.paper.implicit_bias import hidden_problems
from linrep.paper.orthogonality import coordinates, inner_products
from linrep.paper.reproduce import plan, sweep_of
from linrep.runs.toml import parse
from linrep.sweeps.file import Sweep
from linrep.worlds.concepts import independent
from linrep.worlds.contexts import world
from linrep.worlds.tokens import affine_rank

STEPS = 8


def tiny(name: str, *, quick: bool = False, device: str | None = None) -> Sweep:
    """The quick form of an experiment, cut down to a few steps of two runs at the ends of each axis."""
    del quick, device
    sweep = sweep_of(name, quick=True)
    ends = [
        (axis, axis.points[0], axis.points[1 if axis.name == "training.steps" else -1]) for axis in sweep.axes
    ]
    axes = tuple(
        replace(axis, points=(first,) if last is first else (first, last)) for axis, first, last in ends
    )

    def shorter(axis: str, key: str, value: Any) -> Any:
        if key == "runs":
            return 2
        if key == "shift.step":
            return STEPS // 2
        return STEPS if key == "training.steps" and axis != key else value

    axes = tuple(
        replace(axis, points=tuple(
            replace(point, changes=tuple((k, shorter(axis.name, k, value)) for k, value in point.changes))
            for point in axis.points
        ))
        for axis in axes
    )  # fmt: skip
    base = {**sweep.base, "runs": 2}
    base["training"] = {**dict(base["training"]), "steps": STEPS, "snapshots": 4}
    base["measure"] = {**dict(base["measure"]), "bootstrap": 100, "null_draws": 2}
    if "shift" in base:
        base["shift"] = {**dict(base["shift"]), "step": STEPS // 2}
    return replace(sweep, base=base, axes=axes)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "sweep_of", tiny)


def test_every_sweep_file_makes_its_cells_and_quick_is_smaller() -> None:
    quick, full = plan(NAMES, quick=True), plan(NAMES)
    for study, sweep, grid, command in (*quick, *full):
        assert sweep.question.endswith("?"), study.name
        assert len(grid) >= 2
        assert all(cell.config.compute.threads == 1 for cell in grid), "equal bits on every machine"
        assert command.startswith(f"linrep reproduce {study.name}")
    for (study, _, small, _), (_, _, large, _) in zip(quick, full, strict=True):
        assert sum(cell.cost for cell in small) < sum(cell.cost for cell in large) / 3, study.name


def test_the_whole_set_writes_pages_tables_index_and_results(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, results = tmp_path / "out", tmp_path / "docs" / "results"
    arguments = ["reproduce", "--all", "--quick", "--out", str(out), "--results", str(results), "--json"]
    assert execute(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in record["experiments"]] == list(NAMES)
    pages = {path.name: path.read_bytes() for path in results.iterdir()}
    listed = pages["README.md"].decode()
    index = (out / "index.html").read_text()
    for each in record["experiments"]:
        page = (out / each["page"]).read_text()
        assert f'href="{each["page"]}"' in index
        assert each["question"].replace("'", "&#39;") in page
        assert each["command"] in page
        assert (out / "thumbnails" / f"{each['name']}.svg").stat().st_size < 80_000
        text = pages[f"{each['name']}.md"].decode()
        assert f"]({each['name']}.md)" in listed
        assert f"linrep reproduce {each['name']} --quick" in text
        assert each["answer"].partition(": ")[2] in text
        assert each["converged"] in text
        assert f"]({each['name']}.svg)" in text
        assert len(pages[f"{each['name']}.svg"]) < 150_000
        assert max(line.count("|") for line in text.splitlines() if line.startswith("|")) <= 7
        assert pages[f"{each['name']}.csv"] == (out / each["table"]).read_bytes()
        lines = (out / each["table"]).read_text().splitlines()
        assert len(lines) > each["cells"]
        assert lines[0].endswith("measure,table,runs,mean,low95,high95,median,q10,q90,null,untrained")
    assert len(pages) == 3 * len(NAMES) + 1
    assert f"linrep {linrep.__version__}" in listed
    assert "linrep reproduce --all --quick --results docs/results" in listed
    before = (out / "knowledge.csv").read_bytes()
    figures = ["--figures", str(tmp_path / "figures"), "--format", "svg", "--format", "pdf"]
    assert execute(["reproduce", "knowledge", *arguments[2:], *figures]) == 0
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "knowledge.pdf",
        "knowledge.svg",
    ]
    assert json.loads(capsys.readouterr().out)["experiments"] == [
        each for each in record["experiments"] if each["name"] == "knowledge"
    ]
    assert (out / "knowledge.csv").read_bytes() == before
    assert {path.name: path.read_bytes() for path in results.iterdir()} == pages, "equal runs, equal bytes"


def test_the_index_keeps_what_was_run_before(small: None, tmp_path: Path) -> None:
    for name in ("graphs", "orthogonality"):
        assert execute(["reproduce", name, "--quick", "--out", str(tmp_path), "--quiet"]) == 0
    index = (tmp_path / "index.html").read_text()
    assert 'href="graphs.html"' in index
    assert 'href="orthogonality.html"' in index


def test_an_experiment_that_fails_is_said_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wild(name: str, *, quick: bool = False, device: str | None = None) -> Sweep:
        sweep = tiny(name, quick=quick, device=device)
        concepts, starts = sweep.axes
        first, last = concepts.points
        wide = replace(last, changes=(*last.changes, ("training.step_size", 1e30)))
        axes = (replace(concepts, points=(first, wide)), replace(starts, points=starts.points[:1]))
        return replace(sweep, axes=axes)

    monkeypatch.setattr(reproduce, "sweep_of", wild)
    assert execute(["reproduce", "emergence", "--quick", "--out", str(tmp_path), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "emergence: concepts 4, model.start normal: training diverged" in said
    assert "diverged" in (tmp_path / "emergence.html").read_text()


def test_a_damaged_run_is_said_and_the_pages_are_written(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reproduce", "orthogonality", "--quick", "--out", str(tmp_path), "--quiet"]
    assert execute(command) == 0
    table = (tmp_path / "orthogonality.csv").read_bytes()
    damaged = min((tmp_path / "runs").glob("*/result.json"))
    damaged.write_bytes(b"{")
    assert execute(command) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{damaged}: damaged" in said
    assert (tmp_path / "index.html").is_file()
    assert execute([*command, "--retry"]) == 0
    assert (tmp_path / "orthogonality.csv").read_bytes() == table


@pytest.mark.parametrize("names", [[], ["emergencies"]])
def test_unknown_names_are_one_line(
    names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["reproduce", *names, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "emergence, incomplete-contexts" in said
    assert not (tmp_path / "out").exists()


def test_hidden_problems_of_the_additive_solution_point_at_their_steering_vector() -> None:
    """With one-hot-like axes, every signed f(d) that knows i has a positive product with Δg_i."""
    found = world(independent(3, probabilities=[0.5, 0.5, 0.5], generator=None))
    g = 2.0 * found.token_codes.double() - 1
    f = (2.0 * found.codes.double() - 1).where(found.codes < 2, torch.tensor(0.0, dtype=torch.float64))
    problems = list(hidden_problems(found, f, g))
    assert len(problems) == 3 * 4
    for delta, points in problems:
        assert len(points) == 2 * 2**2
        assert bool((points @ delta > 0).all())


def test_the_causal_inner_product_does_not_see_a_change_of_coordinates() -> None:
    draw = torch.Generator().manual_seed(0)
    table = torch.randn(16, 4, generator=draw, dtype=torch.float64)
    moved = table @ torch.linalg.inv(coordinates(4, draw)).T
    seen, seen_moved = (inner_products(each, draw) for each in (table, moved))

    def gram(rows: torch.Tensor) -> torch.Tensor:
        rows = rows - rows.mean(0)
        return rows @ rows.T

    torch.testing.assert_close(gram(seen["causal"]), gram(seen_moved["causal"]))
    assert not torch.allclose(gram(seen["Euclid"]), gram(seen_moved["Euclid"]))


def test_one_width_means_the_same_for_every_world_of_the_hierarchy() -> None:
    ((_, _, cells, _),) = plan(["hierarchy"])
    for one in {str(cell.config.world): cell.config for cell in cells}.values():
        found = worlds(one.model_copy(update={"runs": 1}))[0]
        assert affine_rank(found.token_codes) == RANK


def test_in_the_causal_inner_product_any_labels_give_right_angles_once_the_table_is_wide() -> None:
    """The control: with k = tokens - 1 dealt labels pass too, at half the width neither does."""
    given = {"kind": "categorical", "concepts": 3, "states": [2, 3, 4], "nested": {"C2": "C1=1"}}
    found = worlds(parse({"runs": 1, "world": given}))[0]
    draw = torch.Generator().manual_seed(0)
    tokens = len(found.tokens)
    codes = found.token_codes[torch.randperm(tokens, generator=draw)]
    for k, right in ((tokens - 1, True), (6, False)):
        table = torch.randn(tokens, k, generator=draw, dtype=torch.float64)
        seen = inner_products(table, draw)["causal"][None]
        angles = [float(hierarchies(found, seen, each).nanmean()) for each in (found.token_codes, codes)]
        assert [angle < 1e-6 for angle in angles] == [right, right]


def test_names_and_files_are_the_same_set() -> None:
    folder = Path(reproduce.__file__).parent
    assert {path.stem for path in folder.glob("*.toml")} == set(NAMES)
    assert all(experiment(name).name == name for name in NAMES)


def test_a_device_is_every_cells_and_the_commands() -> None:
    ((_, _, cells, command),) = plan(["dimension"], quick=True, device="cuda", options=" --device cuda")
    assert {cell.config.compute.device for cell in cells} == {"cuda"}
    assert command == "linrep reproduce dimension --quick --device cuda"
    ((_, _, here, _),) = plan(["dimension"], quick=True)
    assert not {cell.key for cell in cells} & {cell.key for cell in here}
