"""The pairs and rows that deviate most from their concept's direction."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from linrep.geometry import Pairs, steering_moments
from linrep.linalg import median
from linrep.vectors.directions import CHUNK_ROWS, unit_chunks
from linrep.vectors.pairs import Design

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAnomalies:
    """All pairs of all concepts, by how far they point from the others."""

    pairs: Pairs
    cosine: Float64[Tensor, " pairs"]
    """With the mean direction of the concept's other pairs; NaN for two equal rows."""
    score: Float64[Tensor, " pairs"]
    """How many standard deviations (by the median absolute deviation) below the concept's median cosine."""
    order: Int64[Tensor, " ranked"]
    """Positions, the strangest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAnomalies:
    """All rows, by how far they lie from the rows of their value, along a concept's direction."""

    score: Float64[Tensor, " rows"]
    """The largest over concepts, in standard deviations (by the median absolute deviation)."""
    concept: Int64[Tensor, " rows"]
    """Where it is largest."""
    wrong_side: Bool[Tensor, " rows"]
    """Whether the row lies nearer to the median of that concept's other value: it may be mislabelled."""
    order: Int64[Tensor, " ranked"]
    """Rows, the strangest first."""


def pair_anomalies(table: Float[Tensor, "rows dim"], pairs: Pairs) -> PairAnomalies:
    r"""Cosine of every pair with the mean of the others, :math:`\cos(\hat u_p, \sum_{q\ne p}\hat u_q)`.

    Naively: ``[cosine(u[p], (u.sum(0) - u[p])) for p in range(N)]`` for each concept.

    Args:
        table: The vectors.
        pairs: All pairs, one group for each concept.

    Returns:
        The pairs ranked. O(pairs · dim): with S the sum, the cosine is (S·û − 1)/√(‖S‖² − 2 S·û + 1).
    """
    moments = steering_moments(table, pairs, second=False)
    total = moments.direction * moments.count[:, None]
    square = total.square().sum(1)
    cosine = torch.full((len(pairs.low),), torch.nan, dtype=torch.float64)
    for at, unit in unit_chunks(table, pairs):
        group = pairs.group[at]
        dot = (unit * total[group]).sum(1)
        rest = (square[group] - 2 * dot + 1).clamp(min=0).sqrt()
        cosine[at] = torch.where(unit.any(1) & (rest > 1e-9), (dot - 1) / rest, torch.nan).clamp(-1, 1)
    counts = pairs.counts()
    starts = counts.cumsum(0) - counts
    score = torch.full_like(cosine, torch.nan)
    for group in range(pairs.groups):
        inside = slice(int(starts[group]), int(starts[group] + counts[group]))
        score[inside] = -_standard(cosine[inside], floor=1e-6)
    return PairAnomalies(pairs=pairs, cosine=cosine, score=score, order=_ranked(score))


def row_anomalies(
    table: Float[Tensor, "rows dim"], design: Design, directions: Float64[Tensor, "concepts dim"]
) -> RowAnomalies:
    """Each row's coordinate along each concept's direction, against the rows with the same value.

    Args:
        table: The vectors.
        design: Which rows have which value.
        directions: Unit vectors, one for each concept.
    """
    along = torch.cat([part.to(torch.float64) @ directions.mT for part in table.split(CHUNK_ROWS)])
    best = torch.zeros(len(table), dtype=torch.float64)
    concept = torch.zeros(len(table), dtype=torch.int64)
    wrong = torch.zeros(len(table), dtype=torch.bool)
    for i, (low, high) in enumerate(design.classes):
        if not bool(directions[i].any()):
            continue
        floor = 1e-6 * float(along[:, i].std()) + 1e-300
        for rows, others in ((low, high), (high, low)):
            x = along[rows, i]
            score = _standard(x, floor=floor).abs()
            score = torch.where(score.isnan(), 0.0, score)
            nearer = (x - median(along[others, i])).abs() < (x - median(x)).abs()
            larger = score > best[rows]
            at = rows[larger]
            best[at], concept[at], wrong[at] = score[larger], i, nearer[larger]
    return RowAnomalies(score=best, concept=concept, wrong_side=wrong, order=_ranked(best))


def _standard(x: Tensor, *, floor: float) -> Tensor:
    """Deviation from the median in standard deviations by the median absolute deviation, at least `floor`."""
    if not bool((~x.isnan()).any()):
        return x
    middle = median(x)
    spread = MAD_TO_SD * median((x - middle).abs())
    return (x - middle) / spread.clamp(min=floor)


def _ranked(score: Tensor) -> Tensor:
    present = (~score.isnan()).nonzero()[:, 0]
    return present[torch.argsort(score[present], descending=True, stable=True)]
