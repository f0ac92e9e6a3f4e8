"""Tensors of numbers, NaN where there is none, to the records that are read, written and drawn."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.geometry.record import Null, Similarity, Spread
from linrep.linalg import median


def numbers(values: Float64[Tensor, " some"]) -> tuple[float | None, ...]:
    """None in place of what is not finite.

    Example:
        >>> numbers(torch.tensor([0.5, torch.nan], dtype=torch.float64))
        (0.5, None)
    """
    return tuple(
        value if finite else None
        for value, finite in zip(values.tolist(), values.isfinite().tolist(), strict=True)
    )


def spread_record(per_run: Float64[Tensor, " runs"]) -> Spread:
    """Median and mean over the runs that have a number.

    Example:
        >>> spread_record(torch.tensor([1.0, 3.0, torch.nan], dtype=torch.float64)).mean
        2.0
    """
    present = per_run[~per_run.isnan()]
    return Spread(
        median=float(median(present)) if len(present) else None,
        mean=float(present.mean()) if len(present) else None,
        per_run=numbers(per_run),
    )


def null_record(drawn: Sequence[float] | Float64[Tensor, " draws"], kind: str) -> Null | None:
    """Mean and 95 % quantile of the draws that have a number; None where none has.

    Args:
        drawn: The measure of pairs or rows that mean nothing, NaN where there is none.
        kind: What was drawn.

    Example:
        >>> null_record([0.0, 0.5, float("nan")], "random pairs").mean
        0.25
    """
    present = torch.as_tensor(drawn, dtype=torch.float64)
    present = present[~present.isnan()]
    if not len(present):
        return None
    return Null(mean=float(present.mean()), q95=float(present.quantile(0.95)), kind=kind)


def similarity_record(
    per_run: Float64[Tensor, " runs"],
    per_concept: Float64[Tensor, " concepts"],
    *,
    names: Sequence[str],
    interval: tuple[float, float] | None,
    null: Null | None,
    pairs: int | None = None,
) -> Similarity:
    """The one builder of :class:`linrep.geometry.record.Similarity`.

    Args:
        per_run: Mean over concepts, NaN where none has a number.
        per_concept: Mean over runs, NaN where none has.
        names: Of the concepts.
        interval: 95 %, of the mean over runs.
        null: What chance gives.
        pairs: Vectors behind it, where they are counted.

    Returns:
        Without interval and null where no run has a number.

    Example:
        >>> mean = torch.tensor([0.5, 1.0], dtype=torch.float64)
        >>> similarity_record(mean, mean[:1], names=["sex"], interval=None, null=None).per_concept
        {'sex': 0.5}
    """
    over = spread_record(per_run)
    return Similarity(
        mean=over.mean,
        median=over.median,
        interval95=None if over.mean is None else interval,
        null=None if over.mean is None else null,
        pairs=pairs,
        per_concept=dict(zip(names, numbers(per_concept), strict=True)),
        per_run=over.per_run,
    )
