"""Large networks made small: exact marginals, sub-networks, merged states; what that adds to the graph."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import config

from linrep.errors import InputError
from linrep.worlds.concepts import ConceptModel, drawn, from_tables, random_dag
from linrep.worlds.contexts import conditional, world
from linrep.worlds.dependence import with_dependence
from linrep.worlds.network import load_network
from linrep.worlds.network_file import NETWORKS, OF_PGMPY
from linrep.worlds.reduction import ancestral, marginal, proposal
from tests.support import oracles
from tests.worlds.test_several_states import network

pytestmark = pytest.mark.filterwarnings("ignore::linrep.errors.InputWarning")


def by_sums(model: ConceptModel, keep: list[int], merge: dict[int, list[list[int]]]) -> np.ndarray:
    """The joint of some variables, states merged: every concept vector added where it belongs."""
    group = {i: {state: g for g, own in enumerate(groups) for state in own} for i, groups in merge.items()}
    sizes = [len(merge[i]) if i in merge else model.sizes[i] for i in keep]
    found = np.zeros(sizes)
    for c, p in zip(oracles.vectors(model.sizes), oracles.joint(model), strict=True):
        found[tuple(group[i][c[i]] if i in group else c[i] for i in keep)] += p
    return found


def asked(seed: int) -> tuple[ConceptModel, list[int], dict[int, list[list[int]]]]:
    """A random network, what to keep of it, in any order, and what to merge."""
    model, draw = network(seed), np.random.default_rng(seed)
    keep = draw.permutation(model.concepts)[: draw.integers(1, model.concepts + 1)].tolist()
    merge: dict[int, list[list[int]]] = {}
    for i in keep:
        if model.sizes[i] > 2 and draw.random() < 0.6:
            states = draw.permutation(model.sizes[i]).tolist()
            cut = int(draw.integers(1, model.sizes[i]))
            merge[i] = [states[:cut], states[cut:]]
    return model, keep, merge


def reduced(seed: int) -> tuple[ConceptModel, ConceptModel, np.ndarray]:
    model, keep, merge = asked(seed)
    named = {
        model.names[i]: [[model.states[i][state] for state in group] for group in groups]
        for i, groups in merge.items()
    }
    small = marginal(model, [model.names[i] for i in keep], merge=named)
    return model, small, by_sums(model, keep, merge)


@pytest.mark.parametrize("seed", range(30))
def test_the_marginal_is_exact(seed: int) -> None:
    """Its joint by its own tables, and p(token | context), against sums over the whole, to 1e-12."""
    _, small, joint = reduced(seed)
    torch.testing.assert_close(small.joint(), torch.from_numpy(joint.flatten()), rtol=0, atol=1e-12)
    whole = world(small)
    dense = oracles.conditional(
        joint.flatten().tolist(), whole.codes.tolist(), whole.tokens.tolist(), small.sizes
    )
    torch.testing.assert_close(conditional(whole), torch.from_numpy(dense), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_marginals_and_sub_networks_are_pgmpy_s(seed: int) -> None:
    """With states merged, too: what pgmpy infers for the states of a group, added."""
    model, keep, merge = asked(seed)
    theirs, names = oracles.as_pgmpy(model), [model.names[i] for i in keep]
    for small in (marginal(model, names), ancestral(model, names)):
        expected = oracles.by_pgmpy(theirs, small.names, small.states, {})
        torch.testing.assert_close(small.joint(), torch.from_numpy(expected.flatten()), rtol=0, atol=1e-12)
    states = [model.states[i] for i in keep]
    expected = oracles.by_pgmpy(theirs, names, states, {})
    for axis, i in enumerate(keep):
        groups = merge.get(i, [[state] for state in range(model.sizes[i])])
        expected = np.stack([expected.take(group, axis).sum(axis) for group in groups], axis)
    joint = reduced(seed)[1].joint()
    torch.testing.assert_close(joint, torch.from_numpy(expected.flatten()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_edges_are_those_without_which_it_is_not_exact(seed: int) -> None:
    """With generic tables, no kept edge can go: v depends on each parent given the others before it."""
    draw = torch.Generator().manual_seed(seed)
    model = random_dag(6, edge_probability=0.4, probability_range=(0.1, 0.9), generator=draw)
    keep = torch.randperm(6, generator=draw)[:4].tolist()
    small = marginal(model, [model.names[i] for i in keep])
    joint = small.joint().reshape(small.sizes)
    rank = {v: at for at, v in enumerate(model.order())}
    assert all(rank[keep[parent]] < rank[keep[child]] for parent, child in small.edges())
    for child in range(4):
        before = [v for v in range(4) if rank[keep[v]] < rank[keep[child]]]
        rest = [v for v in range(4) if v not in before and v != child]
        own = joint.sum(rest, keepdim=True) if rest else joint
        table = own / own.sum(child, keepdim=True)
        moves = {u for u in before if float((table.select(u, 0) - table.select(u, 1)).abs().max()) > 1e-9}
        assert moves == set(small.parents[child])


def test_added_edges_are_those_the_graph_has_not() -> None:
    """A common cause summed out joins its effects; a middle of a chain its ends; an effect nothing."""
    half, copy = [[0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]]
    fork = from_tables(
        ["cause", "a", "b"], {"cause": half, "a": copy, "b": copy}, parents={"a": ["cause"], "b": ["cause"]}
    )
    assert marginal(fork, ["a", "b"]).reduction.added == ((0, 1),)
    chain = from_tables(
        ["a", "middle", "b"],
        {"a": half, "middle": copy, "b": copy},
        parents={"middle": ["a"], "b": ["middle"]},
    )
    assert marginal(chain, ["a", "b"]).reduction.added == ((0, 1),)
    assert marginal(chain, ["a", "middle"]).reduction.added == ()
    collider = from_tables(
        ["a", "b", "effect"], {"a": half, "b": half, "effect": copy * 2}, parents={"effect": ["a", "b"]}
    )
    assert marginal(collider, ["a", "b"]).edges() == ()
    assert marginal(collider).edges() == collider.edges()
    assert marginal(collider).reduction.added == ()


def test_merging_a_middle_lets_its_ends_meet() -> None:
    """What a merged state forgets, parent and child remember of each other; the control forgets nothing."""
    chain = from_tables(
        ["a", "m", "b"],
        {
            "a": [[0.5, 0.5]],
            "m": [[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]],
            "b": [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]],
        },
        parents={"m": ["a"], "b": ["m"]},
        states={"m": ["low", "mid", "high"]},
    )
    small = marginal(chain, merge={"m": [["low"], ["mid", "high"]]})
    assert small.states[1] == ("low", "mid+high")
    assert small.edges() == ((0, 1), (0, 2), (1, 2))
    assert (small.reduction.added, small.reduction.merged) == (((0, 2),), ("m",))
    assert marginal(small, ["b", "m", "a"]).reduction.added == ((2, 0),)
    # Each state a group of its own: the same network, in another order of states.
    turned = marginal(chain, merge={"m": [["high"], ["mid"], ["low"]]})
    torch.testing.assert_close(
        turned.joint().reshape(2, 3, 2), chain.joint().reshape(2, 3, 2).flip(1), rtol=0, atol=1e-15
    )


def test_sub_networks_add_nothing_and_keep_tables_to_the_bit() -> None:
    alarm = load_network("alarm")
    small = ancestral(alarm, ["CVP"])
    assert set(small.names) == {"HYPOVOLEMIA", "LVEDVOLUME", "LVFAILURE", "CVP"}
    assert (small.reduction.added, small.reduction.variables) == ((), 37)
    for name, table in zip(small.names, small.tables, strict=True):
        assert torch.equal(table, alarm.tables[alarm.names.index(name)])
    again = marginal(small, ["CVP", "LVFAILURE"])
    assert again.reduction.variables == 37


def test_without_dependence_nothing_is_left_of_its_edges() -> None:
    small = marginal(load_network("asia"), ["tub", "lung", "xray"])
    for share in (0.0, 0.5):
        assert with_dependence(small, share).reduction.added == ()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"keep": []}, "keep: expected some variables, got none"),
        ({"keep": ["tub", "lungs"]}, "keep: no variable 'lungs'; there are asia, tub"),
        ({"keep": ["tub", "tub"]}, "'tub' twice"),
        ({"keep": ["tub"], "merge": {"lung": [["no"], ["yes"]]}}, "'lung' is not kept"),
        ({"merge": {"lung": [["no"]]}}, "put each state into one group"),
        ({"merge": {"lung": [["no", "yes"], ["yes"]]}}, "put each state into one group"),
        ({"merge": {"lung": [["no", "yes"], []]}}, "put each state into one group"),
        ({"merge": {"lung": [["no", "yes"]]}}, "got one group"),
        ({"merge": {"lung": [["no"], ["maybe"]]}}, "got 'maybe'; name its own"),
    ],
)
def test_mistakes_are_one_line(asked: dict, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        marginal(load_network("asia"), **asked)
    assert "\n" not in str(raised.value)


def test_too_much_is_refused_before_it_is_tried() -> None:
    with pytest.raises(InputError, match="keep fewer, or merge states"):
        marginal(load_network("andes"), load_network("andes").names[:40])
    # Two hundred variables of four parents each, last ones kept: the whole tangle has to be summed out.
    draw = torch.Generator().manual_seed(0)
    parents = [tuple(torch.randperm(i, generator=draw)[:4].tolist()) for i in range(200)]
    tangled = replace(drawn(parents, (0.3, 0.7), draw), names=tuple(f"v{i}" for i in range(200)))
    with pytest.raises(InputError, match=r"table of at most 268,435,456 bytes.*keep fewer"):
        marginal(tangled, ["v199", "v198", "v197"])
    assert marginal(tangled, ["v3", "v2", "v1"]).sizes == (2, 2, 2)


LARGE = {"andes", "barley", "diabetes", "link", "mildew", "munin", "munin2", "munin3", "munin4", "pathfinder"}


def read_unchecked(name: str) -> ConceptModel:
    """Read where types are not checked: those of a million words take half a minute."""
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        return load_network(name)
    finally:
        config.update("jaxtyping_disable", before)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in (*NETWORKS, *OF_PGMPY)],
)
def test_every_network_is_used_by_what_is_proposed(name: str) -> None:
    """The world of the proposed part of each of the 24, checked by its sums."""
    model = read_unchecked(name)
    small = marginal(model, proposal(model))
    assert 1 < small.concepts <= 6
    assert small.reduction.variables == model.concepts
    made = world(small)
    assert len(made.codes) <= 1000
    assert float(made.joint.sum()) == pytest.approx(1, abs=1e-12)
    dense = conditional(made)
    torch.testing.assert_close(dense.sum(1), torch.ones(len(dense), dtype=torch.float64))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alarm", "insurance", "win95pts"])
def test_proposed_parts_are_pgmpy_s_marginals(name: str) -> None:
    model = load_network(name)
    small = marginal(model, proposal(model))
    expected = oracles.by_pgmpy(oracles.as_pgmpy(model), small.names, small.states, {})
    torch.testing.assert_close(small.joint(), torch.from_numpy(expected.flatten()), rtol=0, atol=1e-12)
