"""Slow twins: the same quantities by enumeration and loops, straight from their definitions."""

# --- concepts, contexts ---

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from linrep.worlds.concepts import ConceptModel
from linrep.worlds.network_file import content, network_path


@functools.cache
def pgmpy_network(name: str):
    """A published network as pgmpy reads it, past our own reader."""
    from pgmpy.readwrite import BIFReader

    path = network_path(name)
    return BIFReader(string=content(path, str(path)).decode()).get_model()


def as_pgmpy(model: ConceptModel):
    """A model as a network of pgmpy."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork()
    network.add_nodes_from(model.names)
    network.add_edges_from([(model.names[parent], model.names[child]) for parent, child in model.edges()])
    for name, states, parents, table in zip(
        model.names, model.states, model.parents, model.tables, strict=True
    ):
        evidence = [model.names[parent] for parent in parents]
        named = {model.names[i]: list(model.states[i]) for i in parents} | {name: list(states)}
        columns = table.reshape(-1, len(states)).T.numpy()
        cards = [len(model.states[parent]) for parent in parents]
        network.add_cpds(TabularCPD(name, len(states), columns, evidence, cards, state_names=named))
    return network


def by_pgmpy(
    network, names: Sequence[str], states: Sequence[Sequence[str]], evidence: dict[str, str]
) -> np.ndarray:
    """P(names | evidence), by its variable elimination, an axis a name, states in the order given."""
    from pgmpy.inference import VariableElimination

    asked = VariableElimination(network).query(list(names), evidence=evidence, show_progress=False)
    values = asked.values.transpose([asked.variables.index(name) for name in names])
    for axis, (name, own) in enumerate(zip(names, states, strict=True)):
        values = values.take([asked.state_names[name].index(state) for state in own], axis)
    return values


def vectors(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(size) for size in sizes)))


def joint(model: ConceptModel) -> list[float]:
    """p(c) = prod_i p(c_i | parents), one concept vector at a time."""
    return [
        math.prod(
            float(table[tuple(c[parent] for parent in parents)][c[i]])
            for i, (parents, table) in enumerate(zip(model.parents, model.tables, strict=True))
        )
        for c in vectors(model.sizes)
    ]


def compatible(code: Sequence[int], c: Sequence[int], sizes: Sequence[int]) -> bool:
    """c ~ d: equal wherever d is known."""
    return all(digit in (state, size) for digit, state, size in zip(code, c, sizes, strict=True))


def conditional(
    p: Sequence[float], codes: Sequence[Sequence[int]], tokens: Sequence[int], sizes: Sequence[int]
) -> np.ndarray:
    """p(c | d) by Bayes, row by row."""
    cells = vectors(sizes)
    rows: list[list[float]] = []
    for code in codes:
        mass = [p[token] if compatible(code, cells[token], sizes) else 0.0 for token in tokens]
        rows.append([each / sum(mass) for each in mass])
    return np.array(rows)


def log_odds(p: Sequence[float], c: Sequence[int], concept: int, sizes: Sequence[int]) -> float:
    """ln p(c with i = 1) / p(c with i = 0), by looking both up."""
    place = {cell: index for index, cell in enumerate(vectors(sizes))}
    one, zero = (p[place[(*c[:concept], state, *c[concept + 1 :])]] for state in (1, 0))
    if one == 0 or zero == 0:
        return math.inf if one else -math.inf
    return math.log(one / zero)
