"""Wide enough or too narrow: floors by a slow twin and by training, constructions built, controls."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from linrep.errors import InputError
from linrep.theory.nuclear_norm import least_dimension
from linrep.theory.width import least_excess
from linrep.worlds.concepts import chain, from_tables, independent, random_dag
from linrep.worlds.contexts import World, conditional, known, world
from linrep.worlds.network import load_network
from linrep.worlds.tokens import token_list
from tests.support.strategies import Tables, tables


def pair(first: list[float], second: list[float]) -> World:
    """Two concepts: P(b | a = 0), P(b | a = 1), and a is even."""
    rows = {"a": [[0.5, 0.5]], "b": [first, second]}
    return world(from_tables(["a", "b"], rows, parents={"b": ["a"]}))


TIED, LOOSE = pair([0.9, 0.1], [0.1, 0.9]), pair([0.9, 0.1], [0.6, 0.4])


def three(p: list[float], codes: list[list[int]]) -> World:
    """Tokens a = 00, b = 01, c = 11 of probabilities p, and some contexts."""
    rows = {"x": [[p[0] + p[1], p[2]]], "y": [[p[0] / (p[0] + p[1]), p[1] / (p[0] + p[1])], [0.0, 1.0]]}
    model = from_tables(["x", "y"], rows, parents={"y": ["x"]})
    return world(model, codes=torch.tensor(codes, dtype=torch.int8))


A, AB, C, ABC = [2, 0], [0, 2], [1, 2], [2, 2]


def trained(toy: World, dim: int, starts: int = 3, steps: int = 400) -> float:
    """The least excess that L-BFGS reaches on both tables, in float64."""
    p, w = conditional(toy), toy.weights
    entropy = -float(w @ torch.xlogy(p, p).sum(1))
    contexts, rng = len(p), torch.Generator().manual_seed(0)

    def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
        f, g = torch.from_numpy(z).view(-1, dim).split([contexts, p.shape[1]])
        log_q = torch.log_softmax(f @ g.T, 1)
        slope = w[:, None] * (log_q.exp() - p)
        value = -float((w[:, None] * p * log_q).sum()) - entropy
        return value, torch.cat([slope @ g, slope.T @ f]).flatten().numpy()

    begins = torch.randn(starts, (contexts + p.shape[1]) * dim, generator=rng, dtype=torch.float64).numpy()
    options = {"maxiter": steps, "ftol": 0, "gtol": 1e-13, "maxcor": 30}
    return min(minimize(loss, z, jac=True, method="L-BFGS-B", options=options).fun for z in begins)


def slow_floor(toy: World, rows: list[int]) -> float:
    """The definition: every split, every context, every two tokens across the split."""
    p = conditional(toy)[:, rows].tolist()
    floors = []
    for inside in itertools.product((False, True), repeat=len(rows)):
        if not any(inside) or all(inside):
            continue
        parts = [[n for n, here in enumerate(inside) if here == side] for side in (True, False)]
        total = 0.0
        for q, weight in zip(p, toy.weights.tolist(), strict=True):
            for above, below in (parts, parts[::-1]):
                total += weight * min(made_equal(q[a], q[b]) for a in above for b in below)
        floors.append(total)
    return min(floors)


def made_equal(x: float, y: float) -> float:
    if x <= y:
        return 0.0
    return sum(z * math.log(2 * z / (x + y)) for z in (x, y) if z > 0)


def rows_of(toy: World, witnesses: tuple[str, ...]) -> list[int]:
    index = token_list(toy.model, witnesses)
    return [int((toy.tokens == each).nonzero()) for each in index]


def excess(toy: World, logits: Tensor) -> float:
    p, log_q = conditional(toy), torch.log_softmax(logits, 1)
    return float(toy.weights @ (torch.xlogy(p, p) - p * log_q).sum(1))


@given(tables(), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_the_floor_is_what_its_witnesses_prove(drawn: Tables, dim: int) -> None:
    toy = world(drawn.model())
    found = least_excess(toy, dim)
    assert (found.floor > 0) == (len(found.witnesses) == dim + 2)
    if found.floor > 0:
        assert found.construction is None
        rows = rows_of(toy, found.witnesses)
        assert len(set(rows)) == dim + 2
        assert found.floor == pytest.approx(slow_floor(toy, rows), rel=1e-6)


def test_training_stops_at_the_floor_of_two_tied_concepts_and_passes_it_one_wider() -> None:
    """k = m is not enough: no two dimensions hold 00 and 11 above 01 and 10."""
    found = least_excess(TIED, 2)
    assert found.verdict == "too narrow"
    assert found.floor < trained(TIED, 2) < found.floor * 1.01
    assert least_excess(TIED, 3).verdict == "wide enough"
    assert trained(TIED, 3) < 1e-9


def test_loosely_tied_concepts_are_not_decided_at_two_and_training_reaches_zero() -> None:
    found = least_excess(LOOSE, 2)
    assert (found.verdict, found.floor, found.witnesses, found.construction) == (None, 0.0, (), None)
    assert trained(LOOSE, 2, starts=8, steps=1500) < 1e-6


@given(st.integers(0, 2**30), st.integers(2, 4))
@settings(max_examples=15, deadline=None)
def test_fewer_dimensions_than_concepts_are_too_narrow_in_complete_worlds(seed: int, concepts: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    toy = world(chain(concepts, probability_range=(0.02, 0.98), generator=draw))
    assert all(least_excess(toy, dim).verdict == "too narrow" for dim in range(1, concepts))
    assert least_excess(toy, concepts).verdict != "wide enough"
    assert least_excess(toy, concepts + 1).verdict == "wide enough"


@given(st.integers(0, 2**30))
@settings(max_examples=5, deadline=None)
def test_no_table_trained_at_a_width_passes_its_floor(seed: int) -> None:
    toy = world(chain(2, probability_range=(0.05, 0.95), generator=torch.Generator().manual_seed(seed)))
    assert trained(toy, 1, starts=2, steps=200) >= least_excess(toy, 1).floor - 1e-12
    assert trained(toy, 2, starts=2, steps=200) >= least_excess(toy, 2).floor - 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_independent_concepts_need_one_dimension_each(seed: int) -> None:
    model = independent(3, generator=torch.Generator().manual_seed(seed))
    toy = world(model)
    assert [least_excess(toy, k).verdict for k in (2, 3)] == ["too narrow", "wide enough"]
    assert least_excess(toy, 3).construction == "additive"
    assert trained(toy, 3, starts=2, steps=800) < 1e-6


def test_a_floor_is_not_found_where_only_rounding_parts_probabilities() -> None:
    """The control: independent but for 1e-8, so no construction at k = m, and nothing proven either."""
    toy = pair([0.5, 0.5], [0.5 + 1e-8, 0.5 - 1e-8])
    assert least_excess(toy, 2).verdict is None
    assert least_excess(pair([0.5, 0.5], [0.6, 0.4]), 1).verdict == "too narrow"


def test_the_additive_tables_reach_zero() -> None:
    toy = world(chain(3, probability_range=(0.1, 0.9), generator=torch.Generator().manual_seed(1)))
    assert least_excess(toy, 4).construction == "additive"
    assert least_excess(toy, 3).construction is None
    g = torch.cat([toy.token_codes.double(), toy.joint[toy.tokens].log()[:, None]], 1)
    found = []
    for far in (5.0, 10.0, 20.0, 40.0):
        asked = torch.where(toy.codes == 2, 0.0, far * (2.0 * toy.codes - 1))
        found.append(excess(toy, torch.cat([asked, torch.ones(len(asked), 1)], 1).double() @ g.T))
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-12


def test_the_polynomial_tables_reach_zero_in_two_dimensions() -> None:
    """Contexts that know everything or nothing: eight tokens on a parabola."""
    model = random_dag(3, generator=torch.Generator().manual_seed(2))
    codes = torch.cat([known((2,) * 3, at_least=3), known((2,) * 3, at_most=0)])
    toy = world(model, codes=codes)
    found = least_excess(toy, 2)
    assert (found.verdict, found.construction) == ("wide enough", "polynomial")
    assert least_excess(toy, 1).verdict == "too narrow"
    t = toy.joint[toy.tokens].log()
    agrees = conditional(toy) > 0
    # −R (t − s)² + t, without its constant, on (t, t²); the context that knows nothing has t alone.
    s = torch.where(agrees.sum(1) == 1, agrees.double() @ t, 0.0)
    far = torch.where(agrees.sum(1) == 1, 1e6, 0.0)
    f = torch.stack([1 + 2 * far * s, -far], 1)
    assert excess(toy, f @ torch.stack([t, t**2], 1).T) < 1e-8


def test_a_chain_of_supports_is_no_bound_on_the_width_of_zero_excess() -> None:
    falling = three([0.5, 0.3, 0.2], [A, AB, C])
    assert least_dimension(conditional(falling) > 0) == 2
    assert least_excess(falling, 1).verdict is None
    assert trained(falling, 1) < 1e-9
    rising = three([0.3, 0.5, 0.2], [A, AB, C])
    found = least_excess(rising, 1)
    assert found.verdict == "too narrow"
    assert found.floor < trained(rising, 1) < found.floor * 1.001


def test_more_may_be_too_narrow_than_is_proven() -> None:
    """{a, b} and {a, b, c} want one ratio of a to b, and c at two distances: one dimension cannot."""
    assert least_excess(three([0.5, 0.3, 0.2], [A, AB, ABC]), 1).verdict is None
    assert trained(three([0.5, 0.3, 0.2], [A, AB, ABC]), 1) > 5e-3


def test_contexts_without_weight_ask_for_nothing() -> None:
    blind = (TIED.codes == 2).all(1)
    held = dataclasses.replace(TIED, weights=torch.where(blind, 0.0, 1 / 8).double())
    assert least_excess(held, 2).floor == 0
    # a = 0 | a = 1 is the cheapest split: two contexts of nine, 0.1 ln 2 each.
    assert least_excess(TIED, 2).floor == pytest.approx(2 * 0.1 * math.log(2) / 9)


def test_asia_needs_eight_dimensions() -> None:
    """*either* is an OR: it costs a dimension because both causes at once are rarer than either alone."""
    toy = world(load_network("asia"))
    narrow = least_excess(toy, 7)
    assert narrow.verdict == "too narrow"
    p = conditional(toy)[:, rows_of(toy, narrow.witnesses)].numpy()
    assert p.shape[1] == 9
    for inside in itertools.product((False, True), repeat=8):
        first = np.array([*inside, True])
        if not first.all():
            apart = p[:, first].min(1) > p[:, ~first].max(1)
            assert bool((apart | (p[:, ~first].min(1) > p[:, first].max(1))).any())
    assert least_excess(toy, 9).verdict == "wide enough"


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="dim: expected at least 1, got 0"):
        least_excess(TIED, 0)
