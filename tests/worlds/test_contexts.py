"""Contexts, tokens and worlds: against enumeration, against pgmpy's exact inference, and every refusal."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linrep.errors import InputError
from linrep.population.gradient import Population
from linrep.seeds import generator
from linrep.worlds.codes import labels
from linrep.worlds.concepts import from_tables, independent, random_dag
from linrep.worlds.contexts import (
    World,
    affine_rank,
    complete,
    conditional,
    entropy,
    flat_index,
    fraction,
    known,
    log_odds,
    parse_contexts,
    supported_tokens,
    token_fraction,
    token_list,
    world,
)
from linrep.worlds.network import load_network
from linrep.worlds.network_file import NETWORKS
from linrep.worlds.tokens import ravel, unravel
from tests.support import oracles
from tests.support.strategies import Tables, tables

HALVES = independent(3, probabilities=[0.5, 0.5, 0.5], generator=None)


def digits(rows: list[list[int]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.int8)


@given(st.lists(st.integers(2, 4), min_size=1, max_size=4))
def test_complete_is_the_product_in_order(sizes: list[int]) -> None:
    codes = complete(sizes)
    assert [tuple(row) for row in codes.tolist()] == list(itertools.product(*(range(v + 1) for v in sizes)))
    assert flat_index(codes, sizes).tolist() == list(range(len(codes)))
    bases = [v + 1 for v in sizes]
    assert flat_index(codes, sizes).tolist() == [
        int(np.ravel_multi_index(row, bases)) for row in codes.tolist()
    ]
    assert torch.equal(unravel(ravel(codes, bases), bases), codes)


@given(st.lists(st.integers(2, 3), min_size=1, max_size=4), st.data())
def test_known_counts_known_concepts(sizes: list[int], data: st.DataObject) -> None:
    low = data.draw(st.integers(0, len(sizes)))
    high = data.draw(st.integers(low, len(sizes)))
    chosen = [tuple(row) for row in known(sizes, at_least=low, at_most=high).tolist()]
    everything = itertools.product(*(range(v + 1) for v in sizes))
    assert chosen == [
        d for d in everything if low <= sum(x != v for x, v in zip(d, sizes, strict=True)) <= high
    ]


def test_counts_of_asia() -> None:
    asia = world(load_network("asia"))
    assert (len(asia.codes), asia.dropped_contexts, len(asia.tokens)) == (6561 - 1458, 1458, 128)
    assert affine_rank(asia.token_codes) == 8


@pytest.mark.parametrize("name", NETWORKS)
def test_conditional_agrees_with_pgmpy(name: str) -> None:
    from pgmpy.inference import VariableElimination

    model = load_network(name)
    chosen = fraction(model, 12 / math.prod(v + 1 for v in model.sizes), generator=generator(0, "c"))
    built = world(model, codes=chosen)
    inference = VariableElimination(oracles.pgmpy_network(name))
    for row, code in zip(conditional(built), built.codes.tolist(), strict=True):
        known_ = {n: s[d] for n, s, d in zip(model.names, model.states, code, strict=True) if d < len(s)}
        asked = [n for n in model.names if n not in known_]
        factor = inference.query(asked, evidence=known_, show_progress=False) if asked else None
        for probability, token in zip(row.tolist(), built.token_codes.tolist(), strict=True):
            named = {n: s[c] for n, s, c in zip(model.names, model.states, token, strict=True)}
            if any(named[n] != value for n, value in known_.items()):
                assert probability == 0
            else:
                expected = factor.get_value(**{n: named[n] for n in asked}) if factor is not None else 1.0
                assert probability == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(tables(), st.data())
@settings(deadline=None, max_examples=50)
def test_worlds_against_enumeration(drawn: Tables, data: st.DataObject) -> None:
    model = drawn.model()
    support = supported_tokens(model.joint()).tolist()
    tokens = sorted(data.draw(st.lists(st.sampled_from(support), min_size=1, unique=True)))
    weighting = data.draw(st.sampled_from(["uniform", "occurrence"]))
    built = world(model, tokens=torch.tensor(data.draw(st.permutations(tokens))), weighting=weighting)
    p = oracles.joint(model)
    mass = sum(p[token] for token in tokens)
    q = [value / mass if index in tokens else 0.0 for index, value in enumerate(p)]
    np.testing.assert_allclose(built.joint, q, rtol=1e-12)
    cells = oracles.vectors(model.sizes)
    z = {
        code: sum(q[t] for t in tokens if oracles.compatible(code, cells[t], model.sizes))
        for code in itertools.product(*(range(v + 1) for v in model.sizes))
    }
    possible = [code for code, each in z.items() if each > 0]
    assert [tuple(code) for code in built.codes.tolist()] == possible
    assert built.dropped_contexts == len(z) - len(possible)
    assert built.tokens.tolist() == tokens
    assert [tuple(code) for code in built.token_codes.tolist()] == [cells[token] for token in tokens]
    weights = np.array([z[code] if weighting == "occurrence" else 1.0 for code in possible])
    np.testing.assert_allclose(built.weights, weights / weights.sum(), rtol=1e-12)
    expected = oracles.conditional(q, possible, tokens, model.sizes)
    np.testing.assert_allclose(conditional(built), expected, rtol=1e-12, atol=0)
    h = [-math.fsum(x * math.log(x) for x in row if x) for row in expected]
    np.testing.assert_allclose(entropy(built), h, atol=1e-12)


def test_log_odds_against_enumeration() -> None:
    for model in (load_network("asia"), random_dag(4, generator=generator(0, "w"))):
        built = world(model)
        actual = log_odds(built).tolist()
        for row, c in zip(actual, built.token_codes.tolist(), strict=True):
            expected = [
                oracles.log_odds(built.joint.tolist(), c, i, model.sizes) for i in range(model.concepts)
            ]
            assert row == pytest.approx(expected, abs=1e-11)


def test_log_odds_depend_on_the_markov_blanket_alone() -> None:
    model = random_dag(5, edge_probability=0.4, generator=generator(1, "w"))
    built = world(model)
    actual = log_odds(built)
    for i in range(model.concepts):
        seen: dict[tuple[int, ...], float] = {}
        for c, value in zip(built.token_codes.tolist(), actual[:, i].tolist(), strict=True):
            key = tuple(c[j] for j in model.markov_blanket(i))
            assert value == pytest.approx(seen.setdefault(key, value), abs=1e-12)


def test_log_odds_of_three_states_and_of_no_pair() -> None:
    three = from_tables(["x"], {"x": [[0.2, 0.3, 0.5]]}, states={"x": ["a", "b", "c"]})
    assert log_odds(world(three), low=0, high=2)[:, 0].tolist() == pytest.approx([math.log(2.5)] * 3)
    copy = from_tables(["a", "b"], {"a": [[0.5, 0.5]], "b": [[1.0, 0.0], [0.0, 1.0]]}, parents={"b": ["a"]})
    assert log_odds(world(copy)).tolist() == [[-math.inf, -math.inf], [math.inf, math.inf]]


@given(st.integers(1, 5), st.data())
def test_affine_rank_against_numpy(concepts: int, data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.lists(st.integers(0, 2), min_size=concepts, max_size=concepts), min_size=1, max_size=12)
    )
    hot = np.array([[float(digit == state) for digit in row for state in range(3)] for row in rows])
    assert affine_rank(digits(rows)) == np.linalg.matrix_rank(hot - hot[0])


@pytest.mark.parametrize("concepts", [1, 5, 12])
def test_affine_rank_of_complete_tokens(concepts: int) -> None:
    assert affine_rank(unravel(torch.arange(2**concepts), [2] * concepts)) == concepts


def test_fractions_choose_among_what_can_occur() -> None:
    model = load_network("asia")
    chosen = fraction(model, 0.5, generator=generator(0, "c"))
    assert len(chosen) == round(0.5 * 5103)
    assert (flat_index(chosen, model.sizes).diff() > 0).all()
    assert world(model, codes=chosen).dropped_contexts == 0
    again = fraction(model, 0.5, generator=generator(0, "c"))
    assert torch.equal(chosen, again)
    assert not torch.equal(chosen, fraction(model, 0.5, generator=generator(1, "c")))
    tokens = token_fraction(model, 0.25, generator=generator(0, "t"))
    assert len(tokens) == 32
    assert (model.joint()[tokens] > 0).all()
    few = fraction(model, 1.0, tokens=tokens, generator=generator(0, "c"))
    assert torch.equal(few, world(model, tokens=tokens).codes)
    assert len(token_fraction(HALVES, 1e-9, generator=generator(0, "t"))) == 1


def test_labels_round_trip() -> None:
    built = world(load_network("cancer"))
    first = "Pollution=low Smoker=False Cancer=False Xray=negative Dyspnoea=False"
    assert labels(built.model, built.codes)[0] == first
    assert labels(built.model, built.codes)[-1] == "Pollution=? Smoker=? Cancer=? Xray=? Dyspnoea=?"
    assert torch.equal(parse_contexts(built.model, labels(built.model, built.codes)), built.codes)
    assert torch.equal(token_list(built.model, built.token_labels()), built.tokens)
    compact = ["".join("01?"[digit] for digit in code) for code in built.codes.tolist()]
    assert torch.equal(parse_contexts(built.model, compact), built.codes)


def test_a_list_of_contexts_and_tokens_is_put_in_order() -> None:
    model = load_network("asia")
    built = world(model, codes=parse_contexts(model, ["smoke=yes lung=?", "either=no, tub=yes", "0???????"]))
    assert (len(built.codes), built.dropped_contexts) == (2, 1)
    assert labels(built.model, built.codes)[0].startswith("asia=no")
    assert "smoke=yes" in labels(built.model, built.codes)[1]
    assert world(HALVES, tokens=token_list(HALVES, ["111", "010"])).tokens.tolist() == [2, 7]


def one_line(call, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        call()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("C9=1", "unknown concept 'C9'"),
        ("C1=7", "unknown state '7' of 'C1'"),
        ("C1=0 C1=1", "named twice"),
        ("C1=0 C2", "got 'C2'"),
        ("01", "got 2 characters"),
        ("019", "unknown state '9' of 'C3'"),
        ("", "got none"),
        ("  \n", "got none"),
        ("C1=0\nC2", "got 'C2'"),
    ],
)
def test_text_that_names_nothing(text: str, said: str) -> None:
    one_line(lambda: parse_contexts(HALVES, [text]), said)
    one_line(lambda: token_list(HALVES, [text]), said)


def test_bad_requests_are_one_line() -> None:
    sizes, rng = HALVES.sizes, generator(0, "c")
    one_line(lambda: known(sizes, at_least=2, at_most=1), "2 > 1")
    one_line(lambda: known(sizes, at_most=4), "at_most = 4")
    one_line(lambda: known(sizes, at_least=-1), "at_least = -1")
    for share in (0.0, -0.5, 1.5, math.nan):
        one_line(lambda share=share: fraction(HALVES, share, generator=rng), "fraction: .* at most 1")
        one_line(lambda share=share: token_fraction(HALVES, share, generator=rng), "fraction: .* at most 1")
    one_line(lambda: complete([2] * 20), f"{8 * 3**20:,} bytes")
    one_line(lambda: world(HALVES, codes=complete(sizes)[:0]), "at least one")
    one_line(lambda: world(HALVES, codes=digits([[0, 1, 2], [0, 1, 2]])), "'C1=0 C2=1 C3=\\?' twice")
    one_line(lambda: world(HALVES, codes=digits([[0, 1, 3]])), "concept 2, got 3..3")
    one_line(lambda: world(HALVES, codes=digits([[0, 1]])), "each of 3")
    one_line(lambda: world(HALVES, tokens=torch.tensor([1, 1])), "'C1=0 C2=0 C3=1' twice")
    one_line(lambda: world(HALVES, tokens=torch.tensor([8])), "0..7")
    one_line(lambda: world(HALVES, tokens=torch.tensor([], dtype=torch.int64)), "got none")
    one_line(lambda: token_list(HALVES, ["0?1"]), "no state of 'C2'")
    asia = load_network("asia")
    one_line(lambda: world(asia, tokens=token_list(asia, ["00000100"])), "probability 0")
    one_line(
        lambda: world(asia, codes=parse_contexts(asia, ["tub=yes either=no"])), "at least one that can occur"
    )


def test_unknown_weighting() -> None:
    with pytest.raises(Exception, match="weighting"):
        world(HALVES, weighting="loud")  # pyright: ignore[reportArgumentType]


def test_a_world_is_frozen() -> None:
    built = world(HALVES)
    assert isinstance(built, World)
    with pytest.raises(AttributeError):
        built.dropped_contexts = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_probabilities_that_nothing_can_be_divided_by_are_refused() -> None:
    rare = independent(3, probabilities=[1e-12, 1e-300, 0.5], generator=None)
    one_line(lambda: world(rare), "expected 0 or at least 2.2e-308, got 5.0e-313 for '.*'; .*make it 0")
    near = world(independent(3, probabilities=[1e-100, 1e-200, 0.5], generator=None))
    population = Population.of([near])
    assert bool(population.conditional.isfinite().all())
    torch.testing.assert_close(
        population.conditional.sum(-1), torch.ones_like(population.weights), rtol=1e-12, atol=0
    )
