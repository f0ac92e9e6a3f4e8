"""Sampled worlds are exact in their tokens: on few concepts they equal the enumerated world of these."""

import math

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.worlds import affine_rank, sampled_world, sparse, world_of_samples
from linrep.worlds.sampled import log_probability
from linrep.worlds.tokens import ravel
from linrep.worlds.truth import conditional, entropy, log_odds


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["cancer", "survey"])
def test_a_sample_is_the_world_of_its_tokens(name: str):
    model = linrep.load_network(name)
    for occurrence in (False, True):
        drawn = sampled_world(model, samples=5, flips=2, contexts=9, generator=draw())
        found = world_of_samples(model, tokens=drawn.token_codes, contexts=drawn.codes, occurrence=occurrence)
        index = ravel(found.token_codes, model.sizes)
        weighting = "occurrence" if occurrence else "uniform"
        whole = linrep.world(model, codes=found.codes, tokens=index, weighting=weighting)
        assert found.sampled
        assert not whole.sampled
        assert torch.equal(whole.codes, found.codes)
        assert torch.equal(whole.token_codes, found.token_codes)
        torch.testing.assert_close(found.joint, whole.joint[whole.tokens], rtol=1e-12, atol=0)
        torch.testing.assert_close(found.weights, whole.weights, rtol=1e-12, atol=0)
        torch.testing.assert_close(conditional(found), conditional(whole), rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(entropy(found), entropy(whole), rtol=1e-10, atol=1e-13)


def test_draws_count_and_neighbours_weigh_by_their_ratio():
    model = linrep.load_network("cancer")
    found = sampled_world(model, samples=50, flips=1, generator=draw())
    again = draw()
    drawn = model.sample(50, generator=again)
    flipped = torch.rand(50, 5, generator=again).argsort(1)[:, 0]
    joint, q = model.joint(), dict[tuple[int, ...], float]()
    for row, concept in zip(drawn.tolist(), flipped.tolist(), strict=True):
        other = [1 - digit if i == concept else digit for i, digit in enumerate(row)]
        here, there = (int(ravel(torch.tensor([c], dtype=torch.int8), model.sizes)) for c in (row, other))
        q[tuple(row)] = q.get(tuple(row), 0) + 1
        q[tuple(other)] = q.get(tuple(other), 0) + float(joint[there] / joint[here])
    assert sorted(q) == [tuple(row) for row in found.token_codes.tolist()]
    expected = torch.tensor([q[key] for key in sorted(q)], dtype=torch.float64)
    torch.testing.assert_close(found.joint, expected / expected.sum(), rtol=1e-12, atol=0)


def test_a_large_sample_is_near_the_model():
    model = linrep.load_network("asia")
    whole = model.joint()

    def away(samples: int) -> float:
        found = sampled_world(model, samples=samples, flips=0, generator=draw())
        q = torch.zeros_like(whole).index_put((ravel(found.token_codes, model.sizes),), found.joint)
        return float((q - whole).abs().sum() / 2)

    assert away(20_000) < 0.03 < away(200)


def test_log_probability_is_that_of_the_joint():
    model = linrep.load_network("asia")
    every = torch.cartesian_prod(*[torch.arange(2, dtype=torch.int8)] * 8)
    torch.testing.assert_close(log_probability(model, every).exp(), model.joint(), rtol=1e-12, atol=0)


def test_log_odds_of_pairs_are_the_models():
    found = sampled_world(sparse(200, probability=0.02), samples=60, generator=draw())
    pairs = linrep.geometry.counterfactual_pairs(found.token_codes)
    odds = (found.joint[pairs.high] / found.joint[pairs.low]).log()
    near = (odds - math.log(0.02 / 0.98)).abs() < 1e-9
    assert float(near.double().mean()) > 0.9  # the rest come from two sides, or are drawn again


def test_flips_bring_pairs_of_every_kind_and_every_context_can_occur():
    found = sampled_world(sparse(40, probability=0.1), samples=60, flips=40, generator=draw())
    assert found.dropped_contexts == 0
    for codes in (found.codes, found.token_codes):
        pairs = linrep.geometry.counterfactual_pairs(codes)
        assert int(pairs.counts().min()) >= 10
    apart = sampled_world(sparse(40, probability=0.5), samples=60, flips=0, generator=draw())
    assert int(linrep.geometry.counterfactual_pairs(apart.token_codes).counts().sum()) == 0


def test_backgrounds_of_flips_are_draws_of_the_other_concepts():
    # A pair's other concepts are on as often as concepts are; among drawn vectors alone pairs are too light.
    found = sampled_world(sparse(80, probability=0.2), samples=1000, flips=2, generator=draw())
    pairs = linrep.geometry.counterfactual_pairs(found.token_codes)
    others = found.token_codes[pairs.low].double().sum(1).mean()
    assert float(others) == pytest.approx(79 * 0.2, abs=0.3)
    alone = sampled_world(sparse(12, probability=0.2), samples=300, flips=0, generator=draw())
    light = linrep.geometry.counterfactual_pairs(alone.token_codes)
    assert float(alone.token_codes[light.low].double().sum(1).mean()) < 11 * 0.2 - 0.25


@pytest.mark.parametrize(("probability", "on"), [(0.0, 0), (1.0, 300)])
def test_what_cannot_vary_is_one_token(probability: float, on: int):
    found = sampled_world(sparse(300, probability=probability), samples=7, generator=draw())
    assert found.token_codes.sum().item() == on
    assert len(found.tokens) == 1
    assert affine_rank(found.token_codes) == 0
    assert float(entropy(found).max()) == 0


def test_one_concept_and_one_sample():
    found = sampled_world(sparse(1, probability=0.25), samples=1, known=1.0, generator=draw())
    assert found.token_codes.tolist() == [[0], [1]]
    assert not found.sampled
    assert found.joint.tolist() == pytest.approx([0.75, 0.25])


def test_the_rank_of_many_concepts_is_numpys():
    for seed in range(3):
        codes = torch.randint(0, 2, (130, 90), dtype=torch.int8, generator=draw(seed))
        codes[:, 80:] = codes[:, :10]  # ten columns twice
        differing = (codes - codes[0]).double()
        assert affine_rank(codes) == int(torch.linalg.matrix_rank(differing)) == 80
    few = torch.randint(0, 2, (20, 90), dtype=torch.int8, generator=draw())
    assert affine_rank(few) == 19


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"samples": 0}, "samples and contexts of at least 1"),
        ({"samples": 2, "known": 1.5}, "known: expected probabilities"),
        ({"samples": 20_000, "contexts": 20_000}, "sample fewer"),
    ],
)
def test_what_cannot_be_sampled_is_one_line(settings: dict[str, float], words: str):
    with pytest.raises(InputError, match=words) as error:
        sampled_world(sparse(40, probability=0.5), generator=draw(), **settings)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(error.value)


def test_given_tokens_that_cannot_occur_or_be_divided_by():
    ones = torch.ones(2, 400, dtype=torch.int8)
    with pytest.raises(InputError, match="1 of probability 0"):
        world_of_samples(sparse(400, probability=0.0), tokens=ones, contexts=ones)
    both = torch.stack([ones[0], 0 * ones[0]])
    with pytest.raises(InputError, match="take a probability nearer"):
        world_of_samples(sparse(400, probability=0.1), tokens=both, contexts=both)
    with pytest.raises(InputError, match="none possible"):
        world_of_samples(sparse(400, probability=0.1), tokens=ones, contexts=0 * ones)


def test_sums_over_every_concept_vector_are_refused_in_one_line():
    found = sampled_world(sparse(200, probability=0.02), samples=9, generator=draw())
    for asked in (log_odds, linrep.theory.predict_world, linrep.theory.price_of_linearity):
        with pytest.raises(InputError, match="200 concepts is a sample") as error:
            asked(found)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="is a sample of"):
        linrep.theory.least_excess(found, 3)
    assert math.isfinite(float(found.joint.sum()))
    assert len(repr(found)) < 200
