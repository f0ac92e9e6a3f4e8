"""The smallest tables of no excess against what defines them, Bayes' rule, and worlds where f is linear."""

import itertools

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.population.gradient import Population, population_gradient
from linrep.theory.posterior import linear_share, log_posterior, smallest_tables
from linrep.worlds import conditional, known, say, tell
from linrep.worlds.concepts import ConceptModel, from_tables, random_dag
from linrep.worlds.truth import World

TOLD = ["C1", "C2"]
CODES = known((2,) * 5, of=[2, 3, 4])


def model(seed: int = 0) -> ConceptModel:
    draw = torch.Generator().manual_seed(seed)
    return random_dag(5, edge_probability=1.0, probability_range=(0.1, 0.9), generator=draw)


def seen(seed: int = 0, **words: object) -> World:
    own = model(seed)
    made = tell(own, of=TOLD, generator=torch.Generator().manual_seed(seed), **words)  # pyright: ignore[reportArgumentType]
    return linrep.world(own, codes=CODES, tokens=made)


def shares(world: World) -> float:
    return linear_share(smallest_tables(world)[0], log_posterior(world, TOLD))


def test_log_posteriors_are_those_of_enumeration() -> None:
    world, joint = seen(), model().joint().reshape((2,) * 5)
    found = log_posterior(world, TOLD).exp()
    for row, code in enumerate(world.codes.tolist()):
        fits = joint[tuple(slice(None) if digit == 2 else slice(digit, digit + 1) for digit in code)]
        own = fits.sum((2, 3, 4)).flatten() / fits.sum()
        torch.testing.assert_close(found[row], own, rtol=0, atol=1e-14)
    # The first concept asked for is the most significant.
    turned = log_posterior(world, TOLD[::-1]).exp()
    torch.testing.assert_close(turned, found[:, [0, 2, 1, 3]], rtol=0, atol=1e-15)


@pytest.mark.parametrize("words", [{}, {"synonyms": [0.7, 0.3]}, {"merged": 0.5}])
def test_the_smallest_tables_have_no_excess_no_gradient_and_the_balanced_gauge(
    words: dict[str, object],
) -> None:
    world = seen(**words)
    f, g = smallest_tables(world)
    found = population_gradient(Population.of([world]), f[None], g[None])
    assert float(found.excess_loss) < 1e-14
    assert float(found.embedding.abs().max()) < 1e-12
    torch.testing.assert_close(f.T @ f, g.T @ g)
    torch.testing.assert_close(g.sum(0), torch.zeros(g.shape[1]).double(), rtol=0, atol=1e-12)


def test_no_tables_of_no_excess_are_smaller() -> None:
    """Any shift of a context's logits is as good and has a larger nuclear norm."""
    f, g = smallest_tables(seen())
    logits, draw = f @ g.T, torch.Generator().manual_seed(0)
    least = torch.linalg.svdvals(logits).sum()
    torch.testing.assert_close(least, (f.square().sum() + g.square().sum()) / 2)
    for _ in range(5):
        shifted = logits + torch.randn(len(f), 1, generator=draw, dtype=torch.float64)
        assert torch.linalg.svdvals(shifted).sum() > least


@pytest.mark.parametrize("seed", range(3))
def test_one_meaning_a_token_makes_f_exactly_linear_and_merging_curves_it(seed: int) -> None:
    assert shares(seen(seed)) == pytest.approx(1, abs=1e-12)
    assert shares(seen(seed, synonyms=[0.6, 0.3, 0.1])) == pytest.approx(1, abs=1e-12)
    parity = seen(seed, merge=[["00???", "11???"], ["01???", "10???"]])
    assert shares(parity) < 0.99
    rows = torch.randperm(27, generator=torch.Generator().manual_seed(seed))
    by_chance = linear_share(smallest_tables(seen(seed))[0][rows], log_posterior(seen(seed), TOLD))
    assert by_chance < 0.6, "four columns of 27 rows explain a part of anything"


def test_merging_what_contexts_never_move_leaves_f_linear() -> None:
    """b is fair whatever the context: the odds between the meanings of a merged word stay as they are."""
    tables = {
        "a": [[0.4, 0.6]],
        "b": [[0.3, 0.7]],
        "e": [[0.9, 0.1], [0.2, 0.8]],
        "h": [[0.7, 0.3], [0.4, 0.6]],
    }
    own = from_tables(["a", "b", "e", "h"], tables, parents={"e": ["a"], "h": ["a"]})
    codes = known((2,) * 4, of=[2, 3])
    merged = linrep.world(own, codes=codes, tokens=tell(own, of=["a", "b"], merge=[["0???"]]))
    f, _ = smallest_tables(merged)
    assert linear_share(f, log_posterior(merged, ["a", "b"])) == pytest.approx(1, abs=1e-12)


def test_bayes_rule_holds_for_any_weights_over_meanings() -> None:
    world = seen(merged=0.5)
    words, p = world.words, conditional(world).log()
    assert words is not None
    posterior = log_posterior(world, TOLD)
    value_of = words.vector // 8  # C1 and C2 are the most significant of five
    for word in range(len(words.names)):
        values = value_of[words.word == word].unique()
        weights = torch.rand(len(values), generator=torch.Generator().manual_seed(word)).double()
        weights = weights / weights.sum()
        meant = posterior[:, values]
        told = meant - p[:, word : word + 1]  # ln p(c | y, d), for words that tell all of c
        torch.testing.assert_close((meant * weights).sum(1) - (told * weights).sum(1), p[:, word])


def test_contexts_that_exclude_are_refused_in_one_line() -> None:
    own = model()
    world = linrep.world(own, tokens=tell(own, of=TOLD))
    for asked in (lambda: smallest_tables(world), lambda: log_posterior(world, TOLD)):
        with pytest.raises(InputError, match="exclude") as caught:
            asked()
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no variable 'C9'"):
        log_posterior(seen(), ["C9"])


def test_share_equals_least_squares() -> None:
    draw = torch.Generator().manual_seed(0)
    table, of = torch.randn(20, 3, generator=draw).double(), torch.randn(20, 4, generator=draw).double()
    of[:, 3] = of[:, 0] - of[:, 1]  # of lower rank than it has columns
    design = torch.cat([torch.ones(20, 1).double(), of[:, :3]], 1)
    rest = table - design @ torch.linalg.lstsq(design, table).solution
    wanted = 1 - rest.square().sum() / (table - table.mean(0)).square().sum()
    assert linear_share(table, of) == pytest.approx(float(wanted), abs=1e-12)


def test_words_of_unequal_use_differ_by_offsets_alone() -> None:
    """Of two synonyms the difference in g gives the same logit in all contexts: the log of their odds."""
    own = model()
    rows = {f"{a}{b}???": {f"{a}{b}": 0.8, f"{a}{b}'": 0.2} for a, b in itertools.product("01", repeat=2)}
    world = linrep.world(own, codes=CODES, tokens=say(own, rows))
    f, g = smallest_tables(world)
    logits = f @ (g[0::2] - g[1::2]).T
    torch.testing.assert_close(logits, torch.full_like(logits, 4.0).log())
