"""The runs of a sweep as dots, and what theory says of its cells: predicted limits, and where k = m."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linrep.page.chart import Series, means, numeric
from linrep.page.dots import Dot
from linrep.page.ends import UNKNOWN
from linrep.page.runs_dots import limit_at
from linrep.paper.paired import Key
from linrep.runs.config import Config
from linrep.runs.summary import END_WORDS
from linrep.runs.world_config import ChainWorld, IndependentWorld, KnownContexts, RandomWorld
from linrep.sweeps.grid import Cell
from linrep.sweeps.numbers import Numbers

K = "model.dim"
MOST_WIDTHS = 4
"""Lines k = m that can be told apart."""


def dots_of(at: str, cell: Numbers, measure: str, table: str) -> list[Dot]:
    """Every run of a cell that stayed finite.

    Args:
        at: Its label along the axis.
        cell: Its numbers.
        measure: At the end of training.
        table: Of which table.
    """
    (place,) = numeric([at])
    found = [
        Dot(run=at, across=place, up=float(value), ended=word)
        for word in END_WORDS
        if word != "diverged"
        for value in cell.values(measure, table, ended=word)
    ]
    if found or any(cell.counts().values()):
        return found
    return [Dot(run=at, across=place, up=float(v), ended=UNKNOWN) for v in cell.values(measure, table)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theory:
    """What is known of the cells of a sweep before they are run."""

    cells: Sequence[tuple[Mapping[str, str], Config]]
    """Coordinates and config of each."""

    def lines(self, along: str, key: Key) -> list[Series]:
        """Predicted limits along an axis, where there are any, and k = m, where the axis is the width.

        Args:
            along: The axis across.
            key: The measure that is drawn.
        """
        found = [(labels[along], limit_of(config, key)) for labels, config in self.cells]
        once = {(at, limit): None for at, limit in found if limit is not None}
        limits = Series(
            name="predicted limit",
            colour="--predicted",
            x=numeric([at for at, _ in once]) if once else [],
            points=means([limit for _, limit in once]),
            plain=True,
            marker="diamond",
            joined=False,
        )
        return [limits, *(self._k_is_m() if along == K else [])]

    def _k_is_m(self) -> list[Series]:
        widths = sorted({m for _, config in self.cells if (m := concepts_of(config)) is not None})
        if len(widths) > MOST_WIDTHS:
            return []
        # One line with gaps, so that the legend names it once.
        x: list[Any] = [place for m in widths for place in (m, m, m)]
        y = [value for _ in widths for value in (0.0, 1.0, float("nan"))]
        return [
            Series(name="k = m", colour="--both", x=x, points=means(y), plain=True, dash="dash", marker="")
        ]


def theory_of(grid: Sequence[Cell]) -> Theory:
    """Of the cells of a grid."""
    return Theory(cells=[(dict(cell.coordinates), cell.config) for cell in grid])


def limit_of(config: Config, key: Key) -> float | None:
    """What theory says of a cell; None of worlds that may lack a token, and of contexts drawn by chance.

    Args:
        config: With every default filled in.
        key: Measure and table, as in the trace.
    """
    world, contexts, k = config.world, config.contexts, config.model.dim
    if not isinstance(world, IndependentWorld | ChainWorld | RandomWorld) or k is None:
        return None
    given = world.probabilities if isinstance(world, IndependentWorld) else None
    every = all(0 < p < 1 for p in given or world.probability_range) and config.tokens.kind == "complete"
    if not every or contexts.held_out or config.model.encoder != "table" or config.shift is not None:
        return None
    if isinstance(contexts, KnownContexts):
        return limit_at(world.concepts, k, (contexts.at_least, contexts.at_most), key)
    return limit_at(world.concepts, k, None, key) if contexts.kind == "complete" else None


def concepts_of(config: Config) -> int | None:
    """Number of concepts, where the config says it."""
    return getattr(config.world, "concepts", None)
