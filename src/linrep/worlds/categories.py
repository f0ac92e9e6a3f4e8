"""Random worlds of concepts with several states, some defined only where another is in a certain state."""

from collections.abc import Sequence

import torch
from torch import Tensor

from linrep.errors import InputError
from linrep.worlds.concepts import ConceptModel, require_enumerable
from linrep.worlds.probabilities import topological_order

NONE = "none"
"""The state of a nested concept where its parent is not in the state in which it lives."""


def categorical(
    states: Sequence[int],
    *,
    nests: Sequence[tuple[int, int, int]] = (),
    edge_probability: float = 0.5,
    probability_range: tuple[float, float] = (0.3, 0.7),
    generator: torch.Generator,
) -> ConceptModel:
    r"""A random Bayesian network over categorical concepts, every row of its tables drawn anew.

    A row is :math:`p_a = w_a / \sum_b w_b` with weights uniform in the range, so that every state has mass:
    of s states each has between low/(low + (s-1) high) and high/(high + (s-1) low), which for two states and
    low + high = 1 is the range itself. A nested concept has one state more, "none": it is certain where the
    parent is not in the state in which the child lives, and impossible where it is.

    Args:
        states: How many states each concept has, without "none".
        nests: (parent, state, child), each child once.
        edge_probability: Probability of an edge from an earlier to a later concept of a random order in which
            children come after the parents they are nested in.
        probability_range: Of the weights, low > 0.
        generator: Where the randomness comes from.

    Raises:
        InputError: If the model is too large to enumerate, a number leaves its range, a state does not
            exist, a child has two parents to live in, or concepts are nested in a circle.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> animal = categorical([2, 3], nests=[(0, 1, 1)], edge_probability=0.0, generator=draw)
        >>> animal.states[1], animal.tables[1][0].tolist()
        (('0', '1', '2', 'none'), [0.0, 0.0, 0.0, 1.0])

    References:
        :cite:`park:24b` on categorical and hierarchical concepts.
    """
    _check(states, nests, edge_probability, probability_range)
    names = tuple(f"C{i + 1}" for i in range(len(states)))
    lives = {child: (parent, state) for parent, state, child in nests}
    labels = tuple((*map(str, range(size)), *([NONE] if i in lives else [])) for i, size in enumerate(states))
    require_enumerable([len(own) for own in labels])
    order = _order(names, lives, generator)
    drawn = torch.rand(len(states), len(states), generator=generator, dtype=torch.float64) < edge_probability
    parents: list[tuple[int, ...]] = [() for _ in names]
    for later, child in enumerate(order):
        chosen = {parent for earlier, parent in enumerate(order[:later]) if drawn[earlier, later]}
        parents[child] = tuple(sorted(chosen | {lives[child][0]} if child in lives else chosen))
    tables: list[Tensor] = []
    for child, own in enumerate(parents):
        shape = [len(labels[parent]) for parent in own]
        table = _rows([*shape, states[child]], probability_range, generator)
        if child in lives:
            parent, state = lives[child]
            table = _only_where(table, own.index(parent), state)
        tables.append(table)
    return ConceptModel(
        names=names, states=labels, parents=tuple(parents), tables=tuple(tables), nests=tuple(nests)
    )


def _rows(shape: Sequence[int], low_high: tuple[float, float], generator: torch.Generator) -> Tensor:
    low, high = low_high
    weights = low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)
    return weights / weights.sum(-1, keepdim=True)


def _only_where(table: Tensor, axis: int, state: int) -> Tensor:
    """The table with the state "none" added, certain unless the parent on the axis is in the state."""
    without = torch.cat([torch.zeros_like(table), torch.ones_like(table[..., :1])], -1)
    within = torch.cat([table, torch.zeros_like(table[..., :1])], -1)
    here = torch.arange(table.shape[axis]) == state
    return torch.where(here.reshape([-1 if i == axis else 1 for i in range(table.dim())]), within, without)


def _order(
    names: Sequence[str], lives: dict[int, tuple[int, int]], generator: torch.Generator
) -> tuple[int, ...]:
    """A random order in which every child comes after the parent it is nested in."""
    shuffled: list[int] = torch.randperm(len(names), generator=generator).tolist()
    place = {concept: at for at, concept in enumerate(shuffled)}
    above = [[place[lives[concept][0]]] if concept in lives else [] for concept in shuffled]
    ordered = topological_order([names[concept] for concept in shuffled], above, "nested")
    return tuple(shuffled[at] for at in ordered)


def _check(
    states: Sequence[int],
    nests: Sequence[tuple[int, int, int]],
    edge_probability: float,
    probability_range: tuple[float, float],
) -> None:
    if not states:
        raise InputError("states: expected at least one concept, got none")
    for concept, size in enumerate(states):
        if size < 2:
            raise InputError(f"states: expected at least 2 of each concept, got {size} of concept {concept}")
    if not 0 <= edge_probability <= 1:
        raise InputError(f"edge_probability: expected a number in [0, 1], got {edge_probability}")
    low, high = probability_range
    if not 0 < low <= high <= 1:
        raise InputError(f"probability_range: expected 0 < low <= high <= 1, got [{low}, {high}]")
    children = [child for _, _, child in nests]
    for parent, state, child in nests:
        if not (0 <= parent < len(states) and 0 <= child < len(states)):
            raise InputError(f"nests: expected concepts 0..{len(states) - 1}, got {parent} and {child}")
        if not 0 <= state < states[parent]:
            raise InputError(f"nests: concept {parent} has states 0..{states[parent] - 1}, got {state}")
        if children.count(child) > 1:
            raise InputError(f"nests: expected each child once, got concept {child} twice; remove one")
