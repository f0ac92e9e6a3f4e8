"""The price of linearity: checked values, a slow twin for every kind of world, bounds, and the converse."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp

from linrep.errors import InputError
from linrep.theory import price as module
from linrep.theory.maximum_entropy import divergence_to_family
from linrep.theory.price import price_of_linearity
from linrep.worlds.concepts import chain, from_tables, independent, random_dag
from linrep.worlds.contexts import World, conditional, known, token_fraction, world
from linrep.worlds.network import load_network
from tests.support.strategies import Tables, tables


def additive_excess(given_world: World, rows: range) -> list[float]:
    """Slow twin: least KL over all additive logits, of known concepts too, on *all* tokens, even excluded.

    Its infimum is not attained where tokens are excluded, so it comes from above, at a finite norm.
    """
    features = np.concatenate(
        [
            np.eye(v)[c]
            for c, v in zip(given_world.token_codes.T.numpy(), given_world.model.sizes, strict=True)
        ],
        1,
    )
    truth = conditional(given_world).numpy()
    found = []
    for p in truth[rows]:

        def loss(theta: np.ndarray, p: np.ndarray = p) -> tuple[float, np.ndarray]:
            logits = features @ theta
            q = np.exp(logits - logsumexp(logits))
            return logsumexp(logits) - p @ logits, features.T @ (q - p)

        best = minimize(loss, np.zeros(features.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9})
        found.append(best.fun + (p[p > 0] * np.log(p[p > 0])).sum())
    return found


@pytest.mark.parametrize(
    ("network", "nats", "solved"),
    [("cancer", 0.009262, 0), ("earthquake", 0.062421, 0), ("asia", 0.027391, 972)],
)
def test_networks(network: str, nats: float, solved: int) -> None:
    price = price_of_linearity(world(load_network(network)))
    assert price.nats == pytest.approx(nats, abs=5e-7)
    assert price.solved == solved
    assert 0 <= price.certificate.primal - price.certificate.dual + 1e-15 < 1e-10


def test_random_worlds_cost_little() -> None:
    prices = [
        price_of_linearity(world(random_dag(5, generator=torch.Generator().manual_seed(s)))).nats
        for s in range(40)
    ]
    assert 0.005 < sum(prices) / 40 < 0.012
    assert max(prices) < 0.03


@given(tables(), st.integers(0, 2**30))
@settings(max_examples=25, deadline=None)
def test_the_slow_twin_over_all_tokens_agrees(drawn: Tables, seed: int) -> None:
    whole = world(drawn.model())
    price = price_of_linearity(whole)
    rows = range(seed % len(whole.codes), len(whole.codes), 7)
    for row, slow in zip(rows, additive_excess(whole, rows), strict=True):
        # The twin stops at a finite norm: above the infimum by what the excluded tokens still hold.
        assert -1e-9 < slow - float(price.by_context[row]) < 1e-4


@given(st.integers(0, 2**30))
@settings(max_examples=15, deadline=None)
def test_missing_tokens_and_contexts_and_weights(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    model = random_dag(4, generator=draw)
    tokens = token_fraction(model, 0.6, generator=draw)
    some = world(model, tokens=tokens, codes=known((2,) * 4, at_most=2), weighting="occurrence")
    price = price_of_linearity(some)
    assert price.nats == pytest.approx(float(some.weights @ price.by_context), abs=1e-15)
    assert price.certificate.primal - price.certificate.dual < 1e-10
    rows = range(0, len(some.codes), 5)
    for row, slow in zip(rows, additive_excess(some, rows), strict=True):
        assert -1e-9 < slow - float(price.by_context[row]) < 1e-4


def test_the_infimum_is_approached_as_the_known_logits_grow_and_never_passed() -> None:
    whole = world(chain(3, probability_range=(0.1, 0.9), generator=torch.Generator().manual_seed(3)))
    price = price_of_linearity(whole)
    row = next(n for n, code in enumerate(whole.codes.tolist()) if code == [0, 2, 2])
    p = conditional(whole)[row]
    marginal = torch.stack([p[whole.token_codes[:, i] == 1].sum() for i in range(3)])
    logits = whole.token_codes[:, 1:].double() @ torch.logit(marginal[1:])
    gaps = []
    for known_logit in (2.0, 5.0, 10.0, 20.0):
        log_q = torch.log_softmax(logits - known_logit * whole.token_codes[:, 0], 0)
        gaps.append(float((torch.xlogy(p, p) - p * log_q).sum() - price.by_context[row]))
    assert all(later < earlier for earlier, later in itertools.pairwise(gaps))
    assert 0 < gaps[-1] < 1e-8
    # What excluded tokens still hold is −ln(1 − q(excluded)) = ln(1 + e^−R).
    assert gaps[1] == pytest.approx(math.log1p(math.exp(-5.0)), rel=1e-6)


@given(st.integers(0, 2**30))
@settings(max_examples=20, deadline=None)
def test_independent_concepts_cost_nothing_and_only_they(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    assert price_of_linearity(world(independent(4, generator=draw))).nats < 1e-14
    tied = chain(4, generator=draw)
    assert price_of_linearity(world(tied)).nats > 1e-9
    # Tied, but no context in use leaves two tied concepts unknown: independent given every context in use.
    assert price_of_linearity(world(tied, codes=known((2,) * 4, at_least=3))).nats < 1e-14


def test_a_context_without_weight_costs_nothing() -> None:
    whole = world(chain(2, generator=torch.Generator().manual_seed(0)))
    blind = (whole.codes == 2).all(1)
    held = dataclasses.replace(whole, weights=torch.where(blind, 0.0, 1 / 8).double())
    price = price_of_linearity(held)
    assert price.nats < 1e-15
    assert float(price.by_context[blind]) > 1e-6


def test_states_that_never_occur_leave_the_closed_form() -> None:
    """A ternary concept one of whose states has no mass is a binary one."""
    three = from_tables(
        ["a", "b"],
        {"a": [[0.4, 0.0, 0.6]], "b": [[0.2, 0.8], [0.5, 0.5], [0.7, 0.3]]},
        parents={"b": ["a"]},
        states={"a": ["x", "y", "z"]},
    )
    two = from_tables(["a", "b"], {"a": [[0.4, 0.6]], "b": [[0.2, 0.8], [0.7, 0.3]]}, parents={"b": ["a"]})
    price, plain = price_of_linearity(world(three)), price_of_linearity(world(two))
    assert price.solved == 0
    assert price.nats == pytest.approx(plain.nats, abs=1e-15)
    assert price.width == plain.width == 2


def test_the_program_agrees_with_the_closed_form_where_both_apply() -> None:
    whole = world(random_dag(4, probability_range=(0.02, 0.98), generator=torch.Generator().manual_seed(1)))
    price = price_of_linearity(whole)
    p = conditional(whole)
    features = torch.cat([whole.token_codes.double(), 1 - whole.token_codes.double()], 1)
    found = divergence_to_family(p, features.expand(len(p), -1, -1), p > 0)
    torch.testing.assert_close(found.upper, price.by_context, atol=1e-11, rtol=0)
    assert bool((found.lower <= found.upper + 1e-14).all())
    assert bool((found.upper - found.lower < 1e-10).all())


def test_a_problem_too_large_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(InputError, match=r"at most 100 compatible pairs .* got 11,264 in 972 contexts"):
        price_of_linearity(world(load_network("asia")))
    price_of_linearity(world(load_network("cancer")))
