"""95 % intervals of one run's similarities over its steering vectors, by leaving out one vector at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.geometry.folded import Folded
from linrep.geometry.moments import steering_moments, unit_vectors
from linrep.geometry.pairs import Pairs, matrix_over_contrasts, over_contrasts
from linrep.geometry.record import MEAN_DIRECTIONS, RMS, TableName
from linrep.geometry.similarity import off_diagonal
from linrep.geometry.values import Key, Values
from linrep.intervals import LEAST, Interval, Variance, shared_variance, t_interval
from linrep.linalg import normalise

CAP = 1024
"""At most this many vectors of a group are left out in turn; deviations then shrink by sqrt(used/all)."""

Overall = Callable[[Tensor], Tensor]
"""Statistics of all groups to their mean over concepts."""


def intervals_over_vectors(
    tables: dict[TableName, tuple[Tensor, Pairs]],
    values: Values,
    concept_of: Int64[Tensor, " contrasts"] | None = None,
    *,
    generator: torch.Generator,
) -> dict[Key, Interval | None]:
    r"""Jackknife 95 % intervals of one run's similarities: each group's steering vectors are its sample.

    Without a vector, its group's statistic is exact; what that does to the mean over concepts is taken to
    first order.

    Naively: ``linrep.intervals.jackknife_interval(value, [value without each vector, for each concept])``.

    Args:
        tables: "embedding" and/or "unembedding": table ``[rows, dim]`` and its pairs, one group per concept.
        values: What was measured on all vectors.
        concept_of: The concept of each group, where groups are contrasts; None = groups are concepts.
        generator: Draws the `CAP` vectors of larger groups.

    Returns:
        The interval of the mean over concepts, by measure; None where the value is absent, or a group that
        enters it has fewer than :data:`linrep.intervals.LEAST` vectors.

    Example:
        >>> from linrep.geometry import contrast_pairs, contrasts
        >>> from linrep.geometry.values import Side, similarity_values
        >>> codes = torch.cartesian_prod(*[torch.tensor([0, 1])] * 4)
        >>> pairs, table = contrast_pairs(codes, contrasts([2] * 4)), codes.double()
        >>> side = Side(table=table[None], pairs=pairs, rows=torch.tensor([16]))
        >>> values, draw = similarity_values({"unembedding": side}), torch.Generator()
        >>> found = intervals_over_vectors({"unembedding": (table, pairs)}, values, generator=draw)
        >>> found["linearity", "unembedding"]
        (1.0, 1.0)
    """
    groups = {name: _Groups(table, pairs, generator) for name, (table, pairs) in tables.items()}

    def mean(x: Tensor) -> Tensor:
        return over_contrasts(x[None], concept_of).nanmean()

    def mean_overlap(x: Tensor) -> Tensor:
        return off_diagonal(matrix_over_contrasts(x[None], concept_of)).nanmean()

    def rms_overlap(x: Tensor) -> Tensor:
        return off_diagonal(matrix_over_contrasts(x[None], concept_of, squared=True)).nanmean()

    found: dict[Key, Interval | None] = {}
    for name, side in groups.items():
        for measure, without, overall, least in (
            ("linearity", side.linearity(), mean, -1),
            (RMS, side.overlap_of_vectors(), rms_overlap, 0),
        ):
            key = measure, name
            found[key] = _interval(values.mean(key), [side.variance(without, overall)], least)
        found[MEAN_DIRECTIONS, name] = _overlap_interval(
            values.mean((MEAN_DIRECTIONS, name)), side, mean_overlap
        )
    if len(groups) == 2:
        f, g = groups["embedding"], groups["unembedding"]
        parts = [f.variance(f.toward(g.directions), mean), g.variance(g.toward(f.directions), mean)]
        found["alignment", ""] = _interval(values.mean(("alignment", "")), parts, -1)
    return found


class _Groups:
    """One table's unit vectors by group, and each group's statistics on all and without each vector.

    A statistic is a number of each group, or a row of them (with every other group): ``(on all, without)``.
    """

    def __init__(self, table: Tensor, pairs: Pairs, generator: torch.Generator) -> None:
        counts = steering_moments(table, pairs, second=False).count
        self.units, self.rows = _some_units(table, pairs, generator)
        used = torch.tensor([len(units) for units in self.units], device=table.device)
        self.shrink = (used / counts.clamp(min=1)).to(torch.float64).sqrt().tolist()
        self.directions = torch.stack([units.sum(0) / max(len(units), 1) for units in self.units])

    def influence(self, statistics: list[tuple[Tensor, Tensor]], overall: Overall) -> "_Influence | None":
        """On the mean over concepts; None where a group in it has too few vectors."""
        changes: dict[int, Tensor] = {}
        slopes = _slopes(statistics, overall)
        for group, (own, (on_all, without)) in enumerate(zip(slopes, statistics, strict=True)):
            if not bool((own != 0).any()):
                continue
            if len(without) < LEAST:
                return None
            changes[group] = torch.where(own != 0, (without - on_all) * own, 0.0).cpu()
        if not changes:
            return None
        rows = torch.cat([self.rows[group] for group in changes], 1).cpu()
        return _Influence(changes=changes, shrink=self.shrink, rows=rows)

    def variance(self, statistics: list[tuple[Tensor, Tensor]], overall: Overall) -> Variance | None:
        """Of the mean over concepts; None where a group in it has too few vectors."""
        found = self.influence(statistics, overall)
        return found and found.variance()

    def linearity(self) -> list[tuple[Tensor, Tensor]]:
        return [(_linearity(u.sum(0), len(u)), _linearity(u.sum(0) - u, len(u) - 1)) for u in self.units]

    def toward(self, others: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Cosine with the mean of the other table's vectors of the same group."""
        pairs = zip(self.units, others, strict=True)
        return [(u.mean(0) @ other, _means_without(u) @ other) for u, other in pairs]

    def overlap_of_means(self) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """|cosine| of every two mean directions, its sign kept; and the standard deviation of the cosines."""
        every = normalise(self.directions)
        on_all = every @ every.mT
        without = [normalise(_means_without(u)) @ every.mT for u in self.units]
        alone = torch.stack(
            [
                shrink**2 * (1 - 1 / max(len(each), 1)) * (each - each.mean(0)).square().sum(0)
                for each, shrink in zip(without, self.shrink, strict=True)
            ]
        )
        statistics = [
            (own.abs(), own.abs() + torch.where(own < 0, -1.0, 1.0) * (each - own))
            for own, each in zip(on_all, without, strict=True)
        ]
        return statistics, (alone + alone.mT).sqrt()

    def overlap_of_vectors(self) -> list[tuple[Tensor, Tensor]]:
        """Root mean square of cosines with every group's vectors."""
        found: list[tuple[Tensor, Tensor]] = []
        for u in self.units:
            square = torch.stack([(u @ other.mT).square().mean(1) for other in self.units], 1)
            found.append((square.mean(0).sqrt(), _means_without(square).clamp_min(0).sqrt()))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Influence:
    """How the mean over concepts changes, to first order, without each vector: in the host's memory."""

    changes: dict[int, Tensor]
    """By group, one for each vector; or a row of them, by the other group."""
    shrink: list[float]
    rows: Int64[Tensor, "2 vectors"]
    """Of the vectors of these groups."""

    def variance(self, share: Tensor | None = None) -> Variance:
        r"""Vectors that share a row, of one concept or of two, vary together: with :math:`\psi` a vector's
        influence, :math:`V = \sum_r (\sum_{p \ni r} \psi_p)^2 - \sum_p \psi_p^2` (each lies in two rows).

        Args:
            share: What of the changes counts, for every two groups; None = all.
        """
        influence: list[Tensor] = []
        for group, change in self.changes.items():
            rows = change if share is None or change.ndim == 1 else change * share[group]
            each = rows.sum(-1) if rows.ndim == 2 else rows
            scale = self.shrink[group] * (1 - 1 / len(each)) ** 0.5
            influence.append(scale * (each - each.mean()))
        return shared_variance(influence, self.rows, [len(each) - 1.0 for each in influence])


def _slopes(statistics: list[tuple[Tensor, Tensor]], overall: Overall) -> Tensor:
    """How the mean over concepts moves with each group's statistic (or row of them); 0 outside it."""
    whole = torch.stack([on_all for on_all, _ in statistics]).detach().requires_grad_()
    (slope,) = torch.autograd.grad(overall(whole), whole)
    slope = slope.nan_to_num()
    # A row of overlaps stands in the matrix twice, and not with itself.
    return (slope + slope.mT).fill_diagonal_(0) if slope.ndim == 2 else slope


def _overlap_interval(value: float, side: _Groups, overall: Overall) -> Interval | None:
    """Of a mean |cosine|, which is never below 0 and, of noise alone, never 0."""
    statistics, spread = side.overlap_of_means()
    influence = side.influence(statistics, overall)
    if influence is None or math.isnan(value):
        return None

    def half_width(share: Tensor) -> float:
        half = t_interval(0.0, [influence.variance(share)])
        assert half is not None, "0 is no missing value"
        return half[1]

    seen = torch.stack([on_all for on_all, _ in statistics])
    # Every two groups stand in the matrix twice.
    weight = _slopes(statistics, overall) / 2
    found = Folded(seen=seen.cpu(), spread=spread.cpu(), weight=weight.cpu(), half_width=half_width)
    low, high = found.interval(value)
    return min(max(low, 0.0), 1.0), max(min(high, 1.0), 0.0)


def _interval(value: float, parts: list[Variance | None], least: int) -> Interval | None:
    known = [part for part in parts if part is not None]
    return t_interval(value, known, within=(least, 1)) if len(known) == len(parts) else None


def _linearity(total: Tensor, number: int) -> Tensor:
    """NaN below two vectors."""
    pairs = number * (number - 1)
    return (total.square().sum(-1) - number) / (pairs if pairs > 0 else float("nan"))


def _means_without(units: Float64[Tensor, "vectors dim"]) -> Float64[Tensor, "vectors dim"]:
    return (units.sum(0) - units) / max(len(units) - 1, 1)


def _some_units(
    table: Tensor, pairs: Pairs, generator: torch.Generator
) -> tuple[list[Tensor], list[Int64[Tensor, "2 vectors"]]]:
    """The non-zero unit vectors of each group, all or a random `CAP` of them, and each one's two rows."""
    counts = pairs.counts()
    keep = torch.ones(len(pairs.group), dtype=torch.bool, device=pairs.group.device)
    for start, count in zip((counts.cumsum(0) - counts).tolist(), counts.tolist(), strict=True):
        if count > CAP:
            drawn = torch.randperm(count, generator=generator, device=generator.device)[:CAP].to(keep.device)
            keep[start : start + count] = False
            keep[start + drawn] = True
    at = keep.nonzero()[:, 0]
    kept = Pairs(low=pairs.low[at], high=pairs.high[at], group=pairs.group[at], groups=pairs.groups)
    number = kept.counts()
    of_group = torch.stack([kept.low, kept.high]).split(number.tolist(), 1)
    units = [table.new_zeros(0, table.shape[1], dtype=torch.float64) for _ in range(pairs.groups)]
    present = [kept.low.new_zeros(0, dtype=torch.bool) for _ in range(pairs.groups)]
    for first, last, _, (block,), (exists,) in unit_vectors(table, kept, number):
        for group in range(first, last):
            inside = exists[group - first]
            units[group] = torch.cat([units[group], block[group - first][inside]])
            present[group] = torch.cat([present[group], inside])
    rows = [ends[:, here[: ends.shape[1]]] for ends, here in zip(of_group, present, strict=True)]
    return units, rows
