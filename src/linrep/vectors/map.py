"""A map to look at: coordinates along two or three concept directions, made orthogonal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from linrep.errors import InputError
from linrep.vectors.directions import CHUNK_ROWS, class_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptMap:
    """Rows by concept axes. The projection is orthogonal: distances shrink, none is stretched."""

    axes: tuple[str, ...]
    tilt: tuple[float, ...]
    """Cosine between each axis and its concept's direction: 1 where concepts are orthogonal as they are."""
    rows: Int64[Tensor, " shown"]
    """Which rows are on it, ascending: all, or a random part."""
    coordinates: Float64[Tensor, "shown axes"]
    """About the mean of all rows, in the units of the vectors."""


def chosen_axes(
    names: Sequence[str],
    attributes: Sequence[int],
    strength: Sequence[float],
    wanted: Sequence[str] | None = None,
) -> list[int]:
    """Which concepts are the axes: those asked for, else the up to three strongest of different attributes.

    Those of negative strength come in only where there would not be two axes without.

    Raises:
        InputError: If an axis is no concept, or there are more than three.

    Example:
        >>> chosen_axes(["a", "b: x → y", "b: x → z"], [0, 1, 1], [0.2, 0.9, 0.8])
        [1, 0]
    """
    if wanted:
        unknown = [name for name in wanted if name not in names]
        if unknown or not 2 <= len(set(wanted)) == len(wanted) <= 3:
            got = f"{unknown[0]!r}" if unknown else f"{len(wanted)}"
            raise InputError(
                f"axes: expected two or three different concepts of {', '.join(names)}; got {got}"
            )
        return [list(names).index(name) for name in wanted]
    present = [i for i in range(len(names)) if not math.isnan(strength[i])]
    found: list[int] = []
    for i in sorted(present, key=lambda i: -strength[i]):
        enough = len(found) == 3 or (len(found) == 2 and strength[i] < 0)
        if not enough and attributes[i] not in [attributes[j] for j in found]:
            found.append(i)
    return found


def concept_map(
    table: Float[Tensor, "rows dim"],
    directions: Float64[Tensor, "axes dim"],
    names: Sequence[str],
    *,
    most: int,
    generator: torch.Generator,
) -> ConceptMap:
    r"""Coordinates along the orthonormal axes nearest to the directions, :math:`U V^T` of their SVD.

    No concept goes first, as one would in Gram-Schmidt. Of directions that are one line the later ones
    are dropped.

    Args:
        table: The vectors.
        directions: Unit vectors, one for each axis wanted.
        names: Of the axes.
        most: Rows on the map; of more, a random part.
        generator: Draws them.
    """
    kept: list[int] = []
    for i in range(len(directions)):
        if int(torch.linalg.matrix_rank(directions[[*kept, i]], rtol=1e-6)) == len(kept) + 1:
            kept.append(i)
    used = directions[kept]
    left, _, right = torch.linalg.svd(used, full_matrices=False)
    axes = left @ right
    rows = torch.randperm(len(table), generator=generator)[:most].sort().values
    mean = class_mean(table, torch.arange(len(table)))
    shown = [(table[part].to(torch.float64) - mean) @ axes.mT for part in rows.split(CHUNK_ROWS)]
    return ConceptMap(
        axes=tuple(names[i] for i in kept),
        tilt=tuple((axes * used).sum(1).tolist()),
        rows=rows,
        coordinates=torch.cat(shown),
    )
