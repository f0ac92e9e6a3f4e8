"""Networks whose variables have several states, through every door, held against pgmpy's own inference."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import linrep
from linrep.laboratory import worlds
from linrep.laboratory.given import checked
from linrep.population.gradient import Population, population_gradient
from linrep.worlds.categories import categorical
from linrep.worlds.codes import labels, parse_contexts
from linrep.worlds.concepts import ConceptModel, from_tables
from linrep.worlds.contexts import conditional, known, world
from linrep.worlds.network import read_bif, write_bif
from tests.support import oracles
from tests.worlds.test_network import same

SHORT = {"runs": 2, "training": {"optimizer": "gd", "steps": 5}, "compute": {"dtype": "float64"}}


def network(seed: int) -> ConceptModel:
    """Three to five variables of two to five states, with impossible states in some rows."""
    draw = torch.Generator().manual_seed(seed)
    sizes = torch.randint(2, 6, (int(torch.randint(3, 6, (1,), generator=draw)),), generator=draw).tolist()
    drawn = categorical(sizes, edge_probability=0.6, probability_range=(0.05, 1.0), generator=draw)
    tables = []
    for table in drawn.tables:
        rare = table * (torch.rand(table.shape, generator=draw, dtype=torch.float64) > 0.1)
        rare[..., 0] += 1e-3
        tables.append(rare / rare.sum(-1, keepdim=True))
    return ConceptModel(names=drawn.names, states=drawn.states, parents=drawn.parents, tables=tuple(tables))


@pytest.mark.parametrize("seed", range(30))
def test_joint_and_conditionals_are_pgmpy_s(seed: int) -> None:
    """The joint, and p(token | context) in contexts drawn at random, to 1e-12."""
    model = network(seed)
    theirs = oracles.as_pgmpy(model)
    assert theirs.check_model()
    joint = oracles.by_pgmpy(theirs, model.names, model.states, {})
    torch.testing.assert_close(model.joint(), torch.from_numpy(joint.flatten()), rtol=0, atol=1e-12)
    whole = world(model)
    dense = conditional(whole)
    picked = torch.randperm(len(whole.codes), generator=torch.Generator().manual_seed(seed))[:6]
    for row in picked.tolist():
        code = whole.codes[row].tolist()
        evidence = {
            model.names[i]: model.states[i][digit] for i, digit in enumerate(code) if digit < model.sizes[i]
        }
        free = [i for i in range(model.concepts) if model.names[i] not in evidence]
        if not free:
            continue
        asked = oracles.by_pgmpy(
            theirs, [model.names[i] for i in free], [model.states[i] for i in free], evidence
        )
        expected = np.zeros(model.sizes)
        expected[tuple(slice(None) if i in free else code[i] for i in range(model.concepts))] = asked
        found = torch.zeros(model.sizes, dtype=torch.float64).flatten()
        found[whole.tokens] = dense[row]
        torch.testing.assert_close(found, torch.from_numpy(expected.flatten()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("method", ["dense", "fused"])
def test_gradients_are_autograd_s(seed: int, method: str) -> None:
    one = world(network(seed))
    draw = torch.Generator().manual_seed(seed)
    f, g = (
        torch.randn(1, rows, 4, generator=draw, dtype=torch.float64, requires_grad=True)
        for rows in (len(one.codes), len(one.tokens))
    )
    loss = -(one.weights[:, None] * conditional(one) * (f[0] @ g[0].T).log_softmax(1)).sum()
    loss.backward()
    found = population_gradient(Population.of([one]), f.detach(), g.detach(), method=method)
    torch.testing.assert_close(found.embedding, f.grad, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.unembedding, g.grad, rtol=0, atol=1e-10)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_files_hold_several_states(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.getbasetemp() / "several.bif"
    write_bif(network(seed), path)
    same(read_bif(path), network(seed))


def test_a_model_a_file_and_tables_train_to_the_same_bits(tmp_path: Path) -> None:
    model = categorical([3, 2, 4], generator=torch.Generator().manual_seed(0))
    write_bif(model, tmp_path / "m.bif")
    inside = linrep.run(SHORT, world=model, out=tmp_path / "runs", progress=False)
    outside = linrep.run(SHORT, world=tmp_path / "m.bif", progress=False)
    assert inside.config.world.kind == "tables"
    assert torch.equal(inside.unembedding, outside.unembedding)
    again = linrep.open(inside.folder)
    same(again.worlds[0].model, model)
    # Three states turned round are another world: the order of states is part of it.
    states = (("2", "1", "0"), *model.states[1:])
    turned = ConceptModel(names=model.names, states=states, parents=model.parents, tables=model.tables)
    assert linrep.run(SHORT, world=turned, progress=False).key != inside.key


@pytest.mark.parametrize("wide", [3, 12])
def test_parts_of_a_world_of_several_states_are_made_again(wide: int) -> None:
    """In digits as long as ten are enough, else in words."""
    model = categorical([wide, 2], edge_probability=1.0, generator=torch.Generator().manual_seed(1))
    codes = known(model.sizes, at_least=1)[::3]
    tokens = torch.arange(0, 2 * wide, 2)
    for chosen in ({"codes": codes}, {"tokens": tokens}, {"codes": codes, "tokens": tokens}):
        asked = world(model, **chosen)
        again = worlds(checked(world=asked))[0]
        for field in ("codes", "weights", "tokens", "joint"):
            assert torch.equal(getattr(again, field), getattr(asked, field))


@given(
    st.lists(
        st.text(min_size=1, max_size=8).filter(lambda word: word.isprintable() and word != "?"),
        min_size=7,
        max_size=7,
        unique=True,
    ),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4),
)
@settings(deadline=None)
def test_labels_of_any_names_are_read_back(words: list[str], codes: list[tuple[int, int]]) -> None:
    a, b, *states = words
    model = from_tables(
        [a, b],
        {a: [[0.2, 0.3, 0.5]], b: [[0.5, 0.5]]},
        states={a: states[:3], b: states[3:]},
    )
    asked = torch.tensor(codes, dtype=torch.int8)
    assert torch.equal(parse_contexts(model, labels(model, asked)), asked)
