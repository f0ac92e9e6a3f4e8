"""Taking dependence away: the mixture against enumeration, its marginals, and what grows with it."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.laboratory.build import worlds
from linrep.runs.toml import parse
from linrep.worlds.categories import categorical
from linrep.worlds.concepts import ConceptModel, from_tables
from linrep.worlds.dependence import marginals, total_correlation, with_dependence
from linrep.worlds.network import load_network
from linrep.worlds.network_file import NETWORKS
from tests.support import oracles
from tests.support.strategies import Tables, tables

SHARES = st.floats(0, 1)


def shaped(model: ConceptModel) -> torch.Tensor:
    return model.joint().reshape(model.sizes)


@given(tables(), SHARES)
@settings(deadline=None)
def test_it_is_the_mixture_of_the_joint_with_the_product_of_its_marginals(
    drawn: Tables, share: float
) -> None:
    model = drawn.model()
    joint = np.array(oracles.joint(model)).reshape(model.sizes)
    own = [joint.sum(tuple(set(range(joint.ndim)) - {i})) for i in range(joint.ndim)]
    cells = itertools.product(*map(range, model.sizes))
    product = [math.prod(own[i][state] for i, state in enumerate(cell)) for cell in cells]
    mixed = with_dependence(model, share)
    expected = (1 - share) * np.array(product) + share * joint.flatten()
    np.testing.assert_allclose(mixed.joint().numpy(), expected, rtol=1e-12, atol=1e-15)
    assert mixed.names == model.names
    for table in mixed.tables:
        torch.testing.assert_close(table.sum(-1), torch.ones_like(table.sum(-1)))


@given(tables(), SHARES)
@settings(deadline=None)
def test_every_marginal_is_kept_and_dependence_grows_with_the_share(drawn: Tables, share: float) -> None:
    model = drawn.model()
    whole, part = shaped(model), shaped(with_dependence(model, share))
    for before, after in zip(marginals(whole), marginals(part), strict=True):
        torch.testing.assert_close(before, after, rtol=0, atol=1e-12)
    # Total correlation is convex in the joint where marginals are fixed, and 0 at the product.
    assert total_correlation(part) <= share * total_correlation(whole) + 1e-12


def test_node_by_node_would_not_keep_the_marginals() -> None:
    """The control: where a child's parents depend on each other, mixing its own table moves its marginal."""
    asia = load_network("asia")
    tables = [
        0.5 * own.expand_as(table) + 0.5 * table
        for table, own in zip(asia.tables, marginals(shaped(asia)), strict=True)
    ]
    mixed = from_tables(
        asia.names,
        {name: table.reshape(-1, 2).tolist() for name, table in zip(asia.names, tables, strict=True)},
        parents={name: [asia.names[p] for p in asia.parents[i]] for i, name in enumerate(asia.names)},
        states=dict(zip(asia.names, asia.states, strict=True)),
    )
    moved = [
        float((a - b).abs().max())
        for a, b in zip(marginals(shaped(asia)), marginals(shaped(mixed)), strict=True)
    ]
    assert max(moved) > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_the_ends_are_the_network_and_concepts_without_edges(name: str) -> None:
    network = load_network(name)
    assert with_dependence(network, 1.0) is network
    alone = with_dependence(network, 0.0)
    assert alone.edges() == ()
    assert total_correlation(shaped(alone)) == pytest.approx(0, abs=1e-12)
    assert total_correlation(shaped(network)) > 0.01


def test_it_is_zero_for_independent_concepts_and_ln_2_for_copies() -> None:
    joint = torch.zeros(2, 2, 2, dtype=torch.float64)
    joint[0, 0, 0] = joint[1, 1, 0] = 0.5
    assert total_correlation(joint) == pytest.approx(math.log(2))
    assert total_correlation(torch.full((2, 3), 1 / 6, dtype=torch.float64)) == pytest.approx(0, abs=1e-12)


def test_what_it_refuses() -> None:
    with pytest.raises(InputError, match=r"expected a share in \[0, 1\], got 1\.5"):
        with_dependence(load_network("cancer"), 1.5)
    draw = torch.Generator().manual_seed(0)
    nested = categorical([2, 2], nests=[(0, 1, 1)], edge_probability=0.0, generator=draw)
    with pytest.raises(InputError, match="nested"):
        with_dependence(nested, 0.5)
    assert with_dependence(nested, 1.0) is nested


def test_a_config_takes_the_dependence_of_the_same_drawn_worlds_away() -> None:
    base = {"kind": "random", "concepts": 3, "edge_probability": 1.0}
    whole, half = (worlds(parse({"runs": 2, "world": {**base, "dependence": share}})) for share in (1.0, 0.5))
    for one, other in zip(whole, half, strict=True):
        torch.testing.assert_close(with_dependence(one.model, 0.5).joint(), other.model.joint())
    with pytest.raises(InputError, match=r"shift: .* got world.dependence = 0\.5"):
        parse({"world": {**base, "dependence": 0.5}, "shift": {"step": 1}})
    with pytest.raises(InputError, match="dependence"):
        parse({"world": {"kind": "independent", "concepts": 2, "dependence": 0.5}})
