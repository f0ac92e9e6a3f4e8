"""The page of worlds whose concepts have more than two states: what it draws, counts and says of them."""

from collections import Counter, defaultdict
from html.parser import HTMLParser
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from linrep import page
from linrep.page import verdict
from linrep.page.cube import cube
from linrep.page.numbers import cosine, short
from linrep.page.run_page import page as run_page
from linrep.page.shell import Block
from linrep.page.view import view

from .planted import edited

SHAPES = {"trace-simplex-share", "trace-simplex-deviation-degrees", "trace-hierarchy-overlap"}


class Words(HTMLParser):
    """Everything a reader sees or hears of a page: its texts and the descriptions of its figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.silent = tag in ("script", "style")
        self.found += [value for name, value in attrs if name == "aria-label"]

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)


def words(result: Any) -> str:
    return " ".join(" ".join(Words(page.render(result)).found).split())


def blocks(result: Any) -> dict[str, Block]:
    return {block.id: block for block in run_page(view(result)).blocks}


def said(result: Any) -> str:
    return " ".join(
        " ".join(
            [
                f"{line.word or line.there}:",
                line.claim,
                *(f"{scale.words}." for scale in line.scales),
                line.detail,
            ]
        )
        for line in verdict.lines(view(result))
    )


@pytest.mark.parametrize("which", ["categorical", "nested"])
def test_nothing_is_said_that_holds_of_two_states_alone(which: str, request: pytest.FixtureRequest) -> None:
    text = words(request.getfixturevalue(which))
    for binary in ("P(state 1)", "state 0", "Walsh", "hypercube", "Concepts became", "that concept is one"):
        assert binary not in text
    for true in ("The learned simplices", "P(each state)", "hanges of state", "States of each"):
        assert true in text


def test_and_the_page_of_a_binary_world_says_it(dags: Any) -> None:
    text = words(dags)
    for binary in ("P(state 1)", "Walsh", "The learned hypercube", "oncepts became", "that concept is one"):
        assert binary in text
    for other in ("implic", "implex", "P(each state)", "hanges of state", "States of each"):
        assert other not in text
    assert not SHAPES & set(blocks(dags))


@pytest.mark.parametrize("which", ["categorical", "nested"])
def test_probabilities_are_those_of_the_world(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    seen = view(result)
    table = blocks(result)["concepts-table"]
    assert table.download is not None
    assert table.download[1].startswith("concept,states,probabilities,token_pairs,")
    labels = [dict(part.split("=") for part in token.split()) for token in seen.world.token_labels()]
    chances = seen.world.joint[seen.world.tokens].tolist()
    for row, name, states in zip(table.rows, seen.names, seen.states, strict=True):
        mass: Counter[str] = Counter()
        for token, chance in zip(labels, chances, strict=True):
            mass[token[name]] += chance
        assert sum(mass.values()) == pytest.approx(1)
        assert row[:3] == [name, ", ".join(states), ", ".join(cosine(mass[state]) for state in states)]


def test_the_tokens_that_differ_in_one_concept_are_joined_each_with_each(categorical: Any) -> None:
    seen = view(categorical)
    drawn = cube(seen, seen.typical)
    for concept, ends in enumerate(drawn.edges):
        alike: dict[Any, list[int]] = defaultdict(list)
        for row, code in enumerate(drawn.codes.tolist()):
            alike[tuple(code[:concept] + code[concept + 1 :])].append(row)
        cliques = {frozenset(pair) for rows in alike.values() for pair in combinations(rows, 2)}
        assert {frozenset(pair) for pair in ends.tolist()} == cliques
        assert len(ends) == len(cliques)
    assert [len(ends) for ends in drawn.edges] == [8 * 3, 12, 6 * 6]


def test_simplices_are_drawn_and_judged_by_their_numbers(categorical: Any) -> None:
    final = categorical.summary.final
    share, angle = final.simplex_share["unembedding"], final.simplex_deviation_degrees["unembedding"]
    found = blocks(categorical)
    assert SHAPES & set(found) == {"trace-simplex-share", "trace-simplex-deviation-degrees"}
    for name, measure in (("simplex-share", share), ("simplex-deviation-degrees", angle)):
        spec = found[f"trace-{name}"].spec
        assert spec is not None
        (median,) = [
            line["y"]
            for line in spec["data"]
            if line["line"]["color"] == "--unembedding" and "median" in line["hovertemplate"]
        ]
        assert np.asarray(median)[-1] == pytest.approx(measure.median)
    text = said(categorical)
    assert f"energy in simplices {cosine(share.mean)}" in text
    assert f"{short(angle.mean)} degrees off the regular ones" in text


@pytest.mark.parametrize(
    ("mean", "low", "high", "standing"),
    [
        (0.97, 0.96, 0.99, "yes"),
        (0.7, 0.6, 0.8, "yes"),
        (0.97, 0.4, 0.99, "undecided"),
        (0.4, 0.3, 0.5, "no"),
    ],
)
def test_the_word_of_simplices_follows_their_share(
    categorical: Any, mean: float, low: float, high: float, standing: str
) -> None:
    share = {"mean": mean, "interval95": [low, high], "null": {"q95": 0.5}}
    seen = view(edited(categorical, {"final": {"simplex_share": {"unembedding": share}}}))
    (line,) = [line for line in verdict.lines(seen) if "simplices" in line.claim]
    assert line.there == standing


def test_a_nested_concept_is_explained(nested: Any) -> None:
    text = words(nested)
    assert "C2 exists only where C1 is in state 1, elsewhere it is “none”." in text
    assert "C1 has no counterfactual pair. No two tokens differ in it alone, for C2, nested in it" in text
    spec = blocks(nested)["cube"].spec
    assert spec is not None
    assert sorted(spec["runs"][0]["codes"]) == ["0–0", "0–1", "100", "101", "110", "111", "120", "121"]
    overlap = nested.summary.final.hierarchy_overlap["unembedding"].mean
    assert f"overlap with parents {cosine(overlap)}" in text
    assert set(blocks(nested)) >= SHAPES


def test_the_title_names_what_cannot_change_alone(nested: Any) -> None:
    concepts = {"C1": None, "C2": 0.99, "C3": 0.99}
    linear = {"mean": 0.99, "interval95": [0.98, 1.0], "per_concept": concepts}
    title = verdict.title(view(edited(nested, {"final": {"linearity": {"unembedding": linear}}})))
    assert ": changes of state became directions; C1 cannot change alone (" in title
