"""What hypothesis draws: concept models."""

import math
from dataclasses import dataclass

from hypothesis import strategies as st

from linrep.worlds.concepts import ConceptModel, from_tables


@dataclass(frozen=True)
class Tables:
    """What a model is made of. It is made in the test: the type checks look at random entries of lists, and
    nothing may draw at random, past hypothesis, while hypothesis draws."""

    probabilities: dict[str, list[list[float]]]
    parents: dict[str, list[str]]
    states: dict[str, list[str]]

    def model(self) -> ConceptModel:
        return from_tables(sorted(self.states), self.probabilities, parents=self.parents, states=self.states)


@st.composite
def tables(draw: st.DrawFn) -> Tables:
    """Networks of up to four concepts with two or three states, some probabilities zero."""
    concepts = draw(st.integers(1, 4))
    sizes = [draw(st.integers(2, 3)) for _ in range(concepts)]
    names = [f"x{i}" for i in draw(st.permutations(range(concepts)))]
    parents: dict[str, list[str]] = {}
    probabilities: dict[str, list[list[float]]] = {}
    for i, name in enumerate(names):
        chosen = draw(st.lists(st.sampled_from(range(i)), unique=True)) if i else []
        parents[name] = [names[j] for j in chosen]
        rows: list[list[float]] = []
        for _ in range(math.prod(sizes[j] for j in chosen)):
            weights = draw(st.lists(st.integers(0, 5), min_size=sizes[i], max_size=sizes[i]).filter(any))
            rows.append([weight / sum(weights) for weight in weights])
        probabilities[name] = rows
    states = {name: [f"s{k}" for k in range(size)] for name, size in zip(names, sizes, strict=True)}
    return Tables(probabilities, parents, states)
