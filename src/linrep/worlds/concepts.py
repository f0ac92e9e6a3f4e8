r"""Concepts with a joint distribution: a Bayesian network over discrete variables, enumerated exactly.

A token is one concept vector :math:`c`; its probability is :math:`p(c) = \prod_i p(c_i \mid c_{pa(i)})`.
The joint is a flat float64 tensor, row-major, concept 0 most significant.
State 1 of a binary concept is ``states[i][1]``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int8
from torch import Tensor

from linrep.errors import InputError, counted, many, short, shown
from linrep.worlds.probabilities import check_names, checked_table, topological_order

ENUMERATION_LIMIT_BYTES = 2**28
"""Largest float64 table over all contexts that is enumerated: 15 binary concepts fit, 16 do not."""

MOST_STATES = 126
"""Of one concept: codes are signed bytes, and one value more says that it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """What a network was made of, where it is less than a whole one: exact, but with a graph of its own."""

    variables: int
    """Of the whole network."""
    added: tuple[tuple[int, int], ...] = ()
    """Its edges, (parent, child), that the whole has not: what was summed out had joined the two."""
    merged: tuple[str, ...] = ()
    """Variables some of whose states were merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptModel:
    """A Bayesian network over discrete concepts.

    Built by :func:`independent`, :func:`chain`, :func:`random_dag` or :func:`from_tables`, which check input.

    Example:
        >>> import linrep
        >>> asia = linrep.load_network("asia")
        >>> asia.concepts, asia.names[0], asia.joint().shape
        (8, 'asia', torch.Size([256]))
        >>> linrep.independent(2, probabilities=[0.5, 0.25])
        ConceptModel(2 concepts: C1, C2; independent)
    """

    names: tuple[str, ...]
    """One name per concept."""
    states: tuple[tuple[str, ...], ...]
    """Names of the states; index 1 is what "the concept is 1" means."""
    parents: tuple[tuple[int, ...], ...]
    """Parents of each concept, in the order of the axes of its table."""
    tables: tuple[Tensor, ...]
    """``tables[i]`` is float64 of shape ``(*sizes of the parents, states of i)``; rows sum to 1."""
    nests: tuple[tuple[int, int, int], ...] = ()
    """(parent, state, child): the child is defined where the parent is in that state. Elsewhere it is in its
    last state, which stands for having none."""
    reduction: Reduction | None = None
    """Where it is a part of a larger network, or its marginal."""

    def __repr__(self) -> str:
        edges = ", ".join(f"{self.names[low]} → {self.names[high]}" for low, high in self.edges())
        names = f"{many(self.concepts, 'concept')}: {', '.join(self.names)}"
        return f"ConceptModel({names}; {edges or 'independent'})"

    @property
    def concepts(self) -> int:
        """Number of concepts, m."""
        return len(self.names)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of states of each concept."""
        return tuple(len(states) for states in self.states)

    @property
    def values(self) -> tuple[int, ...]:
        """Number of states of each concept that say something: without that of a nested one for none."""
        children = {child for _, _, child in self.nests}
        return tuple(size - (i in children) for i, size in enumerate(self.sizes))

    def edges(self) -> tuple[tuple[int, int], ...]:
        """The arrows of the graph as (parent, child), by child."""
        return tuple((parent, child) for child, parents in enumerate(self.parents) for parent in parents)

    def order(self) -> tuple[int, ...]:
        """A topological order of the concepts, the lowest index first among those that are ready.

        Raises:
            InputError: If the graph has a cycle, naming it.
        """
        return topological_order(self.names, self.parents)

    def markov_blanket(self, concept: int) -> tuple[int, ...]:
        """Parents, children and the children's other parents of a concept, ascending.

        Example:
            >>> model = from_tables(
            ...     ["a", "b", "c"],
            ...     {"a": [[0.5, 0.5]], "b": [[0.2, 0.8]], "c": [[0.5, 0.5]] * 4},
            ...     parents={"c": ["a", "b"]},
            ... )
            >>> model.markov_blanket(0)
            (1, 2)
        """
        children = [child for child, parents in enumerate(self.parents) if concept in parents]
        family = {*self.parents[concept], *children}.union(*(self.parents[child] for child in children))
        return tuple(sorted(family - {concept}))

    def joint(self, limit: int = ENUMERATION_LIMIT_BYTES) -> Float64[Tensor, " joint"]:
        r"""The exact probability of every concept vector, :math:`p(c) = \prod_i p(c_i \mid c_{pa(i)})`.

        Naively: ``[prod(table_i[c_parents][c_i] for i in concepts) for c in itertools.product(*states)]``.

        Args:
            limit: Largest table over all contexts that may be enumerated, in bytes.

        Returns:
            Probabilities, row-major with concept 0 most significant; a zero in a table is an exact zero here.

        Raises:
            InputError: If the model is too large to enumerate, with the bytes it would take.

        Example:
            >>> independent(2, probabilities=[0.5, 0.25], generator=None).joint()
            tensor([0.3750, 0.1250, 0.3750, 0.1250], dtype=torch.float64)
        """
        require_enumerable(
            self.sizes, limit, remedy="use fewer, such as linrep.worlds.marginal(model, keep=[…])"
        )
        joint = torch.ones(self.sizes, dtype=torch.float64)
        for concept, (parents, table) in enumerate(zip(self.parents, self.tables, strict=True)):
            axes = (*parents, concept)
            ascending = sorted(range(len(axes)), key=axes.__getitem__)
            shape = [size if axis in axes else 1 for axis, size in enumerate(self.sizes)]
            joint = joint * table.permute(ascending).reshape(shape)
        return joint.flatten()

    def sample(self, n: int, *, generator: torch.Generator) -> Int8[Tensor, "n concepts"]:
        """Concept vectors drawn from the joint, each concept after its parents; needs no enumeration.

        Args:
            n: How many to draw.
            generator: Where the randomness comes from.

        Returns:
            One row of state indices per draw; a state of probability zero is never drawn.

        Example:
            >>> model = independent(2, probabilities=[0.0, 1.0], generator=None)
            >>> model.sample(2, generator=torch.Generator().manual_seed(0))
            tensor([[0, 1],
                    [0, 1]], dtype=torch.int8)
        """
        drawn = torch.zeros(n, self.concepts, dtype=torch.int64)
        for concept in self.order():
            rows = self.tables[concept][tuple(drawn[:, parent] for parent in self.parents[concept])]
            rows = rows.expand(n, -1)
            cumulative = rows.cumsum(1)
            # Divided by the last entry, a state before trailing zeros has threshold 1, which no draw reaches.
            thresholds = cumulative[:, :-1] / cumulative[:, -1:]
            uniform = torch.rand(n, 1, generator=generator, dtype=torch.float64)
            drawn[:, concept] = (uniform >= thresholds).sum(1)
        return drawn.to(torch.int8)


def require_enumerable(
    sizes: Sequence[int], limit: int = ENUMERATION_LIMIT_BYTES, *, remedy: str = "use fewer concepts"
) -> None:
    """Refuse a model whose table over all contexts would not fit.

    Args:
        sizes: Number of states of each concept.
        limit: Largest allowed size of one float64 per context, in bytes.
        remedy: What to do.

    Raises:
        InputError: With the bytes it would take; or a concept has more states than a byte counts.
    """
    if max(sizes, default=0) > MOST_STATES:
        raise InputError(
            f"concepts: a concept may have at most {MOST_STATES} states, got {max(sizes)}; merge some"
        )
    needed = 8 * math.prod(size + 1 for size in sizes)
    if needed > limit:
        raise InputError(
            f"concepts: one number per context may take at most {limit:,} bytes, got {len(sizes)} concepts, "
            f"which would take {counted(needed)} bytes; {remedy}"
        )


def independent(
    concepts: int,
    *,
    probabilities: Sequence[float] | None = None,
    probability_range: tuple[float, float] = (0.3, 0.7),
    generator: torch.Generator | None = None,
) -> ConceptModel:
    r"""Independent binary concepts, :math:`p(c) = \prod_i p(c_i)`.

    Args:
        concepts: How many, m.
        probabilities: P(concept = 1) of each concept; drawn if None.
        probability_range: Where P(concept = 1) is drawn from, uniformly, if ``probabilities`` is None.
        generator: Where the randomness comes from; needed unless ``probabilities`` are given.

    Raises:
        InputError: If a probability leaves [0, 1], or there are not ``concepts`` of them.

    Example:
        >>> independent(2, probabilities=[0.5, 0.25]).tables[1]
        tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    parents = _no_parents(concepts)
    if probabilities is None:
        return drawn(parents, probability_range, generator)
    if len(probabilities) != concepts:
        raise InputError(
            f"probabilities: expected one for each of {concepts} concepts, got {len(probabilities)}"
        )
    for concept, probability in enumerate(probabilities):
        if not 0 <= probability <= 1:
            raise InputError(
                f"probabilities: expected numbers in [0, 1], got {probability} for concept {concept}"
            )
    ones = torch.tensor(list(probabilities), dtype=torch.float64)
    return _binary(parents, tuple(torch.stack([1 - ones, ones], 1)))


def chain(
    concepts: int,
    *,
    probability_range: tuple[float, float] = (0.3, 0.7),
    generator: torch.Generator,
) -> ConceptModel:
    """A Markov chain of binary concepts, C1 → C2 → … → Cm, with conditional probabilities drawn uniformly.

    Args:
        concepts: How many, m.
        probability_range: Where every P(concept = 1 | parent) is drawn from, uniformly.
        generator: Where the randomness comes from.

    Example:
        >>> chain(3, generator=torch.Generator().manual_seed(0)).edges()
        ((0, 1), (1, 2))
    """
    parents = _no_parents(concepts)
    return drawn([(i - 1,) if i else () for i in range(len(parents))], probability_range, generator)


def random_dag(
    concepts: int,
    *,
    edge_probability: float = 0.5,
    probability_range: tuple[float, float] = (0.3, 0.7),
    generator: torch.Generator,
) -> ConceptModel:
    """A random Bayesian network over binary concepts: a random order, forward edges equally probable.

    Args:
        concepts: How many, m.
        edge_probability: Probability of an edge from an earlier to a later concept of the order.
        probability_range: Where every P(concept = 1 | parents) is drawn from, uniformly.
        generator: Where the randomness comes from.

    Raises:
        InputError: If a probability leaves [0, 1] or the model is too large to enumerate.

    Example:
        >>> len(random_dag(4, edge_probability=1.0, generator=torch.Generator().manual_seed(0)).edges())
        6

    References:
        The random worlds of :cite:`jiang:24`.
    """
    parents = _no_parents(concepts)
    if not 0 <= edge_probability <= 1:
        raise InputError(f"edge_probability: expected a number in [0, 1], got {edge_probability}")
    order = torch.randperm(concepts, generator=_required(generator)).tolist()
    edges = torch.rand(concepts, concepts, generator=generator, dtype=torch.float64) < edge_probability
    for later, child in enumerate(order):
        chosen = [parent for earlier, parent in enumerate(order[:later]) if edges[earlier, later]]
        parents[child] = tuple(sorted(chosen))
    return drawn(parents, probability_range, generator)


def from_tables(
    names: Sequence[str],
    tables: Mapping[str, Sequence[Sequence[float]]],
    *,
    parents: Mapping[str, Sequence[str]] | None = None,
    states: Mapping[str, Sequence[str]] | None = None,
    source: str = "tables",
) -> ConceptModel:
    """A Bayesian network from conditional probability tables, checked.

    Args:
        names: The concepts, in order.
        tables: For each concept its rows, one per configuration of its parents (the last parent varies
            fastest), each row a probability for every state.
        parents: Names of the parents of each concept that has any.
        states: Names of the states of each concept; ("0", "1") where not given.
        source: What an error message calls the input, such as a file's name.

    Returns:
        The model. Rows that miss 1 by rounding only are scaled to sum to 1.

    Raises:
        InputError: Naming the variable, and the row where it applies.

    Example:
        >>> tables = {"rain": [[0.8, 0.2]], "wet": [[1.0, 0.0], [0.1, 0.9]]}
        >>> from_tables(["rain", "wet"], tables, parents={"wet": ["rain"]}).joint()
        tensor([0.8000, 0.0000, 0.0200, 0.1800], dtype=torch.float64)
    """
    arrows, alphabet = parents or {}, states or {}
    check_names(names, tables, arrows, alphabet, source)
    position = {name: i for i, name in enumerate(names)}
    every_state = tuple(tuple(alphabet.get(name, ("0", "1"))) for name in names)
    for name, own in zip(names, every_state, strict=True):
        if len(own) < 2 or len(set(own)) < len(own):
            raise InputError(
                f"{source}: variable '{short(name)}' needs two or more distinct states, "
                f"got {shown(list(own))}"
            )
    every_parent: list[tuple[int, ...]] = []
    for name in names:
        own = arrows.get(name, ())
        for parent in own:
            if parent not in position:
                raise InputError(
                    f"{source}: variable '{short(name)}' has the unknown parent '{short(parent)}'; "
                    "declare it or remove it"
                )
        if len(set(own)) < len(own):
            raise InputError(
                f"{source}: variable '{short(name)}' names a parent twice, got {shown(list(own))}"
            )
        every_parent.append(tuple(position[parent] for parent in own))
    topological_order(names, every_parent, source)
    every_table = tuple(
        checked_table(name, tables[name], own, every_parent[i], names, every_state, source)
        for i, (name, own) in enumerate(zip(names, every_state, strict=True))
    )
    return ConceptModel(
        names=tuple(names), states=every_state, parents=tuple(every_parent), tables=every_table
    )


def _no_parents(concepts: int) -> list[tuple[int, ...]]:
    if concepts < 1:
        raise InputError(f"concepts: expected at least 1, got {concepts}")
    require_enumerable([2] * concepts)
    return [() for _ in range(concepts)]


def drawn(
    parents: Sequence[tuple[int, ...]],
    probability_range: tuple[float, float],
    generator: torch.Generator | None,
) -> ConceptModel:
    """Binary concepts on a given graph, every P(concept = 1 | parents) drawn uniformly.

    Args:
        parents: Of each concept.
        probability_range: Where they are drawn from.
        generator: Where the randomness comes from.

    Raises:
        InputError: If the range leaves [0, 1], or there is no generator.

    Example:
        >>> half = drawn([(), (0,)], (0.5, 0.5), torch.Generator())
        >>> half.joint()
        tensor([0.2500, 0.2500, 0.2500, 0.2500], dtype=torch.float64)
    """
    low, high = probability_range
    if not 0 <= low <= high <= 1:
        raise InputError(f"probability_range: expected 0 <= low <= high <= 1, got [{low}, {high}]")
    generator = _required(generator)
    tables: list[Tensor] = []
    for own in parents:
        uniform = torch.rand([2] * len(own), generator=generator, dtype=torch.float64)
        ones = low + (high - low) * uniform
        tables.append(torch.stack([1 - ones, ones], -1))
    return _binary(parents, tuple(tables))


def _required(generator: object) -> torch.Generator:
    if isinstance(generator, torch.Generator):
        return generator
    raise InputError(
        f"generator: expected a torch.Generator to draw from, got {shown(generator)}; write "
        "generator=torch.Generator().manual_seed(0)"
    )


def _binary(parents: Sequence[tuple[int, ...]], tables: tuple[Tensor, ...]) -> ConceptModel:
    names = tuple(f"C{i + 1}" for i in range(len(parents)))
    return ConceptModel(names=names, states=(("0", "1"),) * len(names), parents=tuple(parents), tables=tables)
