"""What hypothesis draws: concept models."""

import math

from hypothesis import strategies as st

from linrep.worlds.concepts import ConceptModel, from_tables


@st.composite
def models(draw: st.DrawFn) -> ConceptModel:
    """Networks of up to four concepts with two or three states, some probabilities zero."""
    concepts = draw(st.integers(1, 4))
    sizes = [draw(st.integers(2, 3)) for _ in range(concepts)]
    names = [f"x{i}" for i in draw(st.permutations(range(concepts)))]
    parents: dict[str, list[str]] = {}
    tables: dict[str, list[list[float]]] = {}
    for i, name in enumerate(names):
        chosen = draw(st.lists(st.sampled_from(range(i)), unique=True)) if i else []
        parents[name] = [names[j] for j in chosen]
        rows: list[list[float]] = []
        for _ in range(math.prod(sizes[j] for j in chosen)):
            weights = draw(st.lists(st.integers(0, 5), min_size=sizes[i], max_size=sizes[i]).filter(any))
            rows.append([weight / sum(weights) for weight in weights])
        tables[name] = rows
    states = {name: [f"s{k}" for k in range(size)] for name, size in zip(names, sizes, strict=True)}
    return from_tables(sorted(names), tables, parents=parents, states=states)
