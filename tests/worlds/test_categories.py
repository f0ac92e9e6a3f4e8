"""Categorical and nested worlds: exact tables, brute-force conditionals, the whole path, mistakes."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

import linrep
from linrep.cli import execute
from linrep.errors import InputError
from linrep.laboratory.build import worlds
from linrep.laboratory.shapes import DEVIATION, OVERLAP, SHARE, ShapeRows, known_values, shapes
from linrep.population.gradient import Population, population_gradient
from linrep.runs import folder as run_folder
from linrep.runs.toml import parse
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import ConceptModel, random_dag
from linrep.worlds.contexts import conditional, world

NESTED = {"kind": "categorical", "concepts": 3, "states": [2, 3, 2], "nested": {"C2": "C1=1"}}
QUICK = {"optimizer": "sgd", "steps": 60, "snapshots": 3}
MEASURE = {"bootstrap": 100, "null_draws": 2}


def drawn(seed: int = 0, **more: Any) -> ConceptModel:
    given = {"nests": [(0, 1, 1)], **more}
    return categorical([2, 3, 3], generator=torch.Generator().manual_seed(seed), **given)


def test_rows_sum_to_one_and_every_state_has_mass() -> None:
    for seed in range(20):
        model = categorical([3, 4, 2], edge_probability=1.0, generator=torch.Generator().manual_seed(seed))
        for size, table in zip((3, 4, 2), model.tables, strict=True):
            torch.testing.assert_close(table.sum(-1), torch.ones(table.shape[:-1], dtype=torch.float64))
            assert table.min() >= 0.3 / (0.3 + 0.7 * (size - 1)) - 1e-12
            assert table.max() <= 0.7 / (0.7 + 0.3 * (size - 1)) + 1e-12


def test_two_states_are_drawn_about_as_random_worlds_are() -> None:
    draw = torch.Generator().manual_seed(0)
    ours = torch.cat([categorical([2] * 6, edge_probability=1.0, generator=draw).tables[i].flatten()
                      for _ in range(40) for i in range(6)])  # fmt: skip
    theirs = torch.cat([random_dag(6, edge_probability=1.0, generator=draw).tables[i].flatten()
                        for _ in range(40) for i in range(6)])  # fmt: skip
    assert ours.min() >= 0.3
    assert ours.max() <= 0.7
    assert float(ours.mean()) == pytest.approx(0.5)
    assert 0.6 < float(ours.std() / theirs.std()) < 1.2


@pytest.mark.parametrize("seed", range(6))
def test_a_child_lives_only_where_its_parent_holds(seed: int) -> None:
    model = drawn(seed, edge_probability=0.7)
    assert model.sizes == (2, 4, 3)
    assert model.values == (2, 3, 3)
    assert (0, 1) in model.edges()
    joint = model.joint().reshape(model.sizes)
    assert (joint[0, :3] == 0).all()
    assert (joint[1, 3] == 0).all()
    assert (joint[0, 3] > 0).all()
    assert (joint[1, :3] > 0).all()
    assert len(world(model).tokens) == 3 + 9


def test_nests_within_nests_keep_their_order() -> None:
    for seed in range(10):
        draw = torch.Generator().manual_seed(seed)
        model = categorical([2, 2, 2], nests=[(2, 1, 0), (0, 1, 1)], edge_probability=0.0, generator=draw)
        possible = set(map(tuple, world(model).token_codes.tolist()))
        assert possible == {(2, 2, 0), (0, 2, 1), (1, 0, 1), (1, 1, 1)}


@pytest.mark.parametrize("seed", range(3))
def test_conditionals_and_gradients_equal_brute_force(seed: int) -> None:
    """p(c|d) by enumeration; the fused gradient against autograd through the dense loss."""
    one = world(drawn(seed, edge_probability=0.5))
    joint = one.model.joint().reshape(one.model.sizes)
    dense = conditional(one)
    for row, code in enumerate(one.codes.tolist()):
        digits = [(d,) if d < size else range(size) for d, size in zip(code, one.model.sizes, strict=True)]
        agree = list(itertools.product(*digits))
        total = sum(float(joint[c]) for c in agree)
        for column, token in enumerate(one.token_codes.tolist()):
            expected = float(joint[tuple(token)]) / total if tuple(token) in agree else 0.0
            assert float(dense[row, column]) == pytest.approx(expected, abs=1e-14)
    draw = torch.Generator().manual_seed(seed)
    f = torch.randn(1, len(one.codes), 4, generator=draw, dtype=torch.float64, requires_grad=True)
    g = torch.randn(1, len(one.tokens), 4, generator=draw, dtype=torch.float64, requires_grad=True)
    loss = -(one.weights[:, None] * dense * (f @ g.mT)[0].log_softmax(-1)).sum()
    expected = torch.autograd.grad(loss, (f, g))
    found = population_gradient(Population.of([one]), f.detach(), g.detach(), method="fused")
    torch.testing.assert_close(found.embedding, expected[0])
    torch.testing.assert_close(found.unembedding, expected[1])


def test_equivalent_contexts_stay_and_impossible_ones_go() -> None:
    """ "Parent off", with its child unknown or none, and "child none" alone: three ways to say one thing."""
    one = world(drawn(0, edge_probability=0.0))
    codes = [tuple(code) for code in one.codes.tolist()]
    same = [codes.index(code) for code in ((0, 4, 3), (0, 3, 3), (2, 3, 3))]
    dense = conditional(one)
    assert torch.equal(dense[same[0]], dense[same[1]])
    assert torch.equal(dense[same[0]], dense[same[2]])
    assert not {(0, 0, 3), (1, 3, 3)} & set(codes)
    assert one.dropped_contexts + len(codes) == 3 * 5 * 4


def planted(one: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables in which every value that is known adds a direction of its own."""
    basis = torch.eye(12, dtype=torch.float64)

    def table(codes: torch.Tensor) -> torch.Tensor:
        value = known_values(codes, one)
        total = torch.zeros(len(codes), 12, dtype=torch.float64)
        for concept, offset in enumerate((0, 3, 6)):
            corner = basis[offset : offset + 3]
            size = one.model.values[concept]
            corner = corner[:size] - corner[:size].mean(0)
            total += torch.where(value[:, concept, None] >= 0, corner[value[:, concept]], 0.0)
        return total[None]

    return table(one.codes), table(one.token_codes)


def test_planted_shapes_are_found_and_dealt_rows_lose_them() -> None:
    one = world(drawn(0))
    f, g = planted(one)
    found = shapes(ShapeRows.of(one), f, g)
    for table in ("embedding", "unembedding"):
        assert found[DEVIATION, table][0, 1:].tolist() == pytest.approx([0, 0], abs=1e-6)
        assert found[SHARE, table][0, 1:].tolist() == pytest.approx([1, 1])
        assert float(found[OVERLAP, table][0, 1]) == pytest.approx(0, abs=1e-9)
        assert found[OVERLAP, table][0, [0, 2]].isnan().all()
    dealt = shapes(ShapeRows.of(one), f, g, shuffle=torch.Generator().manual_seed(1))
    assert float(dealt[DEVIATION, "unembedding"].nanmean()) > 5
    assert float(dealt[SHARE, "unembedding"].nanmean()) < 0.9
    assert float(dealt[OVERLAP, "unembedding"].nanmean()) > 0.03


def test_binary_worlds_have_no_shapes_and_keep_their_records() -> None:
    fields = {"runs": 2, "world": {"kind": "chain", "concepts": 2}, "training": QUICK, "measure": MEASURE}
    result = linrep.run(fields)
    assert DEVIATION not in result.summary.final.as_dict()
    assert OVERLAP not in set(result.trace["measure"])
    plain = worlds(parse(fields))[0].model
    assert plain.values == plain.sizes


def test_the_whole_path_on_a_nested_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"runs": 2, "world": NESTED, "training": QUICK, "measure": MEASURE, "compute": {"threads": 1}}
    result, again = linrep.run(config), linrep.run(config)
    assert torch.equal(result.unembedding, again.unembedding)
    assert result.summary == again.summary
    final = result.summary.final
    assert final.linearity["unembedding"].per_concept["C1"] is None, "its child changes with it"
    assert final.linearity["unembedding"].per_concept["C2"] is not None
    assert final.simplex_deviation_degrees["unembedding"].per_concept["C2"] > 0
    assert final.hierarchy_overlap["unembedding"].null.kind == "shuffled rows"
    assert {DEVIATION, SHARE, OVERLAP} <= set(result.trace["measure"])
    path = tmp_path / "nested.toml"
    path.write_text(
        'runs = 2\n[world]\nkind = "categorical"\nconcepts = 3\n'
        'states = [2, 3, 2]\nnested = { C2 = "C1=1" }\n'
        "[training]\nsteps = 60\nsnapshots = 3\n[measure]\nbootstrap = 100\nnull_draws = 2\n"
    )
    assert execute(["run", str(path), "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    (folder,) = (tmp_path / "runs").glob("categorical*")
    stored = run_folder.read(folder)
    assert stored.worlds[0].model.nests == ((0, 1, 1),), "read back, C2 still lives in C1=1"
    assert stored.worlds[0].model.values == (2, 3, 2)
    assert "The learned simplices" in (folder / "page.html").read_text()
    assert (
        execute(["report", folder.name, "--out", str(tmp_path / "runs"), "--figures", str(tmp_path / "f")])
        == 0
    )
    assert (tmp_path / "f" / "hypercube.svg").exists()
    assert execute(["runs", "--out", str(tmp_path / "runs")]) == 0
    assert "categorical" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": 1}, "greater than or equal to 2, got 1"),
        ({"states": "three"}, "states"),
        ({"states": [3, 3]}, "expected one number, or 3, got 2"),
        ({"nested": {"C2": "C9=1"}}, "got 'C2' in 'C9=1'"),
        ({"nested": {"C2": "C1=2"}}, "states from 0"),
        ({"nested": {"C2": "C1=none"}}, "states from 0"),
        ({"nested": {"C4": "C1=1"}}, "concepts C1 to C3"),
        ({"nested": {"C2": "C1=1", "C1": "C2=0"}}, "cycle"),
        ({"nested": {"C2": "C2=0"}}, "cycle"),
        ({"probability_range": [0.0, 0.5]}, "every state has mass"),
        ({"concepts": 30, "states": 4}, "bytes"),
        ({"parents": {}}, "unknown key"),
    ],
)
def test_mistakes_are_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        worlds(parse({"world": {**NESTED, **changes}}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"nests": [(0, 1, 1), (2, 0, 1)]}, "twice"),
        ({"nests": [(0, 5, 1)]}, "states 0..1"),
        ({"nests": [(0, 1, 7)]}, "0..2"),
        ({"edge_probability": 2.0}, "edge_probability"),
        ({"probability_range": (0.0, 1.0)}, "0 < low"),
    ],
)
def test_bad_arguments(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        drawn(0, **more)
