"""When a concept emerges, defined once: the first checkpoint from which on its linearity stays beyond its
null.

At each checkpoint a concept is a direction when the 95 % interval of its linearity lies above the 97.5 %
quantile of random pairs. It has emerged at the first checkpoint after which that holds at every other. A
concept that is a direction at the first checkpoint emerged by then; one that is none at the last has not
emerged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from linrep.runs.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One checkpoint measured."""

    name: str
    step: int
    tokens: float | None
    rows: tuple[Row, ...]

    def row(self, quantity: "Quantity", concept: str) -> Row | None:
        """The number of a concept that a quantity is read from; None where it does not exist."""
        for measure in quantity.measures:
            for row in self.rows:
                place = (row.measure, row.table, row.layer, row.concept)
                if place == (measure, quantity.table, quantity.layer, concept) and row.value == row.value:
                    return row
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something of a concept that emerges."""

    words: str
    """As a reader reads it."""
    measures: tuple[str, ...]
    """The first that exists is taken."""
    table: str
    layer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emerged:
    """When something of a concept emerged."""

    quantity: Quantity
    concept: str
    step: int | None
    """The first checkpoint from which on it stays beyond its null; None: not at the last."""
    after: int | None
    """The checkpoint before that, or the last where it has not emerged; None: it was there at the first."""
    tokens: float | None


WORDS = Quantity(words="words", measures=("linearity",), table="unembedding")


def contexts(layer: str) -> Quantity:
    """Linearity of states at a layer, over unrelated pairs where there are such."""
    where = "contexts" if layer == "head" else f"contexts, layer {layer}"
    return Quantity(words=where, measures=("linearity_across", "linearity"), table="embedding", layer=layer)


def aligned(layer: str) -> Quantity:
    """Cosine of states with the concept's own direction."""
    return Quantity(words="alignment", measures=("alignment_direction",), table="both", layer=layer)


def quantities(looks: Sequence[Look]) -> list[Quantity]:
    """All that was measured: words, contexts at every layer, alignment."""
    rows = looks[-1].rows
    layers = dict.fromkeys(
        row.layer for row in rows if row.table == "embedding" and row.measure == "linearity"
    )
    places = dict.fromkeys(row.layer for row in rows if row.measure == "alignment_direction")
    main = [contexts(layer) for layer in layers if layer in places or layer == "head"]
    others = [contexts(layer) for layer in layers if contexts(layer) not in main]
    return [WORDS, *main, *(aligned(layer) for layer in places), *others]


def concepts(looks: Sequence[Look], quantity: Quantity) -> list[str]:
    """Concepts that a quantity exists for, in the order of the data."""
    return list(
        dict.fromkeys(
            row.concept
            for look in looks
            for row in look.rows
            if (row.table, row.layer) == (quantity.table, quantity.layer) and row.measure in quantity.measures
        )
    )


def is_beyond(row: Row | None) -> bool:
    """Whether the whole interval lies above the null's 97.5 % quantile; not where there is no number."""
    return row is not None and row.low > row.null.high


def emergence_of(looks: Sequence[Look], quantity: Quantity, concept: str) -> Emerged:
    """When a concept emerges.

    Naively: ``next((k for k in range(n) if all(beyond[k:])), None)``.

    Example:
        >>> from linrep.runs.row import NullRange
        >>> def look(step, low):
        ...     null = NullRange(mean=0.0, high=0.1)
        ...     about = {"concept": "sex", "measure": "linearity", "table": "unembedding"}
        ...     row = Row(value=0.5, low=low, null=null, **about)
        ...     return Look(name="", step=step, tokens=None, rows=(row,))
        >>> looks = [look(0, 0.2), look(8, 0.0), look(64, 0.3), look(512, 0.4)]
        >>> found = emergence_of(looks, WORDS, "sex")
        >>> found.step, found.after
        (64, 8)
    """
    beyond = [is_beyond(look.row(quantity, concept)) for look in looks]
    first = len(looks)
    while first and beyond[first - 1]:
        first -= 1
    at = looks[first] if first < len(looks) else None
    return Emerged(
        quantity=quantity,
        concept=concept,
        step=None if at is None else at.step,
        after=looks[first - 1].step if first else None,
        tokens=None if at is None else at.tokens,
    )
