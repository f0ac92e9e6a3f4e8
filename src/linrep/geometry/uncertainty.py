"""Bootstrap intervals: over runs where there are several, else over the vectors within each group."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from linrep.geometry.moments import steering_moments, unit_vectors
from linrep.geometry.pairs import Pairs, matrix_over_contrasts, over_contrasts
from linrep.geometry.values import Key, Values

LEVELS = (0.025, 0.975)
CAP = 1024
"""At most this many vectors of a group are resampled; deviations then shrink by sqrt(resampled/all)."""


def interval_over_runs(
    per_run: Float64[Tensor, " runs"], *, resamples: int, generator: torch.Generator
) -> tuple[float, float] | None:
    """Percentile bootstrap 95 % interval of the mean over runs; runs without a value (NaN) are left out.

    Naively: ``numpy.quantile([rng.choice(x, len(x)).mean() for _ in range(resamples)], [.025, .975])``.

    Returns:
        (low, high), or None when fewer than two runs have a value.

    Example:
        >>> values = torch.tensor([1.0, 1.0, torch.nan], dtype=torch.float64)
        >>> interval_over_runs(values, resamples=50, generator=torch.Generator())
        (1.0, 1.0)
    """
    present = per_run[~per_run.isnan()]
    if len(present) < 2:
        return None
    weights = _weights(len(present), resamples, generator).to(per_run.device)
    return _interval(weights @ present / len(present))


def intervals_over_vectors(
    tables: dict[str, tuple[Tensor, Pairs]],
    values: Values,
    concept_of: Int64[Tensor, " contrasts"] | None = None,
    *,
    resamples: int,
    generator: torch.Generator,
) -> dict[Key, tuple[float, float] | None]:
    r"""Bootstrap 95 % intervals of one run's similarities, resampling each group's steering vectors.

    With multinomial weights w a pair of a vector with its own copy says nothing and is left out: linearity is
    :math:`(\|\sum w\hat u\|^2 - \sum w^2) / ((\sum w)^2 - \sum w^2)`. Resampling adds noise to a mean of
    squares or of absolute values, so replicates are about their own mean, moved to the measured value.

    Args:
        tables: "embedding" and/or "unembedding": table ``[rows, dim]`` and its pairs, one group per concept.
        values: What was measured on all vectors.
        concept_of: The concept of each group, where groups are contrasts; None = groups are concepts.
        resamples: Bootstrap replicates.
        generator: Draws the weights, and the `CAP` vectors of larger groups.

    Returns:
        The interval of the mean over concepts, by measure; None where the value is absent.
    """
    resampled = {
        name: _Resampled(table, pairs, resamples, generator) for name, (table, pairs) in tables.items()
    }
    replicates: dict[Key, Tensor] = {}
    for name, side in resampled.items():
        shrink = _largest(side.shrink, concept_of)
        drawn = over_contrasts(side.linearity(), concept_of)
        whole = values.concepts["linearity", name][0]
        replicates["linearity", name] = _about(whole, drawn, shrink).clamp(-1, 1)
        both = torch.maximum(shrink[:, None], shrink[None, :])
        for measure, matrices in (
            ("orthogonality_mean", side.orthogonality_mean()),
            ("orthogonality_rms", side.orthogonality_rms()),
        ):
            whole = values.matrices[measure, name][0]
            drawn = matrix_over_contrasts(matrices, concept_of, squared=measure == "orthogonality_rms")
            moved = _about(whole, drawn, both).clamp(0, 1)
            diagonal = torch.eye(whole.shape[-1], dtype=torch.bool, device=whole.device)
            replicates[measure, name] = moved.masked_fill(diagonal, torch.nan).nanmean(-1)
    if len(resampled) == 2:
        f, g = resampled["embedding"], resampled["unembedding"]
        drawn = over_contrasts((f.directions * g.directions).sum(-1), concept_of)
        whole = values.concepts["alignment", ""][0]
        shrink = _largest(torch.maximum(f.shrink, g.shrink), concept_of)
        replicates["alignment", ""] = _about(whole, drawn, shrink).clamp(-1, 1)
    return {key: _interval(drawn.nanmean(-1)) for key, drawn in replicates.items()}


class _Resampled:
    """One table's unit vectors by group, and the weights of every replicate."""

    def __init__(self, table: Tensor, pairs: Pairs, resamples: int, generator: torch.Generator) -> None:
        counts = steering_moments(table, pairs, second=False).count
        self.units = _some_units(table, pairs, generator)
        self.weights = [_weights(len(u), resamples, generator).to(table.device) for u in self.units]
        used = torch.tensor([len(units) for units in self.units], device=table.device)
        self.shrink = (used / counts.clamp(min=1)).to(torch.float64).sqrt()
        sums = [w @ u / max(len(u), 1) for w, u in zip(self.weights, self.units, strict=True)]
        self.directions = torch.stack(sums, 1)

    def linearity(self) -> Float64[Tensor, "resamples concepts"]:
        drawn: list[Tensor] = []
        for concept, weights in enumerate(self.weights):
            own = weights.square().sum(1)
            total = weights.shape[1] ** 2
            square = self.directions[:, concept].square().sum(-1) * total
            # Where all weight fell on one vector there is no pair; rounding would make it infinite.
            pairs = (total - own).masked_fill(own == total, torch.nan)
            drawn.append((square - own) / pairs)
        return torch.stack(drawn, 1)

    def orthogonality_mean(self) -> Float64[Tensor, "resamples concepts concepts"]:
        length = torch.linalg.vector_norm(self.directions, dim=-1, keepdim=True)
        unit = self.directions / length
        return (unit @ unit.mT).abs()

    def orthogonality_rms(self) -> Float64[Tensor, "resamples concepts concepts"]:
        concepts = len(self.units)
        square = self.directions.new_full((len(self.directions), concepts, concepts), torch.nan)
        for i in range(concepts):
            for j in range(i):
                number = len(self.units[i]) * len(self.units[j])
                if number:
                    gram = (self.units[i] @ self.units[j].mT).square()
                    value = ((self.weights[i] @ gram) * self.weights[j]).sum(1) / number
                    square[:, i, j] = square[:, j, i] = value
        return square.sqrt()


def _some_units(table: Tensor, pairs: Pairs, generator: torch.Generator) -> Sequence[Tensor]:
    """The non-zero unit vectors of each group: all, or a random `CAP` of them."""
    counts = pairs.counts()
    keep = torch.ones(len(pairs.group), dtype=torch.bool)
    for start, count in zip((counts.cumsum(0) - counts).tolist(), counts.tolist(), strict=True):
        if count > CAP:
            drawn = torch.randperm(count, generator=generator, device=generator.device)[:CAP].cpu()
            keep[start : start + count] = False
            keep[start + drawn] = True
    at = keep.nonzero()[:, 0].to(pairs.group.device)
    kept = Pairs(low=pairs.low[at], high=pairs.high[at], group=pairs.group[at], groups=pairs.groups)
    units = [table.new_zeros(0, table.shape[1], dtype=torch.float64) for _ in range(pairs.groups)]
    for first, last, _, block, exists in unit_vectors(table, kept, kept.counts()):
        for group in range(first, last):
            units[group] = torch.cat([units[group], block[group - first][exists[group - first]]])
    return units


def _weights(number: int, resamples: int, generator: torch.Generator) -> Float64[Tensor, "resamples number"]:
    """How often each of `number` items is drawn in `number` draws with replacement."""
    device = generator.device
    weights = torch.zeros(resamples, number, dtype=torch.float64, device=device)
    if number == 0:
        return weights
    drawn = torch.randint(number, (resamples, number), generator=generator, device=device)
    return weights.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))


def _about(value: Tensor, drawn: Tensor, shrink: Tensor) -> Tensor:
    """Replicates moved to the measured value, their spread shrunk to the full number of vectors.

    Where no replicate is defined the value stands, without spread; where it is absent, so are they.
    """
    deviation = drawn - drawn.nanmean(0)
    return value + shrink * torch.where(deviation.isnan(), torch.zeros_like(deviation), deviation)


def _largest(shrink: Tensor, concept_of: Tensor | None) -> Tensor:
    """By concept the largest of its contrasts': rather too wide than too narrow."""
    if concept_of is None:
        return shrink
    return (torch.nn.functional.one_hot(concept_of) * shrink[:, None]).amax(0)


def _interval(drawn: Tensor) -> tuple[float, float] | None:
    present = drawn[~drawn.isnan()]
    if len(present) == 0:
        return None
    low, high = torch.quantile(
        present, torch.tensor(LEVELS, dtype=present.dtype, device=present.device)
    ).tolist()
    return low, high
