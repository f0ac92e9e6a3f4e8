"""The tables as a picture: corners, arrows and contexts in three dimensions that follow the directions.

While a run trains nobody knows its last step, from which a finished run's page takes its view. So the view
follows: at every look it turns a little towards the one in which the directions of now spread out evenly.
It is orthogonal at every moment: what looks parallel may be so by projection, what does not look so is not.
That holds for corners. Arrows are bent open instead: in more than three dimensions a projection would show
them where they agree, so each is drawn at its true angle from its concept's mean direction.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from linrep.page.cube import polar, projection, token_edges
from linrep.worlds.truth import World

FOLLOW = 0.25
"""Share of the new view in the next one."""
TINY, HUGE = 1e-12, 1e30
GOLDEN = math.pi * (3 - math.sqrt(5))
"""An angle whose multiples never meet."""
UNSEEN = 1e-9
"""Length up to which a projection has no direction."""
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment, centred."""

    corners: Points
    """[tokens, 3]: G."""
    arrows: Points
    """[edges, 3]: every steering vector of G at length 1, concept by concept, each at its true angle from its
    concept's mean direction."""
    contexts: Points
    """[contexts, 3]: F, as long as the corners reach; empty where they are not asked for."""
    shown: float
    """Share of the variance of G that these three dimensions hold."""
    angles: tuple[float | None, ...] = ()
    """For each concept the mean angle of its arrows from their mean direction, in degrees and in all
    dimensions; None where it has none."""


class View:
    """Follows one run.

    Args:
        world: Whose tokens are the corners.

    Example:
        >>> import linrep, torch
        >>> seen = View(linrep.world(linrep.independent(2, probabilities=[0.5, 0.5])))
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> picture = seen.picture(torch.zeros(9, 2), square)
        >>> picture.arrows.round(3).tolist()[0] == picture.arrows.round(3).tolist()[1]
        True
    """

    def __init__(self, world: World) -> None:
        self.codes = np.asarray(world.token_codes)
        self.edges = token_edges(world)
        self._before: NDArray[np.float64] | None = None

    def picture(self, embedding: Tensor, unembedding: Tensor, *, contexts: bool = False) -> Picture:
        """What is seen now.

        Args:
            embedding: F, [contexts, dim].
            unembedding: G, [tokens, dim].
            contexts: Whether F is wanted.
        """
        g = _finite(unembedding)
        g = g - g.mean(axis=0)
        front = self._follow(projection(g, self.codes, self.edges))
        corners = g @ front
        fans = [_fan(_unit(g[ends[:, 1]] - g[ends[:, 0]]), front) for ends in self.edges]
        arrows = np.concatenate([each for each, _ in fans]) if fans else np.zeros((0, 3))
        points = np.zeros((0, 3))
        if contexts:
            f = _finite(embedding) @ front
            reach = np.linalg.norm(corners, axis=1).max(initial=TINY)
            points = f * reach / max(np.linalg.norm(f, axis=1).max(initial=TINY), TINY)
        return Picture(
            corners=corners.astype(np.float32),
            arrows=arrows.astype(np.float32),
            contexts=points.astype(np.float32),
            shown=float((corners**2).sum() / max((g**2).sum(), TINY)),
            angles=tuple(angle for _, angle in fans),
        )

    def _follow(self, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
        before = self._before
        if before is not None and before.shape == wanted.shape and wanted.shape[0] >= 3:
            wanted = polar((1 - FOLLOW) * before + FOLLOW * wanted)
        self._before = wanted
        return wanted


def _fan(
    steering: NDArray[np.float64], front: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float | None]:
    """A concept's arrows in three dimensions and their mean angle from their mean direction, in degrees.

    The mean direction is projected, and each arrow leaves it by its true angle, towards where its own
    projection does. In three dimensions or fewer that is the projection itself.

    Args:
        steering: [edges, dim], each of length 1, or of 0 where two tokens coincide.
        front: [dim, 3], orthonormal columns.
    """
    if not len(steering):
        return np.zeros((0, 3)), None
    mean = _unit(steering.mean(axis=0))
    along = (steering @ mean).clip(-1, 1)
    axis = _unit(mean @ front)
    beside = (steering - along[:, None] * mean) @ front
    beside = beside - (beside @ axis)[:, None] * axis
    hidden = np.linalg.norm(beside, axis=1) < UNSEEN
    beside[hidden] = _around(axis, int(hidden.sum()))
    across = np.sqrt(1 - along**2) * (np.linalg.norm(steering, axis=1) > 0)
    arrows = along[:, None] * axis + across[:, None] * _unit(beside)
    return arrows, float(np.degrees(np.arccos(along)).mean())


def _around(axis: NDArray[np.float64], many: int) -> NDArray[np.float64]:
    """Directions at right angles to an axis, spread by the golden angle: for what leaves it unseen."""
    first, second = np.linalg.svd(axis[None])[2][1:]
    turns = np.arange(many)[:, None] * GOLDEN
    return np.cos(turns) * first + np.sin(turns) * second


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """At length 1; what has none keeps 0."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), TINY)


def _finite(table: Tensor) -> NDArray[np.float64]:
    """What can be drawn: a run that diverges is at the origin in the end."""
    numbers = np.nan_to_num(table.detach().double().numpy(), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(numbers, -HUGE, HUGE)
