"""Words: what they mean, what they are called, and every mistake in one line; targets against pgmpy."""

import itertools
import logging

import pytest
import torch

import linrep
from linrep.errors import InputError
from linrep.worlds import conditional, load_network, log_odds, posterior, say, tell
from linrep.worlds.concepts import ConceptModel, from_tables, random_dag

HALF = [[0.5, 0.5]]


def two() -> ConceptModel:
    return from_tables(["a", "b"], {"a": [[0.25, 0.75]], "b": [[0.4, 0.6]]})


def test_merged_words_are_named_by_what_they_mean_and_say_what_they_fix() -> None:
    world = linrep.world(two(), tokens=tell(two(), merge=[["1?"]], synonyms=[0.7, 0.3]))
    assert world.token_labels()[::2] == ("a=0 b=0 (1)", "a=0 b=1 (1)", "a=1 b=? (1)")
    assert world.token_codes[::2].tolist() == [[0, 0], [0, 1], [1, 2]]
    torch.testing.assert_close(
        world.probability, torch.tensor([0.07, 0.03, 0.105, 0.045, 0.525, 0.225]).double()
    )
    assert world.span == 2


def test_span_is_that_of_what_is_told() -> None:
    parity = tell(two(), merge=[["00", "11"], ["01", "10"]])
    assert linrep.world(two(), tokens=parity).span == 0
    assert linrep.world(two(), tokens=tell(two(), of=["b"])).span == 1
    assert linrep.world(two(), tokens=tell(two(), merge=[["??"]])).span == 0
    with pytest.raises(InputError, match="log_odds: expected tokens of one concept vector each"):
        log_odds(linrep.world(two(), tokens=parity))


def test_random_pairs_are_drawn_by_the_generator_and_leave_the_rest() -> None:
    model = random_dag(4, generator=torch.Generator().manual_seed(0))
    drawn = [tell(model, merged=0.5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert all(len(words.names) == 12 for words in drawn)
    assert torch.equal(drawn[0].word, drawn[1].word)
    assert not torch.equal(drawn[0].word, drawn[2].word)
    assert sorted(torch.bincount(drawn[0].word).tolist()) == [1] * 8 + [2] * 4
    every = tell(model, merged=1.0, generator=torch.Generator().manual_seed(0))
    assert torch.bincount(every.word).tolist() == [2] * 8


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "expected words of some concept vectors"),
        ({"1?": {"x": 1.0}}, "nothing is said of 'a=0 b=0'"),
        ({"1?": {"x": 1.0}, "?1": {"y": 1.0}}, "'a=1 b=1' is spoken of twice"),
        ({"??": {"x": 0.7, "y": 0.2}}, "probabilities must sum to 1"),
        ({"??": {"x": 1.0, "y": 0.0}}, "got 0 for 'y'; leave it out"),
        ({"??": {}}, "expected at least one probability, got none"),
        ({"??": {"x": 1.7, "y": -0.7}}, r"probabilities must lie in \[0, 1\]"),
        ({"c=1": {"x": 1.0}}, "unknown concept 'c'"),
        ({"1": {"x": 1.0}}, "concept vectors of a token '1': expected concept=state words or 2 digits"),
        ({"??": {"": 1.0}}, "'' cannot name a word"),
    ],
)
def test_what_is_said_amiss_is_said_in_one_line(said: dict[str, dict[str, float]], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        say(two(), said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"of": ["c"]}, "tokens.of: no variable 'c'"),
        ({"of": []}, "tokens.of: expected some variables"),
        ({"merge": [["1?"], ["11"]]}, "is in two groups"),
        ({"merge": [["1?"]], "of": ["b"]}, "names states of concepts that tokens do not tell"),
        ({"merge": [[]]}, "can occur; leave the group out"),
        ({"merged": 1.5}, "expected a share from 0 to 1"),
        ({"merged": 0.5}, "expected a generator"),
        ({"synonyms": [0.5, 0.6]}, "tokens.synonyms: probabilities must sum to 1"),
        ({"synonyms": []}, "tokens.synonyms: expected at least one probability, got none"),
        ({"synonyms": [1.0, 0.0]}, "tokens.synonyms: expected probabilities above 0"),
    ],
)
def test_words_that_cannot_be_made_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        tell(two(), **options)  # pyright: ignore[reportArgumentType]


def test_words_nobody_says_and_words_of_another_model_are_refused() -> None:
    certain = from_tables(["a", "b"], {"a": [[0.0, 1.0]], "b": HALF})
    with pytest.raises(InputError, match="nobody says 'x'"):
        say(certain, {"0?": {"x": 1.0}, "1?": {"y": 1.0}})
    with pytest.raises(InputError, match="make them of this model"):
        linrep.world(two(), tokens=tell(certain))
    with pytest.raises(InputError, match="make them of this model"):
        linrep.world(from_tables(["a"], {"a": HALF}), tokens=tell(two()))


def test_targets_equal_inference_in_the_network_extended_by_a_token() -> None:
    """p(token | context) by pgmpy's elimination, the token a node below all concepts."""
    logging.getLogger("pgmpy").setLevel(logging.ERROR)
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.inference import VariableElimination
    from pgmpy.models import DiscreteBayesianNetwork

    model = load_network("cancer")
    draw = torch.Generator().manual_seed(4)
    words = tell(model, of=["Smoker", "Cancer", "Xray"], merged=0.5, synonyms=[0.6, 0.4], generator=draw)
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(model.names)
    network.add_edges_from([(model.names[a], model.names[b]) for a, b in model.edges()])
    for name, parents, table in zip(model.names, model.parents, model.tables, strict=True):
        network.add_cpds(
            TabularCPD(
                name,
                table.shape[-1],
                table.reshape(-1, table.shape[-1]).T.tolist(),
                [model.names[p] for p in parents],
                [model.sizes[p] for p in parents],
            )
        )
    emitted = torch.zeros(len(words.names), 32, dtype=torch.float64)
    emitted[words.word, words.vector] = words.share
    network.add_edges_from([(name, "token") for name in model.names])
    network.add_cpds(
        TabularCPD("token", len(words.names), emitted.tolist(), list(model.names), list(model.sizes))
    )
    world = linrep.world(model, tokens=words)
    found = conditional(world)
    infer = VariableElimination(network)
    for row in range(0, len(world.codes), 13):
        code = world.codes[row].tolist()
        known = {name: digit for name, digit in zip(model.names, code, strict=True) if digit < 2}
        asked = infer.query(["token"], evidence=known, show_progress=False)
        torch.testing.assert_close(found[row], torch.as_tensor(asked.values), rtol=0, atol=1e-12)
    torch.testing.assert_close(posterior(world, world.codes[5:6]), found[5:6], rtol=0, atol=0)


def test_every_combination_of_a_small_world_is_enumerated() -> None:
    """The sum over the words of a concept vector is the concept vector's own probability."""
    model = two()
    words = tell(model, merge=[["00", "11"]], synonyms=[0.5, 0.5])
    world = linrep.world(model, tokens=words)
    for vector, (a, b) in enumerate(itertools.product(range(2), repeat=2)):
        share = float(words.share[words.vector == vector].sum())
        assert share == 1
        assert float(world.joint[vector]) == pytest.approx([0.25, 0.75][a] * [0.4, 0.6][b])
