"""Runs that are their own control: a slope within each, or one of its numbers less another."""

import torch
from jaxtyping import Float64
from torch import Tensor

from linrep.intervals import Effect, average, slope
from linrep.paper.paired import Key, converged_runs, of_runs
from linrep.sweeps.numbers import Numbers


def slopes(cells: list[Numbers], along: Key, measure: Key) -> Float64[Tensor, " runs"]:
    """Each run's least-squares slope of one measure on another over cells, of the cells where it converged.

    What a run has alike in all cells, such as its world's marginals, moves no slope.

    Naively: ``[np.polyfit(x[run], y[run], 1)[0] for run in runs]``.

    Args:
        cells: Of the same worlds and starts.
        along: The measure that stands for x.
        measure: The one that stands for y.

    Returns:
        One slope for each run that converged in two cells of different x, or more.
    """
    where = [set(converged_runs(cell)) for cell in cells]
    runs = sorted(set[int]().union(*where))
    there = torch.tensor([[run in each for run in runs] for each in where], dtype=torch.bool)
    there = there.reshape(len(cells), len(runs))
    x, y = (of_runs(cells, key, runs).where(there, torch.nan) for key in (along, measure))
    found: list[float] = []
    for a, b in zip(x.T, y.T, strict=True):
        present = ~(a.isnan() | b.isnan())
        if len(a[present].unique()) > 1:
            found.append(slope(a[present], b[present]).value)
    return torch.tensor(found, dtype=torch.float64)


def less(cell: Numbers, more: Key, other: Key, *, share: float = 1.0, kind: str = "value") -> Effect:
    """Mean over the runs that converged of one measure less a share of another, with its interval.

    Args:
        cell: One cell.
        more: At the end of training.
        other: What is subtracted, run by run.
        share: How much of it.
        kind: Of the other: "value", or "null" for random pairs.
    """
    runs = converged_runs(cell)
    return average((of_runs([cell], more, runs) - share * of_runs([cell], other, runs, kind=kind))[0])
