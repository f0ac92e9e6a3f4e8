"""Concept models: the joint against enumeration and against pgmpy, the factories, and every refusal."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from linrep.errors import InputError
from linrep.seeds import generator
from linrep.worlds.concepts import (
    chain,
    from_tables,
    independent,
    random_dag,
    require_enumerable,
)
from linrep.worlds.contexts import world
from linrep.worlds.network import load_network
from linrep.worlds.network_file import NETWORKS
from tests.support import oracles
from tests.support.strategies import Tables, tables


@given(tables())
@settings(deadline=None)
def test_joint_is_the_product_of_the_tables(drawn: Tables) -> None:
    model = drawn.model()
    expected = oracles.joint(model)
    actual = model.joint()
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-13, atol=0)
    assert (actual == 0).tolist() == [value == 0 for value in expected]
    assert actual.sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_joint_agrees_with_pgmpy(name: str) -> None:
    model = load_network(name)
    factor = None
    for cpd in oracles.pgmpy_network(name).get_cpds():
        factor = cpd.to_factor() if factor is None else factor * cpd.to_factor()
    assert factor is not None
    expected = np.empty(model.sizes)
    for c in oracles.vectors(model.sizes):
        named = {name: model.states[i][c[i]] for i, name in enumerate(model.names)}
        expected[c] = factor.get_value(**named)
    np.testing.assert_allclose(model.joint().numpy(), expected.ravel(), rtol=1e-13, atol=0)


def test_asia_has_the_published_counts() -> None:
    model = load_network("asia")
    assert model.names == ("asia", "tub", "smoke", "lung", "bronc", "either", "xray", "dysp")
    assert int((model.joint() > 0).sum()) == 128


@given(tables())
@settings(deadline=None)
def test_markov_blanket_screens_off(drawn: Tables) -> None:
    """p(c_i | everything else) depends on the blanket alone."""
    model = drawn.model()
    p = model.joint().reshape(model.sizes).numpy()
    for i in range(model.concepts):
        blanket = model.markov_blanket(i)
        assert i not in blanket
        assert blanket == tuple(sorted(blanket))
        seen: dict[tuple[int, ...], np.ndarray] = {}
        for c in oracles.vectors(model.sizes):
            column = p[(*c[:i], slice(None), *c[i + 1 :])]
            if column.sum() > 0:
                key = tuple(c[j] for j in blanket)
                np.testing.assert_allclose(
                    column / column.sum(), seen.setdefault(key, column / column.sum()), atol=1e-12
                )


def test_sampling_follows_the_joint_and_never_leaves_the_support() -> None:
    model = load_network("asia")
    drawn = model.sample(200_000, generator=generator(0, "sample")).long()
    index = (drawn * (2 ** torch.arange(7, -1, -1))).sum(1)
    frequency = torch.bincount(index, minlength=256) / len(index)
    p = model.joint()
    assert (frequency[p == 0] == 0).all()
    # Five standard deviations of every cell, and five draws for the rarest, where counts are not yet normal.
    assert ((frequency - p).abs() <= 5 * (p / len(index)).sqrt() + 5 / len(index)).all()


@pytest.mark.parametrize("row", [[1.0, 0.0], [0.0, 1.0], [0.3, 0.7, 0.0], [0.0, 1.0, 0.0]])
def test_sampling_never_draws_an_impossible_state(row: list[float]) -> None:
    model = from_tables(["x"], {"x": [row]}, states={"x": [str(k) for k in range(len(row))]})
    drawn = model.sample(10_000, generator=generator(0, "sample"))[:, 0].long()
    assert (torch.tensor(row)[drawn] > 0).all()
    assert model.sample(0, generator=generator(0, "sample")).shape == (0, 1)


def test_equal_generators_give_equal_models() -> None:
    one, two, other = (random_dag(5, generator=generator(seed, "world")) for seed in (0, 0, 1))
    assert one.parents == two.parents
    assert all(torch.equal(a, b) for a, b in zip(one.tables, two.tables, strict=True))
    assert not torch.equal(one.joint(), other.joint())


def test_random_dag_has_the_edges_and_probabilities_it_is_asked_for() -> None:
    assert random_dag(5, edge_probability=0.0, generator=generator(0, "w")).edges() == ()
    assert len(random_dag(5, edge_probability=1.0, generator=generator(0, "w")).edges()) == 10
    counts = [
        len(random_dag(6, edge_probability=0.3, generator=generator(s, "w")).edges()) for s in range(200)
    ]
    assert np.mean(counts) == pytest.approx(15 * 0.3, abs=5 * math.sqrt(15 * 0.3 * 0.7 / 200))
    ones = torch.cat([t[..., 1].flatten() for t in random_dag(10, generator=generator(0, "w")).tables])
    assert 0.3 <= ones.min() < 0.32
    assert 0.68 < ones.max() <= 0.7
    backward = [(p > c) for s in range(50) for p, c in random_dag(4, generator=generator(s, "w")).edges()]
    assert 0.3 < np.mean(backward) < 0.7


def test_independent_and_chain() -> None:
    given_ = independent(3, probabilities=[0.1, 0.5, 1.0], generator=None)
    assert [float(table[1]) for table in given_.tables] == [0.1, 0.5, 1.0]
    drawn = independent(3, probability_range=(0.2, 0.2), generator=generator(0, "w"))
    assert [float(table[1]) for table in drawn.tables] == [0.2, 0.2, 0.2]
    assert chain(4, generator=generator(0, "w")).edges() == ((0, 1), (1, 2), (2, 3))
    assert chain(4, generator=generator(0, "w")).markov_blanket(1) == (0, 2)


def test_too_large_to_enumerate_names_the_bytes() -> None:
    require_enumerable([2] * 14)
    with pytest.raises(InputError, match=f"{8 * 3**20:,} bytes"):
        random_dag(20, generator=generator(0, "w"))
    with pytest.raises(InputError, match=f"{8 * 3**3:,} bytes"):
        chain(3, generator=generator(0, "w")).joint(limit=8 * 3**3 - 1)
    with pytest.raises(InputError, match=r"20000 concepts, which would take about 10\^9543 bytes"):
        require_enumerable([2] * 20_000)
    wide = from_tables([f"x{i}" for i in range(20)], {f"x{i}": [[0.5, 0.5]] for i in range(20)})
    assert wide.sample(2, generator=generator(0, "s")).shape == (2, 20)
    with pytest.raises(InputError, match=f"{8 * 3**20:,} bytes"):
        wide.joint()


HALF = [0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"names": [], "tables": {}}, "at least one variable"),
        ({"names": ["a", "a"], "tables": {"a": [HALF]}}, "'a' is declared twice"),
        ({"names": ["a"], "tables": {}}, "'a' has no table"),
        ({"names": ["a"], "tables": {"a": [HALF], "z": [HALF]}}, "unknown variable 'z'"),
        ({"names": ["a"], "tables": {"a": [HALF]}, "parents": {"z": []}}, "unknown variable 'z'"),
        ({"names": ["a"], "tables": {"a": [HALF]}, "states": {"z": ["0", "1"]}}, "unknown variable 'z'"),
        ({"names": ["a"], "tables": {"a": [HALF]}, "parents": {"a": ["z"]}}, "unknown parent 'z'"),
        ({"names": ["a"], "tables": {"a": [HALF]}, "states": {"a": ["x", "x"]}}, "distinct states"),
        ({"names": ["a"], "tables": {"a": [[1.0]]}, "states": {"a": ["x"]}}, "two or more"),
        ({"names": ["a"], "tables": {"a": [HALF, HALF]}}, "'a' needs 1 rows"),
        ({"names": ["a"], "tables": {"a": [[0.5, 0.6]]}}, "'a', row 0: .* sum to 1.1"),
        ({"names": ["a"], "tables": {"a": [[-0.5, 1.5]]}}, r"\[0, 1\]"),
        ({"names": ["a"], "tables": {"a": [[math.nan, 1.0]]}}, r"\[0, 1\]"),
        ({"names": ["a"], "tables": {"a": [[0.2, 0.3, 0.5]]}}, "expected 2 probabilities, got 3"),
    ],
)
def test_malformed_tables_are_one_line(arguments: dict, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        from_tables(**arguments)
    assert "\n" not in str(raised.value)


def test_a_bad_row_is_named_by_its_parents_states() -> None:
    tables = {"a": [HALF], "b": [HALF], "c": [HALF, HALF, [0.5, 0.4], HALF]}
    with pytest.raises(InputError, match=re.escape("'c', row 2 (a=1, b=0)")):
        from_tables(["a", "b", "c"], tables, parents={"c": ["a", "b"]})
    with pytest.raises(InputError, match="parent twice"):
        from_tables(["a", "b"], {"a": [HALF], "b": [HALF] * 4}, parents={"b": ["a", "a"]})


def test_a_cycle_is_named() -> None:
    tables = {name: [HALF] * 2 for name in "abcd"} | {"d": [HALF]}
    with pytest.raises(InputError, match=r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c"):
        from_tables(list("dabc"), tables, parents={"b": ["a"], "c": ["b"], "a": ["c"]})
    with pytest.raises(InputError, match="a -> a"):
        from_tables(["a"], {"a": [HALF] * 2}, parents={"a": ["a"]})


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda g: independent(0, generator=g), "at least 1"),
        (lambda g: independent(2, probabilities=[0.5], generator=g), "each of 2"),
        (lambda g: independent(1, probabilities=[1.5], generator=g), "got 1.5"),
        (lambda g: chain(2, probability_range=(0.7, 0.3), generator=g), "low <= high"),
        (lambda g: random_dag(2, edge_probability=2.0, generator=g), "edge_probability"),
    ],
)
def test_factories_refuse(build, said: str) -> None:
    with pytest.raises(InputError, match=said):
        build(generator(0, "w"))


def test_rows_are_kept_to_the_bit_and_rounded_ones_scaled() -> None:
    kept = from_tables(["a"], {"a": [[0.1, 0.2, 0.7]]}, states={"a": ["x", "y", "z"]})
    assert kept.tables[0].tolist() == [0.1, 0.2, 0.7]
    rounded = from_tables(["a"], {"a": [[0.3333333, 0.6666666]]})
    assert float(rounded.tables[0].sum()) == pytest.approx(1, abs=1e-15)


def test_a_model_and_its_world_show_their_size_not_their_tables() -> None:
    model = chain(3, generator=torch.Generator().manual_seed(0))
    assert repr(model) == "ConceptModel(3 concepts: C1, C2, C3; C1 → C2, C2 → C3)"
    assert repr(world(model)) == "World(27 contexts, 8 tokens of C1, C2, C3)"


REFUSED = """
import linrep
for make in (
    lambda: linrep.chain(3, generator=0),
    lambda: linrep.random_dag(3, generator=None),
    lambda: linrep.independent(3),
    lambda: linrep.world("cancer"),
):
    try:
        make()
    except linrep.InputError as error:
        print(error)
"""


def test_what_is_no_generator_and_no_model_says_what_to_write() -> None:
    """In a process of its own: here types are checked before a user's mistake comes so far."""
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True)
    *drawn, named = done.stdout.splitlines()
    made = "write generator=torch.Generator().manual_seed(0)"
    expected = "generator: expected a torch.Generator to draw from, got"
    assert drawn == [f"{expected} {got}; {made}" for got in ("0", "None", "None")]
    assert named.startswith("world: expected a concept model, got 'cancer'; write linrep.load_network(")
