"""Do directions found on one set of vectors carry over to another set of the same items?"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from linrep.geometry import Pairs
from linrep.intervals import mean_interval
from linrep.linalg import normalise
from linrep.progress import counted
from linrep.vectors.directions import class_mean, directions, unit_chunks
from linrep.vectors.pairs import Design

SPLITS = 4
FIT_ROWS = 4096
"""At most so many rows, or four times the width if that is more, fit a map."""
SHUFFLES = 5
"""Maps fitted to shuffled rows, for each split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """One concept's direction in the other set. NaN stands for what does not exist."""

    mapped: float
    """Mean cosine of the direction, found and mapped on training rows, with the other's held-out pairs."""
    low: float
    high: float
    """95 % interval over held-out pairs (Student's t); NaN for class means and few pairs."""
    own: float
    """The same for the other set's own direction, found on the training rows: what can be had."""
    unmapped: float
    """The same without a map, where both sets have one width."""
    null: float
    """The same with maps fitted to shuffled rows, mean."""
    null_high: float
    """Its largest draw."""
    held_out: int
    """Held-out pairs, each counted once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How well directions carry over from one set of vectors to another."""

    concepts: tuple[Carried, ...]
    rows_explained: float
    """Share of the held-out rows' variation that the map explains; below 0 it explains none."""
    splits: int


def transfer(
    table: Float[Tensor, "rows dim"],
    other: Float[Tensor, "rows other_dim"],
    design: Design,
    *,
    generator: torch.Generator,
) -> Transfer:
    r"""Fit an orthogonal map on half of the rows; judge directions by the pairs that lie in the other half.

    The map R minimises :math:`\|X R - Y\|_F` over orthogonal matrices on centred training rows (Procrustes);
    sets of different width are padded with zeros. Directions come from training pairs alone.

    Args:
        table: The set in which directions are found.
        other: The set they are carried to, row by row the same items.
        design: What each concept is measured on.
        generator: Splits and shuffles rows.

    Returns:
        Means over splits. A concept with no held-out pair has none.

    References:
        Schönemann, A generalized solution of the orthogonal Procrustes problem, 1966.
    """
    held = _HeldOut(design)
    explained = 0.0
    most = max(FIT_ROWS, 4 * max(table.shape[1], other.shape[1]))
    for _ in counted(range(SPLITS), "transfer: splits"):
        order = torch.randperm(len(table), generator=generator)
        train, test = order[: len(order) // 2], order[len(order) // 2 :]
        inside = torch.zeros(len(table), dtype=torch.bool)
        inside[train] = True
        found, truth = (
            directions(x, _part(design, inside), _inside(design.every, inside)) for x in (table, other)
        )
        fit = train[:most]
        rotation, scale = procrustes(table[fit], other[fit])
        maps = [rotation]
        for _ in range(SHUFFLES):
            shuffled = fit[torch.randperm(len(fit), generator=generator)]
            maps.append(procrustes(table[shuffled], other[fit])[0])
        candidates = [found @ each for each in maps] + [truth]
        if table.shape[1] == other.shape[1]:
            candidates.append(found)
        held.judge(other, torch.stack(candidates), inside)
        explained += _explained(table, other, fit, test[:most], rotation, scale) / SPLITS
    return Transfer(concepts=held.records(), rows_explained=explained, splits=SPLITS)


def procrustes(
    x: Float[Tensor, "rows dim"], y: Float[Tensor, "rows other_dim"]
) -> tuple[Float64[Tensor, "dim other_dim"], float]:
    """The orthogonal map from x to y about their means, and the scale that fits best with it.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
        >>> procrustes(x, 2 * x.flip(1))[0].round().abs()
        tensor([[0., 1.],
                [1., 0.]], dtype=torch.float64)
    """
    from scipy.linalg import orthogonal_procrustes

    width = max(x.shape[1], y.shape[1])
    a, b = (_padded((z.to(torch.float64) - z.mean(0, dtype=torch.float64)), width) for z in (x, y))
    rotation, overlap = orthogonal_procrustes(a.numpy(), b.numpy())
    size = float(a.square().sum())
    kept = torch.from_numpy(rotation)[: x.shape[1], : y.shape[1]].contiguous()
    return kept, float(overlap) / size if size else 0.0


class _HeldOut:
    """Cosines of held-out pairs with each candidate direction, averaged over the splits."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.total: Tensor | None = None
        self.times = torch.zeros(len(design.every.low), dtype=torch.float64)
        self.classes: list[Tensor] = []

    def judge(self, other: Tensor, candidates: Tensor, inside: Tensor) -> None:
        """Add one split: candidates [candidates, concepts, dim], training rows marked."""
        every = self.design.every
        candidates = normalise(candidates)
        at = (~inside[every.low] & ~inside[every.high]).nonzero()[:, 0]
        some = Pairs(low=every.low[at], high=every.high[at], group=every.group[at], groups=every.groups)
        cosine = torch.zeros(len(candidates), len(at), dtype=torch.float64)
        for place, unit in unit_chunks(other, some):
            group = some.group[place]
            for row, candidate in enumerate(candidates):
                cosine[row, place] = (unit * candidate[group]).sum(1)
        if self.total is None:
            self.total = torch.zeros(len(candidates), len(self.times), dtype=torch.float64)
        self.total[:, at] += cosine
        self.times[at] += 1
        self.classes.append(self._by_class(other, candidates, inside))

    def _by_class(self, other: Tensor, candidates: Tensor, inside: Tensor) -> Tensor:
        found = torch.full(candidates.shape[:2], torch.nan, dtype=torch.float64)
        for i, (low, high) in enumerate(self.design.classes):
            low, high = low[~inside[low]], high[~inside[high]]
            if self.design.methods[i] == "class means" and len(low) and len(high):
                difference = normalise(class_mean(other, high) - class_mean(other, low))
                found[:, i] = candidates[:, i] @ difference
        return found

    def records(self) -> tuple[Carried, ...]:
        assert self.total is not None, "at least one split is judged"
        by_class = torch.stack(self.classes).nanmean(0)
        return tuple(self._record(self.total, by_class[:, i], i) for i in range(len(self.design.concepts)))

    def _record(self, total: Tensor, by_class: Tensor, i: int) -> Carried:
        low = high = float("nan")
        used = 0
        values = by_class
        if self.design.methods[i] == "matched pairs":
            at = ((self.design.every.group == i) & (self.times > 0)).nonzero()[:, 0]
            used = len(at)
            each = total[:, at] / self.times[at]
            values = each.mean(1)
            low, high = mean_interval(each[0], within=(-1, 1)) or (low, high)
        null = values[1 : 1 + SHUFFLES]
        return Carried(
            mapped=float(values[0]),
            low=low,
            high=high,
            own=float(values[1 + SHUFFLES]),
            unmapped=float(values[2 + SHUFFLES]) if len(values) > 2 + SHUFFLES else float("nan"),
            null=float(null.mean()),
            null_high=float(null.max()),
            held_out=used,
        )


def _inside(pairs: Pairs, inside: Tensor) -> Pairs:
    kept = inside[pairs.low] & inside[pairs.high]
    return Pairs(low=pairs.low[kept], high=pairs.high[kept], group=pairs.group[kept], groups=pairs.groups)


def _part(design: Design, inside: Tensor) -> Design:
    return replace(
        design, classes=tuple((low[inside[low]], high[inside[high]]) for low, high in design.classes)
    )


def _explained(
    table: Tensor, other: Tensor, train: Tensor, test: Tensor, rotation: Tensor, scale: float
) -> float:
    x = table[test].to(torch.float64) - class_mean(table, train)
    y = other[test].to(torch.float64) - class_mean(other, train)
    size = float(y.square().sum())
    return 1 - float((scale * x @ rotation - y).square().sum()) / size if size else float("nan")


def _padded(x: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(x, (0, width - x.shape[1])) if x.shape[1] < width else x
